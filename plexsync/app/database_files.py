"""The database and the files in the data folder: inspection, repair, lock, spool, backup and restore.

Inspection, repair, backup and restore are about SQLite's file. PostgreSQL has its own programs for that.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.note_keys import (
    CURSOR,
    DASHBOARD,
    JOURNALLED,
    LAST_RECONCILE,
    LAST_RUN,
    PLAYS_JOURNALLED,
    RESTORED,
    STASH_SETTINGS,
)
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import intake, schema
from plexsync.store.database import Database
from plexsync.store.db import faults, file_system, on_network
from plexsync.store.files import backup
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.backup import Copied, Restored
from plexsync.store.files.folder import count_spooled as count_spooled
from plexsync.store.files.installation import installation
from plexsync.store.files.lock import try_lock
from plexsync.store.files.repair import MARK, repair, sweep
from plexsync.store.files.siblings import siblings_of
from plexsync.store.opening import check_folder
from plexsync.store.queue.summary import Summary as Summary, Unreadable, reading

log = logging.getLogger("PlexSync.database")

DATABASE = intake.DATABASE


def file_number(folder: Path) -> str:
    """The number of the database file; another one at its place has another number. '' if there is none."""
    try:
        status = (folder / DATABASE).stat()
    except OSError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"


@record
class DatabaseCheck:
    """State of the database file, for `doctor`.

    `damage` holds the first faults that SQLite finds, and is empty if the file is sound. `size` and `log` are the sizes
    in bytes of the file and of its write-ahead log.
    """

    schema: int
    journal: str
    sqlite: str
    damage: tuple[str, ...]
    file_system: str
    network: bool
    size: int
    log: int


def inspect(folder: Path) -> DatabaseCheck:
    """Inspect the database file through a separate, read-only connection."""
    path = folder / DATABASE
    with faults(path):
        db = sqlite3.connect(intake.uri(str(path), "ro"), uri=True)
        try:
            (journal,) = db.execute("pragma journal_mode").fetchone()
            damage = [str(line) for (line,) in db.execute("pragma quick_check(5)")]
            version = schema.version(db)
        finally:
            db.close()
    return DatabaseCheck(
        schema=version,
        journal=str(journal),
        sqlite=sqlite3.sqlite_version,
        damage=tuple(line for line in damage if line != "ok"),
        file_system=file_system(path),
        network=on_network(path),
        size=_size(path),
        log=_size(path.with_name(f"{path.name}-wal")),
    )


@contextmanager
def lock_of(address: StoreAddress, *, repairs: bool = True) -> Iterator[bool]:
    """Yield True while this process holds the worker's lock on a sound database, False if another process holds it.

    `repairs` False: a damaged file is left as it is.
    """
    check_folder(address)
    with ExitStack() as stack:
        lock = try_lock(address.folder)
        if lock is not None:
            stack.enter_context(lock)
            if not address.is_postgres and repairs:
                _repair(address.folder)
                sweep(address.path, now=SystemClock().now())
        yield lock is not None


def half_mended(address: StoreAddress) -> bool:
    """Whether an interrupted repair has to be finished before anything is written to the database."""
    return not address.is_postgres and any(address.folder.glob(f"{DATABASE}{MARK}*"))


def mend(address: StoreAddress) -> None:
    """Rebuild a damaged file, for a command that writes but is no worker. A worker does this at its start."""
    if address.is_postgres:
        return
    folder, file = address.folder, address.path
    usable = os.access(file, os.R_OK | os.W_OK) if os.path.exists(file) else os.path.isdir(folder)  # noqa: PTH110, PTH112 - unreadable is no error
    if usable and (lock := try_lock(folder)) is not None:
        with lock:
            _repair(folder)


def _repair(folder: Path) -> None:
    _check_place(folder)
    repaired = repair(
        folder / DATABASE,
        now=SystemClock().now(),
        forget=(LAST_RECONCILE, LAST_RUN, CURSOR, STASH_SETTINGS, JOURNALLED, PLAYS_JOURNALLED),
    )
    if repaired:
        log.error("%s", repaired)


def _check_place(folder: Path) -> None:
    """Raise Unusable if other users could replace the database, or a file that becomes the database."""
    if trouble := intake.insecure(str(folder), str(folder / DATABASE)):
        raise Unusable(trouble)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def save_backup(address: StoreAddress, target: Path, *, replace: bool = False) -> Copied:
    """Copy the database file; a worker may be running. Raises Unusable if that fails, and for PostgreSQL."""
    if address.is_postgres:
        raise Unusable(
            f"{address.name} is copied with PostgreSQL's own program: pg_dump --format=custom"
            f" --schema={address.schema} --file={target} (docs/postgresql.md)"
        )
    folder = address.folder
    if os.path.isdir(folder):  # noqa: PTH112 - unreadable is no error
        _check_place(folder)
    return backup.save(folder / DATABASE, target, replace=replace)


def check_restorable(address: StoreAddress, file: Path) -> None:
    """Raise Unusable for PostgreSQL, which has a program of its own for that."""
    if address.is_postgres:
        raise Unusable(
            f"{address.name} is restored with PostgreSQL's own program, while no worker runs: pg_restore --clean"
            f" --if-exists {file} (docs/postgresql.md)"
        )


def restore_backup(address: StoreAddress, file: Path) -> Restored | None:
    """Restore a backup, after which a full comparison is due. Returns None, and does nothing, while a worker runs.

    Raises Unusable, also for PostgreSQL.
    """
    check_restorable(address, file)
    folder = address.folder
    try:
        intake.make_folder(str(folder))
    except OSError as error:
        raise Unusable(f"{folder} can't be used: {error.strerror}") from error
    _check_place(folder)
    lock = try_lock(folder)
    if lock is None:
        return None
    with lock:
        now = SystemClock().now()
        moment = datetime.fromtimestamp(now / 1000, UTC)
        aside = f"plexsync.before-{moment:%Y%m%dT%H%M%SZ}.db"
        # Stash's answers at the time of the backup may be outdated.
        notes = {LAST_RECONCILE: "", CURSOR: "", STASH_SETTINGS: "", RESTORED: str(now)}
        return backup.restore(file, folder / DATABASE, aside=aside, notes=notes)


def summary_of(folder: Path, now: int) -> Summary:
    """Return a summary of the database file in `folder`, read in one snapshot; raises LocalFault."""
    path = folder / DATABASE
    with faults(path):
        try:
            db = reading(str(path))
        except Unreadable:
            raise LocalFault(f"{path.name} can't be read: it is not there, or another one took its place") from None
        with closing(db):
            return Summary(db, now)


def summary_at(store: Database, address: StoreAddress, now: int) -> Summary:
    """Return a summary of the store at this address, read in one snapshot; raises LocalFault."""
    if not address.is_postgres:
        summary = summary_of(address.folder, now)
        summary.inside = summary.inside or siblings_of(store).inside()
        return summary
    with store.reading() as db:
        summary = db.summary(now)
        summary.dashboard = db.notes.text(dashboard_note(address))
        return summary


def dashboard_note(address: StoreAddress) -> str:
    """The name of the note that tells where the dashboard of this machine listens."""
    return f"{DASHBOARD}:{installation(address.folder)}" if address.is_postgres else DASHBOARD
