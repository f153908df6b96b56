"""SQL and JSON for the origin of what is remembered about an item: its library and its files (`plexsync.rules.origin`)."""

import json

from plexsync.rules.item import Part
from plexsync.rules.origin import Origin

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
    try:
        pairs = json.loads(files)
        return Origin(library, tuple(Part(str(path), int(size)) for path, size in pairs))
    except (ValueError, TypeError):
        return Origin(library)
