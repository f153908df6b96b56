"""Undo and release: what is taken back and what is left, whatever happens on the way, and what ends it."""

from dataclasses import replace

import msgspec
import pytest

from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo, mark_all_undone, preview, pushed_scenes, redo_scenes
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.template import NAMES
from plexsync.rules.queue.job import PLAYS, Kind, State, Why
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.stash_images import png
from plexsync.store.database import Database
from plexsync.store.documents import encode
from plexsync.store.queue.notes import TAKE_OVER
from tests.engine.house import BREAKER, House, fails, path_of
from tests.engine.pools import Inline
from tests.engine.test_engine_crashes import kill_at


def undo(house, *ids, how="undo", by=None):
    worker = by or house.worker
    marked = wish_undone(house.store, SceneUndo(worker.inspector), house.clock, ids, how)
    house.clock.move(3)
    return marked


def pictures(house):
    """Everything Plex shows: values, members and locks of every item."""
    return {
        key: (dict(item.scalars), {name: set(names) for name, names in item.lists.items()}, item.locks)
        for key in house.plex_sim.keys(house.section)
        if (item := house.plex_sim.item(key))
    }


def reconciled(house):
    report = house.worker.reconciler.reconcile()
    house.clock.move(3)
    house.work()
    return report


def test_an_undo_puts_back_what_was_there_before_and_a_second_one_writes_nothing(house):
    # Another item comes first, so that no item has the number of its scene.
    house.plex_sim.add_movie(house.section, files=[("/media/other.mkv", 1, 60_000)], title="another")
    ids = house.add(3)
    house.plex_sim.hand_edit(house.key_of(ids[0]), genre=["Theirs"], locked=False)
    house.plex_sim.hand_edit(house.key_of(ids[1]), studio="Studio 1", locked=True)
    before = pictures(house)
    house.want(*ids)
    house.work()
    assert house.out_of_step(ids) == []
    assert undo(house, *ids).jobs == ids
    house.work()
    assert pictures(house) == before
    assert house.states() == {State.IDLE: 3}
    house.forget_requests()
    undo(house, *ids)
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert house.books_balance()


def test_an_undo_takes_off_our_locks_again_that_a_restore_of_plex_has_brought_back(house):
    (id,) = house.add(1)
    house.plex_sim.hand_edit(
        house.key_of(id), genre=["Theirs"], collection=["Studio 0"], studio="Studio 0", locked=False
    )
    before = pictures(house)
    house.want(id)
    house.work()
    backup = house.plex_sim.backup()
    house.clock.move(60)
    undo(house, id)
    house.work()
    assert pictures(house) == before
    house.clock.move(60)
    house.plex_sim.restore(backup)
    assert pictures(house) != before
    undo(house, id)
    house.work()
    assert pictures(house) == before


def test_an_undo_ends_a_take_over_that_you_asked_for_before(house):
    (id,) = house.in_step(1)
    with house.store.writing() as tx:
        tx.notes.take_over(id, now=house.clock.now())
    undo(house, id)
    with house.store.reading() as db:
        assert db.notes.of_scenes(TAKE_OVER, [id]) == {}


def test_what_a_person_changed_since_is_left_alone(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, title="By hand")
    house.plex_sim.hand_edit(key, genre=["Tag 0", "By hand"])
    undo(house, id)
    house.work()
    item = house.plex_sim.item(key)
    assert (item.scalars["title"], "title" in item.locks) == ("By hand", True)
    assert list(item.lists["genre"]) == ["By hand"]
    assert not item.scalars.get("studio")
    assert item.locks == {"title"}


def test_a_release_leaves_every_value_and_takes_off_our_locks(house):
    ids = house.add(2)
    house.plex_sim.hand_edit(house.key_of(ids[1]), studio="Studio 1", locked=True)
    house.want(*ids)
    house.work()
    values = {key: shown[:2] for key, shown in pictures(house).items()}
    undo(house, *ids, how="release")
    house.work()
    assert {key: shown[:2] for key, shown in pictures(house).items()} == values
    assert house.plex_sim.item(house.key_of(ids[0])).locks == frozenset()
    assert house.plex_sim.item(house.key_of(ids[1])).locks == {"studio"}
    undo(house, *ids)
    house.work()
    assert {key: shown[:2] for key, shown in pictures(house).items()} == values, "what was released is Plex's own"


