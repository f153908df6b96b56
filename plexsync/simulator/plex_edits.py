"""The grammar of an edit: parses the query of a `PUT`, and applies it to items.

`<field>.value`, `<field>.locked`, `<kind>[n].tag.tag` with `.tag.thumb` and `.tagging.text`, `<kind>[].tag.tag-` (each
name encoded once more, joined by commas) and `<kind>[].tag`. Unknown names are ignored, as the real server
does: an accepted edit need not have changed anything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from plexsync.simulator.plex_model import (
    LOCKABLE,
    PICTURE_LOCKS,
    SCALARS,
    TAG_ELEMENTS,
    Item,
    Library,
    Scalar,
    Tagging,
    is_private,
)
from plexsync.simulator.plex_traits import Traits

FIELD = re.compile(r"(\w+)\.(value|locked)")
INDEXED = re.compile(r"(\w+)\[(\d+)\]\.(tag\.tag|tag\.thumb|tagging\.text)")
REMOVED = re.compile(r"(\w+)\[\]\.tag\.tag-")
EMPTIED = re.compile(r"(\w+)\[\]\.tag")
# The fields and the tags that can be edited, if they are not those of movies.
EDITED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "collection": (("title", "titleSort", "summary", "contentRating", "addedAt", "userRating"), ("label",)),
    "playlist": (("title", "titleSort", "summary"), ()),
}


@dataclass
class TagEdit:
    """The edit of one kind of tag in a request."""

    given: dict[int, dict[str, str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    emptied: bool = False


@dataclass
class Edit:
    """The edit of a request, parsed and checked."""

    values: dict[str, Scalar | None] = field(default_factory=dict)
    locks: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, TagEdit] = field(default_factory=dict)

    def of(self, kind: str) -> TagEdit:
        """The part for one kind of tag, created if missing."""
        return self.tags.setdefault(kind, TagEdit())


def is_edit(name: str) -> bool:
    """Whether a query parameter belongs to the edit rather than to the choice of items."""
    return any(grammar.fullmatch(name) for grammar in (FIELD, INDEXED, REMOVED, EMPTIED))


def read_edit(library: Library, pairs: Iterable[tuple[str, str]]) -> Edit:
    """The edit in a query; raises `Unacceptable` (400) for a value that no field accepts."""
    edit = Edit()
    for name, value in pairs:
        if found := FIELD.fullmatch(name):
            _read_field(library, edit, found[1], found[2], value)
        elif (found := INDEXED.fullmatch(name)) and found[1] in TAG_ELEMENTS:
            edit.of(found[1]).given.setdefault(int(found[2]), {})[found[3]] = value
        elif (found := REMOVED.fullmatch(name)) and found[1] in TAG_ELEMENTS:
            edit.of(found[1]).removed += [unquote(one) for one in value.split(",")]
        elif (found := EMPTIED.fullmatch(name)) and found[1] in TAG_ELEMENTS:
            edit.of(found[1]).emptied = True
    return edit


def _read_field(library: Library, edit: Edit, name: str, what: str, value: str) -> None:
    if what == "locked" and name in LOCKABLE:
        edit.locks[name] = value not in ("", "0", "false")
    elif what == "value" and name in SCALARS:
        edit.values[name] = library.readable(name, value)


def apply_edit(library: Library, item: Item, edit: Edit) -> None:
    """Apply the edit to one item, as the library's traits say."""
    traits = library.traits
    fields, kinds = EDITED.get(item.type, (SCALARS, tuple(TAG_ELEMENTS)))
    ignored = {"userRating": traits.rating_by_edit == "none", "addedAt": not traits.added_by_edit}
    # A title that is taken stops the edit before anything of it is applied.
    for name, value in sorted(edit.values.items(), key=lambda pair: pair[0] != "title"):
        if name in fields and not ignored.get(name):
            library.set_scalar(item, name, value)
            if traits.values_lock:
                item.locks.add(name)
    for kind, wanted in edit.tags.items():
        if kind in kinds and not (kind == "actor" and item.section.is_other and not traits.cast_on_other):
            _apply_tags(library, item, kind, wanted)
            if traits.tags_lock:
                item.locks.add(kind)
    for name, locked in edit.locks.items():
        if name in fields or name in kinds or name in PICTURE_LOCKS.values():
            (item.locks.add if locked else item.locks.discard)(name)
    library.touch(item)


def _apply_tags(library: Library, item: Item, kind: str, wanted: TagEdit) -> None:
    traits = library.traits
    replaces = wanted.emptied or (traits.tag_mode == "replace" and wanted.given)
    kept: dict[int, Tagging] = {} if replaces else {one.tag.id: one for one in item.lists.get(kind, ())}
    before = {one.tag.id: one for one in item.lists.get(kind, ())}
    for _, parts in sorted(wanted.given.items()):
        if not parts.get("tag.tag", "").strip():
            continue
        made = library.tagging(item.section, kind, parts["tag.tag"])
        known = before.get(made.tag.id)
        made.text = parts.get("tagging.text", known.text if known else "").strip()
        if "tag.thumb" in parts and _is_taken(traits, parts["tag.thumb"]):
            made.tag.thumb = parts["tag.thumb"]
        kept[made.tag.id] = made
    if traits.mixed_removals or not wanted.given:
        gone = {library.tagging_key(name) for name in wanted.removed[: traits.removals_at_once]}
        kept = {tag_id: one for tag_id, one in kept.items() if library.tagging_key(one.tag.tag) not in gone}
    library.set_list(item, kind, list(kept.values()))


def _is_taken(traits: Traits, url: str) -> bool:
    if url.startswith("/"):
        return traits.people_own != "none"
    pictures = traits.people_pictures
    return pictures == "any" or (pictures == "public" and not (url and is_private(url)))
