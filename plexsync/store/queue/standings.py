"""How each scene stood in its last comparison, and since when: for scenes that have no job."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.record_class import record
from plexsync.rules.records import Stood
from plexsync.rules.words.sorting import BY_NUMBER, ScenePlace, Sort, sort_key
from plexsync.rules.words.status_words import STATUSES, SceneStatus, kept_in, status_of
from plexsync.store.connection import Table
from plexsync.store.index.scene_order import TITLE, Ids, bounds
from plexsync.store.intake import LAST_ID
from plexsync.store.queue.counts import IS_KEPT, IS_MARKED, IS_NOT_SHOWN, IS_RARE
from plexsync.store.queue.summary import SceneCounts

FIND = "select word, since from standing where scene = :scene"
LIST = "select scene from standing where word = :word and scene > :after order by scene limit :limit"
_WILL_BE_KEPT = "excluded.word >= 'person' and excluded.word < 'person!'"
# Since when Plex keeps fields of a scene does not depend on their number.
SAVE = f"""
insert into standing (scene, word, since) values (:scene, :word, :now)
on conflict (scene) do update
   set word = excluded.word,
       since = iif({IS_KEPT} and {_WILL_BE_KEPT}, standing.since, excluded.since)
 where standing.word <> excluded.word
"""
LIST_KEPT = f"""
select scene from standing where {IS_KEPT} and scene > :after order by scene limit :limit
"""
COUNT_KEPT = f"select count(*) from standing where {IS_KEPT}"
KEPT_FIELDS = f"""
select word, count(*) from standing
 where {IS_KEPT} and not exists (
    select 1 from job where kind = 'scene' and id = standing.scene and state <> 'idle'
 ) group by word
"""
# Scenes by the state of their row. Ready rows are sorted, all of them; other states are read in order from an index,
# and idle rows from the table itself.
ROWS = Ids("select id from job where kind = 'scene'")
STANDINGS = Ids("select scene as id from standing where scene > 0", "scene")
_MARK = "select 1 from memory indexed by memory_undone where undone <> '' and flow = 'scene' and subject ="
IDLE = Ids(
    f"select id from job where state = 'idle' and not exists ({_MARK} job.id and {IS_MARKED}) and kind = 'scene'"
)
# Idle rows by their mark, in the order of the index on it.
_RESTING = """
select distinct subject as id from memory as own indexed by memory_undone
 where undone <> '' and undone = :mark and flow = 'scene'
   and exists (select 1 from job where kind = 'scene' and id = own.subject and state = 'idle')
"""
UNDONE = Ids(_RESTING, "subject")
RELEASED = Ids(f"{_RESTING} and not exists ({_MARK} own.subject and undone = 'undo')", "subject")
READY = Ids(
    "select id from job indexed by job_due where state in ('ready', 'absent') and state = 'ready' and kind = 'scene'"
)
RUNNING = Ids("select id from job indexed by job_lease where state = 'running' and kind = 'scene'")
RARE = Ids(f"select id from job indexed by job_state where {IS_RARE} and state = :state and kind = 'scene'")
OF_AMBIGUOUS = Ids(
    "select id from job indexed by job_dead where state = 'dead' and cls = 'ambiguous' and kind = 'scene'"
)
OF_FAILED = Ids(
    f"select id from job indexed by job_state where {IS_RARE} and state = 'dead' and cls <> 'ambiguous' and kind = 'scene'"
)
OF_NOT_SHOWN = Ids(f"select id from job indexed by job_state where {IS_NOT_SHOWN}")
OF_DROPPED = Ids(
    f"select id from job indexed by job_state where {IS_RARE} and state = 'dropped' and cls <> 'elsewhere'"
    " and kind = 'scene'"
)
# Scenes without a row, by their standing; read only as far as a page of rows already ends.
SEEN_SO = Ids("select scene as id from standing indexed by standing_word where word = :word", "scene", jobless=True)
SEEN_WORDS = """
with recursive known (word) as (
    select min(word) from standing
    union all
    select (select min(word) from standing where word > known.word) from known where known.word is not null
)
select word from known where word is not null
"""
_MISSING = "scene > :after and scene <= :upto and scene not in (select value from json_each(:scenes))"
COUNT = "select count(*) from standing"
COUNT_MISSING = f"select count(*) from standing where {_MISSING}"
OF_ALL = "select scene, word, since from standing where scene in (select value from json_each(:scenes))"
OF = "select scene from standing where scene in (select value from json_each(:scenes))"
# A scene whose row is to be looked at keeps its standing until then: it tells that the scene was there when last seen.
DROP = f"""
delete from standing
 where {_MISSING} and not exists (
    select 1 from job
     where job.kind = 'scene' and job.id = standing.scene
       and job.state not in ('gone', 'dead', 'dropped', 'ignored')
 )
