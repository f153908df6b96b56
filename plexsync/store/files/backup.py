"""Copies of the database through SQLite's backup interface: made while a worker may run, restored while none does.

A copy is a single file without a write-ahead log, readable only by its owner. It is checked and synced before it gets
its name. A restore replaces the content of the database in one transaction, so every open connection sees either the
old or the new state. The previous content is kept in a file beside the database.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import intake, schema
from plexsync.store.db import faults, half_written
from plexsync.store.files.files import SIDES, create, hidden_beside, sync_to_disk
from plexsync.store.files.integrity import first_page
from plexsync.store.files.repair import MARK

# How long a restore waits for other users of the database.
BUSY_SECONDS = 30.0


class Unsound(Unusable):
    """The file is damaged, or is not a database of PlexSync."""


@record
class Copied:
    """A copy that was checked: its size in bytes, its schema, and the number of its rows in the queue."""

    path: Path
    size: int
    schema: int
    rows: int


@record
class Restored:
    """The restored copy, and the file with the previous content (None if there was no database)."""

    copy: Copied
    aside: Path | None


def save(database: Path, target: Path, *, replace: bool = False) -> Copied:
    """Copy the database to `target`, mode 0600. Raises Unusable if it can't, or if `target` exists without `replace`."""
    # os.path is used here and below because, unlike Path, it raises nothing where access is denied. Opening the file
    # then reports it.
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
    """Restore a copy; only for the holder of the worker's lock. `notes` replace those in the copy.

    The current content first goes to a file named `aside` beside the database: as a copy or, if it is too damaged for
    one, as it is. An interrupted repair is superseded, and what it had made goes aside as well. Raises Unusable if the
    file is not a sound copy or too old, NewerDatabase if it is from a newer PlexSync, and LocalFault if another process
    does not release the database. In each case nothing has changed.
    """
    if not os.path.isfile(file):  # noqa: PTH113
        raise Unusable(f"{file} is not a file")
    if os.path.exists(database) and file.samefile(database):  # noqa: PTH110
        raise Unusable(f"{file} is the database itself: name a backup")
    with _beside(database) as hidden:
        copied = _copy(file, hidden)
        schema.check_number(copied.schema, str(file), "restore a later copy, or rename the database")
        _note(hidden, notes or {})
        previous = database.with_name(aside)
        database_exists = database.exists()
        if database_exists and _copy_current(database, previous):
            # All pages in one transaction: a kill in the middle leaves the previous content.
            with (
                faults(database),
                closing(_open_database(hidden, "ro")) as copy,
                closing(_open_database(database, "rw")) as db,
            ):
                db.execute("pragma synchronous = extra")
                copy.backup(db, progress=_not_for_ever)
        else:
            # A log without its database would be taken for the copy's log.
            _move_away(database, previous)
            _name(hidden, database)
        for mended in database.parent.glob(f"{database.name}{MARK}*"):
            mended.replace(previous.with_name(previous.name + mended.name.removeprefix(database.name)))
    return Restored(Copied(file, copied.size, copied.schema, copied.rows), previous if database_exists else None)


def _copy_current(database: Path, kept: Path) -> bool:
    """Copy the current content to `kept`; False if it is too damaged."""
    try:
        save(database, kept)
    except Unsound:
        return False
    return True


def _move_away(database: Path, kept: Path) -> None:
    """Rename the files of a damaged database, which can't be copied, so that you can still inspect them."""
    # The log first: it must never be beside a database that is not its own.
    for end in (*SIDES, ""):
        side = database.with_name(database.name + end)
        if side.exists():
            side.replace(kept.with_name(kept.name + end))


def _note(path: Path, notes: Mapping[str, str]) -> None:
    with faults(path, opening=True), closing(_open_database(path, "rw")) as db:
        db.executemany(intake.SAVE_NOTE, [{"name": name, "value": value} for name, value in notes.items()])


def _copy(source: Path, target: Path) -> Copied:
    """Copy page by page within one snapshot, into a single file; check and sync it."""
    os.close(create(target))
    if fault := first_page(source):
        raise Unsound(f"{source} is damaged: {fault}")
    with faults(source, opening=True), _unsound(source):
        _take_back(source)
        with closing(_open_database(source, "ro")) as db, closing(_open_database(target, "rw")) as copy:
            (mark,) = db.execute("pragma application_id").fetchone()
            if mark != intake.APPLICATION_ID:
                raise Unsound(f"{source} is not a database of PlexSync")
            db.backup(copy, progress=_not_for_ever)
            copy.execute("pragma journal_mode = delete")
            damage = [str(line) for (line,) in copy.execute("pragma integrity_check(3)")]
            if damage != ["ok"]:
                raise Unsound(f"{source} is damaged: {damage[0]}")
            (rows,) = copy.execute("select count(*) from job").fetchone()
            schema_version = schema.version(copy)
    sync_to_disk(target)
    return Copied(target, target.stat().st_size, schema_version, int(rows))


def _take_back(path: Path) -> None:
    """Roll back a dead process's unfinished transaction in a rollback journal; a read-only connection can't."""
    with closing(_open_database(path, "ro")) as db:
        try:
            schema.version(db)
            return
        except sqlite3.Error as error:
            if not half_written(error):
                raise
    with closing(_open_database(path, "rw")) as db:
        db.execute("begin immediate")


def _not_for_ever(status: int, _left: int, _pages: int) -> None:
    """Raise LocalFault once SQLite has waited for a lock as long as configured; Python would retry forever."""
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


def _open_database(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(intake.uri(str(path), mode), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    # A connection that only reads or replaces leaves checkpoints to the worker.
    db.execute("pragma wal_autocheckpoint = 0")
    intake.sync_fully(db)
    return db


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """As `hidden_beside`; raises Unusable."""
    try:
        with hidden_beside(path) as hidden:
            yield hidden
    except OSError as error:
        raise Unusable(f"{path} can't be written: {error.strerror}") from error


def _name(hidden: Path, target: Path) -> None:
    hidden.replace(target)
    sync_to_disk(target.parent)
