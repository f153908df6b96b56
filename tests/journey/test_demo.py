"""The demo is a promise of the README: it runs unattended, and what it claims at the end is true."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from plexsync.cli.commands.demo import ambiguous_scene
from plexsync.cli.commands.demo_play import progress_line, sum_up
from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.main import run
from plexsync.extras import advice
from plexsync.reports.status import facts
from plexsync.rules.queue.job import Kind, Why
from plexsync.store.files.lock import is_locked
from tests import forked
from tests.journey.world import ROOT, until
from tests.patience import HANG


@pytest.mark.long
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
        "Watch it in a browser: http://127.0.0.1:",
        "Plex goes down for 10 seconds",
        "breaker open",
        "Plex is back",
        "collections, before PlexSync worked and now",
    ):
        assert words in shown
    assert "/wall" not in shown, "it is gone by then"
    assert "plexsync explain" not in shown, "there is nothing to ask any more"
    lines = [line for line in done.stderr.splitlines() if "| breaker" in line]
    assert lines
    for line in lines:
        counts = [int(part.split()[0].replace(",", "")) for part in line.partition("| breaker")[0].split("|")]
        assert sum(counts) <= 100, line


@contextmanager
def demo_in(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The demo with its `serve` at work, and the folder it lives in."""
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    words = ["-m", "plexsync", "demo", "--scenes", "100"]
    with forked.Popen(words, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as demo:
        try:
            until(lambda: any(is_locked(place / "data") for place in folder.glob("plexsync-demo-*")))
            yield demo, next(folder.glob("plexsync-demo-*"))
        finally:
            demo.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 129, marks=pytest.mark.long)]
)
def test_the_demo_that_is_ended_from_outside_leaves_nothing_behind(number: int, code: int, tmp_path: Path) -> None:
    with demo_in(tmp_path) as (demo, _):
        demo.send_signal(number)
        assert demo.wait(timeout=HANG) == code
        assert not list(tmp_path.glob("plexsync-demo-*"))


@pytest.mark.long
def test_a_demo_that_is_killed_leaves_no_worker_running(tmp_path: Path) -> None:
    with demo_in(tmp_path) as (demo, place):
        demo.kill()
        until(lambda: not is_locked(place / "data"))


def test_a_line_of_progress_counts_each_scene_once_and_nothing_else() -> None:
    with Stage.set(100) as stage:
        clock = stage.parts.clock
        with stage.parts.store.writing() as tx:
            for id in range(1, 4):
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, clock.now())
                tx.jobs.want(Kind.TAG, id, Why.EDIT, clock.now())
        now = facts(stage.parts)
        assert now["jobs"]["ready"] == 6
        line = progress_line(now, 0, attempts=0)
        assert " ".join(line.split()) == "0 in sync | 3 queued | 0 not in Plex yet | 0 need you | breaker closed"
        assert ambiguous_scene(stage) in stage.handles.scenes.values()


def test_its_last_words_name_no_address_and_no_command_that_are_gone_once_it_has_ended() -> None:
    told = StringIO()
    screen = Console(file=told, width=200)
    with Stage.set(100) as stage:
        sum_up(stage, screen, {}, seconds=0.0)
        address = stage.address
    assert "collections" in told.getvalue()
    for gone in (address, "/wall", "plexsync explain"):
        assert gone not in told.getvalue()


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
