"""How times, durations and foreign texts are written at the terminal."""

from plexsync.reports.format import DAY, HOUR, MINUTE, SECOND, ago, lasting, many, noted, stamp
from validation.redact import one_line

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "ago", "lasting", "many", "noted", "safe", "stamp"]


def safe(text: str, longest: int = 400) -> str:
    """A text of others for the terminal: one line, no control characters, not endless."""
    line = one_line(text[: longest + 1])
    return line if len(text) <= longest else line[:longest] + "..."
