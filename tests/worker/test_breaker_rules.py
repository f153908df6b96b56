"""The rules of the circuit breaker one by one: the table of turns, waits, arguments, listeners and threads."""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from unittest.mock import patch

import pytest
from hypothesis import given, strategies as st

from tests.tables import table
from worker.circuit_breaker import (
    Breaker,
    CircuitBreaker,
    CircuitState,
    Rules,
    after_failure,
    after_neutral,
    after_request,
    after_reset,
    after_success,
    needs_clock,
    next_probe_at,
    seen_state,
)

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

# Three failures open it, ten seconds are a rest, two successes close it, a probe has twenty seconds.
RULES = Rules(failure_threshold=3, recovery_timeout=10.0, success_threshold=2, probe_lease=20.0)

QUIET = Breaker(failures=1, generation=4)
RESTING = Breaker(OPEN, failures=3, opened_at=100.0, wait=10.0, trips=1, generation=5)
FREE = Breaker(HALF_OPEN, failures=3, opened_at=100.0, wait=10.0, trips=1, generation=6)
PROBED = replace(FREE, probe_started=110.0)

ASK, WELL, ILL, NEUTRAL = "ask", "well", "ill", "neutral"


def apply(b, event, now, token=None):
    """The record after one event, and the answer if it was a question."""
    if event == ASK:
        return after_request(b, RULES, now)
    rule = {WELL: after_success, ILL: after_failure, NEUTRAL: after_neutral}[event]
    return rule(b, RULES, now, token), None


REOPENED = {"state": OPEN, "failures": 4, "successes": 0, "trips": 2, "probe_started": None}

# before, event, moment, token; after as changes to before (the generation left out), answer, whether the generation moves
TURNS = {
    "closed admits": (QUIET, ASK, 0.0, None, {}, True, False),
    "a success clears the count": (QUIET, WELL, 0.0, None, {"failures": 0}, None, False),
    "a success with a current token too": (QUIET, WELL, 0.0, 4, {"failures": 0}, None, False),
    "an old success does not": (QUIET, WELL, 0.0, 3, {}, None, False),
    "a failure counts": (QUIET, ILL, 0.0, None, {"failures": 2}, None, False),
    "an old failure does not": (QUIET, ILL, 0.0, 3, {}, None, False),
    "neutral leaves closed alone": (QUIET, NEUTRAL, 0.0, None, {}, None, False),
    "the last failure opens": (
        replace(QUIET, failures=2),
        *(ILL, 50.0, None),
        {"state": OPEN, "failures": 3, "opened_at": 50.0, "wait": 10.0, "trips": 1},
        *(None, True),
    ),
    "resting refuses": (RESTING, ASK, 109.9, None, {}, False, False),
    "resting overhears success": (RESTING, WELL, 109.9, None, {}, None, False),
    "resting overhears failure": (RESTING, ILL, 109.9, None, {}, None, False),
    "resting overhears neutral": (RESTING, NEUTRAL, 109.9, None, {}, None, False),
    "a set back clock moves the stamp": (RESTING, ASK, 40.0, None, {"opened_at": 40.0}, False, False),
    "rested admits one": (RESTING, ASK, 110.0, None, {"state": HALF_OPEN, "probe_started": 110.0}, True, True),
    "rested believes a success": (RESTING, WELL, 110.0, None, {"state": HALF_OPEN, "successes": 1}, None, True),
    "rested believes a failure": (RESTING, ILL, 110.0, None, {**REOPENED, "opened_at": 110.0}, None, True),
    "rested takes neutral for a look": (RESTING, NEUTRAL, 110.0, None, {"state": HALF_OPEN}, None, True),
    "no token is good while open": (RESTING, ILL, 110.0, 5, {}, None, False),
    "nor for a success": (RESTING, WELL, 110.0, 5, {}, None, False),
    "a free slot is taken": (FREE, ASK, 115.0, None, {"probe_started": 115.0}, True, False),
    "a held slot is not": (PROBED, ASK, 129.9, None, {}, False, False),
    "a lease ends": (PROBED, ASK, 130.0, None, {"probe_started": 130.0}, True, True),
    "a set back clock moves the lease": (PROBED, ASK, 60.0, None, {"probe_started": 60.0}, False, False),
    "a first success frees the slot": (PROBED, WELL, 111.0, 6, {"successes": 1, "probe_started": None}, None, False),
    "an old one does not": (PROBED, WELL, 111.0, 5, {}, None, False),
    "a failed probe opens again": (PROBED, ILL, 111.0, 6, {**REOPENED, "opened_at": 111.0}, None, True),
    "it forgets earlier successes": (
        replace(PROBED, successes=1),
        *(ILL, 111.0, None),
        {**REOPENED, "opened_at": 111.0},
        *(None, True),
    ),
    "an old failure opens nothing": (PROBED, ILL, 111.0, 4, {}, None, False),
    "neutral frees the slot": (PROBED, NEUTRAL, 111.0, 6, {"probe_started": None}, None, False),
    "an old neutral does not": (PROBED, NEUTRAL, 111.0, 5, {}, None, False),
}


