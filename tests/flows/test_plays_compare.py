"""The comparison of plays: what no poll can find is found once a day, and after each kind of restore."""

import pytest

from plexsync.app.further_flows import forget_way_back
from plexsync.engine.undo import wish_undone
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS
from plexsync.rules.queue.note_keys import REPAIRED, STASH_BACK
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, HOUR, House
from tests.engine.pools import Inline
from tests.flows.data_folder import restored, saved
from tests.flows.plays_stage import AT, play


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        yield house


def poll(house):
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.work_until_settled()


def compare(house):
    return house.worker.back.comparison.run_if_due()


def plays(house, *ids):
    return [sorted(house.stash_sim.plays.of(id)) for id in ids]


def queued(house):
    return [id for (id,) in house.rows(f"select id from job where kind = '{PLAYS}' order by id")]


def memory(house):
    return house.rows("select * from play order by scene, moment")


def compared(house, ids):
    """Scenes with a play each, which were compared once."""
    for id in ids:
        play(house, id, AT + id)
    poll(house)
    assert compare(house)
    house.work_until_settled()
    house.forget_requests()
    return ids


def test_in_step_it_queues_nothing_writes_nothing_and_costs_a_request_for_200_scenes(house):
    ids = compared(house, house.in_step(201))
    assert not compare(house), "it is not due"
    assert (house.stash_sim.log, house.plex_sim.log) == ([], [])
    house.clock.move(DAY)
    before = memory(house)
    assert compare(house)
    assert queued(house) == []
    assert memory(house) == before
    assert (len(house.stash_sim.log), len(house.plex_sim.log)) == (1 + 2, 0), "one for the plays that were added last"
    assert len(ids) == 201


@pytest.mark.parametrize("is_undone", [False, True])
def test_a_request_that_the_network_delivers_twice_leaves_one_play_and_none_after_an_undo(house, is_undone):
    (id,) = compared(house, house.in_step(1))
    house.stash_sim.plays.add(id, [AT + id])
    if is_undone:
        assert wish_undone(house.store, house.worker.back.flow, house.clock, [id], "undo").jobs == [id]
    else:
        house.clock.move(DAY)
        assert compare(house)
    house.work_until_settled()
    assert plays(house, id) == [[] if is_undone else [AT + id]]


def test_a_play_that_you_deleted_is_found_within_a_day(house):
    ids = compared(house, house.in_step(3))
    house.stash_sim.plays.delete(ids[0], [AT + ids[0]])
    house.clock.move(DAY)
    before = memory(house)
    assert compare(house)
    assert queued(house) == [ids[0]]
    assert memory(house) == before, "the queued scene is looked at first"
    house.work_until_settled()
    assert house.rows("select scene from play where state = 'deleted'") == [(ids[0],)]
    house.clock.move(DAY)
    assert compare(house)
    assert queued(house) == []


def test_plays_in_plex_whose_scene_is_not_queued_any_more_come(house):
    ids = compared(house, house.in_step(3))
    play(house, ids[1], AT + 500)
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.change(f"delete from job where kind = '{PLAYS}'")
    house.clock.move(DAY)
    assert compare(house)
    assert queued(house) == [ids[1]]
    house.work_until_settled()
    assert plays(house, ids[1]) == [[AT + ids[1], AT + 500]]


def test_plays_of_an_item_without_a_scene_queue_nothing(house):
    compared(house, house.in_step(2))
    key = house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film")
    house.plex_sim.play(key, at=AT)
    poll(house)
    house.clock.move(DAY)
    assert compare(house)
    assert queued(house) == []


