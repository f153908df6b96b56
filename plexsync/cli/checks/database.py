"""Checks of the database and its contents: the books, the worker, the gates, the dead letters."""

import sqlite3
from collections.abc import Iterator

from plexsync.app.advice import SETTINGS_WAIT, UNAPPROVED
from plexsync.app.database_files import inspect
from plexsync.app.parts import Parts
from plexsync.app.switches import asked_settings, bulk_approved, comparison_owed
from plexsync.cli.call import FAILED, WRONG
from plexsync.cli.checks import postgres
from plexsync.cli.checks.check import Check, problem
from plexsync.reports.format import ago, many, parse_note
from plexsync.reports.status import OWED, books, breaker as breaker_facts, ends_by_note, server_words
from plexsync.reports.verdict import thread_words
from plexsync.rules.queue.choices import hold_remedy
from plexsync.rules.queue.gate_names import CURE, REFUSES, GateName, caption, gates_to_show
from plexsync.rules.queue.machine import ALIGN, difference_words
from plexsync.rules.queue.note_keys import HEARTBEAT, THREAD_ENDED
from plexsync.store.database import Reader

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
        facts = books(db)
    if facts["balanced"]:
        return Check("books", f"balanced: {facts['accepted']:,} accepted")
    return problem("books", "accepted is not coalesced + done + pruned + open", "please report this fault", FAILED)


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MB"


def worker(parts: Parts) -> Iterator[Check]:
    """Whether a worker runs, and sends heartbeats."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        beat, thread_ended = parse_note(db.notes.text(HEARTBEAT)), ends_by_note(db.notes.text(THREAD_ENDED))
    heard = ago(beat, now)
    last, standbys = parts.locks.worker(), parts.locks.standbys()
    where = f" on {last.host}" if last else ""
    if not parts.someone_works():
        yield Check("worker", f"not running; last heartbeat {heard}", "start plexsync serve")
    elif beat is not None and now - beat > SILENT:
        mend = "look into its log; it ends itself when it hangs, and hang.txt in the data folder says where"
        yield Check("worker", f"running{where}, but its last heartbeat was {heard}", mend)
    else:
        yield Check("worker", f"running{where}; last heartbeat {heard}")
        if thread_ended:
            yield Check("worker", thread_words(thread_ended, now), "it goes on by itself: please report the fault")
    for row in standbys:
        if row.differing and last is not None:
            words = f"{row.host} would not take over: {difference_words(last, row.differing)}"
            yield Check("standby", words, ALIGN)
        else:
            yield Check("standby", f"{row.host} takes over if the worker ends")


def gates(parts: Parts) -> Iterator[Check]:
    """The gates between the queue and the servers: breakers and holds."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        names = gates_to_show({*db.breakers.names(), *db.holds.names(), *db.paces.names()})
        checks = [_gate(parts, db, gate, now) for gate in names]
    yield from checks


def _gate(parts: Parts, db: Reader, server: GateName, now: int) -> Check:
    name = "way of plays to Stash" if server is GateName.STASH_WRITES else f"way to {caption(server)}"
    if held := db.holds.find(server):
        message = f"on hold, begun {ago(held.since, now)}: {held.message}"
        cure = f". {CURE}" if server is GateName.STASH_WRITES else "; it is tried again by itself"
        return Check(name, message, f"{hold_remedy(held.setting, held.choice)}{cure}")
    facts = breaker_facts(parts.config, db.breakers.find(server), now)
    words = server_words(facts, held=False)
    if facts["state"] == "closed" and not facts["error"]:
        return Check(name, "open: nothing is wrong, as far as the worker knows")
    message = f"{words}; {facts['error'] or 'it did not answer'}"
    mend = "nothing has to be done if it answers above: the worker goes on by itself"
    if server is GateName.STASH_WRITES:
        message, mend = f"{REFUSES}: {message}", CURE
    return Check(name, message, f"{mend} (next try {facts['next_probe_at']})" if facts["next_probe_at"] else mend)


def queue(parts: Parts) -> Iterator[Check]:
    """Dead letters, and what needs your approval."""
    with parts.store.reading() as db:
        dead = db.jobs.count_dead()
    count, most = sum(dead.values()), parts.config.dlq_max
    causes = ", ".join(f"{cause} {number:,}" for cause, number in sorted(dead.items()))
    if count > most:
        message = f"{many(count, 'dead letter')}, more than dlq_max ({most:,}): {causes}"
        yield Check("dead letters", message, "plexsync dlq list tells what cures each cause")
    else:
        yield Check("dead letters", f"{count:,}: {causes}" if count else "none")
    if comparison_owed(parts):
        yield Check("comparison", OWED, "a worker makes it by itself")
    if question := asked_settings(parts):
        yield Check("settings", question.text, SETTINGS_WAIT)
    if not bulk_approved(parts):
        yield Check("first write", UNAPPROVED)
