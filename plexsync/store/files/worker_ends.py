"""Records how a worker ended: in the note `worker:ended`, and by a mark in the data folder while `serve` runs.

The mark of a process that was killed stays, so the next one counts that end. Whoever calls this has no connection to the
database: reading the file directly would release its locks. Standard library only, for the supervisor inside Stash.
"""

# ruff: noqa: PTH108, PTH116, PTH118

import os
from contextlib import suppress

from plexsync.rules.queue.note_keys import WORKER_ENDED
from plexsync.rules.queue.worker_ends import after_end
from plexsync.rules.servers.redaction import Redactor, one_line
from plexsync.store import intake

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

MARK = "worker.run"
# What the watchdog of a worker that hangs writes before it ends the process.
HANG = "hang.txt"
HUNG = "it hung, and its watchdog ended it"
KILLED = "it was killed"


def note_end(folder: str, error: str, *, secrets: "tuple[str, ...]" = ()) -> None:
    """Count an end by itself, with this error without the secrets. A database that can't be written keeps none."""
    line = one_line(Redactor(secrets).redact(error))

    def count(db: "sqlite3.Connection", _schema: int) -> None:
        row = db.execute(intake.NOTE, {"name": WORKER_ENDED}).fetchone()
        text = after_end(str(row[0]) if row else "", intake.clock(db), line)
        db.execute(intake.SAVE_NOTE, {"name": WORKER_ENDED, "value": text})

    intake.in_database(folder, count)


def note_good_end(folder: str) -> None:
    """Empty the note: the worker ended in good order."""
    intake.in_database(folder, lambda db, _: db.execute(intake.SAVE_NOTE, {"name": WORKER_ENDED, "value": ""}))


def has_hung(folder: str, since: float) -> bool:
    """Whether a watchdog has ended a worker since then (UTC milliseconds)."""
    try:
        status = os.stat(os.path.join(folder, HANG))
    except OSError:
        return False
    return status.st_size > 0 and status.st_mtime * 1000 >= since


def set_mark(folder: str) -> str:
    """Mark that a worker runs; returns how the one before ended if it has left its mark, '' if it has not."""
    path, careful = os.path.join(folder, MARK), getattr(os, "O_NOFOLLOW", 0)
    cause = ""
    # On a full or read-only disk a kill goes uncounted.
    with suppress(OSError):
        if os.path.lexists(path):
            cause = HUNG if has_hung(folder, os.lstat(path).st_mtime * 1000) else KILLED
            os.unlink(path)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | careful, 0o600))
    return cause


def remove_mark(folder: str) -> None:
    """Remove the mark: this worker is not killed."""
    with suppress(OSError):
        os.unlink(os.path.join(folder, MARK))