def test_no_comparison_and_no_sweep_brings_it_back_but_an_edit_does(house):
    ids = house.in_step(3)
    undo(house, *ids)
    house.work()
    taken_back = pictures(house)
    report = reconciled(house)
    assert (report.standing["undone"], report.wanted) == (3, 0)
    house.want(*ids, why=Why.SWEEP)
    house.want(*ids, why=Why.EDIT)
    house.clock.move(3)
    house.work()
    assert pictures(house) == taken_back
    house.edit(ids[0], details="Something new")
    house.work()
    assert house.out_of_step(ids) == ids[1:]
    with house.store.reading() as db:
        assert db.memories.count_undone() == {"undo": 2}


def test_an_edit_that_was_not_synced_yet_does_not_end_the_undo_before_it_begins(house):
    (id,) = house.in_step(1)
    house.stash_sim.edit_scene(id, title="Not seen by anybody yet")
    undo(house, id)
    house.work()
    assert house.title_in_plex(id) == "file 0"


def test_an_edit_between_the_undo_and_its_work_wins(house):
    (id,) = house.in_step(1)
    undo(house, id)
    house.edit(id, title="Later")
    house.work()
    assert house.out_of_step([id]) == []
    assert house.title_in_plex(id) == "Later"


def test_fields_that_are_switched_off_are_taken_back_as_well(house):
    (id,) = house.in_step(1)
    before = house.plex_sim.item(house.key_of(id)).scalars["studio"]
    assert before
    house.replace_worker(profile=Profile(frozenset({"title"})))
    undo(house, id)
    house.work()
    item = house.plex_sim.item(house.key_of(id))
    assert not item.scalars.get("studio")
    assert item.locks == frozenset()
    house.replace_worker()
    reconciled(house)
    assert not house.plex_sim.item(house.key_of(id)).scalars.get("studio"), (
        "switched on again it is undone all the same"
    )


@pytest.mark.parametrize("how", ["undo", "off", "gone"])
def test_posters_and_backgrounds_are_taken_back_as_well(tmp_path, how):
    pictured = replace(Profile(frozenset(FIELDS)), poster="cover", background="cover")
    with House(tmp_path / "data", profile=pictured, undo_gone=how == "gone") as house:
        ids = house.add(2)
        keys = [house.key_of(id) for id in ids]
        before = [(item.poster, item.art, item.locks) for item in map(house.plex_sim.item, keys)]
        for id in ids:
            house.stash_sim.set_cover(id, png(200, 0, 0))
        house.want(*ids)
        house.work()
        assert house.plex_sim.item(keys[0]).poster == house.plex_sim.item(keys[1]).poster != before[0][0]
        theirs = png(0, 200, 0)
        house.plex_sim.hand_edit(keys[1], thumb=theirs)
        house.clock.move(60)
        if how == "off":
            house.replace_worker(profile=Profile(frozenset({"title"})))
        if how == "gone":
            for id in ids:
                house.stash_sim.destroy_scene(id)
            house.want(*ids)
        else:
            undo(house, *ids)
        house.work_until_settled()
        items = [house.plex_sim.item(key) for key in keys]
        assert (items[0].poster, items[0].art, items[0].locks) == before[0]
        assert (items[1].poster, items[1].art, items[1].locks) == (key_of("thumb", theirs), None, {"thumb"})
        house.clock.move(60)
        house.forget_requests()
        house.want(*ids)
        house.work_until_settled()
        assert not [one for one in house.plex_sim.log if one.method != "GET" or "posters" in one.path]


def test_a_background_that_an_old_plex_can_not_take_off_stays_without_our_lock(tmp_path, caplog):
    with House(tmp_path / "data", profile=replace(Profile(frozenset(FIELDS)), background="cover")) as house:
        (id,) = house.add(1)
        house.stash_sim.set_cover(id, png(200, 0, 0))
        house.want(id)
        house.work()
        house.plex_sim.faults.set(fails("DELETE", status=405))
        undo(house, id)
        house.work()
        item = house.plex_sim.item(house.key_of(id))
        assert (item.art, item.locks, item.scalars["title"]) == (key_of("art", png(200, 0, 0)), frozenset(), "file 0")
        assert house.states() == {State.IDLE: 1}
        assert "was refused" in caplog.text
        house.forget_requests()
        reconciled(house)
        assert house.plex_sim.count("DELETE") == house.plex_sim.count("PUT") == 0


