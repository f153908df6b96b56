"""A job whose work kills the process, with real processes: it is set aside after three lone crashes, and others go on."""

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from plexsync.engine.clock import SystemClock
from plexsync.engine.watchdog import Watchdog
from plexsync.rules.queue.job import State
from tests import forked
from tests.engine.clocks import Clock, RandomSource
from tests.engine.house import House, Worker
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[2]


# How the work on one scene can end a process.
ENDS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "aborted": os.abort,
    "a fault in a library": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "a loop without end": lambda: [None for _ in iter(int, 1)],
}
CODES = {
    "killed": -signal.SIGKILL,
    "aborted": -signal.SIGABRT,
    "a fault in a library": -signal.SIGSEGV,
    "a loop without end": 1,
}
HANGS = 2.0


def work_as_a_process(folder: Path, stash_url: str, plex_url: str, now: int, poison: int, end: str) -> None:
    """What the child does: take back, then work until nothing is due; to look at the poisonous scene is to die."""
    from plexsync.store.database import Database

    store = Database(folder / "plexsync.db", worker=True)
    sims = {"stash_sim": SimpleNamespace(url=stash_url), "plex_sim": SimpleNamespace(url=plex_url)}
    house = SimpleNamespace(clock=Clock(now), rng=RandomSource(), store=store, **sims)
    # Who dies otherwise is not to be ended by a machine that is busy.
    hangs = HANGS if end == "a loop without end" else 60.0
    watchdog = Watchdog(hangs, SystemClock(), folder / "hang.txt")
    worker = Worker(
        house, holder=str(os.getpid()), fingerprint="as set up", token="house-plex-token", watchdog=watchdog
    )
    real = worker.stash.scenes

    def scenes(ids):
        if poison in ids:
            ENDS[end]()
        return real(ids)

    worker.stash.scenes = scenes
    worker.engine.reclaim()
    while True:
        step = worker.engine.step()
        if hasattr(step, "until"):
            break
    worker.close()
    store.close()


def start(house, poison, end) -> int:
    """One life of the worker; its exit code."""
    code = "import sys; from tests.load.test_load_poison import *; a = sys.argv; "
    code += "work_as_a_process(Path(a[1]), a[2], a[3], int(a[4]), int(a[5]), a[6])"
    words = (house.folder, house.stash_sim.url, house.plex_sim.url, house.clock.now(), poison, end)
    environ = {"PATH": os.environ["PATH"]}
    words = ["-c", code, *map(str, words)]
    return forked.run(words, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL, timeout=HANG).returncode


@pytest.mark.skipif(os.name != "posix", reason="a process is killed by its signal here")
# Each takes nine processes. A loop has to last until the watchdog ends it.
@pytest.mark.parametrize(
    "end", ["killed", *(pytest.param(end, marks=pytest.mark.long) for end in ENDS if end != "killed")]
)
def test_a_job_that_kills_its_worker_three_times_is_set_aside_and_the_others_go_on(tmp_path, end):
    with House(tmp_path / "data") as house:
        poison, *others = ids = house.add(6)
        house.want(*ids)
        killed, well = CODES[end], 0
        assert start(house, poison, end) == killed, "in company, which blames nobody"
        assert start(house, poison, end) == killed, "alone"
        assert start(house, poison, end) == well, "the others are served while it waits"
        assert house.out_of_step(others) == []
        house.clock.move(60)
        assert [start(house, poison, end), start(house, poison, end)] == [killed, well]
        assert house.row(poison).state is State.READY
        house.clock.move(600)
        assert [start(house, poison, end), start(house, poison, end)] == [killed, well]
        row = house.row(poison)
        assert (row.state, row.cls, row.crashes, row.attempts) == (State.DEAD, "poison", 3, 0)
        assert {house.row(id).state for id in others} == {State.IDLE}
        assert house.out_of_step(others) == []
        assert house.rows("select max(crashes) from job where state = 'idle'") == [(0,)]
        assert house.books_balance()
