"""When a request whose end is unknown has ended for certain, also if the clock is set meanwhile."""

from contextlib import closing

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.engine.expiry import Expiry, longest_request
from plexsync.engine.rules import WorkRules
from plexsync.store.database import Database
from tests.engine.clocks import Clock

LONGEST = 240_000
SECOND = 1000
DAY = 86_400


def test_the_longest_request_is_a_lease_and_the_deadlines_of_two_requests():
    assert longest_request(WorkRules(lease=1_000, deadline=10)) == 1_020


def test_time_that_passes_ends_a_request():
    clock = Clock()
    expiry, until = Expiry(clock, LONGEST), clock.now() + 60 * SECOND
    clock.move(59)
    assert (expiry.until(until), expiry.certain_end() < until) == (until, True)
    clock.move(1)
    assert expiry.certain_end() == until == clock.now()


@pytest.mark.parametrize("leap", [90, DAY, 400 * DAY])
def test_a_leap_ends_no_request_before_its_time_has_really_passed(leap):
    clock = Clock()
    expiry, until = Expiry(clock, LONGEST), clock.now() + 60 * SECOND
    clock.move(10)
    clock.leap(leap)
    assert expiry.certain_end() == until - 50 * SECOND
    assert expiry.until(until) == clock.now() + LONGEST
    clock.move(49)
    assert expiry.until(until) > clock.now()
    clock.move(1)
    assert expiry.until(until) == until <= expiry.certain_end()
    clock.move(LONGEST / SECOND - 50)
    assert expiry.certain_end() == clock.now(), "the leap counts"


def test_each_of_several_leaps_is_waited_out():
    clock = Clock()
    expiry, until = Expiry(clock, LONGEST), clock.now() + 60 * SECOND
    clock.leap(40)
    expiry.notice()
    clock.move(200)
    clock.leap(DAY)
    late = clock.now() + 60 * SECOND
    assert expiry.certain_end() == until - 60 * SECOND + 200 * SECOND, "the first leap does not count yet"
    clock.move(50)
    assert expiry.certain_end() == clock.now() - DAY * SECOND, "the first one counts"
    assert expiry.until(late) == clock.now() + 190 * SECOND
    clock.move(190)
    assert expiry.certain_end() == clock.now()


def test_a_clock_that_is_set_back_and_forth_again_ends_none():
    clock = Clock()
    expiry = Expiry(clock, LONGEST)
    clock.leap(-DAY)
    until = clock.now() + 60 * SECOND
    assert expiry.certain_end() < until
    clock.leap(DAY)
    assert expiry.until(until) > clock.now()


def test_a_clock_that_is_corrected_all_the_time_has_not_leapt():
    clock = Clock()
    expiry = Expiry(clock, LONGEST)
    for _ in range(100):
        clock.move(1)
        clock.leap(0.9)
        assert expiry.certain_end() == clock.now()


def test_what_has_no_request_waits_for_none():
    clock = Clock()
    expiry = Expiry(clock, LONGEST)
    clock.leap(DAY)
    assert expiry.until(0) == 0


@pytest.mark.parametrize("leap", [90, DAY, 400 * DAY])
def test_a_leap_between_two_processes_ends_no_request_and_is_waited_out_once(tmp_path, leap):
    clock = Clock()
    until = clock.now() + 60 * SECOND

    def process() -> Expiry:
        expiry = Expiry(clock, LONGEST)
        expiry.recall(store)
        return expiry

    with closing(Database(tmp_path / "plexsync.db", worker=True)) as store:
        assert process().until(until) == until
        clock.leap(leap)
        assert process().until(until) == clock.now() + LONGEST
        clock.move(50)
        assert process().until(until) > clock.now()
        clock.move(10)
        assert process().until(until) == until <= process().certain_end()
        clock.move(LONGEST / SECOND)
        assert process().certain_end() == clock.now()


PASSING = st.tuples(st.just("pass"), st.sampled_from([1, 20, 90, 239]))
LEAPING = st.tuples(st.just("leap"), st.sampled_from([-DAY, -100, -30, 2, 40, 100, DAY]))
LOOKING = st.tuples(st.just("look"), st.just(0))
HISTORIES = st.lists(st.one_of(PASSING, LEAPING, LEAPING, LOOKING), max_size=9)


@given(HISTORIES, st.sampled_from([1, 60, 240]), HISTORIES)
@settings(deadline=None)
def test_whatever_the_clock_does_a_request_is_open_until_its_time_has_passed_and_is_waited_out(before, seconds, after):
    clock = Clock()
    expiry = Expiry(clock, LONGEST)

    def happens(what: str, value: float) -> None:
        if what == "pass":
            clock.move(value)
        elif what == "leap":
            clock.leap(value)
        expiry.notice()

    for what, value in before:
        happens(what, value)
    expiry.notice()
    until, left = clock.now() + seconds * SECOND, float(seconds)
    for what, value in after:
        happens(what, value)
        left -= value if what == "pass" else 0
        # As every rule does: a time that is further ahead was saved before the clock was set back.
        until = min(until, clock.now() + LONGEST)
        if left > 0:
            assert expiry.certain_end() < until
            assert expiry.until(until) > clock.now()
    waits = max(0, expiry.until(until) - clock.now())
    assert waits <= LONGEST
    clock.move(waits / SECOND)
    assert expiry.until(until) == until <= expiry.certain_end()
