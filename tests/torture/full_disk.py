"""The disk of a real `plexsync serve` fills up while it works: F6. It says so once a minute, and goes on with space.

`python -m tests.torture.full_disk` is that `serve` for whom a minute is over in a second.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from plexsync.cli.main import main as call
from plexsync.engine import loop
from plexsync.engine.clock import SystemClock
from plexsync.store import intake
from plexsync.store.database import Database
from tests.patience import HANG
from tests.torture.kill_jobs import ROOT, environ_for, rows, wait_for_heartbeat
from tests.torture.neighbours import Neighbours
from tests.torture.power import there
from tests.torture.score import NAME, Score, workshop

FASTER = 60
SCENES = 60
SMALL = 4 * 2**20
# Seconds with a full disk, then with space, by turns: for `serve` in a hurry, and as it is.
HURRIED = {"while it works": (4.0,), "again and again": (2.0, 1.0, 2.0)}
REAL = {"while it works": (150.0,), "for a moment": (5.0,), "again and again": (65.0, 1.0, 65.0)}
RECOVERY = 90.0
MISSING = "left out: no small disk can be mounted here, and strace is not installed"


def serving(size: str, seed: int) -> list[Score]:
    """Cases with time moved; in full also cases of minutes; side by side, since they mostly wait."""
    plans = [(name, turns, FASTER) for name, turns in HURRIED.items()]
    if size != "sample":
        plans += [(name, turns, 1) for name, turns in REAL.items()]
    score = Score("F6", "disk full under serve: said once a minute, goes on within 90 s", seed)
    if not (_mounts() or there()):
        score.left_out = MISSING
        return [score]
    with ThreadPoolExecutor(len(plans)) as pool:
        for told in pool.map(lambda plan: _served(*plan, score), plans):
            score.what += told
    return [score]


def _served(name: str, turns: tuple[float, ...], faster: int, score: Score) -> str:
    """One life of serve; returns how long it took to go on, for the table."""
    case = f"{name}, {faster} times as fast"
    with workshop() as place, Neighbours() as town, _disk(place) as disk:
        made, folder = town.ask("fresh", SCENES), disk.folder / "data"
        Database(folder / NAME).close()
        town.ask("slow", 0.2)
        module = "tests.torture.full_disk" if faster > 1 else "plexsync"
        environ = environ_for(made, folder) | {"PLEXSYNC_STASH_POLL_INTERVAL": "5"}
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "serve"], cwd=ROOT, env=environ, stdout=log, stderr=log
            )
        disk.pid = process.pid
        try:
            wait_for_heartbeat(folder, process)
            _until(lambda: _in_step(folder) > 3)
            filled = time.monotonic()
            acked: set[int] = set()
            for number, seconds in enumerate(turns):
                (disk.fill if number % 2 == 0 else disk.free)()
                acked |= _hooks(folder, seconds)
                if faster > 1:
                    _until(lambda: "paused" in (place / "log").read_text(errors="replace"))
            disk.free()
            began = time.monotonic()
            before = _in_step(folder)
            _until(lambda: _in_step(folder) > before or before == SCENES)
            spent = time.monotonic() - began
            town.ask("slow", 0.0)
            well = _until(lambda: _in_step(folder) == SCENES)
            alive = process.poll() is None
        finally:
            with suppress(subprocess.TimeoutExpired):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=HANG)
            process.kill()
            code = process.wait()
        score.cases += 1
        lines = (place / "log").read_text(errors="replace").splitlines()
        _judge_log(score, case, lines, (began - filled) * faster)
        # Where time is moved, it is the machine that says how long this takes.
        late = faster == 1 and spent > RECOVERY
        if late or not well or not alive or code:
            score.spoil(
                f"{case}: goes on after {spent:.1f} s, all in step: {well}, alive: {alive}, exit {code}: {lines[-3:]}"
            )
        score.law(folder / NAME, case)
        if used := rows(folder / NAME, "select id, state, attempts, cls from job where attempts or state = 'dead'"):
            score.spoil(f"{case}: attempts were used: {used}")
        if lost := lost_events(folder, acked, set(town.ask("asked_for", sorted(acked))["ids"])):
            score.lose(f"{case}: {sorted(lost)} were acknowledged by hooks, and are neither there nor worked")
        titles = {scalars.get("title") for scalars, *_ in town.ask("state")["shown"].values()}
        if missing := {f"Title {n}" for n in range(SCENES)} - titles:
            score.lose(f"{case}: Plex does not show {sorted(missing)[:5]} and so on")
    return f", {spent:.0f} s" if faster == 1 else ""


def lost_events(folder: Path, acked: set[int], asked_for: set[int]) -> set[int]:
    """The acknowledged events that are in no row and no file, and were not worked.

    They are of scenes that Stash does not have. Once Stash was asked for one, its row is deleted, and counted as pruned.
    """
    there = {id for (id,) in rows(folder / NAME, "select id from job")}
    there |= {id for _, _, id, _ in intake.list_spooled(str(folder), 10_000, 0)}
    worked = (acked - there) & asked_for
    ((pruned,),) = rows(folder / NAME, "select pruned from book")
    return acked - there - (worked if len(worked) <= pruned else set())


def _hooks(folder: Path, seconds: float) -> set[int]:
    """A hook a second, for scenes that Stash does not have; returns those that were acknowledged."""
    acked = set()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        id = 1_000_000 + round(1000 * time.monotonic())
        with suppress(intake.NotStored):
            intake.store(str(folder), "scene", id)
            acked.add(id)
        time.sleep(min(left, 1.0))
    return acked


def _judge_log(score: Score, case: str, lines: list[str], seconds: float) -> None:
    told = [line for line in lines if " ERROR " in line or " WARNING " in line or "paused" in line]
    if not told or len(told) > 1 + seconds // 60:
        score.spoil(f"{case}: {len(told)} lines in {seconds:.0f} s: {told[:4]}")
    if strange := [line for line in lines if "Traceback" in line or " CRITICAL " in line]:
        score.spoil(f"{case}: {strange[0]}")


def _in_step(folder: Path) -> int:
    """How many scenes; -1 while nobody can read, since a log's index that is gone can't be made on a full disk."""
    try:
        return int(rows(folder / NAME, "select count(*) from job where state = 'idle'")[0][0])
    except sqlite3.OperationalError:
        return -1


def _until(true: object) -> bool:
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


# --- a disk that can be full -----------------------------------------------------------------------------------------


class Mounted:
    """A few megabytes of memory as a disk of its own, filled by a file that takes what is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid = 0

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


