"""What a fault did: how many cases were tried, and how many of them lost, doubled or spoilt something."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.patience import HANG
from tests.store_places import PostgresPlace, place_of
from tests.torture import leaking

NAME = "plexsync.db"
STATES = ("ready", "running", "idle", "absent", "dead", "gone", "dropped", "ignored")
NOTES_KEPT = 20


@dataclass
class Score:
    """One line of the table. `lost`: accepted and not there; `doubled`: counted or held twice; `wrong`: anything else."""

    fault: str
    what: str
    seed: int = 0
    cases: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)
    left_out: str = ""
    skipped: int = 0

    @property
    def clean(self) -> bool:
        """Nothing was lost, doubled or wrong, and something was tried, or it is said why not."""
        return not (self.lost or self.doubled or self.wrong) and bool(self.cases or self.left_out)

    def lose(self, note: str) -> None:
        self.lost += 1
        self._note(f"lost: {note}")

    def double(self, note: str) -> None:
        self.doubled += 1
        self._note(f"doubled: {note}")

    def spoil(self, note: str) -> None:
        self.wrong += 1
        self._note(f"wrong: {note}")

    def law(self, path: Path, case: object) -> bool:
        """Look at a database by a connection of its own: is it sound, are its rows whole, do its books balance?

        And is there a secret in it, or in what lies beside it?
        """
        # Before anything is opened: SQLite removes a log that is none of its own.
        trouble = [("wrong", leak) for leak in leaking.leaks_beside(path)]
        place = place_of(path.parent)
        trouble += broken_on(place) if isinstance(place, PostgresPlace) else broken(path)
        for kind, told in trouble:
            {"lost": self.lose, "doubled": self.double, "wrong": self.spoil}[kind](f"{case}: {told}")
        return not trouble

    def remark(self, note: str) -> None:
        """A line below the table that spoils nothing."""
        self._note(note)

    def plain(self) -> dict[str, object]:
        return asdict(self)

    def _note(self, note: str) -> None:
        if len(self.notes) < NOTES_KEPT:
            self.notes.append(note)


def broken(path: Path) -> list[tuple[str, str]]:
    """(lost, doubled or wrong, what it is) of everything that must never be so in a database."""
    db = sqlite3.connect(path, timeout=HANG)
    try:
        return list(_broken(db))
    except sqlite3.Error as error:
        return [("wrong", f"it can't be read: {error}")]
    finally:
        db.close()


def broken_on(place: PostgresPlace) -> list[tuple[str, str]]:
    """The same of a store in PostgreSQL, and what of it holds a secret."""
    leaks = {leak for content in place.content() for leak in leaking.leaks(content)}
    found = [("wrong", f"the database holds {leak}") for leak in sorted(leaks)]
    return found + (list(_broken_rows(place.rows, "books")) if place.exists() else [])


def _broken(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for (line,) in db.execute("pragma integrity_check"):
        if line != "ok":
            yield "wrong", f"integrity: {line}"
    for row in db.execute("pragma foreign_key_check"):
        yield "wrong", f"a row refers to nothing: {row}"
    if not db.execute("select 1 from sqlite_master where name = 'book'").fetchone():
        return
    # A database that was killed before its migration keeps all its books in one row.
    (books,) = db.execute("select max(name) from sqlite_master where name in ('book', 'books')").fetchone()
    yield from _broken_rows(lambda sql: db.execute(sql).fetchall(), books)


def _broken_rows(ask: Callable[[str], list[tuple]], books: str) -> Iterator[tuple[str, str]]:
    ((half,),) = ask(
        f"""
        select count(*) from job
         where state not in {STATES} or (state = 'running') <> (token is not null)
            or (state = 'running') <> (lease_until is not null) or claimed_rev > wanted_rev
        """
    )
    if half:
        yield "wrong", f"{half} rows are not whole"
    ((off,),) = ask(
        f"select accepted - coalesced - done - pruned - (select count(*) from job where state <> 'idle') from {books}"
    )
    if off:
        yield ("lost" if off > 0 else "doubled"), f"the books are off by {off}"


def dump(path: Path, *, but: tuple[str, ...] = ()) -> dict[str, list[tuple]]:
    """All rows of all tables, apart from columns that chance or time fills."""
    db = sqlite3.connect(path, timeout=HANG)
    try:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name")]
        found: dict[str, list[tuple]] = {"schema": db.execute("pragma user_version").fetchall()}
        for table in tables:
            columns = [row[1] for row in db.execute(f"pragma table_info({table})") if row[1] not in but]
            rows = db.execute(f"select {', '.join(columns)} from {table}").fetchall()
            # When the last edit arrived is a time as well.
            found[table] = sorted([row[:1] if str(row[0]).startswith("edit:") else row for row in rows], key=repr)
        return found
    finally:
        db.close()


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder for many small databases: in memory where there is such a place, since no fsync is at stake.

    What is left in it at the end is searched for secrets.
    """
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="torture-", dir=memory if memory.is_dir() else None))
    try:
        yield place
        leaking.met.extend(leaking.leaks_of(*place.rglob("*")))
    finally:
        shutil.rmtree(place, ignore_errors=True)
