"""The processor time of commands that answer at once, against a Python that does nothing.

The database holds scenes and an ended outage. Measurements are interleaved, so that noise affects all of them.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.town import KEY, ROOT, TOKEN, Neighbour
from plexsync.app.parts import open_parts
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers import errors
from validation.config import PlexSyncConfig

ROUNDS = 20
SCENES = 200
# The goals, as multiples of a Python that does nothing.
MOST = {"completion bash": 3.0, "sync --help": 12.0, "a press of the key": 12.0, "status": 12.0, "status --json": 12.0}
MOST |= {"doctor": 30.0}
# How often a worker is started, and the seconds of processor time that it may take until it serves.
STARTS, MOST_OF_START = 5, 0.5
# Bash asks what continues this.
PRESSED = {"_PLEXSYNC_COMPLETE": "bash_complete", "COMP_WORDS": "plexsync sync --dr", "COMP_CWORD": "2"}


def report() -> Iterator[str]:
    """A line for each command, with its ratio and the goal."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as place:
        folder = Path(place)
        folder.chmod(0o700)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": place,
            "PLEXSYNC_DATA_DIR": place,
            "PLEXSYNC_PLEX_URL": "http://127.0.0.1:9",
            "PLEXSYNC_PLEX_TOKEN": "x" * 20,
        }
        _fill(folder)
        program = [sys.executable, "-m", "plexsync"]
        ways: dict[str, tuple[list[str], dict[str, str]]] = {
            "python -c pass": ([sys.executable, "-c", "pass"], environ),
        }
        ways |= {name: ([*program, *name.split()], environ) for name in MOST}
        ways["a press of the key"] = (program, {**environ, **PRESSED})
        for words, surroundings in ways.values():
            _spent(words, surroundings)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (words, surroundings) in ways.items():
                taken[name].append(_spent(words, surroundings))
        starts = [_start_of_worker({**environ, "PLEXSYNC_DATA_DIR": str(folder / str(each))}) for each in range(STARTS)]
    medians = {name: statistics.median(each) for name, each in taken.items()}
    bare = medians["python -c pass"]
    yield f"{'process':34} {'CPU ms':>9} {'x bare':>9} {'at most':>9}"
    for name, median in medians.items():
        most = f"{MOST[name]:9.1f}" if name in MOST else ""
        yield f"{name:34} {1000 * median:9.1f} {median / bare:9.2f} {most}".rstrip()
    start = statistics.median(starts)
    yield f"{'start of a worker':34} {1000 * start:9.1f} {start / bare:9.2f}, and at most {1000 * MOST_OF_START:.0f} ms"


def _fill(folder: Path) -> None:
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    with open_parts(config, folder) as parts, parts.store.writing() as tx:
        for scene in range(1, SCENES + 1):
            tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, parts.clock.now())
        now = parts.clock.now()
        tx.transitions.log(errors.Neighbour.PLEX, at=now - 60_000, old="closed", new="open", cause="read", error="away")
        tx.transitions.log(errors.Neighbour.PLEX, at=now, old="half_open", new="closed", cause="", error="")
        tx.breakers.save(errors.Neighbour.PLEX, BreakerRow())


def _spent(words: list[str], environ: dict[str, str]) -> float:
    """The processor time of one process, in seconds."""
    before = _spent_by_children()
    subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return _spent_by_children() - before


def _start_of_worker(environ: dict[str, str]) -> float:
    """The processor time of a worker that is stopped when it serves, in seconds."""
    before = _spent_by_children()
    with Neighbour("stash", 1) as stash, Neighbour("plex", 1) as plex:
        environ |= {"PLEXSYNC_STASH_URL": stash.url, "PLEXSYNC_STASH_API_KEY": KEY}
        environ |= {"PLEXSYNC_PLEX_URL": plex.url, "PLEXSYNC_PLEX_TOKEN": TOKEN}
        words = [sys.executable, "-m", "plexsync", "serve", "--no-web"]
        with subprocess.Popen(words, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as worker:
            assert worker.stderr is not None
            any(line.endswith("PlexSync.serve serving\n") for line in worker.stderr)
            worker.terminate()
            worker.communicate()
        # The servers have not ended, so this is the worker alone.
        return _spent_by_children() - before


def _spent_by_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
