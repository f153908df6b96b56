"""The questions of the probe: each changes something small on the item, reads it back, and learns the answer from that.

Every list is sent whole, with the scratch names behind its own, so that no name of yours is missing at any moment. What is
changed was saved before, and is accepted back by `plexsync.app.probe.restore`.
"""

import logging
import struct
import zlib
from collections.abc import Callable, Mapping

from plexsync.app.probe.restore import PAUSES
from plexsync.plex.artwork import key_of
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules import traits as rules
from plexsync.rules.errors import Missing, Refused
from plexsync.rules.item import FACE, beside
from plexsync.rules.neighbours import Clock
from plexsync.rules.paths import base_name, folder_name
from plexsync.rules.plan_records import Change
from plexsync.rules.scratch import EARLIER, RATING_BY_ACCOUNT, RATING_BY_EDIT, Original, ProbedItem
from plexsync.rules.text import fold
from plexsync.rules.traits import Answer, CollectionForm, ServerTraits
from plexsync.rules.values import name_keys, without_names

log = logging.getLogger("PlexSync.probe")

# Addresses of pictures that nobody has: the first is in a domain that is kept for examples, the second in no other network.
PUBLIC_FACE, PRIVATE_FACE = "https://example.org/plexsync-probe.jpg", "http://10.255.255.254/plexsync-probe.jpg"
# Seconds to wait for an uploaded picture, and between two looks.
LAG_PATIENCE, LAG_PACE = 10.0, 0.5
FORMS: tuple[CollectionForm, ...] = ("section", "item")


class Halted(Exception):
    """The probe was asked to stop."""


