"""What became of the pictures of scenes: so that one that has not changed is neither fetched nor looked into again."""

from plexsync.rules.records import PictureRow
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = "select name, version, tag, key, why from picture where scene = :scene"
SAVE = """
insert or replace into picture (scene, name, version, tag, key, why) values (:scene, :name, :version, :tag, :key, :why)
"""
FORGET = "delete from picture where scene = :scene"


class ReadOnlyPictures(Table):
    """What became of pictures, to look at."""

    def of(self, scene: int) -> dict[str, PictureRow]:
        """What became of a scene's pictures, by name (`thumb`, `art`)."""
        return {
            name: PictureRow(version, tag, key, reason)
            for name, version, tag, key, reason in self._db.rows(LIST, {"scene": scene})
        }


class Pictures(ReadOnlyPictures):
    """What became of pictures."""

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Replace what is known of one."""
        values = {"version": clean(row.version), "tag": clean(row.tag), "key": row.key, "why": clean(row.reason)}
        self._db.execute(SAVE, {"scene": scene, "name": name, **values})

    def forget(self, scene: int) -> None:
        """The scene is gone."""
        self._db.execute(FORGET, {"scene": scene})
