"""Posters and backgrounds: selects the picture of a scene, detects the picture that an item shows, and sends it.

A picture is fetched only if its source has changed, and then with the tag of the last one. It is decoded only if it
differs, and sent only if Plex does not have it. If a picture can't be fetched or Plex rejects it, PlexSync reports it
and still syncs the other fields.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock

from plexsync.engine.flow import Outdated
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.rules.desired import Profile, Wanted
from plexsync.rules.errors import ForeignNotFound, Missing, Neighbour, NeighbourError, Refused, Unavailable, Unusable
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.job import Kind
from plexsync.rules.neighbours import Clock, Imaging, Plex, Stash
from plexsync.rules.pictures import FAILED, LARGEST, PADDED, asked_for, kept_as, kind_of, known_by_place, may_be_early
from plexsync.rules.plan_records import Memory, Note, Pushing
from plexsync.rules.provenance import is_older
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import Image, Scene
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.picture")

# The maximum number of bytes kept of pictures that were just decoded and will be sent soon.
KEPT = 32_000_000
# Suffix of a version: the picture may have changed again within the same second.
EARLY = ", early"
# The number of failed reads of a picture after which its scene is synced without it.
PATIENCE = 3
# The pauses in seconds before an uploaded picture that Plex does not know yet is selected again.
LAGS = (0.5, 1.0, 2.0)


class PictureChanged(Outdated):
    """The picture has changed since the inspection, in Stash or in its processed form."""

    def __init__(self) -> None:
        super().__init__("its picture is another one than when it was looked at")


class Artwork:
    """The artwork of one Stash and one Plex. `key_of` returns the key of a picture in Plex. No `imaging`: no resizing.

    `clock` makes the pauses while Plex stores an upload. `flow`: whose results for pictures these are.
    """

    def __init__(
        self,
        store: Database,
        stash: Stash,
        plex: Plex,
        gates: Gates,
        key_of: Callable[[str, bytes], str],
        imaging: Imaging | None,
        clock: Clock,
        flow: str = Kind.SCENE,
    ) -> None:
        self._store = store
        self._flow = flow
        self._stash = stash
        self._plex = plex
        self._gates = gates
        self._key_of = key_of
        self._imaging = imaging
        self._clock = clock
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def of_flow(self, flow: str) -> "Artwork":
        """The artwork of another flow on the same servers."""
        return Artwork(
            self._store, self._stash, self._plex, self._gates, self._key_of, self._imaging, self._clock, flow=flow
        )

    # --- desired pictures --------------------------------------------------------------------------------------------

    def with_pictures(self, scene: Scene, shown: Wanted, profile: Profile, *, patient: bool = True) -> Wanted:
        """Add the keys of the pictures to the desired values. A picture that can't be read stays as it is in Plex.

        Raises NeighbourError if Stash does not answer, and (if `patient`) the first times that a picture can't be read.
        """
        pictures = profile.pictures.items()
        rows = {name: self._row(scene, name, source, profile, patient=patient) for name, source in pictures}
        values = {name: row.key for name, row in rows.items() if row.key or not row.reason}
        notes = tuple(
            Note(name, "refused" if row.key else "dropped", row.reason) for name, row in rows.items() if row.reason
        )
        return Wanted({**shown.values, **values}, shown.notes + notes) if rows else shown

    def _row(self, scene: Scene, name: str, source: str, profile: Profile, *, patient: bool) -> PictureRow:
        image = _image(scene, source)
        padded = name == "thumb" and profile.poster_padding
        if image is None:
            return PictureRow("", "", "")
        version = _version(image, padded=padded)
        kept = kept_as(name, source, padded=padded)
        with self._store.reading() as db:
            rows = db.pictures.of_flow(self._flow).of(scene.id)
        # Earlier versions of PlexSync stored the row under the name alone.
        last_row = rows.get(kept) or rows.get(name)
        if last_row and last_row.version == version:
            return last_row
        if last_row and _source(last_row.version) != _source(version):
            last_row = None
        try:
            row = self._fetched(name, image, version, last_row, padded=padded)
        except (Refused, Unavailable) as error:
            if isinstance(error, Unavailable) and not error.sent:
                raise
            count = _failures(last_row, version) + 1
            # Known values are kept. The next inspection reads the picture again.
            failed = replace(last_row or PictureRow("", "", ""), version=f"{version}{FAILED}{count}")
            self._save(scene.id, kept, failed)
            if patient and count <= PATIENCE and not isinstance(error, Refused):
                raise
            return PictureRow(version, "", "", f"the picture can't be read: {error}")
        early = may_be_early(image.version, self._stash.date)
        self._save(scene.id, kept, replace(row, version=version + EARLY) if early else row)
        return row

    def _save(self, scene: int, kept: str, row: PictureRow) -> None:
        with self._store.writing() as tx:
            tx.pictures.of_flow(self._flow).save(scene, kept, row)

    def _fetched(
        self, name: str, image: Image, version: str, last_row: PictureRow | None, *, padded: bool
    ) -> PictureRow:
        ticket = self._gates.ticket(READ_STASH)
        try:
            picture = self._stash.picture(image.path, etag=last_row.tag if last_row else "")
        except Missing:
            return PictureRow(version, "", "")
        except NeighbourError as error:
            # One unreadable picture is no evidence about Stash.
            if not (isinstance(error, Unavailable) and error.sent):
                self._gates.ill(ticket, error)
            raise
        if picture is None and last_row:
            return replace(last_row, version=version)
        content = picture.content if picture else b""
        if kind_of(content) == "drawing" and not self._gates.ask(READ_STASH, lambda: self._stash.lacks(image)):
            # For example, its folder is unavailable. Treating that as no picture would remove the one in Plex.
            raise Refused(Neighbour.STASH, "Stash shows a stand-in for it")
        poster, failure = self._made(content, padded=padded)
        key = self._key_of(name, poster) if poster else ""
        if poster:
            self._keep(key, poster)
        return PictureRow(version, picture.tag if picture else "", key, failure)

    def _made(self, content: bytes, *, padded: bool) -> tuple[bytes, str]:
        """The bytes to send, or none with the reason ('' if there is no picture)."""
        kind = kind_of(content)
        if not content or kind == "drawing":
            return b"", ""
        if not kind:
            return b"", "the picture is no JPEG, PNG or WebP"
        if not padded and len(content) <= LARGEST:
            return content, ""
        if self._imaging is None:
            return b"", "the picture is larger than 10 MB, and the package that makes it smaller is not installed"
        try:
            return self._imaging.made(content, padded=padded, largest=LARGEST), ""
        except Unusable as error:
            return b"", str(error)

    # --- shown pictures ----------------------------------------------------------------------------------------------

    def told(
        self,
        item: Item,
        wanted: Mapping[str, object],
        memory: Memory,
        pushing: Sequence[Pushing],
        lost: Collection[str] = (),
    ) -> Item:
        """The item with the keys of the pictures that it shows, where they matter. Asks Plex only for unknown ones."""
        # An item from an older moment: the evidence is used once, for a picture that can't be read from Stash now, too.
        lost = {*lost, *memory} if is_older(item, memory) else lost
        return self._told(item, asked_for(wanted, memory, pushing, lost), memory)

    def read_back(self, item: Item, names: Iterable[str]) -> Item:
        """The item with the current keys of these pictures in Plex."""
        return self._told(item, [name for name in PICTURES if name in names], {})

    def _told(self, item: Item, names: Sequence[str], memory: Memory) -> Item:
        if not names:
            return item
        scalars = dict(item.scalars)
        for name in names:
            key = known_by_place(item, name, memory)
            scalars[name] = self._shown(item, name) if key is None else key
        return replace(item, scalars=scalars)

    def _shown(self, item: Item, name: str) -> str:
        pictures = self._gates.ask(READ_PLEX, lambda: self._plex.pictures(item.key, name))
        return next((key for key, shown in pictures.items() if shown), "")

    # --- sending -----------------------------------------------------------------------------------------------------

    def to_send(self, scene: Scene, item: Item, name: str, key: str, profile: Profile) -> bytes:
        """The bytes of the picture with this key, none if Plex has them. Raises PictureChanged if they are unavailable."""
        if key in self._plex.pictures(item.key, name):
            return b""
        with self._lock:
            if content := self._kept.pop(key, b""):
                return content
        image = _image(scene, profile.pictures.get(name, ""))
        try:
            picture = self._stash.picture(image.path) if image else None
        except (Refused, Missing):
            raise PictureChanged from None
        poster, _ = self._made(picture.content if picture else b"", padded=name == "thumb" and profile.poster_padding)
        if not poster or self._key_of(name, poster) != key:
            raise PictureChanged
        return poster

    def has(self, key: str) -> bool:
        """Whether the picture with this key is in memory, so that sending it needs no read from Stash."""
        with self._lock:
            return key in self._kept

    def send(self, item: Item, name: str, key: str, content: bytes) -> None:
        """Select the picture with this key on the item, after uploading its bytes, if any.

        A 404 right after the upload is a lag of Plex, so it is tried again. If it stays, the error is `applied`.
        """
        if content:
            self._plex.upload(item.key, name, content)
        for pause in LAGS if content else ():
            try:
                return self._plex.show(item.key, name, key)
            except (Missing, ForeignNotFound) as error:
                log.info("an uploaded picture of item %s can't be selected yet: %s", item.key, error)
                self._clock.sleep(pause)
        try:
            self._plex.show(item.key, name, key)
        except NeighbourError as error:
            error.applied = bool(content)
            raise

    def put_back(self, item: Item, name: str, key: str) -> None:
        """Select the picture that the item showed before ('': none). If Plex no longer has it, the current one stays."""
        try:
            if not key:
                self._plex.hide(item.key, name)
            elif key in self._plex.pictures(item.key, name):
                self._plex.show(item.key, name, key)
            else:
                log.warning("the picture that item %s showed before is not there any more", item.key)
        except (Refused, Missing) as error:
            log.warning("a picture of item %s was refused: %s", item.key, error)

    def _keep(self, key: str, content: bytes) -> None:
        with self._lock:
            self._kept[key] = content
            while sum(map(len, self._kept.values())) > KEPT and len(self._kept) > 1:
                self._kept.popitem(last=False)


def _image(scene: Scene, source: str) -> Image | None:
    return next((image for image in scene.images if image.source == source), None)


def _version(image: Image, *, padded: bool) -> str:
    return f"{image.path}{PADDED if padded else ''} at {image.version}"


def _source(version: str) -> str:
    return version.rpartition(" at ")[0]


def _failures(last_row: PictureRow | None, version: str) -> int:
    """How many reads in a row of this version failed."""
    count = last_row.version.removeprefix(version + FAILED) if last_row else ""
    return int(count) if count.isdecimal() else 0
