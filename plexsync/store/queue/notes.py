"""Small named texts: cursors, times of the last poll and comparison, the worker's heartbeat, and marks of scenes.

There is a take-over mark for each scene whose values are to be taken over, a mark for each scene whose id meant another
scene when that one was ignored, or that is ignored again once its undo is done, a mark for each scene with a field that
you keep in Plex, and a mark of loss for each item with pushes that the database does not know
(`plexsync.flows.scenes.recovery`).
"""

from collections.abc import Iterable, Sequence

from plexsync.store.connection import Table, clean
from plexsync.store.intake import NOTE, SAVE_NOTE

# No count or time here has more digits, and the database could not store it.
DIGITS = 18
# What an `IGNORED` mark says of a scene that is ignored again once its undo is done.
UNDONE = "undone"

# The kinds of marks, of which there may be as many as scenes. A mark is a note of the name KIND:NUMBER or KIND:KEY.
TAKE_OVER, IGNORED, KEPT, LOSS = "take-over", "ignored", "kept", "loss"
KINDS = (TAKE_OVER, IGNORED, KEPT, LOSS)
_NO_MARK = " and ".join(f"name not like '{kind}:%'" for kind in KINDS)
LIST = f"select name, value from note where {_NO_MARK} order by name"
OF_NAMES = "select name, value from note where name in (select value from json_each(:names))"
_MARKED = "name in (select cast(:kind as text) || ':' || value from json_each(:items))"
MARKS = f"select name, value from note where {_MARKED}"
END_MARKS = f"delete from note where {_MARKED}"
_MARK = (
    "insert or ignore into note (name, value) select cast(:kind as text) || ':' || value, :value from json_each(:items)"
)
MARK = f"{_MARK} where true"
MARK_UNKNOWN = f"{_MARK} where value not in (select item from memory union select item from pushing)"
# In the order of numbers, not of names.
_KEPT = "name >= 'kept:' and name < 'kept;'"
_KEPT_SCENE = "cast(substr(name, 6) as bigint)"
LIST_KEPT = f"select {_KEPT_SCENE} from note where {_KEPT} and {_KEPT_SCENE} > :after order by 1 limit :limit"
COUNT_KEPT = f"select count(*) from note where {_KEPT}"
HAS_LOSSES = "select 1 from note where name >= 'loss:' and name < 'loss;' limit 1"
DROP = "delete from note where name = :name and (:value = '' or value = :value)"
LOWER = """
update note set value = cast(cast(:value as bigint) as text)
 where name = :name and cast(value as bigint) > cast(:value as bigint)
"""


def number_in(text: str) -> int | None:
    """The number in a note; None if it does not hold one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


class ReadOnlyNotes(Table):
    """Read access to the notes."""

    def text(self, name: str) -> str:
        """Return a note; '' if it was never set."""
        row = self._db.row(NOTE, {"name": name})
        return str(row[0]) if row else ""

    def number(self, name: str) -> int | None:
        """Return the number in a note; None if there is no note or it does not hold a number."""
        return number_in(self.text(name))

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        """Return these notes by name; '' for those that were never set."""
        rows = self._db.rows(OF_NAMES, {"names": list(names)})
        return dict.fromkeys(names, "") | {str(name): str(value) for name, value in rows}

    def all(self) -> dict[str, str]:
        """Return all notes by name, except the marks of scenes."""
        return {str(name): str(value) for name, value in self._db.rows(LIST)}

    def of_scenes(self, kind: str, scenes: Iterable[int]) -> dict[int, str]:
        """Return the marks of this kind that these scenes have."""
        rows = self._db.rows(MARKS, {"kind": kind, "items": list(map(str, scenes))})
        return {int(str(name).rpartition(":")[2]): str(value) for name, value in rows}

    def losses(self, items: Sequence[str]) -> dict[str, int]:
        """Return those of these items that have pushes of which the database knows only those up to a number."""
        rows = self._db.rows(MARKS, {"kind": LOSS, "items": list(items)})
        return {str(name).partition(":")[2]: int(value) for name, value in rows}

    def has_losses(self) -> bool:
        """Whether any item has such pushes."""
        return bool(self._db.row(HAS_LOSSES))

    def kept_scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` with a field that you keep, by number."""
        return [scene for (scene,) in self._db.rows(LIST_KEPT, {"after": after, "limit": limit})]

    def count_kept(self) -> int:
        """Count the scenes with a field that you keep."""
        return int(self._db.value(COUNT_KEPT))

    def kept_among(self, scenes: Iterable[int]) -> list[int]:
        """Return those of these scenes with a field that you keep, by number."""
        return sorted(self.of_scenes(KEPT, scenes))

    def held_ignores(self, scenes: Iterable[int]) -> frozenset[int]:
        """Return those of these scenes whose id meant another scene when that one was ignored."""
        return frozenset(scene for scene, value in self.of_scenes(IGNORED, scenes).items() if value != UNDONE)

    def ignored_once_undone(self, scenes: Iterable[int]) -> frozenset[int]:
        """Return those of these scenes that are ignored again once their undo is done; until then nothing ends it."""
        return frozenset(scene for scene, value in self.of_scenes(IGNORED, scenes).items() if value == UNDONE)


