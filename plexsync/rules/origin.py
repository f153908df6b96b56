"""Whether an item is still the one that something is remembered about.

A rating key is not enough: a reinstalled Plex, a library that was made anew and a restored database deal the same keys
to other items. The uuid of the library and the item's files tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from plexsync.rules.item import Item, Part
from plexsync.rules.paths import name_key, path_key
from plexsync.rules.plan_records import Memory, Pushing
from plexsync.rules.values import held, matches, matches_sent


@dataclass(frozen=True)
class Origin:
    """The library (uuid, '' if unknown) and the files of an item when it was remembered (none if unknown)."""

    library: str = ""
    files: tuple[Part, ...] = ()

    def agrees(self, library: str, parts: Sequence[Part]) -> bool:
        """Whether an item with this library and these files can be the remembered one."""
        if self.library and library and self.library != library:
            return False
        return not self.files or any(_is_same(old, new) for old in self.files for new in parts)


def is_of(origin: Origin, memory: Memory, pushings: Sequence[Pushing], item: Item) -> bool:
    """Whether a memory, and pushes of unknown result, are believed for an item.

    If only its files are others now, the item is still the same one when it shows the title or the summary that
    PlexSync left or sent there: its files were swapped, and its values are PlexSync's.
    """
    if origin.agrees(item.library, item.parts):
        return True
    return origin.agrees(item.library, origin.files) and _shows_text_of(memory, pushings, item)


def _is_same(old: Part, new: Part) -> bool:
    """Whether two parts are one file: at the same place, or moved with its name and its size."""
    if path_key(old.path) == path_key(new.path):
        return True
    return old.size == new.size > 0 and name_key(old.path) == name_key(new.path)


def _shows_text_of(memory: Memory, pushings: Sequence[Pushing], item: Item) -> bool:
    for name in ("title", "summary"):
        now = held(item, name)
        is_left = name in memory and matches(name, now, memory[name].left)
        sent = [push.fields[name].sent for push in pushings if name in push.fields]
        if now.value and (is_left or any(matches_sent(name, now, value) for value in sent)):
            return True
    return False
