"""One probe: saves the item, asks the questions one by one, restores the item, and stores what was learnt.

Each question changes something small on the item, reads it back, and learns the answer from that.

Every list is sent whole, with the scratch names behind its own, so that no name of yours is missing at any moment. What is
changed was saved before, and is taken back at the end by `plexsync.app.probe.restore`.
"""

import logging
import secrets
import struct
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from plexsync.app.probe.lent_picture import lent_picture
from plexsync.app.probe.restore import PAUSES, restore
from plexsync.engine.server_identity import ServerIdentity
from plexsync.plex.artwork import key_of
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.item import FACE, beside, moment_text
from plexsync.rules.match.paths import base_name, folder_name
from plexsync.rules.merge.added_dates import FIELD as ADDED
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.merge.traits import UNKNOWN, Answer, CollectionForm, FaceAddress, LearntTraits, traits_from
from plexsync.rules.merge.values import name_keys, without_names
from plexsync.rules.servers.errors import Missing, NeighbourError, Refused
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.servers.scratch import (
    EARLIER,
    RATING_BY_ACCOUNT,
    RATING_BY_EDIT,
    CantProbe,
    Original,
    ProbedItem,
    ProbeOutcome,
    Restoration,
    original_of,
)
from plexsync.rules.words.text import fold
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.probe")

# Addresses of pictures that nobody has: the first is in a domain that is kept for examples, the second in no other network.
PUBLIC_FACE, PRIVATE_FACE = "https://example.org/plexsync-probe.jpg", "http://10.255.255.254/plexsync-probe.jpg"
# Seconds to wait for an uploaded picture, and between two looks.
LAG_PATIENCE, LAG_PACE = 10.0, 0.5
NO_PEOPLE = "Plex did not take the scratch people"
REJECTED = "Plex rejected a request for it"


