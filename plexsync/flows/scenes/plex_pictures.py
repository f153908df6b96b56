"""The pictures of one Plex: which one is shown, and sending one. Knows keys of Plex only, and nothing of scenes.

The key of an item or a collection is that of its metadata. A picture is named by its kind (`plexsync.rules.item.PICTURES`)
and its key, which is the hash of its bytes.

An upload selects the picture on most servers. The first upload proves it, by one list of the pictures; after that an
upload costs one request. An unproven server, and one where uploads arrive late or select nothing, gets a request that
selects. The proof counts for one version of one server.
"""

import logging
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, WRITE_PLEX
from plexsync.rules.merge.pictures import is_selected_by_upload
from plexsync.rules.merge.traits import ServerTraits
from plexsync.rules.servers.errors import ForeignNotFound, Missing, NeighbourError, Refused
from plexsync.rules.servers.neighbours import Clock, Plex
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.picture")

# The pauses in seconds before an uploaded picture that Plex does not know yet is selected again.
LAGS = (0.5, 1.0, 2.0)


@dataclass
class PlexPictures:
    """Lists, uploads and selects. Thread-safe. `clock` makes the pauses while Plex stores an upload."""

    _store: Database
    _plex: Plex
    _gates: Gates
    _clock: Clock
    _lock: Lock = field(default_factory=Lock)
    # The version of the server for which this process has tried the proof.
    _tried: str = ""

    # --- shown -------------------------------------------------------------------------------------------------------

    def list_pictures(self, item: str, name: str) -> dict[str, bool]:
        """The pictures of an item by key, and whether each is the selected one. Raises NeighbourError."""
        return self._gates.ask(READ_PLEX, partial(self._plex.pictures, item, name))

    def selected(self, item: str, name: str) -> str:
        """The key of the selected picture, '' if there is none. Raises NeighbourError."""
        return selected_key(self.list_pictures(item, name))

    def has(self, item: str, name: str, key: str) -> bool:
        """Whether the item has the picture, selected or not. Asks in the name of a write that is under way."""
        return key in self._plex.pictures(item, name)

    def shown_after_upload(self, item: str, name: str, key: str) -> str:
        """The key of the selected picture after an upload that should have selected this one, and seems not to have.

        If Plex shows another one, that is remembered of the server, and the picture is selected.
        """
        listing = self.list_pictures(item, name)
        if selected_key(listing) == key:
            return key
        self._learn(ServerTraits(upload_selects=False))
        if key not in listing:
            return selected_key(listing)
        try:
            self._gates.ask(WRITE_PLEX, partial(self._plex.show, item, name, key))
        except (Missing, Refused) as error:
            log.info("an uploaded picture of item %s can't be selected: %s", item, error)
        return self.selected(item, name)

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, item: str, name: str, key: str, content: bytes, traits: ServerTraits) -> bool:
        """Make an item show the picture with this key, after uploading its bytes, if any.

        True if the upload alone did it, as this server is known to do; its lock is left to the edit. `traits` are those
        when the item was read. An error after the upload is `applied`.
        """
        if not content:
            self._plex.show(item, name, key)
            return False
        self._plex.upload(item, name, content)
        if traits.upload_selects is None:
            traits = self._present_traits()
        if is_selected_by_upload(traits):
            return True
        if traits.upload_selects is None and self._prove(item, name, key):
            return True
        self._select(item, name, key)
        return False

    def put_back(self, item: str, name: str, key: str) -> None:
        """Select the picture that the item showed before ('': none). If Plex no longer has it, the current one stays."""
        try:
            if not key:
                self._plex.hide(item, name)
            elif self.has(item, name, key):
                self._plex.show(item, name, key)
            else:
                log.warning("the picture that item %s showed before is not there any more", item)
        except (Refused, Missing) as error:
            log.warning("a picture of item %s was refused: %s", item, error)

    def _select(self, item: str, name: str, key: str) -> None:
        """Select a picture that was just uploaded. A 404 is then a lag of Plex, so it is tried again."""
        for pause in LAGS:
            try:
                return self._plex.show(item, name, key)
            except (Missing, ForeignNotFound) as error:
                log.info("an uploaded picture of item %s can't be selected yet: %s", item, error)
                self._clock.sleep(pause)
        try:
            self._plex.show(item, name, key)
        except NeighbourError as error:
            error.applied = True
            raise

    # --- traits ------------------------------------------------------------------------------------------------------

    def has_one_stamp(self) -> bool | None:
        """Whether every edit changes the addresses of an item's pictures on this server; None if that is not known."""
        return self._present_traits().one_stamp

    def learn_stamps(self, *, one_stamp: bool) -> None:
        """Remember what an edit has shown about the addresses of pictures, see `has_one_stamp`."""
        self._learn(ServerTraits(one_stamp=one_stamp))

    def _prove(self, item: str, name: str, key: str) -> bool:
        """Find out by one list whether the upload has selected the picture. Tried once per process and version.

        A picture that is not listed yet proves nothing.
        """
        with self._store.reading() as db:
            row = db.servers.find()
        version = f"{row.machine} {row.version}" if row else ""
        with self._lock:
            if not version or self._tried == version:
                return False
            self._tried = version
        try:
            listing = self._plex.pictures(item, name)
        except NeighbourError as error:
            log.info("whether an upload selects a picture is not known yet: %s", error)
            return False
        if key not in listing:
            return False
        self._learn(ServerTraits(upload_selects=listing[key], picture_lag=0.0 if listing[key] else None))
        return listing[key]

    def _present_traits(self) -> ServerTraits:
        with self._store.reading() as db:
            return db.probes.present_traits()

    def _learn(self, answers: ServerTraits) -> None:
        with self._store.writing() as tx:
            tx.probes.learn_working(answers, now=self._clock.now())


def selected_key(listing: dict[str, bool]) -> str:
    """The key of the selected picture in a list; '' if there is none."""
    return next((key for key, is_shown in listing.items() if is_shown), "")
