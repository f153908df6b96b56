"""From a wish to the right item: what a person has bound, and files that were moved, renamed, remuxed, merged or added."""

import pytest

from plexsync.flows.scenes import bindings
from plexsync.flows.scenes.dead_letter_cures import Curer
from plexsync.flows.scenes.verbs import explain, status_in
from plexsync.rules.match.match_records import Binding
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.rules.words.status_words import SceneStatus
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, House, path_of
from tests.flows.test_forgetting import prune


def bind(house, scene, *keys):
    """And the time in which a wish rests."""
    worker = house.worker
    bound = bindings.bind(worker.store, worker.stash, worker.plex, worker.gates, house.clock, scene, keys)
    house.clock.move(2)
    return bound


def unbind(house, scene, key=""):
    count = bindings.unbind(house.store, house.clock, scene, key)
    house.clock.move(2)
    return count


def title_of(house, key):
    return house.plex_sim.item(key).scalars.get("title")


def bound_pairs(house):
    with house.store.reading() as db:
        return [(one.scene, one.key) for one in db.bindings.all()]


def movie(house, *files, title="as scanned", section="", **fields):
    return house.plex_sim.add_movie(section or house.section, files=list(files), title=title, **fields)


def recheck(house):
    curer = Curer(house.worker.inspector, {})
    return curer.recheck()


def shared_file(house):
    """Two scenes far apart with one file, and the item of it."""
    ids = house.add(120)
    return ids[3], house.add_scene(3, title="Twin"), house.key_of(ids[3])


def test_two_scenes_of_a_batch_that_lead_to_one_item_need_you_before_the_first_write(house):
    (id,) = house.add(1)
    twin = house.add_scene(0, title="Twin")
    house.want(id, twin)
    house.work_until_settled()
    assert (house.row(id).cls, house.row(twin).cls) == ("ambiguous", "ambiguous")
    assert house.row(id).error.startswith(f"two scenes in Stash have this file, this one and scene {twin}")
    assert title_of(house, house.key_of(id)) == "file 0"
    # One that is looked at alone is not taken either, until the other one is gone.
    house.want(id)
    house.work_until_settled()
    assert (house.row(id).state, title_of(house, house.key_of(id))) == (State.DEAD, "file 0")
    house.stash_sim.destroy_scene(twin)
    house.want(id)
    house.work_until_settled()
    assert (house.row(id).state, title_of(house, house.key_of(id))) == (State.IDLE, "Title 0")


@pytest.mark.parametrize("reverse", [False, True])
def test_two_scenes_that_a_comparison_led_to_one_item_need_you_in_whatever_batch_they_are(house, reverse):
    id, twin, key = shared_file(house)
    house.worker.reconciler.reconcile()
    for one in (twin, id) if reverse else (id, twin):
        house.want(one)
        house.clock.move(3)
        house.work_until_settled()
        assert (house.row(one).cls, title_of(house, key)) == ("ambiguous", "file 3")
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    assert title_of(house, key) == "file 3"


def test_two_folders_of_stash_that_lead_to_one_of_plex_need_you_for_files_of_one_name(tmp_path):
    rules = (("/one", "/media"), ("/two", "/media"))
    with House(tmp_path / "data", paths=rules) as house:
        key = movie(house, ("/media/x.mp4", 10, 60_000))
        ids = [house.stash_sim.add_scene(title=top, files=[(f"/{top}/x.mp4", 10, 60.0)]) for top in ("one", "two")]
        house.want(*ids)
        house.work_until_settled()
        assert [house.row(id).cls for id in ids] == ["ambiguous", "ambiguous"]
        assert title_of(house, key) == "as scanned"
        other = house.stash_sim.add_scene(title="other", files=[("/two/y.mp4", 11, 60.0)])
        movie(house, ("/media/y.mp4", 10, 90_000))
        walk(house)
        (step, *_) = explain(house.worker.glances, other).inspection.steps
        assert "has the full path /media/y.mp4, but path rules lead several folders" in step.text


def walk(house):
    house.worker.indexer.freshen(force=True)


