"""Sends what a plan changes of a collection, and reads it back.

Its pictures come first, since selecting one locks it, which the edit may have to change. Then its texts with one edit, its
settings, its place in the home and the moves of its members, each only if it changes.
"""

import logging
from collections.abc import Sequence

from plexsync.flows.collections.batch import HOME
from plexsync.flows.collections.edit_form import edit_by_either_form
from plexsync.flows.collections.errands import CollectionWrite
from plexsync.flows.collections.inspection import CollectionLooker, told_item
from plexsync.flows.collections.records import CollectionFinding
from plexsync.flows.scenes.push import ObjectFlow
from plexsync.rules.collection_order import CUSTOM, ORDER, Move, members_in, moves, sort_of
from plexsync.rules.collection_servers import PlexCollection, PlexCollections
from plexsync.rules.errors import Conflict, NeighbourError
from plexsync.rules.item import COLLECTION_SETTINGS, Item
from plexsync.rules.job import Done, Waiting

log = logging.getLogger("PlexSync.collections")

# The most moves of one errand; the next one goes on.
MOVES = 20
# The most other requests: an edit in either form, settings, home, and the members read before they are moved.
OTHER_REQUESTS = 5


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
            item = self._as_read(errand, answer, homes)
            errand.learn(item)
            errand.title, errand.outcome = item.value("title"), Done()

    def _as_read(
        self, errand: CollectionWrite, answer: PlexCollection, homes: dict[str, tuple[str, ...]] | None
    ) -> Item:
        sending = errand.target.plan.sending
        members = self._looker.reads.members(errand.key) if ORDER in sending else errand.target.members
        item = told_item(answer.item, homes, members)
        return self.with_pictures(self._pictures, errand, item) if self._pictures else item
