"""You ask by a command: the servers are asked at once, once, whatever the breaker or the pause after a failure says."""

import pytest

from plexsync.engine.asked_probes import ask_at_once, what_waits, why_closed
from plexsync.engine.tickets import READ_PLEX, READ_STASH, READS, WRITE
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import TOKEN, fails
from tests.engine.test_gates import admit, breaker, fail, trip

PLEX, STASH = Neighbour.PLEX, Neighbour.STASH


def ask(house):
    ask_at_once(house.store, house.worker.gates, house.clock, *READS)


@pytest.mark.parametrize("who", list(Neighbour))
def test_an_open_breaker_is_probed_at_once_and_closes_with_the_answer(house, who):
    house.in_step(2)
    trip(house, Unavailable(who, "it is away"))
    ask(house)
    assert house.breaker(who) == "closed"
    assert why_closed(house.worker.gates, *READS) == ""
    assert house.plex_sim.count("PUT") == 0


def test_one_probe_is_sent_and_counted_however_often_the_breaker_was_asked_before(house):
    house.in_step(2)
    trip(house)
    house.plex_sim.faults.set(Fault("status", status=500))
    trips = breaker(house).trips
    ask(house)
    assert house.plex_sim.count() == 1
    assert (house.breaker(), breaker(house).trips) == ("open", trips + 1)
    assert why_closed(house.worker.gates, *READS).startswith("Plex is down")


def test_open_gates_are_left_alone(house):
    house.in_step(2)
    ask(house)
    assert house.plex_sim.count() == house.stash_sim.count() == 0


def test_the_pause_after_a_failure_ends_with_the_answer(house):
    house.in_step(2)
    fail(house, times=2)
    assert why_closed(house.worker.gates, READ_PLEX)
    ask(house)
    assert why_closed(house.worker.gates, READ_PLEX) == ""
    assert breaker(house).failures == 0


def test_a_probe_in_the_pause_after_a_failure_counts_and_may_open_the_breaker(house):
    house.in_step(2)
    fail(house, times=4)
    house.plex_sim.faults.set(Fault("status", status=500))
    ask(house)
    assert (house.breaker(), house.plex_sim.count()) == ("open", 1)


def test_a_breaker_that_has_just_opened_is_probed_in_its_pause_too(house):
    house.in_step(2)
    fail(house, times=5)
    assert house.breaker() == "open"
    ask(house)
    assert house.breaker() == "closed"
    assert why_closed(house.worker.gates, READ_PLEX) == ""


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_the_server_asked_for_stays(house, status):
    house.in_step(2)
    house.plex_sim.faults.set(Fault("status", status=status, retry_after=100))
    with pytest.raises(Exception, match="Plex"):
        house.worker.gates.ask(READ_PLEX, house.worker.plex.sections)
    house.forget_requests()
    ask(house)
    assert house.plex_sim.count() == 0


def test_a_wait_that_the_server_asked_for_by_its_answer_to_a_probe_stays(house):
    house.in_step(2)
    trip(house)
    house.plex_sim.faults.set(Fault("status", status=429, retry_after=100))
    ask(house)
    ask(house)
    assert house.plex_sim.count() == 1


def test_a_hold_is_tested_at_once(house):
    house.in_step(2)
    house.plex_sim.token = "another"
    with pytest.raises(Exception, match="plex_token"):
        house.worker.gates.ask(READ_PLEX, house.worker.plex.sections)
    ask(house)
    assert why_closed(house.worker.gates, READ_PLEX).startswith("Plex is on hold")
    house.plex_sim.token = TOKEN
    ask(house)
    assert why_closed(house.worker.gates, READ_PLEX) == ""


def test_a_probe_that_is_under_way_is_the_only_one(house):
    house.in_step(2)
    trip(house)
    house.clock.move(63)
    admit(house)
    ask(house)
    assert house.plex_sim.count() == 0


def test_failed_writes_are_tested_by_the_next_job_and_not_by_the_command(house):
    house.in_step(2)
    trip(house, how=WRITE)
    ask(house)
    assert house.plex_sim.count("PUT") == 0
    assert (house.breaker(), breaker(house).failures) == ("closed", 4)
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(1, title="Edited")
    house.work()
    assert (house.breaker(), house.attempts_used()) == ("open", 0)


def test_stash_and_plex_are_each_asked_once(house):
    house.in_step(2)
    for who in Neighbour:
        trip(house, Unavailable(who, "it is away"))
    ask_at_once(house.store, house.worker.gates, house.clock, READ_STASH, *READS)
    assert (house.breaker(PLEX), house.breaker(STASH)) == ("closed", "closed")
    assert why_closed(house.worker.gates, *READS) == ""


def test_a_server_that_has_failed_is_waited_for_before_its_gate_closes(house):
    house.plex_sim.faults.set(Fault("status", status=503))
    house.want(*house.add(1))
    house.step()
    assert why_closed(house.worker.gates, READ_STASH) == ""
    waits = what_waits(house.store, house.worker.gates, *READS)
    assert waits.startswith("Plex ")
    assert "(503)" in waits
    house.plex_sim.faults.clear()
    house.work_for(60)
    assert what_waits(house.store, house.worker.gates, *READS) == ""
