"""`plexsync log`: the last lines, new lines as they come, and a file that is renewed meanwhile."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.cli.commands.log import LogTail
from tests.cli.conftest import Door
from tests.journey.world import TOKEN, World
from tests.patience import until

LINES = [f"2026-03-04T05:06:{n:02}Z {'WARNING' if n % 5 == 0 else 'INFO'} PlexSync.engine line {n}" for n in range(20)]


@pytest.fixture
def file(world: World) -> Path:
    path = world.folder / "plexsync.log"
    path.write_text("".join(f"{line}\n" for line in LINES))
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes started here can be interrupted, also if this one ignores that, as in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_last_lines_are_shown_oldest_first(file: Path, door: Door) -> None:
    assert door("log", "-n", "3").out.splitlines() == LINES[-3:]
    assert door("log", "-n", "2", "--json").facts == {"file": str(file), "lines": LINES[-2:]}


def test_older_files_come_before(file: Path, door: Door) -> None:
    file.with_name("plexsync.log.1").write_text("2026-03-03T00:00:00Z INFO PlexSync.engine older\n")
    file.with_name("plexsync.log.2").write_text("2026-03-02T00:00:00Z INFO PlexSync.engine oldest\n")
    out = door("log", "-n", "100").out.splitlines()
    assert [line.rsplit(maxsplit=1)[-1] for line in out[:2]] == ["oldest", "older"]
    assert out[2:] == LINES


def test_a_level_keeps_its_lines_and_what_goes_on_with_them(file: Path, door: Door) -> None:
    with file.open("a") as log:
        log.write("2026-03-04T05:07:00Z ERROR PlexSync.engine failed\nits cause\n")
        log.write("2026-03-04T05:07:01Z INFO PlexSync.engine well\nmore of it\n")
    out = door("log", "--level", "error").out.splitlines()
    assert out == ["2026-03-04T05:07:00Z ERROR PlexSync.engine failed", "its cause"]
    assert [line for line in door("log", "--level", "warning").out.splitlines() if "WARNING" in line] == LINES[::5]


def test_without_a_log_that_is_told(world: World, door: Door) -> None:
    done = door("log")
    assert done.code == 1
    assert "plexsync.log does not exist" in done.err


def test_it_is_shown_while_the_settings_are_wrong(file: Path, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_MAX_RETRYS", "3")
    assert door("--data-dir", file.parent, "log", "-n", "1").out.splitlines() == LINES[-1:]


def test_a_secret_that_came_into_the_file_is_not_shown(file: Path, door: Door) -> None:
    with file.open("a") as log:
        log.write(f"2026-03-04T05:07:00Z INFO PlexSync.engine {TOKEN}\n")
    assert "***" in door("log", "-n", "1").out


def test_control_characters_do_not_reach_the_terminal(file: Path, door: Door) -> None:
    with file.open("a") as log:
        log.write("2026-03-04T05:07:00Z INFO PlexSync.engine \x1b[2J\n")
    assert "\x1b" not in door("log", "-n", "1").out


def test_follow_and_json_do_not_go_together(file: Path, door: Door) -> None:
    assert door("log", "-f", "--json").code == 2


def follow(file: Path) -> Iterator[str]:
    tail = LogTail(file, "debug")
    _, place = tail.last(1)
    return tail.follow(place)


def test_new_lines_come_whole_and_in_order_also_when_the_file_is_renewed(file: Path) -> None:
    lines = follow(file)
    with file.open("a") as log:
        log.write("2026-03-04T05:07:00Z INFO one\n2026-03-04T05:07:01Z INFO tw")
        log.flush()
        assert next(lines).endswith("one")
        log.write("o\n")
        log.flush()
        assert next(lines).endswith("INFO two")
    file.rename(file.with_name("plexsync.log.1"))
    file.write_text("2026-03-04T05:08:00Z INFO three\n")
    assert next(lines).endswith("three")
    file.write_text("")
    file.write_text("2026-03-04T05:09 INFO four\n")
    assert next(lines).endswith("four")


@pytest.mark.usefixtures("interruptible")
def test_following_goes_on_until_it_is_interrupted(file: Path, world: World) -> None:
    with world.piped("log", "-f", "-n", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline().rstrip() == LINES[-1]
        with file.open("a") as log:
            log.write("2026-03-04T05:07:00Z INFO PlexSync.engine new\n")
        assert process.stdout.readline().rstrip().endswith("new")
        process.send_signal(signal.SIGINT)
        until(lambda: process.poll() is not None)
        assert process.returncode == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""
