"""Stash rebuilt or replaced: the same ids mean other scenes, and nothing that was said of the old ones hits the new ones."""

from random import Random

import pytest

from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.flows.scenes.bindings import bind
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.choices import ACCEPTED, Choice
from plexsync.rules.queue.job import State, Why
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, House, path_of
from tests.engine.test_engine_matching import bind as bound, bound_pairs, movie, title_of, unbind, walk
from tests.flows.test_undo import pictures, reconciled, undo

SCENES = 12


@pytest.fixture
def library(house):
    """Scenes in sync. Scene 3 is bound to an item whose files no scene has, and scene 5 is ignored."""
    ids = house.in_step(SCENES)
    special = movie(house, ("/elsewhere/cut.mp4", 9, 60_000))
    bound(house, 3, special)
    house.work_until_settled()
    assert title_of(house, special) == "Title 2"
    ignore_scenes(house.store, [5], house.clock)
    house.clock.move(HOUR)
    return ids, special


def rebuild(house):
    """Every id means another scene afterwards."""
    for seed in range(100):
        copy = house.stash_sim.data.backup()
        dealt = house.stash_sim.rebuild(Random(seed))
        if all(old != new for old, new in dealt.items()):
            return dealt
        house.stash_sim.restore(copy)
    raise AssertionError("no such deal")


def hold(house):
    with house.store.reading() as db:
        return db.holds.find(Neighbour.STASH)


def accept(house):
    with house.store.writing() as tx:
        tx.notes.save(ACCEPTED + Choice.STASH, str(house.clock.now()))
    house.clock.move(HOUR)
    house.work()


def created_again(house, id, *files, **values):
    """Another scene under the id of one that was there, as after a restore of an older backup."""
    data = house.stash_sim.data
    house.clock.move(60)
    data.remove_scene(data.scenes[id])
    last = data.last_ids["scene"]
    data.last_ids["scene"] = id - 1
    assert house.stash_sim.add_scene(files=list(files), **values) == id
    data.last_ids["scene"] = last
    house.clock.move(60)


# --- another Stash ---------------------------------------------------------------------------------------------------


def test_a_rebuilt_stash_is_a_hold_and_writes_nothing(house, library):
    before = pictures(house)
    rebuild(house)
    house.forget_requests()
    house.want(*range(1, SCENES + 1))
    house.clock.move(2)
    house.work_for(2 * HOUR)
    assert hold(house).choice == Choice.STASH
    assert "plexsync accept stash" in hold(house).message
    assert house.plex_sim.count("PUT") == 0
    assert pictures(house) == before
    assert house.attempts_used() == 0


def test_a_single_edit_in_a_rebuilt_stash_is_enough_to_tell(house, library):
    before = pictures(house)
    rebuild(house)
    house.edit(7, title="Edited")
    house.work_for(HOUR)
    assert hold(house).choice == Choice.STASH
    assert pictures(house) == before


def test_a_comparison_tells_a_rebuilt_stash_and_saves_nothing_of_it(house, library):
    rebuild(house)
    known = house.rows("select * from shown order by scene")
    assert not house.worker.reconciler.try_reconcile()
    assert hold(house).choice == Choice.STASH
    assert house.rows("select * from shown order by scene") == known


def test_when_the_old_stash_is_back_the_hold_ends_by_itself(house, library):
    copy = house.stash_sim.data.backup()
    before = pictures(house)
    rebuild(house)
    house.want(1, 2)
    house.clock.move(2)
    house.work()
    assert hold(house)
    house.stash_sim.restore(copy)
    house.work_for(2 * HOUR, until=lambda: not hold(house))
    house.work_until_settled()
    assert hold(house) is None
    assert pictures(house) == before
    assert reconciled(house).standing == {"in step": SCENES}
    assert house.row(5).state is State.IGNORED


