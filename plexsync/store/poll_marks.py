"""What the poller last saw of each thing in Stash."""

import json
from collections.abc import Iterable, Sequence

from plexsync.rules.job import Kind
from plexsync.rules.records import PollMark
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = """
select id, updated_at, sure from seen where kind = :kind and id in (select value from json_each(:ids))
"""
UNSURE = "select id, updated_at, sure from seen where kind = :kind and sure = 0 order by id"
SAVE = "insert or replace into seen (kind, id, updated_at, sure) values (:kind, :id, :updated_at, :sure)"
FORGET = "delete from seen where kind = :kind"


class ReadOnlyPollMarks(Table):
    """The poller's marks, to look at."""

    def of(self, kind: Kind, ids: Sequence[int]) -> dict[int, PollMark]:
        """What was seen of these things, by id; those never seen are left out."""
        rows = self._db.rows(LIST, {"kind": kind, "ids": json.dumps(list(ids))})
        return {id: PollMark(id, updated_at, bool(sure)) for id, updated_at, sure in rows}

    def unsure(self, kind: Kind) -> list[PollMark]:
        """What was seen in a second that was not over yet, by id: it is wanted once more at the next poll."""
        return [PollMark(id, updated_at, bool(sure)) for id, updated_at, sure in self._db.rows(UNSURE, {"kind": kind})]


class PollMarks(ReadOnlyPollMarks):
    """The poller's marks."""

    def save(self, kind: Kind, marks: Iterable[PollMark]) -> None:
        """Replace what was seen of these things."""
        self._db.execute_many(
            SAVE,
            [
                {"kind": kind, "id": mark.id, "updated_at": clean(mark.updated_at), "sure": int(mark.sure)}
                for mark in marks
            ],
        )

    def forget(self, kind: Kind) -> None:
        """Forget all that was seen of one kind."""
        self._db.execute(FORGET, {"kind": kind})
