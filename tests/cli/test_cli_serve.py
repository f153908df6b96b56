"""Real processes: how serve and its kin begin, log and stop."""

import logging
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.version import version
from plexsync.cli.call import Call
from plexsync.cli.commands.serve import Reporter
from plexsync.cli.daemon import idle_exit
from plexsync.cli.daemon.dashboard_process import STOP, greeting
from plexsync.cli.daemon.plex_children import PlexChildren
from plexsync.cli.daemon.shift import PlexAnswers, Shift, put_together
from plexsync.cli.daemon.signals import Stop
from plexsync.cli.logs import LOG_FILE
from plexsync.cli.settings import settings
from plexsync.cli.terminal.screen import LiveLine
from plexsync.engine.engine import Idle, Worked
from plexsync.rules.servers.errors import Damaged, LocalFault
from plexsync.simulator.http import Fault
from plexsync.store import intake
from plexsync.store.files import worker_ends
from plexsync.store.files.lock import is_locked
from tests import forked
from tests.cli.conftest import Door
from tests.journey.world import KEY, ROOT, TOKEN, World, until
from tests.patience import HANG
from validation.config import PlexSyncConfig


@pytest.fixture
def real(world: World) -> None:
    """What signals do, and how a process ends, is tried with new interpreters."""
    world.real = True


def ended(process: subprocess.Popen[str], number: int) -> int:
    process.send_signal(number)
    return process.wait(timeout=HANG)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_works_logs_one_event_a_line_and_stops_in_good_order(world: World, number: int, code: int) -> None:
    ids = world.add(3)
    process = world.start("serve")
    until(lambda: world.in_step(ids))
    assert ended(process, number) == code
    lines = world.log().splitlines()
    assert "stopped in good order" in lines[-1]
    for line in lines:
        moment, level, logger, _ = line.split(" ", 3)
        assert len(moment) == 20
        assert moment.endswith("Z")
        assert level in ("INFO", "WARNING")
        assert logger.startswith("PlexSync.")
    assert any("settings: plex_url=" in line for line in lines)
    assert any("worked: 3 in sync" in line for line in lines)
    assert TOKEN not in world.log()
    assert KEY not in world.log()
    assert "Traceback" not in world.log()


