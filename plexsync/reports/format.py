"""The one module for units: the format of times, durations, counts, shares and foreign text in all output."""

from datetime import UTC, datetime

from plexsync.rules.servers.redaction import one_line

UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def stamp(moment: float | int | None) -> str | None:
    """UTC milliseconds as RFC 3339 with Z, whole seconds; None stays None."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None


def parse_stamp(text: str) -> int:
    """Parse a text of `stamp` into UTC milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def parse_note(text: str) -> int | None:
    """Parse a note of the store into UTC milliseconds; None if it is empty."""
    return int(text) if text.isdecimal() else None


def ago(moment: int | None, now: int) -> str:
    """A relative time, past or future, in one unit: `12 s ago`, `in 5 min`, `never`."""
    if moment is None:
        return "never"
    span = lasting(abs(now - moment))
    return f"{span} ago" if moment <= now else f"in {span}"


def local(moment: float | int | None) -> str:
    """A moment for a screen, in local time: `2026-03-04 06:07+01:00`; empty for None."""
    if moment is None:
        return ""
    try:
        return datetime.fromtimestamp(moment / 1000).astimezone().isoformat(" ", "minutes")
    except (OverflowError, OSError, ValueError):
        return ""


def format_moment(moment: int | str | None, now: int) -> str:
    """A moment for a screen: relative within a day, else in local time; `never` for None. Takes a text of `stamp`, too."""
    at = parse_stamp(moment) if isinstance(moment, str) else moment
    return ago(at, now) if at is None or abs(now - at) < DAY else local(at)


def is_moment(text: str) -> bool:
    """Whether a text is one of `ago` or `local`, which should not be folded."""
    words = text.split(" ")
    if len(words) == 3:
        return words[0] == "in" or words[2] == "ago"
    return len(words) == 2 and words[0][:4].isdecimal() and words[0][4:5] == "-" and ":" in words[1]


def lasting(span: float) -> str:
    """Milliseconds in the largest unit that fits."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if span >= unit:
            return f"{span / unit:.0f} {name}"
    return f"{span / SECOND:.0f} s"


def spent(seconds: float) -> str:
    """How long something took or was played, in its two largest units: `12 min 40 s`, `1 h 5 min`, `31 min`."""
    total = round(seconds)
    numbers = ((total // 3600, "h"), (total // 60 % 60, "min"), (total % 60, "s"))
    return " ".join([f"{number:,} {unit}" for number, unit in numbers if number][:2]) or "0 s"


def place(milliseconds: int) -> str:
    """A place in a film: `0:31:07`."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def many(count: int, one: str, several: str = "") -> str:
    """A count with its noun: `1 scene`, `2,000 scenes`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def capitalize(words: str) -> str:
    """The same words at the start of a sentence."""
    return words[:1].upper() + words[1:]


def sentences(*parts: str) -> str:
    """These words as sentences; what is empty is left out."""
    return " ".join(f"{capitalize(part)}." for part in parts if part)


def share(value: float) -> str:
    """A share of 1 in percent; a share below 1 is never rounded up to 100."""
    return f"{min(value * 100, 99.99 if value < 1 else 100):.2f} %"


def safe(text: str, longest: int = 400) -> str:
    """Clean a foreign text: one line, no control characters, at most `longest` characters."""
    line = one_line(text[: longest + 1])
    return line if len(text) <= longest else line[:longest] + "..."


# --- files -------------------------------------------------------------------------------------------------------------


def length(seconds: float) -> str:
    """The length of a video: `1:32:10`, `4:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int) -> str:
    """A number of bytes in the largest unit that fits: `1.4 GB`."""
    amount = float(count)
    for unit in UNITS[:-1]:
        if amount < STEP:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") else f"{amount:.1f} {unit}"
        amount /= STEP
    return f"{amount:.1f} {UNITS[-1]}"
