"""The cost of a first sync: `python -m bench.first [--since COMMIT]`. Read it on a quiet machine.

Each server runs in its own process, Plex with 1 ms in front of every answer. CPU time and rate are slopes between two
sizes, without the start of the program; `whole` is the rate with it. With a commit, its code takes turns with this one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.requests import as_installed
from bench.town import KEY, ROOT, TOKEN, Neighbour

SIZES = (1_000, 4_000)
ROUNDS = 3
# The goals: CPU milliseconds a scene at most, and scenes a second at least, without and with posters.
GOALS = {"none": (1.4, 300), "cover": (2.4, 200)}
HEAD = (
    f"{'first sync':30} {'CPU ms/sc.':>10} {'goal':>5} {'scenes/s':>9} {'goal':>5} {'whole':>6} {'Plex/sc.':>9}"
    f" {'Stash/sc.':>9} {'peak MB':>8}"
)


class Run(NamedTuple):
    """One sync: its seconds, the CPU seconds and the peak memory (MB) of its process, and the requests."""

    seconds: float
    cpu: float
    peak: float
    plex: int
    stash: int


def report(since: str = "", sizes: tuple[int, int] = SIZES, rounds: int = ROUNDS) -> Iterator[str]:
    """The table: the median of the rounds for each kind of picture and each tree."""
    with _tree(since) as tree:
        trees = {"now": ROOT, **({since: tree} if tree else {})}
        yield HEAD
        for poster in GOALS:
            runs: dict[str, list[tuple[Run, Run]]] = {name: [] for name in trees}
            for _ in range(rounds):
                for name, root in trees.items():
                    small, large = (_first_sync(root, size, poster) for size in sizes)
                    runs[name].append((small, large))
            for name, pairs in runs.items():
                yield _line(f"{name}, {'posters' if poster == 'cover' else 'no posters'}", poster, pairs, sizes)


def _line(what: str, poster: str, pairs: list[tuple[Run, Run]], sizes: tuple[int, int]) -> str:
    more = sizes[1] - sizes[0]
    cpu = statistics.median((large.cpu - small.cpu) / more for small, large in pairs)
    rate = statistics.median(more / (large.seconds - small.seconds) for small, large in pairs)
    whole = statistics.median(sizes[1] / large.seconds for _, large in pairs)
    last = pairs[-1][1]
    most, least = GOALS[poster]
    return (
        f"{what:30} {1000 * cpu:10.2f} {most:5.1f} {rate:9.0f} {least:5} {whole:6.0f} {last.plex / sizes[1]:9.3f}"
        f" {last.stash / sizes[1]:9.3f} {last.peak:8.0f}"
    )


def _first_sync(root: Path, scenes: int, poster: str) -> Run:
    with (
        Neighbour("plex", scenes, "fresh") as plex,
        Neighbour("stash", scenes, poster) as stash,
        tempfile.TemporaryDirectory() as folder,
    ):
        environ = {
            **os.environ,
            "PYTHONPATH": str(root),
            "PLEXSYNC_PLEX_URL": plex.url,
            "PLEXSYNC_PLEX_TOKEN": TOKEN,
            "PLEXSYNC_STASH_URL": stash.url,
            "PLEXSYNC_STASH_API_KEY": KEY,
            "PLEXSYNC_DATA_DIR": folder,
            "PLEXSYNC_POSTER": poster,
            "PLEXSYNC_APPROVE_BULK": "true",
        }
        as_installed(environ)
        command = [sys.executable, "-m", "plexsync", "--json", "sync", "--all", "--wait", "--yes"]
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=root, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if sys.platform == "win32":
            raise OSError("this measurement needs POSIX")
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        seconds = time.perf_counter() - began
        if process.returncode or plex.told().writes < scenes:
            raise SystemExit(f"the sync of {scenes} scenes ended with {process.returncode}")
        cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        return Run(seconds, cpu, peak, plex.told().requests, stash.told().requests)


@contextmanager
def _tree(commit: str) -> Iterator[Path | None]:
    """The code of a commit in a folder of its own."""
    if not commit:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", tree, commit], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default="", metavar="COMMIT", help="compare with the code of this commit")
    parser.add_argument("--sizes", type=int, nargs=2, default=SIZES, metavar="SCENES")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    for line in report(options.since, tuple(options.sizes), options.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
