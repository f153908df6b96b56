"""Working on and on: until nothing is due, or for ever, through wake-ups, outages and faults of our own disk."""

import json
from itertools import pairwise

import pytest

from plexsync.engine.engine import Idle
from plexsync.engine.loop import Loop, Watcher
from plexsync.rules.queue.job import State
from plexsync.rules.queue.worker_ends import after_end
from plexsync.rules.servers.errors import Damaged, LocalFault, Unusable
from plexsync.simulator.http import Fault
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.ledger.lasting import LastingThread, ended_threads
from tests.engine.house import DAY, fails
from tests.engine.test_engine_crashes import pass_days


class Stop:
    """A request to stop, whose waiting moves the clock."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = False
        self.waits = []

    def is_set(self):
        return self.asked

    def set(self):
        self.asked = True

    def wait(self, seconds):
        self.waits.append(seconds)
        self.clock.move(seconds)
        return self.asked


@pytest.fixture
def stop(house):
    return Stop(house.clock)


def loop(house, stop, *, poll_seconds=1.0, **heard):
    return Loop(house.worker.engine, house.store, house.clock, poll_seconds=poll_seconds, stop=stop, **heard)


def stop_when(stop, condition):
    """Told of every step, it stops the loop once something is true."""
    steps = []

    def told(step):
        steps.append(step)
        if condition() or len(steps) > 5000:
            stop.set()

    return told


def test_a_drain_works_until_nothing_is_due_and_tells_what_it_did(house, stop):
    ids = house.add(60)
    house.want(*ids)
    ran = loop(house, stop).drain()
    assert (ran.outcomes, ran.reason, ran.until) == ({"done": 60}, "", None)
    assert house.out_of_step(ids) == []


def test_a_drain_does_not_wait_for_what_is_due_later(house, stop):
    ids = house.in_step(4)
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(ids[0], title="Edited")
    ran = loop(house, stop).drain()
    assert ran.outcomes == {"waiting": 1}
    assert ran.until == house.row(ids[0]).due > house.clock.now()


def test_a_job_that_is_to_be_tried_again_counts_once_however_often_it_was_tried(house, stop):
    ids = house.in_step(4)
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(ids[0], title="Edited")
    house.edit(ids[1], title="Edited")
    ran = None
    for _ in range(3):
        ran = loop(house, stop).drain(before=ran)
        house.clock.move(120)
        assert ran.outcomes == {"waiting": 2}
    house.plex_sim.faults.clear()
    house.clock.move(3600)
    assert loop(house, stop).drain(before=ran).outcomes == {"done": 2}


def test_a_drain_says_which_gate_is_closed(house, stop):
    house.want(*house.add(1))
    house.plex_sim.token = "another"
    ran = loop(house, stop).drain()
    assert "plex_token" in ran.reason


def test_a_drain_that_waits_goes_on_through_an_outage(house, stop):
    ids = house.add(3)
    house.want(*ids)
    house.plex_sim.faults.set(Fault("status", status=500, times=16))
    ran = loop(house, stop).drain(wait_for=lambda: not house.unsettled())
    assert (ran.outcomes, ran.again) == ({"done": 3}, {})
    assert house.out_of_step(ids) == []


class Commits:
    """Waits for commits, which moves the clock; `each` is called after each wait."""

    def __init__(self, clock, each=lambda: None):
        self.clock = clock
        self.each = each
        self.waits = []

    def wait(self, seconds):
        self.waits.append(round(seconds, 1))
        self.clock.move(seconds)
        self.each()

    def forget(self):
        pass


@pytest.mark.parametrize(("poll_seconds", "looks"), [(1, [1.0] * 30), (60, [5.0] * 6)])
def test_an_idle_worker_looks_again_after_its_poll_interval_but_five_seconds_at_most(house, stop, poll_seconds, looks):
    commits, steps = Commits(house.clock), []

    def told(step):
        steps.append(house.clock.monotonic())
        if len(steps) == 3:
            stop.set()

    loop(house, stop, report=told, poll_seconds=poll_seconds, commits=commits).serve()
    assert commits.waits == looks * 2
    assert [round(b - a, 1) for a, b in pairwise(steps)] == [30.0] * 2, "the queue itself is read at times as well"


def test_an_idle_worker_rests_until_something_is_due(house, stop):
    (id,) = house.add()
    house.want(id)
    house.change(f"update job set due = {house.clock.now() + 7_000}")
    commits = Commits(house.clock)
    loop(house, stop, report=stop_when(stop, lambda: not house.unsettled()), poll_seconds=5, commits=commits).serve()
    assert commits.waits == [5.0, 2.0]
    assert house.out_of_step([id]) == []


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["back", "ahead"])
def test_an_idle_worker_reads_the_queue_at_once_when_its_clock_was_set(house, stop, seconds):
    commits, steps = Commits(house.clock, lambda: house.clock.leap(seconds)), []

    def told(step):
        steps.append(step)
        if len(steps) == 3:
            stop.set()

    loop(house, stop, report=told, commits=commits).serve()
    assert len(commits.waits) == 2


def test_an_idle_worker_deletes_what_is_old_at_the_pace_of_its_looks(house, stop):
    house.want(*range(1, 1202))
    house.change("update job set state = 'dead', cls = 'bug'")
    house.worker.engine.prune()
    pass_days(house, 29)
    house.clock.move(1.5 * DAY)
    commits = Commits(house.clock)
    loop(house, stop, report=stop_when(stop, lambda: not house.states()), commits=commits).serve()
    assert commits.waits == [1.0, 1.0]


@pytest.mark.sqlite_only
def test_a_commit_of_another_process_wakes_the_worker_within_a_tenth_of_a_second(house, stop):
    (id,) = house.add()
    sleep, start = house.clock.sleep, []

    def sleep_and_want(seconds):
        sleep(seconds)
        if not start:
            start.append(house.clock.monotonic())
            assert intake.store(str(house.folder), "scene", id) == ""
            house.change(f"update job set due = {house.clock.now()}")

    house.clock.sleep = sleep_and_want
    loop(house, stop, report=stop_when(stop, lambda: house.states().get(State.IDLE))).serve()
    assert house.clock.monotonic() - start[0] <= 0.1
    assert house.out_of_step([id]) == []


def test_events_that_hooks_left_as_files_are_taken_over(house, stop):
    (id,) = house.add()
    intake.spool(str(house.folder), json.dumps({"kind": "scene", "id": id, "why": "edit"}).encode(), ".json")
    loop(house, stop).drain()
    assert house.out_of_step([id]) == []


def test_a_spool_that_can_not_be_used_holds_up_no_work_and_is_told_of_once_a_minute(house, stop, caplog):
    ids = house.add(3)
    (house.folder / "spool").write_text("a file in its place")
    house.want(*ids)
    paused, end = [], house.clock.now() + 300_000
    told = stop_when(stop, lambda: house.clock.now() >= end)
    loop(house, stop, report=told, paused=paused.append).serve()
    assert house.out_of_step(ids) == []
    assert set(paused) == {None}
    complaints = [record for record in caplog.records if str(house.folder / "spool") in record.getMessage()]
    assert 4 <= len(complaints) <= 6


def test_the_heart_beats_every_ten_seconds(house, stop):
    beats = set()

    def look():
        with house.store.reading() as db:
            beats.add(db.notes.text("worker:beat"))
        if len(beats) == 4:
            stop.set()

    loop(house, stop, commits=Commits(house.clock, look)).serve()
    times = sorted(map(int, beats))
    assert len(times) == 4
    assert all(10_000 <= b - a <= 11_100 for a, b in pairwise(times))


def test_a_worker_that_stays_up_ends_the_count_of_those_that_ended_by_themselves(house, stop):
    counts = {}

    def ended():
        with house.store.reading() as db:
            return db.notes.text("worker:ended")

    with house.store.writing() as tx:
        tx.notes.save("worker:ended", after_end("", house.clock.now(), "it was killed"))
    began = house.clock.now()

    def told(_step):
        minutes = (house.clock.now() - began) // 60_000
        counts[minutes] = ended() != ""
        if minutes == 11:
            stop.set()

    loop(house, stop, report=told).serve()
    assert [minute for minute, counted in counts.items() if counted] == [*range(10)]
    assert counts[11] is False


def test_what_waits_between_two_steps_until_the_stop_has_nothing_claimed_then(house, stop):
    (id,) = house.in_step()
    house.edit(id, title="Edited while it waits")
    loop(house, stop, between=stop.set).serve()
    assert house.states() == {State.READY: 1}
    assert house.plex_sim.count() == house.stash_sim.count() == 0


def test_a_thread_that_a_fault_ends_is_started_again_and_told_for_ten_minutes(house, stop):
    class Frail(LastingThread):
        ends = 0

        def work(self):
            self.ends += 1
            if self.ends < 3:
                raise ValueError("I/O operation on closed file")

    ended_threads()
    thread, notes = Frail("dashboard", stop), {}
    thread.run()
    assert (thread.ends, stop.waits) == (3, [1, 2])
    began = house.clock.now()

    def told(_step):
        with house.store.reading() as db:
            notes[(house.clock.now() - began) // 60_000] = db.notes.text("worker:thread")
        if 11 in notes:
            stop.set()

    loop(house, stop, report=told).serve()
    assert notes[0] == f"2 {began} {began} dashboard (ValueError)"
    assert (notes[9], notes[11]) == (notes[0], "")


@pytest.mark.parametrize(
    ("fault", "pause"),
    [(LocalFault("no space is left", full=True), 15), (LocalFault("busy"), 5), (Unusable("can't be opened"), 5)],
    ids=["full", "busy", "can't be opened anew"],
)
def test_a_fault_of_our_own_disk_pauses_the_worker_and_never_ends_it(house, stop, monkeypatch, caplog, fault, pause):
    ids = house.add(3)
    house.want(*ids)
    writing = Database.writing

    def failing(self):
        if len(stop.waits) < 20:
            raise fault
        return writing(self)

    monkeypatch.setattr(Database, "writing", failing)
    loop(house, stop, report=stop_when(stop, lambda: not house.unsettled())).serve()
    assert stop.waits == [pause] * 20
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    complaints = [record for record in caplog.records if "paused" in record.getMessage()]
    assert len(complaints) <= 1 + 20 * pause / 60, "a line a minute"


def test_what_has_to_be_done_first_is_tried_again_after_a_fault_and_nothing_is_worked_before(house, stop):
    ids = house.add(3)
    house.want(*ids)
    tried, paused = [], []

    def begin():
        tried.append(house.unsettled())
        if len(tried) < 4:
            raise LocalFault("plexsync.db is busy")

    told = stop_when(stop, lambda: not house.unsettled())
    loop(house, stop, begin=begin, report=told, paused=lambda fault: paused.append(fault and str(fault))).serve()
    assert (tried, stop.waits) == ([3] * 4, [5] * 3)
    assert paused[:3] == ["plexsync.db is busy"] * 3
    assert house.out_of_step(ids) == []


# --- what looks beside it --------------------------------------------------------------------------------------------


def watcher(look, stop, clock, *, seconds=5):
    return Watcher(look, name="poll", seconds=seconds, stop=stop, clock=clock)


def test_damage_that_a_watcher_alone_meets_stops_the_work_and_is_kept_for_whoever_started_it(house, stop):
    damaged = Damaged("plexsync.db is damaged")

    def look():
        raise damaged

    watches = watcher(look, stop, house.clock)
    watches.run()
    assert stop.asked
    with pytest.raises(Damaged) as told:
        watches.confess()
    assert told.value is damaged
    watcher(stop.set, stop, house.clock).confess()


def test_a_fault_that_a_watcher_meets_again_and_again_is_told_once_a_minute(house, stop, caplog):
    looks, end = [], house.clock.now() + 600_000

    def look():
        looks.append(house.clock.now())
        if house.clock.now() >= end:
            stop.set()
        if len(looks) != 3:
            raise LocalFault("plexsync.db can't be used: disk I/O error")

    watcher(look, stop, house.clock).run()
    complaints = [record.getMessage() for record in caplog.records if "poll" in record.getMessage()]
    assert 9 <= len(complaints) <= 11
    assert set(complaints) == {"poll failed: plexsync.db can't be used: disk I/O error"}


def test_one_fault_that_passes_is_no_warning(house, stop, caplog):
    looks = []

    def look():
        looks.append(1)
        if len(looks) == 9:
            stop.set()
        if len(looks) % 2:
            raise LocalFault("plexsync.db is busy")

    watcher(look, stop, house.clock).run()
    assert caplog.records == []


def test_a_fault_of_our_own_disk_while_it_rests_pauses_the_worker_as_well(house, stop, monkeypatch):
    changed, end = Database.has_changed, house.clock.now() + 60_000

    def failing(self):
        if len(stop.waits) < 3:
            raise LocalFault("plexsync.db can't be used: disk I/O error")
        return changed(self)

    monkeypatch.setattr(Database, "has_changed", failing)
    loop(house, stop, report=stop_when(stop, lambda: house.clock.now() >= end)).serve()
    assert stop.waits == [5] * 3


def test_a_worker_that_goes_on_serving_brings_in_step_what_comes(house, stop):
    ids = house.add(5)
    house.want(*ids[:2])
    end = house.clock.now() + 600_000
    later = iter([ids[2:]])

    def told(step):
        if isinstance(step, Idle) and house.clock.now() > end - 300_000:
            house.want(*next(later, ()))
        if house.clock.now() > end:
            stop.set()

    loop(house, stop, report=told, poll_seconds=5).serve()
    assert house.out_of_step(ids) == []


def test_a_worker_goes_on_after_memory_has_run_out(house, stop, monkeypatch):
    """Also where the loop itself has none."""
    ids = house.add(2)
    house.want(*ids)
    real, short = house.worker.engine.step, [MemoryError(), MemoryError()]

    def step(**how):
        if short:
            raise short.pop()
        return real(**how)

    monkeypatch.setattr(house.worker.engine, "step", step)
    loop(house, stop, report=stop_when(stop, lambda: not house.unsettled())).serve()
    assert house.out_of_step(ids) == []
