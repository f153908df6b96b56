"""Cleaning and cutting texts for Plex, and the form in which names are compared.

Cleaning is idempotent. Texts keep their Unicode form and are normalized only for comparison. Lengths are in code
points.
"""

import re
import unicodedata
from functools import lru_cache

NAME_LIMIT = 255
SUMMARY_LIMIT = 10_000
# Names come again and again: of studios, performers and tags, and those of one scene many times.
RECENT_NAMES = 4_096

_LINE_ENDS = re.compile("\r\n|[\n\v\f\r\x85\u2028\u2029]")
# Control characters other than tab and line ends, and the two code points that XML can't contain.
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_JOINER = "\u200d"
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAG_LETTERS = range(0xE0020, 0xE0080)
_INNER_JAMO = range(0x1160, 0x1200)


@lru_cache(maxsize=RECENT_NAMES)
def clean_line(text: str) -> str:
    """A text for a field of one line: unprintable characters removed, tabs and line ends as spaces, the ends trimmed."""
    return _LINE_ENDS.sub(" ", _printable(text)).replace("\t", " ").strip()


def clean_block(text: str) -> str:
    """A text of several lines: as `clean_line`, but every line end is one newline and tabs stay."""
    return _LINE_ENDS.sub("\n", _printable(text)).strip()


def cut(text: str, limit: int) -> str:
    """At most `limit` code points of a text, cut where a visible character ends.

    A single character of more than `limit` code points (a letter with many accents) is cut inside, so that a cut never
    makes a text empty.
    """
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and _belongs_together(text, end):
        end -= 1
    return text[: end or limit].rstrip() or text[:limit]


@lru_cache(maxsize=RECENT_NAMES)
def fold(name: str) -> str:
    """The key of a name in a list: the same for names that differ only in spacing, case or Unicode form."""
    return caseless(" ".join(name.split()))


def caseless(text: str) -> str:
    """The form that is equal for texts that differ only in case or Unicode form."""
    if text.isascii():
        return text.lower()
    return compose(unicodedata.normalize("NFD", text).casefold())


def compose(text: str) -> str:
    """The text in Unicode's composed form (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", _SURROGATE.sub("\ufffd", text))


def _belongs_together(text: str, at: int) -> bool:
    """Whether the code points before and after position `at` form one visible character."""
    before, after = text[at - 1], text[at]
    if _JOINER in (before, after) or _extends(after):
        return True
    if ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS:
        return _flag_letters_before(text, at) % 2 == 1
    return False


def _extends(character: str) -> bool:
    code = ord(character)
    if unicodedata.category(character) in ("Mn", "Mc", "Me"):
        return True
    return code in _SKIN_TONES or code in _TAG_LETTERS or code in _INNER_JAMO


def _flag_letters_before(text: str, at: int) -> int:
    start = at
    while start > 0 and ord(text[start - 1]) in _FLAG_LETTERS:
        start -= 1
    return at - start
