"""Samples of how the work goes: what they tell, and that they stay out of the way of the work."""

import threading
from contextlib import contextmanager

import pytest

from plexsync.engine.loop import Watcher
from plexsync.engine.watchdog import Heard
from plexsync.flows.scenes.metrics_sampler import Sampler
from plexsync.rules.queue.samples import MINUTE, Sample
from plexsync.rules.servers.errors import LocalFault, Neighbour
from plexsync.simulator.http import Fault
from plexsync.store.database import Database
from tests.engine.house import DAY, HOUR, House


def sampler(house: House) -> tuple[Sampler, dict[Neighbour, Heard]]:
    heard = {who: Heard(lambda: None) for who in Neighbour}
    return Sampler(house.store, house.clock, heard), heard


def kept(house: House) -> list[Sample]:
    with house.store.reading() as db:
        return db.samples.between(0, 2**60)


def test_a_sample_tells_how_scenes_stand_and_what_was_done_since_the_last_one(house):
    taker, heard = sampler(house)
    heard[Neighbour.STASH]()
    taker.sample()
    in_step, absent = house.in_step(3), house.add(2, start=10, in_plex=False)
    house.want(*absent)
    house.work()
    house.want(*house.add(4, start=20))
    for _ in range(7):
        heard[Neighbour.PLEX]()
    house.clock.move(60)
    taker.sample()
    first, second = kept(house)
    assert (first.in_step, first.done, first.stash) == (0, 0, 0), "what went before is nobody's"
    assert (second.in_step, second.waiting, second.absent, second.dead) == (len(in_step), 4, 2, 0)
    assert (second.done, second.plex, second.stash) == (3, 7, 0)
    assert second.at % MINUTE == 0
    assert 60_000 <= second.at - first.at <= 120_000


def test_a_minute_in_which_plex_is_away_counts_as_such(house):
    taker, _ = sampler(house)
    house.plex_sim.faults.set(Fault("status", status=500))
    house.want(*house.add(9))
    for _ in range(20):
        house.step()
        house.clock.move(3)
    taker.sample()
    house.plex_sim.faults.clear()
    house.work_until_settled()
    house.clock.move(60)
    taker.sample()
    assert [(one.plex_away, one.stash_away) for one in kept(house)] == [(1, 0), (0, 0)]


def test_what_a_full_disk_did_not_take_is_in_the_next_sample(house, monkeypatch):
    taker, heard = sampler(house)
    taker.sample()
    house.in_step(2)
    heard[Neighbour.PLEX]()
    house.clock.move(60)

    @contextmanager
    def full(self):
        raise LocalFault("no space is left", full=True)
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Database, "writing", full)
        with pytest.raises(LocalFault):
            taker.sample()
    house.clock.move(60)
    taker.sample()
    first, second = kept(house)
    assert second.at - first.at >= 2 * MINUTE
    assert (second.done, second.plex) == (2, 1)


def test_a_disk_that_stays_full_stops_nothing_but_the_samples(house, caplog):
    looks, often = [], threading.Event()

    def full() -> None:
        looks.append(1)
        if len(looks) == 3:
            often.set()
        raise LocalFault("no space is left", full=True)

    stop = threading.Event()
    watcher = Watcher(full, name="sample", seconds=0.01, stop=stop, clock=house.clock)
    watcher.start()
    often.wait()
    stop.set()
    watcher.join()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_a_database_that_was_put_back_takes_nothing_off(house):
    taker, _ = sampler(house)
    house.in_step(2)
    taker.sample()
    house.change("update book set done = 0, accepted = accepted - done")
    house.clock.move(60)
    taker.sample()
    assert [one.done for one in kept(house)] == [0, 0]


def test_a_sample_wants_and_wakes_nothing(house):
    taker, _ = sampler(house)
    house.want(*house.add(2, in_plex=False))
    house.work()
    before = house.rows("select * from job order by kind, id")
    for _ in range(3):
        house.clock.move(60)
        taker.sample()
    assert house.rows("select * from job order by kind, id") == before
    assert house.books_balance()


# --- growing old -----------------------------------------------------------------------------------------------------


def test_housekeeping_makes_hours_of_minutes_and_forgets_hours(house):
    taker, _ = sampler(house)
    house.worker.engine.prune()
    for _ in range(90):
        house.clock.move(60)
        taker.sample()
    assert len(kept(house)) == 90
    for _ in range(5):
        house.clock.move(DAY / 2)
        house.worker.engine.prune()
    assert sorted(one.minutes for one in kept(house))[-1] <= 60
    assert sum(one.minutes for one in kept(house)) == 90
    assert {one.span for one in kept(house)} == {60 * MINUTE}
    for _ in range(60):
        house.clock.move(DAY / 2)
        house.worker.engine.prune()
    assert kept(house) == []


@pytest.mark.parametrize("leap", [3 * DAY, 400 * DAY, -2 * HOUR, -400 * DAY])
def test_a_clock_that_leapt_deletes_no_sample_until_it_ran_on_for_a_day(house, leap):
    taker, _ = sampler(house)
    house.worker.engine.prune()
    for _ in range(30):
        house.clock.move(60)
        taker.sample()
    before = kept(house)
    house.clock.leap(leap)
    house.clock.move(61)
    house.worker.engine.prune()
    taker.sample()
    house.clock.leap(-leap)
    house.clock.move(61)
    house.worker.engine.prune()
    assert set(before) <= set(kept(house))


def test_a_clock_that_steps_back_tells_of_the_same_minutes_once_more(house):
    taker, _ = sampler(house)
    taker.sample()
    house.in_step(1)
    house.clock.move(120)
    taker.sample()
    before = kept(house)
    house.clock.leap(-120)
    for _ in range(3):
        house.clock.move(60)
        taker.sample()
    after = kept(house)
    assert sum(one.done for one in after) == 1
    assert {one.at for one in before} < {one.at for one in after}
    assert all(one.minutes == 1 for one in after)
