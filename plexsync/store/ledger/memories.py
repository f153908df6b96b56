"""The memory of each (scene, item): what PlexSync wrote, what it left in Plex, and what it found there."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from plexsync.rules.item import FIELDS, LOCKLESS
from plexsync.rules.match.origin import Origin
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.plan_records import Memory, Remembered
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import begun_anew, is_taken_back
from plexsync.store.connection import FlowTable
from plexsync.store.documents import FILES, LIBRARY, decode, encode, of_this_library, origin_of, sound
from plexsync.store.queue.counts import COUNT_UNDONE, IS_MARKED, MARKED

LIST = f"""
select subject, item, library, files, document, undone from memory
 where flow = :flow and subject in (select value from json_each(:scenes)) and {of_this_library("memory")}
 order by at
"""
SAVE = f"""
insert into memory (flow, subject, library, item, at, document, undone, files)
values (:flow, :scene, {LIBRARY}, :item, :now, :document, :undone, {FILES})
on conflict (flow, subject, library, item) do update
   set at = :now, document = :document, undone = :undone, files = excluded.files
"""
REWRITE = "update memory set document = :document where flow = :flow and subject = :scene and item = :item"
# Of a library, also rows from before its uuid was known.
IN_LIBRARY = """
select subject, item, library, document from memory
 where flow = :flow
   and (library = :library or (library = '' and item in (select key from item where section = :section)))
"""
SCENES_IN = f"select distinct subject from ({IN_LIBRARY}) as held order by subject"
REWRITE_IN = f"{REWRITE} and library = :library"
FORGET = "delete from memory where flow = :flow and subject = :scene and item = :item"
# The mark of another scene that was undone stays: it holds for that scene, whoever writes to the item now. A scene that
# is undone already writes nothing, so it takes the item from nobody. An item has one library.
FORGET_OTHERS = f"""
delete from memory indexed by memory_item
 where item = :item and flow = :flow
   and (subject <> :scene and (undone = '' or undone = 'gone')
        and (:undone = '' or not exists (
            select 1 from memory as own
             where own.flow = :flow and own.item = :item and own.subject = :scene and own.undone <> ''
        ))
        or subject = :scene and library <> {LIBRARY})
"""
# Also of items that are in another library by now.
LIST_UNDONE = """
select subject, item, library, document from memory
 where flow = :flow and subject in (select value from json_each(:scenes)) and undone <> ''
 order by subject, item, library
"""
BEGIN_ANEW = """
update memory set document = :document, undone = ''
 where flow = :flow and subject = :scene and item = :item and library = :library
"""
FORGET_IN = f"{FORGET} and library = :library"
RENEW_FILES = f"""
update memory set files = {FILES}, library = {LIBRARY} where flow = :flow and subject = :scene and item = :item
"""
FORGET_SCENES = "delete from memory where flow = :flow and subject in (select value from json_each(:scenes))"
SCENES = """
select subject from memory where flow = :flow and subject > :after
union select subject from pushing where flow = :flow and subject > :after
order by 1 limit :limit
"""
MARKS = f"""
select subject, max(undone) from memory indexed by memory_undone
 where {IS_MARKED} and subject in (select value from json_each(:scenes)) and flow = :flow group by subject
"""
MARKED_SINCE = f"""
select subject from memory indexed by memory_undone
 where {IS_MARKED} and at >= :since and flow = :flow group by subject order by subject
"""
_OF_ITEMS = f"""
select item, subject, library, files from memory indexed by memory_item
 where item in (select value from json_each(:keys)) and flow = :flow and {of_this_library("memory")}
"""
OWNERS = _OF_ITEMS
PUSHERS = f"""
{_OF_ITEMS}
union
select item, subject, library, files from pushing indexed by pushing_item
 where item in (select value from json_each(:keys)) and flow = :flow and {of_this_library("pushing")}
"""
WRITERS = f"{_OF_ITEMS} and undone = ''"
# Newest first, by the index on `at`. An item with a push of unknown result is not known to be healthy.
WELL = f"""
select item.section, memory.item, memory.document, memory.subject
  from memory indexed by memory_at join item on item.key = memory.item
 where memory.flow = :flow and memory.undone = '' and {of_this_library("memory")}
   and not exists (select 1 from pushing indexed by pushing_item where pushing.item = memory.item and pushing.flow = :flow)
 order by memory.at desc
"""
# Rows from before the uuid of their library was known.
UNPLACED = """
select flow, subject, item from memory
 where library = '' and item in (
    select key from item join library on library.section = item.section where library.uuid <> ''
 ) limit :limit
