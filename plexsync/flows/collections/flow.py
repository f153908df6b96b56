"""The flow of collections: dresses the collections that the tags of scenes make in Plex (`plexsync.engine.flow.Flow`)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Canary, ChangeNotice
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, Gate, Ticket
from plexsync.flows.collections.comparison import all_rows
from plexsync.flows.collections.errands import CollectionJournal, CollectionWrite, move_scenes
from plexsync.flows.collections.inspection import CollectionLooker
from plexsync.flows.collections.push import MOVES, OTHER_REQUESTS, CollectionPush
from plexsync.flows.collections.records import IN_STEP, CollectionFinding, pictured
from plexsync.flows.collections.undo import CollectionUndo
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.collection_names import RenamedCollection, save_renames
from plexsync.flows.scenes.push import PATIENCE, PICTURE_REQUESTS
from plexsync.rules.collection_servers import PlexCollections, StashCollections
from plexsync.rules.collections import SOURCES, CollectionObject, CollectionRow
from plexsync.rules.desired import digest
from plexsync.rules.job import COLLECTION, Dead, Done, Job, Outcome, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Pushing
from plexsync.store.database import Database, Writer


@dataclass(frozen=True)
class CollectionParts:
    """What the flow of collections works with. `locks` sends locks of scenes again, to see whether Plex takes writes.

    `is_on`: a part is switched on. Else it takes back what you undo, and nothing more.
    """

    store: Database
    stash: StashCollections
    plex: PlexCollections
    gates: Gates
    clock: Clock
    expiry: Expiry
    looker: CollectionLooker
    locks: LockCanaries
    max_retries: int
    is_on: bool


class CollectionFlow(CollectionUndo, CollectionPush):
    """Keeps the collections in Plex as their objects in Stash say."""

    def __init__(self, parts: CollectionParts) -> None:
        super().__init__(parts.store, parts.looker, parts.gates)
        self._parts = parts
        self._plex = parts.plex
        self._pictures, self._patience = parts.looker.pictures, min(PATIENCE, parts.max_retries)
        self.journal = CollectionJournal()
        self.requests = MOVES + OTHER_REQUESTS + (PICTURE_REQUESTS if parts.looker.pictures else 0)

    # --- inspection --------------------------------------------------------------------------------------------------

    def affected(self, notice: ChangeNotice) -> Collection[int]:
        """The collections of the object. The name of a studio may be in those of all studios below it."""
        source = next((source for source in SOURCES if source == notice.kind), None)
        if source is None or not self._parts.is_on:
            return ()
        object = CollectionObject(source, notice.id)
        with self._store.reading() as db:
            if source == "studio" and self._looker.names_parents:
                return {row.id for page in all_rows(db) for row in page if row.object.source == "studio"}
            return {row.id for row in db.collections.of_objects([object]).get(object, ())}

    def look(self, ids: Sequence[int]) -> Sequence[CollectionFinding]:
        """Inspect the collections, and what would have to change."""
        return self._looker.look(ids)

    # --- push --------------------------------------------------------------------------------------------------------

    def save(
        self, tx: Writer, findings: Sequence[tuple[Job, CollectionFinding]], *, now: int, until: int
    ) -> Mapping[str, Sequence[CollectionWrite]]:
        """Save what was found, and each push before it is sent."""
        found = [(job, finding, finding.row) for job, finding in findings if finding.row and finding.error is None]
        ended = self._parts.expiry.ended()
        errands = {job.token: self._saved(tx, job, finding, row, ended, until) for job, finding, row in found}
        for row in [row for _, finding, row in found if finding.parts]:
            move_scenes(tx, row, now=now)
        save_renames(
            tx, [RenamedCollection(row, finding.name) for _, finding, row in found if _is_renamed(row, finding)]
        )
        return errands

    @staticmethod
    def _saved(
        tx: Writer, job: Job, finding: CollectionFinding, last_row: CollectionRow, ended: int, until: int
    ) -> list[CollectionWrite]:
        row, sight = _as_found(last_row, finding, ended), finding.sight
        errands = []
        if sight is not None and sight.plan.edit:
            entry = Pushing(sight.plan.sending, until, stamp=sight.item.stamp)
            # What is only known to be in step after the push stays as it was.
            row = replace(row, pushing=(*row.pushing, entry), stamp=last_row.stamp, desired=last_row.desired)
            errands.append(
                CollectionWrite(
                    job=job,
                    key=sight.item.key,
                    desired=finding.desired,
                    finding=finding,
                    row=row,
                    target=sight,
                    pictured=pictured(row, finding.source),
                    entry=entry,
                )
            )
        tx.collections.save(replace(row, name=last_row.name) if _is_renamed(last_row, finding) else row)
        return errands

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Locks that PlexSync holds on items, sent again; items with locks, read; objects of other collections, read."""
        if gate == WRITE_PLEX:
            return self._parts.locks.locks_again(limit, ticket=ticket, but=None, key=key)
        if gate == READ_PLEX:
            return self._parts.locks.locked_items_again(limit, but=None, key=key)
        if gate != READ_STASH:
            return []
        with self._store.reading() as db:
            rows = [row for row in db.collections.page(after=0, limit=limit + 1) if row.id != but]
        wanted = {str(row.object.source): [row.object.id] for row in rows}
        return [lambda: bool(self._parts.stash.objects(wanted))] if wanted else []

    # --- settlement --------------------------------------------------------------------------------------------------

    def completed(self, tx: Writer, finding: CollectionFinding) -> None:
        """Forget a collection that is no longer wanted; another object of that name may have it now."""
        if finding.leaves and finding.row:
            self._forget(tx, finding.row)
            others = tx.collections.by_name([finding.row.name], library=finding.row.library)
            for other in others:
                tx.jobs.want(COLLECTION, other.id, Why.SWEEP, self._parts.clock.now())

    @staticmethod
    def _forget(tx: Writer, row: CollectionRow) -> None:
        tx.collections.forget([row.id])
        tx.pictures.of_flow(COLLECTION).forget(row.id)

    def settled(self, tx: Writer, outcomes: Mapping[int, Outcome], *, now: int) -> None:
        """Save how they stand, and since when."""
        for id, outcome in outcomes.items():
            match outcome:
                case Done():
                    _stand(tx, id, outcome.rests or outcome.found or IN_STEP, now)
                case Dead():
                    _stand(tx, id, outcome.cls, now)
                case _:
                    pass

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """Those of these collections that are known."""
        with self._store.reading() as db:
            return db.collections.of(ids).keys()


