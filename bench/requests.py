"""The cost of a sync: requests to each server, CPU time and real time per scene, against the simulators.

The simulators take more CPU time than PlexSync. Its own, which includes its start, tells what it would reach alone.
"""

import os
import subprocess
import sys
import tempfile
import time
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


def measure(scenes: int, latency: float, poster: str = "none", *, only_first: bool = False) -> list[Cost]:
    """A first sync of `scenes` changed scenes, the same again, and one with a tenth of them edited (or `only_first`).

    With `poster` "cover", each scene has a cover of its own of 100 kB.
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
    plex.clear_log()
    stash.clear_log()
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "plexsync", "--json", "sync", "--all", "--wait", "--yes"],
        cwd=ROOT,
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(what, scenes, plex.count(), plex.count("PUT"), stash.count(), seconds, cpu)