@pytest.fixture
def twins(house):
    """A scene, and two items that it can't tell apart: all that the scene has is a name and a size."""
    keys = [movie(house, (f"/media/{folder}/twin.mp4", 77, 60_000)) for folder in ("a", "b")]
    id = house.stash_sim.add_scene(title="Twin", files=[("/stash/twin.mp4", 77, 60.0)])
    house.want(id)
    house.work()
    assert house.row(id).cls == "ambiguous"
    return id, keys


def test_a_look_alike_that_has_left_plex_since_it_was_listed_stands_in_nobodys_way(house, twins):
    id, keys = twins
    house.plex_sim.remove(keys[1])
    settled(house, id)
    assert house.row(id).state is State.IDLE
    assert title_of(house, keys[0]) == "Twin"


def test_a_look_alike_that_got_another_file_since_it_was_listed_stands_in_nobodys_way(house, twins):
    id, keys = twins
    house.plex_sim.rename_file(keys[0], "/media/a/twin.mp4", "/media/a/other.mp4")
    settled(house, id)
    assert house.row(id).state is State.IDLE
    assert title_of(house, keys[1]) == "Twin"
    assert title_of(house, keys[0]) == "as scanned"


# --- bound by hand ---------------------------------------------------------------------------------------------------


def test_binding_settles_an_ambiguous_scene_for_good(house, twins):
    id, (one, other) = twins
    bound = bind(house, id, other)
    assert [(item.key, title) for item, title in bound.items] == [(other, "Movies")]
    house.work()
    assert house.row(id).state is State.IDLE
    assert (title_of(house, one), title_of(house, other)) == ("as scanned", "Twin")
    house.stash_sim.rename_file("/stash/twin.mp4", "/stash/quite another name.mp4")
    house.edit(id, title="Later")
    house.work()
    assert title_of(house, other) == "Later"


def test_a_plex_that_refuses_to_list_its_libraries_is_away_for_who_binds(house, twins):
    id, (_, other) = twins
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.path == "/library/sections"))
    with pytest.raises(Unavailable, match="refuses the request"):
        bind(house, id, other)
    assert bound_pairs(house) == []


def test_a_scene_is_written_to_every_item_that_is_bound_to_it(house, twins):
    id, keys = twins
    for key in keys:
        bind(house, id, key)
    house.work()
    assert [title_of(house, key) for key in keys] == ["Twin", "Twin"]


def test_what_was_bound_while_a_scene_is_worked_counts_at_the_next_look(house):
    (id,) = house.in_step(1)
    right = movie(house, ("/elsewhere/right.mp4", 5, 60_000))
    house.stash_sim.edit_scene(id, title="Edited")
    house.want(id)
    house.clock.move(2)
    inspector, looked = house.worker.inspector, []
    look = inspector.look

    def meanwhile(ids):
        inspections = look(ids)
        if not looked:
            # The look is over and nothing is written yet.
            looked.append(ids)
            bind(house, id, right)
        return inspections

    inspector.look = meanwhile
    house.work_until_settled()
    assert title_of(house, right) == "Edited"
    assert house.row(id).state is State.IDLE
    assert house.books_balance()


def test_a_bound_item_that_is_gone_is_said_so_and_no_look_alike_is_taken(house, twins):
    id, (one, other) = twins
    bind(house, id, other)
    house.work()
    house.plex_sim.remove(other)
    house.forget_requests()
    house.edit(id, title="Later")
    house.work()
    row = house.row(id)
    assert (row.state, row.cls) == (State.DEAD, "ambiguous")
    assert f"item {other} is not in Plex (any more)" in row.error
    assert f"plexsync bind {id} ITEM" in row.error
    assert f"plexsync unbind {id} {other}" in row.error
    assert "\n" not in row.error
    assert house.plex_sim.count("PUT") == 0
    assert title_of(house, one) == "as scanned"


def test_one_of_two_bound_items_being_gone_nothing_is_written(house, twins):
    id, keys = twins
    bind(house, id, *keys)
    house.work()
    house.plex_sim.remove(keys[0])
    house.edit(id, title="Later")
    house.work()
    assert house.row(id).state is State.DEAD
    assert title_of(house, keys[1]) == "Twin"