def test_a_release_leaves_the_poster_and_takes_off_its_lock(tmp_path):
    with House(tmp_path / "data", profile=replace(Profile(frozenset(FIELDS)), poster="cover")) as house:
        (id,) = house.add(1)
        house.stash_sim.set_cover(id, png(200, 0, 0))
        house.want(id)
        house.work()
        undo(house, id, how="release")
        house.work()
        item = house.plex_sim.item(house.key_of(id))
        assert (item.poster, item.locks) == (key_of("thumb", png(200, 0, 0)), frozenset())


def test_a_cover_that_changed_and_was_not_synced_does_not_end_the_undo(tmp_path):
    with House(tmp_path / "data", profile=replace(Profile(frozenset(FIELDS)), poster="cover")) as house:
        (id,) = house.add(1)
        house.stash_sim.set_cover(id, png(200, 0, 0))
        house.want(id)
        house.work()
        house.stash_sim.set_cover(id, png(0, 0, 200))
        undo(house, id)
        house.work()
        assert house.title_in_plex(id) == "file 0"
        house.stash_sim.set_cover(id, png(0, 0, 100))
        house.want(id)
        house.clock.move(3)
        house.work()
        assert house.title_in_plex(id) == "Title 0"


def test_a_library_with_a_profile_of_its_own_is_undone_by_it(tmp_path):
    own = replace(Profile(frozenset({"title", "genre"})), title=template.parse_template("{studio}: {title}", NAMES))
    with House(tmp_path / "data", profiles={"movies": own}) as house:
        (id,) = house.add(1)
        house.want(id)
        house.work()
        assert house.title_in_plex(id) == "Studio 0: Title 0"
        undo(house, id)
        house.work()
        assert house.title_in_plex(id) == "file 0"
        assert reconciled(house).standing["undone"] == 1
        house.edit(id, title="Edited")
        house.work()
        assert house.title_in_plex(id) == "Studio 0: Edited"


def test_an_item_that_was_added_anew_is_left_alone_too(house):
    (id,) = house.in_step(1)
    undo(house, id)
    house.work()
    house.plex_sim.readd(house.key_of(id))
    house.forget_requests()
    reconciled(house)
    assert house.plex_sim.count("PUT") == 0
    assert house.title_in_plex(id) == "file 0"
    house.edit(id, title="Edited")
    house.work()
    assert house.title_in_plex(id) == "Edited"


