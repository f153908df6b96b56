"""Lists of Plex: what is asked of them, and the walk in pages that overlap, so that nothing is missed that stays there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode

from plexsync.rules.errors import Unavailable

# Fields that no list uses. The names are hints: a server may send them all the same.
UNWANTED = "Image,Genre,Country,Guid,Rating,Collection,Director,Writer,Role,Producer,Similar,Style,Mood,Format"
UNWANTED_FIELDS = "summary,tagline"
STEPS_BACK = 100


class Keyed(Protocol):
    """An entry of a list, told apart by its key."""

    @property
    def key(self) -> str:
        """Its rating key."""
        ...


K = TypeVar("K", bound=Keyed)


def check_number(text: str) -> None:
    """Raise ValueError for a key that is no number: it would go into a path."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a library or item is named by a number")


def slice_of(start: int, size: int) -> dict[str, str]:
    """The parameters for a page of a list."""
    return {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}


def query(parameters: Mapping[str, str | int]) -> str:
    """The parameters as they stand in an address."""
    return urlencode(parameters, errors="replace", quote_via=quote)


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
