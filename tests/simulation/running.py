"""Runs seeds: lives a world for so many steps, lets it come to rest, and tells what was found.

Each kind of lives says how its world is made and lived; the rest is the same for all of them.
"""

import argparse
import itertools
import logging
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.sim_truth import Violation
from tests.simulation.sim_world import Listener

MEMORY_DISK = Path("/dev/shm")
# What a brief line shows of a failure: its last characters.
BRIEF = 400


@dataclass(frozen=True)
class Failure:
    """A promise that a seed has found broken; `history` ends with the moment."""

    seed: int
    steps: int
    kind: str
    text: str
    history: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((f"seed {self.seed}, {self.steps} steps: {self.text}", *self.history))


@dataclass
class Report:
    """What a range of seeds came to. `tally` counts what happened, by name: faults, kills, requests, writes."""

    first: int
    count: int
    steps: int
    seconds: float = 0.0
    tally: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    digests: dict[int, int] = field(default_factory=dict)

    def failed(self, kind: str) -> int:
        """How many seeds found something lost, doubled, wrong or broken."""
        return sum(failure.kind == kind for failure in self.failures)

    @property
    def lost(self) -> int:
        return self.failed("lost")

    @property
    def doubled(self) -> int:
        return self.failed("doubled")

    @property
    def wrong(self) -> int:
        return self.failed("wrong") + self.failed("broken")

    def show(self, *, brief: bool = False) -> None:
        """Print what was found, `brief`: a line for each failure, without its history."""
        for failure in self.failures:
            print(f"seed {failure.seed}: {failure.text[-BRIEF:]}" if brief else f"{failure}\n")
        print(dict(self.tally.most_common()))
        print(
            f"{self.count} seeds of {self.steps} steps in {self.seconds:.1f} s: "
            f"{self.lost} lost, {self.doubled} doubled, {self.wrong} wrong; "
            f"seeds {[failure.seed for failure in self.failures]}"
        )


@dataclass(frozen=True)
class Lives:
    """Lives of one kind: `world` makes the world of a seed, `live` lives it for so many steps and judges it."""

    world: Callable[[int, Path], Any]
    live: Callable[[Any, int], None]

    def run(self, first: int, count: int, steps: int) -> Report:
        """Live so many seeds, one after the other; failures are in the report, each with the seed that shows it again."""
        return self.run_some(range(first, first + count), Report(first, count, steps))

    def run_some(self, seeds: Iterable[int], report: Report, *, until_lost: bool = False) -> Report:
        """Live the first `report.count` of these seeds. `until_lost`: stop where something is lost."""
        began = time.monotonic()
        for seed in itertools.islice(seeds, report.count):
            failure, tally, digest = self.run_seed(seed, report.steps)
            report.tally += tally
            report.digests[seed] = digest
            if failure:
                report.failures.append(failure)
            if until_lost and report.lost:
                break
        report.seconds = time.monotonic() - began
        return report

    def run_seed(self, seed: int, steps: int) -> tuple[Failure | None, Counter[str], int]:
        """One seed: its failure if it has one, what happened, and the digest of its history."""
        with scratch() as folder, listening(), closing(self.world(seed, folder)) as world:
            failure = None
            try:
                self.live(world, steps)
            except Violation as violation:
                failure = Failure(seed, steps, violation.kind, str(violation), tuple(world.history))
            except Exception:  # noqa: BLE001 - a fault of any kind is a finding
                failure = Failure(seed, steps, "broken", traceback.format_exc(), tuple(world.history))
            return failure, world.tally, world.digest

    def main(self, about: str | None, *, steps: int = 200) -> None:
        """Run a range by hand: `FIRST COUNT STEPS`."""
        parser = range_parser(about, steps=steps)
        options = parser.parse_args()
        self.run(options.first, options.count, options.steps).show(brief=options.brief)


def range_parser(about: str | None, *, steps: int) -> argparse.ArgumentParser:
    """The arguments of a range of seeds."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("steps", type=int, nargs="?", default=steps)
    parser.add_argument("--brief", action="store_true", help="a line for each failure, without its history")
    return parser


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on a disk that syncs for nothing, where there is one: no power is lost here."""
    place = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="plexsync-simulation-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def listening() -> Iterator[None]:
    """Every line that the product logs is heard, and goes nowhere else."""
    logger, listener = logging.getLogger("PlexSync"), Listener()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        logger.propagate = propagate