def test_an_undo_reaches_the_item_also_when_no_file_leads_to_it_any_more(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.stash_sim.move_folder("/media", "/elsewhere")
    house.stash_sim.rename_file("/elsewhere/scene 00000.mp4", "/elsewhere/renamed.mp4")
    undo(house, id)
    house.work()
    assert house.plex_sim.item(key).scalars["title"] == "file 0"
    assert house.plex_sim.item(key).locks == frozenset()


def test_an_item_that_does_not_show_our_hand_is_not_touched_without_a_file_that_leads_to_it(house):
    """Another server may have given its number to anything."""
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.stash_sim.rename_file(path_of(0), "/elsewhere/renamed.mp4")
    for name, value in house.plex_sim.item(key).scalars.items():
        if name in ("title", "studio", "summary"):
            house.plex_sim.hand_edit(key, locked=False, **{name: value})
    house.plex_sim.hand_edit(key, genre=["Tag 0"], locked=False)
    house.plex_sim.hand_edit(key, collection=["Studio 0"], locked=False)
    before = pictures(house)
    undo(house, id)
    house.work()
    assert pictures(house) == before


# --- kills and rivals ------------------------------------------------------------------------------------------------


MOMENTS = {
    "before anything is asked": lambda method, puts: method == "scenes",
    "before the first edit": lambda method, puts: method == "edit",
    "after two edits": lambda method, puts: method == "edit" and puts == 2,
    "before it is read back": lambda method, puts: method == "items" and puts == 4,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_moment_loses_nothing_and_repeats_no_edit(house, moment):
    ids = house.add(4)
    before = pictures(house)
    house.want(*ids)
    house.work()
    house.clock.move(60)
    undo(house, *ids)
    house.forget_requests()
    kill_at(house, lambda method, _: MOMENTS[moment](method, house.plex_sim.count("PUT")))
    house.work_until_settled()
    assert pictures(house) == before
    assert house.plex_sim.count("PUT") == 4
    house.clock.move(600)
    house.want(*ids)
    house.work()
    assert house.plex_sim.count("PUT") == 4


def test_a_first_push_that_was_cut_off_is_taken_back(house):
    ids = house.add(2)
    before = pictures(house)
    house.want(*ids)
    kill_at(house, lambda method, _: method == "items" and house.plex_sim.count("PUT") == 2)
    assert pictures(house) != before
    assert pushed_scenes(house.store) == ids
    undo(house, *ids)
    house.work_until_settled()
    assert pictures(house) == before


@pytest.mark.parametrize("method", ["edit", "items", "scenes"])
def test_a_worker_that_has_the_scene_just_then_saves_nothing_over_the_undo(house, method):
    ids = house.in_step(3)
    house.replace_worker(pool=Inline())
    for id in ids:
        house.edit(id, details="Changed")
    other = house.hire(holder="other")
    client = house.worker.stash if method == "scenes" else house.worker.plex
    real, done = getattr(client, method), []

    def interrupted(*args, **kwargs):
        if not done:
            done.append(undo(house, *ids, by=other))
        return real(*args, **kwargs)

    setattr(client, method, interrupted)
    house.work_until_settled()
    assert done
    assert {house.title_in_plex(id) for id in ids} == {"file 0", "file 1", "file 2"}
    assert {len(house.plex_sim.item(house.key_of(id)).locks) for id in ids} == {0}
    assert house.books_balance()


def test_an_outage_delays_an_undo_and_uses_no_attempt(house):
    ids = house.in_step(3)
    undo(house, *ids)
    house.plex_sim.faults.set(fails("PUT"))
    house.work_for(300)
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert {house.title_in_plex(id) for id in ids} == {"file 0", "file 1", "file 2"}


def test_an_undo_marks_nothing_while_stash_is_away(house):
    ids = house.in_step(1)
    house.stash_sim.faults.set(fails("POST"))
    with pytest.raises(Unavailable):
        for _ in range(10):
            undo(house, *ids)
    house.stash_sim.faults.clear()
    with house.store.reading() as db:
        assert db.memories.count_undone() == {}
    assert house.out_of_step(ids) == []


def test_an_undo_of_everything_drops_nothing_while_stash_is_away(house):
    house.want(*house.add(2))
    worker = house.worker
    for _ in range(BREAKER.failure_threshold):
        worker.gates.ill(worker.gates.ticket(READ_STASH), Unavailable(Neighbour.STASH, "away"))
    with pytest.raises(Unavailable):
        mark_all_undone(worker.inspector, "undo")
    assert house.states() == {State.READY: 2}


# --- states ----------------------------------------------------------------------------------------------------------


def test_scenes_that_were_never_pushed_are_told_and_left_as_they_are(house):
    ids = house.add(2, in_plex=False)
    marked = undo(house, *ids, 99)
    assert (marked.jobs, marked.untouched) == ([], [*ids, 99])
    assert house.states() == {}


def test_undoing_everything_keeps_what_waits_from_being_pushed_for_the_first_time(house):
    pushed = house.in_step(2)
    waiting = house.add(2, start=2)
    (absent,) = house.add(1, start=4, in_plex=False)
    house.want(*waiting, absent)
    house.want(1, kind=Kind.TAG)
    house.want(pushed[0], absent, kind=PLAYS)
    before = pictures(house)
    worker = house.worker
    marked = mark_all_undone(worker.inspector, "undo")
    assert (marked.jobs, marked.dropped) == (pushed, 4)
    assert {house.row(id, PLAYS).state for id in (pushed[0], absent)} == {State.READY}, "plays are another flow's"
    house.clock.move(3)
    house.work()
    assert {house.title_in_plex(id) for id in [*pushed, *waiting]} == {f"file {n}" for n in range(4)}
    assert {key for key, shown in pictures(house).items() if shown != before[key]} == {
        house.key_of(id) for id in pushed
    }
    assert house.states() == {State.IDLE: 2, State.DROPPED: 4}
    assert reconciled(house).wanted == 0
    house.edit(waiting[0], title="Edited")
    house.work()
    assert house.title_in_plex(waiting[0]) == "Edited"
    assert house.books_balance()


def test_ignored_dropped_and_dead_scenes_are_taken_back_as_well(house):
    ids = house.in_step(3)
    with house.store.writing() as tx:
        tx.jobs.ignore(Kind.SCENE, ids[0], now=house.clock.now())
        tx.jobs.set_aside(Kind.SCENE, ids[1], now=house.clock.now())
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[2]), status=400))
    house.edit(ids[2], details="Refused")
    house.work()
    house.plex_sim.faults.clear()
    assert house.states() == {State.IGNORED: 1, State.DROPPED: 1, State.DEAD: 1}
    undo(house, *ids)
    house.work()
    assert {house.title_in_plex(id) for id in ids} == {"file 0", "file 1", "file 2"}
    assert house.states() == {State.IGNORED: 1, State.IDLE: 2}
    assert house.books_balance()


