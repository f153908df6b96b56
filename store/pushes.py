"""The history of what was changed in Plex: for each (scene, item) the newest pushes, field by field, old and new.

It is for people to read; what is known about an item for the next plan is in `store.memories`.
"""

import sqlite3
from collections.abc import Mapping

from store import tallies
from store.documents import decode, encode
from sync.job import Kind
from sync.plan import Held
from sync.ports import Moved, PushRow

KEPT = 20
# So many are dated anew at once: a whole table of them would hold up everyone who writes.
UNDATED = 50
# A summary may be long, and twenty of them twice: for reading, its beginning is enough.
LONGEST_TEXT = 500

ADD = "insert into push (scene, key, at, document) values (:scene, :key, :at, :document)"
FORGET_OLD = f"""
delete from push
 where scene = :scene and key = :key and number <= (
    select number from push where scene = :scene and key = :key order by number desc limit 1 offset {KEPT}
 )
"""
LIST = "select key, at, document from push where scene = :scene order by number desc"
# What is dated in a future that the clock has left again would never grow old.
UNDATE = f"""
update push set at = :now where number in (
    select number from push indexed by push_at where at > :now limit {UNDATED}
)
"""
PRUNE = """
delete from push where number in (
    select number from push indexed by push_at where at < :before order by at limit :limit
)
"""


def add(db: sqlite3.Connection, scene: int, key: str, moved: Mapping[str, Moved], *, at: int) -> None:
    """Write down what a push has changed, by field; of each (scene, item) the newest twenty are kept."""
    if moved:
        document = encode({name: Moved(_short(one.old), _short(one.new)) for name, one in moved.items()}, (scene, key))
        db.execute(ADD, {"scene": scene, "key": key, "at": at, "document": document})
        db.execute(FORGET_OLD, {"scene": scene, "key": key})


def listed(db: sqlite3.Connection, kind: Kind, id: int) -> list[PushRow]:
    """A scene's pushes, newest first; other things than scenes have none."""
    rows = db.execute(LIST, {"scene": id}) if kind is Kind.SCENE else ()
    what = f"a past push of scene {id}"
    found = ((key, at, decode(document, dict[str, Moved], what, (id, key))) for key, at, document in rows)
    return [PushRow(at, key, moved) for key, at, moved in found if moved]


def prune(db: sqlite3.Connection, *, now: int, before: int, limit: int) -> int:
    """Delete up to `limit` of the pushes made before `before`, oldest first; returns how many, and counts them.

    Of those that are dated after `now`, the next `UNDATED` are of now from here on.
    """
    db.execute(UNDATE, {"now": now})
    count = db.execute(PRUNE, {"before": before, "limit": limit}).rowcount
    tallies.add(db, "pushes_pruned", count)
    return count


def _short(held: Held) -> Held:
    if isinstance(held.value, tuple):
        return held
    text = held.value if len(held.value) <= LONGEST_TEXT else held.value[:LONGEST_TEXT] + "…"
    return Held(text, held.locked)
