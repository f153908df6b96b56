"""The backoff of a connection that has to be made again."""

import pytest

from plexsync.engine.reconnect import GOOD, LONGEST_DELAY, ReconnectBackoff
from tests.engine.clocks import Clock, RandomSource


def delay_after(backoff: ReconnectBackoff, clock: Clock, lasted: float = 0.0) -> float:
    """Let a connection end after so many seconds; returns the delay until the next one."""
    began = clock.monotonic()
    clock.move(lasted)
    backoff.note_end(began)
    for quarters in range(8 * int(LONGEST_DELAY)):
        if backoff.is_over():
            return quarters / 4
        clock.move(0.25)
    raise AssertionError("it is never over")


def test_the_first_connection_is_made_at_once() -> None:
    assert ReconnectBackoff(Clock(), RandomSource(), 2.0).is_over()


def test_the_delay_doubles_up_to_a_limit_and_begins_anew_after_a_good_connection() -> None:
    clock = Clock()
    backoff = ReconnectBackoff(clock, RandomSource(0.0), 2.0)
    assert [delay_after(backoff, clock) for _ in range(9)] == [2, 4, 8, 16, 32, 64, 128, 256, LONGEST_DELAY]
    assert delay_after(backoff, clock, lasted=GOOD - 1) == LONGEST_DELAY
    assert delay_after(backoff, clock, lasted=GOOD) == 2
    assert delay_after(backoff, clock) == 4


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, 2.0), (0.5, 2.5), (1.0, 3.0)])
def test_up_to_half_of_the_delay_is_added_at_random(drawn: float, delay: float) -> None:
    clock = Clock()
    assert delay_after(ReconnectBackoff(clock, RandomSource(drawn), 2.0), clock) == delay


def test_a_connection_after_thousands_of_failures_is_still_tried() -> None:
    clock = Clock()
    backoff = ReconnectBackoff(clock, RandomSource(0.0), 2.0)
    for _ in range(2000):
        backoff.note_end(clock.monotonic())
    assert delay_after(backoff, clock) == LONGEST_DELAY