def test_an_ignored_scene_stays_ignored_after_its_undo_and_no_edit_brings_it_back(house):
    (id,) = house.in_step(1)
    ignore_scenes(house.store, [id], house.clock)
    undo(house, id)
    house.edit(id, title="Before the undo was worked")
    assert redo_scenes(house.store, house.clock, [id]).ignored == [id]
    house.work()
    assert (house.title_in_plex(id), house.states()) == ("file 0", {State.IGNORED: 1})
    house.edit(id, title="Later")
    reconciled(house)
    assert (house.title_in_plex(id), house.states()) == ("file 0", {State.IGNORED: 1})
    assert unignore_scenes(house.store, [id], house.clock) == [id]
    house.work()
    assert house.title_in_plex(id) == "Later"
    assert house.books_balance()


def test_an_ignored_scene_whose_undo_plex_refuses_is_ignored_once_it_was_taken_back(house):
    id, _ = house.in_step(2)
    ignore_scenes(house.store, [id], house.clock)
    house.plex_sim.faults.set(fails("PUT", house.key_of(id), status=400))
    undo(house, id)
    house.work()
    assert house.states() == {State.DEAD: 1, State.IDLE: 1}
    house.plex_sim.faults.clear()
    house.edit(id, title="Edited meanwhile")
    house.work()
    assert (house.title_in_plex(id), house.states()) == ("file 0", {State.IGNORED: 1, State.IDLE: 1})


def test_unignore_before_the_undo_was_worked_ends_the_ignore(house):
    (id,) = house.in_step(1)
    ignore_scenes(house.store, [id], house.clock)
    undo(house, id)
    assert unignore_scenes(house.store, [id], house.clock) == [id]
    house.work()
    assert house.states() == {State.IDLE: 1}


def test_an_ignored_scene_that_is_gone_from_stash_is_taken_back_and_stays_ignored(house):
    ids = house.in_step(2)
    key = house.key_of(ids[0])
    ignore_scenes(house.store, ids[:1], house.clock)
    house.stash_sim.destroy_scene(ids[0])
    undo(house, ids[0])
    house.work()
    assert house.plex_sim.item(key).scalars["title"] == "file 0"
    assert house.states() == {State.IGNORED: 1, State.IDLE: 1}
    assert house.books_balance()


def test_the_history_calls_an_undo_by_its_name(house):
    ids = house.in_step(2)
    undo(house, ids[0])
    undo(house, ids[1], how="release")
    house.work()
    with house.store.reading() as db:
        assert [push.undone for push in db.pushes.of(Kind.SCENE, ids[0])] == ["undo", ""]
        assert [push.undone for push in db.pushes.of(Kind.SCENE, ids[1])] == ["release", ""]
        assert db.memories.healthy_locks(5) == [], "a lock that was given back is no canary"


def test_a_preview_tells_what_will_be_done_and_does_nothing(house):
    ids = house.in_step(2)
    house.plex_sim.hand_edit(house.key_of(ids[1]), title="By hand")
    house.forget_requests()
    before = house.rows("select subject, item, document from memory")
    worker = house.worker
    seen = list(preview(worker.inspector, [*ids, 99], TakenBack.UNDO))
    assert [inspection.id for inspection in seen] == ids
    promised = [target.plan.edit for inspection in seen for target in inspection.targets]
    assert set(promised[0]) == {"title", "studio", "genre", "collection"}
    assert set(promised[1]) == {"studio", "genre", "collection"}
    assert house.plex_sim.count("PUT") == 0
    assert house.rows("select subject, item, document from memory") == before


# --- scenes that are gone --------------------------------------------------------------------------------------------


