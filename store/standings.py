"""How each scene stood in the last comparison that saw it, and since when: for those that the queue knows nothing of."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from sync.job import State
from sync.ports import Stood
from sync.standing import word_of

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
    """By the words of `sync.standing`: how many scenes stand so, and since when the one that has done so the longest."""
    found: dict[str, tuple[int, int | None]] = {}
    for state, ambiguous, seen, count, row_since, seen_since in db.execute(COUNTS):
        word = word_of(State(state) if state else None, "ambiguous" if ambiguous else "", seen)
        lasts = bool(seen) and word_of(None, "", seen) == word
        before, since = found.get(word, (0, None))
        moments = [moment for moment in (since, seen_since if lasts else row_since) if moment is not None]
        found[word] = (before + count, min(moments, default=None))
    return found


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