class Notes(ReadOnlyNotes):
    """Read and write access to the notes."""

    def save(self, name: str, value: str) -> None:
        """Set a note."""
        self._db.execute(SAVE_NOTE, {"name": name, "value": clean(value)})

    def take_numbers(self, name: str, count: int) -> int:
        """Note so many further numbers, and return the first of them. They begin with 1."""
        last = self.number(name) or 0
        if count:
            self.save(name, str(last + count))
        return last + 1

    def lower(self, name: str, value: int) -> None:
        """Lower the number in a note to this one, if it is higher."""
        self._db.execute(LOWER, {"name": name, "value": value})

    def take_over(self, scene: int, *, now: int) -> None:
        """Mark a scene for take-over: its next sync takes over what was in Plex before PlexSync.

        Replaces an earlier mark.
        """
        self.save(f"{TAKE_OVER}:{scene}", str(now))

    def end_take_over(self, scene: int, mark: str = "") -> None:
        """Remove this mark, or any mark (''); a newer mark stays."""
        self._db.execute(DROP, {"name": f"{TAKE_OVER}:{scene}", "value": mark})

    def mark_losses(self, items: Sequence[str], after: int, *, unknown_only: bool) -> None:
        """Mark items with pushes above this number, which the database does not know. An earlier mark stays.

        `unknown_only`: only the items of which it remembers nothing.
        """
        sql = MARK_UNKNOWN if unknown_only else MARK
        self._db.execute(sql, {"kind": LOSS, "items": list(items), "value": str(after)})

    def end_losses(self, items: Sequence[str]) -> None:
        """Remove the marks of these items: what was lost is known again."""
        self._db.execute(END_MARKS, {"kind": LOSS, "items": list(items)})

    def mark_kept(self, scenes: Iterable[int], *, now: int) -> None:
        """Mark these scenes: they have a field that you keep. An earlier mark stays."""
        self._db.execute(MARK, {"kind": KEPT, "items": [str(scene) for scene in scenes], "value": str(now)})

    def end_kept(self, scenes: Iterable[int]) -> None:
        """Remove the marks of these scenes."""
        self._db.execute(END_MARKS, {"kind": KEPT, "items": [str(scene) for scene in scenes]})

    def hold_ignore(self, scene: int, *, now: int) -> None:
        """Mark a scene: you have to say whether the ignore is meant for it."""
        self.save(f"{IGNORED}:{scene}", str(now))

    def ignore_once_undone(self, scene: int) -> None:
        """Mark an ignored scene: its undo is worked as any other, and ends in its being ignored again."""
        self.save(f"{IGNORED}:{scene}", UNDONE)

    def end_held_ignore(self, scene: int) -> bool:
        """Remove either mark; False if there was none."""
        return self._db.execute(DROP, {"name": f"{IGNORED}:{scene}", "value": ""}) > 0
