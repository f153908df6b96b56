"""The three gates before each neighbour: breaker, hold and patience, as rows that the whole house shares."""

from dataclasses import replace
from itertools import pairwise

import pytest

from plexsync.engine.engine import Idle, ProbeResult, Worked
from plexsync.engine.server_return import proved_up
from plexsync.engine.tickets import READ, READ_PLEX, READ_STASH, WRITE, WRITE_PLEX, WRITE_STASH, Closed, Gate, Go, Probe
from plexsync.rules.queue.job import State
from plexsync.rules.records import PaceRow
from plexsync.rules.servers.errors import Barred, Missing, Neighbour, Throttled, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import BREAKER, HOUR, TOKEN, House, fails

PLEX, STASH = Neighbour.PLEX, Neighbour.STASH
NEEDS = (READ_PLEX, WRITE_PLEX, READ_STASH)
AWAY = Unavailable(PLEX, "Plex is away")


def admit(house):
    with house.store.writing() as tx:
        return house.worker.gates.admit_batch(tx, NEEDS, house.clock.now())


def breaker(house, who=PLEX):
    with house.store.reading() as db:
        return db.breakers.find(who)


def pace(house, who=PLEX):
    with house.store.reading() as db:
        return db.paces.find(who)


def set_pace(house, who, **values):
    with house.store.writing() as tx:
        tx.paces.save(who, PaceRow(**values))


def report_ill(house, error=AWAY, how=READ, **more):
    """One request fails that began just now."""
    gates = house.worker.gates
    gates.ill(gates.ticket(Gate(error.neighbour, how)), error, **more)


def report_well(house, how=READ):
    gates = house.worker.gates
    gates.well(gates.ticket(Gate(PLEX, how)))


def fail(house, error=AWAY, how=READ, times=1):
    for _ in range(times):
        admit(house)
        report_ill(house, error, how)


def trip(house, error=AWAY, how=READ):
    fail(house, error, how, times=5)
    assert breaker(house, error.neighbour).state == "open"
    house.clock.move(3)


# --- the breaker -----------------------------------------------------------------------------------------------------


def test_a_ticket_is_read_once_and_again_after_a_commit(house):
    gates = house.worker.gates
    first = gates.ticket(READ_PLEX)
    _, transactions = house.store.cost()
    assert gates.ticket(READ_PLEX) is first
    assert house.store.cost()[1] == transactions
    trip(house)
    with house.store.writing() as tx:
        tx.breakers.save(PLEX, replace(tx.breakers.find(PLEX), state="closed", failures=0, generation=7))
    assert gates.ticket(READ_PLEX).generation == 7


def test_four_failures_in_a_row_do_not_open_and_the_fifth_does(house):
    fail(house, times=4)
    assert breaker(house).state == "closed"
    fail(house)
    assert breaker(house).state == "open"
    assert breaker(house).error == "Plex is away"


def test_an_answer_in_between_begins_a_new_count(house):
    fail(house, times=4)
    report_well(house)
    fail(house, times=4)
    assert breaker(house).state == "closed"


def test_that_a_thing_is_not_there_is_a_success_for_the_breaker(house):
    fail(house, times=4)
    fail(house, Missing(PLEX, "404"))
    assert breaker(house).failures == 0


@pytest.mark.parametrize(
    "error", [Throttled(PLEX, "429", retry_after=1), Barred(PLEX, "401", setting="plex_token")], ids=["429", "401"]
)
def test_patience_and_a_refused_token_say_nothing_about_the_breaker(house, error):
    fail(house, times=3)
    fail(house, error, times=5)
    assert breaker(house).failures == 3
    assert breaker(house).state == "closed"


def test_a_failure_that_is_a_jobs_own_is_not_the_breakers(house):
    for _ in range(9):
        report_ill(house, AWAY, WRITE, own=True)
    assert breaker(house).failures == 0


def test_a_read_that_is_answered_does_not_clear_failed_writes(house):
    fail(house, how=WRITE, times=4)
    report_well(house)
    assert breaker(house).failures == 4
    report_well(house, WRITE)
    assert breaker(house).failures == 0


