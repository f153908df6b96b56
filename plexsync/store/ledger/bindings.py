"""Bindings: the items that you have bound to scenes. They go before every other match."""

import json
from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.match.match_records import Binding
from plexsync.rules.match.origin import SceneOrigin
from plexsync.store.connection import FlowTable, clean
from plexsync.store.documents import LIBRARY, file_pairs, files_text, of_this_library

LIST = f"""
select subject, item, files, at, created_at, subject_files from binding
 where flow = :flow and off = 0 and {of_this_library("binding")} order by subject, cast(item as bigint), item
"""
LIST_PRESENT = f"""
select subject, item, files, at, created_at, subject_files from binding
 where flow = :flow and off = 0 and {of_this_library("binding")}
   and (subject in (select value from json_each(:scenes))
        or not exists (select 1 from job where kind = :flow and id = subject and state = 'gone'))
 order by subject, cast(item as bigint), item
"""
LIST_OFF = f"select subject, item from binding where flow = :flow and off <> 0 and {of_this_library('binding')}"
HOLDER = f"""
select subject from binding where flow = :flow and item = :item and off = 0 and {of_this_library("binding")}
"""
# An item of another library had this key: its binding, which is not listed any more, makes room.
FORGET_OTHERS = "delete from binding where flow = :flow and item = :item and subject <> :scene and off = 0"
FORGET_OLD = "delete from binding where flow = :flow and subject = :scene and item = :item"
SAVE = f"""
insert into binding (flow, subject, library, item, files, at, off, created_at, subject_files)
values (
    :flow, :scene, coalesce(nullif(:library, ''), {LIBRARY}), :item, :files, :at, 0, :created_at, :subject_files
)
"""
WITHDRAW = f"""
insert into binding (flow, subject, library, item, files, at, off)
select :flow, :scene, {LIBRARY}, :item, '[]', :at, 1
 where not exists (select 1 from binding where flow = :flow and subject = :scene and item = :item)
"""
RENEW = """
update binding set created_at = :created_at, subject_files = :subject_files, files = :files
 where flow = :flow and subject = :scene and item = :item and off = 0
   and created_at = :old_created_at and subject_files = :old_subject_files and files = :old_files
"""
TAKE_OFF = """
update binding set off = 1, files = '[]'
 where flow = :flow and subject = :scene and (:item = '' or item = :item) and off = 0
"""
FORGET_SCENES = "delete from binding where flow = :flow and subject in (select value from json_each(:scenes))"


class ReadOnlyBindings(FlowTable):
    """Read access to the bindings of one flow."""

    def all(self) -> list[Binding]:
        """Return all bindings, by scene and item."""
        return self._read(LIST, {"flow": self._flow})

    def present(self, scenes: Sequence[int]) -> list[Binding]:
        """Like `all`, without those of scenes that are gone from Stash and are not among these: they keep no item."""
        return self._read(LIST_PRESENT, {"flow": self._flow, "scenes": list(scenes)})

    def _read(self, sql: str, values: Mapping[str, object]) -> list[Binding]:
        return [
            Binding(scene, key, _files(files), at, SceneOrigin(created_at, file_pairs(of_scene)))
            for scene, key, files, at, created_at, of_scene in self._db.rows(sql, values)
        ]

    def withdrawn(self) -> frozenset[tuple[int, str]]:
        """Return the (scene, item) pairs that do not belong together: the binding was removed, or `withdraw` says so."""
        return frozenset((scene, key) for scene, key in self._db.rows(LIST_OFF, {"flow": self._flow}))


class Bindings(ReadOnlyBindings):
    """Read and write access to the bindings."""

    def bind(self, binding: Binding, library: str = "") -> bool:
        """Bind an item to a scene, or update the files of the binding; False if it is bound to another scene.

        `library`: the uuid of the item's library ('': the one in which the index has it).

        If two processes bind one item to two scenes at once, the first wins: each does it in its write transaction.
        """
        pair = {"flow": self._flow, "scene": binding.scene, "item": clean(binding.key)}
        holder = self._db.row(HOLDER, {"flow": self._flow, "item": pair["item"]})
        if holder and holder[0] != binding.scene:
            return False
        files = _paths_text(binding.files)
        self._db.execute(FORGET_OTHERS, pair)
        self._db.execute(FORGET_OLD, pair)
        origin = {"created_at": clean(binding.origin.created_at), "subject_files": files_text(binding.origin.files)}
        self._db.execute(SAVE, {**pair, **origin, "library": clean(library), "files": files, "at": binding.at})
        return True

    def withdraw(self, pairs: Iterable[tuple[int, str]], *, at: int) -> None:
        """Save that these items (scene, item key) are not the scenes' unless they are bound, now or later."""
        rows = [{"flow": self._flow, "scene": scene, "item": clean(key), "at": at} for scene, key in pairs]
        self._db.execute_many(WITHDRAW, rows)

    def renew(self, bindings: Iterable[tuple[Binding, Binding]]) -> None:
        """Save the present origin of the scene and files of the item of each binding (old, new).

        Not if it was bound anew meanwhile.
        """
        rows = [
            {
                "flow": self._flow,
                "scene": old.scene,
                "item": old.key,
                "created_at": clean(new.origin.created_at),
                "subject_files": files_text(new.origin.files),
                "files": _paths_text(new.files),
                "old_created_at": old.origin.created_at,
                "old_subject_files": files_text(old.origin.files),
                "old_files": _paths_text(old.files),
            }
            for old, new in bindings
        ]
        self._db.execute_many(RENEW, rows)

    def unbind(self, scene: int, key: str = "") -> int:
        """Remove the binding of one item to a scene, or all bindings of the scene; returns how many were removed."""
        return self._db.execute(TAKE_OFF, {"flow": self._flow, "scene": scene, "item": clean(key)})

    def forget_scenes(self, scenes: Sequence[int]) -> None:
        """Forget all bindings of these scenes, present and removed."""
        self._db.execute(FORGET_SCENES, {"flow": self._flow, "scenes": list(scenes)})


def _paths_text(paths: Iterable[str]) -> str:
    return json.dumps([clean(path) for path in paths])


def _files(text: str) -> tuple[str, ...]:
    """Return the stored files; none if a damaged page has changed them, so that the scene's own file names decide."""
    try:
        paths = json.loads(text)
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()
