"""Whose a collection is: PlexSync dresses what its own names made, and what you handed over.

A smart collection is made by a query, so it is never PlexSync's. Any other one is if PlexSync gave its name to every
member. Once proven, that is remembered: an item that you add later makes it nobody else's.
"""

from collections.abc import Iterator, Sequence

from plexsync.rules.plan_records import Memory, Pushing
from plexsync.rules.renamed_collections import FIELD, added_names
from plexsync.rules.text import fold
from plexsync.store.database import Reader

# The number of members whose memories are read at once.
BATCH = 500


def given_names(memory: Memory, pushing: Sequence[Pushing] = ()) -> set[str]:
    """The collections of an item, folded, that PlexSync gave to it or may have given, as Stash and as Plex spell them."""
    in_stash = memory[FIELD].ours if FIELD in memory else ()
    return {fold(name) for name in (*in_stash, *added_names(memory, pushing))}


def is_made_by_us(db: Reader, title: str, members: Sequence[str]) -> bool:
    """Whether PlexSync gave this name to every one of these items, of which there is at least one."""
    name = fold(title)
    return bool(members) and all(
        name in names_by_item.get(key, ()) for keys, names_by_item in _given(db, members) for key in keys
    )


def _given(db: Reader, members: Sequence[str]) -> Iterator[tuple[Sequence[str], dict[str, set[str]]]]:
    for start in range(0, len(members), BATCH):
        keys = members[start : start + BATCH]
        scenes = sorted({scene for owners in db.memories.pushers(keys).values() for scene in owners})
        names_by_item: dict[str, set[str]] = {}
        for (_, key), memory in db.memories.of(scenes).items():
            names_by_item.setdefault(key, set()).update(given_names(memory))
        for (_, key), pushing in db.pushings.of(scenes).items():
            names_by_item.setdefault(key, set()).update(given_names({}, pushing))
        yield keys, names_by_item
