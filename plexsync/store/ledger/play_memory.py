"""Plays: the history of Plex as last listed, and what is remembered about each moment of a scene.

The history is a mirror: it is read from here, so a scene costs no request, and it keeps the file of an item that Plex
has under another key by now. The memory is never pruned by age: it is what keeps a play that you deleted from coming
again. See `plexsync.rules.plays.plays`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

from plexsync.rules.plays.plays import PlaySource, RememberedPlay, SentPlay, state_of
from plexsync.rules.records import PlaysRow
from plexsync.store.connection import Row, ScenesTable, clean
from plexsync.store.documents import LIBRARY, of_this_library

# The file of an item that is not in the index now stays what it was.
SAVE_HISTORY = f"""
insert into played (account, item, moment, library, path_key, size, history_key, listed_at)
values (
    :account, :item, :moment, {LIBRARY},
    coalesce((select path_key from part where item = :item and position = 0), ''),
    coalesce((select size from part where item = :item and position = 0), 0),
    :history_key, :now
)
on conflict (account, item, moment) do update
   set library = case when excluded.library <> '' then excluded.library else played.library end,
       path_key = case when excluded.path_key <> '' then excluded.path_key else played.path_key end,
       size = case when excluded.path_key <> '' then excluded.size else played.size end,
       history_key = excluded.history_key, listed_at = excluded.listed_at
"""
LISTED = """
select item, moment from played
 where account = :account and moment >= :since and item in (select value from json_each(:items))
"""
# Plays of these items, and of items that are gone from the index and had a file that is one of theirs. A key that Plex has
# dealt to another item since is not believed: it is in another library, or has neither the file nor one of its size.
HISTORY = f"""
select played.item as asked, played.moment, played.item, played.history_key, 0 as is_past
  from played
 where played.account = :account and played.moment >= :since
   and played.item in (select value from json_each(:items)) and {of_this_library("played")}
   and (played.path_key = '' or exists (
       select 1 from part
        where part.item = played.item
          and (part.path_key = played.path_key or (part.size = played.size and part.size > 0))
   ))
 union all
select part.item, played.moment, played.item, played.history_key, 1
  from part join played on played.path_key = part.path_key and played.size = part.size
 where part.item in (select value from json_each(:items)) and played.path_key <> ''
   and +played.account = :account and +played.moment >= :since
   and not exists (select 1 from item where item.key = played.item)
 order by 5, 1, 2
"""
# A viewing has no row in the history (`plexsync.rules.plays.viewings`): no reading lists it, so none is its end or drops it.
_IN_HISTORY = "history_key <> 'viewed'"
NEWEST = f"select max(moment) from played where account = :account and {_IN_HISTORY}"
PLAYED_ITEMS = """
select item from played where account = :account and moment >= :since and item > :after
 union select item from viewing where account = :account and ended >= :since and item > :after
 order by item limit :limit
"""
# The items that have the files of these, which are gone from the index.
HEIRS = """
select distinct part.item
  from played join part on part.path_key = played.path_key and part.size = played.size
 where played.account = :account and played.item in (select value from json_each(:items)) and played.path_key <> ''
   and not exists (select 1 from item where item.key = played.item)
 order by 1
"""
HAS_MEMORY = "select 1 from play limit 1"
HAS_HISTORY = "select 1 from played limit 1"
FORGET_HISTORY = "delete from played"
# A row without a rating key is that of a saved play if it has its number and moment.
MARK_LISTED = """
update played set listed_at = :now where account = :account and moment = :moment and history_key = :history_key
"""
UNLISTED = f"""
select 1 from played
 where account = :account and moment >= :since and listed_at <> :listed_at and {_IN_HISTORY} limit 1
"""
DROP_UNLISTED = f"delete from played where account = :account and listed_at <> :listed_at and {_IN_HISTORY}"

# A play that was never sent has the time at which it was played.
LIST = """
select scene, moment, scene_created_at, item, history_key, state, tries, rows_before, until, undo
  from play
 where scene in (select value from json_each(:scenes))
   and case when sent_order > 0 then sent_at else moment * 1000 end between :since and :until
"""
TO_TAKE_BACK = """
select distinct scene from play
 where undo = 1 and (state = 'adding' or state = 'sent' or state = 'removing') order by scene
"""
COUNT_HISTORY = """
select count(*), coalesce(sum(case when exists (
           select 1 from play where play.item = played.item and play.moment = played.moment
       ) then 0 else 1 end), 0)
  from played where account = :account and moment >= :since
"""
SCENES = "select distinct scene from play where scene > :after order by scene limit :limit"
ITEMS_WITH_NEWS = """
select distinct item from played
 where account = :account and item > :after and moment >= :since
   and not exists (select 1 from play where play.item = played.item and play.moment = played.moment)
 order by item limit :limit
"""
HOLDERS = "select item, moment, scene, scene_created_at from play where item in (select value from json_each(:items))"
REQUESTS = """
select sent_at, state, moment from play
 where scene = :scene and sent_order > 0 order by sent_order desc, state, moment