@table(("before", "event", "now", "token", "changes", "answer", "moves"), TURNS.values())
def test_the_table_of_turns(before, event, now, token, changes, answer, moves):
    after, said = apply(before, event, now, token)
    assert said is answer
    assert replace(after, generation=before.generation) == replace(before, **changes)
    assert (after.generation > before.generation) is moves


def test_the_last_success_needed_closes_and_clears_everything():
    closed = after_success(replace(PROBED, successes=1), RULES, 111.0, 6)
    assert closed == Breaker(generation=7)


@pytest.mark.parametrize("b", [QUIET, RESTING, FREE, PROBED])
def test_a_reset_is_a_fresh_breaker_of_a_new_generation(b):
    assert after_reset(b) == Breaker(generation=b.generation + 1)


@pytest.mark.parametrize(
    ("b", "now", "seen"),
    [
        (QUIET, 1e12, CLOSED),
        (RESTING, 109.9, OPEN),
        (RESTING, 110.0, HALF_OPEN),
        (RESTING, 0.0, OPEN),
        (FREE, 0.0, HALF_OPEN),
        (Breaker(OPEN), 1e12, OPEN),
    ],
)
def test_what_a_visitor_sees(b, now, seen):
    assert seen_state(b, RULES, now) is seen


def test_without_a_wait_open_reads_open_until_someone_asks():
    rules = Rules(recovery_timeout=0.0)
    b = Breaker(OPEN, opened_at=100.0)
    assert seen_state(b, rules, 100.0) is OPEN
    assert after_request(b, rules, 100.0)[1]
    assert after_request(b, rules, 40.0)[1], "and a clock that was set back changes nothing about it"


@pytest.mark.parametrize(
    ("b", "moment"),
    [(QUIET, None), (RESTING, 110.0), (FREE, None), (PROBED, 130.0), (Breaker(OPEN), None)],
)
def test_when_the_next_probe_may_go(b, moment):
    assert next_probe_at(b, RULES) == moment


# --- waits -----------------------------------------------------------------------------------------------------------


def waits(rules, draw=0.0, openings=8):
    """The waits of that many failed probes in a row."""
    b, seen = Breaker(), []
    for _ in range(openings):
        now = next_probe_at(b, rules) or 0.0
        b = after_failure(b, replace(rules, failure_threshold=1), now, draw=draw)
        seen.append(b.wait)
    return seen


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(), [60.0] * 8),
        (Rules(backoff_multiplier=2.0, max_recovery_timeout=300.0), [60.0, 120.0, 240.0] + [300.0] * 5),
        (Rules(recovery_timeout=3_600.0, backoff_multiplier=2.0), [3_600.0] * 8),
        (Rules(recovery_timeout=0.0, backoff_multiplier=1e308), [0.0] * 8),
        (Rules(recovery_timeout=1.0, backoff_multiplier=1e308), [1.0] + [900.0] * 7),
    ],
)
def test_waits_grow_to_their_limit(rules, expected):
    assert waits(rules) == expected


def test_growth_survives_a_year_of_failed_probes():
    rules = Rules(failure_threshold=1, backoff_multiplier=2.0, max_recovery_timeout=300.0)
    b = Breaker(HALF_OPEN, opened_at=0.0, trips=10**9)
    assert after_failure(b, rules, 1.0).wait == 300.0


def test_closing_ends_the_growth():
    rules = Rules(failure_threshold=1, backoff_multiplier=2.0)
    b = after_failure(after_failure(Breaker(), rules, 0.0), rules, 60.0)
    assert b.wait == 120.0
    b = after_success(b, rules, 200.0)
    assert b.state is CLOSED
    assert after_failure(b, rules, 300.0).wait == 60.0


@given(
    draw=st.floats(0.0, 1.0, exclude_max=True),
    jitter=st.floats(0.0, 1.0),
    base=st.floats(0.0, 1e6),
    multiplier=st.floats(1.0, 10.0),
)
def test_jitter_makes_a_wait_longer_within_its_bounds_and_never_shorter(draw, jitter, base, multiplier):
    rules = Rules(recovery_timeout=base, backoff_multiplier=multiplier, jitter=jitter)
    for wait in waits(rules, draw):
        assert base <= wait <= max(base, 900.0) * (1 + jitter)
    bare = waits(replace(rules, jitter=0.0))
    assert bare == sorted(bare)