def test_in_an_accepted_stash_the_bound_item_and_the_ignored_scene_wait_for_you(house, library):
    _, special = library
    dealt = rebuild(house)
    house.want(*range(1, SCENES + 1))
    house.clock.move(2)
    house.work()
    accept(house)
    assert hold(house) is None
    assert house.rows("select value from note where name = 'reconcile:last'") == [("",)], "a full comparison is due"
    house.work_until_settled()
    reconciled(house)
    house.work_until_settled()
    assert title_of(house, special) == "Title 2"
    assert house.row(3).cls == "ambiguous"
    assert f"plexsync unbind 3 {special}" in house.row(3).error
    assert house.row(5).cls == "ambiguous"
    assert "plexsync unignore 5" in house.row(5).error
    held = {3, 5}
    assert house.out_of_step(sorted({*range(1, SCENES + 1)} - held)) == []
    assert house.states() == {State.IDLE: SCENES - 2, State.DEAD: 2}
    # The scene that was bound has another id now, and the item of the ignored scene shows its own.
    assert house.title_in_plex(dealt[5]) == "Title 4"
    assert house.books_balance()


def test_an_accepted_stash_is_asked_about_again_when_the_next_one_comes(house, library):
    rebuild(house)
    house.want(1)
    house.clock.move(2)
    house.work()
    accept(house)
    house.work_until_settled()
    reconciled(house)
    house.work_until_settled()
    assert hold(house) is None
    house.clock.move(HOUR)
    rebuild(house)
    house.want(1)
    house.clock.move(2)
    house.work()
    assert hold(house).choice == Choice.STASH


def test_a_restart_of_stash_during_which_it_was_rebuilt_is_told_by_the_probe(house, library):
    house.stash_sim.faults.set(Fault("status", status=503))
    house.want(1)
    house.clock.move(2)
    house.work_for(HOUR)
    assert house.breaker(Neighbour.STASH) != "closed"
    rebuild(house)
    house.stash_sim.faults.clear()
    house.forget_requests()
    house.work_for(HOUR)
    assert hold(house).choice == Choice.STASH
    assert house.plex_sim.count("PUT") == 0


def test_a_rebuilt_stash_with_fewer_scenes_takes_nothing_back(tmp_path):
    """The first scene that is looked at is gone, and what was pushed for those that are gone is to be undone."""
    with House(tmp_path / "data", undo_gone=True) as house:
        ids = house.in_step(SCENES)
        before = pictures(house)
        house.clock.move(HOUR)
        rebuild(house)
        house.stash_sim.data.remove_scene(house.stash_sim.data.scenes[ids[-1]])
        house.want(ids[-1])
        house.clock.move(2)
        house.work()
        assert hold(house).choice == Choice.STASH
        assert pictures(house) == before


# --- single scenes ---------------------------------------------------------------------------------------------------


def test_a_bound_item_is_not_written_with_the_values_of_another_scene(house, library):
    _, special = library
    created_again(house, 3, ("/media/new.mp4", 77, 60.0), title="Another scene")
    shown = pictures(house)[special]
    house.want(3)
    house.work_until_settled()
    assert hold(house) is None
    assert pictures(house)[special] == shown
    assert house.row(3).cls == "ambiguous"
    house.edit(3, title="Edited")
    house.work_until_settled()
    assert pictures(house)[special] == shown
    assert reconciled(house).standing["ambiguous"] == 1


def test_the_scene_of_a_held_binding_is_not_matched_to_something_else(house, library):
    created_again(house, 3, ("/media/new.mp4", 77, 60.0), title="Another scene")
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    house.want(3)
    house.work_until_settled()
    assert title_of(house, own) == "as scanned"
    unbind(house, 3)
    house.work_until_settled()
    assert title_of(house, own) == "Another scene"