def test_each_neighbour_has_its_own_breaker(house):
    trip(house, Unavailable(STASH, "Stash is away"))
    assert breaker(house, PLEX).state == "closed"
    step = admit(house)
    assert isinstance(step, Closed)
    assert step.reason == "Stash is down: Stash is away"


def test_an_open_breaker_rests_for_a_minute_and_lets_exactly_one_probe_go(house):
    trip(house)
    rest = admit(house)
    assert isinstance(rest, Closed)
    # Half of the jitter of a tenth, by the dice.
    assert rest.until == round(breaker(house).opened_at * 1000) + 63_000
    house.clock.move((rest.until - house.clock.now()) / 1000)
    assert admit(house).gate == READ_PLEX
    assert isinstance(admit(house), Closed)
    assert isinstance(admit(house), Closed)


def test_failed_probes_wait_longer_each_time_up_to_five_minutes(house):
    trip(house)
    waits = []
    for _ in range(6):
        waits.append(round(breaker(house).wait / 1.05))
        house.clock.move(breaker(house).wait)
        house.worker.gates.ill(admit(house).ticket, AWAY)
        house.clock.move(3)
    assert waits == [60, 120, 240, 300, 300, 300]


def test_proof_that_a_server_is_up_makes_its_probe_due_at_most_every_two_seconds(house):
    trip(house, Unavailable(STASH, "Stash is away"))
    probes = []
    for _ in range(60):
        proved_up(house.store, BREAKER, house.clock)
        if isinstance(answer := admit(house), Probe):
            probes.append(house.clock.now())
            house.worker.gates.ill(answer.ticket, Unavailable(STASH, "Stash is away"))
        house.clock.move(0.5)
    assert len(probes) > 5
    assert min(later - earlier for earlier, later in pairwise(probes)) >= 2000
    house.clock.move(3)
    proved_up(house.store, BREAKER, house.clock)
    house.worker.gates.well(admit(house).ticket)
    assert breaker(house, STASH).state == "closed"


def test_no_proof_changes_a_closed_breaker_or_that_of_plex(house):
    trip(house)
    before = breaker(house), breaker(house, STASH)
    proved_up(house.store, BREAKER, house.clock)
    assert (breaker(house), breaker(house, STASH)) == before


def test_a_probe_that_never_reports_frees_its_slot_after_its_lease(house):
    trip(house)
    house.clock.move(63)
    assert isinstance(admit(house), Probe)
    house.clock.move(89)
    assert isinstance(admit(house), Closed)
    house.clock.move(1)
    assert isinstance(admit(house), Probe)


def test_a_late_report_of_a_lost_probe_is_void(house):
    trip(house)
    house.clock.move(63)
    lost = admit(house).ticket
    house.clock.move(90)
    house.replace_worker()
    held = admit(house).ticket
    house.worker.gates.ill(lost, AWAY)
    assert breaker(house).state == "half_open"
    house.worker.gates.well(lost)
    assert breaker(house).state == "half_open"
    house.worker.gates.well(held)
    assert breaker(house).state == "closed"


def test_late_failures_of_requests_sent_before_the_trip_neither_stretch_nor_shorten_the_wait(house):
    early = house.worker.gates.admit(WRITE_PLEX)
    trip(house)
    before = breaker(house)
    house.worker.gates.ill(early, AWAY)
    house.worker.gates.well(early)
    assert (breaker(house).opened_at, breaker(house).wait, breaker(house).state) == (
        before.opened_at,
        before.wait,
        "open",
    )


def test_a_restart_keeps_an_open_breaker_open(house):
    trip(house)
    house.replace_worker()
    assert isinstance(admit(house), Closed)


def test_the_log_of_transitions_tells_outages_with_their_cause(house):
    trip(house)
    house.clock.move(63)
    house.worker.gates.well(admit(house).ticket)
    assert house.rows("select who, old, new, cause from transition order by number") == [
        ("plex", "closed", "open", "read"),
        ("plex", "open", "half_open", "read"),
        ("plex", "half_open", "closed", "read"),
    ]