def test_binding_again_takes_off_what_is_gone(house, twins):
    id, (one, other) = twins
    bind(house, id, other)
    house.plex_sim.remove(other)
    house.work()
    assert bind(house, id, one).forgotten == (other,)
    house.work()
    assert bound_pairs(house) == [(id, one)]
    assert title_of(house, one) == "Twin"


def test_a_bound_item_that_comes_back_from_the_trash_is_written_to_by_itself(house, twins):
    id, (_, other) = twins
    walk(house)
    recheck(house)
    bind(house, id, other)
    house.work()
    house.plex_sim.trash(other)
    house.edit(id, title="Later")
    house.work()
    assert house.row(id).state is State.DEAD
    house.plex_sim.untrash(other)
    movie(house, ("/media/new.mp4", 1, 1))
    walk(house)
    assert recheck(house) == 1
    house.work_for(60)
    assert title_of(house, other) == "Later"


def test_an_item_with_quite_other_files_under_a_bound_number_is_not_written_to(house, twins):
    id, (_, other) = twins
    bind(house, id, other)
    house.work()
    stranger = movie(house, ("/media/stranger.mp4", 3, 60_000))
    house.plex_sim.swap_files(other, stranger)
    house.plex_sim.clear_log()
    house.edit(id, title="Later")
    house.work()
    assert "has quite other files than when it was bound" in house.row(id).error
    assert house.plex_sim.count("PUT") == 0


def test_a_bound_item_with_the_file_of_its_namesake_is_not_written_to(house, twins):
    """After a restore of Plex's database the number may be that of the other file of this name and size."""
    id, (one, other) = twins
    bind(house, id, other)
    house.work()
    house.plex_sim.swap_files(one, other)
    house.plex_sim.clear_log()
    house.edit(id, title="Later")
    house.work()
    assert "has quite other files than when it was bound" in house.row(id).error
    assert house.plex_sim.count("PUT") == 0


def test_a_bound_item_at_the_place_of_another_scene_is_not_written_to(house, twins):
    id, (_, other) = twins
    bind(house, id, other)
    house.work()
    house.stash_sim.add_scene(title="Another", files=[("/media/c/twin.mp4", 77, 60.0)])
    house.plex_sim.rename_file(other, "/media/b/twin.mp4", "/media/c/twin.mp4")
    house.plex_sim.clear_log()
    house.edit(id, title="Later")
    house.work()
    assert "has quite other files than when it was bound" in house.row(id).error
    assert house.plex_sim.count("PUT") == 0


def test_a_bound_item_whose_file_was_moved_stays_bound_and_is_known_at_its_new_place(house, twins):
    id, (_, other) = twins
    bind(house, id, other)
    house.work()
    house.plex_sim.rename_file(other, "/media/b/twin.mp4", "/media/c/twin.mp4")
    house.edit(id, title="Later")
    house.work()
    assert title_of(house, other) == "Later"
    assert house.rows("select files from binding") == [('["/media/c/twin.mp4"]',)]


def test_an_item_that_is_bound_is_no_other_scenes_any_more(house):
    first, second = house.in_step(2)
    key = house.key_of(first)
    assert bind(house, second, key).looked_again == (first,)
    house.work_until_settled()
    assert title_of(house, key) == house.stash_sim.scene(second).title
    row, way_back = house.row(first), f"plexsync unbind {second} {key}"
    assert (
        row.error == f"its item is bound to another scene, {second}: this one is not shown ({way_back} takes that back)"
    )
    with house.store.reading() as db:
        assert (status_in(db, first), db.jobs.count_dead()) == (SceneStatus.NOT_SHOWN, {})
        assert db.standings.scenes(SceneStatus.NOT_SHOWN, limit=9) == [first]
        assert db.standings.scenes(SceneStatus.DROPPED, limit=9) == []
    report = house.worker.reconciler.reconcile()
    assert (report.wanted, report.standing["elsewhere"]) == (0, 1)
    house.edit(first, title="It rests though it was edited")
    house.work_until_settled()
    assert title_of(house, key) == house.stash_sim.scene(second).title
    assert unbind(house, second) == 1
    recheck(house)
    house.work_until_settled()
    house.edit(first, title="Mine again")
    house.work_until_settled()
    assert title_of(house, key) == "Mine again"


