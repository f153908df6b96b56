"""top: drawn on a real terminal, printed as one frame, written as lines; it reads the database and asks nobody."""

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from plexsync.cli.terminal.snapshot import Coming, Event, Glance, Rates, RunningJob
from plexsync.cli.terminal.top_screen import frame
from plexsync.reports.shapes.status import VerdictFacts, VerdictPart
from plexsync.rules.queue.job import State
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.cli.conftest import Door
from tests.cli.terminal import Terminal
from tests.journey.world import ROOT, World
from tests.patience import HANG

OPENED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture
def lively(world: World, door: Door, refusing: object) -> World:
    """Three scenes in step, one given up, two that wait for Plex to be back."""
    world.add(4)
    refusing(4)
    door("sync", "--all", "--wait")
    world.plex.faults.clear()
    world.add(2, start=4)
    door("sync", "5", "6")
    return world


def watching(world: World, *words: str, columns: int = 80, lines: int = 24) -> Terminal:
    return Terminal(["top", *words], world.environ, columns=columns, lines=lines)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 0)], ids=["q", "Ctrl-C"])
def test_it_draws_until_a_key_ends_it_and_leaves_the_terminal_as_it_was(lively: World, key: str, code: int) -> None:
    asked = len(lively.plex.log) + len(lively.stash.log)
    with watching(lively) as terminal:
        terminal.until("no worker runs")
        terminal.until("3 in sync")
        terminal.until("2 queued")
        terminal.until("1 needs you")
        terminal.until("Syncing: nothing")
        terminal.until("Latest")
        terminal.press("x")
        terminal.taken()
        terminal.press(key)
        assert terminal.end() == code
        assert terminal.raw.count(OPENED) == terminal.raw.count(LEFT) == 1
        assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")
        assert terminal.modes() == terminal.before
    assert len(lively.plex.log) + len(lively.stash.log) == asked


def test_a_signal_from_elsewhere_ends_it_in_good_order(lively: World) -> None:
    with watching(lively) as terminal:
        terminal.until("Latest")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert LEFT in terminal.raw
        assert terminal.modes() == terminal.before


def test_it_shows_what_happens_while_it_runs(world: World) -> None:
    world.plex.faults.set(Fault("latency", seconds=HANG, when=lambda request: request.method == "PUT"))
    world.add(12)
    # There is room for all twelve, in whatever order they are done.
    with watching(world, "--every", "0.5", lines=60) as terminal:
        terminal.until("no worker runs")
        worker = world.start("sync", "--all", "--wait")
        terminal.until("worker runs")
        terminal.until("writing to item")
        world.plex.faults.clear()
        worker.wait(HANG)
        # Whatever was read between two ticks, the end is seen.
        terminal.until("12 in sync")
        terminal.press("q")
        assert terminal.end() == 0
        assert "Title 11" in terminal.text


def test_another_size_is_drawn_at_once(lively: World) -> None:
    with watching(lively, "--every", "60") as terminal:
        terminal.until("Latest")
        terminal.resize(60, 20)
        terminal.until("Latest")
        terminal.press("q")
        assert terminal.end() == 0


def test_one_frame_fits_where_it_is_printed(lively: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (60, 80, 140, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        done = door("top", "--once")
        assert done.code == 0
        assert max(map(len, done.out.splitlines())) <= columns
        assert "\x1b" not in done.out
        assert "3 in sync" in done.out


def test_as_json_it_is_a_line_at_every_look(lively: World, door: Door) -> None:
    done = door("top", "--once", "--json")
    (line,) = done.out.splitlines()
    facts = json.loads(line)
    assert facts["jobs"]["idle"] == 3
    assert facts["jobs"]["dead"] == 1
    assert facts["servers"]["plex"]["stands"] == "up"
    assert {event["scene"] for event in facts["latest"]} == {"1", "2", "3", "4"}
    assert [event["well"] for event in facts["latest"] if event["scene"] == "4"] == [False]
    assert facts["done_per_minute"] is None

    process = lively.piped("top", "--json", "--every", "0.5")
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (0, "")
    assert [one["jobs"]["idle"] for one in lines] == [3, 3, 3]
    assert lines[2]["done_per_minute"] == 0.0


def test_where_it_can_not_draw_it_says_what_to_use(lively: World, door: Door) -> None:
    done = door("top")
    assert done.code == 2
    for words in ("--once", "--json", "plexsync status"):
        assert words in done.err
    with Terminal(["top"], {**lively.environ, "TERM": "dumb"}) as terminal:
        terminal.until("--once")
        assert terminal.end() == 2
        assert OPENED not in terminal.raw


def test_no_title_gets_into_a_log(lively: World) -> None:
    with watching(lively, "-v") as terminal:
        terminal.until("Latest")
        terminal.press("q")
        terminal.end()
        outside = terminal.raw.split(OPENED)[0] + terminal.raw.split(LEFT)[1]
    assert "Title" not in outside


# --- the frame by itself -----------------------------------------------------------------------------------------------

SERVER = {
    "state": "open",
    "stands": "down",
    "hold": None,
    "error": "Plex at nas:32400 refuses connections: is it running? " * 3,
    "asked_for_patience_until": None,
    "jobs_per_claim": 0,
}
HOSTILE = "a\x1b[31mred\n\u202eevil [bold]x[/bold] " + "日本語" * 40


def crowded(count: int) -> Glance:
    return Glance(
        now=1_700_000_000_000,
        jobs=dict.fromkeys(State, 1_234_567),
        due=1_234_567,
        done=5,
        changed=1_234,
        spooled=3,
        worker={
            "running": True,
            "alive": True,
            "starting": False,
            "inside": False,
            "heartbeat": None,
            "enabled": True,
            "ended": None,
            "thread_ended": None,
        },
        verdict={
            "tone": "bad",
            "text": HOSTILE,
            "parts": [{"tone": "bad", "text": HOSTILE, "yours": True}],
            "next_check": "2023-11-14T22:13:30Z",
        },
        beat=1_700_000_000_000 - 5_000,
        servers={"plex": SERVER, "stash": {**SERVER, "stands": "well", "error": ""}},
        work=tuple(RunningJob(str(10**9 + n), HOSTILE, "writing to item 1", 1_699_999_999_000) for n in range(count)),
        events=tuple(Event(1_699_999_000_000, f"tag:{n}", HOSTILE, HOSTILE, n % 2 == 0) for n in range(count)),
        coming=(Coming(1_700_000_060_000, "Plex is tried again"),),
    )


@pytest.mark.parametrize("count", [0, 3, 60])
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (140, 40), (150, 24), (200, 60)])
def test_a_frame_fits_any_size(size: tuple[int, int], count: int) -> None:
    width, height = size
    out = Console(width=width, height=height, color_system=None, force_terminal=False)
    with out.capture() as caught:
        out.print(frame(crowded(count), 12.3, width=width, height=height, hint="q ends", trouble="busy"))
    lines = caught.get().splitlines()
    assert len(lines) <= height
    assert max(cell_len(line) for line in lines) <= width
    assert "\x1b[31m" not in caught.get()
    assert "\u202e" not in caught.get()
    if count:
        assert sum("1000000" in line for line in lines) >= 1
        assert any("tag:0" in line for line in lines)


