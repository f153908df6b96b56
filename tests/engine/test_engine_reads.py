"""When reading fails: a part of Plex, one library, one item, everything. No outage of reads is blamed on a scene."""

import pytest

from plexsync.engine.engine import Idle
from plexsync.engine.evidence import Evidence
from plexsync.engine.tickets import WRITE_PLEX
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, HOUR

PLEX, STASH = Neighbour.PLEX, Neighbour.STASH


def details(request):
    return request.method == "GET" and request.path.startswith("/library/metadata/")


def listing_of(section):
    return lambda request: request.path == f"/library/sections/{section}/all"


def edited(house, ids):
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"New {id}")
        house.want(id)
    house.clock.move(2)


@pytest.mark.parametrize(("count", "status"), [(1, 500), (5, 400), (20, 500)])
def test_items_that_can_not_be_read_while_lists_and_writes_go_well_are_nobodys_fault(house, count, status):
    ids = house.in_step(count + 3)[:count]
    edited(house, ids)
    house.plex_sim.faults.set(Fault("status", status=status, when=details))
    house.work_for(2 * DAY)
    assert house.states() == {State.IDLE: 3, State.READY: count}
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_the_breaker_opens_though_the_list_of_libraries_is_told(house):
    ids = house.in_step(6)
    house.want(house.add_scene(50))
    edited(house, ids)
    house.plex_sim.faults.set(Fault("status", status=500, when=details))
    house.forget_requests()
    house.work_for(120)
    assert house.rows("select count(*) from transition where new = 'open'")[0][0] >= 1
    assert house.plex_sim.count() < 60
    assert house.breaker() != "closed"


def test_an_open_breaker_is_closed_by_an_item_that_can_be_read_not_by_a_list(house):
    ids = house.in_step(6)
    edited(house, ids)
    house.plex_sim.faults.set(Fault("status", status=500, when=details))
    house.work_for(6 * HOUR)
    opened = house.rows("select count(*) from transition where new = 'closed'")
    assert opened == [(0,)]
    house.plex_sim.faults.clear()
    house.work_for(400)
    assert house.breaker() == "closed"
    assert house.out_of_step(ids) == []


def test_one_item_that_can_never_be_read_ends_alone_among_the_dead(house):
    ids = house.in_step(6)
    key = house.key_of(ids[0])
    edited(house, ids)
    house.plex_sim.faults.set(
        Fault("status", status=500, when=lambda r: details(r) and key in r.path.rsplit("/", 1)[-1].split(","))
    )
    house.work_for(2 * DAY)
    assert house.row(ids[0]).state is State.DEAD
    assert house.out_of_step(ids[1:]) == []


def test_one_item_that_plex_refuses_to_tell_of_is_given_up_and_the_others_are_not(house):
    ids = house.in_step(6)
    key = house.key_of(ids[0])
    edited(house, ids)
    house.plex_sim.faults.set(
        Fault("status", status=400, when=lambda r: details(r) and key in r.path.rsplit("/", 1)[-1].split(","))
    )
    house.work_for(HOUR)
    assert (house.row(ids[0]).state, house.row(ids[0]).cls) == (State.DEAD, "refused")
    assert house.out_of_step(ids[1:]) == []


@pytest.mark.parametrize("count", [1, 30])
def test_something_else_at_the_address_of_stash_kills_nobody(house, count):
    house.in_step(1, start=900)
    ids = house.add(count)
    house.want(*ids)
    house.stash_sim.faults.set(Fault("status", status=405))
    house.work_for(6 * HOUR)
    assert State.DEAD not in house.states()
    assert house.attempts_used() == 0
    house.stash_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_library_that_can_not_be_listed_keeps_the_others_from_nothing(house, known):
    ids = house.in_step(10)
    other = house.plex_sim.add_section("Clips", locations=("/clips",))
    house.plex_sim.add_movie(other, files=[("/clips/a.mp4", 5, 60_000)], title="a")
    if known:
        house.clock.move(3)
        house.worker.indexer.freshen()
    house.plex_sim.faults.set(Fault("status", status=500, when=listing_of(other)))
    if known:
        house.plex_sim.scan(other)
        house.plex_sim.finish_scan(other)
    absent = house.add_scene(50)
    house.want(absent)
    edited(house, ids)
    house.work_for(HOUR)
    assert house.out_of_step(ids) == []
    row = house.row(absent)
    assert (row.state, row.attempts) == (State.READY, 0)
    assert "Clips" in row.error
    house.work_for(DAY)
    assert house.row(absent).state is State.READY
    assert house.worker.reconciler.try_reconcile()


def test_while_a_library_was_never_listed_no_look_alike_elsewhere_is_written_to(house):
    house.in_step(1)
    other = house.plex_sim.add_section("Clips", locations=("/clips",))
    look_alike = house.plex_sim.add_movie(house.section, files=[("/media/copy/x.mp4", 7, 60_000)], title="a copy")
    own = house.plex_sim.add_movie(other, files=[("/clips/x.mp4", 7, 60_000)], title="the one")
    house.plex_sim.faults.set(Fault("status", status=500, when=listing_of(other)))
    id = house.stash_sim.add_scene(title="X", files=[("/clips/x.mp4", 7, 60.0)])
    house.want(id)
    house.clock.move(400)
    house.work_for(HOUR)
    assert house.plex_sim.item(look_alike).scalars["title"] == "a copy"
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.plex_sim.item(look_alike).scalars["title"] == "a copy"
    assert house.plex_sim.item(own).scalars["title"] == "X"


@pytest.mark.parametrize("wait", [0, -5, "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_server_that_refuses_and_says_at_once_is_not_asked_without_end(house, wait):
    ids = house.in_step(2)
    edited(house, ids)
    house.plex_sim.faults.set(Fault("status", status=429, retry_after=wait))
    house.forget_requests()
    steps = house.work()
    assert isinstance(steps[-1], Idle)
    assert house.plex_sim.count() == 1
    house.work_for(60)
    assert house.plex_sim.count() <= 61


def test_a_hold_that_came_of_a_write_is_ended_by_a_write_alone(house):
    ids = house.in_step(20)
    edited(house, ids)
    house.plex_sim.faults.set(Fault("status", status=403, when=lambda r: r.method == "PUT"))
    house.forget_requests()
    house.work_for(HOUR)
    assert house.rows("select new from transition where who = 'plex'") == [("hold",)]
    assert house.plex_sim.count("PUT") < 25
    house.plex_sim.faults.clear()
    house.work_for(400)
    assert house.out_of_step(ids) == []


def test_the_canary_puts_no_lock_back_that_a_person_has_taken_off(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, locked=False, title="by hand")
    house.forget_requests()
    evidence = Evidence(house.store, house.worker.gates)
    assert evidence.try_canaries(house.worker.scenes, WRITE_PLEX, 3) is None
    assert house.plex_sim.count("PUT") == 0