def test_a_breath_after_a_failed_read_keeps_a_blip_from_opening_the_breaker(house):
    for most in (0.25, 0.5, 1.0, 2.0):
        fail(house)
        wait = (pace(house).not_before - house.clock.now()) / 1000
        assert most / 2 <= wait <= most
        assert isinstance(admit(house), Closed)
        house.clock.move(wait)


def test_a_failed_write_lets_the_next_one_go_at_once(house):
    fail(house, how=WRITE)
    assert isinstance(admit(house), Go)


# --- what a probe ends in --------------------------------------------------------------------------------------------


def probing(house):
    """An outage whose wait is over; the next step is the probe."""
    trip(house)
    house.clock.move(63)
    house.forget_requests()


def test_a_probe_is_two_cheap_requests(house):
    probing(house)
    assert house.step() == ProbeResult(PLEX, well=True)
    assert [request.path for request in house.plex_sim.log] == ["/library/sections", "/"]
    assert house.stash_sim.count() == 0
    assert breaker(house).state == "closed"


def test_a_probe_answered_429_is_asked_again_only_after_that_time(house):
    probing(house)
    house.plex_sim.faults.set(Fault("status", status=429, retry_after=100, times=1))
    assert house.step() == ProbeResult(PLEX, well=False)
    steps = house.work_for(99)
    assert all(isinstance(step, Idle) for step in steps)
    assert house.plex_sim.count() == 1
    house.work_for(2)
    assert breaker(house).state == "closed"
    assert house.plex_sim.count() == 3


def test_a_probe_answered_401_turns_the_outage_into_a_hold(house):
    probing(house)
    house.plex_sim.token = "another"
    assert house.step() == ProbeResult(PLEX, well=False)
    step = house.step()
    assert isinstance(step, Idle)
    assert "plex_token" in step.reason
    house.plex_sim.token = TOKEN
    house.work_for(60)
    house.work()
    assert breaker(house).state == "closed"
    assert house.rows("select * from hold") == []


def test_a_probe_that_a_proxy_answers_404_is_no_plex_and_waits_on(house):
    probing(house)
    house.plex_sim.faults.set(Fault("proxy", status=404))
    assert house.step() == ProbeResult(PLEX, well=False)
    assert breaker(house).state == "open"
    house.plex_sim.faults.clear()
    house.work_for(130)
    assert breaker(house).state == "closed"


def test_a_probe_that_plex_answers_404_closes_the_breaker(house):
    probing(house)
    house.plex_sim.faults.set(Fault("status", status=404))
    assert house.step() == ProbeResult(PLEX, well=True)
    assert breaker(house).state == "closed"


@pytest.mark.parametrize(("kind", "state"), [("status", "closed"), ("proxy", "open")])
def test_a_canary_that_plex_answers_404_closes_the_breaker_and_one_that_a_proxy_answers_does_not(house, kind, state):
    house.in_step(1)
    trip(house, how=WRITE)
    house.clock.move(63)
    house.plex_sim.faults.set(Fault(kind, status=404, when=lambda request: request.method == "PUT"))
    assert house.step() == ProbeResult(PLEX, well=state == "closed")
    assert breaker(house).state == state


def test_a_breaker_tripped_by_writes_is_probed_by_a_write(house):
    house.in_step(1)
    trip(house, how=WRITE)
    house.clock.move(63)
    house.plex_sim.faults.set(fails("PUT"))
    assert house.step() == ProbeResult(PLEX, well=False)
    assert [request.method for request in house.plex_sim.log] == ["GET", "GET", "GET", "PUT"]
    assert breaker(house).state == "open"
    house.plex_sim.faults.clear()
    house.work_for(130)
    assert breaker(house).state == "closed"


