"""Records of `plexsync.rules.merge.plan_records` as JSON documents in a column, each behind its checksum.

SQLite does not detect a flipped bit within a page, and the stored records decide what is written to Plex. The checksum
also covers the document's scene and item key, which are in other columns.

The origins of what is remembered are JSON as well: the library and files of an item, and the files of a scene
(`plexsync.rules.match.origin`).
"""

import json
import logging
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeGuard, TypeVar

import msgspec

from plexsync.rules.item import Part
from plexsync.rules.match.origin import Origin
from plexsync.store.connection import clean

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")
Pair = tuple[object, object]  # scene, item key

SUM = 8
# The files of an item or a scene are read several times while one batch is worked on.
RECENT_FILES = 1000


def encode(record: object, of: Pair) -> bytes:
    """Return the record as JSON behind its checksum. Lone surrogates, which have no encoding, become question marks."""
    try:
        json = msgspec.json.encode(record)
    except UnicodeEncodeError:
        json = msgspec.json.encode(_clean_value(msgspec.to_builtins(record)))
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


def _clean_value(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _clean_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_value(inner) for inner in value]
    return value


# The uuid of the library in which the index has `:item`, or ''.
LIBRARY = """
coalesce((select library.uuid from item join library on library.section = item.section where item.key = :item), '')
"""
# The files of `:item` in the index, as `[path, size]`.
FILES = "(select json_group_array(json_array(path, size)) from part where part.item = :item)"


def of_this_library(table: str) -> str:
    """A condition: the index does not have the row's item in another library than the row says."""
    return f"""
({table}.library = '' or not exists (
    select 1 from item join library on library.section = item.section
     where item.key = {table}.item and library.uuid not in ('', {table}.library)
))
"""


@lru_cache(maxsize=RECENT_FILES)
def origin_of(library: str, files: str) -> Origin:
    """The origin from its columns; without files if a damaged page has changed them."""
    return Origin(library, tuple(Part(path, size) for path, size in file_pairs(files)))


@lru_cache(maxsize=RECENT_FILES)
def file_pairs(text: str) -> tuple[tuple[str, int], ...]:
    """The (path, size) pairs in a column of files; none if a damaged page has changed them."""
    try:
        return tuple((str(path), int(size)) for path, size in json.loads(text))
    except (ValueError, TypeError):
        return ()


def files_text(files: Iterable[tuple[str, int]]) -> str:
    """The column for the files of a scene."""
    return json.dumps([[clean(path), size] for path, size in files])
