"""The pattern that finds files by base name in Stash, whose patterns are those of Go (RE2)."""

import unicodedata
from collections.abc import Iterable

_SPECIAL = frozenset("\\.+*?()|[]{}^$")


def pattern(names: Iterable[str]) -> str:
    """Fits every path that ends in one of these base names, in any case and in either Unicode form.

    The separator is the one of Stash's machine; a path may also be the name alone. Fits too much rather than too little,
    so the answer has to be looked at again.
    """
    forms = {unicodedata.normalize(form, name) for name in names for form in ("NFC", "NFD")}
    return r"(?i)(?:^|[/\\])(?:" + "|".join(map(_quoted, sorted(forms))) + ")$"


def _quoted(text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)
