"""Opening the database: where it may be, how it is synced, and how SQLite's errors are translated.

On a local disk it uses a write-ahead log, synced at every commit. On a network share, where such a log is not safe, it
uses a rollback journal. SQLite before 3.51.3 can damage a database when two connections checkpoint at once. So only one
connection, that of the worker's lock holder, checkpoints automatically. Transactions are begun explicitly, writes with
BEGIN IMMEDIATE.
"""

import errno
import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from plexsync.rules.servers.errors import Damaged, LocalFault, SyncError, Unusable
from plexsync.store import intake, schema
from plexsync.store.files.files import create, hidden_beside, sync_to_disk

BUSY_SECONDS = 30.0
SWITCH_AGAIN = 0.02
MOUNTS = Path("/proc/self/mountinfo")
LOG_LIMIT = 16 * 2**20
CHECKPOINT_PAGES = 1000
# With less free space than this, a failed write is attributed to the full disk.
FULL_BELOW = 2**20

# Python's message, without an error code, for a stored text that is not valid.
NO_TEXT = "Could not decode"

# File systems shared by several machines, or with the host of a virtual machine.
_NETWORK = re.compile(r"nfs4?|cifs|smb.*|9p|fuse.*|ceph|glusterfs|lustre|afs|davfs2?|gfs2|ocfs2|vboxsf|prl_fs|virtiofs")
# A Windows share without a drive letter; not the long form of a local path.
_SHARE = re.compile(r"\\\\(?![?.]\\)|\\\\\?\\UNC\\", re.IGNORECASE)
REMOTE_DRIVE = 4
_ESCAPE = re.compile(r"\\([0-7]{3})")


def connect(
    path: Path,
    *,
    checkpoints: bool = False,
    mounts: Path = MOUNTS,
    busy_seconds: float = BUSY_SECONDS,
) -> sqlite3.Connection:
    """Return a connection to the database at `path`, created if missing and brought to today's schema.

    Use it from one thread; another thread may close it. Raises NewerDatabase (the file is not changed at all), Unusable
    if you have to fix something, and LocalFault for what may pass.
    """
    if lost_its_file(path):
        raise _damage_error(path)
    _prepare(path)
    with faults(path, opening=True):
        _look(path, busy_seconds)
        db = _open(path, "rw", busy_seconds)
        try:
            network = on_network(path, mounts)
            journal = _keep_journal(db, "delete" if network else "wal", busy_seconds)
            if network and journal != "delete":
                raise Unusable(
                    "the database lies on a network share and is still in use with a write-ahead log: stop all users"
                )
            _set_up(db, journal=journal, checkpoints=checkpoints)
            _keep_old(db, path)
            schema.migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def _prepare(path: Path) -> None:
    """Create folder and file readable only by their owner, whatever the umask; reject a place open to other users."""
    folder = str(path.parent)
    try:
        intake.make_folder(folder)
        if trouble := intake.insecure(folder, str(path)):
            raise Unusable(trouble)
        os.close(create(path))
    except FileExistsError:
        if path.is_dir():
            raise Unusable(f"{path} is a folder, and must be a file") from None
        # Don't open an existing file here: closing it would release this process's locks on it.
        return
    except OSError as error:
        raise _local(f"{folder} can't be used: {error.strerror}", error.errno) from error


def _local(message: str, number: int | None) -> SyncError:
    full = number in (errno.ENOSPC, errno.EDQUOT)
    return LocalFault(message, full=True) if full else Unusable(message)


def _look(path: Path, busy_seconds: float) -> None:
    """Check on a read-only connection, which can't even checkpoint, that the database is PlexSync's and can be used."""
    with closing(_open(path, "ro", busy_seconds)) as db:
        try:
            schema.check(db, path.name)
            return
        except sqlite3.Error as error:
            if not half_written(error):
                raise
    with closing(_open(path, "rw", busy_seconds)) as db:
        schema.check(db, path.name)


