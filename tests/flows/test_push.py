"""Writes that stand ready while others are under way: they hide what the rest takes, and none begins that no longer may."""

import threading

from plexsync.rules.queue.job import State
from tests.engine.house import fails, wait_until_released
from tests.patience import until


def puts(house):
    return [request for request in list(house.plex_sim.log) if request.method == "PUT"]


def test_writes_begin_while_others_are_read_back(house, monkeypatch):
    """What is read back is told once another write has begun."""
    ids = house.add(8)
    monkeypatch.setattr("plexsync.engine.batch.SETTLE_EVERY", 0.05)
    house.clock.each_look = 0.05
    answer, read, begun = house.plex_sim.answer, threading.Event(), []
    under_way, at_once = [], []

    def late(request):
        """The second write ends once the first is read back, and that is told once the third has begun."""
        if request.method == "PUT" and len(puts(house)) == 2:
            until(read.is_set)
        # The look comes before the first write; what is asked for then are items that are read back.
        if request.method == "GET" and puts(house) and not read.is_set():
            read.set()
            until(lambda: len(puts(house)) > 2)
            begun.append(len(puts(house)))
        under_way.append(request.method)
        at_once.append(under_way.count("PUT"))
        try:
            return answer(request)
        finally:
            under_way.remove(request.method)

    house.plex_sim.answer = late
    house.want(*ids)
    house.step()
    assert house.out_of_step(ids) == []
    assert begun
    assert max(at_once) == 1


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
    assert len(puts(house)) == 8 + 2, "the first two values of the refused one alone"


def test_a_stop_is_heard_before_what_stands_ready_begins(house):
    ids = house.add(8)
    answer = house.plex_sim.answer

    def after_the_stop(request):
        """The second write is answered once what had not begun was let go of, however late the engine has its turn."""
        if request.method == "PUT" and len(puts(house)) > 1:
            wait_until_released(house, left=2)
        return answer(request)

    house.plex_sim.answer = after_the_stop
    house.want(*ids)
    house.worker.engine.step(stopping=lambda: bool(puts(house)))
    house.plex_sim.answer = answer
    assert len(puts(house)) <= 2
    assert house.rows("select count(*) from pushing") == [(0,)]
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert len(puts(house)) == 8
