"""The cost of a full comparison, and of a poll without changes: requests, rate and memory, by library size.

Each server runs in its own process, and so does the measured program. For comparison, the table has the requests of any
client that reads full items a hundred at a time, and the seconds that the servers alone took to answer.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.town import KEY, ROOT, TOKEN, Neighbour, Told
from plexsync.app.parts import open_parts
from plexsync.flows.scenes.reconcile import BATCH, PAGE
from validation.config import PlexSyncConfig

LISTED = 1000
HEAD = (
    f"{'comparison':26} {'scenes':>7} {'Plex/sc.':>9} {'least':>7} {'PUT':>4} {'Stash/sc.':>9} {'least':>7}"
    f" {'scenes/s':>9} {'seconds':>8} {'theirs':>7} {'CPU s':>7} {'peak MB':>8}"
)


@dataclass(frozen=True)
class Compared:
    """One comparison of `scenes` scenes: `worked` is the CPU time of its process, `peak` its peak memory.

    Times are seconds, memory is MB.
    """

    what: str
    scenes: int
    plex: Told
    stash: Told
    seconds: float
    worked: float
    peak: float

    def line(self) -> str:
        """The row of the table."""
        plex = 1 + math.ceil(self.scenes / LISTED) + math.ceil(self.scenes / BATCH)
        stash = math.ceil(self.scenes / PAGE)
        theirs = self.plex.seconds + self.stash.seconds
        return (
            f"{self.what:26} {self.scenes:7} {self.plex.requests / self.scenes:9.4f} {plex / self.scenes:7.4f}"
            f" {self.plex.writes:4} {self.stash.requests / self.scenes:9.4f} {stash / self.scenes:7.4f}"
            f" {self.scenes / self.seconds:9.0f} {self.seconds:8.1f} {theirs:7.1f} {self.worked:7.1f} {self.peak:8.0f}"
        )


def report(sizes: list[int]) -> Iterator[str]:
    """The table, and the ratios between the sizes."""
    yield HEAD
    rates: dict[int, tuple[float, float]] = {}
    for size in sizes:
        with (
            Neighbour("plex", size) as plex,
            Neighbour("stash", size) as stash,
            tempfile.TemporaryDirectory() as folder,
        ):
            Path(folder).chmod(0o700)
            for what in ("cold index, everything", "again"):
                one = _compared(what, size, plex, stash, folder)
                rates.setdefault(size, (size / one.seconds, size / one.worked))
                yield one.line()
            asked = _looked(plex, stash, folder)
            yield f"{'a look, nothing changed':26} {size:7}   {asked[0]} request to Plex, {asked[1]} to Stash"
    if len(sizes) > 1:
        small, large = min(sizes), max(sizes)
        whole, own = (after / before for before, after in zip(rates[small], rates[large], strict=True))
        yield f"rate at {large:,} scenes: {whole:.2f} of that at {small:,}; by what our own process computes: {own:.2f}"


def _compared(what: str, scenes: int, plex: Neighbour, stash: Neighbour, folder: str) -> Compared:
    plex.clear()
    stash.clear()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "plexsync", "reconcile"],
        cwd=ROOT,
        env={**os.environ, **_environ(plex, stash, folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        told = process.stdout.read() if process.stdout else ""
        if sys.platform == "win32":
            raise OSError("this comparison needs POSIX")
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    seconds = time.perf_counter() - began
    if f"{scenes:,} in sync" not in told:
        raise SystemExit(f"the comparison did not find everything in step: {told}")
    worked = used.ru_utime + used.ru_stime
    return Compared(what, scenes, plex.told(), stash.told(), seconds, worked, used.ru_maxrss / 1024)


def _looked(plex: Neighbour, stash: Neighbour, folder: str) -> tuple[int, int]:
    """The number of requests of a poll without changes."""
    config = PlexSyncConfig(plex_url=plex.url, plex_token=TOKEN, stash_url=stash.url, stash_api_key=KEY, poster="none")
    with open_parts(config, Path(folder)) as parts:
        for _ in range(3):
            time.sleep(2)
            plex.clear()
            stash.clear()
            parts.poller.poll()
    return plex.told().requests, stash.told().requests


def _environ(plex: Neighbour, stash: Neighbour, folder: str) -> dict[str, str]:
    return {
        "PLEXSYNC_PLEX_URL": plex.url,
        "PLEXSYNC_PLEX_TOKEN": TOKEN,
        "PLEXSYNC_STASH_URL": stash.url,
        "PLEXSYNC_STASH_API_KEY": KEY,
        "PLEXSYNC_DATA_DIR": folder,
        "PLEXSYNC_POSTER": "none",
    }
