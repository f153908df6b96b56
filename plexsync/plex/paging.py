"""Walks a list of Plex in pages that overlap, so that nothing is missed that stays in the list."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from plexsync.rules.errors import Unavailable

STEPS_BACK = 100


class Keyed(Protocol):
    """An entry of a list, told apart by its key."""

    @property
    def key(self) -> str:
        """Its rating key."""
        ...


K = TypeVar("K", bound=Keyed)


def overlapping(
    read: Callable[[int, int], tuple[list[K], int]], page: int, foreign: Callable[[str], Unavailable]
) -> Iterator[list[K]]:
    """The entries that `read` lists from a start on, at most so many, of a total: in pages without repeats.

    Each page begins with the last entry of the one before. If it does not, entries were removed meanwhile and the rest
    moved up, so the walk steps back until pages overlap again. `foreign` makes the error for a list that is incomplete or
    does not hold still.
    """
    known_keys: set[str] = set()
    start = steps_back = 0
    while True:
        # At least two entries, since pages overlap by one.
        entries, total = read(start, max(page + 1 if start else page, 2))
        if start and (not entries or entries[0].key not in known_keys):
            steps_back += 1
            if steps_back > STEPS_BACK:
                raise foreign("with a library that does not hold still")
            start = max(0, start - page)
            continue
        fresh = [entry for entry in entries if entry.key not in known_keys]
        known_keys.update(entry.key for entry in fresh)
        if fresh:
            yield fresh
        if start + len(entries) >= total:
            return
        if len(entries) < 2:
            raise foreign("with an incomplete library")
        start += len(entries) - 1