def test_with_no_write_of_ours_to_try_the_next_job_is_the_test_and_one_failure_of_it_is_enough(house):
    ids = house.add(3)
    trip(house, how=WRITE)
    house.clock.move(63)
    house.plex_sim.faults.set(fails("PUT"))
    house.want(*ids)
    house.work()
    assert breaker(house).state == "open"
    assert breaker(house).trips == 2
    assert house.plex_sim.count("PUT") == 1
    house.plex_sim.faults.clear()
    house.work_for(130)
    assert breaker(house).state == "closed"
    assert breaker(house).trips == breaker(house).failures == 0
    assert house.out_of_step(ids) == []


# --- recovery --------------------------------------------------------------------------------------------------------


def test_after_an_outage_claims_grow_1_2_4_until_there_is_no_limit(house):
    ids = house.add(150)
    probing(house)
    house.want(*ids)
    house.step()
    sizes = [sum(step.outcomes.values()) for step in house.work() if isinstance(step, Worked)]
    assert sizes == [1, 2, 4, 8, 16, 32, 50, 37]


def test_a_failure_while_recovering_halves_the_pace(house):
    set_pace(house, PLEX, ramp=16)
    fail(house, how=WRITE)
    assert pace(house).ramp == 8
    set_pace(house, PLEX, ramp=1)
    fail(house, how=WRITE)
    assert pace(house).ramp == 1


def test_the_slower_of_two_recovering_neighbours_sets_the_pace(house):
    set_pace(house, PLEX, ramp=2)
    set_pace(house, STASH, ramp=16)
    assert admit(house) == Go(2)
    set_pace(house, PLEX, ramp=0)
    assert admit(house) == Go(16)


def test_a_claim_that_did_not_go_well_does_not_speed_up(house):
    ids = house.add(4)
    set_pace(house, PLEX, ramp=2)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0])))
    house.want(*ids)
    house.step()
    assert pace(house).ramp == 1


# --- patience --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "failures"), [(429, 0), (503, 1)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_who_asks_for_patience_is_left_alone_that_long_and_nobody_is_blamed(house, status, failures, method):
    ids = house.add(5)
    fault = fails(method, status=status, retry_after=300, times=1 if method == "PUT" else 3)
    house.plex_sim.faults.set(fault)
    house.want(*ids)
    house.work()
    assert breaker(house).failures == failures
    house.forget_requests()
    house.work_for(299)
    assert house.plex_sim.count() == house.stash_sim.count() == 0
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_patience_that_stash_asks_for_stops_everyone_too(house):
    ids = house.add(3)
    house.stash_sim.faults.set(Fault("status", status=429, retry_after=60, times=1))
    house.want(*ids)
    house.work_for(59)
    assert house.stash_sim.count() == 1
    house.work_until_settled()
    assert house.out_of_step(ids) == []


@pytest.mark.parametrize("later", [Throttled(PLEX, "429", retry_after=5), AWAY], ids=["less patience", "a failure"])
def test_a_shorter_wait_does_not_cut_a_longer_one_that_was_asked_for(house, later):
    """Several requests are under way at once: what the last of them is told is not the longest."""
    fail(house, Throttled(PLEX, "429", retry_after=300))
    asked_for = pace(house).not_before
    assert asked_for == house.clock.now() + 300_000
    report_ill(house, later)
    assert pace(house).not_before == asked_for
    assert admit(house).until == asked_for


def test_a_longer_wait_prolongs_a_shorter_one(house):
    fail(house, Throttled(PLEX, "429", retry_after=5))
    report_ill(house, Throttled(PLEX, "429", retry_after=300))
    assert admit(house).until == house.clock.now() + 300_000


def test_a_patience_beyond_an_hour_is_an_hour(house):
    set_pace(house, PLEX, not_before=house.clock.now() + 10**10)
    rest = admit(house)
    assert isinstance(rest, Closed)
    assert rest.until == house.clock.now() + 3_600_000


# --- holds -----------------------------------------------------------------------------------------------------------


