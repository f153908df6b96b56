"""Undoes the dressing of collections, and does it again. Marking writes to neither server."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import CROWD
from plexsync.flows.collections.inspection import CollectionLooker
from plexsync.rules.collection_servers import CollectionSource
from plexsync.rules.collection_values import with_order
from plexsync.rules.desired import Wanted
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import COLLECTION, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.undo import begun_anew, undo
from plexsync.store.database import Database, Writer

# The number of collections that are redone in one transaction.
BATCH = 500


class CollectionUndo:
    """The `plexsync.engine.undo.Undoing` of collections, with the inspection of `looker`."""

    kind: str = COLLECTION

    def __init__(self, store: Database, looker: CollectionLooker, gates: Gates) -> None:
        self._store = store
        self._looker = looker
        self._gates = gates

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what these collections should show now. Of one that Stash has no object for, nothing."""
        self._gates.enter(READ_STASH)
        with self._store.reading() as db:
            rows, sections = db.collections.of(ids), {row.uuid or row.key: row for row in db.sections.all()}
        sources = self._looker.sources(list(rows.values()))
        orders = self._looker.known_orders(list(rows.values()))
        values: dict[int, object] = {}
        for id, row in rows.items():
            source = sources.get(id)
            profile = self._looker.profile(sections.get(row.library))
            try:
                wanted = (
                    self._looker.values(row, source, profile) if isinstance(source, CollectionSource) else Wanted({})
                )
                values[id] = source if isinstance(source, NeighbourError) else _with_order(wanted, orders.get(id))
            except NeighbourError as error:
                values[id] = error
        return values

    def undo(self, tx: Writer, id: int, recalled: object, mark: TakenBack, *, now: int) -> bool:  # noqa: ARG002 - the protocol of flows
        """Save that a collection is undone, and what it should show now. False if nothing was written to it."""
        row = tx.collections.of([id]).get(id)
        if row is None or not (row.memory or row.pushing):
            return False
        values = recalled.values if isinstance(recalled, Wanted) else {}
        memory = undo(row.memory, row.pushing, values, tuple(values), mark)
        tx.collections.save(replace(row, memory=memory))
        return True


def _with_order(wanted: Wanted, order: str | None) -> Wanted:
    return wanted if order is None else with_order(wanted, order)


def redo_collections(store: Database, clock: Clock, ids: Sequence[int]) -> list[int]:
    """End the undo of these collections, and queue them. Returns those that were undone.

    What is still in Plex of what PlexSync wrote counts as its own. Repeating the call is harmless.
    """
    redone: list[int] = []
    for start in range(0, len(ids), BATCH):
        with store.writing() as tx:
            rows = tx.collections.of(ids[start : start + BATCH])
            for id in (id for id, row in rows.items() if row.undone):
                tx.collections.save(replace(rows[id], memory=begun_anew(rows[id].memory)))
                tx.jobs.wrest(COLLECTION, id, now=clock.now())
                tx.jobs.want(COLLECTION, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
                redone.append(id)
    return redone