"""
LAST_SENT = """
select scene, moment, scene_created_at, scene_updated_at, sent_at, sent_order
  from play
 where sent_order > 0 and sent_order <= :order and (sent_order < :order or moment < :moment)
   and state = 'sent' and undo = 0
 order by sent_order desc, moment desc limit :limit
"""
# A request of another scene under this id was not this scene's.
_KEEPS = "excluded.sent_order = 0 and play.scene_created_at = excluded.scene_created_at"
SAVE = f"""
insert into play (scene, moment, scene_created_at, scene_updated_at, item, history_key, state, tries, rows_before, until,
    undo, sent_at, sent_order)
values (:scene, :moment, :created_at, :updated_at, :item, :history_key, :state, :tries, :rows_before, :until,
    :undo, :sent_at, :sent_order)
on conflict (scene, moment) do update
   set scene_updated_at = case when {_KEEPS} then play.scene_updated_at else excluded.scene_updated_at end,
       sent_at = case when {_KEEPS} then play.sent_at else excluded.sent_at end,
       sent_order = case when {_KEEPS} then play.sent_order else excluded.sent_order end,
       scene_created_at = excluded.scene_created_at, item = excluded.item, history_key = excluded.history_key,
       state = excluded.state, tries = excluded.tries, rows_before = excluded.rows_before, until = excluded.until,
       undo = excluded.undo
"""
# Greater than the order of any request.
LAST_ORDER = 2**62
NEXT_ORDER = "select coalesce(max(sent_order), 0) + 1 from play where sent_order > 0"
PROLONG = """
update play set until = :until
 where scene = :scene and moment = :moment and (state = 'adding' or state = 'removing')
"""
FORGET = "delete from play where scene = :scene and moment = :moment"
FORGET_SCENES = "delete from play where scene in (select value from json_each(:scenes))"


class ReadOnlyPlays(ScenesTable[dict[int, dict[int, RememberedPlay]]]):
    """Read access to the history of Plex and to the memory of plays."""

    _list, _scenes = LIST, SCENES

    def _read(self, rows: Iterable[Row]) -> dict[int, dict[int, RememberedPlay]]:
        """The plays by scene and moment."""
        plays: dict[int, dict[int, RememberedPlay]] = {}
        for scene, moment, _, item, history_key, state, tries, rows_before, until, undo in rows:
            known, undone = state_of(state, undo)
            play = RememberedPlay(PlaySource(item, history_key), known, tries, rows_before, until, undone)
            plays.setdefault(scene, {})[moment] = play
        return plays

    def history(self, account: int, items: Sequence[str], *, since: int = 0) -> dict[str, dict[int, PlaySource]]:
        """Return the account's plays of these items from the second `since` on, by item key and moment.

        A play of an item that is gone from the index belongs to the item that has its file now.
        """
        values = {"account": account, "items": list(items), "since": since}
        plays: dict[str, dict[int, PlaySource]] = {}
        for asked, moment, item, history_key, _ in self._db.rows(HISTORY, values):
            plays.setdefault(asked, {}).setdefault(moment, PlaySource(item, history_key))
        return plays

    def list_saved(self, account: int, plays: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Return the saved plays of the items of these, from the earliest of them on, as (item, moment)."""
        if not plays:
            return set()
        items, since = sorted({item for item, _ in plays}), min(moment for _, moment in plays)
        values = {"account": account, "items": items, "since": since}
        return {(item, moment) for item, moment in self._db.rows(LISTED, values)}

    def has_history(self) -> bool:
        """Whether any history is saved."""
        return bool(self._db.row(HAS_HISTORY))

    def has_unlisted(self, account: int, *, since: int, listed_at: int) -> bool:
        """Whether a saved play from the second `since` on was not listed by the reading that began at `listed_at`."""
        return bool(self._db.row(UNLISTED, {"account": account, "since": since, "listed_at": listed_at}))

    def newest(self, account: int) -> int | None:
        """Return the moment of the account's newest listed play; None if none was listed yet."""
        moment: int | None = self._db.value(NEWEST, {"account": account})
        return moment

    def played_items(self, account: int, *, since: int, after: str = "", limit: int) -> list[str]:
        """Return up to `limit` items above `after` that the account has played from the second `since` on, by key."""
        values = {"account": account, "since": since, "after": after, "limit": limit}
        return [item for (item,) in self._db.rows(PLAYED_ITEMS, values)]

    def heirs(self, account: int, items: Sequence[str]) -> list[str]:
        """Return the items that have the files of those of these items that are gone from the index."""
        rows = self._db.rows(HEIRS, {"account": account, "items": list(items)})
        return [item for (item,) in rows]

    def has_memory(self) -> bool:
        """Whether anything is remembered of any scene's plays."""
        return bool(self._db.row(HAS_MEMORY))

    def to_take_back(self) -> list[int]:
        """Return the scenes with plays that you asked to take back, and that are not taken back yet."""
        return [scene for (scene,) in self._db.rows(TO_TAKE_BACK)]

    def count_history(self, account: int, *, since: int = 0) -> tuple[int, int]:
        """Count the account's saved plays from the second `since` on, and those of them of which nothing is remembered."""
        (total, unremembered) = self._db.rows(COUNT_HISTORY, {"account": account, "since": since})[0]
        return total, unremembered

    def items_with_news(self, account: int, *, since: int, after: str = "", limit: int) -> list[str]:
        """Return up to `limit` items above `after`, by key, with a play of the account that is remembered of no scene."""
        values = {"account": account, "since": since, "after": after, "limit": limit}
        return [item for (item,) in self._db.rows(ITEMS_WITH_NEWS, values)]

    def holders(self, items: Sequence[str]) -> dict[tuple[str, int], set[tuple[int, str]]]:
        """Return the scenes, as id and time of creation, that a play of these items was sent to, or found in, by play."""
        scenes: dict[tuple[str, int], set[tuple[int, str]]] = {}
        for item, moment, *scene in self._db.rows(HOLDERS, {"items": list(items)}):
            scenes.setdefault((item, moment), set()).add((scene[0], scene[1]))
        return scenes

    def last_sent(self, limit: int, *, before: SentPlay | None = None) -> list[SentPlay]:
        """Return up to `limit` plays that PlexSync has added and that you did not undo, the last request first.

        `before`: the last one of the page before.
        """
        order, moment = (before.order, before.moment) if before else (LAST_ORDER, 0)
        rows = self._db.rows(LAST_SENT, {"order": order, "moment": moment, "limit": limit})
        return [
            SentPlay(scene, moment, created_at, updated_at, sent_at, order)
            for scene, moment, created_at, updated_at, sent_at, order in rows
        ]

    def requests(self, scene: int) -> list[PlaysRow]:
        """Return the requests that added plays to a scene, or took them back, newest first: of each play the last one."""
        rows = self._db.rows(REQUESTS, {"scene": scene})
        return [
            PlaysRow(at, state, tuple(moment for _, _, moment in plays))
            for (at, state), plays in groupby(rows, key=lambda row: (row[0], row[1]))
        ]


