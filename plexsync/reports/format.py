"""The one file of units: how times, durations, counts, shares and foreign texts are written, wherever they are read."""

from datetime import UTC, datetime

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def stamp(moment: float | int | None) -> str | None:
    """UTC milliseconds as RFC 3339 with Z, whole seconds; None stays None."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None


def unstamped(text: str) -> int:
    """UTC milliseconds from a text of `stamp`."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def noted(text: str) -> int | None:
    """UTC milliseconds from a note of the store; None when there is none."""
    return int(text) if text.isdecimal() else None


def ago(moment: int | None, now: int) -> str:
    """How long ago, or how soon, in one unit: `12 s ago`, `in 5 min`, `never`."""
    if moment is None:
        return "never"
    span = lasting(abs(now - moment))
    return f"{span} ago" if moment <= now else f"in {span}"


def lasting(span: float) -> str:
    """Milliseconds in the largest unit that fits."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if span >= unit:
            return f"{span / unit:.0f} {name}"
    return f"{span / SECOND:.0f} s"


def many(count: int, one: str, several: str = "") -> str:
    """`1 scene`, `2,000 scenes`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def share(value: float) -> str:
    """A share of 1 in percent, never rounded up to all."""
    return f"{min(value * 100, 99.99 if value < 1 else 100):.2f} %"


def safe(text: str, longest: int = 400) -> str:
    """A foreign text: one line, no control characters, no longer than `longest`."""
    # Not before it is needed: it brings the logging of the standard library, which a reader of the status waits for.
    from validation.redact import one_line

    line = one_line(text[: longest + 1])
    return line if len(text) <= longest else line[:longest] + "..."
