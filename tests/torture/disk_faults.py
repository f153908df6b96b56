"""A disk that is full or fails: F6 and F7. strace makes the N-th write or sync of a process fail, for every N."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from store import intake
from store.database import Database
from store.db import connect
from tests.torture.power import MISSING, ROOT, there
from tests.torture.score import NAME, Score, workshop

EVERY = {"sample": 0, "full": 1, "long": 1}
MOST = 400
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
        timeout=60,
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


def _points(total: int, every: int, seed: int) -> Iterator[str]:
    """`N+`: from the N-th call on; `N`: that one alone; `N..M`: until there is space again."""
    if not every:
        yield f"{1 + seed % total}+"
        yield f"{1 + seed % total}..{seed % total + 8}"
        return
    for number in range(1 + seed % every, min(total, MOST) + 1, every):
        yield f"{number}+"
        yield f"{number}"
        yield f"{number}..{number + 7}"


# --- hooks -----------------------------------------------------------------------------------------------------------


def _hooks(place: Path, calls: str, error: str, every: int, score: Score) -> None:
    template = place / "template"
    folder = template / "plexsync"
    Database(folder / NAME).close()
    words = [str(ROOT / "plugin" / "hook.py")]
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
    db = connect(folder / NAME)
    ids = {id for (id,) in db.execute("select id from job")}
    db.close()
    return ids | {id for _, _, id, _ in intake.spooled(str(folder), 10_000, 0)}


# --- workers ---------------------------------------------------------------------------------------------------------


def _workers(place: Path, calls: str, error: str, every: int, score: Score) -> None:
    template = place / "template"
    Database(template / NAME).close()
    shutil.copytree(template, place / "count")
    module = ["-m", "tests.torture.victim", "stubborn"]
    total = count_of(calls, [*module, str(place / "count")], place)
    # The end of the run is more of the same.
    for when in _points(min(total, 60), every, score.seed):
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
        if ".." in when and 40 not in acked:
            score.spoil(f"{told}: it did not go on when there was space again")
