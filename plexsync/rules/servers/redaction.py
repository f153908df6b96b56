"""Replaces secrets in texts by `***`, in any spelling.

That is: plain, URL-encoded (whichever characters are escaped, also twice), JSON- or HTML-escaped, in base64 or base64url at
any offset, or broken over lines. A secret that was not given can't be recognized.
"""

import base64
import html
import re
from collections.abc import Iterable

MASK = "***"

# Control characters, nonstandard line ends, bidirectional marks and overrides, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BREAK = re.compile(r"\\?\r?\n[ \t]*")
_SHORTEST_PIECE = 6  # base64 characters; less than this would match ordinary words
_BASE64 = "[A-Za-z0-9+/_-]"
_NAMED_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def is_safe(text: str) -> bool:
    """Whether `text` stays on one line and reads in the order in which it is written."""
    return _UNSAFE.search(text) is None


def one_line(text: str) -> str:
    """`text` with control characters, bidirectional marks and lone surrogates spelled out: `\\n`, `\\x1b`, `\\u202e`."""
    return _UNSAFE.sub(lambda matched: matched[0].encode("unicode_escape").decode("ascii"), text)


class Redactor:
    """Replaces secrets by `***`. Empty secrets are ignored; where two overlap, the longest wins."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        patterns = [pattern for secret in values for pattern in _patterns(secret)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def redact(self, text: str) -> str:
        """`text` without any of the secrets."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(MASK, text)
        return _redact_across_lines(self._pattern, text) if "\n" in text else text


def _redact_across_lines(pattern: re.Pattern[str], text: str) -> str:
    """Mask secrets that appear only once line breaks and the indents after them are removed."""
    broken = {at for gap in _BREAK.finditer(text) for at in range(*gap.span())}
    sound = [at for at in range(len(text)) if at not in broken]
    joined = "".join(text[at] for at in sound)
    for spans in reversed(list(pattern.finditer(joined))):
        text = text[: sound[spans.start()]] + MASK + text[sound[spans.end() - 1] + 1 :]
    return text


def _patterns(secret: str) -> list[str]:
    """Regular expressions for the spellings of one secret."""
    raw = secret.encode("utf-8", "surrogatepass")
    pieces = (_base64_piece(raw, offset) for offset in range(3))
    inside = [_BASE64 + "?" + piece + _BASE64 + "?(?:=|%3[dD]){0,2}" for piece in pieces if piece]
    whole = "(?<![A-Za-z0-9+/])" + _base64_spelling(base64.b64encode(raw).decode("ascii")) + "(?![A-Za-z0-9+/])"
    return ["".join(map(_spelling, secret)), *inside, whole]


def _base64_piece(raw: bytes, offset: int) -> str:
    """The base64 form of `raw` at `offset` modulo 3, without the characters that adjacent bytes also affect."""
    encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii")
    piece = encoded[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6]
    return _base64_spelling(piece) if len(piece) >= _SHORTEST_PIECE else ""


def _base64_spelling(encoded: str) -> str:
    either = {"+": "(?:[+-]|%2[bB])", "/": "(?:[/_]|%2[fF])", "=": "(?:=|%3[dD])?"}
    return "".join(either.get(character, character) for character in encoded)


def _spelling(character: str) -> str:
    """A regular expression for every usual escape of one character. Letters and digits are never escaped."""
    if character.isascii() and character.isalnum():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    # Each level of quoting doubles the backslashes. Without a limit on their number, a long run would be rescanned from
    # each.
    some, any_ = r"\\{1,16}", r"\\{0,16}"
    spellings = [
        any_ + re.escape(character) if character != "\\" else some,
        "".join(f"%(?:25)*(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogatepass")),
        "".join(rf"{some}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        rf"&#0*{ord(character)};",
        rf"&#[xX]0*(?i:{ord(character):x});",
    ]
    if ord(character) > 0xFFFF:
        spellings.append(rf"{some}U(?i:{ord(character):08x})")
    if ord(character) < 0x100:
        spellings.append(rf"{some}x(?i:{ord(character):02x})")
    if character in _NAMED_ESCAPES:
        spellings.append(rf"{some}{_NAMED_ESCAPES[character]}")
    if character == " ":
        spellings.append(r"\+")
    if html.escape(character) != character:
        spellings.append(html.escape(character))
    return f"(?:{'|'.join(spellings)})"