class Refusing:
    """Every write of the process fails as on a full disk, as long as strace hangs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid = 0
        self._strace: subprocess.Popen | None = None

    def fill(self) -> None:
        words = ["-e", "trace=pwrite64", "-e", "signal=none", "-e", "inject=pwrite64:error=ENOSPC", "-o", os.devnull]
        self._strace = subprocess.Popen(
            ["strace", "-f", "-qq", *words, "-p", str(self.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def free(self) -> None:
        if self._strace is not None:
            self._strace.send_signal(signal.SIGINT)
            self._strace.wait()
            self._strace = None


@contextmanager
def _disk(place: Path) -> Iterator[Mounted | Refusing]:
    if not _mounts():
        refusing = Refusing(place)
        try:
            yield refusing
        finally:
            refusing.free()
        return
    folder = place / "disk"
    folder.mkdir()
    _mount(folder)
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(folder: Path) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "none", str(folder)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _mounts() -> bool:
    """Whether we may mount: tried, since neither the user nor the capabilities tell."""
    with workshop() as place:
        if not _mount(place):
            return False
        return subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0


# --- serve in a hurry ------------------------------------------------------------------------------------------------


def hurried() -> None:
    """A minute of waiting for space is over in a second, and so is the minute between two lines that tell of it."""
    loop.FULL_PAUSE /= FASTER
    SystemClock.monotonic = lambda self, real=SystemClock.monotonic: real(self) * FASTER  # type: ignore[method-assign]
    call(["serve"])


if __name__ == "__main__":
    hurried()