def test_binding_again_is_a_remedy_and_takes_the_old_binding_off(house, library):
    _, special = library
    created_again(house, 3, ("/media/new.mp4", 77, 60.0), title="Another scene")
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    house.want(3)
    house.work_until_settled()
    worker = house.worker
    result = bind(worker.store, worker.stash, worker.plex, worker.gates, house.clock, 3, [own])
    assert result.forgotten == (special,)
    house.clock.move(2)
    house.work_until_settled()
    assert bound_pairs(house) == [(3, own)]
    assert title_of(house, own) == "Another scene"
    assert title_of(house, special) == "Title 2"


def test_binding_the_same_item_again_says_that_it_is_meant_for_the_scene_that_is_there_now(house, library):
    _, special = library
    created_again(house, 3, ("/media/new.mp4", 77, 60.0), title="Another scene")
    house.want(3)
    house.work_until_settled()
    worker = house.worker
    result = bind(worker.store, worker.stash, worker.plex, worker.gates, house.clock, 3, [special])
    assert result.forgotten == ()
    house.clock.move(2)
    house.work_until_settled()
    assert (bound_pairs(house), title_of(house, special)) == ([(3, special)], "Another scene")


def test_a_scene_with_new_files_stays_bound_and_so_does_one_scanned_anew(house, library):
    _, special = library
    house.stash_sim.rename_file(path_of(2), "/moved/quite another name.mp4")
    house.edit(3, title="Moved")
    house.work_until_settled()
    assert title_of(house, special) == "Moved"
    # Its file is the last one seen, so that it is known although it was created at another time.
    created_again(house, 3, ("/moved/quite another name.mp4", 1002, 60.0), title="Scanned anew")
    house.want(3)
    house.work_until_settled()
    assert title_of(house, special) == "Scanned anew"


def test_a_scene_with_a_file_of_the_same_name_and_size_elsewhere_is_another_one(house):
    ours, twin = (movie(house, (f"/media/{folder}/twin.mp4", 77, 60_000)) for folder in ("a", "b"))
    id = house.stash_sim.add_scene(title="Ours", files=[("/media/a/twin.mp4", 77, 60.0)])
    house.want(id)
    bound(house, id, ours)
    house.work_until_settled()
    assert title_of(house, ours) == "Ours"
    created_again(house, id, ("/media/b/twin.mp4", 77, 60.0), title="Twin")
    house.want(id)
    house.work_until_settled()
    assert [title_of(house, key) for key in (ours, twin)] == ["Ours", "as scanned"]
    assert "was bound to another scene" in house.row(id).error


def test_a_binding_from_before_learns_its_scene_when_that_is_seen(house, library):
    _, special = library
    house.change("update binding set created_at = '', subject_files = '[]'")
    reconciled(house)
    house.work_until_settled()
    assert house.rows("select subject_files from binding") == [(f'[["{path_of(2)}", 1002]]',)]
    created_again(house, 3, ("/media/new.mp4", 77, 60.0), title="Another scene")
    house.want(3)
    house.work_until_settled()
    assert title_of(house, special) == "Title 2"


def test_another_scene_is_not_ignored_silently_nor_synced_silently(house, library):
    before = pictures(house)
    created_again(house, 5, (path_of(4), 4, 1.0), ("/media/x.mp4", 6, 1.0), title="Same file")
    assert reconciled(house).wanted == 0, "a file in common: it is the same scene"
    created_again(house, 5, ("/media/new.mp4", 77, 60.0), title="Another scene")
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    before = pictures(house)
    house.edit(5, details="edited")
    house.work_until_settled()
    assert house.row(5).state is State.IGNORED
    reconciled(house)
    house.work_until_settled()
    assert house.row(5).cls == "ambiguous"
    house.edit(5, title="Edited")
    house.work_until_settled()
    assert house.row(5).cls == "ambiguous"
    assert pictures(house) == before
    assert house.books_balance()
    assert unignore_scenes(house.store, [5], house.clock) == [5]
    house.clock.move(2)
    house.work_until_settled()
    assert title_of(house, own) == "Edited"


