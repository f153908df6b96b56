"""The flow of collections: dresses the collections that the tags of scenes make in Plex (`plexsync.engine.flow.Flow`)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Canary, ChangeNotice
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, Gate, Ticket
from plexsync.flows.collections.decisions import CollectionUndo
from plexsync.flows.collections.findings import IN_STEP, CollectionFinding, as_scene
from plexsync.flows.collections.inspection import CollectionInspector
from plexsync.flows.collections.push import (
    OTHER_REQUESTS,
    CollectionJournal,
    CollectionPush,
    CollectionWrite,
    move_scenes,
)
from plexsync.flows.collections.reads import source_in_stash
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.collection_names import RenamedCollection, save_renames
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.push import PATIENCE, PICTURE_REQUESTS
from plexsync.plex.collections import CollectionClient
from plexsync.rules.collections.collection_order import MOVES
from plexsync.rules.collections.collection_servers import PLAYLIST
from plexsync.rules.collections.collection_status import CollectionStatus, collection_status
from plexsync.rules.collections.collections import (
    SOURCES,
    CollectionObject,
    CollectionRow,
    KnownCollection,
    first_of,
    objects_of,
)
from plexsync.rules.collections.renamed_collections import FIELD
from plexsync.rules.merge.desired import digest
from plexsync.rules.merge.plan_records import Pushing
from plexsync.rules.merge.run_values import arrived_moves
from plexsync.rules.queue.job import COLLECTION, Dead, Done, Job, Outcome, Why
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.text import fold
from plexsync.store.database import Writer


class CollectionFlow(CollectionUndo, CollectionPush):
    """Keeps the collections in Plex as their objects in Stash say.

    `locks` sends locks of scenes again, to see whether Plex takes writes. `is_on`: a part is switched on. Else it takes
    back what you undo, and nothing more.
    """

    def __init__(
        self,
        inspector: CollectionInspector,
        plex: CollectionClient,
        clock: Clock,
        expiry: Expiry,
        locks: LockCanaries,
        *,
        max_retries: int,
        is_on: bool,
    ) -> None:
        super().__init__(inspector)
        self._clock = clock
        self._expiry = expiry
        self._locks = locks
        self._is_on = is_on
        self._plex = plex
        self._pictures, self._patience = inspector.pictures, min(PATIENCE, max_retries)
        self.journal = CollectionJournal()
        self.requests = MOVES + OTHER_REQUESTS + (PICTURE_REQUESTS if inspector.pictures else 0)

    # --- inspection --------------------------------------------------------------------------------------------------

    def affected_ids(self, notice: ChangeNotice) -> Collection[int]:
        """The collections of the object. The name of a studio may be in those of all studios below it."""
        source = next((source for source in SOURCES if source == notice.kind), None)
        lists = self._inspector.playlists.affected_ids(notice.id) if source == "tag" else set[int]()
        if source is None or not self._is_on:
            return lists
        object = CollectionObject(source, notice.id)
        with self._store.reading() as db:
            if source == "studio" and self._inspector.names_parents:
                return {row.id for row in db.collections.every() if row.object.source == "studio"}
            return lists | {row.id for row in db.collections.of_objects([object]).get(object, ())}

    def look(self, ids: Sequence[int]) -> Sequence[CollectionFinding]:
        """Inspect the collections, and what would have to change."""
        return self._inspector.look(ids)

    # --- push --------------------------------------------------------------------------------------------------------

    def save(
        self, tx: Writer, findings: Sequence[tuple[Job, CollectionFinding]], *, now: int, until: int
    ) -> Mapping[str, Sequence[CollectionWrite]]:
        """Save what was found, and each push before it is sent. Queues those that have come to dress a shared collection."""
        found = [(job, finding, finding.row) for job, finding in findings if finding.row and finding.error is None]
        ended = self._expiry.certain_end()
        parted = [finding.id for _, finding, _ in found if finding.has_parted]
        rows_before = tx.collections.of(parted) if parted else {}
        writes = {job.token: self._save_one(tx, job, finding, row, ended, until) for job, finding, row in found}
        _record_arrived(tx, [finding for _, finding, _ in found], now=now)
        for row in [row for _, finding, row in found if finding.parts]:
            move_scenes(tx, row, now=now)
        for row in rows_before.values():
            _leave_to_others(tx, row, now=now)
        heirs = {finding.heir for _, finding, _ in found if finding.heir}
        tx.jobs.want_all(COLLECTION, heirs - {job.id for job, _ in findings}, Why.SWEEP, now)
        save_renames(
            tx, [RenamedCollection(row, finding.name) for _, finding, row in found if _is_renamed(row, finding)]
        )
        return writes

    @staticmethod
    def _save_one(
        tx: Writer, job: Job, finding: CollectionFinding, last_row: CollectionRow, ended: int, until: int
    ) -> list[CollectionWrite]:
        row, inspection = _as_found(last_row, finding, ended), finding.inspection
        writes = []
        if inspection is not None and inspection.needs_write:
            entry = Pushing(inspection.plan.sending, until, stamp=inspection.item.stamp)
            # What is only known to be in step after the push stays as it was.
            row = replace(row, pushing=(*row.pushing, entry), stamp=last_row.stamp, desired=last_row.desired)
            writes.append(
                CollectionWrite(
                    job=job,
                    key=inspection.item.key,
                    desired=finding.desired,
                    finding=finding,
                    row=row,
                    target=inspection,
                    pictured=as_scene(row, finding.source),
                    entry=entry,
                )
            )
        tx.collections.save(replace(row, name=last_row.name) if _is_renamed(last_row, finding) else row)
        return writes

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Locks that PlexSync holds on items, sent again; items with locks, read; objects of other collections, read."""
        if gate == WRITE_PLEX:
            return self._locks.locks_again(limit, ticket=ticket, but=None, key=key)
        if gate == READ_PLEX:
            return self._locks.locked_items_again(limit, but=None, key=key)
        if gate != READ_STASH:
            return []
        with self._store.reading() as db:
            rows = [row for row in db.collections.page(after=0, limit=limit + 1) if row.id != but]
        wanted = {source_in_stash(row.object): [row.object.id] for row in rows}
        return [lambda: bool(self._inspector.stash.objects(wanted))] if wanted else []

    # --- settlement --------------------------------------------------------------------------------------------------

    def complete(self, tx: Writer, finding: CollectionFinding) -> None:
        """Forget a collection that is no longer wanted; another object of that name may have it now."""
        if finding.leaves and (row := finding.row) and isinstance(finding.ends, Done):
            tx.collections.forget([row.id])
            tx.pictures.of_flow(COLLECTION).forget(row.id)
            for other in tx.collections.by_name([row.name], library=row.library):
                tx.jobs.want(COLLECTION, other.id, Why.SWEEP, self._clock.now())

    def save_outcomes(self, tx: Writer, outcomes: Mapping[int, Outcome], *, now: int) -> None:
        """Save how they stand, and since when."""
        words = {id: end.rests or end.found or IN_STEP for id, end in outcomes.items() if isinstance(end, Done)}
        words |= {id: end.cls for id, end in outcomes.items() if isinstance(end, Dead)}
        for id, row in tx.collections.of(words).items():
            # The push of one that is being put in order stays open until it stands.
            goes_on = (
                words[id] == IN_STEP and row.pushing and collection_status(row.standing, "") is CollectionStatus.MOVING
            )
            if row.standing != words[id] and not goes_on:
                tx.collections.save(replace(row, standing=words[id], standing_at=now))

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """Those of these collections that are known."""
        with self._store.reading() as db:
            return db.collections.of(ids).keys()


