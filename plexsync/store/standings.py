"""How each scene stood in its last comparison, and since when: for scenes that have no job."""

import json
from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.records import Stood
from plexsync.rules.status_words import STATUSES, SceneStatus, status_of
from plexsync.store.connection import Table
from plexsync.store.counts import COUNT_STANDINGS, IS_MARKED, IS_RARE
from plexsync.store.intake import LAST_ID

FIND = "select word, since from standing where scene = :scene"
LIST = "select scene from standing where word = :word and scene > :after order by scene limit :limit"
SAVE = """
insert into standing (scene, word, since) values (:scene, :word, :now)
on conflict (scene) do update set word = excluded.word, since = excluded.since where standing.word <> excluded.word
"""
# Scenes by the state of their row. Ready rows are sorted, all of them; other states are read in order from an index,
# and idle rows from the table itself.
_BEHIND = "kind = 'scene' and id > :after order by id limit :limit"
ROWS = f"select id from job where {_BEHIND}"
STANDINGS = "select scene from standing where scene > :after order by scene limit :limit"
_MARK = "select 1 from memory indexed by memory_undone where undone <> '' and flow = 'scene' and subject ="
IDLE = f"""
select id from job
 where state = 'idle' and not exists ({_MARK} job.id and {IS_MARKED}) and {_BEHIND}
"""
# Idle rows by their mark, in the order of the index on it.
_RESTING = """
select distinct subject from memory as own indexed by memory_undone
 where undone <> '' and undone = :mark and subject > :after and flow = 'scene'
   and exists (select 1 from job where kind = 'scene' and id = own.subject and state = 'idle')
"""
UNDONE = f"{_RESTING} order by subject limit :limit"
RELEASED = f"{_RESTING} and not exists ({_MARK} own.subject and undone = 'undo') order by subject limit :limit"
READY = f"select id from job indexed by job_due where state in ('ready', 'absent') and state = 'ready' and {_BEHIND}"
RUNNING = f"select id from job indexed by job_lease where state = 'running' and {_BEHIND}"
RARE = f"select id from job indexed by job_state where {IS_RARE} and state = :state and {_BEHIND}"
OF_AMBIGUOUS = f"select id from job indexed by job_dead where state = 'dead' and cls = 'ambiguous' and {_BEHIND}"
OF_FAILED = (
    f"select id from job indexed by job_state where {IS_RARE} and state = 'dead' and cls <> 'ambiguous' and {_BEHIND}"
)
# Scenes without a row, by their standing; only up to `upto`, where a page of rows already ends.
SEEN_SO = """
select scene from standing indexed by standing_word
 where word = :word and scene > :after and scene <= :upto
   and not exists (select 1 from job where job.kind = 'scene' and job.id = standing.scene)
 order by scene limit :limit
"""
SEEN_WORDS = """
with recursive known (word) as (
    select min(word) from standing
    union all
    select (select min(word) from standing where word > known.word) from known where known.word is not null
)
select word from known where word is not null
"""
_MISSING = "scene > :after and scene <= :upto and scene not in (select value from json_each(:scenes))"
COUNT = "select count(*) from standing"
COUNT_COMPARED = "select count(*) from standing where word = :word"
COUNT_MISSING = f"select count(*) from standing where {_MISSING}"
OF = "select scene from standing where scene in (select value from json_each(:scenes))"
# A scene whose row is to be looked at keeps its standing until then: it tells that the scene was there when last seen.
DROP = f"""
delete from standing
 where {_MISSING} and not exists (
    select 1 from job
     where job.kind = 'scene' and job.id = standing.scene
       and job.state not in ('gone', 'dead', 'dropped', 'ignored')
 )
"""