def test_a_scene_with_two_items_that_were_played_at_once_is_in_step(house):
    (id,) = house.in_step()
    twin = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
    key = house.plex_sim.add_movie(twin, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    house.plex_sim.play(key, at=AT + id)
    compared(house, [id])
    house.clock.move(DAY)
    assert compare(house)
    assert queued(house) == []


def test_it_is_due_after_a_restore_and_a_repair_of_the_database(house):
    ids = compared(house, house.in_step(3))
    restored(house, saved(house))
    assert compare(house)
    assert not compare(house)
    with house.store.writing() as tx:
        tx.notes.save(REPAIRED, str(house.clock.now()))
    assert compare(house)
    assert not compare(house)
    assert plays(house, *ids) == [[AT + id] for id in ids]


def test_it_is_due_after_the_way_back_was_switched_on_again(house):
    compared(house, house.in_step(2))
    forget_way_back(house.worker)
    house.replace_worker()
    assert compare(house)


def test_it_is_due_when_the_clock_was_set_back(house):
    compared(house, house.in_step(2))
    house.clock.move(-3 * HOUR)
    assert compare(house)


@pytest.mark.parametrize("with_evidence", [True, False])
def test_a_restored_stash_is_found_without_any_play(house, with_evidence, caplog):
    *ids, other = house.in_step(4)
    house.worker.poller.poll()
    copy = house.stash_sim.backup()
    if with_evidence:
        house.clock.move(60)
        house.stash_sim.edit_scene(other, title="Edited")
        house.worker.poller.poll()
    compared(house, ids)
    house.stash_sim.restore(copy)
    house.clock.move(60)
    house.worker.poller.poll()
    if not with_evidence:
        assert not compare(house)
        house.clock.move(DAY)
    assert compare(house)
    house.work_until_settled()
    assert plays(house, *ids) == [[AT + id] if with_evidence else [] for id in ids]
    assert ("3 plays that PlexSync added are missing" in caplog.text) is not with_evidence
    with house.store.reading() as db:
        assert db.notes.text(STASH_BACK) == ""


def test_one_that_fails_is_tried_again_after_a_while(house):
    compared(house, house.in_step(2))
    house.clock.move(DAY)
    house.stash_sim.faults.set(Fault("status", status=500))
    assert not compare(house)
    house.stash_sim.faults.clear()
    house.forget_requests()
    assert not compare(house)
    assert house.stash_sim.log == []
    house.work_for(HOUR)
    assert compare(house)


def test_a_scene_that_can_not_be_read_keeps_no_other_one_back(house):
    ids = compared(house, house.in_step(3))
    house.stash_sim.plays.delete(ids[0], [AT + ids[0]])
    house.clock.move(DAY)
    broken = f"findScene(id: {ids[1]})".encode()
    house.stash_sim.faults.set(Fault("status", status=422, when=lambda request: broken in request.body))
    assert compare(house)
    assert queued(house) == [ids[0]]


def test_a_stop_ends_it_after_a_page_and_the_next_one_is_whole(house):
    ids = compared(house, house.in_step(3))
    house.stash_sim.plays.delete(ids[0], [AT + ids[0]])
    house.clock.move(DAY)
    assert not house.worker.back.comparison.run_if_due(lambda: True)
    house.replace_worker()
    assert compare(house)
    house.work_until_settled()
    assert house.rows("select scene from play where state = 'deleted'") == [(ids[0],)]


def test_an_account_that_nobody_has_compares_nothing(tmp_path):
    with House(tmp_path / "data", watch=WatchRules("nobody"), pool=Inline()) as house:
        house.want(*house.add(2))
        house.work_for(60)
        assert not compare(house)
        assert house.stash_sim.plays.of(1) == ()


def test_the_plays_of_a_scene_that_is_in_stash_again_are_not_called_gone(house):
    one, two = house.in_step(2)
    copy = house.stash_sim.backup()
    for id in (one, two):
        house.stash_sim.destroy_scene(id)
        house.want(id, kind=PLAYS)
    house.work_until_settled()
    gone = f"select id from job where kind = '{PLAYS}' and state = 'gone' order by id"
    assert house.rows(gone) == [(one,), (two,)]
    house.stash_sim.restore(copy)
    house.stash_sim.destroy_scene(two)
    house.clock.move(2 * DAY)
    assert compare(house)
    house.work_until_settled()
    assert house.rows(gone) == [(two,)], "this one is"
