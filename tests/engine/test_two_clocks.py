"""Two workers by turns, on machines that disagree about the time by four minutes: no wait shrinks, of whatever kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from plexsync.store.postgres.clock import DatabaseClock
from tests.engine.house import House, fails

# How far the wall clock of each machine is from the true time, in milliseconds. The slow one begins.
SKEWS = (-120_000, 120_000)
TURNS = 8
# The moments that all workers on a database compare with their own time.
MOMENTS = {
    "backoff": "select max(due) from job where streak > 0 or attempts > 0",
    "breaker": "select opened_at + wait from breaker where state = 'open'",
    "pace": "select not_before from pace where not_before > 0",
    "hold": "select retest_at from hold",
}
TROUBLES: dict[str, Callable[[House], Fault]] = {
    "backoff": lambda house: fails("PUT", house.key_of(1)),
    "breaker": lambda _house: Fault("status", status=503),
    "pace": lambda _house: Fault("status", status=429, retry_after=120),
    "hold": lambda _house: Fault("status", status=401),
}


def by_the_database(house: House, now: Callable[[], int]) -> list[Callable[[], int]]:
    """The time of two machines that take it from the database; they were started at other moments."""
    start = now()
    return [DatabaseClock(now, machine=lambda began=began: now() - start + began).now for began in (1e6, 5e9)]


def by_their_own(_house: House, now: Callable[[], int]) -> list[Callable[[], int]]:
    """The time of two machines by their own wall clocks."""
    return [lambda skew=skew: now() + skew for skew in SKEWS]


def take_turns(house: House, kind: str, clocks: Callable[[House, Callable[[], int]], list[Callable[[], int]]]) -> bool:
    """Let two workers follow each other without any time passing; returns whether a wait shrank, or Plex was asked."""
    true_time = house.clock.now
    times = clocks(house, true_time)
    house.clock.now = times[0]
    house.replace_worker()
    house.in_step(3)
    house.stash_sim.edit_scene(1, title="Edited")
    house.stash_sim.edit_scene(2, title="Edited")
    house.want(1, 2)
    house.clock.move(5)
    house.plex_sim.faults.set(TROUBLES[kind](house))
    house.work_for(3600, until=lambda: house.rows(MOMENTS[kind]) not in ([], [(None,)]))
    before = house.rows(MOMENTS[kind])
    assert before, f"there is no {kind} to shrink"
    house.forget_requests()
    for turn in range(1, TURNS + 1):
        house.clock.now = times[turn % 2]
        house.replace_worker(holder=f"turn {turn}")
        house.worker.engine.reclaim()
        house.work()
    after = house.rows(MOMENTS[kind])
    return len(after) < len(before) or after < before or house.plex_sim.count() > 0


@pytest.mark.parametrize("kind", MOMENTS)
def test_by_the_time_of_the_database_no_wait_shrinks(tmp_path: Path, kind: str) -> None:
    with House(tmp_path / "house") as house:
        assert not take_turns(house, kind, by_the_database)


@pytest.mark.parametrize("kind", MOMENTS)
def test_by_clocks_of_their_own_they_would_shrink(tmp_path: Path, kind: str) -> None:
    with House(tmp_path / "house") as house:
        assert take_turns(house, kind, by_their_own)
