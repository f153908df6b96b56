"""Notices that the database is not the one of before: a dump was restored, or another server took over.

The database holds a print of where it is: the server's cluster, its timeline, and the numbers that it gave to the
database and to a table. A dump that is restored brings the print of its origin along. A server that was restored from a
base backup, or promoted from standby, has another timeline.
"""

import logging

import psycopg

from plexsync.rules.note_keys import CURSOR, LAST_RECONCILE, RESTORED, STASH_SETTINGS
from plexsync.store.postgres.connection import COUNT_COMMIT
from plexsync.store.postgres.worker_lock import MOMENT, WAIT, WRITER_CLASS, Session, value

log = logging.getLogger("PlexSync.store")

_NUMBERS = "(select oid from pg_database where datname = current_database()) || '-' || 'note'::regclass::oid"
_TIMELINE = "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
# The numbers alone are for servers that keep the rest from their users.
PRINTS = (
    f"select (select system_identifier from pg_control_system()) || '-' || {_TIMELINE} || '-' || {_NUMBERS}",
    f"select {_NUMBERS}",
)
READ = "select print from origin"
SAVE = "insert into origin (one, print) values (1, %(print)s) on conflict (one) do update set print = excluded.print"
SAVE_NOTE = (
    "insert into note (name, value) values (%(name)s, %(value)s)"
    " on conflict (name) do update set value = excluded.value"
)


def notice(session: Session, schema: str) -> bool:
    """Note a restore, after which a full comparison is due; returns whether there was one. Raises psycopg.Error.

    Only for the holder of the worker's lock.
    """
    present = _print(session)
    before = value(session, READ)
    if before == present:
        return False
    with session.transaction():
        session.execute(WAIT, {"kind": WRITER_CLASS, "schema": schema})
        session.execute(SAVE, {"print": present})
        if before is None:
            return False
        # Stash's answers and the place in a comparison are of another time.
        notes = {LAST_RECONCILE: "", CURSOR: "", STASH_SETTINGS: "", RESTORED: str(value(session, f"select {MOMENT}"))}
        for name, text in notes.items():
            session.execute(SAVE_NOTE, {"name": name, "value": text})
        session.execute(COUNT_COMMIT)
    log.warning("the database was restored, or another server took over: a full comparison is due")
    return True


def _print(session: Session) -> str:
    try:
        return str(value(session, PRINTS[0]))
    except psycopg.errors.InsufficientPrivilege:
        return str(value(session, PRINTS[1]))
