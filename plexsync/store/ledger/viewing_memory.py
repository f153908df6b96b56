"""Viewings: what an account has watched in Plex, as its players have told; and what is remembered of play times in Stash.

See `plexsync.rules.plays.viewings` and `plexsync.rules.plays.play_time`. Neither is pruned: a viewing tells what a play
was, and a play time what an undo takes back.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.store.connection import Row, Table, clean, rows_of

_COLUMNS = """account, item, began, session, machine, player, length, ended, place, state, pieces, joined, moment, queued,
    sent, opened, scene"""
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
UNQUEUED = f"""
select {_COLUMNS} from viewing
 where played > queued and account = :account and (state = 'stopped' or ended < :before or queued < 0) order by ended
"""
LAST = f"select {_COLUMNS} from viewing where account = :account and item = :item order by began desc limit 50"
SINCE = f"select {_COLUMNS} from viewing where account = :account and ended >= :since order by began"
HEARD = "select max(ended) from viewing where account = :account"
COUNT = """
select count(*), coalesce(sum(case when moment > 0 then 1 else 0 end), 0)
  from viewing where account = :account and ended >= :since
"""
OPENED = f"select {_COLUMNS} from viewing where opened > 0 and scene in (select value from json_each(:scenes))"
SAVE = """
insert into viewing (account, item, began, session, machine, player, length, ended, place, state, pieces, played, joined,
    moment, path_key, size)
values (:account, :item, :began, :session, :machine, :player, :length, :ended, :place, :state, :pieces, :played, :joined,
    :moment, coalesce((select path_key from part where item = :item and position = 0), ''),
    coalesce((select size from part where item = :item and position = 0), 0))
on conflict (account, item, began) do update
   set session = excluded.session, length = excluded.length, ended = excluded.ended, place = excluded.place,
       state = excluded.state, pieces = excluded.pieces, played = excluded.played, moment = excluded.moment
"""
MARK_QUEUED = "update viewing set queued = :queued where account = :account and item = :item and began = :began"
OPEN = """
update viewing set opened = :opened, scene = :scene where account = :account and item = :item and began = :began
"""
ARRIVED = "update viewing set sent = opened, opened = 0 where opened > 0 and scene = :scene"
WITHDRAWN = "update viewing set opened = 0 where opened > 0 and scene = :scene"
SETTLE_ALL = "update viewing set queued = played, sent = played, opened = 0"
FORGET = "delete from viewing"
ANY = "select 1 from viewing limit 1"

_STATES = frozenset(SessionState)
_PIECES = msgspec.json.Decoder(tuple[tuple[int, int], ...])

EVERY_TIME = """
select scene, scene_created_at, total, base, adding, restores, until, withdrawn, owed, wish from play_time
"""
TIMES = f"{EVERY_TIME} where scene in (select value from json_each(:scenes))"
TIME_SCENES = "select scene from play_time where scene > :after order by scene limit :limit"
TO_TAKE_BACK = "select scene from play_time where wish = 'undo' order by scene"
SAVE_TIME = """
insert or replace into play_time (scene, scene_created_at, total, base, adding, restores, until, withdrawn, owed, wish)
values (:scene, :created_at, :total, :base, :adding, :restores, :until, :withdrawn, :owed, :wish)
"""
PROLONG = "update play_time set until = :until where scene = :scene and adding <> ''"
FORGET_TIMES = "delete from play_time where scene in (select value from json_each(:scenes))"


class ReadOnlyViewings(Table):
    """Read access to viewings."""

    def of(self, account: int, items: Iterable[str], *, since: int = 0) -> list[Viewing]:
        """Return the viewings of these items that ended at the second `since` or later.

        Those of an item that has not the file that was watched are left out.
        """
        return _viewings(self._db.rows(OF_ITEMS, {"account": account, "items": list(items), "since": since}))

    def are_there(self) -> bool:
        """Whether there are any."""
        return bool(self._db.row(ANY))

    def opened(self, scenes: Iterable[int]) -> list[Viewing]:
        """Return the viewings that an open request to one of these scenes adds."""
        return _viewings(self._db.rows(OPENED, {"scenes": list(scenes)}))

    def unqueued(self, account: int, *, before: int) -> list[Viewing]:
        """Return the viewings that have ended, or are silent since then, or are a play, and were not queued."""
        return _viewings(self._db.rows(UNQUEUED, {"account": account, "before": before}))

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

    def mark_queued(self, viewings: Iterable[Viewing], *, now: int) -> None:
        """Save that the scenes of these were queued for as much as they have; one that goes on ends later."""
        rows = [{**_key(viewing), "queued": viewing.played - (not viewing.has_ended(now))} for viewing in viewings]
        self._db.execute_many(MARK_QUEUED, rows)

    def mark_unqueued(self, viewings: Iterable[Viewing]) -> None:
        """Save that the scenes of these have to be queued now."""
        self._db.execute_many(MARK_QUEUED, [{**_key(viewing), "queued": -1} for viewing in viewings])

    def begin(self, scene: int, viewings: Iterable[tuple[Viewing, int]]) -> None:
        """Save that a request to a scene adds these viewings, each up to so much."""
        rows = [{**_key(viewing), "opened": opened, "scene": scene} for viewing, opened in viewings]
        self._db.execute_many(OPEN, rows)

    def end(self, scene: int, *, arrived: bool) -> None:
        """Save whether what a request to a scene adds is there."""
        self._db.execute(ARRIVED if arrived else WITHDRAWN, {"scene": scene})

    def settle_all(self) -> None:
        """Count all as sent: what was is unknown."""
        self._db.execute(SETTLE_ALL)

    def forget(self) -> None:
        """Forget all: the items are another server's."""
        self._db.execute(FORGET)