@pytest.mark.many_steps
@pytest.mark.parametrize("status", [401, 403])
def test_on_hold_nothing_is_asked_but_the_retest_at_growing_intervals(house, status):
    ids = house.add(20)
    house.plex_sim.faults.set(Fault("status", status=status))
    house.want(*ids)
    house.work()
    house.forget_requests()
    tested = [house.clock.now()]
    while len(tested) < 12:
        before = house.plex_sim.count()
        house.work_for(1)
        tested += [house.clock.now()] * (house.plex_sim.count() - before)
    waits = [round((b - a) / 1000) for a, b in pairwise(tested)]
    assert all(wait in (60, 61) for wait in waits[:3])
    assert all(later >= earlier - 1 for earlier, later in pairwise(waits))
    assert all(wait in (300, 301) for wait in waits[-2:])
    assert house.stash_sim.count() == 0
    assert house.attempts_used() == 0
    assert set(house.states()) == {State.READY}
    assert breaker(house).state == "closed"

    house.plex_sim.faults.clear()
    house.work_for(301)
    assert house.out_of_step(ids) == []


def test_a_hold_names_the_setting_and_ends_at_once_when_the_setting_changes(house):
    ids = house.add(3)
    house.plex_sim.token = "renewed-token"
    house.want(*ids)
    step = house.work()[-1]
    assert isinstance(step, Idle)
    assert "plex_token" in step.reason
    assert TOKEN not in step.reason

    house.replace_worker(token="renewed-token", fingerprint="as changed")
    house.work()
    assert house.out_of_step(ids) == []
    assert house.rows("select * from hold") == []


def test_an_outage_during_a_hold_ends_with_it(house):
    ids = house.add(3)
    house.plex_sim.faults.set(Fault("status", status=403))
    house.want(*ids)
    house.work_for(120)
    house.plex_sim.faults.set(Fault("refuse"))
    house.work_for(3 * HOUR)
    assert breaker(house).state != "closed"
    assert house.rows("select who from hold") == [("plex",)]

    house.plex_sim.faults.clear()
    house.work_for(601)
    assert house.out_of_step(ids) == []
    assert (breaker(house).state, house.rows("select who from hold"), house.attempts_used()) == ("closed", [], 0)


def test_a_changed_setting_is_tested_at_once_also_in_an_outage(house):
    ids = house.add(3)
    house.plex_sim.faults.set(Fault("status", status=403))
    house.want(*ids)
    house.work_for(120)
    house.plex_sim.faults.set(Fault("refuse"))
    house.work_for(3 * HOUR)
    house.plex_sim.faults.clear()
    house.replace_worker(fingerprint="as changed")
    house.work()
    assert house.out_of_step(ids) == []


def test_a_changed_setting_that_does_not_help_is_tested_once(house):
    house.plex_sim.token = "renewed-token"
    house.want(*house.add(3))
    house.work()
    house.replace_worker(token="wrong-again", fingerprint="as changed")
    house.forget_requests()
    house.work_for(59)
    assert house.plex_sim.count() == 1


def test_a_library_that_is_missing_is_a_hold_until_it_is_there(tmp_path):
    with House(tmp_path / "data", libraries=("Movies", "Clips")) as house:
        ids = house.add(2)
        house.want(*ids)
        step = house.work()[-1]
        assert isinstance(step, Idle)
        assert "Clips" in step.reason
        assert house.rows("select setting from hold") == [("plex_libraries",)]
        house.plex_sim.add_section("Clips", locations=("/clips",))
        house.work_for(60)
        house.work()
        assert house.out_of_step(ids) == []
        assert house.attempts_used() == 0


def test_stash_refusing_its_key_is_a_hold_of_its_own(house):
    ids = house.add(2)
    house.stash_sim.faults.set(Fault("status", status=401, times=1))
    house.want(*ids)
    step = house.work()[-1]
    assert isinstance(step, Idle)
    assert "stash_api_key" in step.reason
    assert house.plex_sim.count() == 0
    house.work_for(60)
    house.work()
    assert house.out_of_step(ids) == []


def test_a_clock_set_back_does_not_stretch_a_hold(house):
    house.want(*house.add(1))
    house.plex_sim.faults.set(Fault("status", status=401, times=1))
    house.work()
    house.clock.leap(-86_400)
    assert house.step() == ProbeResult(PLEX, well=True)


