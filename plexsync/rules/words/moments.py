"""A moment as people type it: a date, a date with time, or a span back from now."""

import re
from datetime import UTC, datetime, timedelta

LONGEST_SPAN = timedelta(days=36_525)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_typed(text: str) -> datetime | timedelta:
    """The moment (without an offset: in local time), or the span. Raises ValueError, whose text says what it must be."""
    span = re.fullmatch(r"(\d{1,6}) ?(s|m|min|h|d|w)", text.strip())
    if span:
        back = timedelta(**{UNITS[span[2]]: int(span[1])})
        if back > LONGEST_SPAN:
            raise ValueError("must not lie more than a hundred years back")
        return back
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "must be a date (2026-03-31), a date with time (2026-03-31T18:00) or a span (2h, 3d)"
        ) from None


def milliseconds(moment: datetime | timedelta, now: int) -> int:
    """The moment, or that before `now`, in UTC milliseconds."""
    if isinstance(moment, timedelta):
        return now - round(moment.total_seconds() * 1000)
    return round(moment.timestamp() * 1000)
