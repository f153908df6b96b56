"""Whole jobs of a real `plexsync drain`, killed by strace at a call to the system: F4."""

import os
import random
import subprocess
import sys
from pathlib import Path

from tests.store_places import place_of
from tests.torture import forks
from tests.torture.forks import Call
from tests.torture.kill_jobs import ROOT, SCENES, a_pass, config_for, environ_for, rows, rush, want_all
from tests.torture.neighbours import Neighbours
from tests.torture.power import MISSING, there
from tests.torture.score import NAME, Score, workshop

# What reaches the disk, and what goes out to the neighbours and comes back.
DISK = "pwrite64,fdatasync,fsync,ftruncate,unlink,unlinkat"
NET = "connect,sendto,recvfrom,close"
CALLS = {"disk": DISK, "network": NET}
CASES = {"sample": 2, "full": 60, "long": 2000}
# What crashed a worker three times alone is given up; one kill never comes near that.
PASSES = 4
# strace ends as what it traced did.
KILLED = (-9, 128 + 9)


def kill(size: str, seed: int) -> list[Score]:
    """Scenes are wanted, a drain is killed at a call, and the next one does the rest without anybody wanting it again."""
    scores = []
    for name, calls in CALLS.items():
        score = Score("F4", f"drain killed at a call to {name}", seed)
        scores.append(score)
        if not there():
            score.left_out = MISSING
            continue
        with workshop() as place, Neighbours() as town:
            _cases(place, town, calls, CASES[size], score)
    return scores


def _cases(place: Path, town: Neighbours, calls: str, count: int, score: Score) -> None:
    made = town.ask("fresh", SCENES)
    want_all(place / "count", made["ids"])
    points = _calls_of(calls, made, place / "count", place / "count.log")
    whole = town.ask("state")
    killed = 0
    for case in range(count):
        rng = random.Random(score.seed * 1_000_003 + case)
        # Spread over the whole run, wherever chance begins.
        call = points[(case * len(points) // count + score.seed) % len(points)]
        made, folder = town.ask("fresh", SCENES), place / "case"
        place_of(folder).wipe()
        want_all(folder, made["ids"])
        for _ in range(rng.choice((1, 1, 2))):
            killed += _killed_at(calls, call, made, folder) in KILLED
            score.law(folder / NAME, f"{call}, after the kill")
            rush(folder / NAME)
        score.cases += 1
        _judge(score, f"{call}", made, folder, town, whole)
    score.what += f" ({len(points)} calls, {killed} kills)"
    if not killed:
        score.spoil("no process was killed: this harness proves nothing")


def _strace(calls: str, log: str, more: list[str], made: dict, folder: Path) -> int:
    words = ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", "signal=none", "-o", log, *more]
    return subprocess.run(
        [*words, sys.executable, "-m", "plexsync", "drain"],
        cwd=ROOT,
        env=environ_for(made, folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    ).returncode


def _calls_of(calls: str, made: dict, folder: Path, log: Path) -> list[Call]:
    """The calls that an undisturbed drain makes."""
    code = _strace(calls, str(log), [], made, folder)
    assert code == 0, code
    return forks.calls_in(log)


def _killed_at(calls: str, call: Call, made: dict, folder: Path) -> int:
    return _strace(calls, os.devnull, call.kill, made, folder)


def _judge(score: Score, case: str, made: dict, folder: Path, town: Neighbours, whole: dict) -> None:
    for _ in range(PASSES):
        end = forks.run(lambda ack: a_pass(config_for(made), folder, [], ack))
        if end.failed or end.killed or not rows(folder / NAME, "select 1 from job where state <> 'idle'"):
            break
        rush(folder / NAME)
    if end.failed or end.killed:
        score.spoil(f"{case}: the run in peace ended badly: {end}")
        return
    if not score.law(folder / NAME, case):
        return
    states = dict(rows(folder / NAME, "select id, state from job"))
    if lost := set(made["ids"]) - states.keys():
        score.lose(f"{case}: {sorted(lost)} were wanted and are not there")
    if left := {id: state for id, state in states.items() if state != "idle"}:
        score.spoil(f"{case}: not all in step: {left}")
    now = town.ask("state")
    if now["shown"] != whole["shown"]:
        score.spoil(f"{case}: Plex shows something else than after a run without faults")
    if now["writes"] > whole["writes"]:
        score.double(f"{case}: {now['writes']} writes to Plex instead of {whole['writes']}")
