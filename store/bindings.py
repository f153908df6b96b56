"""Which items a person has said are a scene's: they go before everything that can be found out."""

import json
import sqlite3
from collections.abc import Sequence

from store.db import clean
from sync.match import Binding

LIST = "select scene, key, files, at from binding order by scene, cast(key as integer), key"
SAVE = """
insert into binding (scene, key, files, at) values (:scene, :key, :files, :at)
on conflict (key) do update set files = :files, at = :at where scene = :scene
"""
FORGET = "delete from binding where scene = :scene and (:key = '' or key = :key)"
FORGET_SCENES = "delete from binding where scene in (select value from json_each(:scenes))"


def listed(db: sqlite3.Connection) -> list[Binding]:
    """Every binding, by scene and item."""
    return [Binding(scene, key, _files(files), at) for scene, key, files, at in db.execute(LIST)]


def save(db: sqlite3.Connection, binding: Binding) -> bool:
    """Bind an item to a scene, or once more with the files it has now; False if it is bound to another scene.

    Of two processes that bind one item to two scenes at once, the first wins.
    """
    files = json.dumps([clean(path) for path in binding.files])
    row = {"scene": binding.scene, "key": clean(binding.key), "files": files, "at": binding.at}
    return db.execute(SAVE, row).rowcount == 1


def forget(db: sqlite3.Connection, scene: int, key: str = "") -> int:
    """Take the binding of one item off a scene, or all that it has; returns how many there were."""
    return db.execute(FORGET, {"scene": scene, "key": clean(key)}).rowcount


def forget_scenes(db: sqlite3.Connection, scenes: Sequence[int]) -> None:
    """Take all bindings off these scenes."""
    db.execute(FORGET_SCENES, {"scenes": json.dumps(list(scenes))})


def _files(text: str) -> tuple[str, ...]:
    """What was written; none, so that the scene's own file names decide, for what a damaged page has made of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple(path for path in found if isinstance(path, str)) if isinstance(found, list) else ()
