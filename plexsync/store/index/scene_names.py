"""The last known content of each scene: its title, the path of its first file, what it shows, and its origin.

Title and path let you search for a scene even while Stash is away. The origin (`plexsync.rules.match.origin`) tells the
scene from another one that gets its id later. While a scene is ignored, its origin stays that of the ignored scene. The
performers, studios, tags and groups are stored because Stash at once forgets what it deletes, and reports only its id.
They are one text per scene (" performer:3 tag:5 "), because they are read rarely and written often: a query reads all
of them, 60 bytes per scene.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.match.origin import KnownScene, SceneOrigin, scene_origin
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import Called
from plexsync.rules.scene import Scene
from plexsync.rules.words.sorting import BY_NUMBER, ScenePlace, Sort, sort_key
from plexsync.rules.words.text import caseless
from plexsync.store.connection import Table, clean
from plexsync.store.documents import file_pairs, files_text
from plexsync.store.index.scene_order import HAS_NAME, NAME, NAMED, TITLE, bounds

# On most systems no path is longer, and a title is shown on one line.
LONGEST = 4096
# The stored values of a scene without any content.
NOTHING = ("", "", "", "", "[]", "")

_IGNORED = "exists (select 1 from job where kind = 'scene' and id = shown.scene and state = 'ignored')"
KNOWN = f"""
select scene, things, title, path, created_at, files, updated_at, {_IGNORED} as ignored from shown
 where scene in (select value from json_each(:scenes))
"""
SAVE = """
insert or replace into shown (scene, things, title, path, created_at, files, updated_at)
values (:scene, :things, :title, :path, :created_at, :files, :updated_at)
"""
TIMES = "select scene, updated_at from shown where updated_at <> '' and scene in (select value from json_each(:scenes))"
SAVE_TIME = "update shown set updated_at = :updated_at where scene = :scene"
LAST = "select max(scene) from shown where created_at <> ''"
# One of the scenes that are not ignored.
NEXT = f"""
select scene, created_at, files from shown
 where scene >= :from and created_at <> '' and not {_IGNORED} order by scene limit 1
"""
FORGET = "delete from shown where scene = :scene"
SHOWING = "select scene from shown where instr(things, :thing) order by scene"
WITH = "select things from shown where instr(things, :kind)"
REFERENCES = "select scene, things from shown where scene in (select value from json_each(:scenes))"
CALLED = "select scene, title, path from shown where scene in (select value from json_each(:scenes))"
_LIKE = "(title like :pattern escape '!' or path like :pattern escape '!')"
# A search goes on in pages of the candidates, each so many times as long as the one before.
LONGER = 8


def in_order(sort: Sort, condition: str = "true") -> str:
    """The statement for scenes that have a name, by number or by title, for the values of `bounds`."""
    behind, way = ("<", " desc") if sort.down else (">", "")
    if sort.column == TITLE:
        return f"""
select {NAME} as name, scene, title, path from shown
 where {HAS_NAME} and {condition} and (:first or ({NAMED}, scene) {behind} (:value collate nocase, :after))
 order by {NAMED}{way}, scene{way} limit :limit
"""
    return f"""
select '' as name, scene, title, path from shown
 where scene > :low and scene <= :high and {condition} order by scene{way} limit :limit
