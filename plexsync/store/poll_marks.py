"""What the poller last saw of each thing in Stash."""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from plexsync.rules.job import Kind
from plexsync.rules.records import Seen
from plexsync.store.db import clean

LIST = """
select id, updated_at, sure from seen where kind = :kind and id in (select value from json_each(:ids))
"""
UNSURE = "select id, updated_at, sure from seen where kind = :kind and sure = 0 order by id"
SAVE = "insert or replace into seen (kind, id, updated_at, sure) values (:kind, :id, :updated_at, :sure)"
FORGET = "delete from seen where kind = :kind"


def listed(db: sqlite3.Connection, kind: Kind, ids: Sequence[int]) -> dict[int, Seen]:
    """What was seen of these things, by id; those never seen are left out."""
    rows = db.execute(LIST, {"kind": kind, "ids": json.dumps(list(ids))})
    return {id: Seen(id, updated_at, bool(sure)) for id, updated_at, sure in rows}


def unsure(db: sqlite3.Connection, kind: Kind) -> list[Seen]:
    """What was seen in a second that was not over yet, by id."""
    return [Seen(id, updated_at, bool(sure)) for id, updated_at, sure in db.execute(UNSURE, {"kind": kind})]


def save(db: sqlite3.Connection, kind: Kind, seen: Iterable[Seen]) -> None:
    """Replace what was seen of these things."""
    db.executemany(
        SAVE,
        [{"kind": kind, "id": one.id, "updated_at": clean(one.updated_at), "sure": int(one.sure)} for one in seen],
    )


def forget(db: sqlite3.Connection, kind: Kind) -> None:
    """Forget all that was seen of one kind."""
    db.execute(FORGET, {"kind": kind})
