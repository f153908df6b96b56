"""Small named texts: cursors, times of the last poll and comparison, the worker's heartbeat, and marks of scenes.

There is a take-over mark for each scene whose values are to be taken over, an approval for each scene of which you
approved some changes, a mark for each scene whose id meant another scene when that one was ignored, or that is ignored again
once its undo is done, a mark for each scene with a field that you keep in Plex, a mark of loss for each item
with pushes that the database does not know (`plexsync.flows.scenes.recovery`), and one for each item with lists that an
earlier PlexSync may have left (`plexsync.flows.scenes.verbs`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from plexsync.store.connection import Table
from plexsync.store.counts import SOME_OLD_LISTS
from plexsync.store.db import clean

# No count or time here has more digits, and the database could not store it.
DIGITS = 18

FIND = "select value from note where name = :name"
# There may be as many marks as scenes.
LIST = """
select name, value from note
 where name not like 'take-over:%' and name not like 'ignored:%' and name not like 'loss:%' and name not like 'kept:%'
   and name not like 'approved:%' and name not like 'old-list:%'
 order by name
"""
MARKS = "select name, value from note where name in (select 'take-over:' || value from json_each(:scenes))"
APPROVALS = "select name, value from note where name in (select 'approved:' || value from json_each(:scenes))"
HELD_IGNORES = "select name, value from note where name in (select 'ignored:' || value from json_each(:scenes))"
# In the order of numbers, not of names.
_KEPT = "name >= 'kept:' and name < 'kept;'"
_KEPT_SCENE = "cast(substr(name, 6) as bigint)"
KEPT = f"select {_KEPT_SCENE} from note where {_KEPT} and {_KEPT_SCENE} > :after order by 1 limit :limit"
COUNT_KEPT = f"select count(*) from note where {_KEPT}"
KEPT_AMONG = "select name from note where name in (select 'kept:' || value from json_each(:scenes))"
KEEP = """
insert or ignore into note (name, value) select 'kept:' || value, :now from json_each(:scenes) where true
"""
END_KEPT = "delete from note where name in (select 'kept:' || value from json_each(:scenes))"
SAVE_OLD_LIST = "insert or ignore into note (name, value) values ('old-list:' || :item, :value)"
END_OLD_LISTS = "delete from note where name in (select 'old-list:' || value from json_each(:items))"
LOSSES = "select name, value from note where name in (select 'loss:' || value from json_each(:items))"
HAS_LOSSES = "select 1 from note where name >= 'loss:' and name < 'loss;' limit 1"
_LOSE = "insert or ignore into note (name, value) select 'loss:' || value, :after from json_each(:items)"
LOSE = f"{_LOSE} where true"
LOSE_UNKNOWN = f"{_LOSE} where value not in (select item from memory union select item from pushing)"
FIND_AGAIN = "delete from note where name in (select 'loss:' || value from json_each(:items))"
DROP = "delete from note where name = :name and (:value = '' or value = :value)"
LOWER = """
update note set value = cast(cast(:value as bigint) as text)
 where name = :name and cast(value as bigint) > cast(:value as bigint)
