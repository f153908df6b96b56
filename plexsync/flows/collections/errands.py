"""The writes of a collection before and after they are sent, and their saved record: the pushes in its row."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import Errand
from plexsync.flows.collections.records import CollectionFinding, CollectionSight, digest
from plexsync.flows.scenes.collection_names import SHOWN, RenamedCollection, save_renames
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.rules.collections import CollectionRow
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.job import COLLECTION, Kind, Why
from plexsync.rules.memory import undone
from plexsync.rules.plan_records import Memory, Pushing, Sending
from plexsync.rules.records import Moved
from plexsync.rules.traits import CollectionForm, ServerTraits
from plexsync.rules.values import held
from plexsync.store.database import Writer


@dataclass(eq=False, kw_only=True)
class CollectionErrand(Errand):
    """The writes of one collection: its pictures, its texts in one edit, its settings, and the moves of its members.

    `entry` is its saved push. `form` is the form of edits that the server took, if it is not the known one. `unfinished`:
    more moves are to be made than one errand makes. `title_taken`: another collection of the library has the title.
    `memory`, `title` and `stamp` are what was read back, `moved` the changes for display. `refused` holds the error for each
    picture that Plex did not take, `left_out` those of them that may have arrived, `uploaded` those that an upload has
    selected.
    """

    finding: CollectionFinding
    row: CollectionRow
    sight: CollectionSight
    entry: Pushing
    form: CollectionForm | None = None
    unfinished: bool = False
    title_taken: bool = False
    memory: Memory | None = None
    title: str = ""
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, Sending] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)

    def leave_out(self, name: str, error: str, *, unknown: bool) -> None:
        """Leave out a picture that Plex does not accept. The rest is still sent, and the next look finds its result."""
        plan = self.sight.plan
        self.refused[name] = error
        if unknown:
            self.left_out[name] = plan.sending[name]
        edit = {part: change for part, change in plan.edit.items() if part != name}
        sending = {part: sent for part, sent in plan.sending.items() if part != name}
        self.sight = replace(self.sight, plan=replace(plan, edit=edit, sending=sending))

    def saw(self, item: Item) -> None:
        """Save the state in Plex after the writes. Parts with their earlier value have not moved."""
        self.title, self.stamp = item.value("title"), item.stamp
        before = {name: sent.before for name, sent in self.sight.plan.sending.items()}
        self.moved = {name: Moved(old, new) for name, old in before.items() if (new := held(item, name)) != old}

    def pictures(self) -> list[tuple[str, str, bool]]:
        """(name, key, whether it is restored) for each picture that the plan changes."""
        plan = self.sight.plan
        return [
            (name, str(value), bool(plan.sending[name].undone) or plan.sending[name].said is None)
            for name in PICTURES
            if name in plan.edit and (value := plan.edit[name].value) is not None
        ]


class CollectionJournal:
    """The `plexsync.engine.flow.Journal` of collections: each row holds its pushes of unknown result."""

    def prolong(self, tx: Writer, errands: Sequence[CollectionErrand], until: int) -> None:
        """Extend the saved pushes until `until`."""
        for errand in errands:
            before, errand.entry = errand.entry, replace(errand.entry, until=until)
            _change(tx, errand, without=before, add=errand.entry)

    def withdraw(self, tx: Writer, errands: Sequence[CollectionErrand]) -> None:
        """Remove the pushes. Nothing of them can be in Plex."""
        for errand in errands:
            _change(tx, errand, without=errand.entry)

    def distrust(self, tx: Writer, errand: CollectionErrand) -> None:
        """Forget the collection's pictures, so that the next look reads them from Stash again."""
        tx.pictures.of_flow(COLLECTION).forget(errand.job.id)
        if not errand.begun:
            self.withdraw(tx, [errand])

    def reopen(self, tx: Writer, errand: CollectionErrand, until: int) -> None:
        """Save the push anew: it lost its job, and may still arrive until then."""
        before, errand.entry = errand.entry, replace(errand.entry, until=until)
        _change(tx, errand, without=before, add=errand.entry)

    def close(self, tx: Writer, errands: Sequence[CollectionErrand], *, now: int, until: int) -> None:
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
    def _learn(tx: Writer, row: CollectionRow, errand: CollectionErrand, until: int) -> None:
        left_out = (Pushing(errand.left_out, until),) if errand.left_out else ()
        updated = replace(
            row,
            memory=errand.memory or {},
            pushing=(*without_entry(row, errand.entry), *left_out),
            stamp=errand.stamp,
            desired=digest(errand.sight.wanted.values),
            undone=undone(errand.memory or {}),
        )
        tx.collections.save(updated)
        for name, error in errand.refused.items():
            kept = names_of_pictures(errand.sight.pictures).get(name, ())
            tx.pictures.of_flow(COLLECTION).refuse(row.id, {*kept, name}, error)


def _give_up_name(tx: Writer, row: CollectionRow, errand: CollectionErrand, now: int) -> None:
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


def _change(tx: Writer, errand: CollectionErrand, *, without: Pushing, add: Pushing | None = None) -> None:
    row = tx.collections.of([errand.job.id]).get(errand.job.id)
    if row is not None:
        tx.collections.save(replace(row, pushing=(*without_entry(row, without), *((add,) if add else ()))))
