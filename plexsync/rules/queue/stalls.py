"""What a worker reads again and again and can't read, by what it is: the text of a note.

Imports little, because `plexsync status` has to start fast.
"""

import json
from typing import NamedTuple


class Stall(NamedTuple):
    """Since when it fails (UTC milliseconds), how many seconds are between two tries, and why."""

    since: int
    seconds: float
    reason: str


def read_stalls(text: str) -> dict[str, Stall]:
    """The stalls by what is not read; none for a text that can't be read."""
    try:
        rows = json.loads(text).items()
        return {str(subject): Stall(int(since), float(pace), str(why)) for subject, (since, pace, why) in rows}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def format_stalls(stalls: dict[str, Stall]) -> str:
    """The note; '' if there are none."""
    return json.dumps(stalls, separators=(",", ":")) if stalls else ""
