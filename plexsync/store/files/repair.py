"""Repair of a damaged database: it is put aside whole, and everything readable goes into a new one.

Only for the holder of the worker's lock. The new database is completed beside the old one, under a name with the time.
From then on the old files are moved to a folder of that name; after a kill in between, the next call finishes the move.
No part of the old database is ever deleted. A full comparison, which the note `repaired` requests, finds again what
can't be read: the index of Plex, the poller's marks, and the notes that the caller names are not copied.
"""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from plexsync.rules.queue.job import DAY, KINDS, Lane, State
from plexsync.rules.queue.note_keys import REPAIRED
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable
from plexsync.store import documents, intake
from plexsync.store.db import MOUNTS, connect, faults, lost_its_file
from plexsync.store.files.files import SIDES, hidden_beside, sync_to_disk
from plexsync.store.files.integrity import NAMES, TYPES, columns_of, damage, open_file
from plexsync.store.queue import books

# Seconds without a new row after which a table is abandoned, because its tree of pages has a loop.
LONGEST_STILL = 20.0
# No row was ever queued this often, and the sum over all rows stays within SQLite's integers.
MOST_WANTS = 2**40
MARK = ".mended-"

# What a full comparison finds again; the books are made from the rows.
LEFT_TABLES = frozenset({"book", "library", "item", "part", "seen", "picture", "standing", "asked_scan"})
# The poller's notes on Stash are useless without the wants that belong to them.
LEFT_NOTES = "poll:"

TALLY = "update book set coalesced = :coalesced, done = :done, pruned = :pruned, scans = :scans"
ACCEPT = """
update book
   set accepted = coalesced + done + pruned
                + (select count(*) from job where state <> 'idle')
                + (select coalesce(sum(coalesced - accepted), 0) from job)
"""
FORGET_NOTE = "delete from note where name = :name or substr(name, 1, length(:prefix)) = :prefix"
COUNT = "select count(*) from job"


@record
class Repaired:
    """The result of a repair: the first fault in SQLite's words, the place of the old files, the number of rows saved."""

    fault: str
    aside: Path
    rows: int

    def __str__(self) -> str:
        return (
            f"the database was damaged ({self.fault}) and was made anew with {self.rows} rows of the queue; the old one is"
            f" kept in {self.aside}; a full comparison finds what is missing"
        )


def repair(path: Path, *, now: int, forget: Sequence[str] = (), mounts: Path = MOUNTS) -> Repaired | None:
    """Rebuild the database at `path` if it is damaged; None if it is sound, missing, too new or old, or another program's.

    `forget` names notes that are no longer true. Raises LocalFault if there is no space for it; nothing has changed
    then.
    """
    for mended in sorted(path.parent.glob(f"{path.name}{MARK}*")):
        return _finish(path, mended, "found at an earlier start")
    fault = damage(path)
    if not fault:
        return None
    stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    mended = path.with_name(f"{path.name}{MARK}{stamp}")
    try:
        with hidden_beside(path) as hidden:
            _make(path, hidden, now=now, forget=forget, mounts=mounts)
            hidden.replace(mended)
            sync_to_disk(path.parent)
    except OSError as error:
        raise Unusable(f"{path} is damaged, and can't be made anew beside it: {error.strerror}") from error
    return _finish(path, mended, fault)


# --- making it anew --------------------------------------------------------------------------------------------------


def _make(path: Path, hidden: Path, *, now: int, forget: Sequence[str], mounts: Path) -> None:
    """Make a complete new database in one synced file, with everything readable from the old one."""
    with faults(path), closing(connect(hidden, mounts=mounts)) as new:
        new.execute("begin immediate")
        # Nothing can be read from a log alone, and opening it would delete it.
        with closing(sqlite3.connect(":memory:") if lost_its_file(path) else open_file(path)) as old:
            _read_what_can_be_read(old, new, now)
        new.execute(ACCEPT)
        for name in forget:
            new.execute(FORGET_NOTE, {"name": name, "prefix": LEFT_NOTES})
        new.execute(intake.SAVE_NOTE, {"name": REPAIRED, "value": str(now)})
        new.execute("commit")
        new.execute("pragma journal_mode = delete")
    sync_to_disk(hidden)


def _read_what_can_be_read(old: sqlite3.Connection, new: sqlite3.Connection, now: int) -> None:
    with suppress(sqlite3.Error):
        old.execute("pragma cell_size_check = on")
        # A damaged table definition must not hide the other tables.
        old.execute("pragma writable_schema = on")
    read = time.monotonic()
    old.set_progress_handler(lambda: time.monotonic() > read + LONGEST_STILL, 10_000)
    # In the order of their making, each table is after those that its rows refer to.
    for table in [str(table) for (table,) in new.execute(NAMES) if table not in LEFT_TABLES]:
        columns, read = columns_of(new, table), time.monotonic()
        for row in _rows(old, table):
            if table == "job":
                _quieten(row, now)
            if _fits(row, columns) and (table != "job" or _is_job(row)) and _insert(new, table, row):
                read = time.monotonic()
    book = next(iter(_rows(old, "book")), {})
    counts = {name: book.get(name) for name in (*books.COUNTERS[1:], "scans")}
    new.execute(TALLY, {name: count if isinstance(count, int) and count >= 0 else 0 for name, count in counts.items()})


