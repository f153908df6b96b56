"""A complete comparison of both sides, which wants exactly what differs.

It finds what no hook or timestamp tells: edits while we were down, merges, moved folders, restored backups, drift in Plex.
It looks at every scene with the same eyes as the engine, but writes nothing anywhere: what differs is wanted as a sweep.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.errors import Neighbour, NeighbourError, Unavailable
from sync.job import Absent, Dead, Kind, OutOfScope, State, Why
from sync.ports import Clock, Stash, Store, Writing
from worker.gates import READ, Gates
from worker.indexing import Indexer
from worker.looking import Looker, Sight, desired

log = logging.getLogger("PlexSync.reconcile")

LAST_RECONCILE = "reconcile:last"
# By which settings the last complete comparison was made, as a print; CHANGED once they are others.
WISHES = "reconcile:wishes"
CHANGED = "changed"
BATCH = 50
# The states of a row that does not find out by itself, or not soon, that its scene is gone from Stash.
LEAVING = (State.IDLE, State.ABSENT, State.OUTSIDE)


@dataclass
class Report:
    """What a comparison found: `scenes` compared, how many stand how (`in step`, `differs`, `absent`, `ambiguous`,
    `outside`, `person` = in step but for values that a person keeps in Plex, `undone` = taken back and left alone,
    `failed`), how many were `wanted`, and rows whose scene is `gone` from Stash."""

    scenes: int = 0
    standing: Counter[str] = field(default_factory=Counter)
    wanted: int = 0
    gone: int = 0
    items: int = 0


Progress = Callable[[int, int], None]


class Reconciler:
    """Compares one Stash with one Plex. `wishes` is a print of all settings that decide what is wanted."""

    def __init__(
        self,
        store: Store,
        stash: Stash,
        looker: Looker,
        indexer: Indexer,
        gates: Gates,
        clock: Clock,
        *,
        wishes: str = "",
    ) -> None:
        self._store = store
        self._stash = stash
        self._looker = looker
        self._indexer = indexer
        self._gates = gates
        self._clock = clock
        self._wishes = wishes

    def note_wishes(self) -> None:
        """To be called by a worker that starts: under other settings than the last comparison's, another one is due.

        The first worker on a database only notes how things are set.
        """
        with self._store.reading() as db:
            known = db.note(WISHES)
        if known not in (CHANGED, self._wishes):
            if known:
                log.info("settings that decide what is wanted have changed: everything is to be compared")
            with self._store.writing() as tx:
                tx.save_note(WISHES, CHANGED if known else self._wishes)

    def reconcile(
        self, progress: Progress = lambda _done, _total: None, *, stopping: Callable[[], bool] = lambda: False
    ) -> Report:
        """Compare everything; raises NeighbourError when a side is away (what was found until then stays wanted)."""
        self._enter()
        report = Report()
        newest = self._gates.ask(Neighbour.STASH, READ, self._stash.newest)
        total = newest[Kind.SCENE].count
        self._indexer.freshen(force=True)
        there: set[int] = set()
        pages = self._stash.walk()
        while (page := self._gates.ask(Neighbour.STASH, READ, lambda: next(pages, None))) is not None:
            for start in range(0, len(page), BATCH):
                if stopping():
                    return report
                self._enter()
                scenes = page[start : start + BATCH]
                there |= {scene.id for scene in scenes}
                self._compare(self._looker.look_at(scenes), report)
                progress(report.scenes, total)
        self._want_gone(there, report)
        with self._store.writing() as tx:
            tx.save_note(LAST_RECONCILE, str(self._clock.now()))
            tx.save_note(WISHES, self._wishes)
        with self._store.reading() as db:
            report.items = db.indexed()
        log.info("reconcile: %d scenes, %s, %d wanted", report.scenes, dict(report.standing), report.wanted)
        return report

    def try_reconcile(self, *, stopping: Callable[[], bool] = lambda: False) -> bool:
        """As `reconcile`, for the schedule: a side that is away is waited for. True when it came to its end."""
        try:
            self.reconcile(stopping=stopping)
        except NeighbourError as error:
            log.info("reconcile put off: %s", error)
            return False
        return not stopping()

    def _enter(self) -> None:
        """Pass both gates, or raise Unavailable with the reason one is closed."""
        for who in Neighbour:
            if not self._gates.enter(who):
                with self._store.reading() as db:
                    raise Unavailable(who, self._gates.closed_because(db, who, self._clock.now()), sent=False)

    def _compare(self, sights: list[Sight], report: Report) -> None:
        now = self._clock.now()
        with self._store.writing() as tx:
            for sight in sights:
                standing = stands(sight)
                report.scenes += 1
                report.standing[standing] += 1
                if sight.targets or standing == "outside":
                    # Whatever is done about it, it is in Plex, or need not be: nobody has to wait for that any more.
                    report.wanted += tx.wake([(Kind.SCENE, sight.id)], now=now)
                if not self._news(tx, sight, settled=standing in ("in step", "person", "undone")):
                    continue
                tx.want(Kind.SCENE, sight.id, Why.SWEEP, now, desired=desired(sight))
                report.wanted += 1

    def _news(self, tx: Writing, sight: Sight, *, settled: bool) -> bool:
        """Whether the queue does not know yet: a row that waits, runs or is absent will find out by itself.

        `settled`: nothing has to be done, which is no news but of a scene that was out of scope.
        """
        row = tx.job(Kind.SCENE, sight.id)
        out = sight.outcome.error if isinstance(sight.outcome, OutOfScope) else ""
        if row is not None and row.state is State.OUTSIDE:
            return out != row.error
        if settled:
            return False
        if row is None or row.state in (State.IDLE, State.GONE):
            return True
        if out and row.state is State.DROPPED:
            # A person wanted it left alone, and so it is.
            return False
        known = row.desired or (row.state is State.DEAD and row.cls != "poison")
        return row.state in (State.DEAD, State.DROPPED) and bool(known) and desired(sight) not in ("", row.desired)

    def _want_gone(self, there: set[int], report: Report) -> None:
        with self._store.reading() as db:
            gone = [id for id, state in db.job_ids(Kind.SCENE) if id not in there and state in LEAVING]
        now = self._clock.now()
        with self._store.writing() as tx:
            for id in gone:
                tx.want(Kind.SCENE, id, Why.EDIT, now)
        report.gone = len(gone)
        report.wanted += len(gone)


def stands(sight: Sight) -> str:
    """One word for how a scene stands."""
    if isinstance(sight.outcome, Absent):
        return "absent"
    if isinstance(sight.outcome, OutOfScope):
        return "outside"
    if isinstance(sight.outcome, Dead):
        return sight.outcome.cls
    if sight.outcome is not None or sight.error is not None:
        return "failed"
    if any(target.plan.edit for target in sight.targets):
        return "differs"
    if sight.undone:
        return "undone"
    if any(note.reason in ("person", "kept") for target in sight.targets for note in target.plan.notes):
        return "person"
    return "in step"
