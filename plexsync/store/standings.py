"""How each scene stood in the last comparison that saw it, and since when: for those that the queue knows nothing of."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.job import State
from plexsync.rules.records import Stood
from plexsync.rules.scene_status import AMBIGUOUS, FAILED, IN_STEP, STATES, WAITING, word_of
from plexsync.store.intake import LAST_ID

FIND = "select word, since from standing where scene = :scene"
LIST = "select scene from standing where word = :word and scene > :after order by scene limit :limit"
KNOWN = "select scene, word from standing where scene in (select value from json_each(:scenes))"
SAVE = """
insert into standing (scene, word, since) values (:scene, :word, :now)
on conflict (scene) do update set word = :word, since = :now
"""
# Of every scene that has a row or was seen: the row's state and whether it died of being ambiguous, what was seen, how many
# there are, and since when the one is so that has been the longest.
COUNTS = """
select job.state, job.state = 'dead' and job.cls = 'ambiguous', coalesce(standing.word, ''), count(*),
       min(job.since), min(standing.since)
  from job left join standing on standing.scene = job.id
 where job.kind = 'scene'
 group by 1, 2, 3
 union all
select null, 0, word, count(*), null, min(since)
  from standing
 where not exists (select 1 from job where job.kind = 'scene' and job.id = standing.scene)
 group by 3
"""
# Of the scenes that stand so by their row. Those that wait are sorted, as many as there are; all others are met in order by
# an index, those in step by the table itself.
_RARE = "state <> 'ready' and state <> 'running' and state <> 'idle'"
_BEHIND = "kind = 'scene' and id > :after order by id limit :limit"
ROWS = f"select id from job where {_BEHIND}"
STANDINGS = "select scene from standing where scene > :after order by scene limit :limit"
IDLE = f"select id from job where state = 'idle' and {_BEHIND}"
READY = f"select id from job indexed by job_due where state in ('ready', 'absent') and state = 'ready' and {_BEHIND}"
RUNNING = f"select id from job indexed by job_lease where state = 'running' and {_BEHIND}"
RARE = f"select id from job indexed by job_state where {_RARE} and state = :state and {_BEHIND}"
OF_AMBIGUOUS = f"select id from job indexed by job_dead where state = 'dead' and cls = 'ambiguous' and {_BEHIND}"
OF_FAILED = (
    f"select id from job indexed by job_state where {_RARE} and state = 'dead' and cls <> 'ambiguous' and {_BEHIND}"
)
# Of those that have no row: by what was seen. Not beyond `upto`, where a page of rows ends already.
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
DROP = """
delete from standing
 where scene > :after and scene <= :upto and scene not in (select value from json_each(:but))
"""


def find(db: sqlite3.Connection, scene: int) -> Stood | None:
    """How one scene stood; None when no comparison has seen it."""
    row = db.execute(FIND, {"scene": scene}).fetchone()
    return Stood(row[0], row[1]) if row else None


def listed(db: sqlite3.Connection, word: str, *, limit: int, after: int) -> list[int]:
    """Up to `limit` scenes that stood so, by id, above `after`."""
    return [id for (id,) in db.execute(LIST, {"word": word, "limit": limit, "after": after})]


def counts(db: sqlite3.Connection) -> dict[str, tuple[int, int | None]]:
    """By the words of `plexsync.rules.scene_status`: how many scenes stand so, and since when the one that has done so
    the longest."""
    found: dict[str, tuple[int, int | None]] = {}
    for state, ambiguous, seen, count, row_since, seen_since in db.execute(COUNTS):
        word = word_of(State(state) if state else None, "ambiguous" if ambiguous else "", seen)
        lasts = bool(seen) and word_of(None, "", seen) == word
        before, since = found.get(word, (0, None))
        moments = [moment for moment in (since, seen_since if lasts else row_since) if moment is not None]
        found[word] = (before + count, min(moments, default=None))
    return found


def standing_so(db: sqlite3.Connection, word: str, *, limit: int, after: int) -> list[int]:
    """Up to `limit` scenes above `after` that stand so ('': in any way), by number; `counts` counts the same ones."""
    if not word:
        known = {id for sql in (ROWS, STANDINGS) for (id,) in db.execute(sql, {"limit": limit, "after": after})}
        return sorted(known)[:limit]
    found: list[int] = []
    for sql, state in _BY_ROW.get(word, ()):
        rows = db.execute(sql, {"state": state, "limit": limit, "after": after})
        found += [id for (id,) in rows]
    found = sorted(found)[:limit]
    upto = found[-1] if len(found) == limit else LAST_ID
    for (seen,) in db.execute(SEEN_WORDS).fetchall():
        if word_of(None, "", seen) == word:
            values = {"word": seen, "limit": limit, "after": after, "upto": upto}
            found += [id for (id,) in db.execute(SEEN_SO, values)]
    return sorted(found)[:limit]


_BY_ROW: Mapping[str, Sequence[tuple[str, str]]] = {
    IN_STEP: ((IDLE, ""),),
    WAITING: ((READY, ""), (RUNNING, "")),
    AMBIGUOUS: ((OF_AMBIGUOUS, ""),),
    FAILED: ((OF_FAILED, ""),),
    **{word: ((RARE, state),) for state, word in STATES.items() if word not in (IN_STEP, WAITING)},
}


def save(db: sqlite3.Connection, words: Mapping[int, str], *, now: int) -> None:
    """Scenes stand so; only those are written that stood otherwise before, or were never seen."""
    known = dict(db.execute(KNOWN, {"scenes": json.dumps(list(words))}).fetchall())
    news: Sequence[dict[str, object]] = [
        {"scene": scene, "word": word, "now": now} for scene, word in words.items() if known.get(scene) != word
    ]
    db.executemany(SAVE, news)


def drop(db: sqlite3.Connection, but: Iterable[int], *, after: int, upto: int) -> None:
    """Forget the scenes in this range of ids that are not among these."""
    db.execute(DROP, {"but": json.dumps(list(but)), "after": after, "upto": upto})
