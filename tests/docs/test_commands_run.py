"""Every command that stands in a page as an example is run, against a world in which it has something to do."""

import logging
import re
import shutil
import signal
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from plexsync.cli.main import run
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.docs.pages import examples
from tests.journey.world import KEY, TOKEN, World, until
from tests.patience import HANG

EXAMPLES = examples()

# Not run here, and why.
NOT_RUN = {
    "demo": "it is a play of a minute; tests/journey/test_demo.py watches it",
    "init": "it signs in with an account of Plex and asks a person; its own tests answer it",
    "log": "it shows a log that a worker wrote, or follows it; its own tests do both",
    "status --watch": "it draws until it is stopped; its own tests read the screen",
    "verify": "what it finds depends on the examples that ran before; its own tests count",
    "move": "it needs a PostgreSQL; its own tests have one",
    "provider": "it changes the Plex that the other examples share, which asks it; its own tests have a Plex each",
    "completion": "it speaks to a shell; its own tests try it with one",
}
# What ends with 1 in this world, and why that is right.
ENDS_WITH_1 = {
    "plexsync accept plex-server": "it is the same server",
    "plexsync accept scenes-gone": "no scene is gone",
    "plexsync accept scenes-older": "no scene is older",
    "plexsync accept items-gone": "no item is gone",
    "plexsync ping 7": "no worker runs",
    "plexsync ping 7 --json": "no worker runs",
    "plexsync sync --all --wait": "a sweep takes up no scene that Plex refused",
    "plexsync unignore 7": "7 is not ignored",
    "plexsync unbind 7 1234": "7 is not bound",
    "plexsync import --undo 1": "nothing was imported",
    "plexsync notify --test": "no way is set",
    "plexsync plays undo 7 12": "no play was sent for them",
    "plexsync plays redo 7": "the way back is off",
    "plexsync plays again 7": "the way back is off",
    "plexsync collections keep 3": "nobody edited it in Plex",
    "plexsync collections use-stash 3 --part poster": "nobody edited it in Plex",
    "plexsync collections unkeep 3": "nobody keeps it",
    "plexsync collections take 3": "it is PlexSync's already",
    "plexsync drift --keep 7": "nobody edited 7 in Plex",
    "plexsync drift --keep 7 --field title": "nobody edited 7 in Plex",
}
STASH2PLEX = {"plex_url": "http://127.0.0.1:32400", "plex_token": TOKEN, "plex_library": "Movies"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Sixty scenes in step, but for 7 and 12, which Plex refused after they were edited."""
    place = tmp_path_factory.mktemp("docs")
    (place / "data").mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        world = World(stash, plex, place / "data")
        world.section = plex.add_section("Movies", locations=("/media/scenes",))
        world.add(60)
        stash.plugin_settings["Stash2Plex"] = STASH2PLEX
        assert world.run("sync", "--all", "--wait").returncode == 0
        keys = plex.keys(world.section)
        refused = Fault(
            "status", status=400, when=lambda one: one.method == "PUT" and one.params.get("id") in (keys[6], keys[11])
        )
        plex.faults.set(refused)
        for id in (7, 12):
            stash.edit_scene(id, title=f"Title {id}, edited")
        assert world.run("sync", "7", "12", "--wait").returncode == 1
        plex.faults.set()
        assert world.count("dead") == 2
        yield world


@pytest.fixture
def world(prepared: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same world, with a copy of its database and this process in an empty folder."""
    shutil.copytree(prepared.folder, tmp_path / "data")
    made = World(prepared.stash, prepared.plex, tmp_path / "data", section=prepared.section)
    made.move_in(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def attic(world: World) -> Iterator[PlexSim]:
    """A second Plex server, with an entry beside that of the first."""
    with PlexSim(token=TOKEN) as plex:
        plex.machine = next_machine(world.plex.machine)
        entries = (("living-room", world.plex.url), ("attic", plex.url))
        text = "".join(f'[[plex]]\nname = "{name}"\nplex_url = "{url}"\n' for name, url in entries)
        Path("plexsync.toml").write_text(text)
        yield plex


def is_left_out(line: str) -> bool:
    return any(f"{line} ".startswith(f"plexsync {words} ") for words in (*NOT_RUN, "serve"))


def example(line: str) -> pytest.param:
    return pytest.param(line, id=line.removeprefix("plexsync "))


@pytest.mark.parametrize("line", [example(one) for one in EXAMPLES if not is_left_out(one)])
def test_an_example_does_what_it_says(
    line: str, world: World, monkeypatch: pytest.MonkeyPatch, capsys, request: pytest.FixtureRequest
) -> None:
    words = [word.strip("'\"") for word in line.split()[1:]]
    if "--plex" in words:
        request.getfixturevalue("attic")
    if "restore" in words:
        run(["backup", words[words.index("restore") + 1]])
    if "--plex" in words:
        # A single entry, with all settings from the environment, has the store of a single server.
        Path("plexsync.toml").write_text(f'[[plex]]\nname = "{words[words.index("--plex") + 1]}"\n')
    if "plays" in words:
        monkeypatch.setenv("PLEXSYNC_WATCH_BACK", "plays")
    if words == ["plays", "sync"]:
        # Nobody can answer here, and it asks only once.
        run(["plays", "sync", "--yes"])
    if "ratings" in words:
        both_ways(world, monkeypatch)
    if words[0] == "collections" or "collection:3" in words:
        dressed(words, world, monkeypatch)
    if words[0] == "redo":
        run(["undo", "7", "12", "--yes", "--wait"])
    words = [filled(word, world, capsys) for word in words]
    monkeypatch.setattr("sys.stdin", StringIO("y\ny\n"))
    capsys.readouterr()
    code = run(words)
    out, err = capsys.readouterr()
    assert code == (1 if line in ENDS_WITH_1 else 0), out + err
    assert "Traceback" not in out + err
    assert TOKEN not in out + err
    assert out or err
    assert not [one for one in logging.getLogger().handlers if type(one).__name__ in ("ConsoleHandler", "LogFile")]


def both_ways(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratings go both ways, and PlexSync has written those of two scenes."""
    monkeypatch.setenv("PLEXSYNC_RATING_DIRECTION", "both")
    run(["sync", "--all", "--wait"])
    run(["drain"])
    for id in (7, 12):
        world.stash.edit_scene(id, rating100=(world.stash.scene(id).rating100 or 0) % 90 + 5)
    run(["sync", "7", "12", "--wait"])
    run(["drain"])


def dressed(words: list[str], world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collections of the studios have their details; for a redo, what was written to them is taken back."""
    monkeypatch.setenv("PLEXSYNC_COLLECTION_PARTS", "name,summary")
    for n in range(7):
        world.stash.edit_object("studio", f"Studio {n}", details=f"Films of {n}.")
    run(["sync", "--all", "--wait"])
    run(["drain"])
    if "redo" in words:
        run(["collections", "undo", "--all", "--yes", "--wait"])


def filled(word: str, world: World, capsys: pytest.CaptureFixture[str]) -> str:
    """A number of the examples as it is in this world."""
    if word == "1234":
        return world.plex.keys(world.section)[6]
    if word == "4711":
        capsys.readouterr()
        run(["undo", "--runs", "--json"])
        return re.search(r'"run": (\d+)', capsys.readouterr().out)[1]
    return word


def test_serve_does_what_it_says(world: World) -> None:
    assert "plexsync serve" in EXAMPLES
    world.stash.edit_scene(3, title="Edited while serving")
    process = world.start("serve")
    try:
        until(lambda: world.in_step([3]))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0


def test_what_is_left_out_is_named_for_a_reason() -> None:
    assert all(len(reason) > 20 for reason in NOT_RUN.values())
    assert set(ENDS_WITH_1) <= set(EXAMPLES), "an exception that no page needs"
