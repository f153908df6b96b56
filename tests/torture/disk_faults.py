"""A disk that is full or fails: F6 and F7. strace makes the N-th write or sync of a process fail, for every N."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import db, intake
from plexsync.store.database import Database
from plexsync.store.db import connect
from plexsync.store.queue.jobs import AttemptEnding
from tests.patience import HANG
from tests.torture.power import MISSING, ROOT, there
from tests.torture.score import NAME, Score, workshop
from tests.torture.victim import NOW

EVERY = {"sample": 0, "full": 1, "long": 1}
# With more calls than that, each is tried in one way by each plan.
MANY = 100
ROUNDS = 7
MOST = 40
# So short a log is long, for a worker whose life is short.
CHECKPOINT_PAGES = 30
IDLE = Settled(State.IDLE, 0, 0, 0, NOW)
# What fails, and how: the database alone, all that is written or synced, or the folder and file that the spool makes.
WRITES = {
    "F6": (("pwrite64", "ENOSPC"), ("pwrite64,fsync", "ENOSPC"), ("pwrite64,fsync,ftruncate,mkdir,rename", "ENOSPC")),
    "F7": (("fdatasync", "EIO"), ("fdatasync,fsync", "EIO"), ("pwrite64", "EIO")),
}


def failing(calls: str, error: str, when: str, words: list[str], *, event: bytes = b"") -> subprocess.CompletedProcess:
    """A process in which the `when`-th of these calls fails."""
    log = os.devnull
    return subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-e",
            f"trace={calls}",
            "-e",
            "signal=none",
            "-o",
            log,
            "-e",
            f"inject={calls}:error={error}:when={when}",
            sys.executable,
            *words,
        ],
        cwd=ROOT,
        input=event,
        capture_output=True,
        timeout=HANG,
        check=False,
    )


def count_of(calls: str, words: list[str], place: Path, *, event: bytes = b"") -> int:
    """How often an undisturbed process makes these calls."""
    log = place / "count.log"
    subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", "signal=none", "-o", log, sys.executable, *words],
        cwd=ROOT,
        input=event,
        capture_output=True,
        check=True,
    )
    return sum("(" in line for line in log.read_text().splitlines())


def full_and_failing(size: str, seed: int) -> list[Score]:
    """Hooks and workers on a disk that fails from the N-th call on, or at the N-th call alone."""
    scores = []
    for fault, plans in WRITES.items():
        for calls, error in plans:
            for who, run in (("hook", _hooks), ("worker", _workers)):
                score = Score(fault, f"{error} at every {calls}: {who}", seed)
                scores.append(score)
                if not there():
                    score.left_out = MISSING
                    continue
                with workshop() as place:
                    run(place, calls, error, EVERY[size], score)
    return scores


def _points(total: int, every: int, seed: int, turn: int = -1) -> Iterator[str]:
    """`N+`: from the N-th call on; `N`: that one alone; `N..M`: until there is space again.

    All three for each N, or, for what takes long, one of them by `turn`, so that several plans try all.
    """
    if not every:
        yield f"{1 + seed % total}+"
        yield f"{1 + seed % total}..{seed % total + 8}"
        return
    for number in range(1, total + 1, every):
        ways = (f"{number}+", f"{number}", f"{number}..{number + 7}")
        yield from ways if turn < 0 else (ways[(number + turn) % 3],)


# --- hooks -----------------------------------------------------------------------------------------------------------


def _hooks(place: Path, calls: str, error: str, every: int, score: Score) -> None:
    template = place / "template"
    folder = template / "plexsync"
    Database(folder / NAME).close()
    words = [str(ROOT / "plexsync" / "stash_plugin" / "hook.py")]
    shutil.copytree(template, place / "count")
    total = count_of(calls, words, place, event=_event(place / "count"))
    for when in _points(max(total, 3), every, score.seed):
        case = place / "case"
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(template, case)
        done = failing(calls, error, when, words, event=_event(case))
        score.cases += 1
        _judge_hook(score, f"{error} {calls} {when}", done, case / "plexsync")


def _event(folder: Path) -> bytes:
    context = {"type": "Scene.Update.Post", "id": 7, "input": {}}
    return json.dumps({"server_connection": {"Dir": str(folder)}, "args": {"hookContext": context}}).encode()


def _judge_hook(score: Score, case: str, done: subprocess.CompletedProcess, folder: Path) -> None:
    if done.returncode or b"Traceback" in done.stdout + done.stderr:
        score.spoil(f"{case}: exit {done.returncode}: {done.stderr[-300:]!r}")
        return
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        score.spoil(f"{case}: the answer is no JSON: {done.stdout!r}")
        return
    score.law(folder / NAME, case)
    if "output" in answer and 7 not in stored(folder):
        score.lose(f"{case}: {answer}")


def stored(folder: Path) -> set[int]:
    """The scenes that are wanted, in the database or by a file."""
    opened = connect(folder / NAME)
    ids = {id for (id,) in opened.execute("select id from job")}
    opened.close()
    return ids | {id for _, _, id, _ in intake.list_spooled(str(folder), 10_000, 0)}


# --- workers ---------------------------------------------------------------------------------------------------------


def _workers(place: Path, calls: str, error: str, every: int, score: Score) -> None:
    template = place / "template"
    Database(template / NAME).close()
    shutil.copytree(template, place / "count")
    module = ["-m", "tests.torture.disk_faults"]
    total = count_of(calls, [*module, str(place / "count")], place)
    if (place / "count" / "copied").read_text() == "0":
        score.spoil("the log was never copied back: this harness proves nothing")
    for when in _points(total, every, score.seed, len(score.what) % 3 if total > MANY else -1):
        case = place / "case"
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(template, case)
        done = failing(calls, error, when, [*module, str(case)])
        score.cases += 1
        told = f"{error} {calls} {when}"
        if b"Traceback" in done.stderr:
            score.spoil(f"{told}: {done.stderr[-600:]!r}")
            continue
        if not score.law(case / NAME, told):
            continue
        acked = {int(line) for line in done.stdout.split()}
        if lost := acked - stored(case):
            score.lose(f"{told}: {sorted(lost)} acknowledged and not there")
        # There are more rounds until one goes well.
        if ".." in when and max(acked, default=0) < ROUNDS:
            score.spoil(f"{told}: it did not go on when there was space again")


def stubborn(folder: Path) -> None:
    """A worker on a disk that fails: every fault is waited out (not long), what is acknowledged must be there.

    The log is copied back by itself, as it grows long, and once more when the database is closed.
    """
    db.CHECKPOINT_PAGES = CHECKPOINT_PAGES
    store, copied, faulty, round = None, 0, False, -1
    while round + 1 < ROUNDS or (faulty and round < MOST):
        round += 1
        try:
            store = store or Database(folder / NAME, worker=True)
            before = (folder / NAME).stat().st_mtime_ns
            with store.writing() as tx:
                tx.jobs.want(Kind.SCENE, round + 1, Why.EDIT, NOW + round)
            os.write(1, f"{round + 1}\n".encode())
            with store.writing() as tx:
                jobs = tx.jobs.claim(2, now=NOW + round, lease_ms=1000, holder="one")
            with store.writing() as tx:
                for job in jobs:
                    after = Settled(State.DEAD, 1, 1, 0, NOW, "no", "refused") if job.id % 3 == 0 else IDLE
                    tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=NOW)
            faulty = False
            copied += (folder / NAME).stat().st_mtime_ns != before
        except (LocalFault, Unusable) as fault:
            faulty = True
            os.write(2, f"fault: {fault}\n".encode())
    if store:
        store.close()
    with suppress(OSError):
        (folder / "copied").write_text(str(copied))


if __name__ == "__main__":
    stubborn(Path(sys.argv[1]))
