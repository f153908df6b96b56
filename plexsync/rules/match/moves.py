"""What the notes about a move say: a store's content goes from one database to another one.

The target has a note until the move is finished, so that nobody works on half of a store. A source in PostgreSQL has a
note afterwards, so that nobody works on what has moved away.
"""

import json
from dataclasses import asdict

from plexsync.rules.record_class import record

# In the target: `MoveNote`, from the first row until the source was set aside.
MOVE = "move"
# In a source in PostgreSQL: `MovedNote`.
MOVED = "moved"


@record
class MoveNote:
    """A move to this store that has begun. `origin` is a print of the source; `copied`: everything has arrived.

    `host` is the machine that works on it, and `installation` names its data folder: only there a file can be set aside.
    """

    origin: str
    host: str
    installation: str
    copied: bool = False

    def text(self) -> str:
        """Return the note's text."""
        return json.dumps(asdict(self))


@record
class MovedNote:
    """The content has moved on: where it is now, in words, and since when (UTC milliseconds)."""

    place: str
    at: int

    def text(self) -> str:
        """Return the note's text."""
        return json.dumps(asdict(self))


def move_note(text: str) -> MoveNote | None:
    """Return what the note says; None if there is none. An unreadable one is about a move from elsewhere."""
    if not text:
        return None
    try:
        values = json.loads(text)
        origin, host, installation = (str(values[name]) for name in ("origin", "host", "installation"))
        return MoveNote(origin, host, installation, copied=values["copied"] is True)
    except (ValueError, KeyError, TypeError):
        return MoveNote("?", "?", "?")


def moved_note(text: str) -> MovedNote | None:
    """Return what the note says; None if there is none."""
    if not text:
        return None
    try:
        values = json.loads(text)
        return MovedNote(str(values["place"]), int(values["at"]))
    except (ValueError, KeyError, TypeError):
        return MovedNote("another database", 0)
