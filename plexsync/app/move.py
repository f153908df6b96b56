"""Moves the store of this machine to another database, and sets the old one aside.

Nothing is lost if it is interrupted: until the new store is complete, the old one is as it was; then the old one is set
aside so that nobody writes to it, and only then the new one may be used. Every step can be repeated.
"""

import os
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from plexsync.app.database_files import lock_of
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.machine import Machine
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files import backup, moving
from plexsync.store.files.address import StoreAddress, moved_name
from plexsync.store.files.files import SIDES
from plexsync.store.files.moving import Tell
from plexsync.store.files.worker_locks import locks_at

# Where a SQLite file is drafted: where it belongs, hooks would write to it.
DRAFT = "moving"


@record
class MoveResult:
    """What was done: the rows that were copied, and the copy of the old file that is kept (None for PostgreSQL)."""

    rows: int
    kept: Path | None = None


class Working(Exception):
    """A worker runs on one of the databases, whose name the message is."""


def move(source: StoreAddress, target: StoreAddress, machine: Machine, tell: Tell) -> MoveResult:
    """Move the store of `source` to `target`; both have the same data folder. An interrupted move goes on.

    `tell` is called for each table that has arrived. Raises Working, Unusable if there is nothing to move or the target
    has other content, and LocalFault.
    """
    with ExitStack() as held:
        if not held.enter_context(lock_of(StoreAddress(source.folder), repairs=not source.is_postgres)):
            raise Working(source.name)
        for address in (source, target):
            if address.is_postgres:
                locks = locks_at(address)
                held.callback(locks.close)
                lock = locks.try_worker(machine, lambda _last: True)
                if lock is None:
                    raise Working(address.name)
                held.callback(lock.release)
        out = _out_of_postgres if source.is_postgres else _out_of_file
        return out(source, target, machine, tell)


# --- from the file ---------------------------------------------------------------------------------------------------


def _out_of_file(source: StoreAddress, target: StoreAddress, machine: Machine, tell: Tell) -> MoveResult:
    file = source.path
    exists = os.path.lexists(file)
    if not exists and (aside := _set_aside(source, target)):
        return MoveResult(0, aside)
    if not exists or moving.is_retired(file):
        _check_copied(source, target, None if exists else machine)
        _remove(file)
        moving.finish(target)
        return MoveResult(0)
    moment = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
    names = (moved_name(f"{moment:%Y%m%dT%H%M%SZ}{again}") for again in chain([""], map("-{}".format, count(2))))
    aside = next(path for path in map(file.with_name, names) if not os.path.lexists(path))
    with moving.moving(source, target, machine) as step:
        step.begin()
        rows = step.copy(tell)
        backup.save(file, aside)
        step.retire_file()
    _remove(file)
    moving.finish(target)
    return MoveResult(rows, aside)


def _set_aside(source: StoreAddress, target: StoreAddress) -> Path | None:
    """The file that a finished move has set aside, if its content is what the target began with; the newest first."""
    for path in sorted(source.folder.glob(moved_name("*")), reverse=True):
        if moving.is_copy_of(path, target):
            return path
    return None


def _check_copied(source: StoreAddress, target: StoreAddress, machine: Machine | None) -> None:
    """Raise Unusable unless a move has copied everything; if `machine` is given, one of its data folder.

    Another data folder may still have its file, and a worker with the old settings would go on with it.
    """
    note = moving.finished_copy(target)
    if note is None:
        raise Unusable(f"there is no database in {source.folder}: nothing to move")
    if machine is not None and note.installation != machine.installation:
        raise Unusable(
            f"the move to {target.name} began on {note.host}, whose file is not set aside yet: finish it there"
            " (docs/postgresql.md)"
        )


def _remove(file: Path) -> None:
    """Remove a database file that nobody uses any more."""
    for end in ("", *SIDES):
        file.with_name(file.name + end).unlink(missing_ok=True)


# --- from PostgreSQL -------------------------------------------------------------------------------------------------


def _out_of_postgres(source: StoreAddress, target: StoreAddress, machine: Machine, tell: Tell) -> MoveResult:
    draft = target if target.is_postgres else StoreAddress(target.folder / DRAFT)
    rows = 0
    if (gone := moving.moved_to(source)) is None:
        if not target.is_postgres:
            if os.path.lexists(target.path):
                raise Unusable(f"{target.path} is there already: rename it, or choose another folder with data_dir")
            draft.folder.mkdir(mode=0o700, exist_ok=True)
        with moving.moving(source, draft, machine) as step:
            step.begin()
            rows = step.copy(tell)
            step.retire_schema(target.name, SystemClock().now())
    elif not _goes_on(target, draft):
        raise Unusable(f"{source.name} has moved to {gone.place} already: change database_url")
    if target.is_postgres:
        moving.finish(target)
    else:
        # From its name on, hooks write to the complete file.
        moving.finish(draft)
        if not os.path.lexists(target.path):
            backup.save(draft.path, target.path)
        shutil.rmtree(draft.folder)
    return MoveResult(rows)


def _goes_on(target: StoreAddress, draft: StoreAddress) -> bool:
    """Whether a move was interrupted after it had set its source aside."""
    if target.is_postgres:
        return moving.finished_copy(target) is not None
    return os.path.lexists(draft.path) and moving.has_arrived(draft)