def _rows(old: sqlite3.Connection, table: str) -> Iterator[dict[str, object]]:
    """Yield rows in key order from the beginning as far as they can be read, and then from the end."""
    for order in ("asc", "desc"):
        try:
            keys = [row["name"] for row in columns_of(old, table) if row["pk"]]
            by = ", ".join(f"{key} {order}" for key in keys if re.fullmatch(r"[a-z_]+", key))
            for row in old.execute(f"select * from {table} order by {by}"):
                yield dict(row)
        except (sqlite3.Error, UnicodeDecodeError):
            continue
        return


def _quieten(row: dict[str, object], now: int) -> None:
    """Release the row from its worker, and limit its times so that it waits for no distant moment."""
    if row.get("state") == State.RUNNING:
        row["state"] = str(State.READY)
    row.update(token=None, lease_until=None, holder="")
    for name, most in (("due", now + DAY), ("since", now), ("stirred", now), ("first_unserved", now)):
        at = row.get(name)
        if isinstance(at, int):
            row[name] = min(at, most)


def _is_job(row: Mapping[str, object]) -> bool:
    counts = [row.get(name) for name in ("wanted_rev", "claimed_rev", "attempts", "streak", "crashes", "due", "since")]
    wanted, claimed = row.get("wanted_rev"), row.get("claimed_rev")
    accepted, coalesced = row.get("accepted"), row.get("coalesced")
    return (
        row.get("kind") in KINDS
        and row.get("state") in tuple(State)
        and row.get("lane") in tuple(Lane)
        and row.get("alone") in (0, 1)
        and row.get("token") is None
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(wanted, int)
        and isinstance(claimed, int)
        and wanted >= claimed
        and isinstance(accepted, int)
        and isinstance(coalesced, int)
        and 0 <= coalesced <= accepted <= MOST_WANTS
    )


def _fits(row: dict[str, object], columns: Iterable[sqlite3.Row]) -> bool:
    """Whether the values have the types of the new table; removes columns that the new table lacks."""
    definitions = {column["name"]: column for column in columns}
    for name in row.keys() - definitions.keys():
        del row[name]
    for name, value in row.items():
        expected = TYPES.get(definitions[name]["type"])
        if value is None:
            if definitions[name]["notnull"] or definitions[name]["pk"]:
                return False
        elif expected is not None and type(value) is not expected:
            return False
    document = row.get("document")
    return not isinstance(document, bytes) or documents.sound(document, (row.get("subject"), row.get("item")))


def _insert(new: sqlite3.Connection, table: str, row: Mapping[str, object]) -> bool:
    """Insert a row; False if it exists already or refers to a row that does not exist."""
    names = [name for name in row if re.fullmatch(r"[a-z_]+", name)]
    marks = ", ".join(f":{name}" for name in names)
    with suppress(sqlite3.IntegrityError):
        return new.execute(f"insert or ignore into {table} ({', '.join(names)}) values ({marks})", row).rowcount == 1
    return False


def sweep(path: Path, *, now: int) -> None:
    """Remove unfinished copies and new databases beside the database, left by processes that were killed long ago."""
    for end in ("", *SIDES):
        for hidden in path.parent.glob(f".{path.stem}*.tmp{end}"):
            with suppress(OSError):
                if hidden.stat().st_mtime * 1000 < now - intake.UNFINISHED:
                    hidden.unlink()


# --- changing places -------------------------------------------------------------------------------------------------


def _finish(path: Path, mended: Path, fault: str) -> Repaired:
    """Put the old files aside and the new database in their place; if repeated, completes what is left to do."""
    aside = path.with_name(f"damaged-{mended.name.rpartition(MARK)[2]}")
    try:
        intake.make_folder(str(aside))
        # The log first: beside the new database it would be taken for its log.
        for end in reversed(("", *SIDES)):
            _put_aside(path.with_name(path.name + end), aside)
        mended.replace(path)
        for folder in (aside, path.parent):
            sync_to_disk(folder)
    except OSError as error:
        raise Unusable(f"{path} is damaged, and can't be put aside: {error.strerror}") from error
    with faults(path), closing(open_file(path)) as db:
        (rows,) = db.execute(COUNT).fetchone()
    return Repaired(fault, aside, int(rows))


def _put_aside(file: Path, aside: Path) -> None:
    """Move a file aside. The database keeps both names until the new one replaces it, so that one always exists."""
    if not file.exists():
        return
    place = aside / file.name
    if place.exists() and place.samefile(file):
        return
    while place.exists():
        place = place.with_name(place.name + "+")
    if file.name.endswith(SIDES):
        file.replace(place)
        return
    try:
        place.hardlink_to(file)
    except OSError:
        file.replace(place)