@pytest.mark.parametrize(("stored", "rests_until"), [(0.0, 110.0), (3.0, 110.0), (40.0, 140.0), (1e15, 1_450.0)])
def test_a_stored_wait_is_kept_within_what_the_rules_allow(stored, rests_until):
    rules = Rules(recovery_timeout=10.0, jitter=0.5)
    b = replace(RESTING, wait=stored)
    assert next_probe_at(b, rules) == rests_until
    assert not after_request(b, rules, rests_until - 0.001)[1]
    assert after_request(b, rules, rests_until)[1]


@pytest.mark.parametrize(("stored", "recovers_after"), [(1e18, 10.0), (math.inf, 10.0), (None, 10.0)])
def test_a_stamp_that_cannot_be_delays_recovery_by_one_wait_at_most(stored, recovers_after):
    b, goes = after_request(replace(RESTING, opened_at=stored), RULES, 500.0)
    assert not goes
    assert after_request(b, RULES, 500.0 + recovers_after)[1]


def test_a_probe_lost_with_its_process_delays_recovery_by_one_lease():
    b, goes = after_request(RESTING, RULES, 110.0)
    assert goes
    moments = [110.0 + second for second in range(1, 40) if after_request(b, RULES, 110.0 + second)[1]]
    assert moments[0] == 130.0


@pytest.mark.parametrize(
    ("arguments", "lease"),
    [({}, 60.0), ({"recovery_timeout": 5}, 60.0), ({"recovery_timeout": 90.0}, 90.0), ({"probe_lease": 0.5}, 0.5)],
)
def test_the_lease_is_a_minute_or_the_wait_unless_given(arguments, lease):
    assert Rules(**arguments).lease == lease


@table("b", [QUIET, replace(QUIET, failures=2), RESTING, FREE, PROBED])
@table("event", ["look", "ask", "success", "failure", "neutral"])
def test_a_rule_that_needs_no_clock_answers_the_same_at_any_time(b, event):
    rule = {
        "look": seen_state,
        "ask": after_request,
        "success": after_success,
        "failure": after_failure,
        "neutral": after_neutral,
    }[event]
    answers = {rule(b, RULES, now) for now in (-1.0, 0.0, 109.0, 110.0, 1e12)}
    assert needs_clock(b, RULES, event) or len(answers) == 1


# --- arguments -------------------------------------------------------------------------------------------------------

COUNTS = ("failure_threshold", "success_threshold")
SECONDS = ("recovery_timeout", "max_recovery_timeout", "probe_lease")
NUMBERS = (*SECONDS, "backoff_multiplier", "jitter")

WRONG_TYPES = [(name, value) for name in COUNTS for value in (True, 1.0, "5", None, Fraction(5))]
WRONG_TYPES += [(name, value) for name in NUMBERS for value in (True, "60", [60], 1j)]
WRONG_TYPES += [(name, None) for name in NUMBERS if name != "probe_lease"]

WRONG_VALUES = [(name, value) for name in COUNTS for value in (0, -1, -(10**5_000))]
WRONG_VALUES += [(name, value) for name in NUMBERS for value in (-0.001, math.nan, math.inf, -math.inf, 10**400)]
WRONG_VALUES += [
    ("probe_lease", 0),
    ("probe_lease", 0.0),
    ("backoff_multiplier", 0.999),
    ("jitter", 1.001),
    ("jitter", 2),
]


def described(pairs):
    return [
        f"{name}={str(value)[:12] if not isinstance(value, int) else type(value).__name__}" for name, value in pairs
    ]


@table("build", [Rules, CircuitBreaker])
@table(("name", "value"), WRONG_TYPES)
def test_a_wrong_type_is_refused_by_name(build, name, value):
    with pytest.raises(TypeError, match=name):
        build(**{name: value})


@table("build", [Rules, CircuitBreaker])
@table(("name", "value"), WRONG_VALUES)
def test_a_wrong_value_is_refused_by_name(build, name, value):
    with pytest.raises(ValueError, match=name):
        build(**{name: value})


@pytest.mark.parametrize("wrong", [{"name": 7}, {"name": None}, {"on_transition": "listener"}])
def test_a_name_is_text_and_a_listener_can_be_called(wrong):
    with pytest.raises(TypeError, match=next(iter(wrong))):
        CircuitBreaker(**wrong)


def test_whole_numbers_do_for_seconds_and_the_limits_are_allowed():
    rules = Rules(1, 0, 1, probe_lease=1, backoff_multiplier=1, max_recovery_timeout=0, jitter=1)
    assert rules.longest_wait == 0
    assert CircuitBreaker(1, 0, 1).can_execute()


def test_records_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        Breaker().failures = 3
    with pytest.raises(FrozenInstanceError):
        Rules().jitter = 0.5


# --- the object ------------------------------------------------------------------------------------------------------


def test_a_token_is_never_falsy():
    assert CircuitBreaker().acquire()


