"""The views of items that no known play explains, so that "marked as played" is told from history that was deleted.

See `plexsync.rules.plays.marked_plays`. The views are those of the account of the token.
"""

from collections.abc import Iterable, Mapping

from plexsync.rules.plays.marked_plays import NEAR, CountedViews
from plexsync.store.connection import Table, clean

LIST = """
select item, unexplained, moment, noticed_at from view_count where item in (select value from json_each(:items))
"""
# An inspection can come before the row of a play.
COUNT_UNEXPLAINED = """
select count(*) from view_count
 where moment > 0 and not exists (
     select 1 from played
      where played.item = view_count.item
        and played.moment between view_count.moment - :near and view_count.moment + :near
 )
"""
ADD = """
insert into view_count (item, unexplained, moment, noticed_at) values (:item, :unexplained, :moment, :noticed_at)
on conflict (item) do nothing
"""
CHANGE = """
update view_count set unexplained = :unexplained, moment = :moment, noticed_at = :noticed_at
 where item = :item and unexplained = :before
"""
# The rows that are about to be dropped from the saved history: their views stay explained.
_DROPPED = """
select count(*) from played
 where played.item = view_count.item and account = :account and listed_at <> :listed_at and history_key <> 'marked'
"""
EXPLAIN_UNLISTED = f"""
update view_count set unexplained = unexplained + ({_DROPPED})
 where item in (
     select item from played where account = :account and listed_at <> :listed_at and history_key <> 'marked'
 )
"""
EXPLAIN_MARKS = """
update view_count
   set unexplained = unexplained + (
       select count(*) from played where played.item = view_count.item and history_key = 'marked'
   )
 where item in (select item from played where history_key = 'marked')
"""
FORGET = "delete from view_count"


class ReadOnlyViewCounts(Table):
    """Read access to the views of items."""

    def of(self, items: Iterable[str]) -> dict[str, CountedViews]:
        """Return what is remembered of the views of these items, by key."""
        rows = self._db.rows(LIST, {"items": list(items)})
        return {row["item"]: CountedViews(row["unexplained"], row["moment"], row["noticed_at"]) for row in rows}

    def count_unexplained(self) -> int:
        """Count the items with a view of a known moment that no play explains."""
        return int(self._db.value(COUNT_UNEXPLAINED, {"near": NEAR}))


class ViewCounts(ReadOnlyViewCounts):
    """Read and write access to the views of items."""

    def save(self, changes: Mapping[str, tuple[CountedViews | None, CountedViews]]) -> None:
        """Save what changed, by item key, as (before, after).

        A change of an item that was changed otherwise since it was read is left out: the next look decides again.
        """
        rows = [
            {
                "item": clean(item),
                "unexplained": after.unexplained,
                "moment": after.moment,
                "noticed_at": after.noticed_at,
                "before": before.unexplained if before else None,
            }
            for item, (before, after) in changes.items()
            if before != after
        ]
        added = [{name: row[name] for name in row if name != "before"} for row in rows if row["before"] is None]
        changed = [row for row in rows if row["before"] is not None]
        if added:
            self._db.execute_many(ADD, added)
        if changed:
            self._db.execute_many(CHANGE, changed)

    def explain_unlisted(self, account: int, *, listed_at: int) -> None:
        """Keep the views explained whose plays `drop_unlisted` is about to drop."""
        self._db.execute(EXPLAIN_UNLISTED, {"account": account, "listed_at": listed_at})

    def explain_marks(self) -> None:
        """Keep the views explained whose marks `drop_marks` is about to drop."""
        self._db.execute(EXPLAIN_MARKS)

    def forget(self) -> None:
        """Forget all: the views that are there at the next look count as dealt with."""
        self._db.execute(FORGET)
