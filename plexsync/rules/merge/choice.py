"""Which tags become genres, labels or collections: patterns of names, without regard to case.

`*` stands for any text and `?` for one character. `Genre/*` also matches every tag below a tag named Genre. A pattern
with a leading `-` excludes the tags that it matches, whatever other patterns say. If there are only such patterns, all
other tags are chosen.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache

from plexsync.rules.record_class import record
from plexsync.rules.words.text import fold

BELOW = "/*"
LONGEST = 300


@record
class Patterns:
    """The patterns to choose and the patterns to leave out. If both are empty, no tag is chosen."""

    chosen: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.chosen or self.left_out)

    @property
    def asks_above(self) -> bool:
        """Whether the parent tags of a tag matter."""
        return any(pattern.endswith(BELOW) for pattern in (*self.chosen, *self.left_out))

    def choose(self, name: str, above: Sequence[str] = ()) -> bool:
        """Whether a tag with this name, below the tags named in `above`, is chosen."""
        if self.leave_out(name, above):
            return False
        return any(_fits(pattern, name, above) for pattern in self.chosen or (("*",) if self.left_out else ()))

    def leave_out(self, name: str, above: Sequence[str] = ()) -> bool:
        """Whether a pattern excludes a tag with this name."""
        return any(_fits(pattern, name, above) for pattern in self.left_out)


def parse_patterns(texts: Iterable[str]) -> Patterns:
    """The patterns in these texts. Raises ValueError with a message that continues the setting's name."""
    chosen: list[str] = []
    left_out: list[str] = []
    for text in texts:
        name = text.removeprefix("-").strip()
        if not name:
            raise ValueError("must hold names of tags; one is empty")
        if len(name) > LONGEST:
            raise ValueError(f"must hold names of at most {LONGEST} characters")
        (left_out if text.startswith("-") else chosen).append(name)
    return Patterns(tuple(dict.fromkeys(chosen)), tuple(dict.fromkeys(left_out)))


def _fits(pattern: str, name: str, above: Sequence[str]) -> bool:
    if _pattern(pattern).match(fold(name)):
        return True
    return pattern.endswith(BELOW) and any(
        _pattern(pattern.removesuffix(BELOW)).match(fold(choice)) for choice in above
    )


@lru_cache(maxsize=1_000)
def _pattern(text: str) -> "re.Pattern[str]":
    # In a pattern, square brackets are literal characters.
    return re.compile(translate(fold(text).replace("[", "[[]")))
