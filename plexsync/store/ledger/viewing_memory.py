"""Viewings: what an account has watched in Plex, as its players have told. See `plexsync.rules.plays.viewings`.

None is pruned: a viewing tells what a play was.
"""

from collections.abc import Iterable

import msgspec

from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.store.connection import Row, Table, clean

_COLUMNS = """account, item, began, session, machine, player, length, ended, place, state, pieces, joined, moment, queued,
    sent"""
# Of a key that Plex has dealt to another item since, the viewings are not believed: it has not the file that was watched.
_OF_FILE = """(viewing.path_key = '' or exists (
       select 1 from part where part.item = viewing.item
          and (part.path_key = viewing.path_key or (part.size = viewing.size and part.size > 0))
   ))"""
OF_ITEMS = f"""
select {_COLUMNS} from viewing
 where account = :account and ended >= :since and item in (select value from json_each(:items)) and {_OF_FILE}
 order by began
"""
UNQUEUED = f"select {_COLUMNS} from viewing where played > queued and account = :account order by ended"
LAST = f"select {_COLUMNS} from viewing where account = :account and item = :item order by began desc limit 50"
SINCE = f"select {_COLUMNS} from viewing where account = :account and ended >= :since order by began"
HEARD = "select max(ended) from viewing where account = :account"
COUNT = """
select count(*), coalesce(sum(case when moment > 0 then 1 else 0 end), 0)
  from viewing where account = :account and ended >= :since
"""
# Of one that is heard again, what is not sent yet is queued again at its end.
SAVE = """
insert into viewing (account, item, began, session, machine, player, length, ended, place, state, pieces, played, joined,
    moment, path_key, size)
values (:account, :item, :began, :session, :machine, :player, :length, :ended, :place, :state, :pieces, :played, :joined,
    :moment, coalesce((select path_key from part where item = :item and position = 0), ''),
    coalesce((select size from part where item = :item and position = 0), 0))
on conflict (account, item, began) do update
   set session = excluded.session, length = excluded.length, ended = excluded.ended, place = excluded.place,
       state = excluded.state, pieces = excluded.pieces, played = excluded.played, moment = excluded.moment,
       queued = case when viewing.moment <> excluded.moment then 0
                     when viewing.sent < excluded.played and viewing.queued >= excluded.played then excluded.played - 1
                     else viewing.queued end
"""
MARK_QUEUED = "update viewing set queued = :queued where account = :account and item = :item and began = :began"
MARK_SENT = "update viewing set sent = :sent where account = :account and item = :item and began = :began"
SETTLE_ALL = "update viewing set queued = played, sent = played"
FORGET = "delete from viewing"

_STATES = frozenset(SessionState)
_PIECES = msgspec.json.Decoder(tuple[tuple[int, int], ...])


class ReadOnlyViewings(Table):
    """Read access to viewings."""

    def of(self, account: int, items: Iterable[str], *, since: int = 0) -> list[Viewing]:
        """Return the viewings of these items that ended at the second `since` or later.

        Those of an item that has not the file that was watched are left out.
        """
        return _viewings(self._db.rows(OF_ITEMS, {"account": account, "items": list(items), "since": since}))

    def unqueued(self, account: int) -> list[Viewing]:
        """Return the viewings of which more was played than the scene was queued for."""
        return _viewings(self._db.rows(UNQUEUED, {"account": account}))

    def last_of(self, account: int, item: str) -> list[Viewing]:
        """Return the last viewings of an item, the latest first."""
        return _viewings(self._db.rows(LAST, {"account": account, "item": item}))

    def since(self, account: int, moment: int) -> list[Viewing]:
        """Return the account's viewings that ended at this second or later, by their beginnings."""
        return _viewings(self._db.rows(SINCE, {"account": account, "since": moment}))

    def count(self, account: int, *, since: int) -> tuple[int, int]:
        """Count the account's viewings that ended at this second or later, and those of them that are plays."""
        ((total, plays),) = self._db.rows(COUNT, {"account": account, "since": since})
        return total, plays

    def heard_at(self, account: int) -> int | None:
        """Return the moment of the last report of a player, None if there was none."""
        row = self._db.row(HEARD, {"account": account})
        return row[0] if row else None


class Viewings(ReadOnlyViewings):
    """Read and write access to viewings."""

    def save(self, viewings: Iterable[Viewing]) -> None:
        """Save what the players have told. What was sent of them stays as it is."""
        rows = [
            {
                **{name: clean(value) if isinstance(value, str) else value for name, value in vars(viewing).items()},
                "pieces": msgspec.json.encode(viewing.pieces).decode(),
                "played": viewing.played,
                "joined": int(viewing.joined),
            }
            for viewing in viewings
        ]
        self._db.execute_many(SAVE, rows)

    def mark_queued(self, ended: Iterable[Viewing], *, running: Iterable[Viewing] = ()) -> None:
        """Save that the scenes of these were queued for as much as they have; the end of those that go on comes later."""
        rows = [{**_key(viewing), "queued": viewing.played} for viewing in ended]
        rows += [{**_key(viewing), "queued": max(viewing.played - 1, 1)} for viewing in running]
        self._db.execute_many(MARK_QUEUED, rows)

    def mark_sent(self, viewings: Iterable[Viewing]) -> None:
        """Save that these are sent, as far as they were read."""
        self._db.execute_many(MARK_SENT, [{**_key(viewing), "sent": viewing.played} for viewing in viewings])

    def settle_all(self) -> None:
        """Count all as sent: what was is unknown."""
        self._db.execute(SETTLE_ALL)

    def forget(self) -> None:
        """Forget all: the items are another server's."""
        self._db.execute(FORGET)


def _key(viewing: Viewing) -> dict[str, object]:
    return {"account": viewing.account, "item": viewing.item, "began": viewing.began}


def _viewings(rows: Iterable[Row]) -> list[Viewing]:
    """The viewings in these rows. One that a damaged page has changed is over, and nothing of it was played."""
    return [
        Viewing(
            **{
                **dict(row),
                "state": SessionState(row["state"]) if row["state"] in _STATES else SessionState.STOPPED,
                "joined": bool(row["joined"]),
                "pieces": _pieces(row["pieces"]),
            }
        )
        for row in rows
    ]


def _pieces(text: str) -> tuple[tuple[int, int], ...]:
    try:
        return _PIECES.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return ()
