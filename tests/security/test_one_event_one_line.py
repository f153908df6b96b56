"""Texts of others (titles, paths, what servers are called) can neither forge a line of the log nor steer a terminal."""

import json
import re
from pathlib import Path

import pytest

from plexsync.cli.main import run
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.journey.world import KEY, TOKEN, World

# What none may write: to begin a line, to move the cursor, to set a window's title, to turn the reading direction.
FORGED = "2031-01-01T00:00:00Z ERROR PlexSync.forged everything was deleted"
TRICKS = [
    f"a\r\n{FORGED}",
    f"b\n\x01e\x02{FORGED}",
    "c\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "d\x9b2J\x9d0;x\x9c",
    "e\u202egnp.exe\u2066\u200f\u061c",
    f"f\u2028{FORGED}\u2029\x85\x0b\x0c",
    "g\x00\x08\x7f\ufeff",
    "[bold red]h[/bold red] [link=file:///etc/passwd]x[/link] :bomb:",
]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR) PlexSync\.\w+ \S")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Scenes with hostile titles, names and paths; Plex knows most of the files, and refuses some edits."""
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        made = World(stash, plex, tmp_path / "data")
        made.section = plex.add_section("Movies\x1b[2J\n" + FORGED, locations=("/media/scenes",))
        for number, trick in enumerate(TRICKS):
            path = f"/media/scenes/{trick.replace('/', '-')} {number}.mp4"
            if number != 2:
                plex.add_movie(made.section, files=[(path, 1_000 + number, 60_000)], title=trick, summary=trick)
            stash.add_scene(
                title=f"{trick} new",
                details=trick,
                studio=trick,
                performers=[trick],
                tags=[trick],
                files=[(path, 1_000 + number, 60.0)],
            )
        made.move_in(monkeypatch)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("COLUMNS", "400")
        monkeypatch.chdir(tmp_path)
        yield made


def test_hostile_texts_stay_on_their_line(world: World, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PLEXSYNC_LOG", "debug")
    world.settings["strict_mode"] = "true"
    keys = world.plex.keys(world.section)
    world.plex.faults.set(
        Fault("status", status=400, when=lambda one: one.method == "PUT" and one.params.get("id") in keys[:3])
    )
    run(["sync", "--all", "--wait"])
    told = "".join(capsys.readouterr())
    check(told)
    for words in (
        ["status"],
        ["dlq", "list"],
        ["dlq", "show", "1"],
        *(["explain", str(id)] for id in range(1, len(TRICKS) + 1)),
        ["doctor"],
        ["reconcile"],
        ["sync", "1", "--wait"],
    ):
        run(["-v", *words])
        out, err = capsys.readouterr()
        assert out
        check(out + err)
        run(["--json", *words])
        out, err = capsys.readouterr()
        assert json.loads(out)
        assert out.isascii()
        check(out + err)
    # What was written to Plex is the text itself, as far as a text may have such characters; the terminal is another matter.
    assert any("red" in request.target for request in world.plex.log if request.method == "PUT")


def check(told: str) -> None:
    found = UNSAFE.search(told)
    assert found is None, (found, told[max(0, found.start() - 100) : found.end() + 20])
    for line in told.split("\n"):
        assert not line.lstrip().startswith(FORGED[:20]), line
        if re.match(r"\d{4}-", line):
            assert LINE.match(line), line


def test_markup_in_a_text_is_no_markup(world: World, capsys) -> None:
    run(["explain", "8"])
    out = capsys.readouterr().out
    assert "[bold red]h[/bold red] [link=file:///etc/passwd]x[/link] :bomb:" in out


def test_the_log_of_a_fault_is_one_line_an_event(world: World, monkeypatch, capsys) -> None:
    """Even a traceback, whose text quotes what was worked."""
    monkeypatch.setenv("PLEXSYNC_LOG", "debug")
    monkeypatch.setattr("plexsync.plex.client.PlexClient.edit", _broken)
    run(["sync", "1", "4"])
    capsys.readouterr()
    run(["drain"])
    err = capsys.readouterr().err
    check(err)
    faults = [line for line in err.splitlines() if "fault of PlexSync" in line and "ERROR" in line]
    assert faults
    for line in faults:
        assert LINE.match(line)
        assert "Traceback" in line


def _broken(*_: object, **__: object) -> None:
    raise ValueError("\n".join(TRICKS))


@pytest.mark.parametrize("trick", TRICKS)
def test_a_fault_at_the_edge_is_one_line(trick: str, world: World, monkeypatch, capsys) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(trick)

    monkeypatch.setattr("plexsync.cli.start.open_store", broken)
    assert run(["status"]) == 1
    err = capsys.readouterr().err
    check(err)
    assert all(line.startswith("plexsync: ") for line in err.splitlines())