def test_the_log_of_the_worker_says_what_plex_keeps_of_the_scenes_in_sync(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    report = Reporter(LiveLine(Console()), Counter())
    report(Worked({("scene", 1): "done", ("scene", 2): "done"}, {("scene", 1): "person 7", ("scene", 2): "in step"}))
    report(Idle(None))
    report(Worked({("scene", 3): "done"}, {("scene", 3): "in step"}))
    report(Idle(None))
    assert [line for line in caplog.messages if line.startswith("worked")] == [
        "worked: 2 in sync but for 7 fields kept in Plex (plexsync drift)", "worked: 1 in sync"
    ]  # fmt: skip


def test_serve_logs_at_the_level_that_was_asked_for(world: World) -> None:
    ids = world.add(1)
    process = world.piped("serve", PLEXSYNC_LOG="error")
    until(lambda: world.in_step(ids))
    assert ended(process, signal.SIGTERM) == 0
    assert process.communicate() == ("", "")


def not_restarted() -> set[int]:
    """The exit codes after which systemd lets the service rest."""
    unit = (ROOT / "deploy" / "plexsync.service").read_text(encoding="utf-8")
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    return {int(code) for code in codes.split()}


def test_what_may_pass_by_itself_ends_serve_with_a_code_after_which_it_is_started_again(world: World) -> None:
    ids = world.add(1)
    process = world.start("serve")
    until(lambda: world.in_step(ids))
    db = sqlite3.connect(world.folder / "plexsync.db", isolation_level=None)
    db.execute("pragma writable_schema = on")
    db.execute("update sqlite_master set sql = 'no table any more' where name = 'job'")
    db.execute("pragma schema_version = 4711")
    db.close()
    assert process.wait(timeout=HANG) == 1
    assert "plexsync.db is damaged" in world.log()
    assert "Traceback" not in world.log()
    assert 1 not in not_restarted()

    again = world.start("serve")
    until(lambda: world.log().count("PlexSync.serve serving") == 2)
    assert ended(again, signal.SIGTERM) == 0


def test_what_a_person_has_to_change_ends_serve_with_a_code_after_which_it_is_not(world: World) -> None:
    world.settings["max_retries"] = "many"
    assert world.run("serve").returncode == 2
    del world.settings["max_retries"]
    assert world.run("status").returncode == 0
    with sqlite3.connect(world.folder / "plexsync.db") as db:
        db.execute("pragma user_version = 99")
    db.close()
    assert world.run("serve").returncode == 3
    assert not_restarted() == {2, 3}


def test_a_worker_inside_stash_that_waits_for_its_settings_is_one_and_ends_when_it_is_switched_off(
    world: World,
) -> None:
    assert world.run("status").returncode == 0
    intake.switch(str(world.folder), intake.ON)
    world.unset = ("plex_token",)
    world.stash.faults.set(Fault("refuse"))
    process = world.start("serve", "--as-needed")
    until(lambda: "waiting for Stash" in world.log())
    assert is_locked(world.folder)
    intake.switch(str(world.folder), intake.OFF)
    assert process.wait(timeout=HANG) == 0
    assert "PlexSync.serve switched off in Stash" in world.log()


def test_a_database_that_can_not_be_opened_just_now_is_waited_for(tmp_path: Path, monkeypatch, caplog) -> None:
    folder, config = tmp_path / "data", PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    tried, stop = [], Stop(0)

    def failing(*words: object, **more: object):
        tried.append(words)
        if len(tried) < 4:
            raise LocalFault("no space is left for plexsync.db", full=True)
        return open_parts(*words, **more)

    monkeypatch.setattr("plexsync.cli.daemon.shift.open_parts", failing)
    monkeypatch.setattr("plexsync.engine.loop.FULL_PAUSE", 0.01)
    try:
        with ExitStack() as held:
            parts = put_together(held, config, folder, stop, inside=False)
            assert parts is not None
            assert [record.getMessage() for record in caplog.records] == ["paused: no space is left for plexsync.db"]
            tried.clear()
            assert put_together(held, config, folder, stop, inside=True) is None, "it is not switched on in Stash"
            stop.ask()
            assert put_together(held, config, folder, stop, inside=False) is None
            assert tried == []
    finally:
        stop.done()


def test_a_database_that_fails_as_the_work_begins_is_waited_for_and_opened_anew(tmp_path: Path, monkeypatch) -> None:
    folder, config = tmp_path / "data", PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    begun, stop = [], Stop(0)

    def begin(parts: Parts) -> None:
        with parts.store.reading():
            begun.append(parts)
        if len(begun) < 3:
            raise LocalFault("the connection was lost")

    monkeypatch.setattr("plexsync.cli.daemon.shift.pause_after", lambda _fault: 0.0)
    with ExitStack() as held:
        parts = put_together(held, config, folder, stop, begin, inside=False)
        assert len(begun) == 3
        assert parts is begun[-1]
        with parts.store.reading():
            pass
        for before in begun[:-1]:
            with pytest.raises(LocalFault, match="closed"), before.store.reading():
                pass


class Steps:
    """Receives the steps of a worker."""

    parts: Parts | None = None

    def __init__(self) -> None:
        self.all: list[object] = []

    def __call__(self, step: object) -> None:
        self.all.append(step)

    def flush(self) -> None:
        """Nothing is logged."""


def test_a_worker_begins_nothing_while_the_manifest_of_its_plugin_is_away(
    world: World, door: Door, tmp_path: Path, monkeypatch, caplog
) -> None:
    caplog.set_level("INFO")
    manifest = tmp_path / "StashPlexSync.yml"
    manifest.touch()
    monkeypatch.setattr(idle_exit, "MANIFEST", manifest)
    monkeypatch.setattr(idle_exit, "LOOK", 0.01)
    world.settings["poll_interval"] = "0.1"
    (id,) = world.add(1)
    assert door("sync", "--all", "--wait", "--yes").code == 0
    call, stop, steps = Call(), Stop(0), Steps()
    shift = Shift(
        *(call, stop, steps),
        pages=None,
        provider=PlexAnswers(),
        children=PlexChildren(call),
        as_needed=False,
        sign=None,
    )
    thread = threading.Thread(target=shift.work, args=(settings(call, SettingsNeed.WORK),))
    thread.start()
    try:
        until(lambda: steps.all)
        manifest.unlink()
        count = len(steps.all)
        until(lambda: "is not there" in caplog.text or len(steps.all) > count + 5)
        assert "waiting: " in caplog.text, "it went on"
        count = len(steps.all)
        world.stash.quiet_edit(id, title="While it is updated")
        intake.store(str(world.folder), "scene", id)
        manifest.touch()
        until(lambda: world.plex.item(world.plex.keys(world.section)[0]).scalars["title"] == "While it is updated")
        assert len(steps.all) > count
    finally:
        stop.ask()
        thread.join(HANG)
        stop.done()


def test_damage_is_not_waited_for(tmp_path: Path, monkeypatch) -> None:
    def failing(*_: object, **__: object):
        raise Damaged("plexsync.db is damaged")

    monkeypatch.setattr("plexsync.cli.daemon.shift.open_parts", failing)
    stop = Stop(0)
    try:
        with ExitStack() as held, pytest.raises(Damaged):
            put_together(held, PlexSyncConfig(plex_url="http://a", plex_token="x" * 20), tmp_path, stop, inside=False)
    finally:
        stop.done()


@pytest.mark.usefixtures("real")
def test_serve_stops_in_time_although_plex_hangs(world: World) -> None:
    world.settings["plex_read_timeout"] = "120"
    world.add(3)
    world.plex.faults.set(Fault("hang"))
    process = world.start("serve", hasty=True)
    until(lambda: world.plex.count() > 0)
    assert ended(process, signal.SIGTERM) == 0
    assert "in good order" not in world.log(), "it did not wait for Plex"
    assert not (world.folder / worker_ends.MARK).exists(), "it was asked to end, so it was not killed"


@pytest.mark.parametrize("words", [("sync", "--all", "--wait"), ("drain",), ("reconcile",)], ids=" ".join)
def test_an_interrupted_command_ends_with_130_and_no_traceback(words: tuple[str, ...], world: World) -> None:
    world.add(60)
    assert world.run("sync", "--all").returncode == 0
    # Plex answers nothing before the signal is sent, so the command is in the midst of its work.
    world.plex.faults.set(Fault("latency", seconds=HANG))
    world.plex.clear_log()
    process = world.start(*words, real=True)
    until(lambda: world.plex.count() > 0)
    process.send_signal(signal.SIGINT)
    world.plex.faults.clear()
    assert process.wait(timeout=HANG) == 130
    assert "Traceback" not in world.log()
    left = world.run("status", "--json")
    assert left.returncode == 0
    assert world.count("running") == 0


@pytest.mark.usefixtures("real")
def test_an_impatient_second_signal_ends_at_once(world: World) -> None:
    world.settings["plex_read_timeout"] = "120"
    world.add(3)
    world.plex.faults.set(Fault("hang"))
    process = world.start("serve")
    until(lambda: world.plex.count() > 0)

    def impatient() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    until(impatient)
    assert process.returncode == 130
    assert "in good order" not in world.log()
    assert "Traceback" not in world.log()


def test_a_reader_that_leaves_is_no_fault(world: World) -> None:
    # Whether Stash has these scenes is not known, so they are queued.
    world.stash.faults.set(Fault("refuse"))
    assert world.run("sync", *map(str, range(1, 2000))).returncode == 0
    command = f"{sys.executable} -m plexsync status --json | head -1"
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=world.environ, capture_output=True, text=True, check=True, timeout=HANG
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.usefixtures("real")
def test_a_reader_that_left_before_is_no_fault(world: World) -> None:
    process = world.piped("status")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=HANG) == 1
    assert process.stderr.read() == ""


