"""Posters and backgrounds: which picture of Stash a scene is to show, which one its items show, and how it gets there.

Fetched only when its source has changed, and then with the tag of the one we have; looked into only when it is another; sent
only when Plex does not have it. A picture that can't be had or that Plex refuses is reported and keeps nothing else back.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock

from sync.errors import Missing, Neighbour, NeighbourError, Refused, Throttled, Unavailable, Unusable
from sync.item import PICTURES, Item
from sync.pictures import LARGEST, asked_for, kind_of, known_by_place
from sync.plan import Memory, Note, Pushing
from sync.ports import Imaging, PictureRow, Plex, Stash, Store
from sync.scene import Image, Scene
from sync.wanted import Profile, Wanted
from worker.gates import READ, Gates

log = logging.getLogger("PlexSync.picture")

# Bytes of pictures that were just looked into and are about to be sent.
KEPT = 32_000_000
PADDED = " padded"


class PictureChanged(Exception):
    """The picture is another one by now."""


class Pictures:
    """The pictures of one Stash in one Plex. `key_of` names a picture as Plex does; `imaging` None: nothing is resized."""

    def __init__(
        self,
        store: Store,
        stash: Stash,
        plex: Plex,
        gates: Gates,
        key_of: Callable[[str, bytes], str],
        imaging: Imaging | None,
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._gates = gates
        self._key_of = key_of
        self._imaging = imaging
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    # --- what is wanted ----------------------------------------------------------------------------------------------

    def with_pictures(self, scene: Scene, shown: Wanted, profile: Profile) -> Wanted:
        """What is wanted, with the keys of the pictures; one that can't be had is left as it is in Plex.

        Raises NeighbourError when Stash does not answer.
        """
        rows = {name: self._row(scene, name, source, profile) for name, source in profile.pictures.items()}
        values = {name: row.key for name, row in rows.items() if row.key or not row.why}
        notes = tuple(Note(name, "dropped", row.why) for name, row in rows.items() if row.why)
        return Wanted({**shown.values, **values}, shown.notes + notes) if rows else shown

    def _row(self, scene: Scene, name: str, source: str, profile: Profile) -> PictureRow:
        image = _image(scene, source)
        padded = name == "thumb" and profile.poster_padding
        if image is None:
            return PictureRow("", "", "")
        version = _version(image, padded=padded)
        with self._store.reading() as db:
            known = db.pictures(scene.id).get(name)
        if known and known.version == version:
            return known
        same_source = known and known.version.rpartition(" at ")[0] == version.rpartition(" at ")[0]
        row = self._fetched(name, image, version, known if same_source else None, padded=padded)
        with self._store.writing() as tx:
            tx.save_picture(scene.id, name, row)
        return row

    def _fetched(self, name: str, image: Image, version: str, known: PictureRow | None, *, padded: bool) -> PictureRow:
        try:
            picture = self._stash.picture(image.path, known=known.tag if known else "")
        except Missing:
            return PictureRow(version, "", "")
        except NeighbourError as error:
            # One picture that can't be read says nothing about Stash.
            if not (isinstance(error, Unavailable) and error.sent):
                self._gates.ill(error, READ)
            raise
        if picture is None and known:
            return replace(known, version=version)
        content = picture.content if picture else b""
        made, why = self._made(content, padded=padded)
        key = self._key_of(name, made) if made else ""
        if made:
            self._keep(key, made)
        return PictureRow(version, picture.tag if picture else "", key, why)

    def _made(self, content: bytes, *, padded: bool) -> tuple[bytes, str]:
        """The bytes to send, or none and why ('' when there is no picture)."""
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

    # --- what is shown -----------------------------------------------------------------------------------------------

    def told(self, item: Item, wanted: Mapping[str, object], memory: Memory, pushing: Sequence[Pushing]) -> Item:
        """The item, with the keys of the pictures that it shows where they matter; asks Plex only where it is not known."""
        return self._told(item, asked_for(wanted, memory, pushing), memory)

    def read_back(self, item: Item, names: Iterable[str]) -> Item:
        """The item, with the keys of these pictures as Plex has them now."""
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
        found = self._gates.ask(Neighbour.PLEX, READ, lambda: self._plex.pictures(item.key, name))
        return next((key for key, shown in found.items() if shown), "")

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, scene: Scene, item: Item, name: str, key: str, profile: Profile) -> None:
        """Let the item show the picture of this key. Raises PictureChanged when Stash has another one by now.

        One that Plex does not take is reported, and that is all.
        """
        try:
            if key not in self._plex.pictures(item.key, name):
                self._plex.upload(item.key, name, self._content(scene, name, key, profile))
            self._plex.show(item.key, name, key)
        except (Refused, Missing) as error:
            if isinstance(error, Throttled):
                raise
            log.warning("a picture of scene %d was refused: %s", scene.id, error)

    def put_back(self, item: Item, name: str, key: str) -> None:
        """Let the item show a picture that it showed before ('': none); if Plex does not offer that any more, ours stays."""
        try:
            if not key:
                self._plex.hide(item.key, name)
            elif key in self._plex.pictures(item.key, name):
                self._plex.show(item.key, name, key)
            else:
                log.warning("the picture that item %s showed before is not there any more", item.key)
        except (Refused, Missing) as error:
            if isinstance(error, Throttled):
                raise
            log.warning("a picture of item %s was refused: %s", item.key, error)

    def _content(self, scene: Scene, name: str, key: str, profile: Profile) -> bytes:
        with self._lock:
            if content := self._kept.pop(key, b""):
                return content
        image = _image(scene, profile.pictures.get(name, ""))
        picture = self._stash.picture(image.path) if image else None
        made, _ = self._made(picture.content if picture else b"", padded=name == "thumb" and profile.poster_padding)
        if not made or self._key_of(name, made) != key:
            raise PictureChanged
        return made

    def _keep(self, key: str, content: bytes) -> None:
        with self._lock:
            self._kept[key] = content
            while sum(map(len, self._kept.values())) > KEPT and len(self._kept) > 1:
                self._kept.popitem(last=False)


def _image(scene: Scene, source: str) -> Image | None:
    return next((image for image in scene.images if image.source == source), None)


def _version(image: Image, *, padded: bool) -> str:
    return f"{image.path}{PADDED if padded else ''} at {image.version}"