def _record_arrived(tx: Writer, findings: Sequence[CollectionFinding], *, now: int) -> None:
    """Record what pushes have changed whose answer was lost."""
    arrived = [
        (row.id, inspection.item.key, moved, mode.value, "")
        for finding in findings
        if (row := finding.row) and row.pushing and (inspection := finding.inspection)
        for mode, moved in arrived_moves(row.memory, inspection.plan.memory, row.pushing).items()
    ]
    tx.pushes.of_flow(COLLECTION).add_all(arrived, at=now)


def _leave_to_others(tx: Writer, row: CollectionRow, *, now: int) -> None:
    """Leave the collection of a row to the other objects that share it: what was written to it is the first one's then."""
    sharing = [other.id for other in tx.collections.by_item([row.item]) if other.library == row.library]
    if sharing:
        heir = first_of(tx.collections.of(sharing).values(), row.item)
        if not (heir.memory or heir.pushing):
            tx.collections.save(replace(heir, memory=row.memory, pushing=row.pushing))
            tx.jobs.wrest(COLLECTION, heir.id, now=now)
        tx.jobs.want(COLLECTION, heir.id, Why.SWEEP, now)


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
    if not finding.item and row.object.source != PLAYLIST:
        return replace(inspected, memory={}, pushing=(), stamp=0, desired="")
    if finding.inspection is None:
        return replace(inspected, stamp=finding.stamp)
    return replace(
        inspected,
        memory=finding.inspection.plan.memory,
        pushing=tuple(push for push in row.pushing if push.until > ended),
        stamp=finding.stamp,
        desired=digest(finding.inspection.wanted),
    )


