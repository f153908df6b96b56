"""SQL and JSON for the origin of what is remembered: the library and files of an item, and the files of a scene.

See `plexsync.rules.origin` and `plexsync.rules.scene_origin`.
"""

import json
from collections.abc import Iterable

from plexsync.rules.item import Part
from plexsync.rules.origin import Origin
from plexsync.store.db import clean

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


def origin_of(library: str, files: str) -> Origin:
    """The origin from its columns; without files if a damaged page has changed them."""
    return Origin(library, tuple(Part(path, size) for path, size in file_pairs(files)))


def file_pairs(text: str) -> tuple[tuple[str, int], ...]:
    """The (path, size) pairs in a column of files; none if a damaged page has changed them."""
    try:
        return tuple((str(path), int(size)) for path, size in json.loads(text))
    except (ValueError, TypeError):
        return ()


def files_text(files: Iterable[tuple[str, int]]) -> str:
    """The column for the files of a scene."""
    return json.dumps([[clean(path), size] for path, size in files])
