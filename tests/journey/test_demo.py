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
from plexsync.cli.commands.demo_asking import NewFile
from plexsync.cli.commands.demo_play import PlayEnd, progress_line, sum_up
from plexsync.cli.commands.demo_stage import ASKING, Stage
from plexsync.cli.main import run
from plexsync.extras import advice
from plexsync.reports.status import facts
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.queue.job import Kind, Why
from plexsync.simulator import postgres
from plexsync.simulator.postgres import hindrance
from plexsync.store.files.lock import is_locked
from tests import forked
from tests.journey.world import ROOT, until
from tests.patience import HANG
from tests.tables import table


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
    assert told["new_file"] == {"right": True, "locks": 0, "edits": 0}
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
        "$ plexsync provider add Mirror --yes",
        "a new file: right when the scan ended, 0 locks, 0 edits",
    ):
        assert words in shown
    assert "/wall" not in shown, "it is gone by then"
    assert "plexsync explain" not in shown, "there is nothing to ask any more"
    lines = [line for line in done.stderr.splitlines() if "| breaker" in line]
    assert lines
    for line in lines:
        counts = [int(part.split()[0].replace(",", "")) for part in line.partition("| breaker")[0].split("|")]
        assert sum(counts) <= 100, line


needs_postgres = pytest.mark.skipif(bool(hindrance()), reason=hindrance())


@needs_postgres
@pytest.mark.long
def test_on_postgresql_the_worker_is_killed_and_the_standby_finishes_with_the_same_result(tmp_path: Path):
    before = set(Path("/tmp").glob("plexsync-postgres-*"))
    done = subprocess.run(
        [sys.executable, "-m", "plexsync", "--json", "demo", "--store", "postgres", "--scenes", "100"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=6 * HANG,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["well"], told["store"], told["wrong"], told["bystanders_written"]) == (True, "postgres", [], [])
    assert told["in_step"] + sum(told["not_written"].values()) == told["scenes"] == 100
    assert told["attempts_used"] == 0
    assert told["new_file"] == {"right": True, "locks": 0, "edits": 0}
    takeover = told["takeover"]
    assert takeover["worker"] != takeover["standby"]
    assert takeover["edits_by_worker"] > 0 < takeover["edits_by_standby"]
    assert takeover["edits_by_worker"] + takeover["edits_by_standby"] == told["requests"]["edits"]
    assert 0 <= takeover["taken_over_after"] <= takeover["first_edit_after"]
    shown = " ".join(done.stderr.split())
    assert f"process {takeover['worker']} is gone" in shown
    assert f"process {takeover['standby']}, the standby, works since" in shown
    assert "postgresql://" not in done.stdout + done.stderr
    assert set(Path("/tmp").glob("plexsync-postgres-*")) <= before
    assert not list(tmp_path.glob("plexsync-*"))


def test_on_postgresql_it_says_in_one_line_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["demo", "--store", "postgres"]) == 2
    assert capsys.readouterr() == ("", f"plexsync: {postgres.MISSING}\n")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert run(["demo", "--store", "postgres"]) == 2
    needs, *more = capsys.readouterr().err.splitlines()
    assert advice("postgres") in needs
    assert not more


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
        sum_up(stage, screen, PlayEnd(0.0, {}, {}, 1, None))
        address = stage.address
    assert "collections" in told.getvalue()
    for gone in (address, "/wall", "plexsync explain"):
        assert gone not in told.getvalue()


def lock_a_field(stage: Stage, item: str) -> None:
    stage.plex.hand_edit(item, title=NEW)


def edit_by_request(stage: Stage, item: str) -> None:
    section = stage.handles.sections[ASKING]
    stage.parts.plex.edit(section, item, {"title": Change(NEW, lock=False)})


def give_another_title(stage: Stage, item: str) -> None:
    stage.plex.hand_edit(item, locked=False, title="Another")


NEW, WRONG = "New", "title should be 'New', is 'Another'"
NEW_FILES = {
    "right": (None, (), {"right": True, "locks": 0, "edits": 0}, []),
    "not right when the scan had ended": (
        None,
        (WRONG,),
        {"right": False, "locks": 0, "edits": 0},
        [f"when the scan had ended: {WRONG}"],
    ),
    "locked": (lock_a_field, (), {"right": True, "locks": 1, "edits": 0}, ["1 field locked"]),
    "edited": (edit_by_request, (), {"right": True, "locks": 0, "edits": 1}, ["1 edit sent"]),
    "another title": (give_another_title, (), {"right": True, "locks": 0, "edits": 0}, [WRONG]),
}


@table("name", NEW_FILES)
def test_it_has_not_ended_well_if_the_new_file_is_not_as_it_claims(name: str) -> None:
    harm, wrong, facts, faults = NEW_FILES[name]
    with Stage.set(100) as stage:
        scene = stage.stash.add_scene(title=NEW)
        item = stage.plex.add_movie(stage.handles.sections[ASKING], [("/media/mirror/n.mp4", 1, 1)], title=NEW)
        if harm:
            harm(stage, item)
        summary = sum_up(stage, Console(file=StringIO()), PlayEnd(0.0, {}, {}, 1, None, NewFile(scene, item, wrong)))
    assert summary["new_file"] == facts
    told = [line.removeprefix(f"scene {scene}, a new file").lstrip(":, ") for line in summary["wrong"]]
    assert [line for line, whole in zip(told, summary["wrong"], strict=True) if "a new file" in whole] == faults


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
