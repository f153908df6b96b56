"""The memory of each (scene, item): what PlexSync wrote, what it left in Plex, and what it found there."""

import json
from collections.abc import Iterator, Sequence

from plexsync.rules.item import FIELDS, LOCKLESS
from plexsync.rules.plan_records import Memory, Remembered
from plexsync.rules.undo import undone
from plexsync.store.connection import Table
from plexsync.store.documents import decode, encode

LIST = """
select scene, key, document from memory where scene in (select value from json_each(:scenes))
"""
SAVE = """
insert into memory (scene, key, at, document, undone) values (:scene, :key, :now, :document, :undone)
on conflict (scene, key) do update set at = :now, document = :document, undone = :undone
"""
FORGET = "delete from memory where scene = :scene and key = :key"
# The mark of another scene that was undone stays: it holds for that scene, whoever writes to the item now. A scene that
# is undone already writes nothing, so it takes the item from nobody.
FORGET_OTHERS = """
delete from memory
 where key = :key and scene <> :scene and (undone = '' or undone = 'gone')
   and (:undone = '' or not exists (
        select 1 from memory as own where own.key = :key and own.scene = :scene and own.undone <> ''
   ))
"""
FORGET_SCENES = "delete from memory where scene in (select value from json_each(:scenes))"
SCENES = """
select scene from memory where scene > :after
union select scene from pushing where scene > :after
order by 1 limit :limit
"""
COUNT_UNDONE = """
select undone, count(distinct scene) from memory indexed by memory_undone where undone <> '' group by undone
"""
OWNERS = "select key, scene from memory where key in (select value from json_each(:keys))"
WRITERS = "select key, scene from memory where undone = '' and key in (select value from json_each(:keys))"
# Newest first, by the index on `at`. An item with a push of unknown result is not known to be healthy.
WELL = """
select item.section, memory.key, memory.document, memory.scene
  from memory join item on item.key = memory.key
 where memory.undone = '' and not exists (select 1 from pushing where pushing.key = memory.key)
 order by memory.at desc
"""


class ReadOnlyMemories(Table):
    """Read access to the memories."""

    def of(self, scenes: Sequence[int]) -> dict[tuple[int, str], Memory]:
        """Return all memories of these scenes, by (scene, item key)."""
        rows = self._db.rows(LIST, {"scenes": json.dumps(list(scenes))})
        read = ((scene, key, _memory(scene, key, document)) for scene, key, document in rows)
        return {(scene, key): memory for scene, key, memory in read if memory}

    def scenes(self, *, after: int, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` with a memory or a push of unknown result, by number."""
        return [scene for (scene,) in self._db.rows(SCENES, {"after": after, "limit": limit})]

    def count_undone(self) -> dict[str, int]:
        """Count the scenes that were undone or released, by how (`plexsync.rules.plan_records.Undone`)."""
        return dict(self._db.rows(COUNT_UNDONE))

    def owners(self, keys: Sequence[str]) -> dict[str, frozenset[int]]:
        """Return the scenes that have a memory of these items. Items without one are left out."""
        return self._by_key(OWNERS, keys)

    def writers(self, keys: Sequence[str]) -> dict[str, frozenset[int]]:
        """Like `owners`, without the scenes that were undone or released."""
        return self._by_key(WRITERS, keys)

    def _by_key(self, sql: str, keys: Sequence[str]) -> dict[str, frozenset[int]]:
        scenes_by_key: dict[str, set[int]] = {}
        for key, scene in self._db.rows(sql, {"keys": json.dumps(list(keys))}):
            scenes_by_key.setdefault(key, set()).add(scene)
        return {key: frozenset(scenes) for key, scenes in scenes_by_key.items()}

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
        for section, key, document, scene in self._db.stream(WELL):
            memory = None if key in but else _memory(scene, key, document)
            locked = [name for name in FIELDS if memory and name in memory and memory[name].left.locked]
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
        kept = [(scene, key, memory) for scene, key, memory in memories if memory and holders[key] == scene]
        rows = [
            {"scene": scene, "key": key, "now": now, "document": encode(memory, (scene, key)), "undone": undone(memory)}
            for scene, key, memory in kept
        ]
        names = ("scene", "key", "undone")
        self._db.execute_many(FORGET_OTHERS, [{name: row[name] for name in names} for row in rows])
        self._db.execute_many(SAVE, rows)
        self._db.execute_many(FORGET, [{"scene": scene, "key": key} for scene, key, memory in memories if not memory])

    def forget(self, scenes: Sequence[int]) -> None:
        """Delete all memories of these scenes."""
        self._db.execute(FORGET_SCENES, {"scenes": json.dumps(list(scenes))})


def _memory(scene: int, key: str, document: bytes) -> Memory | None:
    return decode(document, dict[str, Remembered], f"the memory of scene {scene} and item {key}", (scene, key))
