"""A clock that steps, with the real store: whatever waits goes on within the longest backoff and a minute."""

import pytest

from plexsync.engine.engine import Idle
from plexsync.rules.queue.job import State
from plexsync.rules.records import HoldRow
from plexsync.rules.servers.errors import Neighbour
from tests.engine.house import DAY, HOUR, House, fails
from tests.engine.pools import Inline

LONGEST = HOUR + 60
YEAR = 365 * DAY
TO_1970 = -1_768_471_100
LEAPS = [
    pytest.param(-90, id="90 s earlier"),
    pytest.param(-HOUR, id="an hour earlier"),
    pytest.param(-DAY, id="a day earlier"),
    pytest.param(-400 * DAY, id="400 days earlier"),
    pytest.param(TO_1970, id="earlier, in 1970"),
    pytest.param(90, id="90 s later"),
    pytest.param(DAY, id="a day later"),
    pytest.param(10 * YEAR, id="ten years later"),
]


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data") as made:
        yield made


def backed_off(house, id):
    house.plex_sim.faults.set(fails("PUT"))
    house.want(id)
    for _ in range(3):
        house.clock.move(1)
        house.work()
    assert house.row(id).state is State.READY
    assert house.row(id).due > house.clock.now()
    house.plex_sim.faults.clear()


def held_by_a_dead_worker(house, id):
    house.want(id)
    with house.store.writing() as tx:
        tx.jobs.claim(50, now=house.clock.now(), lease_ms=120_000, holder="dead")


def crashed_alone(house, id):
    held_by_a_dead_worker(house, id)
    house.worker.engine.reclaim()
    with house.store.writing() as tx:
        tx.jobs.claim(50, now=house.clock.now(), lease_ms=120_000, holder="dead")
    house.worker.engine.reclaim()
    assert house.row(id).due > house.clock.now()


def on_hold(house, id):
    house.want(id)
    with house.store.writing() as tx:
        now = house.clock.now()
        tx.holds.save(Neighbour.PLEX, HoldRow("plex_token", "not accepted", now, now + 300_000, "as set up"))


def throttled(house, id):
    house.want(id)
    with house.store.writing() as tx:
        tx.paces.save(Neighbour.PLEX, tx.paces.find(Neighbour.PLEX).__class__(not_before=house.clock.now() + 3_600_000))


def behind_an_open_breaker(house, id):
    house.plex_sim.faults.set(fails("GET"))
    house.want(id)
    house.work_for(60)
    assert house.breaker() != "closed"
    house.plex_sim.faults.clear()


def absent(house, id):
    key = house.key_of(id)
    files = house.plex_sim.item(key).files
    house.plex_sim.remove(key)
    house.want(id)
    house.work()
    assert house.row(id).state is State.ABSENT
    house.plex_sim.add_movie(house.section, files=files)


STATES = (backed_off, held_by_a_dead_worker, crashed_alone, on_hold, throttled, behind_an_open_breaker, absent)


@pytest.mark.parametrize("leap", LEAPS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_nothing_waits_for_a_time_that_the_clock_has_taken_back(house, state, leap):
    (id,) = house.add()
    state(house, id)
    house.clock.leap(leap)
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    house.work_for(LONGEST, until=lambda: house.out_of_step([id]) == [])
    assert house.out_of_step([id]) == []
    house.work_for(1)
    assert house.row(id).state is State.IDLE
    assert house.attempts_used() == 0
    assert house.books_balance()


@pytest.mark.parametrize("leap", LEAPS)
def test_a_dead_row_is_dead_under_any_clock_and_lives_again_by_an_edit(house, leap):
    (id,) = house.add()
    house.plex_sim.faults.set(fails("PUT", status=414))
    house.want(id)
    house.work()
    house.worker.engine.prune()
    house.plex_sim.faults.clear()
    house.clock.leap(leap)
    house.work_for(LONGEST)
    house.worker.engine.prune()
    assert house.row(id).state is State.DEAD
    house.edit(id, title="Another")
    house.work_for(90)
    assert house.title_in_plex(id) == "Another"


@pytest.mark.parametrize("who", ["hook", "worker"])
def test_a_time_given_by_a_clock_that_was_ahead_for_a_moment_holds_nobody_up(house, who):
    """No claim has seen the clock ahead: a hook has, or the worker between its claim and its settling."""
    (id,) = house.add()
    house.want(id)
    if who == "hook":
        house.step()
        house.clock.leap(400 * DAY)
        house.stash_sim.edit_scene(id, title="From the future")
        house.want(id)
    else:
        house.plex_sim.faults.set(fails("PUT", times=1))
        house.replace_worker(pool=Inline())
        real = house.worker.plex.edit

        def leaping(*args, **kwargs):
            house.clock.leap(400 * DAY)
            return real(*args, **kwargs)

        house.worker.plex.edit = leaping
        house.step()
        house.worker.plex.edit = real
    house.clock.leap(-400 * DAY)
    house.work_for(120)
    assert house.row(id).state is State.IDLE
    assert house.out_of_step([id]) == []


@pytest.mark.parametrize("leap", LEAPS)
def test_a_live_worker_keeps_its_jobs_whatever_the_clock_does_meanwhile(house, leap):
    ids = house.add(4)
    house.replace_worker(pool=Inline())
    real, sent = house.worker.plex.edit, []

    def leaping(section, key, edit, **kwargs):
        sent.append(key)
        if len(sent) == 2:
            house.clock.leap(leap)
        return real(section, key, edit, **kwargs)

    house.worker.plex.edit = leaping
    house.want(*ids)
    house.step()
    assert house.states() == {State.IDLE: 4}
    assert len(sent) == 4, "each was sent once"
    assert house.rows("select done from book") == [(4,)]
    assert isinstance(house.step(), Idle)
