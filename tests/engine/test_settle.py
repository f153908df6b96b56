"""What each outcome does to a job's row, what a crash does, and how long each failure waits."""

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.queue.job import (
    DAY,
    HOUR,
    MINUTE,
    Absent,
    Dead,
    Done,
    Gone,
    Job,
    Kind,
    Lane,
    Later,
    OutOfScope,
    State,
    Waiting,
    after_crash,
    delay,
    settle,
)
from plexsync.rules.servers.causes import Cause, pace_of
from tests.tables import table

NOW = 1_768_471_200_000
JOB = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=3, attempts=2, streak=4, crashes=1, scan=10)
OUTAGE = Waiting("Plex is away", "unavailable")


def ended(outcome, *, job=JOB, max_retries=5, draw=0.5, scan=10):
    return settle(job, outcome, now=NOW, max_retries=max_retries, draw=draw, scan=scan)


# outcome: state, attempts, streak, crashes, due (ms from now)
TABLE = [
    pytest.param(Done(), (State.IDLE, 0, 0, 0, 0), id="done"),
    pytest.param(Gone(), (State.GONE, 0, 0, 0, 0), id="gone"),
    pytest.param(Dead("refused", "no"), (State.DEAD, 2, 4, 0, 0), id="dead"),
    pytest.param(Absent("not there"), (State.ABSENT, 0, 1, 0, MINUTE), id="absent"),
    pytest.param(OutOfScope("not this one"), (State.OUTSIDE, 0, 0, 0, 0), id="outside"),
    pytest.param(OUTAGE, (State.READY, 2, 5, 1, 40_000), id="waiting"),
    pytest.param(
        Waiting("its own", "unavailable", counted=True), (State.READY, 3, 5, 1, 40_000), id="waiting, counted"
    ),
    pytest.param(
        Waiting("patience", "throttled", after=90), (State.READY, 2, 5, 1, 130_000), id="waiting, with a floor"
    ),
    pytest.param(Waiting("stopped", "released", backoff=False), (State.READY, 2, 4, 1, 0), id="orderly stop"),
    pytest.param(Waiting("hold", "barred", after=3, backoff=False), (State.READY, 2, 4, 1, 3000), id="hold"),
    pytest.param(Later("bug"), (State.READY, 3, 5, 1, 240_000), id="later"),
]


@table(("outcome", "row"), TABLE)
def test_each_outcome_has_one_row(outcome, row):
    after = ended(outcome)
    assert (after.state, after.attempts, after.streak, after.crashes, after.due - NOW) == row


@pytest.mark.parametrize("outcome", [Later("bug"), Waiting("its own", "unavailable", counted=True)])
def test_more_than_max_retries_counted_attempts_are_death(outcome):
    job = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, attempts=5)
    assert ended(outcome, job=job, max_retries=6).state is State.READY
    dead = ended(outcome, job=job, max_retries=5)
    assert (dead.state, dead.attempts, dead.error) == (State.DEAD, 6, outcome.error)


def test_waiting_uncounted_never_kills_not_even_after_max_retries_was_lowered():
    job = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, attempts=5, streak=10_000)
    assert ended(OUTAGE, job=job, max_retries=1).state is State.READY


def test_the_absent_pace_is_1_5_15_60_minutes_6_hours_then_daily():
    paces = []
    for streak in range(8):
        job = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, streak=streak, cls="absent", scan=10)
        paces.append(ended(Absent("not there"), job=job).due - NOW)
    assert paces == [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, DAY, DAY]


def test_looks_that_found_nothing_and_failures_are_counted_apart():
    looked_for = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, streak=12, cls="absent", scan=10)
    failed = ended(OUTAGE, job=looked_for, draw=0.99)
    assert (failed.streak, failed.due - NOW) == (1, 4_950), "a first failure waits like a first failure"
    released = ended(Waiting("stopped", "released", backoff=False), job=looked_for)
    assert released.streak == 0
    away = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, streak=5, cls="unavailable", scan=10)
    assert ended(Absent("not there"), job=away).due - NOW == MINUTE


def test_an_absent_verdict_older_than_the_last_scan_is_looked_at_again_at_once():
    assert ended(Absent("not there"), scan=11).due == NOW


def test_a_dead_row_keeps_the_hash_of_the_value_that_died():
    assert ended(Dead("refused", "no", desired="abc")).desired == "abc"