def test_what_was_pushed_for_a_deleted_scene_stays_unless_undone(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.stash_sim.destroy_scene(id)
    house.want(id)
    house.work()
    assert house.plex_sim.item(key).scalars["title"] == "Title 0"
    undo(house, id)
    house.work()
    assert house.plex_sim.item(key).scalars["title"] == "file 0"
    assert house.plex_sim.item(key).locks == frozenset()
    assert house.states() == {State.GONE: 1}


def test_a_deleted_scene_is_taken_back_where_that_is_wanted(tmp_path):
    with House(tmp_path / "data", undo_gone=True) as house:
        ids = house.in_step(2)
        keys = [house.key_of(id) for id in ids]
        house.plex_sim.hand_edit(keys[0], title="By hand")
        for id in ids:
            house.stash_sim.destroy_scene(id)
        house.want(*ids)
        house.work()
        assert [house.plex_sim.item(key).scalars["title"] for key in keys] == ["By hand", "file 1"]
        assert [house.plex_sim.item(key).locks for key in keys] == [{"title"}, frozenset()]
        assert house.states() == {State.GONE: 2}
        house.forget_requests()
        house.want(*ids)
        house.work()
        assert house.plex_sim.count("PUT") == 0
        with house.store.reading() as db:
            assert [push.undone for push in db.pushes.of(Kind.SCENE, ids[1])] == ["gone", ""]


def test_an_item_that_another_scene_has_by_now_is_not_taken_back(tmp_path):
    with House(tmp_path / "data", undo_gone=True) as house:
        gone, kept = house.in_step(2)
        key = house.key_of(gone)
        house.stash_sim.merge_scenes([gone], kept)
        house.forget_requests()
        house.want(gone)
        house.work()
        assert house.plex_sim.count("PUT") == 0
        house.want(kept)
        house.work()
        assert house.plex_sim.item(key).scalars["title"] == "Title 1"
        undo(house, kept)
        house.work()
        assert house.plex_sim.item(key).scalars["title"] == "file 0"
        assert house.plex_sim.item(key).locks == frozenset()


def test_an_undo_of_a_deleted_scene_is_none_of_the_scene_that_has_its_file_now(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.stash_sim.destroy_scene(id)
    new = house.add_scene(0)
    house.forget_requests()
    undo(house, id)
    house.work()
    house.want(new)
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert house.plex_sim.item(key).scalars["title"] == "Title 0"
    assert house.worker.inspector.look([new])[0].undone == ""


def test_a_deleted_scene_that_comes_back_is_brought_in_step_again(tmp_path):
    """A backup of Stash was put back, and what was taken back only because the scene was gone is wanted again."""
    with House(tmp_path / "data", undo_gone=True) as house:
        (id,) = house.in_step(1)
        data = house.stash_sim.data
        scenes, files = dict(data.scenes), dict(data.files)
        house.stash_sim.destroy_scene(id)
        house.want(id)
        house.work()
        assert house.plex_sim.item(house.plex_sim.keys(house.section)[0]).scalars["title"] == "file 0"
        data.scenes.update(scenes)
        data.files.update(files)
        house.clock.move(60)
        house.want(id)
        house.work()
        assert house.title_in_plex(id) == "Title 0"


def test_the_scenes_of_a_run_and_of_a_while_are_told_from_the_history(house):
    first = house.in_step(2)
    house.clock.move(3600)
    noon = house.clock.now()
    second = house.in_step(2, start=2)
    undo(house, first[0])
    house.work()
    with house.store.reading() as db:
        latest, oldest = db.runs.of(Kind.SCENE)
        assert (db.runs.subjects_in(oldest), db.runs.subjects_in(latest)) == (first, second)
        assert (oldest.subjects, latest.subjects) == (2, 2)
        assert oldest.end < noon <= latest.start
        assert db.pushes.scenes_since(noon) == [first[0], *second]


def test_memory_of_before_there_was_an_undo_is_read(house):
    """Documents of an older PlexSync know nothing of it."""
    (id,) = house.in_step(1)
    key = house.key_of(id)
    store = Database(house.folder / "plexsync.db")
    try:
        with store.reading() as db:
            memory = db.memories.of([id])[id, key]
    finally:
        store.close()
    known = msgspec.to_builtins(memory)
    old = {name: {part: value for part, value in one.items() if part != "undone"} for name, one in known.items()}
    text = encode(old, (id, key)).decode()
    house.change(f"update memory set document = cast('{text}' as blob)")
    undo(house, id)
    house.work()
    assert house.plex_sim.item(key).scalars["title"] == "file 0"
