"""The cost of a sync: requests to each server, CPU time and real time per scene, against the simulators.

The simulators take more CPU time than PlexSync. Its own, which includes its start, tells what it would reach alone.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-token-0123456789"


@dataclass(frozen=True)
class Cost:
    """One sync of `scenes` scenes: its requests, the writes among them, its seconds, and those of its processor."""

    what: str
    scenes: int
    plex: int
    writes: int
    stash: int
    seconds: float
    cpu: float

    def line(self) -> str:
        """The row of the table."""
        return (
            f"{self.what:34} {self.scenes:7} {self.plex / self.scenes:9.3f} {self.writes / self.scenes:9.3f}"
            f" {self.stash / self.scenes:9.3f} {self.scenes / self.seconds:9.0f} {1000 * self.cpu / self.scenes:9.2f}"
        )


HEAD = f"{'sync':34} {'scenes':>7} {'Plex/sc.':>9} {'PUT/sc.':>9} {'Stash/sc.':>9} {'scenes/s':>9} {'CPU ms/sc.':>10}"


def measure(
    scenes: int, latency: float, poster: str = "none", *, only_first: bool = False, serves: bool = False
) -> list[Cost]:
    """A first sync of `scenes` changed scenes, the same again, and one with a tenth of them edited (or `only_first`).

    With `poster` "cover", each scene has a cover of its own of 100 kB. With `serves`, a worker that goes on does the first
    sync, and its first comparison comes after it.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        StashSim(api_key="bench-key-0123456789") as stash,
        PlexSim(token=TOKEN) as plex,
    ):
        section = plex.add_section("Movies", locations=("/media",))
        ids = []
        for n in range(scenes):
            path = f"/media/{n:06}.mp4"
            plex.add_movie(section, files=[(path, 1_000 + n, 60_000)], title=f"{n:06}")
            ids.append(
                stash.add_scene(
                    title=f"Title {n}",
                    details=f"What happens in {n}.",
                    date="2024-05-17",
                    rating100=1 + n % 100,
                    studio=f"Studio {n % 50}",
                    performers=[f"Performer {n % 200}", f"Performer {n % 90 + 300}"],
                    tags=[f"Tag {n % 40}", f"Tag {n % 30 + 50}"],
                    files=[(path, 1_000 + n, 60.0)],
                )
            )
        if poster == "cover":
            for n, id in enumerate(ids):
                stash.set_cover(id, png(n % 256, n // 256 % 256, 0) + bytes(100_000))
        # A cover that was changed within a moment of its read is read twice: the last edit was a minute ago.
        edited = stash.now
        stash.now = lambda: edited() + 60
        if latency:
            plex.faults.set(Fault("latency", seconds=latency))
            stash.faults.set(Fault("latency", seconds=latency))
        told = f"{latency * 1000:.0f} ms" + (", posters" if poster == "cover" else "")
        environ = {
            **os.environ,
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": "bench-key-0123456789",
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_POSTER": poster,
            "PLEXSYNC_APPROVE_BULK": "true",
        }
        as_installed(environ)
        if serves:
            return [_serve(f"first, in serve, compared ({told})", plex, stash, environ, scenes)]
        costs = [_sync(f"first, all changed ({told})", plex, stash, environ, scenes)]
        if only_first:
            return costs
        costs.append(_sync(f"again, nothing changed ({told})", plex, stash, environ, scenes))
        for id in ids[::10]:
            stash.edit_scene(id, title=f"Edited {id}")
        costs.append(_sync(f"again, every tenth edited ({told})", plex, stash, environ, scenes))
        return costs


def as_installed(environ: dict[str, str]) -> None:
    """Let the modules have their bytecode, as an installation has: a clone compiles them at its first start."""
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "plexsync", "sync", "--help"]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)


def _sync(what: str, plex: PlexSim, stash: StashSim, environ: dict[str, str], scenes: int) -> Cost:
    def work() -> None:
        _run(environ, "--json", "sync", "--all", "--wait", "--yes")

    return _cost(what, plex, stash, scenes, work)


def _serve(what: str, plex: PlexSim, stash: StashSim, environ: dict[str, str], scenes: int) -> Cost:
    def work() -> None:
        _run(environ, "sync", "--all", "--yes")
        with _started(environ, "serve", "--no-web") as worker:
            while not is_compared(Path(environ["PLEXSYNC_DATA_DIR"])):
                time.sleep(0.5)
            worker.terminate()

    return _cost(what, plex, stash, scenes, work)


def _started(environ: dict[str, str], *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "plexsync", *words]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run(environ: dict[str, str], *words: str) -> None:
    with _started(environ, *words) as process:
        if code := process.wait():
            raise SystemExit(f"plexsync {' '.join(words)} ended with {code}")


def is_compared(folder: Path) -> bool:
    """Whether all is worked, and a full comparison has completed."""
    with closing(sqlite3.connect(f"{(folder / 'plexsync.db').as_uri()}?mode=ro", uri=True)) as db:
        compared = db.execute("select 1 from note where name = 'reconcile:last' and value <> ''").fetchone()
        queued = db.execute("select 1 from job where state in ('ready', 'running')").fetchone()
    return bool(compared) and not queued


def _cost(what: str, plex: PlexSim, stash: StashSim, scenes: int, work: Callable[[], None]) -> Cost:
    plex.clear_log()
    stash.clear_log()
    began, before = time.perf_counter(), os.times()
    work()
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(what, scenes, plex.count(), plex.count("PUT"), stash.count(), seconds, cpu)
