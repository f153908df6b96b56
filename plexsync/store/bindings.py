"""Which items a person has said are a scene's: they go before everything that can be found out."""

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
    """The items that a person has bound to scenes, to look at."""

    def all(self) -> list[Binding]:
        """Every binding, by scene and item."""
        return [Binding(scene, key, _files(files), at) for scene, key, files, at in self._db.rows(LIST)]

    def withdrawn(self) -> frozenset[tuple[int, str]]:
        """(scene, item) of bindings that were taken back."""
        return frozenset((scene, key) for scene, key in self._db.rows(LIST_OFF))


class Bindings(ReadOnlyBindings):
    """The items that a person has bound to scenes."""

    def bind(self, binding: Binding) -> bool:
        """Bind an item to a scene, or once more with the files it has now; False if it is bound to another scene.

        Of two processes that bind one item to two scenes at once, the first wins: each does so in its write transaction.
        """
        key = clean(binding.key)
        holder = self._db.row(HOLDER, {"key": key})
        if holder and holder[0] != binding.scene:
            return False
        files = json.dumps([clean(path) for path in binding.files])
        self._db.execute(SAVE, {"scene": binding.scene, "key": key, "files": files, "at": binding.at})
        return True

    def unbind(self, scene: int, key: str = "") -> int:
        """Take the binding of one item off a scene, or all that it has; returns how many there were."""
        return self._db.execute(TAKE_OFF, {"scene": scene, "key": clean(key)})

    def forget_scenes(self, scenes: Sequence[int]) -> None:
        """Forget all that was ever bound to these scenes."""
        self._db.execute(FORGET_SCENES, {"scenes": json.dumps(list(scenes))})


def _files(text: str) -> tuple[str, ...]:
    """What was written; none, so that the scene's own file names decide, for what a damaged page has made of it."""
    try:
        paths = json.loads(text)
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()
