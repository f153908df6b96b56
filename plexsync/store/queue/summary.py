"""The database as `status` and the completion of scenes read it: a few statements on a read-only connection.

Imports only a small part of the standard library, and no records or protocols, because you wait for the process. It
opens only a database of the newest schema in a folder that others can't write to. On `Unreadable`, use `Database`
instead: it repairs, migrates or explains. The statements are those of the tables' own files; a test compares both.
"""

# ruff: noqa: PTH100, PTH114, PTH116, PTH120

import math
import os
import sqlite3
from types import SimpleNamespace

from plexsync.rules.queue.gate_names import GATES
from plexsync.rules.queue.note_keys import (
    ASKED_SETTINGS,
    BULK,
    DASHBOARD,
    EDIT_BY_HOOK,
    EDIT_BY_LINE,
    EDIT_BY_POLL,
    HEARTBEAT,
    INSIDE,
    LAST_POLL,
    LAST_RECONCILE,
    LINES,
    NEWS,
    PLAYLISTS_PROBLEM,
    PLAYS_COUNTED,
    PLAYS_IN_PLEX,
    PLAYS_MISSING,
    REPAIRED,
    RESTORED,
    STALLED,
    THREAD_ENDED,
    VERIFIED,
    WISHES,
    WORKER_ENDED,
)
from plexsync.rules.words.status_words import SceneStatus, kept_in, status_of
from plexsync.store import intake
from plexsync.store.queue.counts import (
    COUNT_ALL,
    COUNT_COLLECTIONS,
    COUNT_DEAD,
    COUNT_DELETED,
    COUNT_DUE,
    COUNT_IDLE_OTHERS,
    COUNT_PLAYS,
    COUNT_RARE,
    COUNT_READY,
    COUNT_RUNNING,
    COUNT_STANDINGS,
    IS_RARE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypedDict

    class Queries(Protocol):
        """The part of a connection that a summary needs: `Snapshot` has it, and every `Connection` of the store."""

        def rows(self, sql: str, values: "dict[str, object]" = ..., /) -> list[Any]:
            """Return all rows of a query; their values have positions and names."""

    class BreakerValues(TypedDict):
        """The stored values of a breaker."""

        state: str
        failures: int
        successes: int
        opened_at: float | None
        wait: float
        trips: int
        generation: int
        probe_started: float | None
        cause: str
        error: str


BUSY_SECONDS = 2.0
STATES = ("ready", "running", "idle", "absent", "dead", "gone", "dropped", "ignored", "outside")
LANES = (0, 1)
# The most digits that a number in a note can have.
DIGITS = 18

FIRST_RARE = f"""
select kind, id, cls from job indexed by job_state
 where {IS_RARE} and state = :state order by kind, id limit :limit
"""
BREAKERS = """
select who, state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error from breaker
"""
HOLDS = "select who, setting, message, since, retest_at, choice from hold"
PACES = "select who, not_before, ramp from pace"
TRANSITIONS = "select who, at, old, new, cause, error, waiting from transition order by number"
REMEMBERED = "select state, undo, count(*) from play group by state, undo"
BOOKS = "select accepted, coalesced, done, pruned from books"
TALLIES = "select name, count from tally"
ASKING = """
select library, section, title, identifier, state, steps, added_at, called_at, calls from provider order by title, library
"""
SYNCED = "select section, uuid from library"
SECTIONS = "select section, title, walked_at from library order by section"
COUNT_ITEMS = "select count(*) from item"
# The wall-clock time read through SQLite, in UTC milliseconds.
NOW = "select cast(round((julianday('now') - 2440587.5) * 86400000) as bigint)"

# Used instead of values that no breaker can have: open since long ago, so that the next request is a probe.
UNREADABLE: "BreakerValues" = {
    "state": "open",
    "failures": 0,
    "successes": 0,
    "opened_at": 0.0,
    "wait": 0.0,
    "trips": 1,
    "generation": 1,
    "probe_started": None,
    "cause": "",
    "error": "its stored state can't be read: the next request is a test",
}


class Unreadable(Exception):
    """The database is missing, not of the newest schema, or in a folder that everyone can write to."""


class Snapshot:
    """A read-only connection to the database file, with one snapshot open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        self._db = db

    def rows(self, sql: str, values: "dict[str, object] | None" = None, /) -> "list[Any]":
        """Return all rows of a query. Raises sqlite3.Error."""
        return self._db.execute(sql, values or {}).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class Summary:
    """The content of one snapshot of the database, as plain values. Times are UTC milliseconds."""

    def __init__(self, db: "Queries", now: int) -> None:
        self.now = now
        self.jobs = count_states(db)
        due = [db.rows(COUNT_DUE, {"lane": lane, "now": now})[0] for lane in LANES]
        self.due = sum(count for count, _ in due)
        self.oldest_due: int | None = min((oldest for _, oldest in due if oldest is not None), default=None)
        self.plays: tuple[int, int | None, str | None] = tuple(db.rows(COUNT_PLAYS)[0])
        self.remembered_plays: list[tuple[str, int, int]] = [tuple(row) for row in db.rows(REMEMBERED)]
        self.listed_plays = number(db, PLAYS_IN_PLEX)
        self.collections: list[tuple[str, str, int]] = db.rows(COUNT_COLLECTIONS, {"library": ""})
        self.asking: list[Any] = db.rows(ASKING)
        self.synced: list[tuple[str, str]] = [tuple(row) for row in db.rows(SYNCED)] if self.asking else []
        self.stalled = note(db, STALLED)
        self.missing_plays, self.playlists_problem = note(db, PLAYS_MISSING), note(db, PLAYLISTS_PROBLEM)
        # How many of the plays that were found missing still count as deleted; the note says since when they were sent.
        since = self.missing_plays.split(" ")[1:2]
        self.still_missing: int = db.rows(COUNT_DELETED, {"since": int(since[0])})[0][0] if since else 0
        self.dead: dict[str, int] = dict(db.rows(COUNT_DEAD))
        rows = {server: SimpleNamespace(**row) for server, row in _rows(db, BREAKERS)}
        self.breakers = {
            server: row if possible(row) else SimpleNamespace(**UNREADABLE) for server, row in rows.items()
        }
        self.holds = {server: SimpleNamespace(**row) for server, row in _rows(db, HOLDS)}
        self.paces = {server: SimpleNamespace(**row) for server, row in _rows(db, PACES)}
        self.transitions: list[tuple[Any, ...]] = [tuple(row) for row in db.rows(TRANSITIONS) if row[0] in GATES]
        self.books: tuple[int, int, int, int] = tuple(db.rows(BOOKS)[0])
        self.tallies: dict[str, int] = dict(db.rows(TALLIES))
        scenes = SceneCounts(db)
        self.undone, self.kept_fields, self.standings = scenes.undone, scenes.kept_fields, scenes.by_status
        self.sections: list[tuple[str, str, int]] = [tuple(row) for row in db.rows(SECTIONS)]
        self.items: int = db.rows(COUNT_ITEMS)[0][0]
        self.heartbeat, self.last_poll, self.last_reconcile = (
            note(db, name) for name in (HEARTBEAT, LAST_POLL, LAST_RECONCILE)
        )
        self.verified = note(db, VERIFIED)
        self.edits = {"line": note(db, EDIT_BY_LINE), "hook": note(db, EDIT_BY_HOOK), "poll": note(db, EDIT_BY_POLL)}
        self.lines = note(db, LINES)
        self.first_plays = note(db, PLAYS_COUNTED)
        self.inside = note(db, INSIDE)
        self.dashboard, self.news = note(db, DASHBOARD), note(db, NEWS)
        self.ended = note(db, WORKER_ENDED)
        self.thread_ended = note(db, THREAD_ENDED)
        self.repaired_at = number(db, REPAIRED) or None
        self.anew = max(number(db, name) for name in (REPAIRED, RESTORED)) > number(db, LAST_RECONCILE)
        self.wishes = note(db, WISHES)
        self.asked_settings = note(db, ASKED_SETTINGS)
        self.approved = any(note(db, name) for name in (BULK, REPAIRED))


class SceneCounts:
    """By status, the number of scenes and the earliest time since when one of them has had it.

    And the idle rows of `undone` and released scenes, and the fields that Plex keeps of scenes in sync.
    """

    def __init__(self, db: "Queries") -> None:
        self.by_status: dict[SceneStatus, tuple[int, int | None]] = {}
        self.undone: dict[str, int] = {}
        self.kept_fields = 0
        for state, cause, last_seen, mark, count, row_since, seen_since in db.rows(COUNT_STANDINGS):
            status = status_of(state, cause, last_seen, mark)
            lasts = bool(last_seen) and status_of(None, "", last_seen) is status
            before, since = self.by_status.get(status, (0, None))
            moments = [moment for moment in (since, seen_since if lasts else row_since) if moment is not None]
            self.by_status[status] = (before + count, min(moments, default=None))
            if status is SceneStatus.IN_SYNC:
                self.kept_fields += kept_in(last_seen) * count
            if mark:
                self.undone[mark] = self.undone.get(mark, 0) + count


def reading(file: str) -> Snapshot:
    """Open one snapshot; the caller closes it. Raises Unreadable and sqlite3.Error."""
    folder = os.path.dirname(os.path.abspath(file))
    try:
        exposed = os.path.islink(file) or (os.name == "posix" and os.stat(folder).st_mode & 0o002)
        empty = not os.stat(file).st_size
    except OSError:
        exposed = empty = True
    if exposed or empty:
        raise Unreadable
    db = sqlite3.connect(intake.uri(file, "ro"), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("begin")
        marks = [db.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if marks != [intake.APPLICATION_ID, intake.SCHEMA]:
            raise Unreadable
    except BaseException:
        db.close()
        raise
    return Snapshot(db)


def now(db: "Queries") -> int:
    """Return the current time in UTC milliseconds."""
    moment: int = db.rows(NOW)[0][0]
    return moment


def first_rows(db: "Queries", state: str, limit: int) -> list[tuple[str, int, str]]:
    """Return the first rows of a rare state: kind, id and cause of the dead letter."""
    return [tuple(row) for row in db.rows(FIRST_RARE, {"state": state, "limit": limit})]


def note(db: "Queries", name: str) -> str:
    """Return a note; '' if it was never set."""
    return next((str(text) for (text,) in db.rows(intake.NOTE, {"name": name})), "")


def number(db: "Queries", name: str) -> int:
    """Return the number in a note; 0 if there is no note or it does not hold a number."""
    text = note(db, name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else 0


def possible(breaker: "Any") -> bool:
    """Whether these are possible values of a breaker."""
    counts = (breaker.failures, breaker.successes, breaker.trips)
    moments = (breaker.opened_at, breaker.probe_started)
    return (
        breaker.state in ("closed", "open", "half_open")
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(breaker.generation, int)
        and _is_number(breaker.wait)
        and breaker.wait >= 0
        and all(moment is None or _is_number(moment) for moment in moments)
        and (breaker.state == "closed" or breaker.opened_at is not None)
        and isinstance(breaker.cause, str)
        and isinstance(breaker.error, str)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _rows(db: "Queries", sql: str) -> "list[tuple[str, dict[str, object]]]":
    """Return the rows of the known gates, with their names. Other rows are left out."""
    rows = [{name: row[name] for name in row.keys()} for row in db.rows(sql)]  # noqa: SIM118 - a row is no mapping
    by_name = {row.pop("who"): row for row in rows}
    return [(gate, by_name[gate]) for gate in GATES if gate in by_name]


def count_states(db: "Queries") -> dict[str, int]:
    """Count the rows of each state, including states without rows. Idle rows count only if they are scenes."""
    counts = dict.fromkeys(STATES, 0)
    counts.update(db.rows(COUNT_RARE))
    counts["ready"] = db.rows(COUNT_READY)[0][0]
    counts["running"] = db.rows(COUNT_RUNNING)[0][0]
    others = db.rows(COUNT_IDLE_OTHERS)[0][0]
    counts["idle"] = db.rows(COUNT_ALL)[0][0] - sum(counts.values()) - others
    return counts
