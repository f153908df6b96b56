"""The libraries that ask PlexSync for the values of their items, and what Plex is told of each scene.

See `plexsync.provider`. A row of `answer` says what a key is answered with, and whether a question for a match finds it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.match.paths import name_key
from plexsync.rules.record_class import record
from plexsync.rules.records import AnswerFile, ProviderRow as ProviderRow
from plexsync.store.connection import Row, Table, clean

_PROVIDER = "library, section, title, identifier, state, steps, added_at, called_at, calls"
EVERY = f"select {_PROVIDER} from provider order by title, library"
SAVE = """
insert into provider (library, section, title, identifier, state, steps, added_at)
values (:library, :section, :title, :identifier, :state, :steps, :added_at)
on conflict (library) do update
   set section = excluded.section, title = excluded.title, identifier = excluded.identifier, state = excluded.state,
       steps = excluded.steps, added_at = excluded.added_at
"""
NOTE_CALLS = "update provider set called_at = :at, calls = :calls where library = :library"
SAVE_ITEM = """
insert into provider_item (library, item, document) values (:library, :item, :document)
on conflict (library, item) do nothing
"""
ITEMS = """
select item, document, state from provider_item where library = :library and item > :after order by item limit :limit
"""
SAVED_AMONG = "select item from provider_item where item in (select value from json_each(:keys))"
FOUND_AMONG = "select item, document from provider_item where item in (select value from json_each(:keys))"
COUNT_ITEMS = "select count(*) from provider_item where library = :library"
MARK_BACK = "update provider_item set state = 'back' where library = :library and item = :item"
FORGET = tuple(
    f"delete from {table} where library = :library" for table in ("answer_file", "answer", "provider_item", "provider")
)

_ANSWER = "library, scene, key, matched, document, said_at"
BY_KEY = f"select {_ANSWER} from answer where library = :library and key = :key"
# The table is by library, then by scene.
_IN_ANY = "library in (select library from provider)"
OF_SCENES = f"select {_ANSWER} from answer where {_IN_ANY} and scene in (select value from json_each(:scenes))"
WITH_FILE = """
select answer_file.scene, answer_file.path,
       case when answer.matched = 1 and not exists (
           select 1 from job where kind = 'scene' and id = answer_file.scene and state = 'ignored'
       ) then 1 else 0 end as matched
  from answer_file
  join answer on answer.library = answer_file.library and answer.scene = answer_file.scene
 where answer_file.library = :library and answer_file.name_key = :name
 order by answer_file.scene, answer_file.path
"""
HEIRS = """
select distinct answer.library, answer.scene, answer.key, answer.matched, answer.document, answer.said_at
  from answer_file as former
  join answer_file as present on present.library = former.library and present.name_key = former.name_key
                             and present.path = former.path and present.scene <> former.scene
  join answer on answer.library = present.library and answer.scene = present.scene and answer.matched = 1
 where former.library = :library and former.scene = :scene limit 2
"""
FILES_OF = """
select library, scene, path from answer_file
 where scene in (select value from json_each(:scenes)) order by library, scene, path
"""
SCENES = "select scene from answer where library = :library"
COUNT = """
select count(*), coalesce(sum(matched), 0) from answer where library = :library
"""
SAY = """
insert into answer (library, scene, key, matched, document, said_at)
values (:library, :scene, :key, :matched, :document, :now)
on conflict (library, scene) do update
   set key = excluded.key, matched = excluded.matched, document = excluded.document, said_at = excluded.said_at
"""
DROP_FILES = "delete from answer_file where scene = :scene and library = :library"
ADD_FILE = """
insert into answer_file (library, name_key, scene, path) values (:library, :name, :scene, :path)
on conflict (library, name_key, scene, path) do nothing
"""

# The values of a scene by field: a text, or the names of a list.
Values = Mapping[str, str | Sequence[str]]


@record
class FoundItem:
    """An item as it was found before its library asked PlexSync; `is_back`: it was put back."""

    item: str
    document: Mapping[str, object]
    is_back: bool


@record
class StoredAnswer:
    """What Plex is told of a scene in a library, since `said_at` (UTC ms): its key, and the values for that key.

    `matched`: a question for a match finds the scene.
    """

    library: str
    scene: int
    key: str
    matched: bool
    values: Values
    said_at: int = 0


class ReadOnlyProviders(Table):
    """Read access to the libraries that ask PlexSync first."""

    def all(self) -> list[ProviderRow]:
        """Return all of them, by title."""
        return [provider_row(row) for row in self._db.once(EVERY)]

    def of(self, library: str) -> ProviderRow | None:
        """Return the one of this uuid, if it asks PlexSync."""
        return next((row for row in self.all() if row.library == library), None)

    def items(self, library: str, *, after: str = "", limit: int = 500) -> list[FoundItem]:
        """Return the saved items of a library with a key above `after`, by their keys (as texts)."""
        rows = self._db.rows(ITEMS, {"library": library, "after": after, "limit": limit})
        return [FoundItem(row["item"], _mapping(row["document"]), row["state"] == "back") for row in rows]

    def saved_among(self, keys: Iterable[str]) -> frozenset[str]:
        """Return those of these items that were saved as they were found."""
        return frozenset(row["item"] for row in self._db.rows(SAVED_AMONG, {"keys": list(keys)}))

    def found_among(self, keys: Iterable[str]) -> dict[str, Mapping[str, object]]:
        """Return how those of these items were found that were saved then, by key."""
        return {row["item"]: _mapping(row["document"]) for row in self._db.rows(FOUND_AMONG, {"keys": list(keys)})}

    def count_items(self, library: str) -> int:
        """Count the saved items of a library."""
        return int(self._db.value(COUNT_ITEMS, {"library": library}))


class Providers(ReadOnlyProviders):
    """Read and write access to the libraries that ask PlexSync first."""

    def save(self, provider: ProviderRow) -> None:
        """Save a library; the figures of its calls stay as they are."""
        values = {name: vars(provider)[name] for name in ("library", "section", "identifier", "state", "added_at")}
        self._db.execute(SAVE, {**values, "title": clean(provider.title), "steps": _text(provider.steps)})
        self._db.forget(EVERY)

    def note_calls(self, library: str, at: int, calls: Mapping[str, object]) -> None:
        """Save when Plex last asked, and the figures of the last hour."""
        self._db.execute(NOTE_CALLS, {"library": library, "at": at, "calls": _text(calls)})
        self._db.forget(EVERY)

    def stop_telling(self) -> None:
        """Note that no library is told of what changes: all is said anew once it can ask again."""
        for library in self.all():
            self.save(replace(library, steps={name: done for name, done in library.steps.items() if name != "answers"}))

    def save_items(self, library: str, items: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Save items (key, document) as they were found; what was saved earlier stays."""
        rows = [{"library": library, "item": item, "document": _text(document)} for item, document in items]
        self._db.execute_many(SAVE_ITEM, rows)

    def mark_back(self, library: str, items: Iterable[str]) -> None:
        """Save that these items were put back."""
        self._db.execute_many(MARK_BACK, [{"library": library, "item": item} for item in items])

    def forget(self, library: str) -> None:
        """Forget a library, with its items and answers."""
        for sql in FORGET:
            self._db.execute(sql, {"library": library})
        self._db.forget(EVERY)


