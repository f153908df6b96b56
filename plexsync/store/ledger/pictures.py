"""Results for the pictures of scenes, so that an unchanged picture is neither fetched nor checked again."""

from collections.abc import Collection, Sequence

from plexsync.rules.records import PictureRow
from plexsync.store.connection import FlowTable, clean

# A picture of a scene is judged once for all its items, so library and item are ''.
_OF = "flow = :flow and library = '' and item = ''"
SAVE = """
insert or replace into picture (flow, subject, library, item, name, version, tag, key, why)
values (:flow, :scene, '', '', :name, :version, :tag, :key, :why)
"""
LIST = f"""
select subject, name, version, tag, key, why from picture
 where {_OF} and subject in (select value from json_each(:scenes))
"""
REFUSE = f"""
update picture set why = :why
 where {_OF} and subject = :scene and name in (select value from json_each(:names)) and key <> '' and why <> :why
"""
FORGET = f"delete from picture where {_OF} and subject = :scene"


class ReadOnlyPictures(FlowTable):
    """Read access to one flow's results for pictures."""

    def of(self, scene: int) -> dict[str, PictureRow]:
        """Return the results for a scene's pictures, by name (`thumb`, `art`)."""
        return self.of_all([scene]).get(scene, {})

    def of_all(self, scenes: Sequence[int]) -> dict[int, dict[str, PictureRow]]:
        """Return the results for the pictures of these scenes. Scenes without one are left out."""
        rows: dict[int, dict[str, PictureRow]] = {}
        for scene, name, *result in self._db.rows(LIST, {"flow": self._flow, "scenes": list(scenes)}):
            rows.setdefault(scene, {})[name] = PictureRow(*result)
        return rows


class Pictures(ReadOnlyPictures):
    """Read and write access to the results for pictures."""

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Replace the result for one picture."""
        values = {"version": clean(row.version), "tag": clean(row.tag), "key": row.key, "why": clean(row.reason)}
        self._db.execute(SAVE, {"flow": self._flow, "scene": scene, "name": name, **values})

    def refuse(self, scene: int, names: Collection[str], reason: str) -> None:
        """Save why Plex did not accept these pictures of a scene ('': it did). Only pictures with a key can be sent."""
        values = {"names": sorted(names), "why": clean(reason)}
        self._db.execute(REFUSE, {"flow": self._flow, "scene": scene, **values})

    def forget(self, scene: int) -> None:
        """Forget the pictures of a scene that is gone."""
        self._db.execute(FORGET, {"flow": self._flow, "scene": scene})