def test_binding_one_of_two_look_alikes_makes_the_other_scene_certain_by_itself(house):
    keys = [movie(house, (f"/media/{folder}/twin.mp4", 77, 60_000)) for folder in ("a", "b")]
    lone = house.stash_sim.add_scene(title="Lone", files=[("/stash/twin.mp4", 77, 60.0)])
    other = house.stash_sim.add_scene(title="Other", files=[("/stash/other name.mp4", 5, 60.0)])
    house.want(lone)
    house.work()
    assert house.row(lone).cls == "ambiguous"
    recheck(house)
    curer = Curer(house.worker.inspector, {})
    assert curer.recheck() == 0
    bind(house, other, keys[0])
    assert curer.recheck() == 1
    house.work_until_settled()
    assert [title_of(house, key) for key in keys] == ["Other", "Lone"]
    house.forget_requests()
    assert curer.recheck() == 0
    assert house.plex_sim.count() == house.stash_sim.count() == 0, "once is enough"


def test_unbinding_lets_a_scene_be_found_by_its_files_again(house):
    (id,) = house.in_step(1)
    wrong = movie(house, ("/elsewhere/wrong.mp4", 5, 60_000))
    bind(house, id, wrong)
    house.work()
    assert unbind(house, id, "999") == 0
    assert unbind(house, id, wrong) == 1
    house.edit(id, title="Right")
    house.work()
    assert (house.title_in_plex(id), title_of(house, wrong)) == ("Right", "Title 0")
    assert unbind(house, id) == 0


def test_an_item_that_was_bound_by_mistake_is_not_remembered_as_the_scenes(house, twins):
    id, (one, other) = twins
    bind(house, id, one)
    house.work()
    assert title_of(house, one) == "Twin"
    unbind(house, id, one)
    house.stash_sim.edit_scene(id, title="Later")
    house.work_until_settled()
    assert house.row(id).cls == "ambiguous"
    assert title_of(house, one) == "Twin"
    bind(house, id, one)
    house.work()
    assert title_of(house, one) == "Later", "it may be bound again"
    unbind(house, id)
    assert bind(house, id, other).forgotten == ()
    house.work()
    assert title_of(house, other) == "Later"


@pytest.mark.parametrize(
    ("scene", "item", "why"),
    [
        (99, "{key}", "Stash has no scene 99"),
        (1, "999", "Plex has no item 999"),
        (1, "{elsewhere}", "is in none of the synced libraries (Movies)"),
        (1, "{collection}", "has no file"),
        (1, "{taken}", "is bound to scene 2: plexsync unbind 2 {taken} takes it off"),
    ],
)
def test_what_can_not_be_bound_is_said_and_nothing_is(tmp_path, scene, item, why):
    with House(tmp_path / "data", libraries=("Movies",)) as house:
        house.add(2)
        names = {"key": house.key_of(1), "taken": house.key_of(2)}
        names["elsewhere"] = movie(house, ("/clips/a.mp4", 1, 1), section=house.plex_sim.add_section("Clips"))
        # The collection is made with the movie, and gets the next number.
        names["collection"] = str(int(movie(house, ("/media/c.mp4", 1, 1), collection=["Set"])) + 1)
        bind(house, 2, names["taken"])
        accepted = house.rows("select accepted from books")
        with pytest.raises(bindings.CantBind) as caught:
            bind(house, scene, names["key"], item.format(**names))
        assert why.format(**names) in str(caught.value)
        assert bound_pairs(house) == [(2, names["taken"])]
        assert house.rows("select accepted from books") == accepted


def test_of_two_who_bind_one_item_at_once_the_first_wins(house):
    first, second = house.add(2)
    key = house.key_of(first)
    with house.store.writing() as tx:
        assert tx.bindings.bind(Binding(first, key, ("/a",), 1))
        assert not tx.bindings.bind(Binding(second, key, ("/b",), 2))
        assert tx.bindings.bind(Binding(first, key, ("/c",), 3))
    with house.store.reading() as db:
        assert db.bindings.all() == [Binding(first, key, ("/c",), 3)]