def test_ignoring_it_again_ignores_the_scene_that_is_there_now(house, library):
    created_again(house, 5, ("/media/new.mp4", 77, 60.0), title="Another scene")
    reconciled(house)
    # Also before the worker has seen it.
    assert ignore_scenes(house.store, [5], house.clock) == [5]
    house.work_until_settled()
    reconciled(house)
    house.work_until_settled()
    assert house.row(5).state is State.IGNORED
    assert house.rows("select count(*) from note where name like 'ignored:%'") == [(0,)]


def test_another_scene_under_the_id_of_an_ignored_one_that_is_being_undone_waits_for_you(house):
    one, *_ = house.in_step(3)
    ignore_scenes(house.store, [one], house.clock)
    undo(house, one)
    created_again(house, one, ("/media/new.mp4", 77, 60.0), title="Another scene")
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    walk(house)
    house.work_until_settled()
    assert (house.row(one).cls, title_of(house, own)) == ("ambiguous", "as scanned")


def test_an_undone_mark_rests_only_the_scene_that_was_undone(house):
    one, *_ = house.in_step(3)
    key = house.key_of(one)
    undo(house, one)
    house.work()
    # The same values as the old scene: nothing else tells that it was not undone.
    values = {"title": "Title 0", "studio": "Studio 0", "tags": ["Tag 0"]}
    created_again(house, one, ("/media/new.mp4", 77, 60.0), **values)
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    walk(house)
    shown = pictures(house)[key]
    house.want(one)
    house.work_until_settled()
    assert title_of(house, own) == "Title 0"
    assert pictures(house)[key] == shown


def test_a_take_over_is_not_handed_on_to_another_scene(house):
    one, *_ = house.in_step(3)
    want_scenes(house.store, [one], Why.USER, house.clock, take_over=True)
    created_again(house, one, ("/media/new.mp4", 77, 60.0), title="Another scene", studio="Studio 1")
    own = movie(house, ("/media/new.mp4", 77, 60_000))
    house.plex_sim.hand_edit(own, studio="Other tool", locked=True)
    walk(house)
    house.work_until_settled()
    assert title_of(house, own) == "Another scene"
    assert house.plex_sim.item(own).scalars["studio"] == "Other tool"
    assert house.rows("select count(*) from note where name like 'take-over:%'") == [(0,)]


def test_a_dead_or_dropped_row_of_another_scene_does_not_keep_the_new_one(house):
    dead, dropped, *_ = house.in_step(4)
    house.change(f"update job set state = 'dead', cls = 'poison', desired = '' where id = {dead}")
    house.change(f"update job set state = 'dropped', desired = '' where id = {dropped}")
    keys = {}
    for n, id in enumerate((dead, dropped)):
        created_again(house, id, (f"/media/new {n}.mp4", 77 + n, 60.0), title=f"Another scene {n}")
        keys[id] = movie(house, (f"/media/new {n}.mp4", 77 + n, 60_000))
    reconciled(house)
    house.work_until_settled()
    assert [title_of(house, key) for key in keys.values()] == ["Another scene 0", "Another scene 1"]


def test_a_look_alike_is_not_the_new_scenes_because_the_old_scene_had_written_to_it(house):
    """Another file of the same name and duration: only what was written for the old scene would speak for the item."""
    one, *_ = house.in_step(3)
    key = house.key_of(one)
    shown = pictures(house)[key]
    created_again(house, one, ("/other/scene 00000.mp4", 5, 60.0), title="Another scene")
    for _ in range(2):
        house.want(one)
        house.clock.move(2)
        house.work_until_settled()
        assert pictures(house)[key] == shown
        assert house.row(one).cls == "ambiguous"


def test_ordinary_edits_cost_no_request_more(house):
    ids = house.in_step(8)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    house.want(*ids)
    house.clock.move(2)
    house.forget_requests()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert len(house.stash_sim.log) == 1
