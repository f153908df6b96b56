"""Sends what a plan changes of a collection, and reads it back.

Its pictures come first, since selecting one locks it, which the edit may have to change. Then its texts with one edit, its
settings, its place in the home and the moves of its members, each only if it changes. Each push is saved in the row of the
collection before it is sent.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from plexsync.flows.collections.findings import CollectionFinding, CollectionSight
from plexsync.flows.collections.inspection import CollectionInspector, told_item
from plexsync.flows.collections.playlists import with_members
from plexsync.flows.collections.reads import HOME
from plexsync.flows.scenes.collection_names import CARRIED_BY_SCENES, RenamedCollection, save_renames
from plexsync.flows.scenes.push import ObjectFlow, ObjectJournal, ObjectWrite, not_taken
from plexsync.plex.collections import CollectionClient, PlaylistClient
from plexsync.rules.collections.collection_order import CUSTOM, MOVES, ORDER, Move, members_in, moves, sort_of
from plexsync.rules.collections.collection_servers import (
    MOST_AT_ONCE,
    PLAYLIST,
    PlexCollection,
    playlist_item,
)
from plexsync.rules.collections.collection_status import moving_standing
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.collections.playlists import MEMBERS
from plexsync.rules.item import COLLECTION_SETTINGS, Item
from plexsync.rules.merge.desired import digest
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.plan_records import Edit, Pushing
from plexsync.rules.merge.traits import CollectionForm, ServerTraits
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import COLLECTION, Done, Kind, Waiting, Why
from plexsync.rules.servers.causes import Cause
from plexsync.rules.servers.errors import Conflict, Missing, NeighbourError
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.collections")

# The most other requests: an edit in either form, settings, home, and the members read before they are moved.
OTHER_REQUESTS = 5


@dataclass(eq=False, kw_only=True)
class CollectionWrite(ObjectWrite):
    """The writes of one collection: its pictures, its texts in one edit, its settings, and the moves of its members.

    `entry` is its saved push. `form` is the form of edits that the server took, if it is not the known one. `unfinished`:
    more moves are to be made than one write makes. `title_taken`: another collection of the library has the title.
    `is_deleted`: a playlist was deleted. `title` is what was read back.
    """

    finding: CollectionFinding
    row: CollectionRow
    target: CollectionSight
    entry: Pushing
    form: CollectionForm | None = None
    unfinished: bool = False
    is_deleted: bool = False
    title_taken: bool = False
    title: str = ""

    @property
    def is_playlist(self) -> bool:
        """Whether it is a playlist, and no collection."""
        return self.row.object.source == PLAYLIST

    def conclude(self, item: Item) -> None:
        """Conclude from what was read back: of a write that goes on, whether anything has moved."""
        if not self.unfinished:
            self.learn(item)
            self.title = item.value("title")
        elif item.value(ORDER) == self.target.item.value(ORDER):
            self.outcome = not_taken([ORDER])
        elif (order := self.target.plan.edit.get(ORDER)) and order.value is not None:
            present = members_in(item.value(ORDER))
            self.row = replace(
                self.row, standing=moving_standing(len(moves(present, members_in(order.value))), len(present))
            )
        self.outcome = self.outcome or Done()

    def prolong(self, tx: Writer, until: int) -> None:
        """Extend the saved push until `until`."""
        before, self.entry = self.entry, replace(self.entry, until=until)
        _change(tx, self, without=before, add=self.entry)

    def withdraw(self, tx: Writer) -> None:
        """Remove the push. Nothing of it can be in Plex."""
        _change(tx, self, without=self.entry)


class CollectionJournal(ObjectJournal[CollectionWrite]):
    """The `plexsync.engine.flow.Journal` of collections: each row holds its pushes of unknown result."""

    def close(self, tx: Writer, writes: Sequence[CollectionWrite], *, now: int, until: int) -> None:
        """Save what was read back, and record its changes."""
        rows = tx.collections.of([write.job.id for write in writes])
        renames: list[RenamedCollection] = []
        for write in writes:
            if write.form:
                tx.probes.learn_working(ServerTraits(collection_edits=write.form), now=now)
            row = rows.get(write.job.id)
            if row is None:
                continue
            if write.title_taken:
                _give_up_name(tx, row, write, now)
            elif write.unfinished:
                # The next look finds what was moved, and goes on. All was answered: nothing of it can arrive later.
                open_push = replace(write.entry, until=now)
                tx.collections.save(
                    replace(row, pushing=(*_without(row, write.entry), open_push), standing=write.row.standing)
                )
                tx.jobs.want(COLLECTION, write.job.id, Why.AGAIN, now)
            elif write.memory is not None:
                left_out = (Pushing(write.left_out, until),) if write.left_out else ()
                updated = replace(
                    row,
                    memory=write.memory,
                    pushing=(*_without(row, write.entry), *left_out),
                    stamp=write.stamp,
                    desired=digest(write.target.wanted),
                )
                if write.is_playlist:
                    updated = _after_write(tx, updated, write, now=now)
                tx.collections.save(updated)
                write.save_refused(tx)
                changes = [(write.job.id, write.key, write.moved, undo_mode(write.memory), write.job.reason)]
                tx.pushes.of_flow(COLLECTION).add_all(changes, at=now)
                if write.title != row.name and write.finding.is_named:
                    renames.append(RenamedCollection(row, write.title))
        save_renames(tx, renames)
        for sharing in tx.collections.by_item(rename.collection.item for rename in renames) if renames else ():
            if sharing.id not in rows:
                tx.jobs.want(COLLECTION, sharing.id, Why.SWEEP, now)


def _give_up_name(tx: Writer, row: CollectionRow, write: CollectionWrite, now: int) -> None:
    """Leave the collection, since another one has its new title: scenes move there, and what they leave disappears."""
    old = replace(row, name=write.finding.template_name, item="", owner="", memory={}, pushing=(), stamp=0)
    tx.collections.save(old)
    tx.jobs.want(COLLECTION, row.id, Why.AGAIN, now)
    move_scenes(tx, row, now=now)


def move_scenes(tx: Writer, row: CollectionRow, *, now: int) -> None:
    """Queue the scenes that show the object of a row: they come into another collection."""
    if row.object.source in CARRIED_BY_SCENES:
        for scene in tx.scene_names.scenes_showing(Kind(row.object.source), row.object.id):
            tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, now)


def _without(row: CollectionRow, entry: Pushing) -> tuple[Pushing, ...]:
    return tuple(push for push in row.pushing if push != entry)


def _change(tx: Writer, write: CollectionWrite, *, without: Pushing, add: Pushing | None = None) -> None:
    row = tx.collections.of([write.job.id]).get(write.job.id)
    if row is not None:
        tx.collections.save(replace(row, pushing=(*_without(row, without), *((add,) if add else ()))))


def edit_by_either_form(
    plex: CollectionClient, section: str, key: str, edit: Edit, first: CollectionForm
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


def _steps(write: CollectionWrite, present: Sequence[str], order: Value, budget: int) -> Iterator[Move]:
    """The moves that one write makes, at most `budget`; each counts as begun as it is taken."""
    steps = moves(present, members_in(order))
    for step in steps[:budget]:
        write.begun = True
        yield step
    write.unfinished = len(steps) > budget


def _after_write(tx: Writer, row: CollectionRow, write: CollectionWrite, *, now: int) -> CollectionRow:
    """The row after a write that was read back. One that was created is inspected again, since only a part is there."""
    if write.is_deleted:
        memory = row.memory if undo_mode(row.memory) else {}
        return replace(row, item="", owner="", memory=memory, desired="")
    if write.target.creates:
        tx.jobs.want(COLLECTION, row.id, Why.AGAIN, now)
    return replace(row, item=write.key, name=write.title)


class CollectionPush(ObjectFlow[CollectionFinding, CollectionWrite]):
    """The part of the flow of collections that sends, and reads back."""

    _inspector: CollectionInspector
    _plex: CollectionClient

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, write: CollectionWrite) -> None:
        """Send the changed parts. If a later request fails, the error is `applied`."""
        try:
            if write.is_playlist:
                self._send_playlist(write, self._inspector.playlists.plex)
                return
            if self._pictures:
                self.send_pictures(self._pictures, write)
            self._send_texts(write)
            if not write.title_taken:
                self._send_settings(write)
                self._send_order(write)
        except NeighbourError as error:
            error.applied = error.applied or write.begun
            raise

    def _send_playlist(self, write: CollectionWrite, plex: PlaylistClient) -> None:
        """Create or delete a playlist, or send its pictures, texts, members that go, members that come, and moves."""
        target, edit, machine, budget = write.target, write.target.plan.edit, write.finding.section, MOVES
        for twin, items in target.twins.items():
            write.begun = True
            with suppress(Missing):
                if {entry.item for entry in plex.entries(twin)} <= items:
                    plex.delete(twin)
        if target.creates:
            write.begun = True
            write.key = plex.create(machine, str(edit["title"].value), tuple(edit[MEMBERS].value or ()))
            return
        # One that somebody has put anything into since it was inspected is not deleted.
        if target.deletes and {entry.item for entry in plex.entries(write.key)} <= set(target.members):
            write.begun = True
            plex.delete(write.key)
            write.is_deleted = True
            return
        if self._pictures:
            self.send_pictures(self._pictures, write)
        if texts := {name: edit[name] for name in ("title", "summary") if name in edit}:
            plex.edit(write.key, texts)
            write.begun = True
        change = edit.get(MEMBERS)
        going = [
            entry for entry in target.entries if entry in target.doubles or (change and entry.item in change.removes)
        ]
        for entry in going[:budget]:
            write.begun = True
            with suppress(Missing):
                plex.remove(write.key, entry.key)
        budget -= len(going)
        if change:
            for start in range(0, min(len(change.adds), max(budget, 0) * MOST_AT_ONCE), MOST_AT_ONCE):
                write.begun = True
                plex.add(machine, write.key, change.adds[start : start + MOST_AT_ONCE])
            budget -= -(-len(change.adds) // MOST_AT_ONCE)
        if budget < 0:
            write.unfinished = True
        elif (order := edit.get(ORDER)) and order.value is not None:
            places: dict[str, str] = {}
            for entry in plex.entries(write.key):
                places.setdefault(entry.item, entry.key)
            for step in _steps(write, [*places], order.value, budget):
                plex.move(write.key, places[step.item], after=places.get(step.after, ""))

    def _send_texts(self, write: CollectionWrite) -> None:
        """Send texts and locks in the form that the server takes."""
        inspection = write.target
        texts = {name: change for name, change in inspection.plan.edit.items() if name not in COLLECTION_SETTINGS}
        if not texts:
            return
        try:
            form = edit_by_either_form(self._plex, inspection.item.section, write.key, texts, inspection.form)
            write.form = form if form != inspection.form else None
        except Conflict:
            if "title" not in texts:
                raise
            log.info("collection %s can't be renamed: another one has the title", write.key)
            write.title_taken = True
        write.begun = True

    def _send_settings(self, write: CollectionWrite) -> None:
        edit, item = write.target.plan.edit, write.target.item
        prefs = {}
        if (mode := edit.get("collectionMode")) and mode.value is not None:
            prefs["collectionMode"] = str(mode.value)
        if (order := edit.get(ORDER)) and order.value is not None:
            sort = sort_of(order.value)
            if sort != sort_of(item.value(ORDER)):
                prefs["collectionSort"] = "" if sort == "0" else sort
        if prefs:
            self._plex.set_prefs(write.key, prefs)
            write.begun = True
        if (home := edit.get(HOME)) and home.value is not None:
            places = tuple(filter(None, str(home.value).split(",")))
            self._plex.show_home(item.section, write.key, places, managed=write.target.managed)
            write.begun = True

    def _send_order(self, write: CollectionWrite) -> None:
        order = write.target.plan.edit.get(ORDER)
        if order is None or order.value is None or sort_of(order.value) != CUSTOM:
            return
        present = write.target.members
        if sort_of(write.target.item.value(ORDER)) != CUSTOM:
            # Only now Plex says with which order the custom one begins.
            present = tuple(self._plex.members(write.key))
        for step in _steps(write, present, order.value, MOVES):
            self._plex.move(write.key, step.item, after=step.after)

    # --- read-back ---------------------------------------------------------------------------------------------------

    def read_back(self, writes: Sequence[CollectionWrite]) -> None:
        """Read all collections back in one request, and all playlists; what they show is what is remembered."""
        for write in writes:
            if write.title_taken:
                write.outcome = Done()
        sent = [write for write in writes if write.outcome is None]
        if not sent:
            return
        try:
            collections = [write.key for write in sent if not write.is_playlist]
            answers = self._inspector.reads.of(collections) if collections else {}
            if len(collections) < len(sent):
                answers |= self._inspector.playlists.listed()
            moved_home = {write.target.item.section for write in sent if HOME in write.target.plan.sending}
            homes = {section: self._inspector.reads.homes(section) for section in sorted(moved_home)}
            for write in sent:
                self._conclude(write, answers.get(write.key), homes.get(write.target.item.section))
        except NeighbourError as error:
            # Sent and answered, but not read back: the saved pushes tell the next look what may be in Plex.
            for write in sent:
                write.outcome = write.outcome or Waiting(str(error), "unavailable")

    def _conclude(
        self,
        write: CollectionWrite,
        answer: PlexCollection | NeighbourError | None,
        homes: dict[str, tuple[str, ...]] | None,
    ) -> None:
        if isinstance(answer, NeighbourError):
            write.outcome = Waiting(str(answer), "unavailable")
        elif (answer is None) != write.is_deleted:
            text = "vanished while it was edited" if answer is None else "is still there"
            noun = "playlist" if write.is_playlist else "collection"
            cause = Cause.MISSING if answer is None else Cause.UNTAKEN
            write.outcome = Waiting(f"the {noun} {text}", cause, counted=True)
        else:
            item = playlist_item("", {}, {}, 0) if answer is None else self._as_read(write, answer, homes)
            write.conclude(item)

    def _as_read(
        self, write: CollectionWrite, answer: PlexCollection, homes: dict[str, tuple[str, ...]] | None
    ) -> Item:
        if write.is_playlist:
            item = with_members(answer, self._inspector.playlists.entries(write.key))
        else:
            is_ordered = ORDER in write.target.plan.sending
            members = self._inspector.reads.members(write.key) if is_ordered else write.target.members
            item = told_item(answer.item, homes, members)
        return self.with_pictures(self._pictures, write, item) if self._pictures else item
