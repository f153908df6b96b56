"""What was last seen on each scene: its title, the path of its first file, and what it showed.

The title and the path are there to find a scene by, also while Stash is away. The performers, studios, tags and groups are
there since Stash forgets at once what it destroys, and tells of it by id alone. They are one text a scene
(" performer:3 tag:5 "), since they are asked for rarely and written often: a question reads all of them, 60 bytes a scene.
"""

import json
import re
from collections.abc import Iterable, Sequence

from plexsync.rules.job import Kind
from plexsync.rules.records import Called
from plexsync.rules.scene import Scene
from plexsync.rules.text import caseless
from plexsync.store.connection import Table
from plexsync.store.db import clean

# A path can't be longer on most systems, and a title is shown on a line.
LONGEST = 4096
# What is kept of a scene that nothing is known of.
NOTHING = ("", "", "")

KNOWN = "select scene, things, title, path from shown where scene in (select value from json_each(:scenes))"
SAVE = "insert or replace into shown (scene, things, title, path) values (:scene, :things, :title, :path)"
FORGET = "delete from shown where scene = :scene"
SHOWING = "select scene from shown where instr(things, :thing) order by scene"
WITH = "select things from shown where instr(things, :kind)"
CALLED = "select scene, title, path from shown where scene in (select value from json_each(:scenes))"
LIKE = """
select scene, title, path from shown
 where scene > :after and (title like :pattern escape '!' or path like :pattern escape '!')
 order by scene
"""


class ReadOnlySceneNames(Table):
    """What was last seen on scenes, to look at."""

    def scenes_showing(self, kind: Kind, id: int) -> list[int]:
        """The scenes that showed a performer, studio, tag or group when they were last looked at."""
        return [scene for (scene,) in self._db.rows(SHOWING, {"thing": f" {kind}:{id} "})]

    def shown_ids(self, kind: Kind) -> set[int]:
        """The ids of all that any scene showed of a kind when it was last looked at."""
        rows = self._db.rows(WITH, {"kind": f" {kind}:"})
        return {int(id) for (references,) in rows for id in re.findall(rf" {kind}:(\d+)", references)}

    def of(self, scenes: Sequence[int]) -> dict[int, Called]:
        """What these scenes were called; those that were never seen are left out."""
        rows = self._db.rows(CALLED, {"scenes": json.dumps(list(scenes))})
        return {scene: Called(title, path) for scene, title, path in rows if title or path}

    def search(self, text: str, *, limit: int, after: int = 0) -> list[int]:
        """Up to `limit` scenes above `after` whose title or path has the text in it, whatever its case, by number.

        SQLite knows the case of ASCII alone: what else there is in the text is compared here, among those that may fit.
        """
        wanted = caseless(text)
        scenes: list[int] = []
        for scene, title, path in self._db.stream(LIKE, {"pattern": _pattern(text), "after": after}):
            if wanted in caseless(title) or wanted in caseless(path):
                scenes.append(scene)
                if len(scenes) == limit:
                    break
        return scenes


class SceneNames(ReadOnlySceneNames):
    """What was last seen on scenes."""

    def save(self, scenes: Iterable[Scene]) -> None:
        """Note what these scenes are called and show (`Scene.references`); one with nothing at all is forgotten.

        Only what has changed is written.
        """
        fresh = {scene.id: _shown(scene) for scene in scenes}
        rows = self._db.rows(KNOWN, {"scenes": json.dumps(list(fresh))})
        stored = {scene: (references, title, path) for scene, references, title, path in rows}
        changed = {scene: shown for scene, shown in fresh.items() if stored.get(scene, NOTHING) != shown}
        saved = [
            {"scene": scene, "things": references, "title": title, "path": path}
            for scene, (references, title, path) in changed.items()
            if references or title or path
        ]
        self._db.execute_many(SAVE, saved)
        self._db.execute_many(FORGET, [{"scene": scene} for scene, shown in changed.items() if not any(shown)])


def _shown(scene: Scene) -> tuple[str, str, str]:
    """What is kept of a scene: (things, title, path)."""
    references = "".join(f" {kind}:{id}" for kind, id in sorted(scene.references))
    path = scene.files[0].path if scene.files else ""
    return (f"{references} " if references else "", clean(scene.title[:LONGEST]), clean(path[:LONGEST]))


def _pattern(text: str) -> str:
    """What every text that has this one in it fits, for `like`: each stretch that is not ASCII stands for anything."""
    escaped = re.sub(r"([!%_])", r"!\1", text)
    return f"%{re.sub(r'[^ -~]+', '%', escaped)}%"
