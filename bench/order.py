"""The moves and the seconds of bringing a large group in order: reversed, two swapped, one to the top."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.town import KEY, ROOT, TOKEN, path
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim

MEMBERS = 2_000
GROUP = "Serial"


def report(members: int = MEMBERS) -> Iterator[str]:
    """A line for each change. Raises SystemExit if Plex then has another order than Stash."""
    first = list(range(members))
    changes = {
        "in reverse": first[::-1],
        "two swapped": [first[0], *first[1:-1][::-1], first[-1]],
        "one to the top": [first[-2], first[0], *first[1:-2][::-1], first[-1]],
    }
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o700)
        section = plex.add_section("Movies", locations=("/media",))
        environ = {
            **os.environ,
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": KEY,
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_COLLECTIONS": "groups",
            "PLEXSYNC_COLLECTION_PARTS": "order",
            "PLEXSYNC_POSTER": "none",
        }
        ids, keys = [], []
        for n in first:
            file = (path(n), 1_000 + n)
            ids.append(stash.add_scene(files=[(*file, 60.0)], title=f"Title {n}", groups=[(GROUP, n)]))
            keys.append(plex.add_movie(section, files=[(*file, 60_000)], title=f"scene {n:06}"))
        _run(environ, "sync", "--all", "--wait", "--yes")
        yield f"{'order of a group':34} {'moves':>9} {'seconds':>9}"
        for name, order in changes.items():
            for place, n in enumerate(order):
                stash.quiet_edit(ids[n], groups=[(GROUP, place)])
            plex.clear_log()
            began = time.perf_counter()
            _run(environ, "collections", "sync", "--wait")
            moves = sum(request.path.endswith("/move") for request in plex.log)
            yield f"{name:34} {moves:9} {time.perf_counter() - began:9.1f}"
            if plex.collection(plex.collection_keys(section)[GROUP]).members != [keys[n] for n in order]:
                raise SystemExit(f"{name}: Plex has another order than Stash")


def _run(environ: Mapping[str, str], *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "plexsync", *words], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True
    )


if __name__ == "__main__":
    for line in report():
        print(line, flush=True)
