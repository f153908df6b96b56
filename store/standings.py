"""How each scene stood in the last comparison that saw it, and since when: for those that the queue knows nothing of."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from sync.ports import Stood

FIND = "select word, since from standing where scene = :scene"
LIST = "select scene from standing where word = :word and scene > :after order by scene limit :limit"
KNOWN = "select scene, word from standing where scene in (select value from json_each(:scenes))"
SAVE = """
insert into standing (scene, word, since) values (:scene, :word, :now)
on conflict (scene) do update set word = :word, since = :now
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
