"""The time of the database, learnt by machines whose own clocks don't matter."""

import threading

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.servers.errors import LocalFault
from plexsync.store.postgres.clock import DRIFT, RENEW, RETRY, SET_BACK, DatabaseClock, Offset, steady
from tests.patience import until

EPOCH = 1_750_000_000_000


def test_a_time_lies_between_the_question_and_the_answer() -> None:
    offset = Offset()
    offset.learn(EPOCH, 100.0, 140.0)
    # The database read its clock somewhere in those 40 ms: nobody is off by more than half of them.
    assert EPOCH <= offset.time(120.0) <= EPOCH + 1
    assert abs(offset.time(5_120.0) - EPOCH - 5_000) <= 1


def test_a_slow_answer_makes_nothing_worse() -> None:
    offset = Offset()
    offset.learn(EPOCH, 100.0, 102.0)
    # Told at the end of a question that took ten seconds, as after a wait for a lock.
    offset.learn(EPOCH + 10_000, 101.0, 10_101.0)
    assert abs(offset.time(20_101.0) - EPOCH - 20_000) <= 3


def test_corrections_of_answers_never_go_back_but_a_clock_that_was_set_back_is_followed() -> None:
    offset = Offset()
    offset.learn(EPOCH, 0.0, 100.0)
    before = offset.time(1_000.0)
    offset.learn(EPOCH + 910, 1_000.0, 1_000.0)
    assert offset.time(1_000.0) == before
    assert offset.time(1_200.0) > before
    offset.learn(EPOCH + 1_200 - 5 * SET_BACK, 1_200.0, 1_200.0)
    assert offset.time(1_200.0) < before - 4 * SET_BACK


@given(st.lists(st.tuples(st.floats(0, 60_000), st.floats(0, 5_000), st.floats(0, 1)), min_size=1, max_size=20))
def test_whatever_the_network_does_the_time_is_as_good_as_the_best_answer_and_never_goes_back(
    answers: list[tuple[float, float, float]],
) -> None:
    """`answers`: the pause before each question, how long it took, and where in it the clock was read."""
    offset, now = Offset(), 1_000.0
    best, before = float("inf"), 0
    for pause, took, where in answers:
        now += pause
        best = min(best + DRIFT * (pause + took) / 1000, took)
        offset.learn(EPOCH + int(now + where * took), now, now + took)
        now += took
        shown = offset.time(now)
        assert shown == before or abs(shown - EPOCH - now) <= best + 2
        assert shown >= before
        before = shown


class Servers:
    """A database with its own time, and machines that started at other moments."""

    def __init__(self) -> None:
        self.now = float(EPOCH)
        self.away = False
        self.asked = 0

    def ask(self) -> int:
        self.asked += 1
        if self.away:
            raise LocalFault("away")
        return int(self.now)


def test_two_machines_agree_whatever_their_own_clocks_show(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Servers()
    for wall, started in ((EPOCH + 120_000, 1e6), (EPOCH - 120_000, 5e9)):
        monkeypatch.setattr("time.time", lambda wall=wall: wall / 1000)
        monkeypatch.setattr("time.time_ns", lambda wall=wall: wall * 1_000_000)
        clock = DatabaseClock(server.ask, machine=lambda started=started: server.now - EPOCH + started)
        assert abs(clock.now() - server.now) <= 1
        server.now += 9_000
        assert abs(clock.now() - server.now) <= 1


def test_the_database_is_asked_again_beside_the_work_and_an_outage_changes_nothing() -> None:
    server = Servers()
    clock = DatabaseClock(server.ask, machine=lambda: server.now - EPOCH)
    assert server.asked == 1
    server.now += RENEW * 1000 - 1
    clock.now()
    assert server.asked == 1
    server.away = True
    server.now += 1
    assert abs(clock.now() - server.now) <= 1
    until(lambda: server.asked == 2)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "database clock"])
    server.away = False
    clock.now()
    assert server.asked == 2, "it is asked again after a pause only"
    server.now += RETRY * 1000
    clock.now()
    until(lambda: server.asked == 3)


def test_a_database_that_cannot_be_asked_at_first_gives_no_clock() -> None:
    server = Servers()
    server.away = True
    with pytest.raises(LocalFault):
        DatabaseClock(server.ask)


def test_what_another_answer_told_counts_as_well() -> None:
    server = Servers()
    clock = DatabaseClock(server.ask, machine=lambda: server.now - EPOCH)
    server.now += RENEW * 1000 - 1
    clock.learn(int(server.now), server.now - EPOCH)
    server.now += 2
    clock.now()
    assert server.asked == 1


def test_the_steady_clock_never_steps_back() -> None:
    times = [steady() for _ in range(100)]
    assert times == sorted(times)