def test_nothing_is_bound_while_a_side_is_away(house, twins):
    id, (one, _) = twins
    house.plex_sim.faults.set(Fault("refuse"))
    with pytest.raises(Exception, match="refuses connections"):
        bind(house, id, one)
    assert bound_pairs(house) == []
    assert house.breaker(Neighbour.PLEX) == "closed"


def test_a_bound_item_whose_library_is_no_longer_kept_in_step_is_left_alone(house, twins):
    id, (one, _) = twins
    house.plex_sim.add_section("Clips", locations=("/clips",))
    bind(house, id, one)
    house.replace_worker(libraries=("Clips",))
    walk(house)
    house.clock.move(2)
    house.work()
    assert "is in none of the synced libraries" in house.row(id).error
    assert title_of(house, one) == "as scanned"


def test_a_bound_item_of_a_library_that_is_not_synced_any_more_is_nobodys_after_it_was_moved_and_unbound(house, twins):
    id, (one, _) = twins
    house.plex_sim.add_section("Clips", locations=("/clips",))
    bind(house, id, one)
    house.replace_worker(libraries=("Clips",))
    walk(house)
    house.plex_sim.rename_file(one, "/media/a/twin.mp4", "/media/c/twin.mp4")
    house.clock.move(2)
    house.work()
    assert "is in none of the synced libraries" in house.row(id).error
    unbind(house, id)
    house.work()
    assert house.row(id).state is State.ABSENT
    assert title_of(house, one) == "as scanned"


def test_the_bindings_of_a_scene_that_is_long_gone_are_forgotten_with_it(house, twins):
    id, (one, _) = twins
    bind(house, id, one)
    house.work()
    house.stash_sim.destroy_scene(id)
    house.want(id)
    house.clock.move(2)
    house.work()
    assert house.row(id).state is State.GONE
    prune(house)
    assert bound_pairs(house) == []


# --- remuxed ---------------------------------------------------------------------------------------------------------


def test_a_remuxed_file_is_a_candidate_by_its_name_and_duration(house):
    id = house.stash_sim.add_scene(title="Remuxed", files=[("/stash/film.mkv", 900, 1234.56)])
    key = movie(house, ("/media/other folder/film.mkv", 1000, 1_234_620))
    house.want(id)
    house.work()
    assert house.row(id).cls == "ambiguous"
    assert title_of(house, key) == "as scanned"
    bind(house, id, key)
    house.work()
    assert title_of(house, key) == "Remuxed"


def test_a_duration_that_comes_later_makes_an_absent_scene_found(house):
    house.replace_worker(by_duration=True)
    id = house.stash_sim.add_scene(title="Remuxed", files=[("/stash/film.mkv", 900, 1234.56)])
    key = movie(house, ("/media/film.mkv", 1000, 0))
    house.want(id)
    house.work()
    assert house.row(id).state is State.ABSENT
    house.plex_sim.analyzed(key, 1_234_560)
    walk(house)
    house.work_for(HOUR)
    assert title_of(house, key) == "Remuxed"


def test_a_duration_that_the_index_does_not_know_yet_keeps_nobody_from_an_exact_path(house):
    key = movie(house, (path_of(0), 1000, 0))
    id = house.add_scene(0)
    walk(house)
    house.plex_sim.analyzed(key, 60_000)
    house.forget_requests()
    house.want(id)
    house.work()
    assert title_of(house, key) == "Title 0"
    assert house.plex_sim.count("GET", f"/library/sections/{house.section}/all") == 0


# --- merged, split, moved, renamed, added anew -----------------------------------------------------------------------


def settled(house, *ids):
    house.want(*ids)
    house.work_until_settled()


def test_two_scenes_on_one_merged_item_and_both_once_it_is_split(house):
    files = [(path_of(n), 1000 + n, 60_000) for n in (0, 1)]
    merged = movie(house, *files)
    first, second = house.add_scene(0), house.add_scene(1)
    settled(house, first, second)
    assert title_of(house, merged) == "Title 0"
    assert house.row(second).error.startswith("its item is another scene's")
    recheck(house)
    # Split: each file has an item of its own, both with new numbers.
    house.plex_sim.remove(merged)
    keys = [movie(house, file) for file in files]
    walk(house)
    assert recheck(house) == 1
    settled(house, first, second)
    assert [title_of(house, key) for key in keys] == ["Title 0", "Title 1"]