class ReadOnlyPlayTimes(Table):
    """Read access to the memory of play times."""

    def of(self, scenes: Mapping[int, str]) -> dict[int, RememberedTime]:
        """Return what is remembered of these scenes, given as id and time of creation."""
        return _times(rows_of(self._db.rows(TIMES, {"scenes": list(scenes)}), scenes))

    def of_ids(self, scenes: Sequence[int]) -> dict[int, RememberedTime]:
        """Return what is remembered under these ids, whichever scene has them now."""
        return _times(self._db.rows(TIMES, {"scenes": list(scenes)}))

    def scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` whose play time is remembered, by number."""
        return [scene for (scene,) in self._db.rows(TIME_SCENES, {"after": after, "limit": limit})]

    def added(self) -> float:
        """Return how many seconds of all play times are PlexSync's."""
        return sum(time.own_part for time in _times(self._db.rows(EVERY_TIME)).values())

    def to_take_back(self) -> list[int]:
        """Return the scenes whose play time you asked to take back."""
        return [scene for (scene,) in self._db.rows(TO_TAKE_BACK)]


class PlayTimes(ReadOnlyPlayTimes):
    """Read and write access to the memory of play times."""

    def save(self, scene: int, created_at: str, time: RememberedTime | None) -> None:
        """Save what is remembered of a scene; None forgets it. `created_at`: when Stash created the scene."""
        if time is None:
            self.forget([scene])
            return
        texts = {name: repr(getattr(time, name)) for name in ("total", "base", "withdrawn", "owed")}
        adding = "" if time.adding is None else repr(time.adding)
        values = {**vars(time), **texts, "adding": adding, "restores": int(time.restores), "wish": str(time.wish)}
        self._db.execute(SAVE_TIME, {**values, "scene": scene, "created_at": clean(created_at)})

    def prolong(self, scene: int, until: int) -> None:
        """Extend the time until which the open request for this scene may take effect."""
        self._db.execute(PROLONG, {"scene": scene, "until": until})

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget what is remembered of these scenes."""
        self._db.execute(FORGET_TIMES, {"scenes": list(scenes)})


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


def _times(rows: Iterable[Row]) -> dict[int, RememberedTime]:
    """The memories in these rows. One that a damaged page has changed counts as unknown: nothing is taken back for it."""
    times = {}
    for scene, _, total, base, adding, restores, until, withdrawn, owed, wish in rows:
        with suppress(ValueError):
            added = float(adding) if adding else None
            numbers = (float(total), float(base), added, bool(restores), until, float(withdrawn), float(owed))
            times[scene] = RememberedTime(*numbers, TimeWish(wish))
    return times
