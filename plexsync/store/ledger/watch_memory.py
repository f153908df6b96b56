"""How far scenes were watched, as it is remembered: where each is resumed, and how long it was played.

See `plexsync.rules.plays.resume` and `plexsync.rules.plays.play_time`. A memory belongs to the scene that was created at
its time, like that of plays, and is never pruned by age: it keeps what you changed in Stash from being written over, and
tells what an undo takes back.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.resume import RememberedResume, Watched, has_written
from plexsync.store.connection import Row, ScenesTable, clean, decimal

NOTHING = -1

LIST_RESUME = """
select scene, scene_created_at, item, moment, view_count, view_offset, position, position_before, sending, until, undo,
    seconds_before
  from resume where scene in (select value from json_each(:scenes))
"""
RESUME_SCENES = "select scene from resume where scene > :after order by scene limit :limit"
RESUME_TO_TAKE_BACK = "select scene from resume where undo = 'asked' order by scene"
SAVE_RESUME = """
insert or replace into resume
    (scene, scene_created_at, item, moment, view_count, view_offset, position, position_before, sending, until, undo,
    seconds_before)
values (:scene, :created_at, :item, :moment, :view_count, :view_offset, :position, :before, :sending, :until, :undo,
    :seconds_before)
"""
PROLONG_RESUME = "update resume set until = :until where scene = :scene and sending >= 0"
FORGET_RESUME = "delete from resume where scene in (select value from json_each(:scenes))"

EVERY_TIME = """
select scene, scene_created_at, total, base, adding, restores, until, withdrawn, owed, wish from play_time
"""
LIST_TIME = f"{EVERY_TIME} where scene in (select value from json_each(:scenes))"
TIME_SCENES = "select scene from play_time where scene > :after order by scene limit :limit"
TIME_TO_TAKE_BACK = "select scene from play_time where wish = 'undo' order by scene"
SAVE_TIME = """
insert or replace into play_time (scene, scene_created_at, total, base, adding, restores, until, withdrawn, owed, wish)
values (:scene, :created_at, :total, :base, :adding, :restores, :until, :withdrawn, :owed, :wish)
"""
PROLONG_TIME = "update play_time set until = :until where scene = :scene and adding <> ''"
SETTLE_TIMES = "update play_time set owed = '0.0'"
FORGET_TIME = "delete from play_time where scene in (select value from json_each(:scenes))"

M = TypeVar("M")


class ReadOnlyMemory(ScenesTable[dict[int, M]]):
    """Read access to one memory of each scene."""

    _to_take_back: str

    def to_take_back(self) -> list[int]:
        """Return the scenes of which you asked to take it back, and that is not done yet."""
        return [scene for (scene,) in self._db.rows(self._to_take_back)]

    def _read(self, rows: Iterable[Row]) -> dict[int, M]:
        """One that a damaged page has changed counts as unknown, if no rule says more."""
        memories = {}
        for row in rows:
            with suppress(ValueError):
                memories[row["scene"]] = self._memory(row)
        return memories

    @staticmethod
    @abstractmethod
    def _memory(row: Row) -> M:
        """The memory in a row."""


class ScenesMemory(ReadOnlyMemory[M]):
    """Read and write access to one memory of each scene."""

    _save: str
    _prolong: str
    _forget: str

    def save(self, scene: int, created_at: str, memory: M | None) -> None:
        """Save what is remembered of a scene; None forgets it. `created_at`: when Stash created the scene."""
        if memory is None:
            self.forget([scene])
        else:
            values = {**vars(memory), **self._values(memory)}
            self._db.execute(self._save, {**values, "scene": scene, "created_at": clean(created_at)})

    def prolong(self, scene: int, until: int) -> None:
        """Extend the time until which the open request for this scene may take effect."""
        self._db.execute(self._prolong, {"scene": scene, "until": until})

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget what is remembered of these scenes."""
        self._db.execute(self._forget, {"scenes": list(scenes)})

    @staticmethod
    @abstractmethod
    def _values(memory: M) -> dict[str, object]:
        """Those of its values that are not stored as they are."""


class ReadOnlyWatches(ReadOnlyMemory[RememberedResume]):
    """Read access to the memory of resume points."""

    _list, _scenes, _to_take_back = LIST_RESUME, RESUME_SCENES, RESUME_TO_TAKE_BACK

    @staticmethod
    def _memory(row: Row) -> RememberedResume:
        _, _, item, moment, count, offset, position, before, sending, until, undo, seconds = row
        last, sent = Watched(item, ViewState(count, moment, offset)), sending if sending >= 0 else None
        undone = TakenBack.UNDO if undo else TakenBack.NO
        # For a mark that a damaged page has changed, nothing is put back.
        original = before if undo in ("", "asked") else position
        return RememberedResume(last, position, original, sent, until, undone, decimal(seconds, -1.0))


class Watches(ScenesMemory[RememberedResume], ReadOnlyWatches):
    """Read and write access to the memory of resume points."""

    _save, _prolong, _forget = SAVE_RESUME, PROLONG_RESUME, FORGET_RESUME

    @staticmethod
    def _values(memory: RememberedResume) -> dict[str, object]:
        viewing = memory.last.viewing
        return {
            "item": clean(memory.last.item),
            "moment": viewing.moment,
            "view_count": viewing.count,
            "view_offset": viewing.offset,
            "undo": ("asked" if has_written(memory) else "done") if memory.undone else "",
            "seconds_before": repr(memory.seconds_before),
            "sending": NOTHING if memory.sending is None else memory.sending,
        }


class ReadOnlyPlayTimes(ReadOnlyMemory[RememberedTime]):
    """Read access to the memory of play times."""

    _list, _scenes, _to_take_back = LIST_TIME, TIME_SCENES, TIME_TO_TAKE_BACK

    def added(self) -> float:
        """Return how many seconds of all play times are PlexSync's."""
        return sum(time.own_part for time in self._read(self._db.rows(EVERY_TIME)).values())

    @staticmethod
    def _memory(row: Row) -> RememberedTime:
        _, _, total, base, adding, restores, until, withdrawn, owed, wish = row
        added = float(adding) if adding else None
        numbers = (float(total), float(base), added, bool(restores), until, float(withdrawn), float(owed))
        return RememberedTime(*numbers, TimeWish(wish))


class PlayTimes(ScenesMemory[RememberedTime], ReadOnlyPlayTimes):
    """Read and write access to the memory of play times."""

    _save, _prolong, _forget = SAVE_TIME, PROLONG_TIME, FORGET_TIME

    def settle_all(self) -> None:
        """Count all that is owed as sent: what was is unknown."""
        self._db.execute(SETTLE_TIMES)

    @staticmethod
    def _values(memory: RememberedTime) -> dict[str, object]:
        return {
            **{name: repr(getattr(memory, name)) for name in ("total", "base", "withdrawn", "owed")},
            "adding": "" if memory.adding is None else repr(memory.adding),
            "restores": int(memory.restores),
            "wish": str(memory.wish),
        }
