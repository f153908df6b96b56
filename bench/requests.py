"""The cost of a sync: requests to each server per scene, and scenes per second, against the simulators."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-token-0123456789"


@dataclass(frozen=True)
class Cost:
    """One sync of `scenes` scenes: its requests, the writes among them, and its seconds."""

    what: str
    scenes: int
    plex: int
    writes: int
    stash: int
    seconds: float

    def line(self) -> str:
        """The row of the table."""
        return (
            f"{self.what:34} {self.scenes:7} {self.plex / self.scenes:9.3f} {self.writes / self.scenes:9.3f}"
            f" {self.stash / self.scenes:9.3f} {self.scenes / self.seconds:9.0f}"
        )


HEAD = f"{'sync':34} {'scenes':>7} {'Plex/sc.':>9} {'PUT/sc.':>9} {'Stash/sc.':>9} {'scenes/s':>9}"


def measure(scenes: int, latency: float) -> list[Cost]:
    """A first sync of `scenes` changed scenes, the same again, and one with a tenth of them edited."""
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
        if latency:
            plex.faults.set(Fault("latency", seconds=latency))
            stash.faults.set(Fault("latency", seconds=latency))
        told = f"{latency * 1000:.0f} ms"
        environ = {
            **os.environ,
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": "bench-key-0123456789",
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_POSTER": "none",
            "PLEXSYNC_APPROVE_BULK": "true",
        }
        costs = [_sync(f"first, all changed ({told})", plex, stash, environ, scenes)]
        costs.append(_sync(f"again, nothing changed ({told})", plex, stash, environ, scenes))
        for id in ids[::10]:
            stash.edit_scene(id, title=f"Edited {id}")
        costs.append(_sync(f"again, every tenth edited ({told})", plex, stash, environ, scenes))
        return costs


def _sync(what: str, plex: PlexSim, stash: StashSim, environ: dict[str, str], scenes: int) -> Cost:
    plex.clear_log()
    stash.clear_log()
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "plexsync", "--json", "sync", "--all", "--wait", "--yes"],
        cwd=ROOT,
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - began
    return Cost(what, scenes, plex.count(), plex.count("PUT"), stash.count(), seconds)
