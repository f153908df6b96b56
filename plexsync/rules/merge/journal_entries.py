"""Entries of the journal of writes (`plexsync.store.ledger.journal_file`): hashes of what was sent, and of what was
read back.

The journal is beside the database and survives its loss. It holds no text: a value is known again by its hash.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Literal

from plexsync.rules.item import LISTS, Item, Part, beside_whom
from plexsync.rules.match.paths import path_key
from plexsync.rules.merge.plan_records import Memory, Remembered, Sending
from plexsync.rules.merge.values import Value
from plexsync.rules.record_class import record
from plexsync.rules.words.text import RECENT_NAMES, compose, fold

HASH_BYTES = 8


@record
class FieldTrace:
    """One field of an entry, in hashes.

    `values`: the single value (as sent: in each spelling), or the names that Stash had (in a read-back: the names in Plex).
    `adds` and `removes` are the names that a list edit adds and removes (in a read-back: `adds` are all names that belong
    to PlexSync). `ended`: PlexSync gave the field up, so the value is not its own (in a read-back: Plex did not accept the
    picture, so it was left out).
    """

    values: tuple[str, ...] = ()
    locked: bool = True
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    ended: bool = False


@record
class JournalEntry:
    """One push to one item: before it was sent (`sent`), or as it was read back (`read`, with the item's stamp then).

    Both entries of a push have its number. `files` are hashes of the item's paths. `salt` is that of the hashes.
    """

    kind: Literal["sent", "read"]
    number: int
    at: int
    flow: str
    subject: int
    library: str
    item: str
    stamp: int = 0
    files: tuple[str, ...] = ()
    fields: Mapping[str, FieldTrace] = field(default_factory=dict)
    salt: bytes = b""

    def agrees(self, item: Item) -> bool:
        """Whether the entry can be about this item: its library and one of its files are the same."""
        return self.is_in_library_of(item) and (
            not self.files or bool(set(self.files) & set(file_hashes(item.parts, self.salt)))
        )

    def is_in_library_of(self, item: Item) -> bool:
        """Whether the item can have been in its present library then."""
        return not (self.library and item.library) or self.library == item.library

    def is_shown_by(self, item: Item) -> bool:
        """Whether the item shows the title or the summary of the entry, and it is locked as it was sent."""
        return any(
            (trace := self.fields.get(name)) is not None
            and not trace.ended
            and bool(value := item.value(name))
            and trace.locked == item.is_locked(name)
            and value_hash(name, value, self.salt) in trace.values
            for name in ("title", "summary")
        )


def text_hash(text: str, salt: bytes) -> str:
    """The hash of a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=HASH_BYTES, key=salt).hexdigest()


def value_hash(name: str, value: str, salt: bytes) -> str:
    """The hash of a single value: the same for values that `same_value` calls the same."""
    if name == "userRating":
        try:
            return text_hash(repr(float(value)), salt)
        except ValueError:
            pass
    return text_hash(compose(value), salt)


@lru_cache(maxsize=RECENT_NAMES)
def name_hash(name: str, salt: bytes) -> str:
    """The hash of a name: the same for every spelling of it."""
    return text_hash(fold(name), salt)


def name_hashes(names: Iterable[str], salt: bytes) -> tuple[str, ...]:
    """The hashes of a list's names, in their order."""
    return tuple([name_hash(name, salt) for name in names])


def file_hashes(parts: Sequence[Part], salt: bytes) -> tuple[str, ...]:
    """The hashes of the paths of an item."""
    return tuple(text_hash(path_key(part.path), salt) for part in parts)


def trace_name(name: str, salt: bytes) -> str:
    """The name of a field in the journal. The name of a cast member is hashed."""
    about = beside_whom(name)
    return name if about is None else f"{about[0]}:{name_hash(about[1], salt)}"


def hashes_of(name: str, value: Value, salt: bytes) -> tuple[str, ...]:
    """The hashes of a value: of each name of a list, or of the single value."""
    return name_hashes(value, salt) if isinstance(value, tuple) else (value_hash(name, value, salt),)


def value_marks(hashes: Iterable[str], salt: bytes) -> tuple[str, ...]:
    """These hashes with their salt, as a memory keeps them."""
    return tuple([f"{salt.hex()} {text}" for text in hashes])


def is_marked(name: str, value: str, marks: Iterable[str]) -> bool:
    """Whether one of these marks is that of a single value."""
    pairs = [mark.split() for mark in marks]
    return any(value_hash(name, value, bytes.fromhex(salt)) == hashed for salt, hashed in pairs)


