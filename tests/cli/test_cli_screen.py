"""What is drawn where: bars on a terminal alone and never beside JSON, colours as the environment says, tables that fit."""

import json
import re
from io import StringIO

import pytest
from rich.console import Console

from plexsync.cli.terminal.screen import ProgressBar
from plexsync.simulator.http import Fault
from tests import forked
from tests.cli.conftest import Door
from tests.cli.terminal import CODES, ROOT, Terminal
from tests.journey.world import World
from tests.patience import HANG

# What moves the cursor or hides it: a line that is written over and over. Colours alone don't.
DRAWN = ("\x1b[?25l", "\x1b[2K", "\x1b[1A")
COLOURED = ("\x1b[1;31m", "\x1b[33m", "\x1b[1m")


def has(text: str, codes: tuple[str, ...]) -> bool:
    return any(code in text for code in codes)


def piped(world: World, *words: str, **environ: str) -> tuple[str, str]:
    """What comes out of both pipes."""
    done = forked.run(
        ["-m", "plexsync", *words],
        cwd=ROOT,
        env={**world.environ, **environ},
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    return done.stdout, done.stderr


def test_a_bar_never_runs_back_although_work_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_PROGRESS", "stash")
    now = [0.0]
    monkeypatch.setattr("plexsync.cli.terminal.screen.time.monotonic", lambda: now[0])
    out = StringIO()
    with ProgressBar(Console(file=out), "syncing") as bar:
        for remaining, total in ((100, 100), (50, 100), (64, 100), (90, 140), (0, 140)):
            now[0] += 1
            bar.left(remaining, total)
    shares = [float(share) for share in re.findall(r"\x01p\x02([\d.]+)", out.getvalue())]
    assert shares == [0, 0.5, 0.5, 0.5, 1]


@pytest.fixture
def slow(world: World) -> World:
    """Work that takes long enough for a bar."""
    world.add(20)
    world.plex.faults.set(Fault("latency", seconds=0.15))
    return world


@pytest.mark.parametrize(
    "words",
    [("sync", "--all", "--wait"), ("drain",), ("reconcile",), ("sync", "--all", "--dry-run")],
    ids=" ".join,
)
def test_long_work_shows_a_bar_with_pace_and_the_time_that_is_left(
    words: tuple[str, ...], slow: World, door: Door
) -> None:
    if words == ("drain",):
        door("sync", "--all")
    with Terminal(words, slow.environ, columns=60) as terminal:
        assert terminal.end() == 0
        assert has(terminal.raw, DRAWN)
        assert "/20" in terminal.text
        assert max(map(len, re.split("[\r\n]+", CODES.sub("", terminal.raw.replace("\r", "\n"))))) <= 60
        # The cursor is there again at the end.
        assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")


def test_with_json_on_a_terminal_nothing_is_drawn(slow: World) -> None:
    with Terminal(["sync", "--all", "--wait", "--json"], slow.environ) as terminal:
        assert terminal.end() == 0
        assert not has(terminal.raw, DRAWN)
        assert json.loads(terminal.text)["outcomes"] == {"in_step": 20}


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}])
def test_nothing_is_drawn_in_a_pipe_whatever_is_said_of_colours(environ: dict[str, str], slow: World) -> None:
    out, err = piped(slow, "sync", "--all", "--wait", **environ)
    assert not has(out + err, DRAWN)
    assert "20 in sync" in out


def test_nothing_is_drawn_on_a_dumb_terminal(slow: World) -> None:
    with Terminal(["sync", "--all", "--wait"], {**slow.environ, "TERM": "dumb"}) as terminal:
        assert terminal.end() == 0
        assert "\x1b" not in terminal.raw


def test_colours_are_on_a_terminal_alone_unless_the_environment_says_otherwise(world: World) -> None:
    world.add(1)
    with Terminal(["doctor"], world.environ) as terminal:
        assert terminal.end() == 0
        assert has(terminal.raw, COLOURED)
    with Terminal(["doctor"], {**world.environ, "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert "\x1b[33m" not in terminal.raw
        assert "\x1b[1;31m" not in terminal.raw
    assert "\x1b" not in piped(world, "doctor")[0]
    assert has(piped(world, "doctor", FORCE_COLOR="1")[0], COLOURED)


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize(
    "words",
    [("status",), ("doctor",), ("explain", "1"), ("history", "1"), ("dlq", "list"), ("outages",), ("config", "list")],
    ids=" ".join,
)
def test_tables_fit_the_width(
    words: tuple[str, ...], columns: int, world: World, door: Door, refusing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(3)
    refusing(2)
    door("sync", "--all", "--wait")
    monkeypatch.setenv("COLUMNS", str(columns))
    done = door(*words)
    # What is to be copied (a path, an address) stays whole, so it may be longer.
    long = [line for line in done.out.splitlines() if len(line) > columns and " " in line.strip()]
    assert long == []
