"""Numbers in Plex's answers: as numbers (also with a fraction) or texts. And flags: true or 1.

A number that is only a hint counts as none if it is invalid; any other one raises ValueError.
"""

import math
from collections.abc import Sequence

# Digits of a number in 64 bits.
LONGEST_NUMBER = 19
# Digits of a moment in seconds: three thousand years.
LONGEST_MOMENT = 11

Number = int | float | str
Flag = bool | int | float | str


def check_size(size: Number, listed: Sequence[object]) -> None:
    """Raise ValueError if a container does not hold as much as it says: nothing else tells that the answer is whole."""
    if whole_number(size) != len(listed) or (isinstance(size, float) and not size.is_integer()):
        raise ValueError("a container that does not hold what it says")


def total_of(total_size: Number | None, header: str) -> int:
    """The size of the whole listing, from the body or else from the header with the same value."""
    total = whole_number(header if total_size is None else total_size)
    if total < 0:
        raise ValueError("a negative total")
    return total


def key_of(number: Number) -> str:
    """A key as text. Keys go into URLs, so they must be plain numbers."""
    text = digits(number)
    if not text:
        raise ValueError("a key that is no number")
    return text


def digits(number: Number | None) -> str:
    """The digits of a number without its fraction; '' for none, a negative one, or a text that is no number."""
    text = "" if number is None else _whole(number)
    return text if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else ""


def short_number(number: Number | None, length: int) -> int:
    """A number of at most so many digits, without its fraction; 0 for any other."""
    text = digits(number)
    return int(text) if text and len(text) <= length else 0


def whole_number(number: Number) -> int:
    """A number without its fraction; raises ValueError for a text that is none."""
    text = _whole(number)
    if len(text) > LONGEST_NUMBER:
        raise ValueError("a number out of bounds")
    return int(text)


def moment(number: Number | None) -> int:
    """A moment in UTC seconds; 0 for none, or for a number that is no moment."""
    return short_number(number, LONGEST_MOMENT)


def _whole(number: Number) -> str:
    """The number as text, without its fraction."""
    text = f"{number:f}" if isinstance(number, float) else str(number)
    whole, point, fraction = text.partition(".")
    return whole if point and fraction.isascii() and fraction.isdigit() else text


def is_set(flag: Flag) -> bool:
    """Whether a flag is true."""
    return flag in (True, "1", "true")


def rating_text(rating: float | str | None) -> str:
    """A rating as the shortest decimal ("8.5", "8"), '' for none."""
    if rating is None or rating == "":
        return ""
    value = float(rating)
    if not math.isfinite(value):
        raise ValueError("a rating that is no number")
    return f"{value:g}" if value >= 0 else ""
