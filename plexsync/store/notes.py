"""Small named texts: cursors, times of the last poll and comparison, the worker's heartbeat; and, one for each scene whose
values are to be taken over, the mark of that wish.
"""

import json
from collections.abc import Sequence

from plexsync.store.connection import Table
from plexsync.store.db import clean

# More digits than this has nothing that is counted or dated here, nor would the database take it.
DIGITS = 18

FIND = "select value from note where name = :name"
# Of marks there may be as many as there are scenes.
LIST = "select name, value from note where name not like 'take-over:%' order by name"
MARKS = "select name, value from note where name in (select 'take-over:' || value from json_each(:scenes))"
DROP = "delete from note where name = :name and (:value = '' or value = :value)"
LOWER = """
update note set value = cast(cast(:value as bigint) as text)
 where name = :name and cast(value as bigint) > cast(:value as bigint)
"""
SAVE = "insert or replace into note (name, value) values (:name, :value)"


class ReadOnlyNotes(Table):
    """The notes, to look at."""

    def text(self, name: str) -> str:
        """One note; '' when it was never set."""
        row = self._db.row(FIND, {"name": name})
        return str(row[0]) if row else ""

    def number(self, name: str) -> int | None:
        """The number in a note; None when there is none, or what is there is no number (any more)."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None

    def all(self) -> dict[str, str]:
        """All notes by name, but for the marks of scenes."""
        return {str(name): str(value) for name, value in self._db.rows(LIST)}

    def take_overs(self, scenes: Sequence[int]) -> dict[int, str]:
        """Those of these scenes whose items are to be taken over, each with the mark by which that wish is known."""
        rows = self._db.rows(MARKS, {"scenes": json.dumps(list(scenes))})
        return {int(str(name).rpartition(":")[2]): str(value) for name, value in rows}


class Notes(ReadOnlyNotes):
    """The notes."""

    def save(self, name: str, value: str) -> None:
        """Set a note."""
        self._db.execute(SAVE, {"name": name, "value": clean(value)})

    def lower(self, name: str, value: int) -> None:
        """A number that was noted is at most this one from now on."""
        self._db.execute(LOWER, {"name": name, "value": value})

    def take_over(self, scene: int, *, now: int) -> None:
        """Mark a scene: the next time that its items are brought in step, what was there before us becomes ours.

        A mark that it has already gives way.
        """
        self.save(f"take-over:{scene}", str(now))

    def end_take_over(self, scene: int, mark: str = "") -> None:
        """What this mark wished is done, or ('') is not wished any more; a newer mark stays."""
        self._db.execute(DROP, {"name": f"take-over:{scene}", "value": mark})