"""
NOTHING: Mapping[str, str] = {}


class ReadOnlyStandings(Table):
    """Read access to the standings."""

    def find(self, scene: int) -> Stood | None:
        """Return how a scene stood in the last comparison that saw it; None if none has."""
        row = self._db.row(FIND, {"scene": scene})
        return Stood(row[0], row[1]) if row else None

    def of_all(self, scenes: Iterable[int]) -> dict[int, Stood]:
        """Return how these scenes stood in the last comparison that saw them. Scenes that none has seen are left out."""
        rows = self._db.rows(OF_ALL, {"scenes": list(scenes)})
        return {scene: Stood(word, since) for scene, word, since in rows}

    def count(self) -> int:
        """Count the scenes that have one: they were in Stash when last seen."""
        return int(self._db.value(COUNT))

    def of(self, scenes: Iterable[int]) -> list[int]:
        """Return those of these scenes that have one."""
        return [scene for (scene,) in self._db.rows(OF, {"scenes": list(scenes)})]

    def count_missing(self, present: Iterable[int], *, after: int, upto: int = LAST_ID) -> int:
        """Count the scenes above `after`, up to `upto`, that have one and are not among `present`."""
        return int(self._db.value(COUNT_MISSING, {"scenes": list(present), "after": after, "upto": upto}))

    def list_compared(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` that stood so in the last comparison that saw them, by number."""
        return [id for (id,) in self._db.rows(LIST, {"word": word, "limit": limit, "after": after})]

    def list_kept(self, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` of which Plex keeps fields, without those decided about, by number."""
        return [id for (id,) in self._db.rows(LIST_KEPT, {"limit": limit, "after": after})]

    def count_kept(self) -> int:
        """Count the scenes of which Plex keeps fields, without those decided about."""
        return int(self._db.value(COUNT_KEPT))

    def kept_fields(self) -> int:
        """Count the fields that Plex keeps of scenes in sync, without those decided about."""
        return sum(kept_in(word) * count for word, count in self._db.rows(KEPT_FIELDS))

    def counts(self) -> dict[SceneStatus, tuple[int, int | None]]:
        """Return, by status, the number of scenes and the earliest time since when one of them has had it."""
        return SceneCounts(self._db).by_status

    def scenes(self, status: SceneStatus | None, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` with this status (None: any), by number.

        `counts` counts the same scenes.
        """
        return [place.id for place in self.places(status, BY_NUMBER, limit=limit, after=ScenePlace("", after))]

    def places(
        self, status: SceneStatus | None, sort: Sort, *, limit: int, after: ScenePlace | None = None
    ) -> list[ScenePlace]:
        """Return up to `limit` scenes with this status (None: any) after a place, by number or by title.

        By title, scenes without any name are left out.
        """
        page = _Page(sort, limit, after)
        if status is None:
            return page.merge([*self._page(ROWS, page), *self._page(STANDINGS, page)])
        places = page.merge(
            place for rows, chosen in _BY_ROW.get(status, ()) for place in self._page(rows, page, chosen)
        )
        page = replace(page, upto=places[-1] if len(places) == limit else None)
        seen = (place for word in self._words({status}) for place in self._page(SEEN_SO, page, {"word": word}))
        return page.merge([*places, *seen])

    def nameless(self, status: SceneStatus | None, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` with this status (None: any) that have no name, by number."""
        values = {"limit": limit, **bounds(BY_NUMBER, ScenePlace("", after))}
        chosen: list[tuple[Ids, Mapping[str, str]]] = [(ROWS, {}), (STANDINGS, {})]
        if status is not None:
            chosen = [*_BY_ROW.get(status, ()), *((SEEN_SO, {"word": word}) for word in self._words({status}))]
        ids = {id for rows, more in chosen for (id,) in self._db.rows(rows.nameless, {**values, **more})}
        return sorted(ids)[:limit]

    def without_job(self, statuses: Iterable[SceneStatus], *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` without a job that had one of these statuses in the last comparison."""
        page = _Page(BY_NUMBER, limit, ScenePlace("", after))
        words = self._words(set(statuses))
        places = page.merge(place for word in words for place in self._page(SEEN_SO, page, {"word": word}))
        return [place.id for place in places]

    def _words(self, statuses: Collection[SceneStatus]) -> list[str]:
        """The stored words for these statuses."""
        return [seen for (seen,) in self._db.rows(SEEN_WORDS) if status_of(None, "", seen) in statuses]

    def _page(self, ids: Ids, page: "_Page", chosen: Mapping[str, str] = NOTHING) -> list[ScenePlace]:
        values = {"limit": page.limit, **bounds(page.sort, page.after, page.upto), **chosen}
        rows = self._db.rows(ids.in_order(page.sort), values)
        if page.sort.column == TITLE:
            return [ScenePlace(sort_key(name), id) for name, id in rows]
        return [ScenePlace("", id) for (id,) in rows]


@record
class _Page:
    """A page of a sorted list: after which place it begins, and at which one it ends at the latest."""

    sort: Sort
    limit: int
    after: ScenePlace | None
    upto: ScenePlace | None = None

    def merge(self, places: Iterable[ScenePlace]) -> list[ScenePlace]:
        """The page, of places that several statements have found."""
        return sorted(set(places), reverse=self.sort.down)[: self.limit]


class Standings(ReadOnlyStandings):
    """Read and write access to the standings."""

    def save(self, words: Mapping[int, str], *, now: int) -> None:
        """Save how scenes stand now. The time since when is kept if nothing changed."""
        self._db.execute_many(SAVE, [{"scene": scene, "word": word, "now": now} for scene, word in words.items()])

    def drop(self, but: Iterable[int], *, after: int, upto: int = LAST_ID) -> None:
        """Forget the standings of scenes above `after`, up to `upto`, that are not in `but`."""
        self._db.execute(DROP, {"scenes": list(but), "after": after, "upto": upto})


_BY_STATE = {"idle": IDLE, "ready": READY, "running": RUNNING, "dead": OF_FAILED, "dropped": OF_DROPPED}
_BY_ROW: Mapping[SceneStatus, Sequence[tuple[Ids, Mapping[str, str]]]] = {
    **{status: [(_BY_STATE.get(state, RARE), {"state": state}) for state in status.states] for status in STATUSES},
    SceneStatus.AMBIGUOUS: ((OF_AMBIGUOUS, {}),),
    SceneStatus.NOT_SHOWN: ((OF_NOT_SHOWN, {}),),
    SceneStatus.UNDONE: ((UNDONE, {"mark": TakenBack.UNDO}),),
    SceneStatus.RELEASED: ((RELEASED, {"mark": TakenBack.RELEASE}),),
}
