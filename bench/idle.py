"""What an idle `serve` costs: the CPU time of the worker and of its dashboard in a minute, with everything in sync."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.requests import is_compared
from bench.town import KEY, ROOT, TOKEN, Neighbour

# Seconds until the start, its comparison and its polls are over, and seconds that are measured.
START, MEASURED = 20.0, 60.0
HEAD = f"{'idle serve':26} {'scenes':>7} {'CPU ms a minute':>15} {'requests to Plex':>17} {'to Stash':>9}"


def report(scenes: int) -> Iterator[str]:
    """The table; on Linux alone."""
    if sys.platform != "linux":
        return
    yield HEAD
    with (
        Neighbour("plex", scenes) as plex,
        Neighbour("stash", scenes) as stash,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o700)
        environ = {
            **os.environ,
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": KEY,
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_POSTER": "none",
            "PLEXSYNC_WEB_BIND": "127.0.0.1:0",
            "PLEXSYNC_APPROVE_BULK": "true",
        }
        command = [sys.executable, "-m", "plexsync"]
        subprocess.run([*command, "reconcile"], cwd=ROOT, env=environ, check=True, capture_output=True)
        serve = [*command, "serve"]
        nothing = subprocess.DEVNULL
        with subprocess.Popen(serve, cwd=ROOT, env=environ, stdout=nothing, stderr=nothing) as worker:
            while not is_compared(Path(folder)):
                time.sleep(1)
            time.sleep(START)
            plex.clear()
            stash.clear()
            processes = [worker.pid, *children(worker.pid)]
            before = list(map(used, processes))
            time.sleep(MEASURED)
            spent = [after - earlier for after, earlier in zip(map(used, processes), before, strict=True)]
            asked = f"{plex.told().requests:17} {stash.told().requests:9}"
            worker.terminate()
        for name, seconds, requests in zip(("the worker", "its dashboard"), spent, (asked, ""), strict=True):
            yield f"{name:26} {scenes:7} {1000 * seconds * 60 / MEASURED:15.0f} {requests}"


def used(pid: int) -> float:
    """The CPU seconds of a process until now, by the scheduler's own count (Linux)."""
    return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in tasks(pid)) / 1e9


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for task in tasks(pid) for child in task.joinpath("children").read_text().split()]


def tasks(pid: int) -> list[Path]:
    """The threads of a process, as Linux shows them."""
    return list(Path(f"/proc/{pid}/task").iterdir())