class ReadOnlyStandings(Table):
    """Read access to the standings."""

    def find(self, scene: int) -> Stood | None:
        """Return how a scene stood in the last comparison that saw it; None if none has."""
        row = self._db.row(FIND, {"scene": scene})
        return Stood(row[0], row[1]) if row else None

    def count(self) -> int:
        """Count the scenes that have one: they were in Stash when last seen."""
        return int(self._db.value(COUNT))

    def of(self, scenes: Iterable[int]) -> list[int]:
        """Return those of these scenes that have one."""
        return [scene for (scene,) in self._db.rows(OF, {"scenes": json.dumps(list(scenes))})]

    def count_missing(self, present: Iterable[int], *, after: int, upto: int = LAST_ID) -> int:
        """Count the scenes above `after`, up to `upto`, that have one and are not among `present`."""
        return int(self._db.value(COUNT_MISSING, {"scenes": json.dumps(list(present)), "after": after, "upto": upto}))

    def compared(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` that stood so in the last comparison that saw them, by number."""
        return [id for (id,) in self._db.rows(LIST, {"word": word, "limit": limit, "after": after})]

    def count_compared(self, word: str) -> int:
        """Count the scenes that stood so when they were last seen."""
        return int(self._db.value(COUNT_COMPARED, {"word": word}))

    def counts(self) -> dict[SceneStatus, tuple[int, int | None]]:
        """Return, by status, the number of scenes and the earliest time since when one of them has had it."""
        counts: dict[SceneStatus, tuple[int, int | None]] = {}
        for state, ambiguous, seen, mark, count, row_since, seen_since in self._db.rows(COUNT_STANDINGS):
            status = status_of(state, "ambiguous" if ambiguous else "", seen, mark)
            lasts = bool(seen) and status_of(None, "", seen) is status
            before, since = counts.get(status, (0, None))
            moments = [moment for moment in (since, seen_since if lasts else row_since) if moment is not None]
            counts[status] = (before + count, min(moments, default=None))
        return counts

    def scenes(self, status: SceneStatus | None, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` with this status (None: any), by number.

        `counts` counts the same scenes.
        """
        if status is None:
            ids = {id for sql in (ROWS, STANDINGS) for (id,) in self._db.rows(sql, {"limit": limit, "after": after})}
            return sorted(ids)[:limit]
        scenes: list[int] = []
        for sql, chosen in _BY_ROW.get(status, ()):
            rows = self._db.rows(sql, {"limit": limit, "after": after, **chosen})
            scenes += [id for (id,) in rows]
        scenes = sorted(scenes)[:limit]
        upto = scenes[-1] if len(scenes) == limit else LAST_ID
        for (seen,) in self._db.rows(SEEN_WORDS):
            if status_of(None, "", seen) is status:
                values = {"word": seen, "limit": limit, "after": after, "upto": upto}
                scenes += [id for (id,) in self._db.rows(SEEN_SO, values)]
        return sorted(scenes)[:limit]

    def without_job(self, statuses: Iterable[SceneStatus], *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` without a job that had one of these statuses in the last comparison."""
        chosen = set(statuses)
        scenes: list[int] = []
        for (seen,) in self._db.rows(SEEN_WORDS):
            if status_of(None, "", seen) in chosen:
                values = {"word": seen, "limit": limit, "after": after, "upto": LAST_ID}
                scenes += [id for (id,) in self._db.rows(SEEN_SO, values)]
        return sorted(scenes)[:limit]


class Standings(ReadOnlyStandings):
    """Read and write access to the standings."""

    def save(self, words: Mapping[int, str], *, now: int) -> None:
        """Save how scenes stand now. The time since when is kept if nothing changed."""
        self._db.execute_many(SAVE, [{"scene": scene, "word": word, "now": now} for scene, word in words.items()])

    def drop(self, but: Iterable[int], *, after: int, upto: int = LAST_ID) -> None:
        """Forget the standings of scenes above `after`, up to `upto`, that are not in `but`."""
        self._db.execute(DROP, {"scenes": json.dumps(list(but)), "after": after, "upto": upto})


_BY_STATE = {"idle": IDLE, "ready": READY, "running": RUNNING, "dead": OF_FAILED}
_BY_ROW: Mapping[SceneStatus, Sequence[tuple[str, Mapping[str, str]]]] = {
    **{status: [(_BY_STATE.get(state, RARE), {"state": state}) for state in status.states] for status in STATUSES},
    SceneStatus.AMBIGUOUS: ((OF_AMBIGUOUS, {}),),
    SceneStatus.UNDONE: ((UNDONE, {"mark": "undo"}),),
    SceneStatus.RELEASED: ((RELEASED, {"mark": "release"}),),
}
