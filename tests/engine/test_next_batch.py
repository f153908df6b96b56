"""While a batch is sent, the next one is read: that costs no request, and nothing is written by what is out of date."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import chain

import pytest

from plexsync.engine.engine import BATCHES, FRESH, QUICK, Worked
from plexsync.rules.queue.job import State
from plexsync.simulator.http import Answer, Fault, Request
from tests.engine.house import KEY, House, fails
from tests.engine.pools import Inline
from tests.engine.toy_flow import StampFlow

BATCH = 4


@pytest.fixture
def house(tmp_path):
    """Small batches. What is sent and read beside the worker is done at once, so that the order is certain."""
    with House(tmp_path / "data", batch=BATCH, pool=Inline()) as made:
        yield made


def queue(house: House, count: int = 3 * BATCH) -> list[int]:
    """Queue new scenes, after a full batch that was quick."""
    ids = house.add(BATCH + count)
    house.want(*ids[:BATCH])
    house.work()
    ids = ids[BATCH:]
    house.want(*ids)
    house.clock.move(3)
    house.forget_requests()
    return ids


def order(house: House) -> str:
    """What was done to items of Plex, in order: R for a read of some, W for the edit of one."""
    return "".join(
        "W" if request.method == "PUT" else "R"
        for request in house.plex_sim.log
        if request.method == "PUT" or request.path.startswith("/library/metadata/")
    )


def at_edit(house: House, happens: Mapping[int, Callable[[], object]]) -> None:
    """Let something happen just before Plex gets its n-th edit, in the thread that sends it."""
    real, sent = house.worker.plex.edit, []

    def edit(*args, **kwargs):
        sent.append(args)
        happens.get(len(sent), lambda: None)()
        return real(*args, **kwargs)

    house.worker.plex.edit = edit


def test_a_batch_is_read_before_the_one_before_it_is_sent_and_each_scene_only_once(house):
    ids = queue(house)
    step = house.step()
    assert isinstance(step, Worked)
    assert len(step.ended) == len(ids), "they are one step"
    assert order(house) == "R" + "R" + "WWWW" + "R" + "R" + "WWWW" + "R" + "WWWW" + "R"
    assert house.stash_sim.count() == 3
    assert house.out_of_step(ids) == []
    assert house.books_balance()


def test_what_was_read_too_long_ago_is_read_again(house):
    ids = queue(house, 2 * BATCH)
    late = ids[-1]

    def pass_time():
        house.clock.move(FRESH + 1)
        house.plex_sim.hand_edit(house.key_of(late), title="By hand")

    at_edit(house, {1: pass_time})
    house.step()
    assert house.title_in_plex(late) == "By hand", "an edit by hand that came meanwhile is kept"
    assert house.out_of_step(ids) == [late]


def test_a_slow_plex_has_nothing_read_ahead(house):
    """An edit that comes meanwhile waits for one batch, and not for two."""
    queue(house)
    at_edit(house, {1: lambda: house.clock.move(QUICK + 1)})
    house.work()
    assert order(house) == "R" + "R" + "WWWW" + "R" + "WWWW" + "R" + "R" + "WWWW" + "R"


def test_a_step_comes_to_an_end_while_there_is_work_left(house):
    ids = queue(house, (BATCHES + 1) * BATCH)
    assert len(house.step().ended) == BATCHES * BATCH
    house.work()
    assert house.out_of_step(ids) == []


def test_while_plex_is_down_what_was_read_ahead_is_given_back_without_blame(house):
    ids = queue(house)
    house.plex_sim.faults.set(fails("PUT"))
    house.work()
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.books_balance()


def test_a_stash_that_fails_meanwhile_costs_the_batch_that_is_sent_nothing(house):
    ids = queue(house, 2 * BATCH)
    answer = house.stash_sim.answer

    def answer_once(request: Request) -> Answer:
        house.stash_sim.faults.set(Fault("status", status=500))
        return answer(request)

    house.stash_sim.answer = answer_once
    house.step()
    assert house.states() == {State.IDLE: 2 * BATCH, State.READY: BATCH}
    house.stash_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0


def test_a_stop_gives_back_what_was_read_ahead(house):
    ids = queue(house)
    stops = []
    at_edit(house, {2: lambda: stops.append(True)})
    house.worker.engine.step(stopping=lambda: bool(stops))
    sent = order(house).count("W")
    assert sent < BATCH
    assert house.states() == {State.IDLE: BATCH + sent, State.READY: len(ids) - sent}
    assert house.rows("select count(*) from pushing") == [(0,)]
    house.work_until_settled()
    assert house.out_of_step(ids) == []


class SharedFlow(StampFlow):
    """The first scene of each batch is a part of one object, so that a write for one of them concerns them all."""

    reads_ahead = True

    def __init__(self, *facts):
        super().__init__(*facts)
        self.looks = []

    def look(self, ids):
        self.looks.append(list(ids))
        return [replace(stamp, keys=self.keys_of(stamp.id)) for stamp in super().look(ids)]

    def save(self, tx, findings, *, now, until):
        writes = super().save(tx, findings, now=now, until=until)
        for write in chain.from_iterable(writes.values()):
            (write.key,) = self.keys_of(write.job.id)
        return writes

    @staticmethod
    def keys_of(id):
        return ("shared",) if id % BATCH == 1 else (str(id),)


def test_what_rests_on_an_object_that_is_written_to_meanwhile_is_looked_at_again(tmp_path):
    flows = []

    def made(worker):
        flows.append(SharedFlow(worker, house, KEY))
        return flows

    house = House.__new__(House)
    house.__init__(tmp_path / "data", batch=BATCH, pool=Inline(), flows=made)
    with house, closing(flows[0]):
        ids = house.add(3 * BATCH)
        for some in (ids[:BATCH], ids[BATCH:]):
            house.want(*some, kind=flows[0].kind)
            house.clock.move(3)
            house.work()
        first, second, third = (ids[at : at + BATCH] for at in range(0, len(ids), BATCH))
        assert flows[0].looks == [first, second, third, third[:1]]
        assert all(house.stash_sim.scene(id).code == house.stash_sim.scene(id).studio for id in ids)
