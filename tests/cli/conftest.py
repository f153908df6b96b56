"""The terminal door in this process: what is called is `plexsync.cli.main.run`, against simulated neighbours and a real
file."""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from plexsync.cli.main import run
from plexsync.simulator.http import Fault, Request
from tests.journey.world import KEY, TOKEN, World, forget_settings
from tests.patience import HANG


@dataclass(frozen=True)
class Answer:
    """What one call left behind."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads(self.out)


Door = Callable[..., Answer]


class Typed(StringIO):
    """What somebody types at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches the test."""
    forget_settings(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hasty() -> None:
    """Settings are asked for with the patience that users have."""


@pytest.fixture
def door(
    bare: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Door:
    """Call a command with the world's settings (if the test has a world); secrets must never come out."""
    world: World | None = request.getfixturevalue("world") if "world" in request.fixturenames else None
    if "hasty" not in request.fixturenames:
        # A busy machine is no Stash that is away.
        monkeypatch.setattr("plexsync.app.asking.ASK_CONNECT", HANG / 4)
        monkeypatch.setattr("plexsync.app.asking.ASK_READ", HANG / 4)

    def call(*words: str, answer: str = "", terminal: bool = False) -> Answer:
        if world is not None:
            world.move_in(monkeypatch)
        monkeypatch.setattr("sys.stdin", Typed(answer) if terminal else StringIO(answer))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
        # No codes for colours between the words.
        monkeypatch.setenv("TERM", "dumb")
        code = run([str(word) for word in words])
        assert not [one for one in logging.getLogger().handlers if type(one).__name__ == "ConsoleHandler"]
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        assert KEY not in out + err
        assert "Traceback" not in out + err
        return Answer(code, out, err)

    return call


@pytest.fixture
def refusing(world: World) -> Callable[..., None]:
    """Let Plex refuse every edit of these scenes' items (in the order in which they were added)."""

    def refuse(*ids: int) -> None:
        keys = {world.plex.keys(world.section)[id - 1] for id in ids}

        def edits(request: Request) -> bool:
            return request.method == "PUT" and request.params.get("id") in keys

        world.plex.faults.set(Fault("status", status=414, when=edits))

    return refuse
