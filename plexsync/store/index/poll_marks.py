"""The state of each object in Stash at the last poll."""

from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.queue.job import Kind
from plexsync.rules.records import PollMark
from plexsync.store.connection import Table, clean

LIST = """
select id, updated_at, sure from seen where kind = :kind and id in (select value from json_each(:ids))
"""
NEWEST = "select id, updated_at, sure from seen where kind = :kind order by id limit :limit"
UNSURE = "select id, updated_at, sure from seen where kind = :kind and sure = 0 order by id"
SAVE = "insert or replace into seen (kind, id, updated_at, sure) values (:kind, :id, :updated_at, :sure)"
FORGET = "delete from seen where kind = :kind"


class ReadOnlyPollMarks(Table):
    """Read access to the marks of the poller."""

    def of(self, kind: Kind, ids: Sequence[int]) -> dict[int, PollMark]:
        """Return the marks of these objects, by id. Objects never polled are left out."""
        return {mark.id: mark for mark in self._read(LIST, {"kind": kind, "ids": list(ids)})}

    def newest(self, kind: Kind, *, limit: int) -> list[PollMark]:
        """Return up to `limit` marks, by id: of objects that had the newest time at the last poll."""
        return self._read(NEWEST, {"kind": kind, "limit": limit})

    def unsure(self, kind: Kind) -> list[PollMark]:
        """Return marks taken in a second that was not over yet, by id. The next poll queues these objects once more."""
        return self._read(UNSURE, {"kind": kind})

    def _read(self, sql: str, values: Mapping[str, object]) -> list[PollMark]:
        return [PollMark(id, updated_at, bool(sure)) for id, updated_at, sure in self._db.rows(sql, values)]


class PollMarks(ReadOnlyPollMarks):
    """Read and write access to the marks of the poller."""

    def save(self, kind: Kind, marks: Iterable[PollMark]) -> None:
        """Replace the marks of these objects."""
        self._db.execute_many(
            SAVE,
            [
                {"kind": kind, "id": mark.id, "updated_at": clean(mark.updated_at), "sure": int(mark.sure)}
                for mark in marks
            ],
        )

    def forget(self, kind: Kind) -> None:
        """Forget all marks of one kind."""
        self._db.execute(FORGET, {"kind": kind})
