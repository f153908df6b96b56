"""Records of `plexsync.rules.plan_records` as JSON documents in a column, each behind its checksum.

A flipped bit in the middle of a page is not noticed by SQLite, and what is remembered decides what is written to Plex. The
checksum covers whose document it is as well: the scene and the item's key, which stand in columns beside it.
"""

import logging
import zlib
from typing import TypeGuard, TypeVar

import msgspec

from plexsync.store.db import clean

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")
Pair = tuple[object, object]  # scene, item key

SUM = 8


def encode(record: object, of: Pair) -> bytes:
    """The record as JSON behind its checksum. Lone surrogates, which have no encoding, become question marks."""
    try:
        json = msgspec.json.encode(record)
    except UnicodeEncodeError:
        json = msgspec.json.encode(_cleaned(msgspec.to_builtins(record)))
    return _checksum(json, of) + json


def decode(document: bytes, type_: type[T], description: str, of: Pair) -> T | None:
    """The record, or None when the document can't be one: what it said is then unknown, and that is on record."""
    if not sound(document, of):
        log.error("%s can't be read and counts as unknown: it is not what was written", description)
        return None
    try:
        return msgspec.json.decode(document[SUM:], type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("%s can't be read and counts as unknown: %s", description, error)
        return None


def sound(document: object, of: Pair) -> TypeGuard[bytes]:
    """Whether the document is, to the last bit, one that `encode` made of this pair."""
    return isinstance(document, bytes) and document[:SUM] == _checksum(document[SUM:], of)


def _checksum(json: bytes, of: Pair) -> bytes:
    """CRC-32 in eight hex digits."""
    scene, key = of
    return b"%08x" % zlib.crc32(json, zlib.crc32(f"{scene} {key} ".encode("utf-8", "replace")))


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value