outcomes = st.one_of(
    st.just(Done()),
    st.just(Gone()),
    st.builds(Dead, st.just("refused"), st.just("no")),
    st.builds(Absent, st.just("not there")),
    st.builds(OutOfScope, st.just("not this one")),
    st.builds(Later, st.just("bug")),
    st.builds(
        Waiting,
        st.just("away"),
        st.sampled_from(["unavailable", "throttled", "missing", "local", "barred", "released"]),
        after=st.floats(0, 1e6),
        counted=st.booleans(),
        backoff=st.booleans(),
    ),
)
jobs = st.builds(
    Job,
    st.just(Kind.SCENE),
    st.just(7),
    st.sampled_from(Lane),
    st.just("token"),
    claimed_rev=st.just(1),
    attempts=st.integers(0, 5),
    streak=st.integers(0, 10**6),
    crashes=st.integers(0, 3),
    scan=st.integers(0, 100),
)
draws = st.floats(0, 1, exclude_max=True)


@given(jobs, outcomes, st.integers(5, 9), draws, st.integers(0, 100))
def test_no_attempt_can_lose_a_row(job, outcome, max_retries, draw, scan):
    after = ended(outcome, job=job, max_retries=max_retries, draw=draw, scan=scan)
    assert after.state in (State.READY, State.IDLE, State.ABSENT, State.DEAD, State.GONE, State.OUTSIDE)
    assert 0 <= after.attempts <= max_retries + 1
    assert (after.attempts == max_retries + 1) <= (after.state is State.DEAD)
    assert NOW <= after.due <= NOW + 2 * DAY + 10**9
    if after.state is State.IDLE:
        assert isinstance(outcome, Done)


@given(st.lists(st.tuples(outcomes, draws), max_size=30), st.integers(1, 4))
def test_in_any_history_only_counted_outcomes_and_verdicts_kill(history, max_retries):
    job, counted = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1), 0
    for outcome, draw in history:
        after = ended(outcome, job=job, max_retries=max_retries, draw=draw)
        counts = isinstance(outcome, Later) or (isinstance(outcome, Waiting) and outcome.counted and outcome.backoff)
        counted = 0 if after.attempts == 0 else counted + counts
        assert after.attempts == counted
        if after.state is State.DEAD:
            assert isinstance(outcome, Dead) or counted == max_retries + 1
            return
        job = Job(Kind.SCENE, 7, Lane.EDIT, "token", claimed_rev=1, attempts=after.attempts, streak=after.streak)


# --- crashes ---------------------------------------------------------------------------------------------------------


def test_a_crash_in_company_blames_nobody_and_is_claimed_alone_at_once():
    after = after_crash(alone=False, crashes=2, first_crash=NOW - HOUR, now=NOW)
    assert (after.state, after.crashes, after.first_crash, after.due, after.cls) == (
        State.READY,
        2,
        NOW - HOUR,
        NOW,
        "",
    )


def test_a_lone_crash_goes_to_the_back_for_1_then_10_minutes_and_the_third_is_poison():
    first = after_crash(alone=True, crashes=0, first_crash=0, now=NOW)
    assert (first.state, first.crashes, first.due) == (State.READY, 1, NOW + MINUTE)
    second = after_crash(alone=True, crashes=1, first_crash=NOW, now=NOW + HOUR)
    assert (second.state, second.crashes, second.due) == (State.READY, 2, NOW + HOUR + 10 * MINUTE)
    third = after_crash(alone=True, crashes=2, first_crash=NOW, now=NOW + 72 * HOUR)
    assert (third.state, third.crashes, third.cls) == (State.DEAD, 3, "poison")


def test_crashes_more_than_72_hours_after_the_first_begin_a_new_count():
    after = after_crash(alone=True, crashes=2, first_crash=NOW, now=NOW + 72 * HOUR + 1)
    assert (after.state, after.crashes, after.first_crash) == (State.READY, 1, NOW + 72 * HOUR + 1)


# --- how long to wait ------------------------------------------------------------------------------------------------


@given(st.sampled_from([*Cause, "unheard of"]), st.integers(0, 10**9), draws, st.floats(-10, 1e9))
def test_a_delay_lies_between_its_least_and_its_cap_above_the_floor(cls, streak, draw, floor):
    pace = pace_of(cls)
    wait = delay(cls, streak, draw=draw, floor=floor)
    above = wait - min(max(floor, 0.0), 3600.0)
    assert pace.least - 1e-6 <= above <= max(pace.least, min(pace.cap, pace.base * 2.0 ** min(streak, 30))) + 1e-6


def test_full_jitter_spreads_ten_thousand_failures_evenly():
    waits = [delay("unavailable", 12, draw=n / 10_000) for n in range(10_000)]
    tenths = [sum(low <= wait < low + 360 for wait in waits) for low in range(0, 3600, 360)]
    assert all(abs(count - 1000) <= 2 for count in tenths), "no wave"
