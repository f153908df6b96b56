"""The review in progress: a file of its own beside the database, with every planned change.

A new review is written into a second file, which replaces the first when it is complete. Each call opens the file, so that
it can be replaced at any time. The file has no part in the sync: without it, you review again. One of another form, of
another version of PlexSync, counts as none.
"""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.connection import clean
from plexsync.store.files.files import create

NAME, NEW = "review.db", "review.db.new"
WAIT = 10.0
# The form of the file. The first one had a decision about each change.
FORM = 2

SCHEMA = f"""
pragma user_version = {FORM};
create table head (name text primary key, value text not null) without rowid;
create table scene (id integer primary key, title text not null, ignored integer not null default 0);
create table change (
    scene integer not null, item text not null, field text not null, kind text not null, library text not null,
    studio text not null, document text not null, primary key (scene, item, field)
) without rowid;
create table total (
    field text not null, kind text not null, library text not null, studio text not null, number integer not null,
    primary key (field, kind, library, studio)
) without rowid;
"""
ADD_SCENE = "insert into scene (id, title) values (:id, :title)"
ADD_CHANGE = """
insert into change (scene, item, field, kind, library, studio, document)
values (:scene, :item, :field, :kind, :library, :studio, :document)
"""
SET_HEAD = "insert or replace into head (name, value) values (:name, :value)"
HEAD = "select name, value from head"
LIKE = """
(:field = '' or field = :field) and (:kind = '' or kind = :kind) and (:library = '' or library = :library)
and (:studio = '' or studio = :studio)
"""
PAGE = f"""
select distinct scene from change join scene on scene.id = change.scene
 where ignored = 0 and scene > :after and {LIKE} order by scene limit :limit
"""
TITLES = "select id, title from scene where id between :first and :last order by id"
CHANGES = "select scene, item, library, kind, document from change where scene between :first and :last"
GROUPS = f"select field, kind, sum(number) from total where {LIKE} group by field, kind"
COUNT = "select coalesce(sum(number), 0) from total"
COUNT_IGNORED = "select count(*) from scene where ignored"
NAMES = {
    "library": "select distinct library from total order by library",
    "studio": "select distinct studio from total order by studio limit 500",
}
IGNORE = """
update scene set ignored = id in (select value from json_each(:scenes))
 where ignored <> (id in (select value from json_each(:scenes)))
"""
RECOUNT = """
insert into total select field, kind, library, studio, count(*)
  from change join scene on scene.id = change.scene where ignored = 0 group by 1, 2, 3, 4
"""


@record
class ChangeFilter:
    """Which changes are meant; empty for any."""

    field: str = ""
    kind: str = ""
    library: str = ""
    studio: str = ""


@record
class ReviewedChange:
    """A planned change. `document` is it as JSON."""

    item: str
    library: str
    kind: str
    document: str


@record
class ReviewedScene:
    """A scene with planned changes: all of them, whatever the filter."""

    id: int
    title: str
    changes: tuple[ReviewedChange, ...]


class ReviewWriter:
    """A new review. It replaces the one before when it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / NEW
        try:
            path.unlink(missing_ok=True)
            os.close(create(path))
        except OSError as error:
            raise LocalFault(f"no review can be written: {error.strerror}") from error
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"pragma journal_mode = off; pragma synchronous = off; {SCHEMA} begin;")

    def add(self, id: int, title: str, changes: Iterable[Mapping[str, str]]) -> None:
        """Add a scene with its changes."""
        rows = [{"scene": id, **{name: clean(value) for name, value in change.items()}} for change in changes]
        try:
            self._db.execute(ADD_SCENE, {"id": id, "title": clean(title)})
            self._db.executemany(ADD_CHANGE, rows)
        except sqlite3.Error as error:
            raise LocalFault(f"no review can be written: {error}") from error

    def close(self, head: Mapping[str, str] | None) -> None:
        """End the review: with its head it becomes the present one, without it is discarded."""
        if head is not None:
            self._db.executemany(SET_HEAD, [{"name": name, "value": value} for name, value in head.items()])
            self._db.execute(RECOUNT)
            self._db.execute("commit")
        self._db.close()
        if head is None:
            (self._folder / NEW).unlink(missing_ok=True)
        else:
            (self._folder / NEW).replace(self._folder / NAME)


class ReviewFile:
    """The present review. Without a file, it is empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._path.exists():
                with closing(sqlite3.connect(self._path, timeout=WAIT)) as db:
                    if db.execute("pragma user_version").fetchone() == (FORM,):
                        yield db
                        return
            with closing(sqlite3.connect(":memory:")) as db:
                db.executescript(SCHEMA)
                yield db
        except sqlite3.Error as error:
            raise LocalFault(f"the review can't be used ({error}): start a new one") from error

    def head(self) -> dict[str, str]:
        """What it was made for, and when; empty if there is no review."""
        with self._open() as db:
            return dict(db.execute(HEAD).fetchall())

    def count(self) -> int:
        """The number of changes."""
        with self._open() as db:
            return int(db.execute(COUNT).fetchone()[0])

    def count_ignored(self) -> int:
        """The number of scenes that are left out, since you ignore them."""
        with self._open() as db:
            return int(db.execute(COUNT_IGNORED).fetchone()[0])

    def groups(self, wanted: ChangeFilter) -> list[tuple[str, str, int]]:
        """(field, kind, number) of these changes."""
        with self._open() as db:
            return list(db.execute(GROUPS, vars(wanted)))

    def names(self, column: str) -> list[str]:
        """All libraries, or studios, of the review."""
        with self._open() as db:
            return [str(name) for (name,) in db.execute(NAMES[column]) if name]

    def scenes(self, wanted: ChangeFilter, *, after: int = 0, limit: int = -1) -> list[int]:
        """Up to `limit` scenes (-1: all) above `after` with such a change, by number."""
        with self._open() as db:
            return [int(id) for (id,) in db.execute(PAGE, {"after": after, "limit": limit, **vars(wanted)})]

    def page(self, wanted: ChangeFilter, *, after: int, limit: int) -> list[ReviewedScene]:
        """Up to `limit` scenes above `after` with such a change, each with all its changes."""
        ids = self.scenes(wanted, after=after, limit=limit)
        with self._open() as db:
            return _scenes(db, ids)

    def leave_out(self, ignored: Collection[int]) -> None:
        """Leave out these scenes, and no others."""
        with self._open() as db, db:
            if db.execute(IGNORE, {"scenes": json.dumps(list(ignored))}).rowcount:
                db.execute("delete from total")
                db.execute(RECOUNT)


def _scenes(db: sqlite3.Connection, ids: Sequence[int]) -> list[ReviewedScene]:
    if not ids:
        return []
    chosen, bounds = set(ids), {"first": ids[0], "last": ids[-1]}
    changes: dict[int, list[ReviewedChange]] = {id: [] for id in ids}
    for scene, *values in db.execute(CHANGES, bounds):
        if scene in chosen:
            changes[scene].append(ReviewedChange(*values))
    return [ReviewedScene(id, title, tuple(changes[id])) for id, title in db.execute(TITLES, bounds) if id in chosen]
