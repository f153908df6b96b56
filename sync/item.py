"""A Plex item as it is now, and the part of the library that the path index keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SCALARS = (
    "title",
    "titleSort",
    "originalTitle",
    "studio",
    "summary",
    "originallyAvailableAt",
    "contentRating",
    "userRating",
)
LISTS = ("actor", "director", "genre", "collection", "label")
FIELDS = SCALARS + LISTS
# Pictures are no part of an edit but for their locks; their value is the key of the one that is selected.
PICTURES = ("thumb", "art")

# Plex shows no lock for a rating; it is a person's whenever it has a value.
LOCKLESS = frozenset({"userRating"})


@dataclass(frozen=True)
class Part:
    """One file of an item: absolute `path` as Plex sees it, `size` in bytes, `duration` in milliseconds (0 when unknown)."""

    path: str
    size: int = 0
    duration: int = 0


@dataclass(frozen=True)
class Item:
    """A Plex item in full. Scalars are texts ('' = empty), lists are names in Plex's order, `locks` holds field names.

    `stamp` moves in Plex whenever anything about the item does (0: unknown).
    `actor` is what Plex reads back as Role; `roles` keeps the role text of each actor that has one, so that sending the
    cast again does not lose it. `pictures`: by name (of `PICTURES`) the address at which Plex shows one now, which changes
    with the picture; which one it is, is a scalar of the same name once it was asked for.
    """

    key: str
    section: str
    scalars: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    stamp: int = field(default=0, compare=False)

    def locked(self, name: str) -> bool:
        """Whether a person's hand (or ours) is on the field."""
        if name in LOCKLESS:
            return bool(self.scalars.get(name))
        return name in self.locks


@dataclass(frozen=True)
class Entry:
    """An item as the path index knows it: enough to match by, in the order Plex gives its parts; `stamp` as of `Item`."""

    key: str
    section: str
    parts: tuple[Part, ...]
    stamp: int = field(default=0, compare=False)