def test_a_closed_input_is_one_where_nobody_answers(world: World) -> None:
    done = in_a_shell(world, "init", "<&-")
    assert done.returncode == 2
    assert done.stderr.endswith("plexsync: nobody is there to answer: give --yes. See 'plexsync init --help'.\n")


ANSWERS = pytest.mark.parametrize(
    "words", ["status", "status --json", "--version", "dlq list --json", "nonsense --json"]
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@ANSWERS
def test_an_answer_for_which_there_is_no_space_is_one_line_and_1(words: str, world: World) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = forked.run(
            ["-m", "plexsync", *words.split()],
            cwd=ROOT,
            env=world.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    why = "No space left on device"
    assert (done.returncode, done.stderr) == (1, f"plexsync: standard output can't be written: {why}\n")


@ANSWERS
def test_an_answer_that_can_not_be_written_is_one_line_and_1(words: str, world: World) -> None:
    done = in_a_shell(world, words, ">&-")
    why = "Bad file descriptor"
    assert (done.returncode, done.stderr) == (1, f"plexsync: standard output can't be written: {why}\n")


def test_errors_and_progress_that_nobody_can_see_leave_the_answer_alone(world: World) -> None:
    world.add(2)
    done = in_a_shell(world, "sync --all --wait", "2>&-")
    assert (done.returncode, done.stdout) == (0, "2 in sync\n")


def in_a_shell(world: World, words: str, where: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m plexsync {words} {where}"
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=world.environ, capture_output=True, text=True, check=False, timeout=HANG
    )


def on_a_terminal(
    world: World, *words: str, until_shown: str = "", columns: int = 100, answer: str = ""
) -> tuple[int, str]:
    """Run a command with a terminal for standard error and output; returns its exit code and what was shown.

    With an `answer` standard input is one too, and a question is answered by it.
    """
    master, slave = pty.openpty()
    environ = {**world.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
    process = forked.Popen(
        ["-m", "plexsync", *words],
        cwd=ROOT,
        env=environ,
        stdin=slave if answer else None,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown, end = b"", time.monotonic() + HANG
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    block = os.read(master, 65536)
                except OSError:
                    break
                if not block:
                    break
                shown += block
            if answer and b"[y/N]" in shown:
                os.write(master, answer.encode())
                answer = ""
            if until_shown and until_shown.encode() in shown and process.poll() is None:
                process.send_signal(signal.SIGINT)
                until_shown = ""
        return process.wait(timeout=HANG), shown.decode("utf-8", "replace")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_serve_keeps_a_live_line_on_a_terminal(world: World) -> None:
    world.add(60)  # more than one batch: the last one ends a moment after the line was drawn
    code, shown = on_a_terminal(world, "serve", until_shown="60 in sync | 0 queued | Plex up | Stash up")
    assert code == 130
    assert "Traceback" not in shown


def test_on_a_terminal_serve_begins_with_three_lines_and_the_settings_are_in_the_log_file_alone(world: World) -> None:
    _, shown = on_a_terminal(world, "serve", until_shown="0 queued | ")
    assert f"PlexSync {version()} keeps Plex in sync with Stash.\r\nDashboard: none" in shown
    assert STOP in shown
    assert "settings:" not in shown
    assert "settings: plex_url=" in (world.folder / LOG_FILE).read_text(encoding="utf-8")


def test_whoever_asks_for_a_level_of_the_log_sees_all_of_it(world: World) -> None:
    _, shown = on_a_terminal(world, "serve", "-v", until_shown="0 queued | ")
    assert "settings:" in shown
    assert STOP not in shown


@pytest.mark.parametrize(
    ("settings", "web", "line"),
    [
        ({}, True, ""),
        ({}, False, "Dashboard: none, because of --no-web"),
        ({"web_bind": "none"}, True, "Dashboard: none, because web_bind = none"),
        (
            {"web_bind": "0.0.0.0:9797"},
            True,
            "Dashboard: none: web_bind = 0.0.0.0:9797 can be reached by others, so web_password has to be set",
        ),
    ],
)
def test_the_greeting_says_why_there_is_no_dashboard(settings: dict, web: bool, line: str) -> None:
    config = PlexSyncConfig(plex_url="http://a:1", plex_token="x" * 20, stash_url="http://b:1", **settings)
    lines = ("PlexSync 1.2.3 keeps Plex in sync with Stash.", line, STOP)
    assert greeting(config, "1.2.3", web=web) == tuple(filter(None, lines))


def test_the_address_of_the_dashboard_is_said_when_it_listens(world: World) -> None:
    world.settings["web_bind"] = "127.0.0.1:0"
    _, shown = on_a_terminal(world, "serve", until_shown="Dashboard: http://127.0.0.1:")
    assert f"{STOP}\r\n" in shown
    assert " dashboard: http" not in shown


def test_no_address_is_said_where_another_program_listens(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        world.settings["web_bind"] = f"127.0.0.1:{other.getsockname()[1]}"
        _, shown = on_a_terminal(world, "serve", until_shown="Address already in use")
    assert "Dashboard: " not in shown


def test_sync_shows_a_bar_on_a_terminal(world: World) -> None:
    world.add(120)
    world.plex.faults.set(Fault("latency", seconds=0.01))
    code, shown = on_a_terminal(world, "sync", "--all", "--wait")
    assert code == 0
    assert "syncing" in shown
    assert "/120" in shown
    assert "120 in sync" in shown


def test_status_is_coloured_on_a_terminal_only(world: World) -> None:
    code, shown = on_a_terminal(world, "status")
    assert code == 0
    assert "\x1b[1m" in shown
    assert "\x1b" not in world.run("status").stdout


def test_a_piped_table_is_not_folded_and_has_no_blanks_at_its_ends(world: World, tmp_path: Path) -> None:
    path = f"/media/{'a long way down/' * 8}scene.mp4"
    world.plex.add_movie(world.section, files=[(path, 5, 60_000)], title="long")
    world.stash.add_scene(title="long", files=[(path, 5, 60.0)])
    told, _ = world.piped("explain", "1").communicate(timeout=HANG)
    assert path in told
    assert not [line for line in told.splitlines() if line != line.rstrip()]


def test_on_a_terminal_moments_and_words_are_in_one_piece(world: World) -> None:
    world.settings["plex_url"] = "http://127.0.0.1:1"
    world.settings |= {"breaker_recovery_timeout": "60", "breaker_max_recovery_timeout": "60"}
    world.add(1)
    world.run("sync", "1")
    world.run("drain")
    _, shown = on_a_terminal(world, "status", columns=80)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", shown).splitlines()]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if re.search(r"\d{4}-\d\d-[\dT:-]*$| in$| in \d+$", line)]
    assert re.search(r"  in \d+ (s|min)", shown)
    assert re.search(r"Plex +(failing \(\d of 5\)|down) +\d", shown)
    assert "127.0.0.1:1" in shown


def test_on_a_terminal_a_sentence_is_wrapped_between_words(world: World) -> None:
    world.settings["plex_url"] = "http://127.0.0.1:1"
    world.add(1)
    world.run("sync", "1")
    _, shown = on_a_terminal(world, "drain", columns=60)
    told = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n").splitlines()[-3:]
    assert "Plex is down" in " ".join(told)
    assert "refuses connections" in " ".join(told)
    assert max(map(len, told)) <= 60
