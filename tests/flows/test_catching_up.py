"""What changed in Plex between scans: found by what is listed since, and never because of our own edits."""

import pytest

from plexsync.flows.scenes.plex_index import CHANGE_PACE
from plexsync.rules.queue.job import Kind, State
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, House, path_of

PACE = CHANGE_PACE / 1000


def wanted(house):
    return {id for (id,) in house.rows("select id from job where state = 'ready'")}


def listings(house):
    return [request for request in house.plex_sim.log if request.path.endswith("/all") and request.method == "GET"]


def look(house, poll=False):
    """A look at Plex (or a whole poll), when a library whose mark has moved may be looked at again."""
    house.clock.move(PACE + 1)
    house.plex_sim.advance(PACE + 1)
    house.forget_requests()
    if poll:
        house.worker.poller.poll()
    else:
        house.worker.indexer.freshen()


@pytest.fixture
def synced(house):
    """Eight scenes in step, both sides known and at rest."""
    house.in_step(8)
    at_rest(house)
    return house


def at_rest(house):
    for _ in range(3):
        look(house, poll=True)
        house.work_until_settled()
    look(house, poll=True)
    assert wanted(house) == set()
    house.forget_requests()


def test_when_nothing_happened_each_side_is_asked_one_thing(synced):
    look(synced, poll=True)
    assert (synced.stash_sim.count(), synced.plex_sim.count()) == (1, 1)
    assert synced.plex_sim.log[0].path == "/library/sections"


def test_edits_of_ours_move_the_mark_and_cause_neither_a_walk_nor_a_want(synced):
    for id in (2, 5):
        synced.edit(id, title=f"Edited {id}")
    synced.work()
    assert synced.out_of_step([2, 5]) == []
    look(synced)
    assert len(listings(synced)) == 2, "what changed since, and how many there are"
    assert wanted(synced) == set()
    for _ in range(5):
        look(synced)
        assert listings(synced) == []


def test_an_edit_by_hand_wants_its_scene_alone(synced):
    synced.plex_sim.advance(5)
    synced.plex_sim.hand_edit(synced.key_of(4), locked=False, title="By the agent")
    synced.edit(6, title="Ours, later")
    synced.work()
    look(synced)
    assert wanted(synced) == {4}
    assert synced.rows("select lane from job where id = 4") == [(1,)]
    synced.work()
    assert synced.title_in_plex(4) == "Title 3"
    for _ in range(3):
        look(synced)
        assert wanted(synced) == set()


def test_what_a_person_keeps_is_looked_at_once_and_left_alone(synced):
    synced.plex_sim.advance(5)
    synced.plex_sim.hand_edit(synced.key_of(4), title="By hand")
    look(synced)
    assert wanted(synced) == {4}
    synced.work()
    for _ in range(3):
        look(synced)
        assert wanted(synced) == set()
    assert synced.title_in_plex(4) == "By hand"


def test_a_scene_that_was_found_in_step_and_never_pushed_is_known_by_the_comparison(house):
    house.in_step(3)
    house.change("delete from memory")
    house.change("delete from job")
    house.worker.reconciler.reconcile()
    house.plex_sim.advance(5)
    house.plex_sim.hand_edit(house.key_of(2), locked=False, title="By the agent")
    house.clock.move(PACE + 1)
    house.worker.indexer.freshen()
    assert wanted(house) == {2}


def test_an_item_that_is_gone_is_found_by_how_many_there_are_and_wants_its_scene(synced):
    synced.plex_sim.remove(synced.key_of(3))
    look(synced)
    assert wanted(synced) == {3}
    synced.work()
    assert synced.row(3).state is State.ABSENT


def test_an_item_that_was_added_anew_wants_its_scene(synced):
    synced.plex_sim.advance(5)
    new = synced.plex_sim.readd(synced.key_of(3))
    look(synced)
    assert wanted(synced) == {3}
    synced.work()
    assert synced.plex_sim.item(new).scalars["title"] == "Title 2"


def test_an_item_that_is_new_wakes_who_waits_for_it(synced):
    (id,) = synced.add(start=8, in_plex=False)
    synced.want(id)
    synced.work()
    assert synced.row(id).state is State.ABSENT
    synced.plex_sim.advance(5)
    synced.plex_sim.add_movie(synced.section, files=[(path_of(8), 1008, 60_000)], title="new")
    look(synced)
    assert synced.row(id).due <= synced.clock.now()
    synced.work()
    assert synced.row(id).state is State.IDLE


def test_a_whole_walk_tells_of_edits_as_well(synced):
    synced.plex_sim.advance(5)
    synced.plex_sim.hand_edit(synced.key_of(4), locked=False, title="By the agent")
    synced.worker.indexer.freshen(force=True)
    assert wanted(synced) == {4}


def test_a_plex_that_tells_no_stamps_is_walked_and_wants_nothing(tmp_path):
    with House(tmp_path / "data") as house:
        house.in_step(3)
        house.change("update library set stamp = 0")
        house.change("update item set stamp = 0")
        house.plex_sim.advance(5)
        house.plex_sim.hand_edit(house.key_of(2), title="By hand")
        house.clock.move(PACE + 1)
        house.forget_requests()
        house.worker.indexer.freshen()
        assert len(listings(house)) == 1
        assert wanted(house) == set()


@pytest.mark.parametrize("status", [400, 500])
def test_a_plex_that_does_not_understand_the_question_is_walked(synced, status):
    synced.plex_sim.faults.set(Fault("status", status=status, when=lambda request: "updatedAt" in request.target))
    synced.plex_sim.advance(5)
    synced.plex_sim.hand_edit(synced.key_of(4), title="By hand")
    look(synced)
    assert wanted(synced) == {4}
    assert synced.worker.indexer.gap() == ""
    assert synced.breaker() == "closed"


def test_scenes_that_stash_does_not_have_any_more_are_left_alone(synced):
    synced.stash_sim.clean_scene(4)
    synced.want(4)
    synced.work()
    synced.clock.move(60)
    assert synced.row(4).state is State.GONE
    synced.plex_sim.advance(5)
    (key,) = [key for (key,) in synced.rows("select item from memory where subject = 4")]
    synced.plex_sim.hand_edit(key, title="By hand")
    look(synced)
    assert wanted(synced) == set()


def test_a_day_of_edits_of_ours_costs_two_listings_for_each_look(synced):
    for n in range(10):
        synced.edit(1 + n % 8, title=f"Edited {n}")
        synced.work()
        look(synced)
        assert len(listings(synced)) <= 2
        assert wanted(synced) == set()
    synced.clock.move(DAY)
    look(synced)
    assert listings(synced) == []
    assert synced.row(1, Kind.SCENE).state is State.IDLE
