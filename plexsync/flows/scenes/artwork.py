"""Posters and backgrounds: selects the picture of a scene, detects the picture that an item shows, and sends it.

A picture is fetched only if its source has changed, and then with the tag of the last one. It is decoded only if it
differs, and sent only if Plex does not have it. If a picture can't be fetched or Plex rejects it, PlexSync reports it
and still syncs the other fields.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from plexsync.engine.flow import Outdated
from plexsync.engine.gates import Gates
from plexsync.flows.scenes.plex_pictures import PlexPictures, selected_key
from plexsync.flows.scenes.rules import treatment_of
from plexsync.flows.scenes.stash_pictures import PictureBatch, Readers, StashPictures, logo_of
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.merge.desired import Profile, Wanted
from plexsync.rules.merge.memory import is_older
from plexsync.rules.merge.pictures import (
    FAILED,
    LARGEST,
    UNLISTED,
    Logo,
    PicturePast,
    ShownPictures,
    Treatment,
    asked_for,
    has_moved,
    image_of,
    is_plex_choice,
    is_replaced,
    kept_as,
    kind_of,
    known_by_place,
    may_be_early,
    moved_with_stamp,
    names_kept,
    version_of,
    with_original,
)
from plexsync.rules.merge.plan_records import Note, Plan
from plexsync.rules.merge.traits import ServerTraits
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import Image, Scene
from plexsync.rules.servers.errors import Missing, Refused, Unavailable, Unusable
from plexsync.rules.servers.neighbours import Imaging, Stash
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.picture")

# Suffix of a version: the picture may have changed again within the same second.
EARLY = ", early"
# The number of failed reads of a picture after which its scene is synced without it.
PATIENCE = 3


class PictureChanged(Outdated):
    """The picture has changed since the inspection, in Stash or in its processed form."""

    def __init__(self) -> None:
        super().__init__("its picture is another one than when it was looked at")


@dataclass(eq=False)
class Artwork:
    """The artwork of one Stash, in one Plex. `key_of` returns the key of a picture in Plex. No `imaging`: no resizing.

    `sends`: the bytes of one batch are kept until they are sent. `flow`: whose results for pictures these are.
    `readers` read the pictures of a batch to send side by side.
    """

    _store: Database
    _stash: Stash
    _plex: PlexPictures
    _gates: Gates
    _key_of: Callable[[str, bytes], str]
    _imaging: Imaging | None
    sends: bool = False
    flow: str = Kind.SCENE
    readers: Readers | None = None

    def __post_init__(self) -> None:
        self._sources = StashPictures(self._stash, self._gates, self._imaging, self.readers)
        self._batch = PictureBatch(self._store, sends=self.sends, flow=self.flow)

    def batch(self, scenes: Sequence[Scene]) -> AbstractContextManager[None]:
        """Inspect these scenes inside the block, as one batch."""
        return self._batch.of([scene.id for scene in scenes])

    def reading_ahead(self, scenes: Iterable[tuple[Scene, Profile]]) -> AbstractContextManager[None]:
        """Inside the block, the pictures of these scenes of the batch are read before they are asked for, in this order."""
        if not self.sends:
            return nullcontext()
        due = (
            first_read(scene, name, profile, self._batch.rows(scene.id))
            for scene, profile in scenes
            for name in profile.pictures
        )
        return self._sources.ahead([read for read in due if read])

    def of_flow(self, flow: str) -> "Artwork":
        """The artwork of another flow on the same servers."""
        return replace(self, flow=flow, readers=None)

    # --- desired pictures --------------------------------------------------------------------------------------------

    def with_pictures(self, scene: Scene, shown: Wanted, profile: Profile, *, patient: bool = True) -> Wanted:
        """Add the keys of the pictures to the desired values. A picture that can't be read stays as it is in Plex.

        Raises NeighbourError if Stash does not answer, and (if `patient`) the first times that a picture can't be read.
        """
        rows = {name: self._first(scene, name, profile, patient=patient) for name in profile.pictures}
        values = {name: row.key for name, row in rows.items() if row.key or not row.reason}
        notes = tuple(
            Note(name, "refused" if row.key else "dropped", row.reason) for name, row in rows.items() if row.reason
        )
        return Wanted({**shown.values, **values}, shown.notes + notes) if rows else shown

    def _first(self, scene: Scene, name: str, profile: Profile, *, patient: bool) -> PictureRow:
        """The result for the first source that has a picture. What is stored about the other sources is not reported."""
        sources, treatment = profile.pictures[name], treatment_of(name, profile)
        rows = self._batch.rows(scene.id)
        row = PictureRow("", "", "")
        for source in sources:
            stored_as = kept_as(name, sources, source, treatment)
            last_row = last_row_of(rows, name, sources, stored_as)
            row = self._row(scene, name, source, stored_as, last_row, treatment, patient=patient)
            if row.key or row.reason:
                others = {kept_as(name, sources, other, treatment) for other in sources} - {stored_as}
                for other in sorted(others & rows.keys()):
                    if rows[other].reason or FAILED in rows[other].version:
                        self._batch.save(scene.id, other, PictureRow("", "", ""))
                break
        return row

    def _row(
        self,
        scene: Scene,
        name: str,
        source: str,
        kept: str,
        last_row: PictureRow | None,
        treatment: Treatment,
        *,
        patient: bool,
    ) -> PictureRow:
        image = image_of(scene.images, name, source)
        if image is None:
            return PictureRow("", "", "")
        logo = logo_of(scene) if treatment.corner else None
        version = version_of(image, treatment, logo)
        if last_row and last_row.version == version:
            return last_row
        last_row = of_same_source(last_row, version)
        try:
            row = self._fetch(name, image, version, last_row, treatment, logo)
        except (Refused, Unavailable) as error:
            if isinstance(error, Unavailable) and not error.sent:
                raise
            count = _failures(last_row, version) + 1
            # Known values are kept. The next inspection reads the picture again.
            failed = replace(last_row or PictureRow("", "", ""), version=f"{version}{FAILED}{count}")
            self._batch.save(scene.id, kept, failed)
            if patient and count <= PATIENCE and not isinstance(error, Refused):
                raise
            return PictureRow(version, "", "", f"the picture can't be read: {error}")
        early = any(may_be_early(entry.version, self._sources.date) for entry in (image, logo) if entry)
        self._batch.save(scene.id, kept, replace(row, version=version + EARLY) if early else row)
        return row

    def _fetch(
        self,
        name: str,
        image: Image,
        version: str,
        last_row: PictureRow | None,
        treatment: Treatment,
        logo: Image | None,
    ) -> PictureRow:
        try:
            picture = self._sources.read(image.path, etag=last_row.tag if last_row else "")
        except Missing:
            return PictureRow(version, "", "")
        if picture is None and last_row:
            return replace(last_row, version=version)
        content = picture.content if picture else b""
        if drawing := self._sources.drawing(image, content):
            return PictureRow(version, picture.tag if picture else "", "", drawing)
        poster, failure = self._prepare(content, treatment, logo)
        key = self._key_of(name, poster) if poster else ""
        if poster:
            self._batch.keep(key, poster)
        return PictureRow(version, picture.tag if picture else "", key, failure)

    def _prepare(self, content: bytes, treatment: Treatment, logo: Image | None) -> tuple[bytes, str]:
        """The bytes to send, or none with the reason ('' if there is no picture). Raises NeighbourError for the logo."""
        kind = kind_of(content)
        if not content or kind == "drawing":
            return b"", ""
        if not kind:
            return b"", "the picture is no JPEG, PNG or WebP"
        drawn = Logo(self._sources.logo(logo), treatment.corner) if logo else None
        drawn = drawn if drawn and drawn.content else None
        if treatment.shape == "as_is" and not drawn and len(content) <= LARGEST:
            return content, ""
        if self._imaging is None:
            return b"", "the picture is larger than 10 MB, and the package that makes it smaller is not installed"
        try:
            return self._imaging.make(content, treatment, largest=LARGEST, logo=drawn), ""
        except Unusable as error:
            return b"", str(error)

    # --- shown pictures ----------------------------------------------------------------------------------------------

    def pictures_in_plex(self, item: Item, wanted: Mapping[str, object], past: PicturePast) -> ShownPictures:
        """The keys of the pictures that the item shows, where they matter. Asks Plex only for unknown ones.

        A list of the pictures also names the one from before PlexSync, if only that it was Plex's choice is remembered.
        """
        # An item from an older moment: the evidence is used once, for a picture that can't be read from Stash now, too.
        lost = {*past.lost, *past.memory} if is_older(item, past.memory) else past.lost
        scalars, absent = dict(item.scalars), set()
        for name in asked_for(wanted, past.memory, past.pushing, lost):
            key = known_by_place(item, name, past.memory)
            may_be_first = past.is_first and name not in lost and not item.is_locked(name)
            if key is None and may_be_first and is_plex_choice(item, name):
                key = UNLISTED
            if key is None or is_replaced(name, wanted, past.memory):
                listing = self._plex.list_pictures(item.key, name)
                key, past = selected_key(listing), with_original(item, name, past, listing)
                may_be_first = wanted.get(name) not in listing
            scalars[name] = key
            absent |= {name} if may_be_first else set()
        return ShownPictures(replace(item, scalars=scalars), past, frozenset(absent))

    def read_back(self, item: Item, before: Item, plan: Plan, uploaded: Collection[str], traits: ServerTraits) -> Item:
        """The item with the keys of the pictures that it shows after a push. `before` is the item at the inspection.

        `uploaded` are the pictures that an upload has selected: their address tells that it did.
        """
        scalars = dict(item.scalars)
        for name in (name for name in PICTURES if name in plan.sending):
            key = str(plan.sending[name].sent.value)
            if name not in uploaded:
                scalars[name] = self._plex.selected(item.key, name)
            elif has_moved(before, item, name):
                scalars[name] = key
            else:
                scalars[name] = self._plex.shown_after_upload(item.key, name, key)
        for name in names_kept(plan.sending, plan.memory):
            if key := self._still_shown(item, before, name, traits):
                scalars[name] = key
        return replace(item, scalars=scalars)

    def _still_shown(self, item: Item, before: Item, name: str, traits: ServerTraits) -> str:
        """The key of a picture that an edit of PlexSync left alone; '' if that is not known.

        If every edit changes its address, that is proven once, by a list of the pictures.
        """
        key = before.scalars.get(name, "")
        if not key or not item.pictures.get(name):
            return ""
        has_one_stamp = self._plex.has_one_stamp() if traits.one_stamp is None else traits.one_stamp
        if not has_moved(before, item, name):
            if has_one_stamp is None and item.stamp != before.stamp:
                self._plex.learn_stamps(one_stamp=False)
            return key
        if has_one_stamp is False or not moved_with_stamp(before, item, name):
            return ""
        if has_one_stamp is None:
            if self._plex.selected(item.key, name) != key:
                return ""
            self._plex.learn_stamps(one_stamp=True)
        return key

    # --- sending -----------------------------------------------------------------------------------------------------

    def to_send(self, scene: Scene, item: Item, name: str, key: str, profile: Profile, *, is_new: bool) -> bytes:
        """The bytes of the picture with this key, none if Plex has them. Raises PictureChanged if they are unavailable.

        `is_new`: Plex can't have them from PlexSync, so it is not asked.
        """
        if not is_new and self._plex.has(item.key, name, key):
            return b""
        if content := self._batch.content(key):
            return content
        treatment, image = treatment_of(name, profile), self._source_of(scene, name, key, profile)
        try:
            picture = self._stash.picture(image.path) if image else None
            logo = logo_of(scene) if treatment.corner else None
            poster, _ = self._prepare(picture.content if picture else b"", treatment, logo)
        except (Refused, Missing):
            raise PictureChanged from None
        if not poster or self._key_of(name, poster) != key:
            raise PictureChanged
        return poster

    def _source_of(self, scene: Scene, name: str, key: str, profile: Profile) -> Image | None:
        """The picture in Stash whose result is this key."""
        sources, treatment = profile.pictures.get(name, ()), treatment_of(name, profile)
        rows = self._batch.rows(scene.id)
        keys = {source: rows.get(kept_as(name, sources, source, treatment)) for source in sources}
        sources_shown = (source for source, row in keys.items() if len(sources) == 1 or (row and row.key == key))
        return image_of(scene.images, name, next(sources_shown, ""))

    def has(self, key: str) -> bool:
        """Whether the picture with this key is in memory, so that sending it needs no read from Stash."""
        return bool(self._batch.content(key))

    def send(self, item: Item, name: str, key: str, content: bytes, traits: ServerTraits) -> bool:
        """Make the item show the picture, see `PlexPictures.send`."""
        return self._plex.send(item.key, name, key, content, traits)

    def put_back(self, item: Item, name: str, key: str) -> None:
        """Select the picture that the item showed before, see `PlexPictures.put_back`."""
        self._plex.put_back(item.key, name, key)


def first_read(scene: Scene, name: str, profile: Profile, rows: Mapping[str, PictureRow]) -> tuple[str, str] | None:
    """The picture that is read first to learn a scene's: its path and its known tag. None if none has to be read."""
    sources, treatment = profile.pictures[name], treatment_of(name, profile)
    logo = logo_of(scene) if treatment.corner else None
    for source in sources:
        image = image_of(scene.images, name, source)
        if image is None:
            continue
        last_row = last_row_of(rows, name, sources, kept_as(name, sources, source, treatment))
        version = version_of(image, treatment, logo)
        if last_row is None or last_row.version != version:
            earlier = of_same_source(last_row, version)
            return image.path, earlier.tag if earlier else ""
        if last_row.key or last_row.reason:
            return None
    return None


def last_row_of(rows: Mapping[str, PictureRow], name: str, sources: Sequence[str], kept: str) -> PictureRow | None:
    """What is stored about the picture from a source. Earlier versions of PlexSync stored it under the name alone."""
    return rows.get(kept) or (rows.get(name) if len(sources) == 1 else None)


def of_same_source(last_row: PictureRow | None, version: str) -> PictureRow | None:
    """The row if it is of the same place and treatment as this version, whatever the stamps."""
    place = version.rpartition(" at ")[0]
    return last_row if last_row and last_row.version.rpartition(" at ")[0] == place else None


def _failures(last_row: PictureRow | None, version: str) -> int:
    """How many reads in a row of this version failed."""
    count = last_row.version.removeprefix(version + FAILED) if last_row else ""
    return int(count) if count.isdecimal() else 0