def test_a_breaker_names_itself_without_reading_the_clock():
    breaker = CircuitBreaker(name="plex")
    with patch("worker.circuit_breaker.time.time", side_effect=AssertionError("the clock was read")):
        breaker._state = OPEN
        assert repr(breaker) == "<CircuitBreaker 'plex' open>"


def test_a_listener_hears_of_every_turn_and_may_use_the_breaker():
    heard = []
    breaker = CircuitBreaker(1, 10.0, on_transition=lambda old, new: heard.append((old, new, breaker.snapshot().state)))
    with patch("time.time", return_value=100.0):
        breaker.record_failure()
        breaker.record_failure()
    with patch("time.time", return_value=110.0):
        assert breaker.state is HALF_OPEN
        assert len(heard) == 1, "reading is no turn"
        breaker.can_execute()
        breaker.record_success()
        breaker.reset()
    assert heard == [(CLOSED, OPEN, OPEN), (OPEN, HALF_OPEN, HALF_OPEN), (HALF_OPEN, CLOSED, CLOSED)]


def test_a_failing_listener_is_counted_and_costs_nothing_else():
    def fail(old, new):
        raise RuntimeError

    breaker = CircuitBreaker(1, on_transition=fail)
    breaker.record_failure()
    breaker.reset()
    assert breaker.callback_errors == 2
    assert breaker.can_execute()


def test_an_interrupt_in_a_listener_passes_through_after_the_turn():
    def interrupt(old, new):
        raise KeyboardInterrupt

    breaker = CircuitBreaker(1, on_transition=interrupt)
    with pytest.raises(KeyboardInterrupt):
        breaker.record_failure()
    assert breaker.snapshot().state is OPEN
    assert breaker.callback_errors == 0


def test_a_failing_clock_leaves_the_breaker_as_it_was():
    breaker = CircuitBreaker(1)
    with patch("time.time", side_effect=OSError), pytest.raises(OSError):
        breaker.record_failure()
    assert breaker.snapshot() == Breaker()
    assert breaker.can_execute(), "and its lock is free"


def test_the_draw_for_the_jitter_is_made_once_and_kept():
    breaker = CircuitBreaker(1, 100.0, jitter=0.5)
    with patch("time.time", return_value=1_000.0), patch("random.random", return_value=0.5):
        breaker.record_failure()
    assert breaker.snapshot().wait == 125.0
    with patch("time.time", return_value=1_124.9):
        assert not breaker.can_execute()
    with patch("time.time", return_value=1_125.0):
        assert breaker.can_execute()


# --- threads ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hurried():
    """Threads take turns a thousand times as often, so that a gap between two steps is found."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(interval)


def together(count, rounds, act, prepare=lambda nth: None):
    """`act(nth)` from that many threads at once, `rounds` times; `prepare` runs alone before each round."""
    results = [[None] * count for _ in range(rounds)]
    turns = iter(range(rounds))
    gate = threading.Barrier(count, action=lambda: prepare(next(turns)))

    def run(place):
        try:
            for nth in range(rounds):
                gate.wait(30)
                results[nth][place] = act(nth)
        except BaseException:
            gate.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))
    return results


def test_sixteen_threads_at_the_due_moment_send_one_probe(hurried):
    breakers = []

    def prepare(nth):
        breaker = CircuitBreaker(1, 10.0)
        with patch("time.time", return_value=100.0):
            breaker.record_failure()
        breakers.append(breaker)

    with patch("worker.circuit_breaker.time.time", return_value=110.0):
        rounds = together(16, 500, lambda nth: breakers[nth].can_execute(), prepare)
    assert [sum(answers) for answers in rounds] == [1] * 500


def test_failures_from_many_threads_are_all_counted(hurried):
    breaker = CircuitBreaker(8 * 200 + 1)
    together(8, 200, lambda nth: breaker.record_failure())
    assert breaker.snapshot().failures == 8 * 200
    breaker.record_failure()
    assert breaker.snapshot().state is OPEN


def test_threads_that_race_open_it_once(hurried):
    heard = []
    breaker = CircuitBreaker(5, on_transition=lambda *turn: heard.append(turn))
    together(16, 20, lambda nth: breaker.record_failure())
    assert heard == [(CLOSED, OPEN)]
    assert breaker.snapshot().trips == 1


def test_the_lock_is_free_while_a_listener_runs():
    entered, may_leave = threading.Event(), threading.Event()

    def linger(old, new):
        entered.set()
        assert may_leave.wait(30)

    breaker = CircuitBreaker(1, on_transition=linger)
    thread = threading.Thread(target=breaker.record_failure)
    thread.start()
    assert entered.wait(30)
    assert breaker.can_execute() is False, "others go on meanwhile"
    may_leave.set()
    thread.join(30)
    assert breaker.callback_errors == 0
