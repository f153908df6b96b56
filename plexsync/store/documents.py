"""Records of `plexsync.rules.plan_records` as JSON documents in a column, each behind its checksum.

SQLite does not detect a flipped bit within a page, and the stored records decide what is written to Plex. The checksum
also covers the document's scene and item key, which are in other columns.
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
    """Return the record as JSON behind its checksum. Lone surrogates, which have no encoding, become question marks."""
    try:
        json = msgspec.json.encode(record)
    except UnicodeEncodeError:
        json = msgspec.json.encode(_cleaned(msgspec.to_builtins(record)))
    return _checksum(json, of) + json


def decode(document: bytes, type_: type[T], description: str, of: Pair) -> T | None:
    """Return the record, or None if the document is damaged; its content is then unknown, and that is logged."""
    if not sound(document, of):
        log.error("%s can't be read and counts as unknown: it is not what was written", description)
        return None
    try:
        return msgspec.json.decode(document[SUM:], type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("%s can't be read and counts as unknown: %s", description, error)
        return None


def sound(document: object, of: Pair) -> TypeGuard[bytes]:
    """Whether the document is, bit for bit, one that `encode` made for this pair."""
    return isinstance(document, bytes) and document[:SUM] == _checksum(document[SUM:], of)


def _checksum(json: bytes, of: Pair) -> bytes:
    """Return the CRC-32 in eight hex digits."""
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
