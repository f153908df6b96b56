"""After Plex or PlexSync's database was restored or lost: whose value is it, and is Stash's written again."""

import pytest

from plexsync.app.database_files import restore_backup
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.plex.artwork import key_of
from plexsync.reports.comparisons import evidence_lines
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.queue.job import Why
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.store.files.address import StoreAddress
from tests.engine.house import House, fails
from tests.flows.data_folder import restarted, restored, saved

RED, BLUE, GREEN = png(200, 0, 0), png(0, 0, 200), png(0, 200, 0)
POSTER = Profile(frozenset(FIELDS), poster="cover")


def compared(house):
    report = house.worker.reconciler.reconcile(anew=True)
    house.clock.move(2)
    house.work_until_settled()
    return report


def title_of(house, id):
    return house.title_in_plex(id)


def edited(house, id, **values):
    house.edit(id, **values)
    house.work_until_settled()


def by_hand(house, id, **fields):
    """A person edits fields in Plex, which locks them."""
    house.clock.move(5)
    house.plex_sim.hand_edit(house.key_of(id), **fields)


def test_edits_there_and_back_are_written_after_an_older_database_was_restored(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(5)
        copy = saved(house)
        for id in ids:
            edited(house, id, title=f"Newer {id}")
        for n, id in enumerate(ids):
            house.stash_sim.edit_scene(id, title=f"Title {n}")
        restored(house, copy)
        compared(house)
        assert [title_of(house, id) for id in ids] == [f"Title {n}" for n in range(5)]


def test_what_the_journal_does_not_know_is_a_persons_after_an_older_database_was_restored(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(3)
        copy = saved(house)
        for id in ids:
            edited(house, id, title=f"Newer {id}")
        by_hand(house, ids[0], title="Mine")
        by_hand(house, ids[1], title="Title 1")
        restored(house, copy)
        report = compared(house)
        assert [title_of(house, id) for id in ids] == ["Mine", "Title 1", f"Newer {ids[2]}"]
        assert (report.recovered, report.kept) == (1, 2)


def test_a_hand_edit_after_the_restore_is_kept_even_if_plexsync_once_wrote_that_value(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        copy = saved(house)
        edited(house, id, title="Newer")
        house.stash_sim.edit_scene(id, title="Title 0")
        restored(house, copy)
        compared(house)
        by_hand(house, id, title="Newer")
        compared(house)
        assert title_of(house, id) == "Newer"


def test_tags_that_were_pushed_since_the_copy_go_when_stash_drops_them(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(5)
        copy = saved(house)
        for id in ids:
            edited(house, id, tags=["Tag", "Later"])
        by_hand(house, ids[0], genre=["Tag", "Later", "Mine"])
        for id in ids:
            house.stash_sim.edit_scene(id, tags=["Tag"])
        restored(house, copy)
        compared(house)
        assert [genres(house, id) for id in ids] == [{"Tag", "Mine"}, *[{"Tag"}] * 4]


def test_a_tag_that_a_person_took_away_since_the_copy_stays_away(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        copy = saved(house)
        edited(house, id, tags=["Tag", "Later"])
        by_hand(house, id, genre=["Tag"])
        restored(house, copy)
        compared(house)
        assert genres(house, id) == {"Tag"}


def poster(house, id):
    return house.plex_sim.item(house.key_of(id)).poster


def covered(house, id, cover):
    house.stash_sim.set_cover(id, cover)
    house.clock.move(3)
    house.want(id)
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", cover)


def restored_while_no_cover_can_be_read(house, copy):
    unreadable_covers(house)
    restored(house, copy)
    compared(house)
    house.stash_sim.faults.clear()
    house.clock.move(60)


@pytest.mark.parametrize("known", [True, False])
def test_a_poster_that_was_pushed_since_the_copy_is_plexsyncs_own_although_its_cover_could_not_be_read(tmp_path, known):
    with House(tmp_path / "data", profile=POSTER, policy=Policy(conflict="plex")) as house:
        [id] = house.in_step()
        if known:
            covered(house, id, GREEN)
        copy = saved(house)
        covered(house, id, RED)
        restored_while_no_cover_can_be_read(house, copy)
        house.stash_sim.set_cover(id, BLUE)
        compared(house)
        assert poster(house, id) == key_of("thumb", BLUE)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_a_poster_that_a_person_chose_stays_although_the_cover_could_not_be_read_after_the_restore(
    tmp_path, known, early
):
    with House(tmp_path / "data", profile=POSTER) as house:
        [id] = house.in_step()
        if known:
            covered(house, id, GREEN)
        copy = saved(house)
        covered(house, id, RED)
        if early:
            by_hand(house, id, thumb=BLUE)
        restored_while_no_cover_can_be_read(house, copy)
        if not early:
            by_hand(house, id, thumb=BLUE)
        compared(house)
        assert poster(house, id) == key_of("thumb", BLUE)


@pytest.mark.parametrize("fault", ["status", "reset"])
def test_a_poster_stays_plexsyncs_own_after_one_that_plex_did_not_accept_and_the_loss_of_the_database(tmp_path, fault):
    with House(tmp_path / "data", profile=POSTER, policy=Policy(conflict="plex")) as house:
        [id] = house.in_step()
        covered(house, id, RED)
        house.plex_sim.faults.set(Fault(fault, status=400, when=lambda request: request.method == "POST"))
        house.stash_sim.set_cover(id, BLUE)
        edited(house, id, title="Newer")
        assert (title_of(house, id), poster(house, id)) == ("Newer", key_of("thumb", RED))
        house.plex_sim.faults.clear()
        restarted(house, between=lambda: forget_database(house))
        compared(house)
        assert poster(house, id) == key_of("thumb", BLUE)


def test_a_hand_edit_in_a_field_that_was_disabled_during_the_restore_stays(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        edited(house, id, details="First")
        copy = saved(house)
        edited(house, id, details="Second")
        by_hand(house, id, summary="Mine")
        house.rules["profile"] = Profile(frozenset(FIELDS) - {"summary"})
        restored(house, copy)
        compared(house)
        house.replace_worker(profile=Profile(frozenset(FIELDS)))
        compared(house)
        assert house.plex_sim.item(house.key_of(id)).scalars["summary"] == "Mine"


def test_after_plex_was_restored_from_its_backup_stashs_values_are_written_again(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(10)
        backup = house.plex_sim.backup()
        for id in ids:
            edited(house, id, title=f"Newer {id}", tags=["Newer"])
        house.plex_sim.restore(backup)
        report = compared(house)
        assert house.out_of_step(ids) == []
        assert [genres(house, id) for id in ids] == [{"Newer"}] * 10
        assert (report.recovered, report.kept) == (10, 0)
        assert evidence_lines(report) == [
            "10 scenes with values that PlexSync wrote before a restore; they are its own"
        ]
        assert evidence_lines(compared(house)) == []


def unreadable_covers(house):
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: request.path.endswith("/screenshot")))


def restored_with_unreadable_covers(house, id, backup, *, chosen):
    """Plex is restored and shows RED again; no cover can be read until after an edit, and a hand edit if `chosen`."""
    house.plex_sim.restore(backup)
    unreadable_covers(house)
    edited(house, id, title="Newer")
    assert (title_of(house, id), poster(house, id)) == ("Newer", key_of("thumb", RED))
    if chosen:
        by_hand(house, id, thumb=BLUE)
    house.stash_sim.faults.clear()
    house.clock.move(60)
    compared(house)


@pytest.mark.parametrize("chosen", [False, True])
def test_a_poster_that_a_restored_plex_shows_again_gives_way_when_its_cover_can_be_read_unless_a_person_chose_one(
    tmp_path, chosen
):
    with House(tmp_path / "data", profile=POSTER) as house:
        [id] = house.in_step()
        covered(house, id, RED)
        backup = house.plex_sim.backup()
        covered(house, id, GREEN)
        restored_with_unreadable_covers(house, id, backup, chosen=chosen)
        assert poster(house, id) == key_of("thumb", BLUE if chosen else GREEN)


@pytest.mark.parametrize("chosen", [False, True])
def test_a_poster_that_a_restored_plex_shows_again_goes_when_its_scene_has_no_cover_any_more(tmp_path, chosen):
    with House(tmp_path / "data", profile=POSTER) as house:
        [id] = house.in_step()
        if chosen:
            by_hand(house, id, thumb=BLUE)
        else:
            covered(house, id, RED)
        backup = house.plex_sim.backup()
        if chosen:
            house.stash_sim.set_cover(id, RED)
        house.stash_sim.set_cover(id, None)
        edited(house, id, title="Newer")
        house.plex_sim.restore(backup)
        compared(house)
        assert title_of(house, id) == "Newer"
        assert poster(house, id) == (key_of("thumb", BLUE) if chosen else None)


@pytest.mark.parametrize("chosen", [False, True])
def test_a_poster_that_was_given_back_goes_again_although_the_cover_could_not_be_read_after_the_restore(
    tmp_path, chosen
):
    with House(tmp_path / "data", profile=POSTER) as house:
        [id] = house.in_step()
        covered(house, id, RED)
        backup = house.plex_sim.backup()
        house.stash_sim.set_cover(id, None)
        edited(house, id, title="New")
        assert poster(house, id) != key_of("thumb", RED)
        restored_with_unreadable_covers(house, id, backup, chosen=chosen)
        assert poster(house, id) == (key_of("thumb", BLUE) if chosen else None)


@pytest.mark.parametrize("edits", [False, True])
def test_a_field_that_was_disabled_when_plex_was_restored_is_written_when_it_is_enabled_unless_a_person_edited_it(
    tmp_path, edits
):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        edited(house, id, details="First")
        backup = house.plex_sim.backup()
        edited(house, id, details="Second")
        house.plex_sim.restore(backup)
        house.replace_worker(profile=Profile(frozenset(FIELDS) - {"summary"}))
        edited(house, id, title="Newer")
        if edits:
            by_hand(house, id, summary="Mine")
        house.replace_worker(profile=Profile(frozenset(FIELDS)))
        compared(house)
        assert house.plex_sim.item(house.key_of(id)).scalars["summary"] == ("Mine" if edits else "Second")


def test_a_hand_edit_that_plexs_backup_has_is_kept(tmp_path):
    with House(tmp_path / "data") as house:
        first, second = house.in_step(2)
        by_hand(house, first, summary="Mine", title="Mine")
        backup = house.plex_sim.backup()
        for id in (first, second):
            edited(house, id, tags=["Newer"])
        house.plex_sim.restore(backup)
        compared(house)
        assert house.plex_sim.item(house.key_of(first)).scalars["title"] == "Mine"
        assert [genres(house, id) for id in (first, second)] == [{"Newer"}] * 2


@pytest.mark.parametrize("in_stash", ["Title 0", "Fresh"])
def test_a_hand_edit_that_was_kept_stays_after_plex_and_stash_were_restored_to_one_moment_until_stash_says_something_new(
    tmp_path, in_stash
):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        by_hand(house, id, title="Mine")
        edited(house, id, tags=["Seen"])
        plex, stash = house.plex_sim.backup(), house.stash_sim.backup()
        edited(house, id, title="Second")
        assert title_of(house, id) == "Second"
        house.plex_sim.restore(plex)
        house.stash_sim.restore(stash)
        house.stash_sim.edit_scene(id, title=in_stash)
        report = compared(house)
        kept = in_stash == "Title 0"
        assert (report.kept, title_of(house, id)) == (1, "Mine" if kept else "Fresh")
        # By this the item is no longer older than what was sent, so nothing but memory tells.
        by_hand(house, id, summary="Another field")
        edited(house, id, tags=["Later"])
        assert title_of(house, id) == ("Mine" if kept else "Fresh")
        edited(house, id, title="Third")
        assert title_of(house, id) == "Third"


def test_an_older_title_that_a_person_sets_again_is_kept(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        edited(house, id, title="Newer")
        by_hand(house, id, title="Title 0")
        report = compared(house)
        assert title_of(house, id) == "Title 0"
        assert (report.recovered, report.kept) == (0, 0)


def test_a_hand_edit_made_after_plex_was_restored_is_kept(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        backup = house.plex_sim.backup()
        edited(house, id, title="Newer")
        house.plex_sim.restore(backup)
        by_hand(house, id, title="Mine")
        compared(house)
        assert title_of(house, id) == "Mine"


def test_what_was_emptied_in_stash_is_taken_back_again_after_plex_was_restored(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        backup = house.plex_sim.backup()
        edited(house, id, studio="", tags=[])
        house.plex_sim.restore(backup)
        compared(house)
        item = house.plex_sim.item(house.key_of(id))
        assert (item.scalars.get("studio"), genres(house, id)) == (None, set())


def test_both_restored_at_once(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(3)
        copy = saved(house)
        for id in ids:
            edited(house, id, title=f"Second {id}", tags=["Second"])
        backup = house.plex_sim.backup()
        for id in ids:
            edited(house, id, title=f"Third {id}", tags=["Third"])
        house.plex_sim.restore(backup)
        restored(house, copy)
        compared(house)
        assert house.out_of_step(ids) == []
        assert [genres(house, id) for id in ids] == [{"Third"}] * 3


def test_a_new_database_with_the_journal_knows_its_own_tags_again(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(5)
        by_hand(house, ids[0], genre=["Tag 0", "Mine"], title="Mine")
        restarted(house, between=lambda: forget_database(house))
        for id in ids:
            house.stash_sim.edit_scene(id, tags=["Renamed"])
        compared(house)
        assert [genres(house, id) for id in ids] == [{"Renamed", "Mine"}, *[{"Renamed"}] * 4]
        assert title_of(house, ids[0]) == "Mine"


def test_without_database_and_journal_locked_values_count_as_yours_and_the_comparison_says_so(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(5)
        restarted(house, between=lambda: forget_database(house, journal=True))
        first = compared(house)
        for id in ids:
            house.stash_sim.edit_scene(id, tags=["Renamed"])
        second = compared(house)
        assert all({"Renamed"} < genres(house, id) for id in ids)
        [line] = evidence_lines(first)
        assert line.startswith(
            "5 scenes with locked values that an earlier PlexSync may have written: these values are yours"
        )
        assert (first.undecidable, second.undecidable) == (5, 0)


def forget_database(house, *, journal=False):
    for path in house.folder.iterdir():
        if path.name.startswith("plexsync.db") or (journal and path.name.startswith("journal")):
            path.unlink()


def genres(house, id):
    return set(house.plex_sim.item(house.key_of(id)).lists["genre"])


def test_a_locked_list_that_a_lost_database_left_is_yours_until_you_take_it_over(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        restarted(house, between=lambda: forget_database(house, journal=True))
        compared(house)
        edited(house, id, tags=["Renamed"])
        assert genres(house, id) == {"Tag 0", "Renamed"}
        want_scenes(house.store, [id], Why.USER, house.clock, take_over=True)
        house.clock.move(3)
        house.work_until_settled()
        assert genres(house, id) == {"Renamed"}


@pytest.mark.parametrize(("by_a_person", "shown"), [("", "Back"), ("newer title", "newer title")])
def test_a_title_that_plex_wrote_with_single_spaces_and_nobody_read_back_is_known_after_the_database_was_lost(
    tmp_path, by_a_person, shown
):
    with House(tmp_path / "data", policy=Policy(conflict="plex")) as house:
        [id] = house.in_step()
        house.plex_sim.faults.set(Fault("reset_after", when=lambda request: request.method == "PUT"))
        house.edit(id, title="Newer  title")
        house.work()
        assert title_of(house, id) == "Newer title"
        house.plex_sim.faults.clear()
        if by_a_person:
            by_hand(house, id, title=by_a_person)
        house.stash_sim.edit_scene(id, title="Back")
        restarted(house, between=lambda: forget_database(house))
        compared(house)
        assert title_of(house, id) == shown


def test_items_that_swap_their_files_show_the_right_scenes_after_an_older_database_was_restored(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(2)
        copy = saved(house)
        for id in ids:
            edited(house, id, title=f"Newer  {id}", details=f"Text {id}", tags=[f"Own {id}"])
        by_hand(house, ids[0], studio="Mine")
        keys = [house.key_of(id) for id in ids]
        house.plex_sim.swap_files(*keys)
        restored(house, copy)
        compared(house)
        assert [house.key_of(id) for id in ids] == [keys[1], keys[0]]
        assert [title_of(house, id) for id in ids] == [f"Newer {id}" for id in ids]
        assert [house.plex_sim.item(house.key_of(id)).scalars["summary"] for id in ids] == [f"Text {id}" for id in ids]
        assert [genres(house, id) for id in ids] == [{f"Own {id}"} for id in ids]
        assert house.plex_sim.item(keys[0]).scalars["studio"] == "Mine"


def test_an_item_with_other_files_and_other_texts_is_another_one_after_an_older_database_was_restored(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(2)
        copy = saved(house)
        for id in ids:
            edited(house, id, title=f"Newer {id}", tags=[f"Own {id}"])
        keys = [house.key_of(id) for id in ids]
        house.plex_sim.swap_files(*keys)
        for id in ids:
            by_hand(house, id, title=f"Mine {id}", genre=["Own 1", "Own 2"])
        restored(house, copy)
        compared(house)
        assert [title_of(house, id) for id in ids] == [f"Mine {id}" for id in ids]
        assert [genres(house, id) for id in ids] == [{"Own 1", "Own 2"}] * 2


@pytest.mark.parametrize("lost", ["restored", "deleted"])
def test_a_poster_of_a_swapped_item_stays_plexsyncs_own_if_the_next_one_was_not_accepted(tmp_path, lost):
    with House(tmp_path / "data", profile=POSTER, policy=Policy(conflict="plex")) as house:
        ids = house.in_step(2)
        for id, cover in zip(ids, (RED, BLUE), strict=True):
            covered(house, id, cover)
        copy = saved(house)
        house.plex_sim.swap_files(*(house.key_of(id) for id in ids))
        house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
        compared(house)
        house.plex_sim.faults.clear()
        assert [poster(house, id) for id in ids] == [key_of("thumb", cover) for cover in (BLUE, RED)]
        restarted(
            house,
            between=lambda: (
                restore_backup(StoreAddress(house.folder), copy) if lost == "restored" else forget_database(house)
            ),
        )
        compared(house)
        assert [poster(house, id) for id in ids] == [key_of("thumb", cover) for cover in (RED, BLUE)]


def test_nothing_is_sent_before_the_journal_has_it(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        journal = house.folder / "journal"
        lines = journal.read_bytes().count(b'["sent"')
        house.plex_sim.faults.set(fails("PUT"))
        house.edit(id, title="Newer")
        house.step()
        assert journal.read_bytes().count(b'["sent"') == lines + 1


def test_a_journal_that_can_not_be_written_stops_the_send_and_a_later_step_goes_on(tmp_path):
    with House(tmp_path / "data") as house:
        [id] = house.in_step()
        journal = house.folder / "journal"
        aside = journal.rename(house.folder.parent / "aside")
        journal.mkdir()
        house.edit(id, title="Newer")
        with pytest.raises(LocalFault):
            house.step()
        assert house.plex_sim.count("PUT") == 0
        journal.rmdir()
        aside.rename(journal)
        house.work_until_settled()
        assert title_of(house, id) == "Newer"


def test_edits_there_and_back_are_written_after_the_log_of_a_killed_worker_was_lost(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(4)
        restarted(house)
        for id in ids:
            edited(house, id, title=f"Newer {id}", tags=["Newer"])
        by_hand(house, ids[0], title="Mine")
        files = {path: path.read_bytes() for path in house.folder.iterdir() if path.name in ("plexsync.db", "journal")}
        for n, id in enumerate(ids):
            title = f"Title {n}" if n else f"Newer {id}"
            house.stash_sim.edit_scene(id, title=title, tags=[f"Tag {n}"])

        def as_killed():
            forget_database(house)
            for path, content in files.items():
                path.write_bytes(content)

        restarted(house, between=as_killed)
        compared(house)
        assert [title_of(house, id) for id in ids] == ["Mine", "Title 1", "Title 2", "Title 3"]
        assert [genres(house, id) for id in ids] == [{f"Tag {n}"} for n in range(4)]


def test_a_database_that_was_rebuilt_without_its_memory_knows_its_own_tags_again(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(3)
        house.change("delete from memory where subject <> 1")
        house.change("delete from note where name = 'journal:last'")
        house.change(f"insert into note (name, value) values ('repaired', '{house.clock.now()}')")
        restarted(house)
        for id in ids:
            house.stash_sim.edit_scene(id, tags=["Renamed"])
        compared(house)
        assert [genres(house, id) for id in ids] == [{"Renamed"}] * 3
