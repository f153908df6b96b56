"""The measures of a file as text, by which you tell one file from another."""

from collections.abc import Sequence

from plexsync.reports.shapes.fixes import FixFile

UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000


def measures(file: FixFile) -> str:
    """Length and size: `1:32:10 · 1.4 GB`; '' if neither is known."""
    parts = [length(file["seconds"]) if file["seconds"] else "", size(file["size"]) if file["size"] else ""]
    return " · ".join(filter(None, parts))


def compared(file: FixFile, files: Sequence[FixFile]) -> str:
    """Whether a candidate's file has the length and size of one of the scene's: `same length, other size`; '' if unknown."""
    measured = (("length", "seconds", 1.0), ("size", "size", 0.0))
    words = []
    for word, name, slack in measured:
        values = [float(other[name]) for other in files if other[name]]  # type: ignore[literal-required]
        value = float(file[name])  # type: ignore[literal-required]
        if value and values:
            words.append(f"{'same' if any(abs(value - other) <= slack for other in values) else 'other'} {word}")
    return ", ".join(words)


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
