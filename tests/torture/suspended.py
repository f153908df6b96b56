"""A worker that is stopped longer than its lease, while another does its work: F19."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from plexsync.app.parts import open_parts
from plexsync.app.run import engine_on, loop_of
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Kind, Why
from tests.patience import HANG
from tests.store_places import place_of
from tests.torture import forks
from tests.torture.kill_jobs import OURS, SCENES, STOPS, Reference, config_for, configured, rows, rush
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop

SLEPT = 400_000


class Slept:
    """A wall clock that shows the time that was slept through."""

    def __init__(self, flag: Path) -> None:
        self._flag = flag
        self._clock = SystemClock()

    def now(self) -> int:
        return self._clock.now() + (SLEPT if self._flag.exists() else 0)


def suspended(size: str, seed: int) -> list[Score]:
    """SIGSTOP at a random line, an edit and a whole run of another worker, SIGCONT: the newest stays, nothing ends twice."""
    score = Score("F19", "stopped longer than its lease while another worker finished", seed)
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        case, reached, held = -1, 0, 0
        # Only real stops count, and not all that are meant become one: a line may lie behind the end, or in a transaction.
        while score.cases < STOPS[size] and case < 4 * STOPS[size] + 20:
            case += 1
            rng = random.Random(seed * 1_000_003 + case)
            made, folder = town.ask("fresh", SCENES), place / "case"
            place_of(folder).wipe()
            flag = place / "slept"
            flag.unlink(missing_ok=True)
            line = rng.randrange(1, reference.lines)
            lines = forks.Lines(OURS, line, lambda: os.kill(os.getpid(), signal.SIGSTOP))
            child = forks.forked(lambda ack: one_pass(made, folder, flag, made["ids"], ack), before=lines.watch)
            _, status = os.waitpid(child[0], os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                reached += 1
                with os.fdopen(child[1]) as pipe:
                    told = pipe.read()
                if status:
                    score.spoil(f"case {case}, line {line}: it ended by itself with {status}: {told[-600:]}")
                continue
            if place_of(folder).is_locked():
                # It sleeps within a transaction, as short as they are: everybody waits, and nobody does its work meanwhile.
                os.kill(child[0], signal.SIGCONT)
                end = forks.ended(child)
                held += 1
                if end.failed or end.killed:
                    score.spoil(f"case {case}, line {line}: stopped within a transaction: {end}")
                score.law(folder / NAME, f"case {case}, line {line}")
                continue
            flag.touch()
            for id in made["ids"]:
                town.ask("edit", id, f"Newer {id}")
            other = forks.run(lambda ack: another(made, folder, flag, made["ids"], ack))
            os.kill(child[0], signal.SIGCONT)
            end = forks.ended(child)
            score.cases += 1
            if other.failed or other.killed or end.failed or end.killed:
                score.spoil(f"case {case}, line {line}: {other} {end}")
                continue
            for _ in range(3):
                rush(folder / NAME)
                last = forks.run(lambda ack: one_pass(made, folder, flag, [], ack))
            _judge(score, f"case {case}, line {line}", folder, last, town.ask("state")["shown"], made["ids"])
        if score.cases < STOPS[size]:
            score.spoil(f"of {case + 1} tries only {score.cases} were stopped")
    score.what += f" ({held} more within a transaction, {reached} ended first)"
    return [score]


def one_pass(made: dict, folder: Path, flag: Path, ids: list[int], ack: Callable[[str], None]) -> None:
    """What a worker without the lock does: a sleeper and its successor work one queue."""
    SystemClock.now = lambda _self, real=SystemClock.now: real(_self) + (SLEPT if flag.exists() else 0)  # type: ignore[method-assign]
    signal.alarm(int(HANG))
    # What the lock makes otherwise.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_parts(configured(config_for(made), folder), folder) as parts:
        with parts.store.writing() as tx:
            for id in ids:
                tx.jobs.want(Kind.SCENE, id, Why.USER, parts.clock.now())
        works = engine_on(parts, holder=str(os.getpid()))
        try:
            loop_of(parts, works, threading.Event(), lambda _step: None).drain()
        finally:
            works.close()


def another(made: dict, folder: Path, flag: Path, ids: list[int], ack: Callable[[str], None]) -> None:
    """The successor: whatever the sleeper had is wanted anew, and done."""
    one_pass(made, folder, flag, ids, ack)
    rush(folder / NAME)
    one_pass(made, folder, flag, [], ack)


def _judge(score: Score, case: str, folder: Path, last: forks.End, shown: dict, ids: list[int]) -> None:
    if last.failed or last.killed:
        score.spoil(f"{case}: {last}")
    score.law(folder / NAME, case)
    titles = sorted(str(scalars.get("title")) for scalars, *_ in shown.values())
    if titles != sorted(f"Newer {id}" for id in ids):
        score.spoil(f"{case}: Plex shows {titles}")
    if left := rows(folder / NAME, "select id, state from job where state <> 'idle'"):
        score.spoil(f"{case}: left are {left}")
