"""A Stash that refuses writes: plays wait at a gate of their own, which is forgotten when the way back is switched off."""

import pytest

from plexsync.app.further_flows import forget_way_back
from plexsync.flows.plays.history_poll import count_plays
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.gate_names import gates_to_show
from plexsync.rules.queue.outages import lasting, outages
from plexsync.simulator.http import Fault, Request
from tests.engine.house import House
from tests.engine.pools import Inline

AT = 1_700_000_000


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        yield house


def writing(request: Request) -> bool:
    return b"mutation" in request.body


def refused(house: House) -> list[int]:
    """Plays of several scenes wait, since Stash refuses every write."""
    ids = house.in_step(8)
    for id in ids:
        house.plex_sim.play(house.key_of(id), at=AT)
    house.stash_sim.faults.set(Fault("status", status=500, when=writing))
    assert house.worker.back.history.poll() == ""
    house.work_for(120)
    return ids


def names(house: House) -> list[str]:
    with house.store.reading() as db:
        return gates_to_show({*db.breakers.names(), *db.holds.names(), *db.paces.names()})


def test_nothing_is_shown_before_the_first_write(house):
    house.in_step()
    assert names(house) == ["plex", "stash"]


def test_the_gate_is_shown_closed_with_the_number_of_scenes_whose_plays_wait(house):
    ids = refused(house)
    with house.store.reading() as db:
        states, log = [db.breakers.find(name).state for name in ("plex", "stash", "stash:write")], db.transitions.all()
    assert [state == "closed" for state in states] == [True, True, False]
    (outage,) = lasting(outages(log))
    assert (outage.server, outage.cause, outage.most) == ("stash:write", "write", len(ids))


def test_scenes_are_synced_meanwhile_and_plays_arrive_when_stash_accepts_them(house):
    ids = refused(house)
    house.stash_sim.edit_scene(ids[0], title="Edited")
    house.want(ids[0])
    house.work_for(10)
    assert house.title_in_plex(ids[0]) == "Edited"
    house.stash_sim.faults.clear()
    house.work_for(7200)
    assert [sorted(house.stash_sim.plays.of(id)) for id in ids] == [[AT]] * len(ids)
    with house.store.reading() as db:
        assert lasting(outages(db.transitions.all())) == []
        assert count_plays(db, 1, 0) == (len(ids), 0)
    assert house.rows("select state, count(*) from play group by state") == [("sent", len(ids))]
    assert names(house) == ["plex", "stash", "stash:write"]


def test_switched_off_nothing_of_the_gate_is_left_but_the_outage_that_is_over(house):
    refused(house)
    house.replace_worker(watch=None)
    for _ in range(2):
        forget_way_back(house.worker)
    assert names(house) == ["plex", "stash"]
    with house.store.reading() as db:
        (outage,) = outages(db.transitions.all())
        assert outage.end is not None
        assert db.jobs.count_waiting("stash:write") == 0
    assert house.books_balance()


def test_a_hold_ends_with_the_switch_too(house):
    refused(house)
    house.stash_sim.faults.set(Fault("status", status=403, when=writing))
    house.work_for(7200)
    with house.store.reading() as db:
        assert "stash:write" in db.holds.names()
        assert {outage.gate for outage in lasting(outages(db.transitions.all()))} >= {"hold"}
    house.replace_worker(watch=None)
    forget_way_back(house.worker)
    with house.store.reading() as db:
        assert db.holds.names() == set()
        assert lasting(outages(db.transitions.all())) == []
