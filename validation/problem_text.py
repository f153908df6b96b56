"""Texts for problems with settings: how a problem shows values, names and paths without revealing a misplaced secret."""

import difflib
import re
from collections.abc import Iterable

from validation.redact import one_line

_LONGEST_SHOWN = 10  # characters; a Plex token has 20, and may have been pasted into the wrong setting
_LARGEST_SHOWN = 10**15


class ConfigError(Exception):
    """The settings are invalid. `lines` has one line for each problem, without the value of any secret.

    `missing` names the required settings that no source has, if there is no other problem.
    """

    def __init__(self, lines: Iterable[str], *, missing: Iterable[str] = ()) -> None:
        self.lines = list(lines)
        self.missing = tuple(missing)
        super().__init__("\n".join(self.lines))


def value_text(value: object) -> str:
    """A value of a setting that is not secret, if it is too short to be a misplaced secret; otherwise its type."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float() if not abs(value) >= _LARGEST_SHOWN:
            return str(value)
        case str() if 0 < len(value) <= _LONGEST_SHOWN:
            return quote(value)
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """The type of a value in plain words, without the value."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number" if abs(value) < _LARGEST_SHOWN else "a number as large as that"
        case str():
            return f"a text of {len(value)} characters" if value else "an empty text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a value of type {type(value).__name__}"


def guess(name: str, names: Iterable[str]) -> str:
    """A hint at the closest known name, or where the names are listed."""
    lowered = {candidate.lower(): candidate for candidate in names}
    near = difflib.get_close_matches(name.lower()[:100], lowered, n=1)
    return f"did you mean {lowered[near[0]]}?" if near else "docs/settings.md lists them all"


def shorten(text: str) -> str:
    """One line of at most 60 characters, cut with an ellipsis."""
    return one_line(text if len(text) <= 60 else text[:60] + "…")


def key_text(name: str) -> str:
    """An unknown name, unless it may be a secret on the wrong side of the equals sign."""
    telling = len(name) <= _LONGEST_SHOWN or re.fullmatch(r"[a-z]{1,15}([_-][a-z]{1,15})*", name)
    return quote(name) if telling else f"a name of {len(name)} characters"


def quote(text: str) -> str:
    """A short text in quotation marks."""
    return f'"{shorten(text)}"'
