"""`plexsync notify`: every way is shown and tried, and says what is wrong with it."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World


def test_without_a_way_that_is_told(world: World, door: Door) -> None:
    for words in ((), ("--test",)):
        done = door("notify", *words)
        assert done.code == 1
        assert "no way is set: see notify_urls and notify_command" in done.err


def test_a_test_notice_goes_by_the_command(
    world: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    code = f"import pathlib, sys; pathlib.Path({str(told)!r}).write_text(sys.stdin.read())"
    monkeypatch.setenv("PLEXSYNC_NOTIFY_COMMAND", shlex.join([sys.executable, "-c", code]))
    shown = door("notify")
    assert (shown.code, shown.out) == (0, "notify_command: is set\n")
    assert not told.exists(), "looking sends nothing"
    done = door("notify", "--test")
    assert (done.code, done.out) == (0, "notify_command: took the test notice\n")
    assert told.read_text() == "This is a test: notices of PlexSync arrive here.\n"


def test_a_way_that_fails_says_why(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_NOTIFY_COMMAND", shlex.join([sys.executable, "-c", "raise SystemExit(3)"]))
    done = door("notify", "--test", "--json")
    assert done.code == 1
    assert done.facts == {"ways": [{"way": "notify_command", "problem": "it ended with code 3"}], "sent": True}
