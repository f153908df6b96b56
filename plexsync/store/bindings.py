"""Bindings: the items that you have bound to scenes. They go before every other match."""

import json
from collections.abc import Sequence

from plexsync.rules.job import Kind
from plexsync.rules.match_records import Binding
from plexsync.store.connection import Connection, Table
from plexsync.store.db import clean
from plexsync.store.origins import LIBRARY, of_this_library

LIST = f"""
select subject, item, files, at from binding
 where flow = :flow and off = 0 and {of_this_library("binding")} order by subject, cast(item as bigint), item
"""
LIST_OFF = f"select subject, item from binding where flow = :flow and off <> 0 and {of_this_library('binding')}"
HOLDER = "select subject from binding where flow = :flow and item = :item and off = 0"
FORGET_OLD = "delete from binding where flow = :flow and subject = :scene and item = :item"
SAVE = f"""
insert into binding (flow, subject, library, item, files, at, off)
values (:flow, :scene, {LIBRARY}, :item, :files, :at, 0)
"""
TAKE_OFF = """
update binding set off = 1, files = '[]'
 where flow = :flow and subject = :scene and (:item = '' or item = :item) and off = 0
"""
FORGET_SCENES = "delete from binding where flow = :flow and subject in (select value from json_each(:scenes))"


class ReadOnlyBindings(Table):
    """Read access to the bindings of one flow."""

    def __init__(self, db: Connection, flow: str = Kind.SCENE) -> None:
        super().__init__(db)
        self._flow = str(flow)

    def all(self) -> list[Binding]:
        """Return all bindings, by scene and item."""
        return [
            Binding(scene, key, _files(files), at)
            for scene, key, files, at in self._db.rows(LIST, {"flow": self._flow})
        ]

    def withdrawn(self) -> frozenset[tuple[int, str]]:
        """Return the (scene, item) pairs whose binding was removed."""
        return frozenset((scene, key) for scene, key in self._db.rows(LIST_OFF, {"flow": self._flow}))


class Bindings(ReadOnlyBindings):
    """Read and write access to the bindings."""

    def bind(self, binding: Binding) -> bool:
        """Bind an item to a scene, or update the files of the binding; False if it is bound to another scene.

        If two processes bind one item to two scenes at once, the first wins: each does it in its write transaction.
        """
        pair = {"flow": self._flow, "scene": binding.scene, "item": clean(binding.key)}
        holder = self._db.row(HOLDER, {"flow": self._flow, "item": pair["item"]})
        if holder and holder[0] != binding.scene:
            return False
        files = json.dumps([clean(path) for path in binding.files])
        self._db.execute(FORGET_OLD, pair)
        self._db.execute(SAVE, {**pair, "files": files, "at": binding.at})
        return True

    def unbind(self, scene: int, key: str = "") -> int:
        """Remove the binding of one item to a scene, or all bindings of the scene; returns how many were removed."""
        return self._db.execute(TAKE_OFF, {"flow": self._flow, "scene": scene, "item": clean(key)})

    def forget_scenes(self, scenes: Sequence[int]) -> None:
        """Forget all bindings of these scenes, present and removed."""
        self._db.execute(FORGET_SCENES, {"flow": self._flow, "scenes": json.dumps(list(scenes))})


def _files(text: str) -> tuple[str, ...]:
    """Return the stored files; none if a damaged page has changed them, so that the scene's own file names decide."""
    try:
        paths = json.loads(text)
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()
