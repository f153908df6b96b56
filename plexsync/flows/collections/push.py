"""Sends what a plan changes of a collection, and reads it back.

Its pictures come first, since selecting one locks it, which the edit may have to change. Then its texts with one edit, its
settings, its place in the home and the moves of its members, each only if it changes. Each push is saved in the row of the
collection before it is sent.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from plexsync.flows.collections.inspection import CollectionFinding, CollectionLooker, CollectionSight, told_item
from plexsync.flows.collections.reads import HOME
from plexsync.flows.scenes.collection_names import SHOWN, RenamedCollection, save_renames
from plexsync.flows.scenes.push import ObjectFlow, ObjectJournal, ObjectWrite
from plexsync.rules.collection_order import CUSTOM, ORDER, Move, members_in, moves, sort_of
from plexsync.rules.collection_servers import PlexCollection, PlexCollections
from plexsync.rules.collections import CollectionRow
from plexsync.rules.desired import digest
from plexsync.rules.errors import Conflict, Missing, NeighbourError
from plexsync.rules.item import COLLECTION_SETTINGS
from plexsync.rules.job import COLLECTION, Done, Kind, Waiting, Why
from plexsync.rules.memory import undone
from plexsync.rules.plan_records import Edit, Pushing
from plexsync.rules.traits import CollectionForm, ServerTraits
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.collections")

# The most moves of one errand; the next one goes on.
MOVES = 20
# The most other requests: an edit in either form, settings, home, and the members read before they are moved.
OTHER_REQUESTS = 5


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
                left_out = (Pushing(errand.left_out, until),) if errand.left_out else ()
                updated = replace(
                    row,
                    memory=errand.memory,
                    pushing=(*_without(row, errand.entry), *left_out),
                    stamp=errand.stamp,
                    desired=digest(errand.target.wanted),
                )
                tx.collections.save(updated)
                errand.save_refused(tx)
                changes = [(errand.job.id, errand.key, errand.moved, undone(errand.memory))]
                tx.pushes.of_flow(COLLECTION).add_all(changes, at=now)
                if errand.title != row.name and errand.finding.is_named:
                    renames.append(RenamedCollection(row, errand.title))
        save_renames(tx, renames)
        for sharing in tx.collections.by_item(rename.collection.item for rename in renames) if renames else ():
            if sharing.id not in rows:
                tx.jobs.want(COLLECTION, sharing.id, Why.SWEEP, now)


def _give_up_name(tx: Writer, row: CollectionRow, errand: CollectionWrite, now: int) -> None:
    """Leave the collection, since another one has its new title: scenes move there, and what they leave disappears."""
    old = replace(row, name=errand.finding.template_name, item="", owner="", memory={}, pushing=(), stamp=0)
    tx.collections.save(old)
    tx.jobs.want(COLLECTION, row.id, Why.EDIT, now)
    move_scenes(tx, row, now=now)


def move_scenes(tx: Writer, row: CollectionRow, *, now: int) -> None:
    """Queue the scenes that show the object of a row: they come into another collection."""
    if row.object.source in SHOWN:
        for scene in tx.scene_names.scenes_showing(Kind(row.object.source), row.object.id):
            tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, now)


def _without(row: CollectionRow, entry: Pushing) -> tuple[Pushing, ...]:
    return tuple(push for push in row.pushing if push != entry)


def _change(tx: Writer, errand: CollectionWrite, *, without: Pushing, add: Pushing | None = None) -> None:
    row = tx.collections.of([errand.job.id]).get(errand.job.id)
    if row is not None:
        tx.collections.save(replace(row, pushing=(*_without(row, without), *((add,) if add else ()))))


def edit_by_either_form(
    plex: PlexCollections, section: str, key: str, edit: Edit, first: CollectionForm
) -> CollectionForm:
    """Apply an edit to a collection, by the form `first` or else by the other one; returns the form that was taken.

    Raises NeighbourError; Missing only if neither form reaches the collection. Both only set values, so that sending the
    edit twice does no harm.
    """
    try:
        plex.edit_collection(section, key, edit, first)
    except Missing as error:
        if error.applied:
            raise
    else:
        return first
    second: CollectionForm = "section" if first == "item" else "item"
    plex.edit_collection(section, key, edit, second)
    return second


class CollectionPush(ObjectFlow[CollectionFinding, CollectionWrite]):
    """The part of the flow of collections that sends, and reads back."""

    _looker: CollectionLooker
    _plex: PlexCollections

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, errand: CollectionWrite) -> None:
        """Send the changed parts. If a later request fails, the error is `applied`."""
        try:
            if self._pictures:
                self.send_pictures(self._pictures, errand)
            self._send_texts(errand)
            if not errand.title_taken:
                self._send_settings(errand)
                self._send_order(errand)
        except NeighbourError as error:
            error.applied = error.applied or errand.begun
            raise

    def _send_texts(self, errand: CollectionWrite) -> None:
        """Send texts and locks in the form that the server takes."""
        sight = errand.target
        texts = {name: change for name, change in sight.plan.edit.items() if name not in COLLECTION_SETTINGS}
        if not texts:
            return
        try:
            form = edit_by_either_form(self._plex, sight.item.section, errand.key, texts, sight.form)
            errand.form = form if form != sight.form else None
        except Conflict:
            if "title" not in texts:
                raise
            log.info("collection %s can't be renamed: another one has the title", errand.key)
            errand.title_taken = True
        errand.begun = True

    def _send_settings(self, errand: CollectionWrite) -> None:
        edit, item = errand.target.plan.edit, errand.target.item
        prefs = {}
        if (mode := edit.get("collectionMode")) and mode.value is not None:
            prefs["collectionMode"] = str(mode.value)
        if (order := edit.get(ORDER)) and order.value is not None:
            sort = sort_of(order.value)
            if sort != sort_of(item.value(ORDER)):
                prefs["collectionSort"] = "" if sort == "0" else sort
        if prefs:
            self._plex.set_prefs(errand.key, prefs)
            errand.begun = True
        if (home := edit.get(HOME)) and home.value is not None:
            places = tuple(filter(None, str(home.value).split(",")))
            self._plex.show_home(item.section, errand.key, places, managed=errand.target.managed)
            errand.begun = True

    def _send_order(self, errand: CollectionWrite) -> None:
        order = errand.target.plan.edit.get(ORDER)
        if order is None or order.value is None or sort_of(order.value) != CUSTOM:
            return
        present = errand.target.members
        if sort_of(errand.target.item.value(ORDER)) != CUSTOM:
            # Only now Plex says with which order the custom one begins.
            present = tuple(self._plex.members(errand.key))
        steps: list[Move] = moves(present, members_in(order.value))
        for step in steps[:MOVES]:
            errand.begun = True
            self._plex.move(errand.key, step.item, after=step.after)
        errand.unfinished = len(steps) > MOVES

    # --- read-back ---------------------------------------------------------------------------------------------------

    def read_back(self, errands: Sequence[CollectionWrite]) -> None:
        """Read all collections back in one request; what they show is what is remembered."""
        for errand in errands:
            if errand.title_taken:
                errand.outcome = Done()
        sent = [errand for errand in errands if errand.outcome is None]
        if not sent:
            return
        try:
            answers = self._looker.reads.of(errand.key for errand in sent)
            moved_home = {errand.target.item.section for errand in sent if HOME in errand.target.plan.sending}
            homes = {section: self._looker.reads.homes(section) for section in sorted(moved_home)}
            for errand in sent:
                self._conclude(errand, answers.get(errand.key), homes.get(errand.target.item.section))
        except NeighbourError as error:
            # Sent and answered, but not read back: the saved pushes tell the next look what may be in Plex.
            for errand in sent:
                errand.outcome = errand.outcome or Waiting(str(error), "unavailable")

    def _conclude(
        self,
        errand: CollectionWrite,
        answer: PlexCollection | NeighbourError | None,
        homes: dict[str, tuple[str, ...]] | None,
    ) -> None:
        if isinstance(answer, NeighbourError):
            errand.outcome = Waiting(str(answer), "unavailable")
        elif answer is None:
            errand.outcome = Waiting("the collection vanished while it was edited", "missing", counted=True)
        elif errand.unfinished:
            errand.outcome = Done()
        else:
            is_ordered = ORDER in errand.target.plan.sending
            members = self._looker.reads.members(errand.key) if is_ordered else errand.target.members
            item = told_item(answer.item, homes, members)
            item = self.with_pictures(self._pictures, errand, item) if self._pictures else item
            errand.learn(item)
            errand.title, errand.outcome = item.value("title"), Done()
