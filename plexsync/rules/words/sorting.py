"""The order of a list that is read a page at a time: by which column, which way, and after which row a page begins.

The first row of a page is found by the place of the last one before it, not by counting: that stays right while rows come
and go, and costs the same on every page.
"""

import re
from typing import NamedTuple

from plexsync.rules.record_class import record

# Titles and messages are compared by so many characters at most.
COMPARED = 80


@record
class Sort:
    """By a column, upwards or downwards. Rows with the same value follow by number, the same way."""

    column: str
    down: bool = False

    def __str__(self) -> str:
        return f"-{self.column}" if self.down else self.column


NUMBER = "number"
BY_NUMBER = Sort(NUMBER)


class ScenePlace(NamedTuple):
    """The place of a scene in a sorted list: the value that it is sorted by ('' by number), and its number."""

    value: str
    id: int


class DeadPlace(NamedTuple):
    """The place of a row in the sorted list of dead letters. Rows of several kinds are among them."""

    value: str | int
    kind: str
    id: int


def read_sort(text: str) -> Sort:
    """The order that an address names: `title`, or `-title` for downwards."""
    return Sort(text.removeprefix("-"), text.startswith("-"))


def sort_key(text: str) -> str:
    """A text as it is compared: its beginning, with the letters A to Z in lower case, as SQLite's `lower` does it."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), text[:COMPARED])


def is_beyond(place: ScenePlace, after: ScenePlace | None, *, down: bool) -> bool:
    """Whether a place comes after the other; everything comes after None."""
    return after is None or (place < after if down else place > after)
