"""The circuit breaker as its users see it: what it admits, when it opens, rests, probes and closes.

Every clock here is moved by patching `time.time`; nothing sleeps.
"""

import time
from unittest.mock import Mock, patch

import pytest

from worker.circuit_breaker import CircuitBreaker, CircuitState

START = 1_700_000_000.0


class Clock:
    """A wall clock that moves when told."""

    def __init__(self, now=START):
        self.now = now
        self.readings = 0

    def time(self):
        self.readings += 1
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.time", clock.time)
    return clock


def opened(**arguments):
    """A breaker that has just opened."""
    breaker = CircuitBreaker(**arguments)
    for _ in range(arguments.get("failure_threshold", 5)):
        breaker.record_failure()
    return breaker


# --- the seven promises --------------------------------------------------------------------------------------------


def test_initial_state_closed():
    breaker = CircuitBreaker()

    assert breaker.state is CircuitState.CLOSED
    assert breaker.can_execute() is True


def test_opens_after_threshold_failures():
    breaker = CircuitBreaker(failure_threshold=3)

    breaker.record_failure()
    breaker.record_failure()
    assert breaker.state is CircuitState.CLOSED

    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN


def test_blocks_when_open(clock):
    breaker = opened(recovery_timeout=60.0)

    clock.now += 59.9

    assert breaker.can_execute() is False
    assert breaker.state is CircuitState.OPEN


def test_half_open_after_recovery_timeout(clock):
    breaker = opened(recovery_timeout=60.0)

    clock.now += 60.0

    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True
    assert breaker.state is CircuitState.HALF_OPEN


def test_success_closes_circuit(clock):
    breaker = opened(recovery_timeout=60.0)
    clock.now += 61.0
    assert breaker.can_execute()

    breaker.record_success()

    assert breaker.state is CircuitState.CLOSED
    assert breaker.can_execute() is True


def test_failure_in_half_open_reopens(clock):
    breaker = opened(recovery_timeout=60.0)
    clock.now += 61.0
    assert breaker.can_execute()

    breaker.record_failure()

    assert breaker.state is CircuitState.OPEN
    clock.now += 59.0
    assert breaker.can_execute() is False, "the wait begins anew with the failed probe"
    clock.now += 1.0
    assert breaker.can_execute() is True


def test_reset_closes_circuit(clock):
    breaker = opened(failure_threshold=2)

    breaker.reset()

    assert breaker.state is CircuitState.CLOSED
    assert breaker.can_execute() is True
    breaker.record_failure()
    assert breaker.state is CircuitState.CLOSED, "a full threshold is needed again"


# --- counting ------------------------------------------------------------------------------------------------------


def test_five_failures_a_minute_and_one_success_are_the_defaults(clock):
    breaker = CircuitBreaker()
    for _ in range(4):
        breaker.record_failure()
    assert breaker.state is CircuitState.CLOSED
    breaker.record_failure()
    clock.now += 59.999
    assert breaker.state is CircuitState.OPEN
    clock.now = START + 60.0
    assert breaker.can_execute()
    breaker.record_success()
    assert breaker.state is CircuitState.CLOSED


def test_a_success_ends_a_row_of_failures():
    breaker = CircuitBreaker(failure_threshold=2)
    for _ in range(10):
        breaker.record_failure()
        breaker.record_success()
    assert breaker.state is CircuitState.CLOSED


def test_several_successes_are_needed_when_asked_for_and_one_failure_starts_over(clock):
    breaker = opened(failure_threshold=1, recovery_timeout=10.0, success_threshold=2)
    clock.now += 10.0
    assert breaker.can_execute()
    breaker.record_success()
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute(), "the first success freed the slot"
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN

    clock.now += 10.0
    assert breaker.can_execute()
    breaker.record_success()
    assert breaker.state is CircuitState.HALF_OPEN, "the success before the failure no longer counts"
    assert breaker.can_execute()
    breaker.record_success()
    assert breaker.state is CircuitState.CLOSED


def test_a_late_report_while_open_neither_closes_nor_prolongs(clock):
    breaker = opened(recovery_timeout=60.0)
    clock.now += 30.0

    breaker.record_failure()
    breaker.record_success()

    assert breaker.state is CircuitState.OPEN
    clock.now = START + 60.0
    assert breaker.can_execute() is True