"""
PLACE = f"""
update memory set library = {LIBRARY} where flow = :flow and subject = :scene and item = :item and library = ''
"""


class ReadOnlyMemories(FlowTable):
    """Read access to the memories of one flow. A memory of an item in another library than it is in now is left out."""

    def of(self, scenes: Sequence[int]) -> dict[tuple[int, str], Memory]:
        """Return all memories of these scenes, by (scene, item key)."""
        return {pair: memory for pair, (memory, _) in self.with_origins(scenes).items()}

    def with_origins(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Memory, Origin]]:
        """Return all memories of these scenes, by (scene, item key), each with the item's library and files then."""
        rows = self._db.rows(LIST, {"flow": self._flow, "scenes": list(scenes)})
        return {
            (scene, key): (memory, origin_of(library, files))
            for scene, key, library, files, document, _ in rows
            if (memory := _memory(scene, key, document))
        }

    def traces(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[bool, Origin]]:
        """Like `with_origins`, with whether something of PlexSync's may be on the item. Decodes only what was undone."""
        rows = self._db.rows(LIST, {"flow": self._flow, "scenes": list(scenes)})
        return {
            (scene, key): (
                not undone or not is_taken_back(_memory(scene, key, document) or {}),
                origin_of(library, files),
            )
            for scene, key, library, files, document, undone in rows
            if sound(document, (scene, key))
        }

    def scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` with a memory or a push of unknown result, by number."""
        return [scene for (scene,) in self._db.rows(SCENES, {"flow": self._flow, "after": after, "limit": limit})]

    def scenes_in(self, library: str, section: str) -> list[int]:
        """Return the scenes with a memory of an item in a library, given by its uuid and key."""
        values = {"flow": self._flow, "library": library, "section": section}
        return [scene for (scene,) in self._db.rows(SCENES_IN, values)]

    def count_undone(self) -> dict[str, int]:
        """Count the scenes that rest because they were undone or released, by `TakenBack`."""
        return dict(self._db.rows(COUNT_UNDONE))

    def marks(self, scenes: Iterable[int] | None = None) -> dict[int, TakenBack]:
        """Return how these scenes (None: all) were undone: `undo` if one of its items was, else `release`.

        Scenes that were not undone are left out.
        """
        if scenes is None:
            rows = self._db.rows(MARKED)
        else:
            rows = self._db.rows(MARKS, {"flow": self._flow, "scenes": list(scenes)})
        return {scene: TakenBack(mark) for scene, mark in rows}

    def marked_since(self, since: int) -> list[int]:
        """Return the scenes that were undone or released at `since` or later, by number."""
        return [scene for (scene,) in self._db.rows(MARKED_SINCE, {"flow": self._flow, "since": since})]

    def owners(self, keys: Sequence[str]) -> dict[str, dict[int, Origin]]:
        """Return the scenes that have a memory of these items, each with its origin. Items without one are left out."""
        return self._by_key(OWNERS, keys)

    def pushers(self, keys: Sequence[str]) -> dict[str, dict[int, Origin]]:
        """Like `owners`, with the scenes that have only a push of unknown result."""
        return self._by_key(PUSHERS, keys)

    def writers(self, keys: Sequence[str]) -> dict[str, dict[int, Origin]]:
        """Like `owners`, without the scenes that were undone or released."""
        return self._by_key(WRITERS, keys)

    def _by_key(self, sql: str, keys: Sequence[str]) -> dict[str, dict[int, Origin]]:
        scenes_by_key: dict[str, dict[int, Origin]] = {}
        for key, scene, library, files in self._db.rows(sql, {"flow": self._flow, "keys": list(keys)}):
            scenes_by_key.setdefault(key, {})[scene] = origin_of(library, files)
        return scenes_by_key

    def healthy_locks(self, limit: int, *, but: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
        """Return up to `limit` locks of PlexSync, as (section, item key, field), one per item whose latest push succeeded.

        The most recently saved memories come first.
        """
        locks: dict[str, tuple[str, str, str]] = {}
        for section, key, name in self._locks(but):
            if len(locks) == limit:
                break
            locks.setdefault(key, (section, key, name))
        return list(locks.values())

    def _locks(self, but: frozenset[str]) -> Iterator[tuple[str, str, str]]:
        for section, key, document, scene in self._db.stream(WELL, {"flow": self._flow}):
            memory = None if key in but else _memory(scene, key, document)
            locked = [name for name in FIELDS if memory and name in memory and memory[name].left.locked]
            # A field that follows Plex may have been unlocked there.
            locked = [name for name in locked if memory and memory[name].drift is None]
            # A rating with a value counts as locked, but Plex has no lock for it that could be sent.
            locked = [name for name in locked if name not in LOCKLESS]
            if locked:
                yield section, key, locked[0]


class Memories(ReadOnlyMemories):
    """Read and write access to the memories."""

    def save(self, scene: int, key: str, memory: Memory, *, now: int) -> None:
        """Replace the memory of one (scene, item). The item then belongs to no other scene.

        Other scenes that were undone keep their mark. An empty memory deletes it.
        """
        self.save_all([(scene, key, memory)], now=now)

    def save_all(self, memories: Sequence[tuple[int, str, Memory]], *, now: int) -> None:
        """Like `save`, for several (scene, item key, memory), in this order."""
        # If two scenes claim one item, the later one gets it.
        holders = {key: scene for scene, key, memory in memories if memory}
        own = [(scene, key, memory) for scene, key, memory in memories if memory and holders[key] == scene]
        rows = [
            {
                **self._pair(scene, key),
                "now": now,
                "document": encode(memory, (scene, key)),
                "undone": undo_mode(memory),
            }
            for scene, key, memory in own
        ]
        names = ("flow", "scene", "item", "undone")
        self._db.execute_many(FORGET_OTHERS, [{name: row[name] for name in names} for row in rows])
        self._db.execute_many(SAVE, rows)
        self._db.execute_many(FORGET, [self._pair(scene, key) for scene, key, memory in memories if not memory])

    def rewrite(self, scene: int, key: str, memory: Memory) -> None:
        """Replace the memory of one (scene, item), which stays that of the item's library and files then."""
        self._db.execute(REWRITE, {**self._pair(scene, key), "document": encode(memory, (scene, key))})

    def rewrite_all(
        self, library: str, section: str, concerns: Callable[[bytes], bool], change: Callable[[Memory], Memory]
    ) -> None:
        """Replace every memory in a library, given by its uuid and key, by what `change` makes of it.

        `concerns` is a quick test of its document: those for which it is False stay as they are.
        """
        values = {"flow": self._flow, "library": library, "section": section}
        changed: list[dict[str, object]] = []
        for scene, key, uuid, document in self._db.stream(IN_LIBRARY, values):
            is_meant = isinstance(document, bytes) and concerns(document)
            memory = _memory(scene, key, document) if is_meant else None
            if memory and (fresh := change(memory)) != memory:
                row = {**self._pair(scene, key), "library": uuid, "document": encode(fresh, (scene, key))}
                changed.append(row)
        self._db.execute_many(REWRITE_IN, changed)

    def begin_anew(self, scenes: Sequence[int]) -> None:
        """End the undone marks of these scenes. An item that another scene has written to since is then that scene's."""
        rows = self._db.rows(LIST_UNDONE, {"flow": self._flow, "scenes": list(scenes)})
        owners = self.owners(sorted({key for _, key, *_ in rows}))
        for scene, key, library, document in rows:
            memory = _memory(scene, key, document) or {}
            fresh = {} if owners.get(key, {}).keys() - {scene} else begun_anew(memory)
            row = {**self._pair(scene, key), "library": library}
            if fresh:
                self._db.execute(BEGIN_ANEW, {**row, "document": encode(fresh, (scene, key))})
            else:
                self._db.execute(FORGET_IN, row)

    def renew_files(self, pairs: Iterable[tuple[int, str]]) -> None:
        """Remember the present files and library of these (scene, item key), as the index has them."""
        self._db.execute_many(RENEW_FILES, [self._pair(scene, key) for scene, key in pairs])

    def place(self, *, limit: int) -> int:
        """Save the library of up to `limit` memories that lack it, now that the index knows it; returns how many."""
        rows = self._db.rows(UNPLACED, {"limit": limit})
        self._db.execute_many(PLACE, [{"flow": flow, "scene": scene, "item": item} for flow, scene, item in rows])
        return len(rows)

    def forget(self, scenes: Sequence[int]) -> None:
        """Delete all memories of these scenes."""
        self._db.execute(FORGET_SCENES, {"flow": self._flow, "scenes": list(scenes)})


def _memory(scene: int, key: str, document: bytes) -> Memory | None:
    return decode(document, dict[str, Remembered], f"the memory of scene {scene} and item {key}", (scene, key))
