"""When the worker that is started as it is needed ends."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

import plexsync
from plexsync.app.database_files import lock_of
from plexsync.app.parts import Parts, open_parts
from plexsync.app.switches import back_inside, leave_inside, switched_inside
from plexsync.cli.daemon import idle_exit
from plexsync.cli.daemon.idle_exit import Leaving, await_plugin, patient_lock
from plexsync.cli.daemon.signals import Stop
from plexsync.engine.engine import Idle
from plexsync.engine.loop import Loop
from plexsync.rules.queue.job import PLAYS, Kind, Settled, State, Why
from plexsync.rules.servers.errors import NewerDatabase
from plexsync.store import intake
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.lock import try_lock
from plexsync.store.queue.jobs import AttemptEnding
from tests.engine.clocks import Clock
from tests.engine.house import House
from tests.journey.world import until
from tests.patience import HANG
from validation.config import PlexSyncConfig


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setattr(idle_exit, "LOOK", 0.01)
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20, worker_idle_minutes=5)
    with open_parts(config, tmp_path / "data", worker=True) as made:
        intake.switch(str(made.folder), intake.ON)
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(idle_exit, "monotonic", made.monotonic)
    return made


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stop]:
    # On a busy machine its own patience may not end this process.
    monkeypatch.setattr("plexsync.cli.daemon.signals.GRACE", 10 * HANG)
    made = Stop(0)
    yield made
    made.done()


def started(parts: Parts, stop: Stop) -> tuple[Leaving, threading.Event]:
    ended = threading.Event()
    stop.spread(ended)
    looks = Leaving(parts, stop, ended)
    looks.start()
    return looks, ended


def test_it_ends_when_nothing_was_to_be_done_for_so_long_and_the_next_event_starts_another(parts, clock, stop):
    looks, ended = started(parts, stop)
    clock.move(299)
    assert not stop.event.wait(0.2)
    clock.move(2)
    until(stop.event.is_set)
    looks.join(HANG)
    assert ended.is_set()
    assert intake.read_switch(str(parts.folder)) == intake.LEFT
    assert intake.store_and_check(str(parts.folder), "scene", 1) == ("", True)
    assert intake.store_and_check(str(parts.folder), "scene", 2) == ("", False)
    assert intake.read_switch(str(parts.folder)) == intake.ON


def test_what_waits_keeps_it(parts, clock, stop):
    with parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, parts.clock.now())
    looks, ended = started(parts, stop)
    clock.move(10_000)
    assert not stop.event.wait(0.3)
    assert not leave_inside(parts)
    assert intake.read_switch(str(parts.folder)) == intake.ON
    ended.set()
    looks.join(HANG)


def settled_plays(parts: Parts, id: int) -> None:
    with parts.store.writing() as tx:
        now = parts.clock.now()
        tx.jobs.want(PLAYS, id, Why.EDIT, now)
        (job,) = tx.jobs.claim(1, now=now, lease_ms=120_000, holder="worker", kinds=[PLAYS])
        assert tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, now), 0, 0)], now=now)


def test_plays_keep_it_while_they_are_worked_and_not_while_they_wait(parts, clock, stop, monkeypatch):
    looked, unpatched = [], Leaving._why_idle
    monkeypatch.setattr(Leaving, "_why_idle", lambda self: looked.append(clock.steady) or unpatched(self))
    looks, _ = started(parts, stop)
    until(lambda: looked)
    for id in range(1, 5):
        settled_plays(parts, id)
        count = len(looked)
        until(lambda count=count: len(looked) > count + 1)
        clock.move(299)
        assert not stop.event.wait(0.1)
    with parts.store.writing() as tx:
        tx.jobs.want(PLAYS, 7, Why.EDIT, parts.clock.now())
    clock.move(2)
    until(stop.event.is_set)
    looks.join(HANG)
    with parts.store.reading() as db:
        assert db.jobs.find(PLAYS, 7).state is State.READY


def test_it_ends_when_it_is_switched_off(parts, clock, stop):
    looks, _ = started(parts, stop)
    assert not stop.event.wait(0.1)
    intake.switch(str(parts.folder), intake.OFF)
    until(stop.event.is_set)
    looks.join(HANG)


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("a bug"), NewerDatabase("of a later version")])
def test_a_look_that_fails_is_no_reason_not_to_look_again(parts, clock, stop, monkeypatch, fault):
    looked, switched = [], switched_inside

    def failing(parts):
        looked.append(fault)
        if len(looked) <= 3:
            raise fault
        return switched(parts)

    monkeypatch.setattr(idle_exit, "switched_inside", failing)
    looks, _ = started(parts, stop)
    intake.switch(str(parts.folder), intake.OFF)
    until(stop.event.is_set)
    looks.join(HANG)
    assert len(looked) == 4


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """A file of the program that an update may replace."""
    file = tmp_path / "__init__.py"
    file.write_text("1")
    monkeypatch.setattr(plexsync, "__file__", str(file))
    monkeypatch.setattr(idle_exit, "BEGAN_WITH", idle_exit.look_at_program())
    return file


def test_it_ends_when_another_version_is_installed_and_the_next_event_starts_that(parts, clock, stop, program):
    with parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, parts.clock.now())
    looks, _ = started(parts, stop)
    program.unlink()
    assert not stop.event.wait(0.02), "it is being unpacked"
    program.write_text("another")
    until(stop.event.is_set)
    looks.join(HANG)
    assert intake.store_and_check(str(parts.folder), "scene", 2) == ("", True), "whatever waits there"


def test_it_ends_when_the_program_was_removed_and_is_not_back_in_a_moment(parts, clock, stop, program):
    with parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, parts.clock.now())
    looks, ended = started(parts, stop)
    program.unlink()
    until(stop.event.is_set)
    looks.join(HANG)
    assert ended.is_set()
    assert intake.read_switch(str(parts.folder)) == intake.LEFT


def test_an_edit_right_after_the_plugin_was_removed_stays_in_stash(tmp_path, monkeypatch, stop):
    monkeypatch.setattr(idle_exit, "LOOK", 0.001)
    with House(tmp_path / "house") as house:
        (id,) = house.in_step()
        looks, removed = [], []

        class Manifest:
            def exists(self) -> bool:
                looks.append(id)
                if len(looks) > 9:
                    stop.ask()
                return not removed

        def report(step):
            if removed:
                stop.ask()
            elif isinstance(step, Idle):
                removed.append(id)
                house.edit(id, title="After the plugin was removed")

        monkeypatch.setattr(idle_exit, "MANIFEST", Manifest())
        ways = {"between": partial(await_plugin, stop.event), "report": report, "stop": stop.event}
        Loop(house.worker.engine, house.store, house.clock, poll_seconds=1, **ways).serve()
        assert house.states() == {State.READY: 1}
        assert house.plex_sim.count("PUT") == 0


def test_one_that_is_replaced_leaves_and_the_next_one_is_switched_on(parts, clock, stop):
    intake.switch(str(parts.folder), intake.AGAIN)
    assert idle_exit.waits_no_longer(parts.folder, clock.steady) == "switched off in Stash"
    looks, _ = started(parts, stop)
    until(stop.event.is_set)
    looks.join(HANG)
    assert intake.read_switch(str(parts.folder)) == intake.LEFT
    back_inside(parts.folder)
    assert intake.read_switch(str(parts.folder)) == intake.ON


def test_one_that_was_switched_off_meanwhile_is_not_started_again(parts):
    intake.switch(str(parts.folder), intake.OFF)
    assert not leave_inside(parts, idle=False)
    assert intake.read_switch(str(parts.folder)) == intake.OFF


def test_settings_that_stash_alone_has_are_waited_for_some_minutes_or_until_it_is_switched_off(parts, clock):
    began = clock.steady
    assert idle_exit.waits_no_longer(parts.folder, began) == ""
    clock.move(idle_exit.LONGEST_WAIT + 1)
    assert "for 5 minutes" in idle_exit.waits_no_longer(parts.folder, began)
    intake.switch(str(parts.folder), intake.OFF)
    assert idle_exit.waits_no_longer(parts.folder, clock.steady) == "switched off in Stash"
    assert idle_exit.waits_no_longer(parts.folder / "nowhere", clock.steady) == "", "that can't be told"


def test_a_worker_that_is_just_ending_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(idle_exit, "LOOK", 0.05)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    other = try_lock(folder)
    threading.Timer(0.3, other.release).start()
    with patient_lock(StoreAddress(folder), threading.Event()) as mine:
        assert mine


def test_one_that_works_on_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(idle_exit, "LOOK", 0.05)
    monkeypatch.setattr(idle_exit, "LAST_OF_OTHERS", 0.2)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with try_lock(folder), patient_lock(StoreAddress(folder), threading.Event()) as mine:
        assert not mine


# --- where nothing can be noted --------------------------------------------------------------------------------------


def damaged_where_a_want_writes(folder: Path) -> None:
    with sqlite3.connect(folder / "plexsync.db") as db:
        db.execute("pragma wal_checkpoint(truncate)")
        (page,) = db.execute("select rootpage from sqlite_master where name = 'job'").fetchone()
    db.close()
    with (folder / "plexsync.db").open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    """The folder of a database that is switched on inside Stash, was worked a while ago, and is damaged."""
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    with open_parts(config, tmp_path / "data", worker=True) as made, made.store.writing() as tx:
        tx.notes.save(intake.INSIDE, intake.ON)
        tx.notes.save(intake.BEAT, "1768471200000")
    damaged_where_a_want_writes(tmp_path / "data")
    return str(tmp_path / "data")


def aged(folder: str, seconds: float) -> None:
    os.utime(Path(folder, intake.STARTED_FILE), (time.time() - seconds,) * 2)


def test_an_event_at_a_damaged_database_starts_the_worker_that_mends_it_once_a_minute(damaged):
    trouble, starts = intake.store_and_check(damaged, "scene", 1)
    assert "malformed" in trouble
    assert starts
    assert not intake.store_and_check(damaged, "scene", 2)[1], "it was just started"
    aged(damaged, 61)
    assert intake.store_and_check(damaged, "scene", 3)[1]
    assert len(intake.list_spooled(damaged, 10, 0)) == 3
    with lock_of(StoreAddress(Path(damaged))) as mine:
        assert mine
    assert intake.read_switch(damaged) == intake.ON, "what was made anew is still switched on"
    assert intake.store_and_check(damaged, "scene", 4)[0] == ""


@pytest.mark.parametrize(
    ("inside", "beat", "starts"), [("on", "", True), ("left", "now", True), ("on", "now", False), ("", "", False)]
)
def test_at_a_damaged_database_the_worker_is_started_only_if_it_is_switched_on_and_does_not_live(
    tmp_path, inside, beat, starts
):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    with open_parts(config, tmp_path / "data", worker=True) as made, made.store.writing() as tx:
        tx.notes.save(intake.INSIDE, inside)
        tx.notes.save(intake.BEAT, str(made.clock.now()) if beat else "")
    damaged_where_a_want_writes(tmp_path / "data")
    assert intake.store_and_check(str(tmp_path / "data"), "scene", 1)[1] == starts


def test_a_locked_database_of_a_worker_that_lives_starts_no_other(parts):
    with parts.store.writing() as tx:
        tx.notes.save(intake.BEAT, str(parts.clock.now()))
    with closing(sqlite3.connect(parts.folder / "plexsync.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        trouble, starts = intake.store_and_check(str(parts.folder), "scene", 1)
    assert "locked" in trouble
    assert not starts