class ReadOnlyAnswers(Table):
    """Read access to what Plex is told of scenes."""

    def by_key(self, library: str, key: str) -> StoredAnswer | None:
        """Return the answer for a key of a library, None if it was never given."""
        row = self._db.row(BY_KEY, {"library": library, "key": key})
        return _answer(row) if row else None

    def heir_of(self, answer: StoredAnswer) -> StoredAnswer | None:
        """Return the answer for the one scene that a match finds now by a file of this one; None if there is no such one."""
        rows = self._db.rows(HEIRS, {"library": answer.library, "scene": answer.scene})
        return _answer(rows[0]) if len(rows) == 1 else None

    def of(self, scenes: Iterable[int]) -> dict[tuple[str, int], StoredAnswer]:
        """Return the answers of these scenes, by (library, scene)."""
        rows = self._db.rows(OF_SCENES, {"scenes": list(scenes)})
        return {(row["library"], row["scene"]): _answer(row) for row in rows}

    def with_file(self, library: str, name: str) -> list[AnswerFile]:
        """Return the files of this base name, as Stash has them."""
        rows = self._db.rows(WITH_FILE, {"library": library, "name": name_key(name)})
        return [AnswerFile(row["scene"], row["path"], bool(row["matched"])) for row in rows]

    def files_of(self, scenes: Iterable[int]) -> dict[tuple[str, int], list[str]]:
        """Return the paths in Stash for which these scenes are found, by (library, scene)."""
        files: dict[tuple[str, int], list[str]] = {}
        for row in self._db.rows(FILES_OF, {"scenes": list(scenes)}):
            files.setdefault((row["library"], row["scene"]), []).append(row["path"])
        return files

    def scenes(self, library: str) -> frozenset[int]:
        """Return the scenes with an answer in a library."""
        return frozenset(row["scene"] for row in self._db.rows(SCENES, {"library": library}))

    def count(self, library: str) -> tuple[int, int]:
        """Count the scenes with an answer in a library, and those of them that a match may find."""
        ((total, matched),) = self._db.rows(COUNT, {"library": library})
        return total, matched


class Answers(ReadOnlyAnswers):
    """Read and write access to what Plex is told of scenes."""

    def say(self, answers: Iterable[StoredAnswer], *, now: int) -> None:
        """Save what Plex is told from now on."""
        rows = [
            {
                "library": answer.library,
                "scene": answer.scene,
                "key": answer.key,
                "matched": int(answer.matched),
                "document": _text(answer.values),
                "now": now,
            }
            for answer in answers
        ]
        self._db.execute_many(SAY, rows)

    def save_files(self, files: Mapping[tuple[str, int], Iterable[str]]) -> None:
        """Save for which files (paths in Stash) these scenes are found, by (library, scene)."""
        self._db.execute_many(DROP_FILES, [{"library": library, "scene": scene} for library, scene in files])
        rows = [
            {"library": library, "scene": scene, "name": name_key(path), "path": clean(path)}
            for (library, scene), paths in files.items()
            for path in paths
        ]
        self._db.execute_many(ADD_FILE, rows)


def _text(document: Mapping[str, object]) -> str:
    return clean(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def _mapping(text: str) -> Mapping[str, object]:
    """The mapping in a column; empty if a damaged page has changed it."""
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def provider_row(row: Row) -> ProviderRow:
    """A library from its row."""
    return ProviderRow(**{**dict(row), "steps": _mapping(row["steps"]), "calls": _mapping(row["calls"])})


def _answer(row: Row) -> StoredAnswer:
    """An answer from its row. Raises ValueError if a damaged page has changed it: nothing is answered with it."""
    values = json.loads(row["document"])
    return StoredAnswer(row["library"], row["scene"], row["key"], bool(row["matched"]), values, row["said_at"])
