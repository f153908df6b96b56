"""Copies of the database by SQLite's own interface: taken while a worker runs, put back while none does.

A copy is one file that stands for itself, without a log beside it, for our eyes only, checked and synced before it gets
its name. Putting one back replaces the content of the database in one transaction, so that whoever has it open sees the
old or the new state; what was there before is kept in a file beside it.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import intake, schema
from plexsync.store.db import faults, half_written
from plexsync.store.integrity import SIDES, first_page
from plexsync.store.repair import MARK

# Whoever holds the database while it is replaced is waited for this long.
BUSY_SECONDS = 30.0
SAVE_NOTE = "insert or replace into note (name, value) values (:name, :value)"


class Unsound(Unusable):
    """A file that is damaged, or never was a database of ours."""


@dataclass(frozen=True)
class Copied:
    """A copy that was checked: its size in bytes, its schema, and how many rows of the queue it holds."""

    path: Path
    size: int
    schema: int
    rows: int


@dataclass(frozen=True)
class Restored:
    """What was put back, and the file that holds what was there before (None: there was nothing)."""

    copy: Copied
    aside: Path | None


def save(database: Path, target: Path, *, replace: bool = False) -> Copied:
    """Copy the database to `target`, mode 0600. Raises Unusable when it can't be, or `target` exists unless `replace`."""
    # The functions of os.path, here and below: where we may not look they raise nothing, and opening says so.
    if not os.path.isfile(database):  # noqa: PTH113
        raise Unusable(f"there is no database in {database.parent} yet: nothing to back up")
    target_exists = os.path.exists(target)  # noqa: PTH110
    if target_exists and target.samefile(database):
        raise Unusable(f"{target} is the database itself: name another file")
    if target_exists and not replace:
        raise Unusable(f"{target} exists already: name another file, or replace it with --force")
    if os.path.islink(target) or (target_exists and not os.path.isfile(target)):  # noqa: PTH113, PTH114
        raise Unusable(f"{target} is not a file")
    with _beside(target) as hidden:
        copied = _copy(database, hidden)
        _name(hidden, target)
    return Copied(target, copied.size, copied.schema, copied.rows)


def restore(file: Path, database: Path, *, aside: str, notes: Mapping[str, str] | None = None) -> Restored:
    """Put a copy back; only for the holder of the worker's lock. `notes` take the place of those in the copy.

    What is there now goes to a file named `aside` beside the database first: as a copy or, if it is too damaged for one,
    as it is. A repair that was broken off is overtaken, and what it had made goes aside as well. Raises Unusable for a file
    that is no sound copy, NewerDatabase for one of a newer PlexSync, LocalFault when another process does not let go of the
    database; then nothing has changed.
    """
    if not os.path.isfile(file):  # noqa: PTH113
        raise Unusable(f"{file} is not a file")
    if os.path.exists(database) and file.samefile(database):  # noqa: PTH110
        raise Unusable(f"{file} is the database itself: name a backup")
    with _beside(database) as hidden:
        copied = _copy(file, hidden)
        if copied.schema > len(schema.MIGRATIONS):
            raise NewerDatabase(
                f"{file} has schema {copied.schema}, and this PlexSync knows schemas up to {len(schema.MIGRATIONS)}:"
                " install the newer one"
            )
        _note(hidden, notes or {})
        kept = database.with_name(aside)
        database_exists = database.exists()
        if database_exists and _kept(database, kept):
            _replace_content(hidden, database)
        else:
            # A log without its database would be taken for the copy's own.
            _move_away(database, kept)
            _name(hidden, database)
        for mended in database.parent.glob(f"{database.name}{MARK}*"):
            mended.replace(kept.with_name(kept.name + mended.name.removeprefix(database.name)))
    return Restored(Copied(file, copied.size, copied.schema, copied.rows), kept if database_exists else None)


def _kept(database: Path, kept: Path) -> bool:
    """Copy what is there to `kept`; False if it is too damaged for that."""
    try:
        save(database, kept)
    except Unsound:
        return False
    return True


def _replace_content(source: Path, database: Path) -> None:
    """All pages in one transaction of SQLite: a kill in the middle leaves what was there."""
    with faults(database), closing(_opened(source, "ro")) as copy, closing(_opened(database, "rw")) as db:
        db.execute("pragma synchronous = extra")
        copy.backup(db, progress=_not_for_ever)


def _move_away(database: Path, kept: Path) -> None:
    """A damaged database can't be copied: its files get other names, so that a person can still look at them."""
    # The log first: it must never lie beside another database than its own.
    for end in (*SIDES, ""):
        side = database.with_name(database.name + end)
        if side.exists():
            side.replace(kept.with_name(kept.name + end))


def _note(path: Path, notes: Mapping[str, str]) -> None:
    with faults(path, opening=True), closing(_opened(path, "rw")) as db:
        db.executemany(SAVE_NOTE, [{"name": name, "value": value} for name, value in notes.items()])


def _copy(source: Path, target: Path) -> Copied:
    """Copy page by page within one snapshot, make it one file, check it, and sync it."""
    _create(target)
    if fault := first_page(source):
        raise Unsound(f"{source} is damaged: {fault}")
    with faults(source, opening=True), _unsound(source):
        _take_back(source)
        with closing(_opened(source, "ro")) as db, closing(_opened(target, "rw")) as copy:
            (mark,) = db.execute("pragma application_id").fetchone()
            if mark != schema.APPLICATION_ID:
                raise Unsound(f"{source} is not a database of PlexSync")
            db.backup(copy, progress=_not_for_ever)
            copy.execute("pragma journal_mode = delete")
            damage = [str(line) for (line,) in copy.execute("pragma integrity_check(3)")]
            if damage != ["ok"]:
                raise Unsound(f"{source} is damaged: {damage[0]}")
            (rows,) = copy.execute("select count(*) from job").fetchone()
            schema_version = schema.version(copy)
    _sync(target)
    return Copied(target, target.stat().st_size, schema_version, int(rows))


def _take_back(path: Path) -> None:
    """End what a dead process has left half written in a rollback journal, which nobody who only reads can."""
    with closing(_opened(path, "ro")) as db:
        try:
            schema.version(db)
            return
        except sqlite3.Error as error:
            if not half_written(error):
                raise
    with closing(_opened(path, "rw")) as db:
        db.execute("begin immediate")


def _not_for_ever(status: int, _left: int, _pages: int) -> None:
    """SQLite has waited for a lock as long as it was told to; Python would go on asking."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise LocalFault("another process is writing to the database and does not end: try again when it has")


@contextmanager
def _unsound(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Unsound(f"{path} is damaged, or not a database") from error
        raise


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(intake.uri(str(path), mode), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    # Whoever merely reads or replaces leaves writing the log back to the worker.
    db.execute("pragma wal_autocheckpoint = 0")
    intake.sync_fully(db)
    return db


# --- files -----------------------------------------------------------------------------------------------------------


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the same folder that nobody else has, for a file in the making; gone at the end."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        yield hidden
    except OSError as error:
        raise Unusable(f"{path} can't be written: {error.strerror}") from error
    finally:
        for end in ("", *SIDES):
            hidden.with_name(hidden.name + end).unlink(missing_ok=True)


def _create(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)
    os.close(handle)


def _name(hidden: Path, target: Path) -> None:
    hidden.replace(target)
    if os.name != "nt":
        _sync(target.parent)


def _sync(path: Path) -> None:
    # Windows syncs only what is open for writing, and no folder at all.
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