def test_a_verdict_that_is_longer_than_a_line_takes_two(capsys: pytest.CaptureFixture[str]) -> None:
    needs: VerdictPart = {"tone": "wait", "yours": True, "text": "950 of 1,000 in sync · 25 need you"}
    snapshot = crowded(0)
    told: VerdictFacts = {
        **snapshot.verdict,
        "parts": [needs, {"tone": "well", "yours": False, "text": "25 not in Plex yet"}],
    }
    Console(width=60, height=24, color_system=None).print(
        frame(replace(snapshot, verdict=told), None, width=60, height=24, hint="")
    )
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()[:2]] == [
        "950 of 1,000 in sync · 25 need you → plexsync fix · 25 not",
        "in Plex yet · next check in 10 s",
    ]


def test_a_choice_fits_into_eighty_columns() -> None:
    hold = {"setting": "plex_url", "choice": "plex-server", "message": HOSTILE, "since": None, "retest_at": None}
    snapshot = Glance(**{**vars(crowded(0)), "servers": {"plex": {**SERVER, "stands": "on hold", "hold": hold}}})
    out = Console(width=80, height=24, color_system=None)
    with out.capture() as caught:
        out.print(frame(snapshot, None, width=80, height=24, hint=""))
    (line,) = [line for line in caught.get().splitlines() if line.startswith("Plex ")]
    assert "another Plex server answers: plexsync accept plex-server" in line


def test_without_colours_the_bar_tells_the_states_apart() -> None:
    out = Console(width=80, height=24, color_system=None)
    with out.capture() as caught:
        out.print(frame(crowded(1), None, width=80, height=24, hint=""))
    (bar,) = [line for line in caught.get().splitlines() if re.search("[█▒]", line)]
    assert {"█", "▓", "▒", "░", "╳", "─"} <= set(bar)
    assert len(bar) == 80


def test_a_pace_is_that_of_the_last_minute_and_a_clock_that_stepped_back_begins_anew() -> None:
    rates = Rates()
    for second, done in ((0, 0), (30, 30), (60, 60), (120, 60)):
        rates.take(Glance(**{**vars(crowded(0)), "now": second * 1000, "done": done}))
    assert rates.per_minute() == 0
    rates.take(Glance(**{**vars(crowded(0)), "now": 50_000, "done": 60}))
    assert rates.per_minute() is None
    rates.take(Glance(**{**vars(crowded(0)), "now": 80_000, "done": 70}))
    assert rates.per_minute() == 20


def test_the_pictures_in_the_docs_are_of_its_shape() -> None:
    page = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    for words in ("worker runs, heard of", "Syncing:", "Latest", "pace ", "next "):
        assert words in page
    assert Path(ROOT / "docs" / "commands.md").read_text(encoding="utf-8").count("terminal.md") >= 1


def test_what_is_due_comes_next(world: World, door: Door) -> None:
    world.add(3)
    door("sync", "--all")
    assert "nothing while no worker runs" in door("top", "--once").out
    with try_lock(world.folder):
        told = door("top", "--once").out
    assert "3 jobs due now" in told
    assert "nothing until something changes" not in told