@pytest.mark.parametrize("reading_first", [True, False])
def test_a_report_after_the_wait_is_the_verdict_even_if_nobody_asked(clock, reading_first):
    well, ill = opened(), opened()
    clock.now += 60.0
    if reading_first:
        assert well.state is ill.state is CircuitState.HALF_OPEN

    well.record_success()
    ill.record_failure()

    assert well.state is CircuitState.CLOSED
    assert ill.state is CircuitState.OPEN
    clock.now += 59.0
    assert ill.can_execute() is False


# --- one probe at a time -------------------------------------------------------------------------------------------


def test_only_one_probe_goes_while_half_open(clock):
    breaker = opened()
    clock.now += 60.0
    assert [breaker.can_execute() for _ in range(4)] == [True, False, False, False]


def test_a_probe_that_never_reports_loses_its_slot_after_the_lease(clock):
    breaker = opened(probe_lease=90.0)
    clock.now += 60.0
    lost = breaker.acquire()
    clock.now += 89.0
    assert breaker.acquire() is None
    clock.now += 1.0
    fresh = breaker.acquire()
    assert fresh is not None

    breaker.record_failure(lost)
    assert breaker.state is CircuitState.HALF_OPEN, "the lost probe's report is void"
    breaker.record_success(fresh)
    assert breaker.state is CircuitState.CLOSED


def test_a_neutral_report_frees_the_slot_and_decides_nothing(clock):
    breaker = opened()
    clock.now += 60.0
    assert breaker.can_execute()
    breaker.record_neutral()
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True


def test_a_report_from_before_the_opening_is_void_with_its_token(clock):
    breaker = CircuitBreaker(failure_threshold=1)
    slow = breaker.acquire()
    breaker.record_failure(breaker.acquire())
    clock.now += 60.0

    breaker.record_success(slow)

    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True, "the probe is still to come"


@pytest.mark.parametrize(
    ("said", "state"),
    [("success", CircuitState.CLOSED), ("failure", CircuitState.OPEN), ("neutral", CircuitState.HALF_OPEN)],
)
def test_a_guard_reports_what_was_said_inside(clock, said, state):
    breaker = opened()
    clock.now += 60.0
    with breaker.guard() as permit:
        assert permit
        getattr(permit, said)()
        assert breaker.can_execute() is False, "the report comes at the end of the block"
    assert breaker.state is state


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_guard_gives_the_slot_back_whatever_is_raised(clock, raised):
    breaker = opened()
    clock.now += 60.0
    with pytest.raises(raised), breaker.guard():
        raise raised
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True


def test_a_guard_that_was_refused_reports_nothing(clock):
    breaker = opened()
    clock.now += 60.0
    assert breaker.can_execute()
    with breaker.guard() as permit:
        assert not permit
        permit.success()
    assert breaker.state is CircuitState.HALF_OPEN


# --- clocks --------------------------------------------------------------------------------------------------------


def patch_by_name(value):
    return patch("time.time", return_value=value)


def patch_through_the_module(value):
    return patch("worker.circuit_breaker.time.time", return_value=value)


def patch_the_whole_module(value):
    return patch("worker.circuit_breaker.time", **{"time.return_value": value})


@pytest.mark.parametrize("at", [patch_by_name, patch_through_the_module, patch_the_whole_module])
def test_the_clock_can_be_patched_in_each_usual_way(at):
    with at(1000.0):
        breaker = opened()
        assert breaker.can_execute() is False
    with at(1059.9):
        assert breaker.state is CircuitState.OPEN
        assert breaker.can_execute() is False
    with at(1060.0):
        assert breaker.state is CircuitState.HALF_OPEN
        assert breaker.can_execute() is True


def test_the_clock_is_read_only_where_time_matters(clock):
    breaker = CircuitBreaker(failure_threshold=2)
    breaker.can_execute()
    breaker.record_success()
    breaker.record_neutral()
    breaker.record_failure()
    assert breaker.state is CircuitState.CLOSED
    assert clock.readings == 0
    breaker.record_failure()
    assert clock.readings == 1, "an opening is stamped"


