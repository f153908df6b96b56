"""The delay between an edit in Stash and its change in Plex: from the hook's end, with an idle worker."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.hook import HOOK, ROOT
from bench.requests import TOKEN
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim

KEY = "bench-key-0123456789"
PATIENCE = 30.0
# An idle worker polls the queue at least this often, in seconds.
REST = 1.5


def measure(edits: int = 30, *, latency: float = 0.001) -> list[float]:
    """Edit different scenes, and return the delay of each edit in milliseconds, in order."""
    with (
        tempfile.TemporaryDirectory() as folder,
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as plex,
    ):
        Path(folder).chmod(0o700)
        section = plex.add_section("Movies", locations=("/media",))
        keys = []
        for n in range(edits):
            path = f"/media/{n:06}.mp4"
            keys.append(plex.add_movie(section, files=[(path, 1_000 + n, 60_000)], title=f"{n:06}"))
            stash.add_scene(title=f"Title {n}", files=[(path, 1_000 + n, 60.0)])
        for sim in (stash, plex):
            sim.faults.set(Fault("latency", seconds=latency))
        environ = {
            **os.environ,
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": KEY,
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_POSTER": "none",
            "PLEXSYNC_WEB_BIND": "none",
        }
        sync = [sys.executable, "-m", "plexsync", "sync", "--all", "--wait", "--yes"]
        subprocess.run(sync, cwd=ROOT, env=environ, check=True, capture_output=True)
        serve = [sys.executable, "-m", "plexsync", "serve"]
        daemon = subprocess.Popen(serve, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(3.0)
            return [_edited(stash, plex, environ, n + 1, key) for n, key in enumerate(keys)]
        finally:
            daemon.terminate()
            daemon.wait(30)


def _edited(stash: StashSim, plex: PlexSim, environ: dict[str, str], id: int, key: str) -> float:
    time.sleep(REST)
    title = f"Edited {id}"
    stash.quiet_edit(id, title=title)
    event = {
        "server_connection": {"Dir": environ["PLEXSYNC_DATA_DIR"]},
        "args": {"hookContext": {"id": id, "type": "Scene.Update.Post", "input": {"id": str(id)}}},
    }
    subprocess.run(
        [sys.executable, str(HOOK)],
        input=json.dumps(event).encode(),
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    began = time.perf_counter()
    while plex.item(key).scalars["title"] != title:
        if time.perf_counter() - began > PATIENCE:
            raise TimeoutError("the edit does not arrive in Plex")
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


def report() -> str:
    """The line of the table."""
    taken = measure()
    middle, slowest = statistics.median(taken), max(taken)
    return f"one edit, 1 ms, from the hook's end to Plex: median {middle:.0f} ms, slowest {slowest:.0f} ms"
