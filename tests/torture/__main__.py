"""`python -m tests.torture`: every fault of disk, process and crowd, in full figures, as one table.

--sample    what `make test-all` runs          --only F5,F6   all rows of these faults, or a run by its name
--long      as long as it takes            --seed N       other chances; a failure is found again by its seed
--store postgres   all stores on a PostgreSQL server, and what can happen to that
Exits with 1 if anything was lost, doubled or wrong, or if a row has tried nothing and doesn't say why.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from tests import postgres_server
from tests.on_postgres import served
from tests.store_places import is_postgres
from tests.torture import (
    crowd,
    damage,
    disk_faults,
    full_disk,
    kill_calls,
    kill_commits,
    kill_compare,
    kill_jobs,
    kill_steps,
    lost_connections,
    lost_log,
    places,
    power,
    server_faults,
    short_memory,
    suites,
    suspended,
    two_machines,
)
from tests.torture.leaking import heard
from tests.torture.score import Score

ROOT = Path(__file__).resolve().parents[2]
RUNS: dict[str, Callable[[str, int], list[Score]]] = {
    "F1-F3,F13": kill_steps.kill,
    "F1-F3-calls": kill_commits.kill,
    "F4": kill_jobs.kill,
    "F4-calls": kill_calls.kill,
    "F5": power.power_loss,
    "F6,F7": disk_faults.full_and_failing,
    "F6-serve": full_disk.serving,
    "F8": places.unwritable,
    "F9": places.busy,
    "F10": damage.corrupt,
    "F10-repair": damage.repair_killed,
    "F11": damage.mixed,
    "F11-lost": lost_log.compared,
    "F12": places.shares,
    "F14": damage.versions,
    "F15": crowd.workers,
    "F16": crowd.everyone,
    "F19": suspended.suspended,
    "F20": kill_jobs.told_to_end,
    "F34-kill": kill_compare.kill,
    "F45": places.pipes,
    "F46": kill_jobs.memory,
    "F46-limit": short_memory.limited,
}
# What `make test-all` runs as tests of its own, here in full figures.
SUITES = {
    "F48": suites.lives,
    "F48-servers": suites.server_lives,
    "F48-plays": suites.play_lives,
    "F48-both": suites.both_lives,
    "F48-viewings": suites.room_lives,
    **{name: partial(suites.run, name) for name in suites.SUITES},
}
# Those that are about what a process, or its line to the server, does; a disk is the server's own affair.
ON_SERVER = {
    name: run
    for name, run in {**RUNS, **SUITES}.items()
    if name
    in (
        "F4",
        "F4-calls",
        "F15",
        "F16",
        "F19",
        "F20",
        "F34-kill",
        "F46",
        "F48",
        "F48-servers",
        "F48-plays",
        "F48-both",
        "F48-viewings",
    )
}
ON_SERVER |= {
    "P1": lost_connections.cut,
    "P2": lost_connections.kill,
    "P3": server_faults.troubled,
    "P4": server_faults.failing_over,
    "P5": server_faults.unreachable,
    "P6": two_machines.alternating,
}
AT_ONCE = 3
# Those that take long begin first, so that at the end nobody waits for one alone.
FULL = {
    **{
        name: SUITES[name]
        for name in (
            "F48",
            "F48-servers",
            "F48-plays",
            "F48-both",
            "F48-viewings",
            "F44",
            "models",
            "F36",
            "S1-S4",
            "F30",
            "F39",
        )
    },
    **RUNS,
    **SUITES,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--run", default="", help="one run by its name, in this process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    size = "sample" if given.sample else "long" if given.long else "full"
    seed = given.seed or random.SystemRandom().randrange(1, 1_000_000)
    with on_postgres() if given.store == "postgres" else nullcontext():
        return judged(given, size, seed, parser)


@contextmanager
def on_postgres() -> Iterator[None]:
    """All stores of this process and its children are on a server of its own."""
    if why := postgres_server.missing():
        sys.exit(why)
    with postgres_server.Server(max_connections=200) as server, served(server):
        yield


def judged(given: argparse.Namespace, size: str, seed: int, parser: argparse.ArgumentParser) -> int:
    """Run what was asked for, and tell; returns the exit code."""
    began = time.monotonic()
    runs = ON_SERVER if is_postgres() else RUNS if given.sample and not (given.only or given.run) else FULL
    wanted = {given.run} if given.run else set(filter(None, given.only.split(",")))
    names = [name for name in runs if not wanted or name in wanted or (not given.run and wanted & faults_of(name))]
    if not names:
        parser.error(f"there are {', '.join(runs)}")
    if given.run:
        scores = alone(runs[given.run], size, seed)
    else:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            scores = [score for some in pool.map(lambda name: apart(name, size, seed), names) for score in some]
    if given.json:
        print(json.dumps([score.plain() for score in scores]))
    else:
        print("\n".join(table(sorted(scores, key=place_of), time.monotonic() - began)))
    return 0 if all(score.clean for score in scores) else 1


def faults_of(name: str) -> set[str]:
    """F1-F3,F13 is one run of four faults, F6-serve one of F6."""
    faults = set()
    for part in name.split(","):
        faults.add(part.partition("-")[0])
        if found := re.fullmatch(r"([A-Z]+)(\d+)-\1(\d+)", part):
            faults |= {f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1)}
    return faults


def place_of(score: Score) -> tuple[bool, int, str]:
    """The faults by their numbers, whatever has none behind them."""
    found = re.match(r"F(\d+)", score.fault)
    return not found, int(found[1]) if found else 0, score.fault


def alone(run: Callable[[str, int], list[Score]], size: str, seed: int) -> list[Score]:
    """One run in this process; whatever it and its children say is searched for secrets."""
    with heard() as leaks:
        scores = run(size, seed)
    for leak in leaks:
        scores[0].spoil(leak)
    return scores


def apart(name: str, size: str, seed: int) -> list[Score]:
    """One run in a process of its own, which has no threads to be forked with."""
    began = time.monotonic()
    words = [sys.executable, "-m", "tests.torture", f"--run={name}", f"--seed={seed}", "--json"]
    done = subprocess.run(
        [*words, *([] if size == "full" else [f"--{size}"])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    try:
        scores = [Score(**one) for one in json.loads(done.stdout)]
    except ValueError:
        scores = []
    clean = bool(scores) and all(score.clean for score in scores)
    if not scores or done.returncode != (0 if clean else 1):
        score = Score(name, "the run itself failed", seed)
        score.spoil(f"it ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
        scores.append(score)
        clean = False
    # A run that is broken off has told what it had found.
    told = [f"{name}: {seconds:.0f} s, {sum(score.cases for score in scores)} cases, {'' if clean else 'not '}clean"]
    told += [f"  {note}" for score in scores if not score.clean for note in score.notes]
    print("\n".join(told), file=sys.stderr, flush=True)
    return scores


def table(scores: list[Score], seconds: float) -> Iterator[str]:
    """One line for each, the causes of trouble after them."""
    width = max(len(score.what) for score in scores)
    first = max(len(score.fault) for score in scores)
    yield f"{'fault':{first}} {'what':{width}} {'cases':>7} {'lost':>5} {'doubled':>7} {'wrong':>5}  seed"
    for score in scores:
        counts = score.left_out or f"{score.cases:7} {score.lost:5} {score.doubled:7} {score.wrong:5}  {score.seed}"
        skipped = f"  left out: {score.skipped}" if score.skipped and not score.left_out else ""
        yield f"{score.fault:{first}} {score.what:{width}} {counts}{skipped}"
    cases = sum(score.cases for score in scores)
    sums = [sum(getattr(score, name) for score in scores) for name in ("lost", "doubled", "wrong")]
    yield f"{'':{first}} {'in all':{width}} {cases:7} {sums[0]:5} {sums[1]:7} {sums[2]:5}"
    yield f"{len(scores)} rows in {seconds / 60:.1f} minutes, {AT_ONCE} at once"
    for score in scores:
        if not score.clean and not score.notes:
            yield f"{score.fault}: no case was tried"
        for note in score.notes:
            yield f"{score.fault}: {note}"


if __name__ == "__main__":
    sys.exit(main())