class Examination:
    """The questions about one item. `asked` is called before each with its number and words; `stopping` ends the probe."""

    def __init__(
        self,
        plex: ProbeClient,
        clock: Clock,
        original: Original,
        now: ProbedItem,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._plex = plex
        self._clock = clock
        self._original = original
        self._stopping = stopping
        self._first = self._now = now
        self.traits = ServerTraits()
        self.skipped: dict[str, str] = {}

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        """The questions, in their order."""
        return {
            "files": self._files,
            "lists": self._lists,
            "date added": self._added,
            "rating": self._rating,
            "cast": self._cast,
            "collection": self._collection,
        }

    def ask(self, step: str) -> None:
        """Ask one group of questions. One that Plex rejects stays without an answer."""
        try:
            self.steps[step]()
        except Refused as error:
            log.info("plexsync probe, %s: %s", step, error)
            self.skipped[step] = "Plex rejected a request for it"

    def _learn(self, **answers: Answer) -> None:
        self.traits = rules.traits_from({**self.traits.answers(), **answers})

    def _read(self) -> ProbedItem:
        self._go_on()
        self._now = self._plex.probed(self._original.key)
        return self._now

    def _go_on(self) -> None:
        if self._stopping():
            raise Halted

    def _edit(self, edit: Mapping[str, Change]) -> ProbedItem:
        """Send an edit, and read the item back."""
        self._go_on()
        self._plex.edit(self._original.section, self._original.key, edit, cast=self._now.item.cast)
        return self._read()

    def _write(self, name: str, value: str) -> ProbedItem:
        """Send one field as it is, and read the item back."""
        self._go_on()
        self._plex.write(self._original.section, self._original.key, [(name, value)])
        return self._read()

    def _own(self, role: str) -> tuple[str, ...]:
        """The names of a list that are not the probe's, as they were read last."""
        return without_names(self._now.names(role), name_keys(self._original.scratch(role)))

    def _restore_lock(self, name: str) -> None:
        locked = name in self._original.locks
        if (name in self._now.locks) != locked:
            self._write(f"{name}.locked", str(int(locked)))

    # --- files -------------------------------------------------------------------------------------------------------

    def _files(self) -> None:
        """Find the item by the name of its file, as it is and in another case. Changes nothing."""
        path = self._original.files[0] if self._original.files else ""
        name, section = base_name(path), self._original.section
        if not name:
            self.skipped["files"] = "the item has no file"
            return
        rest = set(self._original.files) - {path}
        by_name, by_case = (
            [other for other in self._plex.files_found(section, text) if other not in rest]
            for text in (name, name.swapcase())
        )
        answer = rules.file_filter(name, by_name, by_case, folder_name(path), alone=not self._has_sibling(path))
        self._learn(file_filter=answer)
        if answer is None:
            self.skipped["files"] = "no other item has its file in the same folder, or the name has no letters"

    def _has_sibling(self, path: str) -> bool:
        """Whether another item has a file in the same folder."""
        for page in self._plex.entries(self._original.section):
            self._go_on()
            others = (part.path for entry in page if entry.key != self._original.key for part in entry.parts)
            if any(folder_name(other) == folder_name(path) for other in others):
                return True
        return False

    # --- lists -------------------------------------------------------------------------------------------------------

    def _lists(self) -> None:
        """Add scratch labels and remove them: labels, because no metadata agent changes them meanwhile."""
        first, second, third, fourth, fifth = self._original.tags
        if "label" in self._now.locks:
            self._write("label.locked", "0")
        unlocked = "label" not in self._now.locks
        now = self._edit({"label": Change((*self._own("label"), first, second))})
        if not _has(now, "label", first, second):
            self.skipped["lists"] = "Plex did not take the labels"
            return
        if unlocked:
            self._learn(tags_lock="label" in now.locks)
        now = self._edit({"label": Change((*self._own("label"), second, third, fourth))})
        mode = rules.tag_mode(left_out_name_stays=_has(now, "label", first))
        sent = [name for name in (second, third, fourth) if _has(now, "label", name)]
        now = self._edit({"label": Change(None, removes=tuple(sent))})
        removed = [name for name in sent if not _has(now, "label", name)]
        self._learn(tag_mode=mode, removals_at_once=rules.removals_at_once(len(sent), len(removed)))
        # Where an edit replaces the list, a name that it leaves out is removed by that alone.
        victim = (first,) if mode == "replace" else ()
        if not _has(now, "label", first):
            now = self._edit({"label": Change((*self._own("label"), first))})
        now = self._edit({"label": Change((*self._own("label"), fifth, *victim), removes=(first,))})
        if _has(now, "label", fifth):
            self._learn(mixed_removals=not _has(now, "label", first))
        self._remove("label", self._original.tags)
        before, after = self._first.item, self._now.item
        place = next((name for name in ("thumb", "art") if before.pictures.get(name)), "thumb")
        self._learn(
            one_stamp=rules.one_stamp(
                before.pictures.get(place, ""), after.pictures.get(place, ""), before.stamp, after.stamp
            )
        )

    def _remove(self, role: str, scratch: tuple[str, ...]) -> None:
        """Remove scratch names one by one, and give the list its lock back."""
        for name in scratch:
            if _has(self._now, role, name):
                self._edit({role: Change(None, removes=(name,))})
        self._restore_lock(role)

    # --- values ------------------------------------------------------------------------------------------------------

    def _added(self) -> None:
        """Set the date added one second back."""
        own = self._now.added_at
        if not own:
            self.skipped["date added"] = "the item has no date added"
            return
        now = self._write("addedAt.value", str(own - EARLIER))
        self._learn(added_by_edit={own - EARLIER: True, own: False}.get(now.added_at))
        if now.added_at != own:
            self._write("addedAt.value", str(own))
        self._restore_lock("addedAt")

    def _rating(self) -> None:
        """Rate by an edit, then as the account, then clear the rating of the account. Only on an item without a rating."""
        if self._now.rating is not None:
            self.skipped["rating"] = "the item has a rating: name an item without one"
            return
        after_edit = self._write("userRating.value", f"{RATING_BY_EDIT:g}").rating
        self._rate(RATING_BY_ACCOUNT)
        after_clearing = self._rate(None).rating
        self._learn(rating_by_edit=rules.rating_by_edit(RATING_BY_EDIT, after_edit, after_clearing))
        if after_clearing is not None:
            self._write("userRating.value", "")
        self._restore_lock("userRating")

    def _rate(self, rating: float | None) -> ProbedItem:
        self._go_on()
        self._plex.rate(self._original.key, rating)
        return self._read()

    # --- cast --------------------------------------------------------------------------------------------------------

    def _cast(self) -> None:
        """Add two scratch people, one with a public picture address and one with a private one."""
        first, second = self._original.people
        faces = {beside(FACE, first): Change(PUBLIC_FACE), beside(FACE, second): Change(PRIVATE_FACE)}
        now = self._edit({"actor": Change((*self._own("actor"), first, second)), **faces})
        accepted = _has(now, "actor", first, second)
        if now.item.clip:
            self._learn(cast_on_other=accepted)
        else:
            self.skipped["cast"] = "the item is in no library of Other Videos"
        if accepted:
            shown = now.item.faces
            self._learn(
                people_pictures=rules.people_pictures(
                    public_taken=bool(shown.get(first)), private_taken=bool(shown.get(second))
                )
            )
        self._remove("actor", self._original.people)

    # --- collection --------------------------------------------------------------------------------------------------

    def _collection(self) -> None:
        """Make a scratch collection of this item alone, edit it, give it a picture, and take the item out again."""
        name = self._original.collection
        self._edit({"collection": Change((*self._own("collection"), name))})
        keys = self._listed(name)
        if len(keys) == 1:
            changed = {form: self._is_described(keys[0], form) for form in FORMS}
            self._learn(collection_edits=rules.collection_edits(by_section=changed["section"], by_item=changed["item"]))
            self._picture(keys[0])
        else:
            self.skipped["collection"] = "Plex did not list the scratch collection"
        self._remove("collection", (name,))

    def _listed(self, name: str) -> list[str]:
        """The keys of the scratch collection, which Plex may list a moment after the edit."""
        for pause in PAUSES:
            if keys := self._plex.collections(self._original.section, name):
                return keys
            self._go_on()
            self._clock.sleep(pause)
        return self._plex.collections(self._original.section, name)

    def _is_described(self, key: str, form: CollectionForm) -> bool:
        self._go_on()
        summary = f"by {form}"
        try:
            self._plex.describe(self._original.section, key, summary, form)
        except (Missing, Refused):
            return False
        return self._plex.summary(key) == summary

    def _picture(self, key: str) -> None:
        """Upload a picture to the scratch collection, with which it goes: no request is known that deletes an upload."""
        content = picture(self._original.collection)
        stored = key_of("thumb", content)
        self._go_on()
        self._plex.upload(key, "thumb", content)
        start = self._clock.monotonic()
        while stored not in (listed := self._plex.pictures(key, "thumb")):
            waited = self._clock.monotonic() - start
            if waited >= LAG_PATIENCE:
                self.skipped["pictures"] = f"the uploaded picture was not listed within {LAG_PATIENCE:g} s"
                return
            self._go_on()
            self._clock.sleep(LAG_PACE)
        lag = round(self._clock.monotonic() - start, 1)
        self._learn(picture_lag=lag if lag >= LAG_PACE else 0.0, upload_selects=listed[stored])


def _has(now: ProbedItem, role: str, *names: str) -> bool:
    return {fold(name) for name in names} <= name_keys(now.names(role))


def picture(text: str) -> bytes:
    """A small grey picture in the shape of a poster, with other bytes for each text."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    width, height = 40, 60
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    chunks = (chunk(b"IHDR", header), chunk(b"tEXt", b"Comment\0" + text.encode()), chunk(b"IDAT", pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")