"""
SAVE = "insert or replace into note (name, value) values (:name, :value)"


class ReadOnlyNotes(Table):
    """Read access to the notes."""

    def text(self, name: str) -> str:
        """Return a note; '' if it was never set."""
        row = self._db.row(FIND, {"name": name})
        return str(row[0]) if row else ""

    def number(self, name: str) -> int | None:
        """Return the number in a note; None if there is no note or it does not hold a number."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None

    def all(self) -> dict[str, str]:
        """Return all notes by name, except the marks of scenes."""
        return {str(name): str(value) for name, value in self._db.rows(LIST)}

    def take_overs(self, scenes: Sequence[int]) -> dict[int, str]:
        """Return those of these scenes whose items are to be taken over, each with its mark."""
        rows = self._db.rows(MARKS, {"scenes": json.dumps(list(scenes))})
        return {int(str(name).rpartition(":")[2]): str(value) for name, value in rows}

    def approvals(self, scenes: Sequence[int]) -> dict[int, str]:
        """Return the approvals of those of these scenes of which you approved some changes (`plexsync.rules.approval`)."""
        rows = self._db.rows(APPROVALS, {"scenes": json.dumps(list(scenes))})
        return {int(str(name).rpartition(":")[2]): str(value) for name, value in rows}

    def old_lists(self, *, limit: int) -> dict[str, str]:
        """Return the marks of up to `limit` items with lists that an earlier PlexSync may have left, by item key."""
        rows = self._db.rows(SOME_OLD_LISTS, {"limit": limit})
        return {str(name).partition(":")[2]: str(value) for name, value in rows}

    def losses(self, items: Sequence[str]) -> dict[str, int]:
        """Return those of these items that have pushes of which the database knows only those up to a number."""
        rows = self._db.rows(LOSSES, {"items": json.dumps(list(items))})
        return {str(name).partition(":")[2]: int(value) for name, value in rows}

    def has_losses(self) -> bool:
        """Whether any item has such pushes."""
        return bool(self._db.row(HAS_LOSSES))

    def kept_scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` with a field that you keep, by number."""
        return [scene for (scene,) in self._db.rows(KEPT, {"after": after, "limit": limit})]

    def count_kept(self) -> int:
        """Count the scenes with a field that you keep."""
        return int(self._db.value(COUNT_KEPT))

    def kept_among(self, scenes: Iterable[int]) -> list[int]:
        """Return those of these scenes with a field that you keep, by number."""
        rows = self._db.rows(KEPT_AMONG, {"scenes": json.dumps(list(scenes))})
        return sorted(int(str(name).rpartition(":")[2]) for (name,) in rows)

    def held_ignores(self, scenes: Iterable[int]) -> frozenset[int]:
        """Return those of these scenes whose id meant another scene when that one was ignored."""
        return self._ignores(scenes, undone=False)

    def ignored_once_undone(self, scenes: Iterable[int]) -> frozenset[int]:
        """Return those of these scenes that are ignored again once their undo is done; until then nothing ends it."""
        return self._ignores(scenes, undone=True)

    def _ignores(self, scenes: Iterable[int], *, undone: bool) -> frozenset[int]:
        rows = self._db.rows(HELD_IGNORES, {"scenes": json.dumps(list(scenes))})
        return frozenset(int(str(name).rpartition(":")[2]) for name, value in rows if (value == "undone") == undone)


class Notes(ReadOnlyNotes):
    """Read and write access to the notes."""

    def save(self, name: str, value: str) -> None:
        """Set a note."""
        self._db.execute(SAVE, {"name": name, "value": clean(value)})

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
        self.save(f"take-over:{scene}", str(now))

    def end_take_over(self, scene: int, mark: str = "") -> None:
        """Remove this mark, or any mark (''); a newer mark stays."""
        self._db.execute(DROP, {"name": f"take-over:{scene}", "value": mark})

    def approve(self, scene: int, approval: str) -> None:
        """Save which changes of a scene you approved. Replaces an earlier approval."""
        self.save(f"approved:{scene}", approval)

    def end_approval(self, scene: int) -> None:
        """Remove the approval of a scene: it was carried out, or is void."""
        self._db.execute(DROP, {"name": f"approved:{scene}", "value": ""})

    def mark_losses(self, items: Sequence[str], after: int, *, unknown_only: bool) -> None:
        """Mark items with pushes above this number, which the database does not know. An earlier mark stays.

        `unknown_only`: only the items of which it remembers nothing.
        """
        sql = LOSE_UNKNOWN if unknown_only else LOSE
        self._db.execute(sql, {"items": json.dumps(list(items)), "after": str(after)})

    def end_losses(self, items: Sequence[str]) -> None:
        """Remove the marks of these items: what was lost is known again."""
        self._db.execute(FIND_AGAIN, {"items": json.dumps(list(items))})

    def mark_old_lists(self, marks: Mapping[str, str]) -> None:
        """Mark items with lists that an earlier PlexSync may have left, each with a text. An earlier mark stays."""
        self._db.execute_many(SAVE_OLD_LIST, [{"item": item, "value": clean(text)} for item, text in marks.items()])

    def end_old_lists(self, items: Iterable[str]) -> None:
        """Remove the marks of these items."""
        self._db.execute(END_OLD_LISTS, {"items": json.dumps(list(items))})

    def mark_kept(self, scenes: Iterable[int], *, now: int) -> None:
        """Mark these scenes: they have a field that you keep. An earlier mark stays."""
        self._db.execute(KEEP, {"scenes": json.dumps(list(scenes)), "now": str(now)})

    def end_kept(self, scenes: Iterable[int]) -> None:
        """Remove the marks of these scenes."""
        self._db.execute(END_KEPT, {"scenes": json.dumps(list(scenes))})

    def hold_ignore(self, scene: int, *, now: int) -> None:
        """Mark a scene: you have to say whether the ignore is meant for it."""
        self.save(f"ignored:{scene}", str(now))

    def ignore_once_undone(self, scene: int) -> None:
        """Mark an ignored scene: its undo is worked as any other, and ends in its being ignored again."""
        self.save(f"ignored:{scene}", "undone")

    def end_held_ignore(self, scene: int) -> bool:
        """Remove either mark; False if there was none."""
        return self._db.execute(DROP, {"name": f"ignored:{scene}", "value": ""}) > 0