# --- the collections of inspected scenes -----------------------------------------------------------------------------


def observe_scenes(tx: Writer, inspections: Sequence[Inspection], now: int, *, are_edited: bool) -> None:
    """Queue the collections of inspected scenes: those that are new, not found yet, or may stand in another order.

    `are_edited`: the worker inspected them, so that their place in a group may be another one. Of others, those count whose
    members change; what waits for its first scene is found by the comparison of collections.
    """
    dressed = [
        (inspection.scene, target)
        for inspection in inspections
        if inspection.scene and not inspection.undone
        for target in inspection.targets
        if FIELD in target.profile.fields and target.profile.dressing.is_on
    ]
    if not dressed:
        return
    sections = {section.key: section.uuid for section in tx.sections.all()}
    wanted: dict[tuple[CollectionObject, str], KnownCollection] = {}
    named: set[tuple[CollectionObject, str]] = set()
    untitled: set[tuple[CollectionObject, str]] = set()
    sorted_groups: set[tuple[CollectionObject, str]] = set()
    for scene, target in dressed:
        section, is_moved = target.item.section, are_edited or FIELD in target.plan.edit
        library = target.item.library or sections.get(section)
        if library is None:
            # Neither the answer nor the index tells which library it is: the first comparison finds its collections.
            continue
        # Without those of objects that an import is about to create.
        for named_object in (
            named_object for named_object in objects_of(scene, target.profile) if named_object.object.id
        ):
            pair = (named_object.object, library)
            wanted.setdefault(pair, KnownCollection(0, named_object.object, library, section, named_object.name))
            if "name" not in target.profile.dressing.parts:
                untitled.add(pair)
            if is_moved:
                named.add(pair)
                if named_object.object.source == "group" and "order" in target.profile.dressing.parts:
                    sorted_groups.add(pair)
    known = tx.collections.of_objects(object for object, _ in wanted)
    rows = {(row.object, row.library): row for some in known.values() for row in some}
    if missing := [entry for pair, entry in wanted.items() if pair not in rows]:
        inserted = tx.collections.ensure(missing)
        rows |= {(row.object, row.library): row for some in inserted.values() for row in some}
        named |= {(entry.object, entry.library) for entry in missing}
    for pair, entry in wanted.items():
        row = rows[pair]
        # Where titles are not dressed, scenes carry the names of the templates.
        is_elsewhere = (row.owner == "foreign" or pair in untitled) and fold(row.name) != fold(entry.name)
        if (pair in named and (not row.item or is_elsewhere)) or pair in sorted_groups:
            tx.jobs.want(COLLECTION, row.id, Why.SWEEP, now)


observe_worked = partial(observe_scenes, are_edited=True)
observe_compared = partial(observe_scenes, are_edited=False)
