"""Real processes: how serve and its kin begin, log and stop."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.http import Fault
from tests.journey.world import KEY, ROOT, TOKEN, World, until


def ended(process: subprocess.Popen[str], number: int, *, within: float) -> int:
    began = time.monotonic()
    process.send_signal(number)
    code = process.wait(timeout=within)
    assert time.monotonic() - began < within
    return code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_works_logs_one_event_a_line_and_stops_in_good_order(world: World, number: int, code: int) -> None:
    ids = world.add(3)
    process = world.start("serve")
    until(lambda: world.in_step(ids), seconds=20)
    assert ended(process, number, within=10) == code
    lines = world.log().splitlines()
    assert "stopped in good order" in lines[-1]
    for line in lines:
        moment, level, logger, _ = line.split(" ", 3)
        assert len(moment) == 20
        assert moment.endswith("Z")
        assert level in ("INFO", "WARNING")
        assert logger.startswith("PlexSync.")
    assert any("settings: plex_url=" in line for line in lines)
    assert any("worked: 3 in step" in line for line in lines)
    assert TOKEN not in world.log()
    assert KEY not in world.log()
    assert "Traceback" not in world.log()


def piped(world: World, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env={**world.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_serve_logs_at_the_level_that_was_asked_for(world: World) -> None:
    ids = world.add(1)
    with piped(world, "serve", PLEXSYNC_LOG="error") as process:
        until(lambda: world.in_step(ids), seconds=20)
        assert ended(process, signal.SIGTERM, within=10) == 0
        assert process.communicate() == ("", "")


def test_serve_stops_in_time_although_plex_hangs(world: World) -> None:
    world.add(3)
    world.plex.faults.set(Fault("hang"))
    process = world.start("serve")
    until(lambda: world.plex.count() > 0, seconds=20)
    assert ended(process, signal.SIGTERM, within=10) == 0


@pytest.mark.parametrize("words", [("sync", "--all", "--wait"), ("drain",), ("reconcile",)], ids=" ".join)
def test_an_interrupted_command_ends_with_130_and_no_traceback(words: tuple[str, ...], world: World) -> None:
    world.add(60)
    assert world.run("sync", "--all").returncode == 0
    world.stash.faults.set(Fault("latency", seconds=0.3))
    world.plex.faults.set(Fault("latency", seconds=0.3))
    process = world.start(*words)
    until(lambda: world.plex.count() > 0, seconds=20)
    assert ended(process, signal.SIGINT, within=10) == 130
    assert "Traceback" not in world.log()
    left = world.run("status", "--json")
    assert left.returncode == 0
    assert world.count("running") == 0


def test_an_impatient_second_signal_ends_at_once(world: World) -> None:
    world.add(3)
    world.plex.faults.set(Fault("hang"))
    process = world.start("serve")
    until(lambda: world.plex.count() > 0, seconds=20)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert ended(process, signal.SIGINT, within=2) == 130
    assert "Traceback" not in world.log()


def test_a_reader_that_leaves_is_no_fault(world: World) -> None:
    assert world.run("sync", *map(str, range(1, 2000))).returncode == 0
    command = f"{sys.executable} -m cli status --json | head -1"
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=world.environ, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_reader_that_left_before_is_no_fault(world: World) -> None:
    with piped(world, "status") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", ["status", "status --json", "--version", "dlq list --json", "nonsense --json"])
@pytest.mark.parametrize(
    ("where", "why"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
    ids=["full", "closed"],
)
def test_an_answer_that_can_not_be_written_is_one_line_and_1(words: str, where: str, why: str, world: World) -> None:
    done = in_a_shell(world, words, where)
    assert (done.returncode, done.stderr) == (1, f"plexsync: standard output can't be written: {why}\n")


def test_errors_and_progress_that_nobody_can_see_leave_the_answer_alone(world: World) -> None:
    world.add(2)
    done = in_a_shell(world, "sync --all --wait", "2>&-")
    assert (done.returncode, done.stdout) == (0, "2 in step\n")


def in_a_shell(world: World, words: str, where: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m cli {words} {where}"
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=world.environ, capture_output=True, text=True, check=False, timeout=30
    )


def on_a_terminal(
    world: World, *words: str, until_shown: str = "", seconds: float = 30, columns: int = 100, answer: str = ""
) -> tuple[int, str]:
    """Run a command with a terminal for standard error and output; returns its exit code and what was shown.

    With an `answer` standard input is one too, and a question is answered by it.
    """
    master, slave = pty.openpty()
    environ = {**world.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env=environ,
        stdin=slave if answer else None,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown, end = b"", time.monotonic() + seconds
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
        return process.wait(timeout=10), shown.decode("utf-8", "replace")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_serve_keeps_a_live_line_on_a_terminal(world: World) -> None:
    world.add(5)
    code, shown = on_a_terminal(world, "serve", until_shown="5 in step | 0 waiting | Plex well | Stash well")
    assert code == 130
    assert "Traceback" not in shown


def test_sync_shows_a_bar_on_a_terminal(world: World) -> None:
    world.add(120)
    world.plex.faults.set(Fault("latency", seconds=0.01))
    code, shown = on_a_terminal(world, "sync", "--all", "--wait")
    assert code == 0
    assert "syncing" in shown
    assert "/120" in shown
    assert "120 in step" in shown


def test_status_is_coloured_on_a_terminal_only(world: World) -> None:
    code, shown = on_a_terminal(world, "status")
    assert code == 0
    assert "\x1b[1m" in shown
    assert "\x1b" not in world.run("status").stdout


def test_a_piped_table_is_not_folded_and_has_no_blanks_at_its_ends(world: World, tmp_path: Path) -> None:
    path = f"/media/{'a long way down/' * 8}scene.mp4"
    world.plex.add_movie(world.section, files=[(path, 5, 60_000)], title="long")
    world.stash.add_scene(title="long", files=[(path, 5, 60.0)])
    with piped(world, "explain", "1") as process:
        told, _ = process.communicate(timeout=30)
    assert path in told
    assert not [line for line in told.splitlines() if line != line.rstrip()]


def test_on_a_terminal_moments_and_words_are_in_one_piece(world: World) -> None:
    world.settings["plex_url"] = "http://127.0.0.1:1"
    world.add(1)
    world.run("sync", "1")
    world.run("drain")
    _, shown = on_a_terminal(world, "status", columns=80)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", shown).splitlines()]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if re.search(r"\d{4}-\d\d-[\dT:-]*$", line)]
    assert re.search(r"Plex +(failing \(\d of 5\)|away) +\d", shown)
    assert "127.0.0.1:1" in shown


def test_on_a_terminal_a_sentence_is_wrapped_between_words(world: World) -> None:
    world.settings["plex_url"] = "http://127.0.0.1:1"
    world.run("sync", "1")
    _, shown = on_a_terminal(world, "drain", columns=60)
    told = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n").splitlines()[-3:]
    assert "Plex is away" in " ".join(told)
    assert "refuses connections" in " ".join(told)
    assert max(map(len, told)) <= 60
