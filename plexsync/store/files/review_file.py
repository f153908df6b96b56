"""The review in progress: a file of its own beside the database, with every planned change and your decision about it.

A new review is written into a second file, which replaces the first when it is complete. Each call opens the file, so that
it can be replaced at any time. The file has no part in the sync: without it, you review again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.connection import clean
from plexsync.store.files.files import create

NAME, NEW = "review.db", "review.db.new"
WAIT = 10.0
OPEN, APPROVED, SKIPPED, QUEUED, REFUSED = "open", "approved", "skipped", "queued", "refused"
DECISIONS = (OPEN, APPROVED, SKIPPED, QUEUED, REFUSED)
LARGEST_ID = 2**63 - 1
# Your decisions; the others say what came of an approval.
YOURS = (OPEN, APPROVED, SKIPPED)

SCHEMA = """
create table head (name text primary key, value text not null) without rowid;
create table scene (id integer primary key, title text not null, document text not null, reason text not null default '');
create table change (
    scene integer not null, item text not null, field text not null, kind text not null, library text not null,
    studio text not null, decision text not null default 'open', primary key (scene, item, field)
) without rowid;
create table total (
    decision text not null, field text not null, kind text not null, library text not null, studio text not null,
    number integer not null, primary key (decision, field, kind, library, studio)
) without rowid;
"""
ADD_SCENE = "insert into scene (id, title, document) values (:id, :title, :document)"
ADD_CHANGE = """
insert into change (scene, item, field, kind, library, studio)
values (:scene, :item, :field, :kind, :library, :studio)
"""
SET_HEAD = "insert or replace into head (name, value) values (:name, :value)"
HEAD = "select name, value from head"
LIKE = """
(:field = '' or field = :field) and (:kind = '' or kind = :kind) and (:library = '' or library = :library)
and (:studio = '' or studio = :studio)
"""
WHERE = f"{LIKE} and (:item = '' or item = :item) and scene between :lowest and :highest"
PAGE = f"""
select distinct scene from change where decision = :decision and scene > :after and {WHERE} order by scene limit :limit
"""
SCENES = "select id, title, document, reason from scene where id between :first and :last order by id"
CHANGES = "select scene, item, field, kind, library, decision from change where scene between :first and :last"
GROUPS = f"""
select field, kind, sum(number) from total where decision = :decision and {LIKE} group by field, kind having sum(number) > 0
"""
COUNTS = "select decision, sum(number) from total group by decision"
COUNT_SCENES = "select count(distinct scene) from change where decision = :decision"
NAMES = {
    "library": "select distinct library from total order by library",
    "studio": "select distinct studio from total order by studio limit 500",
}
DECIDE = f"""
update change set decision = :to where decision <> 'queued' and decision <> :to
   and (:from = '' or decision = :from) and {WHERE}