def _is_renamed(row: CollectionRow, finding: CollectionFinding) -> bool:
    """Whether scenes carry the title of this collection, and it is another one now."""
    return finding.is_named and bool(row.item) and row.item == finding.item and finding.name != row.name


def _as_found(row: CollectionRow, finding: CollectionFinding, ended: int) -> CollectionRow:
    """The row with what the inspection has found. `ended`: pushes that may take effect until then have ended."""
    inspected = replace(
        row,
        section=finding.section,
        name=finding.name,
        item=finding.item,
        owner=finding.owner,
        scenes=finding.scenes,
        object_at=finding.source.updated_at if finding.source else row.object_at,
    )
    if not finding.item:
        return replace(inspected, memory={}, pushing=(), stamp=0, desired="")
    if finding.sight is None:
        return replace(inspected, stamp=finding.stamp)
    return replace(
        inspected,
        memory=finding.sight.plan.memory,
        pushing=tuple(push for push in row.pushing if push.until > ended),
        stamp=finding.stamp,
        desired=digest(finding.sight.wanted),
    )


def _stand(tx: Writer, id: int, word: str, now: int) -> None:
    row = tx.collections.of([id]).get(id)
    if row is not None and row.standing != word:
        tx.collections.save(replace(row, standing=word, standing_at=now))
