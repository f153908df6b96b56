"""Results for the pictures of scenes, so that an unchanged picture is neither fetched nor checked again."""

import json
from collections.abc import Collection, Sequence

from plexsync.rules.records import PictureRow
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = "select name, version, tag, key, why from picture where scene = :scene"
SAVE = """
insert or replace into picture (scene, name, version, tag, key, why) values (:scene, :name, :version, :tag, :key, :why)
"""
LIST_ALL = """
select scene, name, version, tag, key, why from picture where scene in (select value from json_each(:scenes))
"""
REFUSE = """
update picture set why = :why
 where scene = :scene and name in (select value from json_each(:names)) and key <> '' and why <> :why
"""
FORGET = "delete from picture where scene = :scene"


class ReadOnlyPictures(Table):
    """Read access to the results for pictures."""

    def of(self, scene: int) -> dict[str, PictureRow]:
        """Return the results for a scene's pictures, by name (`thumb`, `art`)."""
        return {
            name: PictureRow(version, tag, key, reason)
            for name, version, tag, key, reason in self._db.rows(LIST, {"scene": scene})
        }

    def of_all(self, scenes: Sequence[int]) -> dict[int, dict[str, PictureRow]]:
        """Return the results for the pictures of these scenes. Scenes without one are left out."""
        rows: dict[int, dict[str, PictureRow]] = {}
        for scene, name, version, tag, key, reason in self._db.rows(LIST_ALL, {"scenes": json.dumps(list(scenes))}):
            rows.setdefault(scene, {})[name] = PictureRow(version, tag, key, reason)
        return rows


class Pictures(ReadOnlyPictures):
    """Read and write access to the results for pictures."""

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Replace the result for one picture."""
        values = {"version": clean(row.version), "tag": clean(row.tag), "key": row.key, "why": clean(row.reason)}
        self._db.execute(SAVE, {"scene": scene, "name": name, **values})

    def refuse(self, scene: int, names: Collection[str], reason: str) -> None:
        """Save why Plex did not accept these pictures of a scene ('': it did). Only pictures with a key can be sent."""
        self._db.execute(REFUSE, {"scene": scene, "names": json.dumps(sorted(names)), "why": clean(reason)})

    def forget(self, scene: int) -> None:
        """Forget the pictures of a scene that is gone."""
        self._db.execute(FORGET, {"scene": scene})