def test_two_items_that_are_merged_under_a_new_number_are_the_first_files_scenes(house):
    first, second = house.in_step(2)
    old = [house.key_of(id) for id in (first, second)]
    for key in old:
        house.plex_sim.remove(key)
    merged = movie(house, (path_of(1), 1001, 60_000), (path_of(0), 1000, 60_000))
    settled(house, first, second)
    assert title_of(house, merged) == "Title 1"
    assert house.row(first).cls == "ambiguous"


def test_several_versions_and_parts_of_a_scenes_files_are_one_item(house):
    parts = [("/media/film cd1.mp4", 5, 60_000), ("/media/film cd2.mp4", 6, 60_000)]
    key = movie(house, parts, ("/media/film 4k.mp4", 7, 120_000))
    id = house.stash_sim.add_scene(
        title="Film", files=[("/media/film 4k.mp4", 7, 120.0), ("/media/film cd2.mp4", 6, 60.0)]
    )
    settled(house, id)
    assert title_of(house, key) == "Film"
    assert house.row(id).state is State.IDLE


@pytest.mark.parametrize("where", ["stash", "plex", "both"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_was_moved_or_renamed_on_either_side_keeps_its_scene(house, where, what):
    ids = house.in_step(2)
    keys = [house.key_of(id) for id in ids]
    for n, key in enumerate(keys):
        old = path_of(n)
        new = old.replace("/media/", "/media/moved/") if what == "folder" else old.replace("scene", "renamed")
        if where != "plex":
            house.stash_sim.rename_file(old, new)
        if where != "stash":
            house.plex_sim.rename_file(key, old, new)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Later {id}")
    walk(house)
    settled(house, *ids)
    told = [title_of(house, key) for key in keys]
    if what == "file" and where != "both":
        # By another name nothing tells that it is the same file; Plex keeps what it has until both agree.
        assert told == ["Title 0", "Title 1"]
        assert {house.row(id).state for id in ids} == {State.ABSENT}
    else:
        assert told == [f"Later {id}" for id in ids]


def test_an_item_that_was_added_anew_is_found_under_its_new_number(house):
    (id,) = house.in_step(1)
    new = house.plex_sim.readd(house.key_of(id))
    house.edit(id, title="Later")
    house.work_until_settled()
    assert title_of(house, new) == "Later"


def test_two_libraries_that_hold_the_same_file_both_show_it(house):
    (id,) = house.add(1)
    clips = house.plex_sim.add_section("Clips", locations=("/media",))
    other = movie(house, (path_of(0), 1000, 60_000), section=clips)
    settled(house, id)
    assert [title_of(house, key) for key in (house.key_of(id), other)] == ["Title 0", "Title 0"]


def test_in_two_libraries_a_moved_file_is_unclear_until_it_is_bound(house):
    clips = house.plex_sim.add_section("Clips", locations=("/media",))
    keys = [movie(house, ("/media/x.mp4", 9, 60_000), section=section) for section in (house.section, clips)]
    id = house.stash_sim.add_scene(title="Both", files=[("/stash/x.mp4", 9, 60.0)])
    settled(house, id)
    assert house.row(id).cls == "ambiguous"
    bind(house, id, *keys)
    house.work_until_settled()
    assert [title_of(house, key) for key in keys] == ["Both", "Both"]


def test_a_want_of_a_sweep_takes_bindings_as_every_look_does(house, twins):
    id, (one, _) = twins
    with house.store.writing() as tx:
        tx.bindings.bind(Binding(id, one, ("/media/a/twin.mp4",), house.clock.now()))
        tx.jobs.want(Kind.SCENE, id, Why.SWEEP, house.clock.now(), desired="another")
    assert house.worker.reconciler.reconcile().standing["differs"] == 1
    house.work_until_settled()
    assert title_of(house, one) == "Twin"