def sent_fields(sending: Mapping[str, Sending], salt: bytes) -> dict[str, FieldTrace]:
    """The fields of a push that is about to be sent."""
    return {trace_name(name, salt): _sent_field(name, sent, salt) for name, sent in sending.items()}


def _sent_field(name: str, sent: Sending, salt: bytes) -> FieldTrace:
    ended = bool(sent.undone) or sent.said is None
    if name not in LISTS:
        return FieldTrace(_sent_hashes(name, sent.sent.value, salt), sent.sent.locked, ended=ended)
    adds = name_hashes((*sent.adds, *sent.adopts), salt)
    return FieldTrace(
        hashes_of(name, sent.said or (), salt), sent.sent.locked, adds, name_hashes(sent.removes, salt), ended
    )


def _sent_hashes(name: str, value: Value, salt: bytes) -> tuple[str, ...]:
    """The hashes of a single value as it is sent, and as Plex writes it: names with single spaces.

    A push that is not read back is known again by the second one.
    """
    hashes, spaced = hashes_of(name, value, salt), value if isinstance(value, tuple) else " ".join(value.split())
    return hashes if spaced == value else tuple(dict.fromkeys((*hashes, *hashes_of(name, spaced, salt))))


def read_fields(
    sending: Mapping[str, Sending], memory: Memory, left_out: Iterable[str], salt: bytes
) -> dict[str, FieldTrace]:
    """The fields of a push as they were read back: all lists, and the single values that Plex changed or did not take."""
    traces = {trace_name(name, salt): FieldTrace(ended=True) for name in left_out}
    for name, sent in sending.items():
        remembered = memory.get(name)
        if remembered is None or remembered.undone:
            continue
        in_plex, value = remembered.left.value, sent.sent.value
        is_as_sent = in_plex == value or hashes_of(name, in_plex, salt) == hashes_of(name, value, salt)
        if name in LISTS or not is_as_sent:
            traces[trace_name(name, salt)] = _read_field(name, remembered, salt)
    return traces


def _read_field(name: str, remembered: Remembered, salt: bytes) -> FieldTrace:
    adds = name_hashes(remembered.ours.values(), salt) if name in LISTS else ()
    return FieldTrace(hashes_of(name, remembered.left.value, salt), remembered.left.locked, adds)


@record
class LearntFields:
    """Fields whose memory has changed without a push, as if sent and read back when the item had this stamp."""

    stamp: int
    sent: dict[str, FieldTrace] = field(default_factory=dict)
    read: dict[str, FieldTrace] = field(default_factory=dict)


def learnt_fields(
    before: Memory, after: Memory, sending: Mapping[str, Sending], item: Item, salt: bytes
) -> list[LearntFields]:
    """The fields whose memory has changed without a push, by the stamp at which they were read. Lists are as in `item`.

    A field that is about to be sent is among them only if what was sent there before it was not known: a single value of
    which nothing was remembered, or members that were found to be PlexSync's.
    """
    learnt: dict[int, LearntFields] = {}
    for name in dict.fromkeys((*before, *after)):
        earlier, remembered = before.get(name), after.get(name)
        if earlier == remembered:
            continue
        is_known = (
            earlier is not None if name not in LISTS else not _members(name, remembered) - _members(name, earlier)
        )
        if name in sending and (is_known or remembered is None):
            continue
        if _content(name, earlier) == _content(name, remembered) or _is_set_back(remembered):
            continue
        stamp = item.stamp if remembered is None or name in LISTS else remembered.stamp or item.stamp
        fields = learnt.setdefault(stamp, LearntFields(stamp))
        if remembered is None or remembered.undone:
            fields.sent[trace_name(name, salt)] = FieldTrace(locked=False, ended=True)
        else:
            said = hashes_of(name, remembered.said, salt)
            fields.sent[trace_name(name, salt)] = FieldTrace(said, remembered.left.locked)
            trace = _read_field(name, remembered, salt)
            if name in LISTS:
                trace = replace(trace, values=name_hashes(item.lists.get(name, ()), salt))
            fields.read[trace_name(name, salt)] = trace
    return [learnt[stamp] for stamp in sorted(learnt)]


def _is_set_back(remembered: Remembered | None) -> bool:
    """Whether a restore of Plex set the field back, and Stash's value is not known yet. The journal has no word for that."""
    return remembered is not None and not remembered.undone and remembered.before is not None


def _content(name: str, remembered: Remembered | None) -> object:
    """What the journal can hold of the memory of a field."""
    if remembered is None or remembered.undone:
        return None
    return remembered.said, remembered.left, _members(name, remembered)


def _members(name: str, remembered: Remembered | None) -> set[str]:
    """The members of a list that are PlexSync's."""
    return set(remembered.ours.values()) if remembered and name in LISTS else set()