class Plays(ReadOnlyPlays):
    """Read and write access to the history of Plex and to the memory of plays."""

    def save_history(self, account: int, plays: Iterable[tuple[PlaySource, int]], *, now: int) -> None:
        """Save (source, moment) pairs as Plex lists them now."""
        entry = {"account": account, "now": now}
        keys = {(clean(source.item), moment): clean(source.history_key) for source, moment in plays}
        rows = [{**entry, "item": item, "moment": moment, "history_key": key} for (item, moment), key in keys.items()]
        self._db.execute_many(SAVE_HISTORY, rows)

    def forget_history(self) -> None:
        """Forget all saved history: it is read anew, and its scenes are queued again. What was sent stays remembered."""
        self._db.execute(FORGET_HISTORY)

    def mark_listed(self, account: int, plays: Iterable[tuple[str, int]], *, now: int) -> None:
        """Save that Plex lists these (history key, moment) pairs now, although it names no item for them."""
        entry = {"account": account, "now": now}
        keys = [{**entry, "history_key": history_key, "moment": moment} for history_key, moment in plays]
        self._db.execute_many(MARK_LISTED, keys)

    def drop_unlisted(self, account: int, *, listed_at: int) -> int:
        """Drop what the reading of the whole history that began at `listed_at` has not listed; returns how many."""
        return self._db.execute(DROP_UNLISTED, {"account": account, "listed_at": listed_at})

    def save(self, scene: int, created_at: str, plays: Mapping[int, RememberedPlay | None]) -> None:
        """Save what is remembered of a scene by moment; None forgets it. `created_at`: when Stash created the scene."""
        self._save(scene, plays, {"created_at": clean(created_at), "updated_at": "", "sent_at": 0, "sent_order": 0})

    def begin(
        self, scene: int, created_at: str, updated_at: str, plays: Mapping[int, RememberedPlay | None], *, now: int
    ) -> None:
        """Like `save`, before a request is sent that adds them: the latest one of all scenes.

        `updated_at`: when the scene was last changed in Stash.
        """
        order = int(self._db.value(NEXT_ORDER))
        sent = {"created_at": clean(created_at), "updated_at": clean(updated_at), "sent_at": now, "sent_order": order}
        self._save(scene, plays, sent)

    def _save(self, scene: int, plays: Mapping[int, RememberedPlay | None], sent: Mapping[str, object]) -> None:
        rows = [
            {
                **sent,
                **vars(play),
                "scene": scene,
                "moment": moment,
                "item": clean(play.source.item),
                "history_key": clean(play.source.history_key),
                "state": play.word,
                "undo": int(bool(play.undone)),
            }
            for moment, play in plays.items()
            if play is not None
        ]
        self._db.execute_many(SAVE, rows)
        forgotten = [{"scene": scene, "moment": moment} for moment, play in plays.items() if play is None]
        self._db.execute_many(FORGET, forgotten)

    def prolong(self, scene: int, moments: Iterable[int], until: int) -> None:
        """Extend the time until which the open requests for these moments may take effect."""
        self._db.execute_many(PROLONG, [{"scene": scene, "moment": moment, "until": until} for moment in moments])

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget everything that is remembered of these scenes."""
        self._db.execute(FORGET_SCENES, {"scenes": list(scenes)})
