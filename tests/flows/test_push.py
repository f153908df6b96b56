"""Writes that stand ready while others are under way: they hide what the rest takes, and none begins that no longer may."""

import time

from plexsync.rules.job import State
from plexsync.simulator.http import Fault
from tests.engine.house import fails


def puts(house):
    return [request for request in list(house.plex_sim.log) if request.method == "PUT"]


def test_writes_begin_while_others_are_read_back(house, monkeypatch):
    ids = house.add(8)
    monkeypatch.setattr("plexsync.flows.scenes.push.SETTLE_EVERY", 0.05)
    monkeypatch.setattr(house.clock, "monotonic", time.monotonic)
    # The look comes before the first write; what is asked for then are items that are read back.
    house.plex_sim.faults.set(
        Fault("latency", seconds=0.2, when=lambda request: request.method == "PUT"),
        Fault(
            "latency",
            seconds=0.6,
            when=lambda request: bool(puts(house)) and request.path.startswith("/library/metadata/"),
        ),
    )
    house.want(*ids)
    house.step()
    assert house.out_of_step(ids) == []
    first, *_ = (
        request
        for request in house.plex_sim.log
        if request.path.startswith("/library/metadata/") and request.at_monotonic > puts(house)[0].at_monotonic
    )
    begun = [request for request in puts(house) if first.at_monotonic < request.at_monotonic < first.ended_monotonic]
    assert begun
    assert house.plex_sim.most_at_once("PUT") == 1


def test_what_stands_ready_is_not_sent_once_a_write_has_failed_for_all(house):
    ids = house.add(8)
    house.plex_sim.faults.set(fails("PUT", status=401))
    house.want(*ids)
    house.step()
    assert len(puts(house)) == 1
    assert house.rows("select count(*) from pushing") == [(0,)]
    assert {house.row(id).state for id in ids} == {State.READY}
    assert house.attempts_used() == 0


def test_after_the_failure_of_one_the_others_go_on(house):
    ids = house.add(8)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[2]), status=400))
    house.want(*ids)
    house.step()
    assert house.out_of_step(ids) == [ids[2]]
    assert len(puts(house)) == 8


def test_a_stop_is_heard_before_what_stands_ready_begins(house):
    ids = house.add(8)
    house.plex_sim.faults.set(Fault("latency", seconds=0.2, when=lambda request: request.method == "PUT"))
    house.want(*ids)
    house.worker.engine.step(stopping=lambda: bool(puts(house)))
    assert len(puts(house)) < 4
    assert house.rows("select count(*) from pushing") == [(0,)]
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert len(puts(house)) == 8
