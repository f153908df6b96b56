"""The demo is a promise of the README: it runs unattended, and what it claims at the end is true."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.main import run
from plexsync.extras import advice
from plexsync.rules.job import Kind
from plexsync.store.lock import is_locked
from tests.journey.world import ROOT, until
from tests.patience import HANG


def test_the_demo_ends_with_every_scene_in_step_or_explained():
    done = subprocess.run(
        [sys.executable, "-m", "plexsync", "--json", "demo", "--scenes", "100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["well"] is True
    assert told["wrong"] == told["bystanders_written"] == []
    assert told["in_step"] + sum(told["not_written"].values()) == told["scenes"] == 100
    assert told["attempts_used"] == 0
    assert set(told["dead"]) == {"ambiguous"}
    assert told["collections"]["now"] > told["collections"]["before"] == 1
    shown = " ".join(done.stderr.split())
    for words in (
        "by a line of Stash's log",
        "breaker open",
        "as a person likes it",
        "-> Scene",
        "edited while nobody was told",
        "1 taken back",
        "has in Stash: 1 play",
        "has in Stash: 0 plays",
        "before: 1 collection; now:",
        "/wall",
    ):
        assert words in shown


@contextmanager
def demo_in(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The demo with its `serve` at work, and the folder it lives in."""
    environ = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "plexsync", "demo", "--scenes", "100"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL
    ) as demo:
        try:
            until(lambda: any(is_locked(place / "data") for place in folder.glob("plexsync-demo-*")))
            yield demo, next(folder.glob("plexsync-demo-*"))
        finally:
            demo.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_demo_that_is_ended_from_outside_leaves_nothing_behind(number: int, code: int, tmp_path: Path) -> None:
    with demo_in(tmp_path) as (demo, _):
        demo.send_signal(number)
        assert demo.wait(timeout=HANG) == code
        assert not list(tmp_path.glob("plexsync-demo-*"))


def test_a_demo_that_is_killed_leaves_no_worker_running(tmp_path: Path) -> None:
    with demo_in(tmp_path) as (demo, place):
        demo.kill()
        until(lambda: not is_locked(place / "data"))


@pytest.mark.parametrize("module", ["graphql", "plexapi"])
def test_the_demo_names_what_it_needs_before_it_begins(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert run(["demo"]) == 2
    assert advice("demo") in capsys.readouterr().err


def test_the_library_of_the_demo_was_made_over_weeks_until_now() -> None:
    with Stage.set(100) as stage:
        made = [datetime.fromisoformat(text) for page in stage.parts.stash.walk_ids() for _, text in page]
        assert len(set(made)) == len(made)
        now = datetime.now(UTC)
        assert now - timedelta(days=31) < min(made) < max(made) < now
        stage.stash.edit_scene(1, title="Edited")
        ((_, edited), *_) = stage.parts.stash.recent(Kind.SCENE, page=1, size=1)
        assert abs(datetime.fromisoformat(edited) - now) < timedelta(minutes=1)
