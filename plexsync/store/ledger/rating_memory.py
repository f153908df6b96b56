"""Ratings: what is remembered of the rating of each scene and item. See `plexsync.rules.plays.ratings`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.ratings import Pending, RememberedRating
from plexsync.store.connection import Row, ScenesTable, clean
from plexsync.store.documents import LIBRARY, of_this_library

LIST = f"""
select scene, item, scene_created_at, stash, plex, stash_before, plex_before, pending, sent,
       overruled, until, undo, changed_at, rated_at
  from rating where scene in (select value from json_each(:scenes)) and {of_this_library("rating")}
"""
IN_PLEX = f"""
select item, plex from rating where item in (select value from json_each(:items)) and {of_this_library("rating")}
"""
SCENES = "select distinct scene from rating where scene > :after order by scene limit :limit"
WRITTEN = """
select distinct scene from rating
 where scene > :after and changed_at >= :since and (stash_before <> -2 or plex_before <> -2) order by scene limit :limit
"""
SAVE = f"""
insert or replace into rating (scene, item, library, scene_created_at, stash, plex, stash_before, plex_before, pending,
    sent, overruled, until, undo, changed_at, rated_at)
values (:scene, :item, {LIBRARY}, :created_at, :stash, :plex, :stash_before, :plex_before, :pending,
    :sent, :overruled, :until, :undo, :changed_at, :rated_at)
"""
# The item has the file of this scene now. What another scene and the item had in common is no base for either.
END_OTHERS = "update rating set stash = -2, plex = -2 where item = :item and scene <> :scene"
PROLONG = "update rating set until = :until where scene = :scene and item = :item and pending <> ''"
FORGET = "delete from rating where scene = :scene and item = :item"
FORGET_SCENES = "delete from rating where scene in (select value from json_each(:scenes))"
FORGET_ALL = "delete from rating"


class ReadOnlyRatings(ScenesTable[dict[tuple[int, str], RememberedRating]]):
    """Read access to the memory of ratings."""

    _list, _scenes = LIST, SCENES

    def _read(self, rows: Iterable[Row]) -> dict[tuple[int, str], RememberedRating]:
        """The memories by scene and item key; those of items in another library are not listed."""
        return {(scene, item): _row_rating(*values) for scene, item, _, *values in rows}

    def in_plex(self, items: Sequence[str]) -> dict[str, int]:
        """Return the rating of these items in Plex when they were last in step. Unknown ones are left out."""
        return dict(self._db.rows(IN_PLEX, {"items": list(items)}))

    def list_written(self, *, after: int = 0, limit: int, since: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` of which PlexSync has written a rating, and nobody else since.

        `since`: only those whose rating has last changed at that moment (UTC ms) or later.
        """
        return [scene for (scene,) in self._db.rows(WRITTEN, {"after": after, "limit": limit, "since": since})]


class Ratings(ReadOnlyRatings):
    """Read and write access to the memory of ratings."""

    def save(self, scene: int, created_at: str, ratings: Mapping[str, RememberedRating | None]) -> None:
        """Save what is remembered of a scene by item; None forgets it. `created_at`: when Stash created the scene."""
        rows = [
            {
                **vars(rating),
                "scene": scene,
                "item": clean(item),
                "created_at": clean(created_at),
                "undo": int(bool(rating.undone)),
            }
            for item, rating in ratings.items()
            if rating is not None
        ]
        self._db.execute_many(SAVE, rows)
        self._db.execute_many(END_OTHERS, [{"scene": scene, "item": row["item"]} for row in rows])
        forgotten = [{"scene": scene, "item": clean(item)} for item, rating in ratings.items() if rating is None]
        self._db.execute_many(FORGET, forgotten)

    def prolong(self, scene: int, items: Iterable[str], until: int) -> None:
        """Extend the time until which the requests about these items may take effect."""
        self._db.execute_many(PROLONG, [{"scene": scene, "item": item, "until": until} for item in items])

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget everything that is remembered of the ratings of these scenes."""
        self._db.execute(FORGET_SCENES, {"scenes": list(scenes)})

    def forget_all(self) -> None:
        """Forget the ratings of all scenes."""
        self._db.execute(FORGET_ALL)


def _row_rating(*values: Any) -> RememberedRating:
    """The rating in these columns. A request that a damaged page has changed counts as none."""
    rating = RememberedRating(*values)
    pending = Pending(rating.pending) if rating.pending in Pending.__members__.values() else Pending.NOTHING
    return replace(rating, pending=pending, undone=TakenBack.UNDO if rating.undone else TakenBack.NO)
