"""A second flow in the same queue, of which no line of the engine knows: it writes to Stash, and is worked as scenes are."""

import json

import pytest

from plexsync.engine import dead_letters
from plexsync.engine.engine import Idle, Worked
from plexsync.engine.undo import wish_undone
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, KEY, House, fails
from tests.engine.toy_flow import StampFlow

STAMP = "stamp"


@pytest.fixture
def pair(tmp_path):
    """Scenes and stamps in one house."""
    made = []

    def flows(worker):
        made.append(StampFlow(worker, house, KEY))
        return [made[-1]]

    house = House.__new__(House)
    try:
        house.__init__(tmp_path / "data", flows=flows, parallel=1)
        house.stamps = lambda: made[-1]
        with house:
            yield house
    finally:
        for flow in made:
            flow.close()


def want(house, *ids, kind=STAMP, why=Why.EDIT):
    house.want(*ids, kind=kind, why=why)
    house.clock.move(3)


def code(house, id):
    return house.stash_sim.scene(id).code


def studio(house, id):
    return house.stash_sim.scene(id).studio


def stamped(house, count=4):
    ids = house.add(count)
    want(house, *ids)
    house.work_until_settled()
    assert [code(house, id) for id in ids] == [studio(house, id) for id in ids]
    house.clock.move(60)
    house.forget_requests()
    return ids


def is_write(request, id=None):
    if b"sceneUpdate" not in request.body:
        return False
    return id is None or json.loads(request.body)["variables"]["input"]["id"] == str(id)


def refuse_writes(house, *, status=500, id=None):
    house.stash_sim.faults.set(Fault("status", status=status, when=lambda request: is_write(request, id)))


def kinds(steps):
    return [{kind for kind, _ in step.ended} for step in steps if isinstance(step, Worked)]


def test_two_flows_are_worked_from_one_queue_each_batch_of_one_of_them(pair):
    ids = pair.add(3)
    pair.want(*ids)
    want(pair, *ids)
    steps = pair.work()
    assert all(len(batch) == 1 for batch in kinds(steps))
    assert pair.out_of_step(ids) == []
    assert [code(pair, id) for id in ids] == [studio(pair, id) for id in ids]
    assert pair.row(ids[0], STAMP).state is State.IDLE
    assert pair.books_balance()


def test_while_both_have_work_neither_waits_for_the_other_to_end(pair):
    pair.replace_worker(batch=2)
    ids = pair.add(6)
    pair.want(*ids)
    want(pair, *ids)
    turns = [batch.pop() for batch in kinds(pair.work())]
    assert turns == [Kind.SCENE, STAMP] * 3


def test_a_changed_studio_is_a_wish_of_every_flow_that_it_concerns(pair):
    ids = pair.in_step(4)
    want(pair, *ids)
    pair.work_until_settled()
    number = pair.stash_sim.data.studio_named("Studio 1").id
    pair.stash_sim.rename_studio("Studio 1", "Renamed")
    want(pair, number, kind=Kind.STUDIO)
    pair.work()
    pair.clock.move(3)
    pair.work()
    assert code(pair, ids[1]) == "Renamed"
    assert pair.out_of_step(ids) == []
    with pair.store.reading() as db:
        assert db.jobs.find(Kind.STUDIO, number) is None, "a notice is no work of its own"


def test_a_write_that_stash_refuses_is_a_dead_letter_that_a_retry_brings_back(pair):
    ids = stamped(pair)
    refuse_writes(pair, status=400, id=ids[0])
    pair.stash_sim.edit_scene(ids[0], studio="Another")
    want(pair, ids[0])
    pair.work()
    assert (pair.row(ids[0], STAMP).state, pair.row(ids[0], STAMP).cls) == (State.DEAD, "refused")
    pair.stash_sim.faults.clear()
    assert dead_letters.retry(pair.store, pair.clock, [(STAMP, ids[0])]) == (1, [])
    pair.work()
    assert code(pair, ids[0]) == "Another"
    assert pair.books_balance()