def probe(
    store: Database,
    plex: ProbeClient,
    clock: Clock,
    key: str,
    *,
    photo: str = "",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> ProbeOutcome:
    """Ask the questions on this item, and restore it. `photo` is an https address of a picture; see `check_photo`.

    The caller holds the worker's lock and has restored the item of an earlier probe. Raises CantProbe for an item that
    can't be probed, and NeighbourError if Plex does not answer or is another server; nothing was changed then.
    """
    ServerIdentity(store, plex, clock).check()
    server = plex.server()
    now = plex.read_item(key)
    section = next((row for row in plex.sections() if row.key == now.item.section), None)
    if section is None:
        raise CantProbe(f"item {key} is in no movie library that PlexSync uses")
    if not section.owned:
        raise CantProbe("plex_token is not that of the server's owner, who alone can edit items")
    original = original_of(now, machine=server.machine, mark=secrets.token_hex(3))
    with store.writing() as tx:
        tx.probes.begin_probe(original)
    examination = Examination(plex, clock, original, now, stopping, photo)
    try:
        error = examination.ask(progress)
    except BaseException:  # whatever ends it, also an interrupt: the item has to be restored here
        _restore_item(store, plex, original, clock)
        raise
    restored, trouble = _restore_item(store, plex, original, clock)
    traits = traits_from(examination.answers)
    if traits != UNKNOWN:
        with store.writing() as tx:
            tx.probes.save_traits(LearntTraits(server.machine, server.version, traits, clock.now()))
    return ProbeOutcome(server.version, traits, examination.skipped, error or trouble, restored)


def _restore_item(
    store: Database, plex: ProbeClient, original: Original, clock: Clock
) -> tuple[Restoration | None, str]:
    """Restore the item; if that fails, it stays saved for the next run."""
    try:
        restored = restore(plex, original, clock)
    except NeighbourError as error:
        return None, str(error)
    with store.writing() as tx:
        tx.probes.end_probe()
    return restored, ""


def check_photo(address: str) -> str:
    """The address of a picture that Plex may be told. Raises CantProbe: for one that can hold a token, above all."""
    try:
        parts = urlsplit(address)
        is_fine = parts.scheme == "https" and bool(parts.hostname) and address.isprintable() and " " not in address
        has_more = parts.username is not None or bool(parts.query or parts.fragment)
    except ValueError:
        is_fine = has_more = False
    if not is_fine:
        raise CantProbe("--photo is no https address of a picture: name one as https://photos.example.org/ann.jpg")
    if has_more:
        raise CantProbe("--photo has a user, ? or #, where a token can be: name an address without")
    return address


class Halted(Exception):
    """The probe was asked to stop."""


class Examination:
    """The questions about one item. `stopping` ends the probe. `skipped` says for traits why there is no answer."""

    def __init__(
        self,
        plex: ProbeClient,
        clock: Clock,
        original: Original,
        now: ProbedItem,
        stopping: Callable[[], bool],
        photo: str,
    ) -> None:
        self._plex = plex
        self._clock = clock
        self._original = original
        self._stopping = stopping
        self._photo = photo
        self._first = self._now = now
        self.answers: dict[str, Answer] = {}
        self.skipped: dict[str, str] = {}

    def ask(self, progress: Callable[[int, int], None]) -> str:
        """Ask all questions; returns why it ended early, or ''. `progress` is called before each experiment."""
        try:
            for number, (experiment, names) in enumerate(EXPERIMENTS):
                progress(number, len(EXPERIMENTS))
                try:
                    experiment(self)
                except Refused as error:
                    log.info("plexsync probe, %s: %s", names[0], error)
                    self._skip(REJECTED, *(name for name in names if name not in self.skipped))
        except Halted:
            return "stopped"
        except NeighbourError as error:
            return str(error)
        progress(len(EXPERIMENTS), len(EXPERIMENTS))
        return ""

    def _learn(self, **answers: Answer) -> None:
        self.answers |= {name: answer for name, answer in answers.items() if answer is not None}

    def _skip(self, reason: str, *names: str) -> None:
        self.skipped |= dict.fromkeys((name for name in names if name not in self.answers), reason)

    def _read(self) -> ProbedItem:
        self._go_on()
        self._now = self._plex.read_item(self._original.key)
        return self._now

    def _go_on(self) -> None:
        if self._stopping():
            raise Halted

    def _edit(self, edit: Mapping[str, Change]) -> ProbedItem:
        """Send an edit, and read the item back."""
        self._go_on()
        self._plex.edit(self._original.section, self._original.key, edit, cast=self._now.item.cast)
        return self._read()

    def _own(self, role: str) -> tuple[str, ...]:
        """The names of a list that are not the probe's, as they were read last."""
        return without_names(self._now.names(role), name_keys(self._original.scratch(role)))

    # --- the experiments ---------------------------------------------------------------------------------------------

    def files(self) -> None:
        """Find the item by the name of its file, as it is and in another case. Changes nothing."""
        path = self._original.files[0] if self._original.files else ""
        name, folder, section = base_name(path), folder_name(path), self._original.section
        if not name:
            return self._skip("the item has no file", "file_filter")
        rest = set(self._original.files) - {path}
        by_name, by_case = (
            [other for other in self._plex.files_found(section, text) if other not in rest]
            for text in (name, name.swapcase())
        )
        others = [other for other in by_name if base_name(other) != name]
        if others and len(others) < len(by_name) and all(folder_name(other) == folder for other in others):
            self._learn(file_filter="folder")
        elif by_name and not others and name.swapcase() != name:
            for page in self._plex.entries(section):
                self._go_on()
                siblings = (part.path for entry in page if entry.key != self._original.key for part in entry.parts)
                if any(folder_name(other) == folder for other in siblings):
                    is_alike = any(base_name(other) == name for other in by_case)
                    self._learn(file_filter="any case" if is_alike else "exact")
                    break
        return self._skip("no other item has its file in the same folder, or the name has no letters", "file_filter")

    def lists(self) -> None:
        """Add scratch labels, and remove some: labels, because no metadata agent changes them meanwhile."""
        first, second, third, fourth, fifth = self._original.tags
        if "label" in self._now.locks:
            self._edit({"label": Change(None, lock=False)})
        unlocked = "label" not in self._now.locks
        now = self._edit({"label": Change((*self._own("label"), first, second))})
        if not _has(now, "label", first, second):
            return self._skip("Plex did not take the labels", *LISTS)
        if unlocked:
            self._learn(tags_lock="label" in now.locks)
        now = self._edit({"label": Change((*self._own("label"), second, third, fourth))})
        # A name that the edit left out stays where names are added.
        mode = "add" if _has(now, "label", first) else "replace"
        sent = [name for name in (second, third, fourth) if _has(now, "label", name)]
        now = self._edit({"label": Change(None, removes=tuple(sent))})
        removed = sum(not _has(now, "label", name) for name in sent)
        # No limit explains a request that removed nothing.
        self._learn(tag_mode=mode, removals_at_once=(0 if removed == len(sent) else removed) if removed else None)
        # Where an edit replaces the list, a name that it leaves out is removed by that alone.
        victim = (first,) if mode == "replace" else ()
        if not _has(now, "label", first):
            now = self._edit({"label": Change((*self._own("label"), first))})
        now = self._edit({"label": Change((*self._own("label"), fifth, *victim), removes=(first,))})
        if _has(now, "label", fifth):
            self._learn(mixed_removals=not _has(now, "label", first))
        before, after = self._first.item, self._now.item
        place = next((name for name in ("thumb", "art") if before.pictures.get(name)), "thumb")
        addresses = before.pictures.get(place), after.pictures.get(place)
        if all(addresses) and before.stamp != after.stamp:
            self._learn(one_stamp=addresses[0] != addresses[1])
        return None

    def parts_to_add(self) -> None:
        """Set the date added one second back."""
        own = self._now.added_at
        if not own:
            return self._skip("the item has no date added", "added_by_edit")
        now = self._edit({ADDED: Change(moment_text(own - EARLIER))})
        self._learn(added_by_edit={own - EARLIER: True, own: False}.get(now.added_at))
        return None

    def rating(self) -> None:
        """Rate by an edit, then as the account, then clear the rating of the account. Only on an item without a rating."""
        if self._now.rating is not None:
            return self._skip("the item has a rating: name an item without one", "rating_by_edit")
        after_edit = self._edit({"userRating": Change(f"{RATING_BY_EDIT:g}")}).rating
        self._rate(RATING_BY_ACCOUNT)
        after_clearing = self._rate(None).rating
        if after_clearing is None:
            self._learn(rating_by_edit="none" if after_edit is None else "account")
        elif after_edit is not None and after_clearing == RATING_BY_EDIT:
            # It shows again, so it belongs to the item.
            self._learn(rating_by_edit="item")
        return None

    def _rate(self, rating: float | None) -> ProbedItem:
        self._go_on()
        self._plex.rate(self._original.key, rating)
        return self._read()

    def cast(self) -> None:
        """Add scratch people: with a public picture address, a private one, that of a picture served here, and yours."""
        first, second, third, _, fifth = self._original.people
        with lent_picture(*self._plex.place, picture(third)) as address:
            sent = {first: PUBLIC_FACE, second: PRIVATE_FACE, third: address, fifth: self._photo}
            faces = {beside(FACE, name): Change(face) for name, face in sent.items() if face}
            now = self._edit({"actor": Change((*self._own("actor"), *sent)), **faces})
            accepted = _has(now, "actor", *sent)
            if accepted and address:
                self._learn(people_house=self._face(third))
            else:
                self._skip(NO_PEOPLE if address else "this machine has no private address towards Plex", "people_house")
        if accepted and self._photo:
            self._learn(people_https=self._face(fifth))
        else:
            self._skip(NO_PEOPLE if self._photo else "no --photo was named", "people_https")
        if now.item.clip:
            self._learn(cast_on_other=accepted)
        else:
            self._skip("the item is in no library of Other Videos", "cast_on_other")
        if accepted:
            public, private = (bool(now.item.faces.get(name)) for name in (first, second))
            kinds = {(True, True): "any", (True, False): "public", (False, False): "none"}
            self._learn(people_pictures=kinds.get((public, private)))

    def _face(self, name: str) -> FaceAddress:
        """What became of the address of a person's picture, as it was read last."""
        address = self._now.item.faces.get(name, "")
        loaded = bool(address) and self._plex.loads(address)
        # If Plex is down, that is no answer.
        self._read()
        return "shown" if loaded else "kept" if address else "none"

    def collection(self) -> None:
        """Make a scratch collection of this item alone, edit it, and give it a picture."""
        name = self._original.collection
        self._edit({"collection": Change((*self._own("collection"), name))})
        keys = self._list_scratch(name)
        if len(keys) == 1:
            by_section, by_item = self._is_described(keys[0], "section"), self._is_described(keys[0], "item")
            forms = {(True, True): "both", (True, False): "section", (False, True): "item"}
            self._learn(collection_edits=forms.get((by_section, by_item)))
            self._picture(keys[0])
        else:
            self._skip("Plex did not list the scratch collection", *COLLECTIONS)

    def _list_scratch(self, name: str) -> list[str]:
        """The keys of the scratch collection, which Plex may list a moment after the edit."""
        for pause in PAUSES:
            if keys := self._plex.keys_with_title(self._original.section, name):
                return keys
            self._go_on()
            self._clock.sleep(pause)
        return self._plex.keys_with_title(self._original.section, name)

    def _is_described(self, key: str, form: CollectionForm) -> bool:
        self._go_on()
        summary = f"by {form}"
        try:
            self._plex.collections.edit_collection(self._original.section, key, {"summary": Change(summary)}, form)
        except (Missing, Refused):
            return False
        collection = self._plex.collections.read([key]).get(key)
        return collection is not None and collection.item.scalars.get("summary") == summary

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
                late = f"the uploaded picture was not listed within {LAG_PATIENCE:g} s"
                return self._skip(late, "upload_selects", "picture_lag", "people_own")
            self._go_on()
            self._clock.sleep(LAG_PACE)
        lag = round(self._clock.monotonic() - start, 1)
        self._learn(picture_lag=lag if lag >= LAG_PACE else 0.0, upload_selects=listed[stored])
        # A scratch person gets the address of the collection's poster, which the server itself has.
        name = self._original.people[3]
        self._plex.show(key, "thumb", stored)
        collection = self._plex.collections.read([key]).get(key)
        # Without a query, so without a token.
        address = collection.item.pictures.get("thumb", "").partition("?")[0] if collection else ""
        now = self._edit({"actor": Change((*self._own("actor"), name)), beside(FACE, name): Change(address)})
        if address and _has(now, "actor", name):
            self._learn(people_own=self._face(name))
        else:
            self._skip(NO_PEOPLE if address else "the scratch collection shows no picture", "people_own")
        return None


# The names of the questions of each experiment, in the order in which they are asked.
LISTS = ("tag_mode", "mixed_removals", "removals_at_once", "tags_lock", "one_stamp")
COLLECTIONS = ("collection_edits", "upload_selects", "picture_lag", "people_own")
EXPERIMENTS: tuple[tuple[Callable[[Examination], None], tuple[str, ...]], ...] = (
    (Examination.files, ("file_filter",)),
    (Examination.lists, LISTS),
    (Examination.parts_to_add, ("added_by_edit",)),
    (Examination.rating, ("rating_by_edit",)),
    (Examination.cast, ("cast_on_other", "people_pictures", "people_house", "people_https")),
    (Examination.collection, COLLECTIONS),
)


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