def half_written(error: sqlite3.Error) -> bool:
    """Whether a dead process left a transaction in a rollback journal, which a read-only connection can't undo."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK


def lost_its_file(path: Path) -> bool:
    """Whether there is a log without its database. SQLite deletes such a log when it opens the database."""
    try:
        log = path.with_name(f"{path.name}-wal").stat().st_size
        return log > 0 and not (path.exists() and path.stat().st_size)
    except OSError:
        return False


def _open(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    db = sqlite3.connect(
        intake.uri(str(path), mode), uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    intake.sync_fully(db)
    return db


def _keep_old(db: sqlite3.Connection, path: Path) -> None:
    """Before the step to today's schema, make a complete and synced copy of the database beside it."""
    old_version = schema.version(db)
    if old_version in (0, intake.SCHEMA):
        return
    old_copy = path.with_name(f"{path.stem}-schema-{old_version}.db")
    try:
        with hidden_beside(old_copy) as hidden:
            os.close(create(hidden))
            with closing(_open(hidden, "rw", BUSY_SECONDS)) as copy:
                db.backup(copy)
                copy.execute("pragma journal_mode = delete")
                # Another process may have been first; it made its own copy.
                whole = schema.version(copy) == old_version
            if whole:
                hidden.replace(old_copy)
                sync_to_disk(path.parent)
    except OSError as error:
        raise _local(f"a copy of {path.name} can't be made in {path.parent}: {error.strerror}", error.errno) from error


def _keep_journal(db: sqlite3.Connection, mode: str, busy_seconds: float) -> str:
    """Switch the journal mode; returns the mode in effect afterwards.

    SQLite upgrades from a read to a write lock for this, and does not wait if another process is doing the same.
    """
    until = time.monotonic() + busy_seconds
    (journal,) = db.execute("pragma journal_mode").fetchone()
    while journal != mode:
        try:
            (journal,) = db.execute(f"pragma journal_mode = {mode}").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(SWITCH_AGAIN)
    return str(journal)


def _set_up(db: sqlite3.Connection, *, journal: str, checkpoints: bool) -> None:
    db.execute(f"pragma synchronous = {'full' if journal == 'wal' else 'extra'}")
    db.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES if checkpoints else 0}")
    db.execute(f"pragma journal_size_limit = {LOG_LIMIT}")
    # An update that could fail halfway keeps its undo data there. A file for it would cost more than the update.
    db.execute("pragma temp_store = memory")
    db.execute("pragma foreign_keys = on")
    db.execute("pragma trusted_schema = off")


def on_network(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether the path is on a network or user-space file system; False where the system can't tell."""
    if _SHARE.match(str(path)) or (path.drive and drive_type(path.drive) == REMOTE_DRIVE):
        return True
    return _NETWORK.fullmatch(file_system(path, mounts)) is not None


def drive_type(drive: str) -> int:
    """Return Windows's type of a drive such as `Z:`: `REMOTE_DRIVE` for a mapped share; 0 on other systems."""
    if sys.platform == "win32":
        import ctypes

        return int(ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\"))
    return 0


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the path's file system, by the longest mount point above it; '' if unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    parts, best, kind = path.resolve().parts, -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, types = before.split(" "), after.split(" ")
        if len(fields) < 5 or not types[0]:
            continue
        point = Path(_ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), fields[4])).parts
        # A later mount on the same point covers the earlier one.
        if parts[: len(point)] == point and len(point) >= best:
            best, kind = len(point), types[0]
    return kind


# --- transactions ----------------------------------------------------------------------------------------------------


@contextmanager
def faults(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Translate SQLite's errors, in this one place. `opening`: raise Unusable for what you have to fix."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate_error(error, path, opening=opening) from error


def translate_error(error: Exception, path: Path, *, opening: bool = False) -> SyncError:
    """Return the PlexSync error for an error of SQLite; its message is one line that names the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = path.name
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _disk_is_full(path)):
        return LocalFault(f"no space is left for {name} in {path.parent}", full=True)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LocalFault(f"{name} is busy: another process is writing to it and does not end")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(error).startswith(NO_TEXT):
        return _damage_error(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        message = f"{path} can't be opened for writing: check its owner and mode"
    else:
        return LocalFault(f"{name} can't be used: {error}")
    return Unusable(message) if opening else LocalFault(message)


def _damage_error(path: Path) -> Damaged:
    return Damaged(
        f"{path} is damaged, or not a database: plexsync serve makes it anew and keeps this one; or restore a backup"
    )


def _disk_is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BELOW
    except OSError:
        return False
