"""`make mutants`: small faults are put into the product, one at a time. How many does a test find?

--number N   another draw; a number draws the same faults     --count N   how many
--only ROOM  rooms, folders or files, by commas               --list      the draw, and the tests that come first
Each line names a fault and the test that found it. The table at the end counts by room. It is a measurement, so it exits
with 0 however many survive.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests import postgres_server
from tests.measure import ROOT
from tests.mutants import equivalents
from tests.mutants.choice import Choice
from tests.mutants.draw import POSTGRES, draw, possible, room_of
from tests.mutants.faults import Fault
from tests.mutants.trial import Bench, Verdict, copied

NUMBER, COUNT, WORKERS, CPU = 26, 60, 2, 120


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=NUMBER)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--cpu", type=float, default=CPU, help="seconds of CPU for each fault that no test finds")
    given = parser.parse_args()
    candidates = possible(only=given.only)
    if missing := postgres_server.missing():
        print(f"{POSTGRES} is left out: {missing}", file=sys.stderr)
        candidates = [fault for fault in candidates if room_of(fault.path) != POSTGRES]
    if not candidates:
        parser.error(f"nothing of the product is called {given.only}")
    drawn, choice = draw(candidates, given.number, given.count), Choice()
    if given.list:
        for fault in drawn:
            print(f"{fault}\n    {' '.join(choice.tests(fault)[:4])}")
        return 0
    began, known = time.monotonic(), equivalents.known()
    tried = [fault for fault in drawn if fault.name not in known]
    verdicts = run(tried, choice, given.workers, given.cpu)
    print("\n".join(table(drawn, verdicts)))
    print(
        f"number {given.number}, {len(drawn)} of {len(candidates):,} faults, {(time.monotonic() - began) / 60:.1f} minutes"
    )
    return 0


def run(tried: list[Fault], choice: Choice, workers: int, cpu: float) -> list[Verdict]:
    """Try each, some at once, and tell each as soon as it has ended; again, if its test turns out to fail without it."""
    # A short path: a socket's must fit in a hundred letters.
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    benches: SimpleQueue[Bench] = SimpleQueue()

    def one(fault: Fault) -> Verdict:
        bench = benches.get()
        try:
            return told(bench.tried(fault, choice.tests(fault)))
        finally:
            benches.put(bench)

    try:
        unsound: set[str] = set()
        for worker in range(workers):
            benches.put(bench := Bench(folder / str(worker), cpu, unsound))
            copied(bench.tree, ROOT)
        with ThreadPoolExecutor(workers) as pool:
            verdicts = list(pool.map(one, tried))
            while not bench.confirmed(verdicts):
                print(f"these fail without a fault, and find none: {' '.join(sorted(unsound))}", flush=True)
                doubtful = [verdict.fault for verdict in verdicts if verdict.found_by in unsound]
                sound = [verdict for verdict in verdicts if verdict.found_by not in unsound]
                verdicts = [*sound, *pool.map(one, doubtful)]
        return verdicts
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def told(verdict: Verdict) -> Verdict:
    """One line for each; one that survived with what it would be called in `equivalent.txt`."""
    end = f"found by {verdict.found_by}" if verdict.found_by else f"SURVIVED {verdict.files} files"
    print(f"{verdict.fault}\n    {end} ({verdict.seconds:.0f} s, CPU {verdict.cpu:.0f} s)", flush=True)
    return verdict


def table(drawn: list[Fault], verdicts: list[Verdict]) -> Iterator[str]:
    """By room: drawn, found, survived, equivalent, and found in percent of those that can be found."""
    rooms = Counter(room_of(fault.path) for fault in drawn)
    tried = Counter(room_of(verdict.fault.path) for verdict in verdicts)
    found = Counter(room_of(verdict.fault.path) for verdict in verdicts if verdict.found_by)
    survivors = [verdict.fault for verdict in verdicts if not verdict.found_by]
    if survivors:
        yield "\nsurvived:\n"
        yield from (f"{equivalents.block(fault)}\n" for fault in survivors)
    yield f"{'room':<20}{'drawn':>7}{'found':>7}{'survived':>10}{'equivalent':>12}{'percent':>9}"
    for room in (*sorted(rooms), ""):
        all_of, these, known = ((counts[room] if room else counts.total()) for counts in (rooms, tried, found))
        percent = f"{100 * known / these:.0f}" if these else "-"
        yield f"{room or 'in all':<20}{all_of:>7}{known:>7}{these - known:>10}{all_of - these:>12}{percent:>9}"


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
