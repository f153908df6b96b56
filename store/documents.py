"""Records of `sync.plan` as JSON documents in a column."""

import logging
from typing import TypeVar

import msgspec

from store.db import clean

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")


def encode(record: object) -> bytes:
    """The record as JSON. Lone surrogates, which have no encoding, become question marks."""
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.json.encode(_cleaned(msgspec.to_builtins(record)))


def decode(document: bytes, type_: type[T], what: str) -> T | None:
    """The record, or None when the document can't be one: what it said is then unknown, and that is on record."""
    try:
        return msgspec.json.decode(document, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.error("%s can't be read and counts as unknown: %s", what, error)
        return None


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value
