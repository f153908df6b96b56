"""Checks of the database and its contents: the books, the worker, the gates, the dead letters."""

import sqlite3
from collections.abc import Iterator

from plexsync.app.database_files import inspect
from plexsync.app.parts import Parts
from plexsync.app.switches import comparison_owed
from plexsync.cli.call import FAILED, WRONG
from plexsync.cli.checks import postgres
from plexsync.cli.checks.check import Check, problem
from plexsync.reports.format import ago, parse_note
from plexsync.reports.needs import WELL, needs
from plexsync.reports.status import OWED, books, facts
from plexsync.rules.queue.machine import ALIGN, difference_words
from plexsync.rules.queue.note_keys import HEARTBEAT

# Older SQLite can corrupt a database when two processes checkpoint its log at the same time.
SAFE_SQLITE = (3, 51, 3)
LONG_LOG = 64 * 2**20
# Milliseconds without a heartbeat after which a running worker is suspicious.
SILENT = 60_000


def database(parts: Parts, *, is_new: bool = False) -> Iterator[Check]:
    """Whether the file is sound, its file system, its size and that of its log, and whether the books balance.

    With PostgreSQL, the server instead. `is_new`: there was none before this call, so nothing is said about its contents.
    """
    if parts.address.is_postgres:
        yield from postgres.server(parts)
        yield books_check(parts)
        return
    inspection = inspect(parts.folder)
    if inspection.damage:
        yield problem("database", f"it is damaged: {inspection.damage[0]}", "restore a backup, or rename it", WRONG)
        return
    where = f"on {inspection.file_system}" if inspection.file_system else "on a file system of unknown kind"
    summary = f"sound, {_size(inspection.size)}; schema {inspection.schema}, journal {inspection.journal}, {where}"
    if inspection.network:
        yield Check("database", f"{summary}, a network share", "a local disk is faster and safer: see data_dir")
    elif is_new:
        yield Check("database", f"there was none yet: an empty one was made just now; {where}")
    else:
        yield Check("database", summary)
    if inspection.log > LONG_LOG:
        mend = "a worker writes it back: start plexsync serve; if one runs, end what reads the database for long"
        yield Check("log of the database", f"{_size(inspection.log)} wait to be written back", mend)
    version = f"version {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < SAFE_SQLITE and not inspection.network:
        # PlexSync avoids the old bug, so the version needs no action.
        version += "; SQLite before 3.51.3 can damage a database that two processes checkpoint, so only the worker does"
    yield Check("SQLite", version)
    if not is_new:
        yield books_check(parts)


def books_check(parts: Parts) -> Check:
    """Whether the books balance."""
    with parts.store.reading() as db:
        found = books(db)
    if found["balanced"]:
        return Check("books", f"balanced: {found['accepted']:,} accepted")
    return problem("books", "accepted is not coalesced + done + pruned + open", "please report this fault", FAILED)


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MB"


def worker(parts: Parts) -> Iterator[Check]:
    """Whether a worker runs, and sends heartbeats."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        beat = parse_note(db.notes.text(HEARTBEAT))
    heard = ago(beat, now)
    last, standbys = parts.locks.worker(), parts.locks.standbys()
    where = f" on {last.host}" if last else ""
    if not parts.someone_works():
        yield Check("worker", f"not running; last heartbeat {heard}")
    elif beat is not None and now - beat > SILENT:
        mend = "look into its log; it ends itself when it hangs, and hang.txt in the data folder says where"
        yield Check("worker", f"running{where}, but its last heartbeat was {heard}", mend)
    else:
        yield Check("worker", f"running{where}; last heartbeat {heard}")
    for row in standbys:
        if row.differing and last is not None:
            words = f"{row.host} would not take over: {difference_words(last, row.differing)}"
            yield Check("standby", words, ALIGN)
        else:
            yield Check("standby", f"{row.host} takes over if the worker ends")


def open_needs(parts: Parts) -> Iterator[Check]:
    """What needs you or goes on by itself, as every screen says it."""
    for need in needs(facts(parts)):
        if need.tone == WELL:
            continue
        by_command = next((step.command for step in need.steps if step.command), "")
        name, rest = (
            ("needs you", "do as it says") if need.is_yours else ("goes on by itself", "nothing has to be done")
        )
        yield Check(name, f"{need.title}. {need.text}", need.next or by_command or rest)


def queue(parts: Parts) -> Iterator[Check]:
    """Dead letters, and whether a comparison is due."""
    with parts.store.reading() as db:
        dead = db.jobs.count_dead()
    causes = ", ".join(f"{cause} {number:,}" for cause, number in sorted(dead.items()))
    yield Check("dead letters", f"{sum(dead.values()):,}: {causes}" if dead else "none")
    if comparison_owed(parts):
        yield Check("comparison", OWED, "a worker makes it by itself")
