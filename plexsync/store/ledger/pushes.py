"""The history of changes in Plex: for each (scene, item) the newest pushes, field by field, old and new value.

It is shown, and an undo of one run restores the old values. What the next plan needs of an item is in
`plexsync.store.ledger.memories`. Pushes of unknown result are saved before an edit is sent, and dropped once the result is
known.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from plexsync.rules.match.origin import Origin
from plexsync.rules.merge.plan_records import Pushing
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import Moved, PushRow
from plexsync.store.connection import Connection, FlowTable
from plexsync.store.documents import FILES, LIBRARY, decode, encode, of_this_library, origin_of
from plexsync.store.queue.books import Tallies

MOST_SAVED = 20
# How many rows are re-dated at once. Updating a whole table would block all writers.
UNDATED = 50
# A summary may be long, and up to twenty are stored twice. Of a longer one, its beginning is kept.
LONGEST_TEXT = 4_000

ADD = f"""
insert into push (flow, subject, library, item, at, document, undone, why)
values (:flow, :scene, {LIBRARY}, :item, :at, :document, :undone, :why)
"""
FORGET_OLD = f"""
delete from push
 where flow = :flow and subject = :scene and item = :item and number <= (
    select number from push where flow = :flow and subject = :scene and item = :item
     order by number desc limit 1 offset {MOST_SAVED}
 )
"""
LIST = """
select item, at, document, undone from push where flow = :flow and subject = :scene order by number desc
"""
LATEST = """
select subject, item, at, document, undone from push indexed by push_at
 where flow = :flow order by at desc, number desc limit :limit
"""
COUNT_SINCE = "select count(*) from push indexed by push_at where at >= :since and flow = :flow"
COUNT_UNDONE = f"{COUNT_SINCE} and undone <> ''"
PUSHED_AT = """
select subject, at from push
 where number in (
    select max(number) from push
     where flow = :flow and subject in (select value from json_each(:scenes)) group by subject
 )
"""
SINCE = """
select subject from push indexed by push_at where at >= :since and flow = :flow
union select subject from pushing where until >= :since and flow = :flow
order by 1
"""
# A row dated in the future, from before the clock was set back, would never be old enough to prune.
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


class ReadOnlyPushes(FlowTable):
    """Read access to one flow's past pushes."""

    def of(self, kind: str, id: int) -> list[PushRow]:
        """Return the pushes of a subject of a flow (its kind), newest first."""
        rows = self._db.rows(LIST, {"flow": kind, "scene": id})
        pushes = (read_push(id, key, at, document, undone) for key, at, document, undone in rows)
        return [push for push in pushes if push.moved]

    def latest(self, limit: int) -> list[tuple[int, PushRow]]:
        """Return the latest pushes of all scenes as (scene, push), newest first."""
        pushes = (
            (scene, read_push(scene, *row))
            for scene, *row in self._db.rows(LATEST, {"flow": self._flow, "limit": limit})
        )
        return [(scene, push) for scene, push in pushes if push.moved]

    def count_since(self, since: int, *, undone: bool = False) -> int:
        """Count the pushes at `since` or later; `undone`: those that took something back."""
        return int(self._db.value(COUNT_UNDONE if undone else COUNT_SINCE, {"flow": self._flow, "since": since}))

    def last_at(self, scenes: Sequence[int]) -> dict[int, int]:
        """Return the time of the last push of these scenes. Scenes without one are left out."""
        return dict(self._db.rows(PUSHED_AT, {"flow": self._flow, "scenes": list(scenes)}))

    def scenes_since(self, since: int) -> list[int]:
        """Return the scenes with a push at `since` or later, or a push of unknown result then, by number."""
        return [scene for (scene,) in self._db.rows(SINCE, {"flow": self._flow, "since": since})]


class Pushes(ReadOnlyPushes):
    """Read and write access to the past pushes."""

    def __init__(self, db: Connection, flow: str = Kind.SCENE) -> None:
        super().__init__(db, flow)
        self._tallies = Tallies(db)

    def add(
        self, scene: int, key: str, moved: Mapping[str, Moved], *, at: int, undone: str = "", reason: str = ""
    ) -> None:
        """Record by field what a push changed, or took back (`undone` says how), and the cause of its job.

        The newest twenty of each (scene, item) are kept.
        """
        self.add_all([(scene, key, moved, undone, reason)], at=at)

    def add_all(self, pushes: Iterable[tuple[int, str, Mapping[str, Moved], str, str]], *, at: int) -> None:
        """Like `add`, for several (scene, item key, changes, undone, cause)."""
        rows = [
            {
                **self._pair(scene, key),
                "at": at,
                "document": encode(_shortened(moved), (scene, key)),
                "undone": undone,
                "why": "" if undone else reason,
            }
            for scene, key, moved, undone, reason in pushes
            if moved
        ]
        self._db.execute_many(ADD, rows)
        names = ("flow", "scene", "item")
        self._db.execute_many(FORGET_OLD, [{name: row[name] for name in names} for row in rows])

    def prune(self, *, now: int, before: int, limit: int) -> int:
        """Delete up to `limit` pushes made before `before`, oldest first; tallies and returns their number.

        Up to `UNDATED` pushes dated after `now` are re-dated to `now`.
        """
        self._db.execute(UNDATE, {"now": now})
        count = self._db.execute(PRUNE, {"before": before, "limit": limit})
        self._tallies.add("pushes_pruned", count)
        return count


