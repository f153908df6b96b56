"""Your decisions about collections: to take back what was written, to hand one over, and what becomes of edits in Plex.

Each is saved in one transaction and queued; it writes to neither server. A running attempt loses the collection, since it
was planned without it. As for items (`plexsync.flows.scenes.drift`), a decision about a part is saved only if nothing else
was learnt about the collection meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import CROWD, UndoneRun
from plexsync.flows.collections.findings import EDITED, IN_STEP, CollectionFinding, CollectionSight
from plexsync.flows.collections.inspection import CollectionInspector
from plexsync.flows.scenes.drift import Decisions, DriftAnswer, DriftFilter, with_answer
from plexsync.rules.collections.collection_servers import CollectionSource
from plexsync.rules.collections.collection_values import with_order
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.merge.desired import Wanted
from plexsync.rules.merge.drift import kept_fields
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.run_values import RunValues
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import begun_anew, undo, undo_run
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import COLLECTION, Why
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer

# The number of collections that are changed in one transaction.
BATCH = 500


def want_collections(
    store: Database,
    clock: Clock,
    ids: Sequence[int],
    change: Callable[[CollectionRow], CollectionRow | None] | None = None,
) -> list[int]:
    """Queue these collections, or those that `change` concerns, with that change; returns them.

    Without a change a running attempt is followed by another one. Repeating the call is harmless.
    """
    wanted = []
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        with store.writing() as tx:
            rows = tx.collections.of(some)
            for id in rows if change else some:
                if change:
                    if (changed := change(rows[id])) is None:
                        continue
                    tx.collections.save(changed)
                    tx.jobs.wrest(COLLECTION, id, now=clock.now())
                tx.jobs.want(COLLECTION, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
                wanted.append(id)
    return wanted


def handed_over(row: CollectionRow) -> CollectionRow | None:
    """One that was not found in Plex yet can't be handed over. A smart collection stays as it is all the same."""
    return replace(row, owner="handed") if row.item and row.owner not in ("ours", "handed") else None


def redone(row: CollectionRow) -> CollectionRow | None:
    """What is still in Plex of what PlexSync wrote counts as its own."""
    return replace(row, memory=begun_anew(row.memory)) if row.undone else None


class CollectionUndo:
    """The `plexsync.engine.undo.Undoing` of collections, with the inspection of `inspector`.

    `unwritten`: also of those that nothing was written to, so that nothing is written to them for the first time. `run`:
    of its writes alone.
    """

    kind: str = COLLECTION

    def __init__(
        self, inspector: CollectionInspector, run: UndoneRun | None = None, *, unwritten: bool = False
    ) -> None:
        self._store = inspector.store
        self._inspector = inspector
        self._run = run
        self._unwritten = unwritten

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what these collections should show now. Of one that Stash has no object for, nothing."""
        inspector = self._inspector
        inspector.gates.enter(READ_STASH)
        with self._store.reading() as db:
            rows, sections = db.collections.of(ids), {row.uuid or row.key: row for row in db.sections.all()}
        sources = inspector.reads.sources(rows.values())
        orders = inspector.known_orders(list(rows.values()))
        values: dict[int, object] = {}
        for id, row in rows.items():
            source, wanted = sources.get(id), Wanted({})
            try:
                if isinstance(source, CollectionSource):
                    wanted = inspector.values(row, source, inspector.reads.profile(sections.get(row.library)))
                wanted = with_order(wanted, orders[id]) if id in orders else wanted
                values[id] = source if isinstance(source, NeighbourError) else wanted
            except NeighbourError as error:
                values[id] = error
        return values

    def undo(self, tx: Writer, id: int, recalled: object, mark: TakenBack, *, now: int) -> bool:  # noqa: ARG002 - the protocol of flows
        """Save that a collection is undone, and what it should show now. False if nothing was written to it."""
        row = tx.collections.of([id]).get(id)
        values = recalled.values if isinstance(recalled, Wanted) else {}
        if row is None or not (row.memory or row.pushing or self._unwritten):
            return False
        return _mark(tx, row, values, mark, self._run)


def _mark(tx: Writer, row: CollectionRow, values: Mapping[str, Value], mark: TakenBack, run: UndoneRun | None) -> bool:
    facts = (row.memory, row.pushing, values, tuple(values))
    earlier = run_values(tx, row, run).earlier if run else {}
    if earlier or not run:
        memory = undo_run(*facts, earlier) if run else undo(*facts, mark)
        tx.collections.save(replace(row, memory=memory))
    return bool(earlier or not run)


def run_values(db: Reader, row: CollectionRow, run: UndoneRun) -> RunValues:
    """What a run wrote to a collection."""
    return run.values(db, row.id, {row.item: row.memory})[row.item]


def of_run(db: Reader, inspection: CollectionSight, row: CollectionRow, run: UndoneRun) -> CollectionSight:
    """The inspection of a collection of which the writes of a run are undone."""
    wanted, values = inspection.wanted.values, run_values(db, row, run)
    memory = undo_run(row.memory, row.pushing, wanted, wanted.keys(), values.earlier)
    steps = plan(wanted, inspection.item, memory, row.pushing)
    return replace(inspection, plan=replace(steps, notes=(*steps.notes, *values.notes)))


class CollectionDecisions(Decisions[CollectionFinding]):
    """Decisions about the parts of collections."""

    kind = COLLECTION
    crowd = CROWD

    def __init__(self, inspector: CollectionInspector, clock: Clock) -> None:
        super().__init__(inspector.store, inspector.look, inspector.gates, clock)

    def all_known(self, db: Reader, ids: Sequence[int]) -> Mapping[int, object]:
        """Everything that is known of these collections."""
        return db.collections.of(ids)

    def save_answer(
        self, tx: Writer, findings: Sequence[CollectionFinding], answer: DriftAnswer, wanted: DriftFilter, *, now: int
    ) -> dict[int, tuple[str, ...] | None]:
        """Save the decision about these collections. None for one that is forgotten."""
        answers: dict[int, tuple[str, ...] | None] = {}
        for finding in findings:
            inspection, row = finding.inspection, finding.row
            answers[finding.id] = () if row else None
            if inspection and row and not inspection.undone:
                memory, names = with_answer(inspection, wanted.picks_among(inspection.drift), answer, now)
                answers[finding.id] = names
                if names:
                    is_open = any(drifted.name not in kept_fields(memory) for drifted in inspection.drift)
                    standing = EDITED if is_open else IN_STEP
                    tx.collections.save(replace(row, memory=memory, standing=standing, standing_at=now))
        return answers
