"""Comparing everything, killed at any moment and gone on with, while people edit in Stash: F34."""

# A child has ended before the next case begins, so what it closes over stays as it is.

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from plexsync.app.parts import at_work
from plexsync.app.run import drain
from plexsync.flows.scenes import reconcile
from plexsync.rules.queue.job import Kind
from plexsync.store import intake
from tests.store_places import place_of
from tests.torture import forks
from tests.torture.kill_jobs import OURS, SECONDS, a_pass, config_for, configured, rows, rush
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop

POINTS = {"sample": 12, "full": 1_000, "long": 10_000}
SCENES = 7
# So that a comparison of few scenes has pages and batches to break off between.
BATCH, PAGE = 2, 4


def compare(made: dict, folder: Path, ack: Callable[[str], None]) -> None:
    """Compare everything, look for what was edited meanwhile, and work until nothing is due. For a child."""
    signal.alarm(SECONDS)
    reconcile.BATCH, reconcile.PAGE = BATCH, PAGE
    config = config_for(made).model_copy(update={"approve_bulk": True})
    with at_work(configured(config, folder), folder) as (parts, mine):
        assert mine
        report = parts.reconciler.reconcile()
        ack(f"compared, gone on behind {report.after}")
        parts.poller.poll()
        drain(parts, threading.Event(), lambda _step: None)


class Reference:
    """What a comparison without faults leaves in Plex, and how long it takes: `compared` of its `lines` compare."""

    def __init__(self, town: Neighbours, place: Path) -> None:
        made, folder = town.ask("fresh", SCENES), Path(tempfile.mkdtemp(dir=place))
        lines = forks.Lines(OURS)

        def act(ack: Callable[[str], None]) -> None:
            compare(made, folder, lambda _text: ack(str(lines.count)))
            ack(str(lines.count))

        began = time.monotonic()
        end = forks.run(act, before=lines.watch)
        assert not end.failed, end
        assert not end.killed, end
        self.seconds = time.monotonic() - began
        self.compared, self.lines = map(int, end.acks)
        state = town.ask("state")
        self.shown = state["shown"]
        assert state["writes"] == SCENES == len(state["titles"]), state


@dataclass
class Case:
    """One library, in which people go on editing. `titles`: those that each scene has had, in their order."""

    number: int
    town: Neighbours
    folder: Path
    rng: random.Random
    titles: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place_of(self.folder).wipe()
        self.made = self.town.ask("fresh", SCENES)
        self.titles = {id: [f"Title {n}"] for n, id in enumerate(self.made["ids"])}

    def edit(self) -> None:
        """Somebody gives a scene another title; mostly the hook tells of it."""
        id = self.rng.choice(self.made["ids"])
        self.titles[id].append(f"Title {id}, edit {len(self.titles[id])}")
        self.town.ask("edit", id, self.titles[id][-1])
        if self.rng.random() < 0.7:
            intake.store(str(self.folder), Kind.SCENE, id)

    def killed(self, reference: Reference) -> forks.End:
        """A comparison that is killed at a random line, or at a random time with an edit in the middle of it."""

        def act(ack: Callable[[str], None]) -> None:
            compare(self.made, self.folder, ack)

        if self.rng.random() < 0.8:
            last = self.rng.choice((reference.compared, reference.compared, reference.lines))
            return forks.run(act, before=forks.Lines(OURS, self.rng.randrange(1, last)).watch)
        started = forks.forked(act)
        moments = sorted(self.rng.random() * reference.seconds for _ in range(2))
        time.sleep(moments[0])
        if self.folder.exists():
            self.edit()
        time.sleep(moments[1] - moments[0])
        os.kill(started[0], signal.SIGKILL)
        return forks.ended(started)

    def in_peace(self) -> forks.End:
        """What comes after: it goes on from where it was, until nothing is left to do."""
        end = forks.run(lambda ack: compare(self.made, self.folder, ack))
        told = end.acks
        for _ in range(3):
            if end.failed or end.killed or not rows(self.folder / NAME, "select 1 from job where state <> 'idle'"):
                break
            # What crashed a worker waits, and is then taken alone. What the poll met a moment ago waits, too.
            rush(self.folder / NAME)
            end = forks.run(lambda ack: a_pass(config_for(self.made), self.folder, [], ack))
        return replace(end, acks=told)

    def judge(self, score: Score, end: forks.End, reference: Reference) -> None:
        """Plex shows what Stash says, and at no moment went back to what it had said before."""
        case = f"case {self.number}"
        if end.failed or end.killed:
            score.spoil(f"{case}: the run in peace ended badly: {end}")
            return
        if not score.law(self.folder / NAME, case):
            return
        if left := rows(self.folder / NAME, "select id, state from job where state <> 'idle'"):
            score.spoil(f"{case}: not all in step: {left}")
        state = self.town.ask("state")
        wanted = {path: [dict(scalars), *rest] for path, (scalars, *rest) in reference.shown.items()}
        for titles, (path, one) in zip(self.titles.values(), sorted(wanted.items()), strict=True):
            one[0]["title"] = titles[-1]
            told = state["titles"].get(path, [])
            places = [titles.index(title) if title in titles else -1 for title in told]
            if places != sorted(places) or -1 in places:
                score.spoil(f"{case}: Plex was told of {told}, while Stash said {titles}")
        if state["shown"] != wanted:
            wrong = {path: one for path, one in state["shown"].items() if one != wanted[path]}
            score.spoil(f"{case}: Plex shows {wrong}")
        most = sum(len(titles) for titles in self.titles.values())
        if state["writes"] > most:
            score.double(f"{case}: {state['writes']} writes to Plex, where {most} say everything once")


def kill(size: str, seed: int) -> list[Score]:
    """SIGKILL at a random line of our code or after a random time, up to three times, with edits in between."""
    score, went_on = Score("F34", "a comparison killed at any point and gone on with, while people edit", seed), 0
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        number = 0
        # Some come to their end before they are killed.
        while score.cases < POINTS[size] and number < 2 * POINTS[size]:
            number += 1
            case = Case(number, town, place / "case", random.Random(seed * 1_000_003 + number))
            for _ in range(case.rng.choice((1, 2, 3))):
                end = case.killed(reference)
                if end.failed:
                    score.spoil(f"case {number}: {end}")
                if not end.killed:
                    break
                score.cases += 1
                if case.folder.exists():
                    case.edit()
            end = case.in_peace()
            went_on += any("compared" in ack and not ack.endswith(" 0") for ack in end.acks)
            case.judge(score, end, reference)
    score.what += f" ({went_on} went on in the middle)"
    if score.cases < POINTS[size]:
        score.spoil(f"only {score.cases} of {POINTS[size]} were killed")
    return [score]