def read_push(scene: int, key: str, at: int, document: bytes, undone: str) -> PushRow:
    """The push in a row; without fields if its document can't be read."""
    return PushRow(
        at, key, decode(document, dict[str, Moved], f"a past push of scene {scene}", (scene, key)) or {}, undone
    )


def shortened_fields(moved: Mapping[str, Moved]) -> frozenset[str]:
    """The fields of which only the beginning of the old value is kept."""
    texts = {name: field.old.value for name, field in moved.items()}
    return frozenset(name for name, text in texts.items() if isinstance(text, str) and len(text) > LONGEST_TEXT)


def _shortened(moved: Mapping[str, Moved]) -> Mapping[str, Moved]:
    def short(held: Held) -> Held:
        is_short = isinstance(held.value, tuple) or len(held.value) <= LONGEST_TEXT
        return held if is_short else Held(f"{held.value[:LONGEST_TEXT]}…", held.locked)

    if all(len(held.value) <= LONGEST_TEXT for field in moved.values() for held in (field.old, field.new)):
        return moved
    return {name: Moved(short(field.old), short(field.new)) for name, field in moved.items()}


UNFINISHED = f"""
select subject, item, library, files, document from pushing
 where flow = :flow and subject in (select value from json_each(:scenes)) and {of_this_library("pushing")}
 order by number
"""
BEGIN = f"""
insert into pushing (flow, subject, library, item, until, document, files)
values (:flow, :scene, {LIBRARY}, :item, :until, :document, {FILES})
returning number
"""
# Of a library, also rows from before its uuid was known.
IN_LIBRARY = """
select number, subject, item, document from pushing
 where flow = :flow
   and (library = :library or (library = '' and item in (select key from item where section = :section)))
"""
REWRITE = "update pushing set document = :document where number = :number"
PROLONG = "update pushing set until = :until where number in (select value from json_each(:numbers))"
DROP_ONE = "delete from pushing where flow = :flow and subject = :scene and item = :item and number = :number"
DROP_ENDED = "delete from pushing where flow = :flow and subject = :scene and item = :item and until <= :ended"

FORGET_SCENES = "delete from pushing where flow = :flow and subject in (select value from json_each(:scenes))"


class ReadOnlyPushings(FlowTable):
    """Read access to one flow's pushes of unknown result."""

    def of(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Pushing, ...]]:
        """Return the pushes of these scenes, oldest first, by (scene, item key)."""
        return {pair: tuple(pushing for pushing, _ in pushings) for pair, pushings in self.with_origins(scenes).items()}

    def with_origins(self, scenes: Sequence[int]) -> dict[tuple[int, str], list[tuple[Pushing, Origin]]]:
        """Like `of`, each push with the item's library and files then."""
        pushings: dict[tuple[int, str], list[tuple[Pushing, Origin]]] = {}
        values = {"flow": self._flow, "scenes": list(scenes)}
        for scene, key, library, files, document in self._db.rows(UNFINISHED, values):
            if pushing := decode(document, Pushing, f"a push of scene {scene} to item {key}", (scene, key)):
                pushings.setdefault((scene, key), []).append((pushing, origin_of(library, files)))
        return pushings


class Pushings(ReadOnlyPushings):
    """Read and write access to the pushes of unknown result."""

    def add(self, scene: int, key: str, pushing: Pushing) -> int:
        """Save a push before its edit is sent; returns its number, which is never used again."""
        (number,) = self.add_all([(scene, key, pushing)])
        return number

    def add_all(self, pushings: Iterable[tuple[int, str, Pushing]]) -> list[int]:
        """Like `add`, for several (scene, item key, push), in this order."""
        rows = [
            {**self._pair(scene, key), "until": pushing.until, "document": encode(pushing, (scene, key))}
            for scene, key, pushing in pushings
        ]
        return [int(row[0]) for row in self._db.row_of_each(BEGIN, rows)]

    def prolong(self, numbers: Sequence[int], until: int) -> None:
        """Extend the time until which these pushes may take effect."""
        self._db.execute(PROLONG, {"numbers": list(numbers), "until": until})

    def rewrite_all(self, library: str, section: str, change: Callable[[Pushing], Pushing]) -> None:
        """Replace every push to a library, given by its uuid and key, by what `change` makes of it."""
        changed: list[dict[str, object]] = []
        values = {"flow": self._flow, "library": library, "section": section}
        for number, scene, key, document in self._db.rows(IN_LIBRARY, values):
            pushing = decode(document, Pushing, f"a push of scene {scene} to item {key}", (scene, key))
            if pushing and (fresh := change(pushing)) != pushing:
                changed.append({"number": number, "document": encode(fresh, (scene, key))})
        self._db.execute_many(REWRITE, changed)

    def drop(self, scene: int, key: str, *, number: int) -> None:
        """Forget the push with this number."""
        self.drop_all([(scene, key, number)])

    def drop_all(self, pushings: Iterable[tuple[int, str, int]]) -> None:
        """Forget the pushes of these (scene, item key, number)."""
        self._db.execute_many(
            DROP_ONE, [{**self._pair(scene, key), "number": number} for scene, key, number in pushings]
        )

    def drop_ended(self, pairs: Iterable[tuple[int, str]], *, ended: int) -> None:
        """Forget the pushes of these (scene, item key) whose `until` is at or before `ended`."""
        self._db.execute_many(DROP_ENDED, [{**self._pair(scene, key), "ended": ended} for scene, key in pairs])

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget the pushes of these scenes."""
        self._db.execute(FORGET_SCENES, {"flow": self._flow, "scenes": list(scenes)})
