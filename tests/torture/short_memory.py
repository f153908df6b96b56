"""A worker with little memory (RLIMIT_AS) meets answers that are too large, and long queues: F46.

`python -m tests.torture.short_memory MEGABYTES COMMAND` is `plexsync COMMAND` that may take so much beyond its beginning.
"""

import importlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from plexsync.cli.main import main as call
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Kind, Why
from plexsync.store.database import Database
from tests.patience import HANG
from tests.torture import forks
from tests.torture.kill_jobs import ROOT, SCENES, Reference, a_pass, beats, config_for, environ_for, rows, want_all
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop

CASES = {"sample": 1, "full": 5, "long": 200}
QUEUE = {"sample": 10_000, "full": 100_000, "long": 100_000}
# Megabytes beyond what the process begins with; each of its threads takes eight by itself.
LEAST, MOST = 10, 120
# How long serve is let run.
SECONDS = 3.0
# What `serve` says while the settings in Stash can't be read.
WAITS = "waiting for Stash"
# Python waits for ever for a thread that found no memory to begin, as if a library in C had not survived that.
NEVER_BEGAN = "in thread started by"
# Lines that tell of trouble, and how a process may end: libraries in C don't survive every allocation that fails.
LINES = 12
ENDS = (0, 1, 2, -signal.SIGSEGV, -signal.SIGABRT)

# Rows of scenes that nobody has, due in a day.
FIRST, DAY = 10_000, 86_400_000

STATM = Path("/proc/self/statm")

Town = Neighbours
Spoil = Callable[[Town, dict, Path, str], None]


def limited(size: str, seed: int) -> list[Score]:
    """Each kind of load, by drain and by serve, with memory by chance; afterwards a worker with enough does the rest."""
    score = Score("F46", "little memory: answers too large, long queues", seed)
    if not STATM.exists():
        score.left_out = "left out: only Linux tells how much memory a process has"
        return [score]
    ends = {"went on": 0, "refused": 0, "crashed": 0}
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        for name, spoil in LOADS.items():
            for number in range(CASES[size]):
                rng = random.Random(f"{seed} {name} {number}")
                command, more = ("drain", "serve")[(number + seed) % 2], rng.randint(LEAST, MOST)
                made, folder = town.ask("fresh", SCENES), place / "case"
                shutil.rmtree(folder, ignore_errors=True)
                want_all(folder, made["ids"])
                spoil(town, made, folder, size)
                case = f"{name}, {command}, {more} MB"
                code, told = _run(made, folder, more, command)
                score.cases += 1
                ends["refused" if code > 0 else "crashed" if code else "went on"] += 1
                _judge_run(score, case, code, told, folder)
                town.ask("well")
                _judge(score, case, made, folder, town, reference.shown, alike=name not in CHANGING)
    score.what += f" ({', '.join(f'{count} {how}' for how, count in ends.items())})"
    return [score]


