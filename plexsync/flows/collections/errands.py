"""The writes of a collection before and after they are sent, and their saved record: the pushes in its row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plexsync.flows.collections.records import CollectionFinding, CollectionSight
from plexsync.flows.scenes.collection_names import SHOWN, RenamedCollection, save_renames
from plexsync.flows.scenes.push import ObjectJournal, ObjectWrite
from plexsync.rules.collections import CollectionRow
from plexsync.rules.desired import digest
from plexsync.rules.job import COLLECTION, Kind, Why
from plexsync.rules.memory import undone
from plexsync.rules.plan_records import Pushing
from plexsync.rules.traits import CollectionForm, ServerTraits
from plexsync.store.database import Writer


@dataclass(eq=False, kw_only=True)
class CollectionWrite(ObjectWrite):
    """The writes of one collection: its pictures, its texts in one edit, its settings, and the moves of its members.

    `entry` is its saved push. `form` is the form of edits that the server took, if it is not the known one. `unfinished`:
    more moves are to be made than one errand makes. `title_taken`: another collection of the library has the title.
    `title` is what was read back.
    """

    finding: CollectionFinding
    row: CollectionRow
    target: CollectionSight
    entry: Pushing
    form: CollectionForm | None = None
    unfinished: bool = False
    title_taken: bool = False
    title: str = ""

    def prolong(self, tx: Writer, until: int) -> None:
        """Extend the saved push until `until`."""
        before, self.entry = self.entry, replace(self.entry, until=until)
        _change(tx, self, without=before, add=self.entry)

    def withdraw(self, tx: Writer) -> None:
        """Remove the push. Nothing of it can be in Plex."""
        _change(tx, self, without=self.entry)


class CollectionJournal(ObjectJournal[CollectionWrite]):
    """The `plexsync.engine.flow.Journal` of collections: each row holds its pushes of unknown result."""

    def close(self, tx: Writer, errands: Sequence[CollectionWrite], *, now: int, until: int) -> None:
        """Save what was read back, and record its changes."""
        rows = tx.collections.of([errand.job.id for errand in errands])
        renames: list[RenamedCollection] = []
        for errand in errands:
            if errand.form:
                tx.probes.learn_working(ServerTraits(collection_edits=errand.form), now=now)
            row = rows.get(errand.job.id)
            if row is None:
                continue
            if errand.title_taken:
                _give_up_name(tx, row, errand, now)
            elif errand.unfinished:
                # The next look finds what was moved, and goes on. All was answered: nothing of it can arrive later.
                _change(tx, errand, without=errand.entry, add=replace(errand.entry, until=now))
                tx.jobs.want(COLLECTION, errand.job.id, Why.EDIT, now)
            elif errand.memory is not None:
                self._learn(tx, row, errand, until)
                changes = [(errand.job.id, errand.key, errand.moved, undone(errand.memory))]
                tx.pushes.of_flow(COLLECTION).add_all(changes, at=now)
                if errand.title != row.name and errand.finding.is_named:
                    renames.append(RenamedCollection(row, errand.title))
        save_renames(tx, renames)
        for sharing in tx.collections.by_item(rename.collection.item for rename in renames) if renames else ():
            if sharing.id not in rows:
                tx.jobs.want(COLLECTION, sharing.id, Why.SWEEP, now)

    @staticmethod
    def _learn(tx: Writer, row: CollectionRow, errand: CollectionWrite, until: int) -> None:
        left_out = (Pushing(errand.left_out, until),) if errand.left_out else ()
        updated = replace(
            row,
            memory=errand.memory or {},
            pushing=(*without_entry(row, errand.entry), *left_out),
            stamp=errand.stamp,
            desired=digest(errand.target.wanted),
        )
        tx.collections.save(updated)
        errand.save_refused(tx)


def _give_up_name(tx: Writer, row: CollectionRow, errand: CollectionWrite, now: int) -> None:
    """Leave the collection, since another one has its new title: scenes move there, and what they leave disappears."""
    old = replace(row, name=errand.finding.template_name, item="", owner="", memory={}, pushing=(), stamp=0)
    tx.collections.save(old)
    tx.jobs.want(COLLECTION, row.id, Why.EDIT, now)
    move_scenes(tx, row, now=now)


def move_scenes(tx: Writer, row: CollectionRow, *, now: int) -> None:
    """Queue the scenes that show the object of a row: they come into another collection."""
    if kind := SHOWN.get(row.object.source):
        for scene in tx.scene_names.scenes_showing(kind, row.object.id):
            tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, now)


def without_entry(row: CollectionRow, entry: Pushing) -> tuple[Pushing, ...]:
    """The row's pushes without this one."""
    return tuple(push for push in row.pushing if push != entry)


def _change(tx: Writer, errand: CollectionWrite, *, without: Pushing, add: Pushing | None = None) -> None:
    row = tx.collections.of([errand.job.id]).get(errand.job.id)
    if row is not None:
        tx.collections.save(replace(row, pushing=(*without_entry(row, without), *((add,) if add else ()))))
