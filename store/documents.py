"""Records of `sync.plan` as JSON documents in a column, each behind its checksum.

A flipped bit in the middle of a page is not noticed by SQLite, and what is remembered decides what is written to Plex.
"""

import logging
import zlib
from typing import TypeGuard, TypeVar

import msgspec

from store.db import clean

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")


SUM = 8


def encode(record: object) -> bytes:
    """The record as JSON behind its checksum. Lone surrogates, which have no encoding, become question marks."""
    try:
        json = msgspec.json.encode(record)
    except UnicodeEncodeError:
        json = msgspec.json.encode(_cleaned(msgspec.to_builtins(record)))
    return _checksum(json) + json


def decode(document: bytes, type_: type[T], what: str) -> T | None:
    """The record, or None when the document can't be one: what it said is then unknown, and that is on record."""
    if not sound(document):
        log.error("%s can't be read and counts as unknown: it is not what was written", what)
        return None
    try:
        return msgspec.json.decode(document[SUM:], type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("%s can't be read and counts as unknown: %s", what, error)
        return None


def sound(document: object) -> TypeGuard[bytes]:
    """Whether the document is, to the last bit, one that `encode` made."""
    return isinstance(document, bytes) and document[:SUM] == _checksum(document[SUM:])


def _checksum(json: bytes) -> bytes:
    """CRC-32 in eight hex digits."""
    return b"%08x" % zlib.crc32(json)


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value