def _run(made: dict, folder: Path, megabytes: int, command: str) -> tuple[int, list[str]]:
    """The exit code, and the lines it said to standard error."""
    errors = folder.with_name("errors.txt")
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.short_memory", str(megabytes), command],
            cwd=ROOT,
            env=environ_for(made, folder) | {"PLEXSYNC_PLEX_READ_TIMEOUT": "60"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    hangs = ""
    if command == "serve":
        # Without its settings from Stash it waits, and no worker begins.
        if not _waited(process, errors, lambda: beats(folder) or WAITS in errors.read_text()):
            hangs = "\nno worker begins"
            process.kill()
        until = time.monotonic() + SECONDS
        _waited(process, errors, lambda: time.monotonic() > until)
        process.send_signal(signal.SIGTERM)
    if not _waited(process, errors, lambda: False):
        hangs = "\nit hangs"
        process.kill()
    process.wait()
    return process.returncode, (errors.read_text() + hangs).splitlines()


def _waited(process: subprocess.Popen, errors: Path, condition: Callable[[], bool]) -> bool:
    """Wait for the condition or the end of the process, which is ended if it waits for ever for a thread."""
    end = time.monotonic() + HANG
    while process.poll() is None and not condition():
        if NEVER_BEGAN in errors.read_text():
            process.send_signal(signal.SIGABRT)
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _judge_run(score: Score, case: str, code: int, told: list[str], folder: Path) -> None:
    lines = [line for line in told if " ERROR " in line or " WARNING " in line or line.startswith("plexsync: ")]
    # Python's own traces: of an allocation that failed, and of a thread that found no memory to begin.
    known = any(cause in line for line in told for cause in ("MemoryError", NEVER_BEGAN))
    bug = any(line.startswith("Traceback") for line in told) and not known
    if code not in ENDS or len(lines) > LINES or bug:
        score.spoil(f"{case}: exit {code} and {len(lines)} lines: {told[-LINES:]}")
    score.law(folder / NAME, f"{case}, with little memory")
    if dead := rows(folder / NAME, "select id, cls, error from job where state = 'dead'"):
        score.spoil(f"{case}: given up: {dead}")


def _judge(score: Score, case: str, made: dict, folder: Path, town: Town, shown: dict, *, alike: bool) -> None:
    for _ in range(4):
        _rush(folder / NAME, made["ids"])
        end = forks.run(lambda ack: a_pass(config_for(made), folder, [], ack))
        if end.failed or end.killed or not _left(folder, made):
            break
    if end.failed or end.killed:
        score.spoil(f"{case}: the run in peace ended badly: {end}")
        return
    score.law(folder / NAME, f"{case}, at the end")
    known = {id for (id,) in rows(folder / NAME, "select id from job")}
    if lost := set(made["ids"]) - known:
        score.lose(f"{case}: {sorted(lost)} were wanted and are not there")
    if left := _left(folder, made):
        score.spoil(f"{case}: not in step: {left}")
    found = town.ask("state")["shown"]
    if alike and {path: found[path] for path in shown} != shown:
        score.spoil(f"{case}: Plex shows something else than after a run with enough memory")


def _left(folder: Path, made: dict) -> list[tuple]:
    return rows(folder / NAME, f"select id, state, error from job where state <> 'idle' and id <= {max(made['ids'])}")


def _rush(path: Path, ids: list[int]) -> None:
    """Nothing of ours waits for the pace of a failure, or for a neighbour that was away."""
    db = sqlite3.connect(path, timeout=HANG)
    with db:
        db.execute("delete from breaker")
        db.execute("delete from pace")
        db.execute("update job set due = 0 where state in ('ready', 'absent') and id <= ?", (max(ids),))
    db.close()


# --- loads -----------------------------------------------------------------------------------------------------------


def _nothing(town: Town, made: dict, folder: Path, size: str) -> None:
    pass


def _huge_stash(town: Town, made: dict, folder: Path, size: str) -> None:
    town.ask("huge", 0, 60)


def _huge_plex(town: Town, made: dict, folder: Path, size: str) -> None:
    town.ask("huge", 1, 60)


def _heavy(town: Town, made: dict, folder: Path, size: str) -> None:
    town.ask("heavy", 25)


def _wordy(town: Town, made: dict, folder: Path, size: str) -> None:
    town.ask("wordy", made["ids"][0], 1)


def _queue(town: Town, made: dict, folder: Path, size: str) -> None:
    """Copied from one that is made once: so many wants take a while."""
    whole = folder.with_name(f"queue-{QUEUE[size]}")
    if not whole.exists():
        store = Database(whole / NAME, worker=True)
        for start in range(FIRST, FIRST + QUEUE[size], 5000):
            with store.writing() as tx:
                for id in range(start, start + 5000):
                    tx.jobs.want(Kind.SCENE, id, Why.SWEEP, SystemClock().now())
        store.close()
        db = sqlite3.connect(whole / NAME, isolation_level=None)
        db.execute("update job set due = due + ?", (DAY,))
        db.close()
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    want_all(folder, made["ids"])


LOADS: dict[str, Spoil] = {
    "nothing special": _nothing,
    "60 MB from Stash": _huge_stash,
    "60 MB from Plex": _huge_plex,
    "a listing of 25 MB": _heavy,
    "details of 1 MB": _wordy,
    "a long queue": _queue,
}
CHANGING = ("details of 1 MB",)


# --- a process with little memory ------------------------------------------------------------------------------------


def _begin(megabytes: int, words: list[str]) -> None:
    """As `plexsync`, with so much memory beyond what is needed to be there at all."""
    # There is no such module, nor such a limit, on Windows.
    resource = importlib.import_module("resource")
    for name in ("commands.serve", "commands.drain", "faults"):
        importlib.import_module(f"plexsync.cli.{name}")
    pages = int(STATM.read_text().split()[0])
    most = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    call(words)


if __name__ == "__main__":
    _begin(int(sys.argv[1]), sys.argv[2:])