def test_one_that_always_fails_dies_by_its_attempts_when_canaries_are_well(pair):
    ids = stamped(pair)
    refuse_writes(pair, id=ids[0])
    pair.stash_sim.edit_scene(ids[0], studio="Never")
    want(pair, ids[0])
    pair.work_for(DAY)
    row = pair.row(ids[0], STAMP)
    assert (row.state, row.attempts, row.cls) == (State.DEAD, 6, "unavailable")
    writes = [request for request in pair.stash_sim.log if is_write(request)]
    own = [request for request in writes if is_write(request, ids[0])]
    assert (len(own), len(writes) - len(own)) == (2 + 6, 3 * 6)
    assert pair.rows("select count(*) from transition where new = 'open'") == [(0,)]


def test_a_stash_that_takes_no_writes_keeps_the_stamps_waiting_and_nothing_else(pair):
    ids = stamped(pair)
    pair.want(*ids)
    refuse_writes(pair)
    for id in ids:
        pair.stash_sim.edit_scene(id, studio="In the end")
    want(pair, *ids)
    pair.work_for(3600)
    assert pair.breaker("stash:write") != "closed"
    assert (pair.breaker(Neighbour.STASH), pair.breaker(Neighbour.PLEX)) == ("closed", "closed")
    assert pair.out_of_step(ids) == []
    assert {pair.row(id, STAMP).state for id in ids} == {State.READY}
    assert pair.attempts_used() == 0

    pair.stash_sim.faults.clear()
    pair.work_until_settled()
    assert {code(pair, id) for id in ids} == {"In the end"}
    assert pair.breaker("stash:write") == "closed"


def test_a_plex_that_is_away_keeps_the_scenes_waiting_and_no_stamp(pair):
    ids = pair.add(3)
    pair.plex_sim.faults.set(Fault("refuse"))
    pair.want(*ids)
    want(pair, *ids)
    pair.work_for(60)
    assert [code(pair, id) for id in ids] == [studio(pair, id) for id in ids]
    assert {pair.row(id).state for id in ids} == {State.READY}
    pair.plex_sim.faults.clear()
    pair.work_until_settled()
    assert pair.out_of_step(ids) == []


def test_what_was_written_is_taken_back_and_stays_so_until_it_changes(pair):
    ids = pair.add(2)
    pair.stash_sim.quiet_edit(ids[0], code="by hand")
    want(pair, *ids)
    pair.work()
    marked = wish_undone(pair.store, pair.stamps(), pair.clock, [ids[0], 99], "undo")
    assert (marked.jobs, marked.untouched) == ([ids[0]], [99])
    pair.clock.move(3)
    pair.work()
    assert (code(pair, ids[0]), code(pair, ids[1])) == ("by hand", studio(pair, ids[1]))
    want(pair, ids[0])
    pair.work()
    assert code(pair, ids[0]) == "by hand"
    pair.stash_sim.edit_scene(ids[0], studio="Another")
    want(pair, ids[0])
    pair.work()
    assert code(pair, ids[0]) == "Another"


def test_a_stamp_whose_scene_is_gone_is_forgotten_with_its_row(pair):
    (id, *_) = stamped(pair)
    pair.stash_sim.destroy_scene(id)
    want(pair, id)
    pair.work()
    assert pair.row(id, STAMP).state is State.GONE
    pair.worker.engine.prune()
    for _ in range(32):
        pair.clock.move(DAY)
        pair.worker.engine.prune()
    assert pair.rows(f"select count(*) from job where kind = 'stamp' and id = {id}") == [(0,)]
    assert pair.rows(f"select value from note where name = 'stamp:{id}'") in ([], [("",)])


def test_a_kind_without_a_flow_rests_unclaimed_and_keeps_nobody_from_resting(house):
    ids = house.add(2)
    house.want(*ids)
    want(house, 7, kind="concerts")
    steps = house.work()
    assert steps[-1] == Idle(None)
    assert (house.row(7, "concerts").state, house.row(7, "concerts").attempts) == (State.READY, 0)
    assert house.out_of_step(ids) == []


def test_only_scenes_are_counted_as_in_sync(pair):
    ids = stamped(pair, 3)
    pair.want(*ids)
    pair.work()
    with pair.store.reading() as db:
        assert db.jobs.count_states()[State.IDLE] == 3
    pair.plex_sim.faults.set(fails("GET"))
    want(pair, *ids)
    with pair.store.reading() as db:
        assert db.jobs.count_states()[State.IDLE] == 3
