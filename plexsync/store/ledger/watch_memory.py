"""Resume points: what is remembered of where each scene is resumed. See `plexsync.rules.plays.resume`.

The memory belongs to the scene that was created at its time, like that of plays, and is never pruned by age: it keeps
what you changed in Stash from being written over.
"""

from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.resume import RememberedResume, Watched, has_written
from plexsync.store.connection import Row, Table, clean, decimal, rows_of

NOTHING = -1

LIST = """
select scene, scene_created_at, item, moment, view_count, view_offset, position, position_before, sending, until, undo,
    seconds_before
  from resume where scene in (select value from json_each(:scenes))
"""
SCENES = "select scene from resume where scene > :after order by scene limit :limit"
TO_PUT_BACK = "select scene from resume where undo = 'asked' order by scene"
SAVE = """
insert or replace into resume
    (scene, scene_created_at, item, moment, view_count, view_offset, position, position_before, sending, until, undo,
    seconds_before)
values (:scene, :created_at, :item, :moment, :view_count, :view_offset, :position, :before, :sending, :until, :undo,
    :seconds_before)
"""
PROLONG = "update resume set until = :until where scene = :scene and sending >= 0"
FORGET = "delete from resume where scene in (select value from json_each(:scenes))"


class ReadOnlyWatches(Table):
    """Read access to the memory of resume points."""

    def of(self, scenes: Mapping[int, str]) -> dict[int, RememberedResume]:
        """Return what is remembered of these scenes, given as id and time of creation.

        What is remembered of another scene that had the id is left out.
        """
        return _by_scene(rows_of(self._db.rows(LIST, {"scenes": list(scenes)}), scenes))

    def of_ids(self, scenes: Sequence[int]) -> dict[int, RememberedResume]:
        """Return what is remembered under these ids, whichever scene has them now."""
        return _by_scene(self._db.rows(LIST, {"scenes": list(scenes)}))

    def to_put_back(self) -> list[int]:
        """Return the scenes whose resume point you asked to put back, and that have not got it yet."""
        return [scene for (scene,) in self._db.rows(TO_PUT_BACK)]

    def scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` whose resume point is remembered, by number."""
        return [scene for (scene,) in self._db.rows(SCENES, {"after": after, "limit": limit})]


class Watches(ReadOnlyWatches):
    """Read and write access to the memory of resume points."""

    def save(self, scene: int, created_at: str, resume: RememberedResume | None) -> None:
        """Save what is remembered of a scene; None forgets it. `created_at`: when Stash created the scene."""
        if resume is None:
            self.forget([scene])
            return
        viewing = resume.last.viewing
        values = {
            **vars(resume),
            "scene": scene,
            "created_at": clean(created_at),
            "item": clean(resume.last.item),
            "moment": viewing.moment,
            "view_count": viewing.count,
            "view_offset": viewing.offset,
            "undo": ("asked" if has_written(resume) else "done") if resume.undone else "",
            "seconds_before": repr(resume.seconds_before),
            "sending": NOTHING if resume.sending is None else resume.sending,
        }
        self._db.execute(SAVE, values)

    def prolong(self, scene: int, until: int) -> None:
        """Extend the time until which the open request for this scene may take effect."""
        self._db.execute(PROLONG, {"scene": scene, "until": until})

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget what is remembered of these scenes."""
        self._db.execute(FORGET, {"scenes": list(scenes)})


def _by_scene(rows: Iterable[Row]) -> dict[int, RememberedResume]:
    memory = {}
    for scene, _, item, moment, count, offset, position, before, sending, until, undo, seconds in rows:
        last, sent = Watched(item, ViewState(count, moment, offset)), sending if sending >= 0 else None
        undone = TakenBack.UNDO if undo else TakenBack.NO
        # For a mark that a damaged page has changed, nothing is put back.
        original = before if undo in ("", "asked") else position
        memory[scene] = RememberedResume(last, position, original, sent, until, undone, decimal(seconds, -1.0))
    return memory
