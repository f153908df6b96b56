"""status --watch: drawn on a real terminal, again and again, whatever becomes of terminal and database; it asks nobody."""

import json
import re
import signal
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.app.settings import PLUGIN
from plexsync.rules.queue.note_keys import NEWS
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.store.schema import SCHEMA
from tests.cli.conftest import Door
from tests.cli.terminal import CODES, ELSEWHERE, Terminal
from tests.journey.world import TOKEN, World
from tests.patience import HANG, until
from tests.tables import table

OPENED, LEFT, SHOWN, HIDDEN, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h", "\x1b[?25l", "\x1b[H"
# Stash may take its time for an answer.
PATIENT = f"from plexsync.app import asking\nasking.ASK_READ = {HANG}\n{ELSEWHERE}"
# It is drawn again for another size, and never because of the time.
SELDOM = f"from plexsync.cli.commands import status_watch\nstatus_watch.EVERY = 1e9\n{ELSEWHERE}"


@pytest.fixture
def lively(world: World, door: Door, refusing: Callable[..., None]) -> World:
    """Three scenes in step, one given up, two that wait for Plex to be back."""
    world.add(4)
    refusing(4)
    door("sync", "--all", "--wait")
    world.plex.faults.clear()
    world.add(2, start=4)
    door("sync", "5", "6")
    return world


def watching(world: World, *words: str, columns: int = 100, lines: int = 60, program: str = ELSEWHERE) -> Terminal:
    return Terminal(["status", "--watch", *words], world.environ, columns=columns, lines=lines, program=program)


def change(world: World, sql: str, *values: str) -> None:
    """Change the database behind PlexSync's back."""
    with closing(sqlite3.connect(world.folder / "plexsync.db", timeout=HANG)) as db, db:
        db.execute(sql, values)


def last_frame(terminal: Terminal) -> list[str]:
    """The lines that are on the screen, without the blanks at their ends."""
    return [line.rstrip() for line in CODES.sub("", terminal.raw.split(LEFT)[0].split(HOME)[-1]).split("\n")]


def is_restored(terminal: Terminal) -> bool:
    """Whether the terminal is as it was: its first screen, its cursor, and how it treats what is typed."""
    raw = terminal.raw
    screen = raw.count(OPENED) == raw.count(LEFT) == 1 and raw.rindex(SHOWN) > raw.rindex(HIDDEN)
    return screen and terminal.modes() == terminal.before


@pytest.mark.parametrize("key", ["q", "Q", "\x03"], ids=["q", "Q", "Ctrl-C"])
def test_it_draws_until_a_key_ends_it_and_leaves_the_terminal_as_it_was(lively: World, key: str) -> None:
    asked = len(lively.plex.log) + len(lively.stash.log)
    with watching(lively) as terminal:
        for words in ("No worker runs", "3 of 6 were in sync", "2 queued", "Queue", "Servers", "books", "q ends"):
            terminal.until(words)
        terminal.press("x")
        terminal.taken()
        terminal.until("q ends")
        terminal.press(key)
        assert terminal.end() == 0
        assert is_restored(terminal)
        assert "Traceback" not in terminal.text
    assert len(lively.plex.log) + len(lively.stash.log) == asked


def test_a_signal_from_elsewhere_ends_it_in_good_order(lively: World) -> None:
    with watching(lively) as terminal:
        terminal.until("q ends")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert is_restored(terminal)


def test_a_stash_that_has_the_settings_and_hangs_does_not_keep_you(world: World) -> None:
    world.stash.plugin_settings[PLUGIN] = {"plex_token": TOKEN}
    world.unset = ("plex_token",)
    world.stash.faults.set(Fault("latency", seconds=HANG))
    with watching(world, program=PATIENT) as terminal:
        until(lambda: world.stash.log)
        for _ in range(2):
            terminal.press("\x03")
            terminal.taken()
        assert terminal.end() == 130
        assert is_restored(terminal)
    world.stash.faults.clear()


def test_it_draws_what_status_prints(lively: World) -> None:
    with Terminal(["status"], lively.environ, columns=100, lines=60) as terminal:
        assert terminal.end() == 0
        printed = terminal.text
    with watching(lively) as terminal:
        terminal.until("q ends")
        terminal.press("q")
        terminal.end()
        assert "\x1b[1mNo worker runs" in terminal.raw
        *drawn, hint = filter(None, last_frame(terminal))
    assert hint == "q ends"
    assert without_times(drawn) == without_times(filter(None, map(str.rstrip, printed.split("\n"))))


def without_times(lines: Iterable[str]) -> list[str]:
    return [re.sub(r"\d+ (s|min) ago", "a while ago", line) for line in lines]


def test_it_shows_what_happens_while_it_runs(world: World) -> None:
    world.plex.faults.set(Fault("latency", seconds=HANG, when=lambda request: request.method == "PUT"))
    world.add(12)
    with watching(world) as terminal:
        terminal.until("No worker runs")
        worker = world.start("sync", "--all", "--wait")
        terminal.until("12 queued")
        world.plex.faults.clear()
        worker.wait(HANG)
        terminal.until("12 of 12 were in sync")
        terminal.press("q")
        assert terminal.end() == 0


def test_another_size_is_drawn_at_once(lively: World) -> None:
    with watching(lively, program=SELDOM) as terminal:
        terminal.until("q ends")
        assert max(map(len, last_frame(terminal))) > 60
        terminal.resize(60, 70)
        terminal.until("q ends")
        terminal.press("q")
        assert terminal.end() == 0
        assert max(map(len, last_frame(terminal))) <= 60


def test_a_small_terminal_shows_the_first_lines(lively: World) -> None:
    with watching(lively, columns=40, lines=5) as terminal:
        terminal.until("No worker runs")
        terminal.press("q")
        assert terminal.end() == 0
        lines = last_frame(terminal)
    assert len(lines) == 5
    assert lines[0].startswith("No worker runs")
    assert max(map(len, lines)) <= 40


def test_a_database_that_can_not_be_read_is_told_and_read_again(lively: World, door: Door, tmp_path: Path) -> None:
    assert door("backup", tmp_path / "copy.db").code == 0
    change(lively, "pragma user_version = 9999")
    with watching(lively) as terminal:
        terminal.until("newer")
        terminal.until("q ends")
        change(lively, f"pragma user_version = {SCHEMA}")
        terminal.until("3 of 6 were in sync")
        change(lively, "delete from job where state = 'dead'")
        terminal.until("DO NOT BALANCE")
        assert door("restore", tmp_path / "copy.db", "--yes").code == 0
        terminal.until("3 of 6 were in sync")
        terminal.press("q")
        assert terminal.end() == 0
        assert is_restored(terminal)


def test_settings_that_are_wrong_are_told_until_they_are_right(lively: World, tmp_path: Path) -> None:
    settings = tmp_path / "plexsync.toml"
    settings.write_text("dlq_max = -1\n")
    settings.chmod(0o600)
    with watching(lively, "--config", str(settings)) as terminal:
        terminal.until("dlq_max")
        settings.write_text("")
        terminal.until("3 of 6 were in sync")
        terminal.press("q")
        assert terminal.end() == 0


def test_of_several_servers_it_draws_all(lively: World, tmp_path: Path) -> None:
    with PlexSim(token=TOKEN) as attic:
        settings = tmp_path / "plexsync.toml"
        entries = (("living", lively.plex.url), ("attic", attic.url))
        settings.write_text("".join(f'[[plex]]\nname = "{name}"\nplex_url = "{url}"\n' for name, url in entries))
        settings.chmod(0o600)
        lively.unset = ("plex_url",)
        with watching(lively, "--config", str(settings), lines=120) as terminal:
            terminal.until("living: ")
            terminal.until("attic: ")
            terminal.until("q ends")
            terminal.press("q")
            assert terminal.end() == 0


def test_what_is_new_stays_so_until_it_is_printed(lively: World, door: Door) -> None:
    news = json.dumps([{"version": "9.0.0", "settings": ["poster"], "text": "It is shown."}])
    change(lively, "insert or replace into note (name, value) values (?, ?)", NEWS, news)
    with watching(lively) as terminal:
        for _ in range(2):
            terminal.until("New in 9.0.0: It is shown.")
        terminal.press("q")
        terminal.end()
    assert "New in 9.0.0" in door("status").out
    assert "New in 9.0.0" not in door("status").out


NO_DRAWING = {
    "a pipe": (["status", "--watch"], "--watch draws on a terminal"),
    "JSON": (["status", "--watch", "--json"], "--watch draws on a terminal"),
    "a scene": (["status", "--watch", "7"], "one thing at a time"),
    "a list": (["status", "--watch", "--without-item"], "one thing at a time"),
}


@table("name", NO_DRAWING)
def test_where_it_can_not_draw_it_says_so_in_one_sentence(name: str, lively: World, door: Door) -> None:
    words, sentence = NO_DRAWING[name]
    done = door(*words)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_a_terminal_that_can_not_be_drawn_on_is_left_alone(lively: World) -> None:
    with Terminal(["status", "--watch"], {**lively.environ, "TERM": "dumb"}) as terminal:
        terminal.until("--watch draws on a terminal")
        assert terminal.end() == 2
        assert OPENED not in terminal.raw


def test_without_a_keyboard_a_signal_ends_it(lively: World) -> None:
    script = f"import os, sys\nsys.stdin = open(os.devnull)\n{ELSEWHERE}"
    with watching(lively, program=script) as terminal:
        terminal.until("q ends")
        terminal.press("\x03")
        assert terminal.end() == 0
        assert is_restored(terminal)
