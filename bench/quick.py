"""The processor time of commands that answer at once, against a Python that does nothing.

The database holds scenes and an ended outage. Measurements are interleaved, so that noise affects all of them.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.town import ROOT
from plexsync.app.parts import open_parts
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Neighbour
from validation.config import PlexSyncConfig

ROUNDS = 20
SCENES = 200
# The goals, as multiples of a Python that does nothing.
MOST = {"completion bash": 3.0, "sync --help": 12.0, "a press of the key": 12.0, "status": 12.0, "status --json": 12.0}
MOST |= {"doctor": 30.0}
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
    medians = {name: statistics.median(each) for name, each in taken.items()}
    bare = medians["python -c pass"]
    yield f"{'process':34} {'CPU ms':>9} {'x bare':>9} {'at most':>9}"
    for name, median in medians.items():
        most = f"{MOST[name]:9.1f}" if name in MOST else ""
        yield f"{name:34} {1000 * median:9.1f} {median / bare:9.2f} {most}".rstrip()


def _fill(folder: Path) -> None:
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20)
    with open_parts(config, folder) as parts, parts.store.writing() as tx:
        for scene in range(1, SCENES + 1):
            tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, parts.clock.now())
        now = parts.clock.now()
        tx.transitions.log(Neighbour.PLEX, at=now - 60_000, old="closed", new="open", cause="read", error="away")
        tx.transitions.log(Neighbour.PLEX, at=now, old="half_open", new="closed", cause="", error="")
        tx.breakers.save(Neighbour.PLEX, BreakerRow())


def _spent(words: list[str], environ: dict[str, str]) -> float:
    """The processor time of one process, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
