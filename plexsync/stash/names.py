"""The pattern that finds files by base name in Stash, in Go's regular expression syntax (RE2)."""

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import combinations

from plexsync.rules.text import caseless, composed

_SPECIAL = frozenset("\\.+*?()|[]{}^$")
# Letters that one character can stand for, as "ß" does for "ss": case folding separates them, Go's patterns don't.
_JOINABLE = frozenset("filst")
_LIGATURES = "ßẞ\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
# The longest sequence that Unicode composes into one character, and the longest whose compositions are listed.
_COMPOSED, _LISTED = 4, 8


def pattern(names: Iterable[str]) -> str:
    """A pattern for every path that ends in one of these base names, in any case and Unicode form (also a mixed one).

    The separator is that of Stash's machine; a path may also be the name alone. The pattern matches too much rather
    than too little, so the results have to be checked again.
    """
    patterns = dict.fromkeys(names)
    # Also the names as they are: a few characters have forms that can't be derived from the folded one.
    forms = {"".join(map(_any_form, _parts(caseless(name)))) for name in patterns} | {
        _quoted(name) for name in patterns
    }
    return r"(?i)(?:^|[/\\])(?:" + "|".join(sorted(forms)) + ")$"


def _parts(folded: str) -> Iterator[str]:
    """Split the text into single characters with their marks, and letter groups that ligatures stand for."""
    part = ""
    for char in folded:
        joins = part[:1] in ("f", "s") and char in _JOINABLE and _JOINABLE.issuperset(part)
        if part and not joins and not unicodedata.combining(char):
            yield part
            part = ""
        part += char
    if part:
        yield part


def _any_form(part: str) -> str:
    """A pattern for a piece in all its written forms."""
    letters = unicodedata.normalize("NFD", part)
    if len(letters) == 1:
        return _quoted(part)
    if len(letters) > _LISTED:
        return rf"[^/\\]{{1,{len(letters)}}}"
    together = ("".join(some) for size in range(2, _COMPOSED + 1) for some in combinations(letters, size))
    forms = {char for some in together for char in composed(some) + composed(some.upper())}
    ligatures = _LIGATURES if _JOINABLE.issuperset(part) else ""
    return f"[{''.join(sorted({*letters, *forms, *ligatures}))}]{{1,{len(letters)}}}"


def _quoted(text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)
