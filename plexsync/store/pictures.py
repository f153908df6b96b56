"""Results for the pictures of scenes, so that an unchanged picture is neither fetched nor checked again."""

from plexsync.rules.records import PictureRow
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = "select name, version, tag, key, why from picture where scene = :scene"
SAVE = """
insert or replace into picture (scene, name, version, tag, key, why) values (:scene, :name, :version, :tag, :key, :why)
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


class Pictures(ReadOnlyPictures):
    """Read and write access to the results for pictures."""

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Replace the result for one picture."""
        values = {"version": clean(row.version), "tag": clean(row.tag), "key": row.key, "why": clean(row.reason)}
        self._db.execute(SAVE, {"scene": scene, "name": name, **values})

    def forget(self, scene: int) -> None:
        """Forget the pictures of a scene that is gone."""
        self._db.execute(FORGET, {"scene": scene})
