"""Pictures of galleries that an item is given, so that people can choose them in Plex. What it shows stays.

Upright pictures become posters, and the others backgrounds. Uploads select on most servers, so the earlier picture is
selected again, and its lock is set as it was. An item that was given its pictures costs no request. Nothing is uploaded
twice: the key of a picture is the hash of its bytes, and the item is asked for its keys first.

While pictures are being given, the database holds what the item showed before. So after a kill, the next look at the queue
knows that a picture that an upload has selected is PlexSync's own doing, and selects the earlier one again.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import WRITE_PLEX
from plexsync.flows.scenes.inspection_records import Choices, ShelfChoices, Target
from plexsync.flows.scenes.plex_pictures import PlexPictures, selected_key
from plexsync.flows.scenes.stash_pictures import PictureBatch, StashPictures
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.merge.pictures import LARGEST, PicturePast, kind_of, with_original
from plexsync.rules.merge.plan_records import Change, Edit
from plexsync.rules.queue.job import Waiting
from plexsync.rules.record_class import record
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import CHOICE, Image, Scene
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable
from plexsync.rules.servers.neighbours import Clock, Plex
from plexsync.store.database import Database, Reader, Writer

log = logging.getLogger("PlexSync.picture")

# The outcome of another look while pictures are being given: inspected again soon, and without blame.
BEING_GIVEN = Waiting("pictures of galleries are being given to its item", "released", after=30.0, backoff=False)
# The flows, in the table of pictures, of what was given and of what is being given.
GIVEN, GIVING = "choice", "choice giving"
LATE = "Plex has not stored all pictures of galleries yet"
LEFT_OPEN = "pictures of galleries were being given to its item, and may still arrive"


@record
class SentChoices:
    """The result: what to unlock, whether the item got everything, and whether some of it is still on its way."""

    edit: Edit
    is_complete: bool = True
    is_late: bool = False


@record
class Giving:
    """Pictures of one kind that are being given to an item, or were when the process ended.

    They may still arrive until `until` (UTC ms). `shown` is what the item is to show, and `keys` are the pictures.
    """

    scene: int
    item: str
    section: str
    name: str
    until: int
    shown: str
    locked: bool
    keys: tuple[str, ...]


def save_giving(tx: Writer, scene: int, item: Item, choices: Choices, until: int) -> None:
    """Save what is about to be sent, and what the item shows."""
    for shelf in choices.shelves:
        text = " ".join((item.section, *shelf.pictures))
        row = PictureRow(str(until), "locked" if shelf.locked else "", shelf.shown, text)
        tx.pictures.of_flow(GIVING).save(scene, f"{item.key} {shelf.name}", row)


def end_giving(tx: Writer, scene: int, item: str, choices: Choices) -> None:
    """Forget what is being given to an item."""
    for shelf in choices.shelves:
        tx.pictures.of_flow(GIVING).drop(scene, f"{item} {shelf.name}")


def givings(db: Reader) -> list[Giving]:
    """Everything that is being given."""
    found = []
    for scene, rows in db.pictures.of_flow(GIVING).everything().items():
        for key, row in rows.items():
            item, _, name = key.partition(" ")
            section, *keys = row.reason.split(" ")
            is_locked = row.tag == "locked"
            found.append(Giving(scene, item, section, name, int(row.version), row.key, is_locked, tuple(keys)))
    return found


def save_given(tx: Writer, scene: int, item: str, version: str) -> None:
    """Remember what an item was given."""
    tx.pictures.of_flow(GIVEN).save(scene, item, PictureRow(version, "", "", ""))


@dataclass(eq=False)
class GalleryChoices:
    """Gives pictures of galleries to the items of one Plex. `sends`: prepares what is due; else only tells that it is.

    While it is off (`is_on`), it only mends what was left unfinished before, and asks no more once nothing is.
    """

    _store: Database
    _sources: StashPictures
    _plex: Plex
    _pictures: PlexPictures
    _gates: Gates
    _clock: Clock
    _key_of: Callable[[str, bytes], str]
    sends: bool
    is_on: bool
    # Whether anything may be left from before; only while it is on, more comes.
    may_be_left: bool = True

    def __post_init__(self) -> None:
        self._batch = PictureBatch(self._store, sends=self.sends, flow=GIVEN)

    def batch(self, scenes: Sequence[Scene]) -> AbstractContextManager[None]:
        """Inspect these scenes inside the block, as one batch."""
        return self._batch.of([scene.id for scene in scenes])

    # --- what is due -------------------------------------------------------------------------------------------------

    def with_due(self, scene: Scene, target: Target) -> Target:
        """The target with the pictures that its item has to be given, if it shows what it has to. Raises NeighbourError.

        What the item showed before PlexSync is looked up first, since these uploads would hide it.
        """
        images = [image for image in scene.images if image.source == CHOICE]
        if not images or target.traits.picture_lag or any(name in target.plan.edit for name in PICTURES):
            return target
        version = _version(images)
        row = self._batch.rows(scene.id).get(target.item.key)
        if row and row.version == version:
            return target
        if not self.sends:
            return replace(target, choices=Choices(version))
        item, plan, shelves = target.item, target.plan, []
        for name in PICTURES:
            upright = name == "thumb"
            pictures = self._keys(name, [image for image in images if (image.height > image.width) is upright])
            if not pictures:
                continue
            listing = self._pictures.list_pictures(item.key, name)
            if lacking := {key: image for key, image in pictures.items() if key not in listing}:
                past = with_original(item, name, PicturePast(plan.memory, ()), listing)
                plan = replace(plan, memory=past.memory)
                shelves.append(ShelfChoices(name, selected_key(listing), item.is_locked(name), lacking))
        return replace(target, plan=plan, choices=Choices(version, tuple(shelves)))

    def _keys(self, name: str, images: Sequence[Image]) -> dict[str, Image]:
        """The pictures by their key in Plex. What can't be read or shown is left out."""
        keys: dict[str, Image] = {}
        for image in images:
            if content := self._content(image):
                key = self._key_of(name, content)
                self._batch.keep(key, content)
                keys.setdefault(key, image)
        return keys

    def _content(self, image: Image) -> bytes:
        try:
            picture = self._sources.read(image.path)
        except (Refused, Unavailable, Missing) as error:
            if isinstance(error, Unavailable) and not error.sent:
                raise
            log.info("a picture of a gallery is left out of the choices: %s", error)
            return b""
        content = picture.content if picture else b""
        return content if kind_of(content) in ("jpeg", "png", "webp") and len(content) <= LARGEST else b""

    def has(self, choices: Choices | None) -> bool:
        """Whether everything to upload is in memory."""
        keys = [key for shelf in choices.shelves for key in shelf.pictures] if choices else []
        return all(self._batch.content(key) for key in keys)

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, item: Item, choices: Choices, *, patient: bool) -> SentChoices:
        """Upload the pictures, and select the earlier one again. `patient`: raise if Plex fails to accept one of them."""
        edit: dict[str, Change] = {}
        result = SentChoices(edit)
        for shelf in choices.shelves:
            if selected_key(self._plex.pictures(item.key, shelf.name)) != shelf.shown:
                # Somebody has selected another one since.
                result = replace(result, is_complete=False)
                continue
            own = frozenset(shelf.pictures)
            try:
                sent = self._upload(item, shelf, patient=patient)
            except NeighbourError as error:
                error.applied = True
                try:
                    self._pictures.keep(item.key, shelf.name, shelf.shown, own)
                except NeighbourError as later:
                    log.info("what item %s showed is selected again later: %s", item.key, later)
                raise
            listing = self._pictures.keep(item.key, shelf.name, shelf.shown, own)
            if not shelf.locked and selected_key(listing) == shelf.shown:
                edit[shelf.name] = Change(None, lock=False)
            if not sent <= listing.keys():
                result = replace(result, is_late=True)
        return result

    def _upload(self, item: Item, shelf: ShelfChoices, *, patient: bool) -> set[str]:
        """Upload the pictures; returns the keys of those that Plex has accepted."""
        sent: set[str] = set()
        for key, image in shelf.pictures.items():
            content = self._batch.content(key) or self._content(image)
            if self._key_of(shelf.name, content) != key:
                continue
            try:
                self._pictures.add(item.key, shelf.name, content)
                sent.add(key)
            except Refused as error:
                log.warning("a picture of a gallery was not taken: %s", error)
            except Unavailable as error:
                if patient or error.neighbour is Neighbour.STASH or not error.sent:
                    raise
                log.warning("a picture of a gallery was not taken: %s", error)
        return sent

    def list_unfinished(self, db: Reader) -> list[Giving]:
        """Everything that is being given, or was when a process ended."""
        found = givings(db) if self.may_be_left else []
        self.may_be_left = self.is_on or bool(found)
        return found

    def being_given(self, db: Reader) -> dict[str, Waiting]:
        """The outcome of scenes with one of these items, which are being given pictures."""
        return {giving.item: BEING_GIVEN for giving in self.list_unfinished(db)}

    # --- after a kill or a failure -----------------------------------------------------------------------------------

    def mend(self, ids: Collection[int]) -> dict[int, Waiting]:
        """Select again what items showed to which pictures were being given when the process ended, or a request failed.

        Returns those of these scenes that have to wait, because an upload may still arrive. Raises NeighbourError.
        """
        with self._store.reading() as db:
            unfinished = self.list_unfinished(db)
        now = self._clock.now()
        for giving in (each for each in unfinished if each.until <= now):
            self._gates.ask(WRITE_PLEX, partial(self._mend, giving))
            with self._store.writing() as tx:
                tx.pictures.of_flow(GIVING).drop(giving.scene, f"{giving.item} {giving.name}")
        return {
            each.scene: Waiting(LEFT_OPEN, "released", after=(each.until - now) / 1000 + 1, backoff=False)
            for each in unfinished
            if each.until > now and each.scene in ids
        }

    def _mend(self, giving: Giving) -> None:
        try:
            listing = self._pictures.keep(giving.item, giving.name, giving.shown, giving.keys)
            if not giving.locked and selected_key(listing) == giving.shown:
                self._plex.edit(giving.section, giving.item, {giving.name: Change(None, lock=False)})
        except (Missing, Refused) as error:
            log.info("item %s can't be put right after pictures were given to it: %s", giving.item, error)


def requests_for(count: int) -> int:
    """The maximum number of requests that giving so many pictures adds to a push.

    Each picture is read and uploaded. Each kind is listed twice, and the earlier one is selected again. One edit sets locks.
    """
    return 2 * count + 2 * 3 + 1 if count else 0


def _version(images: Sequence[Image]) -> str:
    text = "\n".join(f"{image.path} {image.version}" for image in images)
    return hashlib.sha256(text.encode()).hexdigest()