"""
_LIKE_CHANGE = "select decision, field, kind, library, studio"
RECOUNT = f"""
insert into total {_LIKE_CHANGE}, count(*) from change group by 1, 2, 3, 4, 5
"""
COUNT_BY = f"""
insert into total {_LIKE_CHANGE}, :by from change where scene = :scene
on conflict (decision, field, kind, library, studio) do update set number = number + :by
"""
END = "update change set decision = :decision where scene = :scene and decision = 'approved'"
SAY = "update scene set reason = :reason where id = :scene"


@record
class ChangeFilter:
    """Which changes are meant; empty for any. `scene` 0: of any scene."""

    field: str = ""
    kind: str = ""
    library: str = ""
    studio: str = ""
    scene: int = 0
    item: str = ""

    @property
    def values(self) -> dict[str, object]:
        """For a statement."""
        return {**vars(self), "lowest": self.scene, "highest": self.scene or LARGEST_ID}


@record
class ReviewedChange:
    """A planned change and the decision about it."""

    item: str
    field: str
    kind: str
    library: str
    decision: str


@record
class ReviewedScene:
    """A scene with planned changes. `document` is its plan as JSON; `reason` says why it was refused, if it was."""

    id: int
    title: str
    document: str
    reason: str
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

    def add(self, id: int, title: str, document: str, changes: Iterable[Mapping[str, str]]) -> None:
        """Add a scene with its changes."""
        rows = [{"scene": id, **{name: clean(value) for name, value in change.items()}} for change in changes]
        try:
            self._db.execute(ADD_SCENE, {"id": id, "title": clean(title), "document": document})
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
            if not self._path.exists():
                with closing(sqlite3.connect(":memory:")) as db:
                    db.executescript(SCHEMA)
                    yield db
                return
            with closing(sqlite3.connect(self._path, timeout=WAIT)) as db:
                yield db
        except sqlite3.Error as error:
            raise LocalFault(f"the review can't be used ({error}): start a new one") from error

    def head(self) -> dict[str, str]:
        """What it was made for, and when; empty if there is no review."""
        with self._open() as db:
            return dict(db.execute(HEAD).fetchall())

    def counts(self) -> dict[str, int]:
        """The number of changes by decision."""
        with self._open() as db:
            return {**dict.fromkeys(DECISIONS, 0), **dict(db.execute(COUNTS).fetchall())}

    def count_scenes(self, decision: str) -> int:
        """The number of scenes with a change of this decision."""
        with self._open() as db:
            return int(db.execute(COUNT_SCENES, {"decision": decision}).fetchone()[0])

    def groups(self, decision: str, wanted: ChangeFilter) -> list[tuple[str, str, int]]:
        """(field, kind, number) of the changes with this decision."""
        with self._open() as db:
            return list(db.execute(GROUPS, {"decision": decision, **wanted.values}))

    def names(self, column: str) -> list[str]:
        """All libraries, or studios, of the review."""
        with self._open() as db:
            return [str(name) for (name,) in db.execute(NAMES[column]) if name]

    def page(self, decision: str, wanted: ChangeFilter, *, after: int, limit: int) -> list[ReviewedScene]:
        """Up to `limit` scenes above `after` with such a change, each with all its changes."""
        with self._open() as db:
            values = {"decision": decision, "after": after, "limit": limit, **wanted.values}
            ids = [int(id) for (id,) in db.execute(PAGE, values)]
            return _scenes(db, ids)

    def decide(self, to: str, wanted: ChangeFilter, *, before: str = "") -> int:
        """Save a decision about these changes, those with the decision `before` only; returns their number."""
        with self._open() as db, db:
            if wanted.scene:
                db.execute(COUNT_BY, {"scene": wanted.scene, "by": -1})
            count = db.execute(DECIDE, {"to": to, "from": before, **wanted.values}).rowcount
            if wanted.scene:
                db.execute(COUNT_BY, {"scene": wanted.scene, "by": 1})
            else:
                db.execute("delete from total")
                db.execute(RECOUNT)
            return count

    def end(self, ended: Sequence[tuple[int, str, str]]) -> None:
        """Save what came of the approved changes of scenes: (scene, decision, reason)."""
        with self._open() as db, db:
            for scene, decision, reason in ended:
                db.execute(COUNT_BY, {"scene": scene, "by": -1})
                db.execute(END, {"scene": scene, "decision": decision})
                db.execute(COUNT_BY, {"scene": scene, "by": 1})
                db.execute(SAY, {"scene": scene, "reason": reason})


def _scenes(db: sqlite3.Connection, ids: Sequence[int]) -> list[ReviewedScene]:
    if not ids:
        return []
    chosen, bounds = set(ids), {"first": ids[0], "last": ids[-1]}
    changes: dict[int, list[ReviewedChange]] = {id: [] for id in ids}
    for scene, *values in db.execute(CHANGES, bounds):
        if scene in chosen:
            changes[scene].append(ReviewedChange(*values))
    return [
        ReviewedScene(id, title, document, reason, tuple(changes[id]))
        for id, title, document, reason in db.execute(SCENES, bounds)
        if id in chosen
    ]