"""


class ReadOnlySceneNames(Table):
    """Read access to the last known content of scenes."""

    def scenes_showing(self, kind: Kind, id: int) -> list[int]:
        """Return the scenes that showed a performer, studio, tag or group when last seen."""
        return [scene for (scene,) in self._db.rows(SHOWING, {"thing": f" {kind}:{id} "})]

    def shown_ids(self, kind: Kind) -> set[int]:
        """Return the ids of one kind that any scene showed when last seen."""
        rows = self._db.rows(WITH, {"kind": f" {kind}:"})
        return {int(id) for (references,) in rows for id in re.findall(rf" {kind}:(\d+)", references)}

    def references(self, scenes: Sequence[int]) -> dict[int, set[tuple[str, int]]]:
        """Return what these scenes showed when last seen, as (kind, id)."""
        rows = self._db.rows(REFERENCES, {"scenes": list(scenes)})
        return {
            scene: {(kind, int(id)) for kind, id in re.findall(r" ([a-z]+):(\d+)", references)}
            for scene, references in rows
        }

    def of(self, scenes: Sequence[int]) -> dict[int, Called]:
        """Return the title and path of these scenes. Scenes never seen are left out."""
        rows = self._db.rows(CALLED, {"scenes": list(scenes)})
        return {scene: Called(title, path) for scene, title, path in rows if title or path}

    def known_scenes(self, scenes: Iterable[int]) -> dict[int, KnownScene]:
        """Return those of these scenes whose origin is known."""
        rows = self._db.rows(KNOWN, {"scenes": list(scenes)})
        return {
            row["scene"]: KnownScene(
                SceneOrigin(row["created_at"], file_pairs(row["files"])), bool(row["ignored"]), row["updated_at"]
            )
            for row in rows
            if row["created_at"]
        }

    def times(self, scenes: Sequence[int]) -> dict[int, str]:
        """Return when these scenes were last changed in Stash, as it was when they were last seen."""
        return dict(self._db.rows(TIMES, {"scenes": list(scenes)}))

    def sample(self, size: int) -> dict[int, SceneOrigin]:
        """Return up to `size` scenes that are not ignored and whose origin is known, spread over all ids."""
        last = self._db.value(LAST) or 0
        origins: dict[int, SceneOrigin] = {}
        for number in range(size):
            row = self._db.row(NEXT, {"from": max(last * number // size, max(origins, default=0) + 1)})
            if row is None:
                break
            origins[row["scene"]] = SceneOrigin(row["created_at"], file_pairs(row["files"]))
        return origins

    def by_title(self, sort: Sort, *, limit: int, after: ScenePlace | None = None) -> list[ScenePlace]:
        """Return up to `limit` scenes that have a name after a place, by title; without a title, by the path."""
        rows = self._db.rows(in_order(sort), {"limit": limit, **bounds(sort, after)})
        return [ScenePlace(sort_key(name), scene) for name, scene, *_ in rows]

    def search(self, text: str, *, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` scenes above `after` whose title or path contains the text in any case, by number."""
        return [place.id for place in self.search_places(text, BY_NUMBER, limit=limit, after=ScenePlace("", after))]

    def search_places(self, text: str, sort: Sort, *, limit: int, after: ScenePlace | None = None) -> list[ScenePlace]:
        """Return up to `limit` scenes after a place whose title or path contains the text, by number or by title.

        SQLite folds the case of ASCII only, so the candidates that it finds are compared again here.
        """
        wanted, sql, size = caseless(text), in_order(sort, _LIKE), limit
        places: list[ScenePlace] = []
        while len(places) < limit:
            rows = self._db.rows(sql, {"pattern": _pattern(text), "limit": size, **bounds(sort, after)})
            for name, scene, title, path in rows:
                after = ScenePlace(sort_key(name), scene)
                if wanted in caseless(title) or wanted in caseless(path):
                    places.append(after)
            if len(rows) < size:
                break
            size *= LONGER
        return places[:limit]


class SceneNames(ReadOnlySceneNames):
    """Read and write access to the last known content of scenes."""

    def save(self, scenes: Iterable[Scene]) -> None:
        """Save the title, path, references (`Scene.references`) and origin of these scenes; forgets one that has none.

        Writes only what has changed. The known origin of an ignored scene stays.
        """
        fresh = {scene.id: _stored_values(scene) for scene in scenes}
        stored: dict[int, tuple[str, ...]] = {}
        for scene, *values, created_at, files, updated_at, ignored in self._db.rows(KNOWN, {"scenes": list(fresh)}):
            stored[scene] = (*values, created_at, files, updated_at)
            if ignored and created_at:
                fresh[scene] = (*fresh[scene][:3], created_at, files, fresh[scene][-1])
        changed = {scene: texts for scene, texts in fresh.items() if stored.get(scene, NOTHING) != texts}
        names = ("things", "title", "path", "created_at", "files", "updated_at")
        saved = [
            {"scene": scene, **dict(zip(names, texts, strict=True))}
            for scene, texts in changed.items()
            if texts != NOTHING
        ]
        self._db.execute_many(SAVE, saved)
        self._db.execute_many(FORGET, [{"scene": scene} for scene, texts in changed.items() if texts == NOTHING])

    def save_times(self, times: Mapping[int, str]) -> None:
        """Save when these scenes were last changed in Stash."""
        self._db.execute_many(SAVE_TIME, [{"scene": scene, "updated_at": text} for scene, text in times.items()])


def _stored_values(scene: Scene) -> tuple[str, ...]:
    """Return the stored values of a scene: (things, title, path, created_at, files, updated_at)."""
    references = "".join(f" {kind}:{id}" for kind, id in sorted(scene.references))
    path = scene.files[0].path if scene.files else ""
    names = (f"{references} " if references else "", clean(scene.title[:LONGEST]), clean(path[:LONGEST]))
    origin = scene_origin(scene)
    return (*names, clean(origin.created_at), files_text(origin.files), clean(scene.updated_at))


def _pattern(text: str) -> str:
    """Return a `like` pattern that matches every text containing this one; each non-ASCII stretch is a wildcard."""
    escaped = re.sub(r"([!%_])", r"!\1", text)
    return f"%{re.sub(r'[^ -~]+', '%', escaped)}%"
