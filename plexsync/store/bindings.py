"""Bindings: the items that you have bound to scenes. They go before every other match."""

import json
from collections.abc import Sequence

from plexsync.rules.match_records import Binding
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = "select scene, key, files, at from binding where off = 0 order by scene, cast(key as bigint), key"
LIST_OFF = "select scene, key from binding where off <> 0"
HOLDER = "select scene from binding where key = :key and off = 0"
SAVE = "insert or replace into binding (scene, key, files, at, off) values (:scene, :key, :files, :at, 0)"
TAKE_OFF = "update binding set off = 1, files = '[]' where scene = :scene and (:key = '' or key = :key) and off = 0"
FORGET_SCENES = "delete from binding where scene in (select value from json_each(:scenes))"


class ReadOnlyBindings(Table):
    """Read access to the bindings."""

    def all(self) -> list[Binding]:
        """Return all bindings, by scene and item."""
        return [Binding(scene, key, _files(files), at) for scene, key, files, at in self._db.rows(LIST)]

    def withdrawn(self) -> frozenset[tuple[int, str]]:
        """Return the (scene, item) pairs whose binding was removed."""
        return frozenset((scene, key) for scene, key in self._db.rows(LIST_OFF))


class Bindings(ReadOnlyBindings):
    """Read and write access to the bindings."""

    def bind(self, binding: Binding) -> bool:
        """Bind an item to a scene, or update the files of the binding; False if it is bound to another scene.

        If two processes bind one item to two scenes at once, the first wins: each does it in its write transaction.
        """
        key = clean(binding.key)
        holder = self._db.row(HOLDER, {"key": key})
        if holder and holder[0] != binding.scene:
            return False
        files = json.dumps([clean(path) for path in binding.files])
        self._db.execute(SAVE, {"scene": binding.scene, "key": key, "files": files, "at": binding.at})
        return True

    def unbind(self, scene: int, key: str = "") -> int:
        """Remove the binding of one item to a scene, or all bindings of the scene; returns how many were removed."""
        return self._db.execute(TAKE_OFF, {"scene": scene, "key": clean(key)})

    def forget_scenes(self, scenes: Sequence[int]) -> None:
        """Forget all bindings of these scenes, present and removed."""
        self._db.execute(FORGET_SCENES, {"scenes": json.dumps(list(scenes))})


def _files(text: str) -> tuple[str, ...]:
    """Return the stored files; none if a damaged page has changed them, so that the scene's own file names decide."""
    try:
        paths = json.loads(text)
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()