def test_patience_that_is_over_does_not_come_back_with_a_clock_set_back(house):
    fail(house, Throttled(PLEX, "429", retry_after=60))
    house.clock.move(60)
    assert isinstance(admit(house), Go)
    house.clock.leap(-1800)
    assert isinstance(admit(house), Go)


# --- what is told of it ----------------------------------------------------------------------------------------------


def test_a_breath_after_a_failure_tells_the_failure_and_no_patience_that_was_asked_for(house):
    fail(house, times=2)
    rest = admit(house)
    assert isinstance(rest, Closed)
    assert rest.reason == "Plex does not answer (failure 2 of 5): Plex is away"


def test_patience_that_was_asked_for_is_told_as_that_also_after_failures(house):
    fail(house, times=2)
    fail(house, Throttled(PLEX, "429", retry_after=60))
    rest = admit(house)
    assert isinstance(rest, Closed)
    assert rest.reason == "Plex is throttled"
    assert breaker(house).failures == 2
    house.clock.move(60)
    fail(house)
    assert admit(house).reason == "Plex does not answer (failure 3 of 5): Plex is away"


def test_between_two_failures_nobody_says_that_work_goes_on(house):
    house.want(*house.add(1))
    house.plex_sim.faults.set(Fault("refuse"))
    told = []
    while "down" not in (told or [""])[-1]:
        step = house.step()
        if isinstance(step, Idle):
            told.append(step.reason)
            house.clock.move(1)
    assert all(why.startswith("Plex does not answer (failure ") for why in told[1:-1])
    assert "refuses connections" in told[1]
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.step() == Idle(None)


# --- changes in Stash ------------------------------------------------------------------------------------------------

BACK = (READ_PLEX, READ_STASH, WRITE_STASH)


def admit_back(house):
    with house.store.writing() as tx:
        return house.worker.gates.admit_batch(tx, BACK, house.clock.now())


TAKES_NO_CHANGES = {
    "away": (Unavailable(STASH, "it fails inside"), 5),
    "refuses our key": (Barred(STASH, "403", setting="stash_api_key"), 1),
    "asks for patience": (Throttled(STASH, "429", retry_after=600), 1),
}


@pytest.mark.parametrize("trouble", TAKES_NO_CHANGES)
def test_a_stash_that_takes_no_changes_stops_nobody_who_only_asks(house, trouble):
    error, times = TAKES_NO_CHANGES[trouble]
    fail(house, error, WRITE, times=times)
    closed = admit_back(house)
    assert isinstance(closed, Closed)
    assert closed.reason.startswith("Writing to Stash ")
    assert isinstance(admit(house), Go)
    assert house.worker.gates.is_open(READ_STASH)
    assert not house.worker.gates.is_open(WRITE_STASH)
    assert house.rows("select who from breaker where state <> 'closed'") in ([], [("stash:write",)])


def test_a_stash_that_does_not_answer_stops_whoever_writes_to_it_as_well(house):
    trip(house, Unavailable(STASH, "Stash is away"))
    assert admit_back(house).reason == "Stash is down: Stash is away"


def test_without_a_canary_the_next_write_to_stash_is_the_test_and_one_failure_of_it_is_enough(house):
    refusal = Unavailable(STASH, "it fails inside")
    fail(house, refusal, WRITE, times=5)
    house.clock.move(63)
    assert house.worker.gates.knock(WRITE_STASH) == house.worker.gates.ticket(WRITE_STASH)
    assert house.stash_sim.count() == 1
    fail(house, refusal, WRITE)
    assert (breaker(house, "stash:write").state, breaker(house, "stash:write").trips) == ("open", 2)


def test_writes_through_one_gate_are_no_evidence_for_another(house):
    gates = house.worker.gates
    for _ in range(3):
        gates.well(gates.ticket(WRITE_STASH))
    report_well(house, WRITE)
    with house.store.writing() as tx:
        assert (gates.writes(tx, WRITE_STASH), gates.writes(tx, WRITE_PLEX)) == ((3, 0), (1, 0))