def test_a_script_of_readings_is_used_up_one_by_one():
    moments = [1000.0, 1030.0, 1060.0, 1060.0, 1061.0]
    with patch("time.time", Mock(side_effect=moments)):
        breaker = opened()
        assert breaker.can_execute() is False
        assert breaker.state is CircuitState.HALF_OPEN
        assert breaker.can_execute() is True
        breaker.record_failure()
    with patch("time.time", return_value=1120.9):
        assert breaker.can_execute() is False, "it opened again at the last reading"
    with patch("time.time", return_value=1121.0):
        assert breaker.can_execute() is True


@pytest.mark.parametrize("wait", [0.01, 0.05, 0.1, 0.3, 60.0])
def test_the_exact_end_of_the_wait_counts_as_over(clock, wait):
    for nth in range(200):
        clock.now = START + nth * 1.37
        breaker = opened(failure_threshold=1, recovery_timeout=wait)
        clock.now = clock.now + wait
        assert breaker.can_execute() is True


def test_a_breaker_that_opened_at_the_epoch_recovers(clock):
    clock.now = 0.0
    breaker = opened()
    assert breaker.can_execute() is False
    clock.now = 60.0
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True


def test_without_a_wait_the_next_call_is_the_probe(clock):
    breaker = opened(recovery_timeout=0)
    assert breaker.state is CircuitState.OPEN
    assert breaker.can_execute() is True
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is False


def test_a_clock_set_back_costs_at_most_one_more_wait(clock):
    breaker = opened()
    clock.now = START - 1_000_000.0
    assert breaker.can_execute() is False
    clock.now += 60.0
    assert breaker.can_execute() is True


def test_a_clock_set_back_lets_no_second_probe_through(clock):
    breaker = opened()
    clock.now += 60.0
    assert breaker.can_execute()
    clock.now -= 5_000.0
    assert breaker.can_execute() is False
    clock.now += 60.0
    assert breaker.can_execute() is True, "a lease later the slot is free again"


def test_looking_changes_nothing(clock):
    watched, unwatched = opened(), opened()
    clock.now += 60.0
    for _ in range(5):
        assert watched.state is CircuitState.HALF_OPEN
    clock.now -= 30.0
    assert watched.state is unwatched.state is CircuitState.OPEN
    assert watched.can_execute() is unwatched.can_execute() is False


# --- what a test may reach into ------------------------------------------------------------------------------------


def test_a_breaker_set_open_by_hand_behaves_as_if_it_had_opened():
    breaker = CircuitBreaker(recovery_timeout=60.0)
    breaker._state = CircuitState.OPEN
    breaker._opened_at = time.time()
    assert breaker.can_execute() is False

    breaker._opened_at = time.time() - 100
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.can_execute() is True
    assert breaker._state is CircuitState.HALF_OPEN


def test_a_breaker_set_half_open_by_hand_admits_a_probe():
    breaker = CircuitBreaker()
    breaker._state = CircuitState.HALF_OPEN
    assert breaker.can_execute() is True
    breaker.record_success()
    assert breaker._state is CircuitState.CLOSED


def test_a_breaker_set_open_without_a_moment_rests_from_the_first_call_on(clock):
    breaker = CircuitBreaker()
    breaker._state = CircuitState.OPEN
    assert breaker.state is CircuitState.OPEN
    assert breaker.can_execute() is False
    clock.now += 60.0
    assert breaker.can_execute() is True


def test_the_plain_attributes_follow_the_breaker(clock):
    breaker = CircuitBreaker(failure_threshold=2)
    assert (breaker._state, breaker._failure_count, breaker._opened_at) == (CircuitState.CLOSED, 0, None)
    breaker.record_failure()
    assert breaker._failure_count == 1
    breaker.record_failure()
    assert (breaker._state, breaker._opened_at) == (CircuitState.OPEN, START)
    breaker.reset()
    assert (breaker._state, breaker._failure_count, breaker._opened_at) == (CircuitState.CLOSED, 0, None)


def test_a_failure_count_set_by_hand_counts():
    breaker = CircuitBreaker(failure_threshold=5)
    breaker._failure_count = 4
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN


def test_the_states_have_plain_names():
    assert [state.value for state in CircuitState] == ["closed", "open", "half_open"]
