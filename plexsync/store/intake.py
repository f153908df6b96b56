"""All that the hook needs: it queues one object durably, in the database or, if that fails, as a file beside it.

Imports only a small part of the standard library, because a save in Stash waits for this process. When `store` has
returned, the event is on the disk, synced. The worker queues files in the spool folder later (`spooled`). Queueing an
object twice is the same as once, so reading a file twice does no harm. This module works with a Python that is too old
for the program.
"""

# Importing pathlib would take the hook too long.
# ruff: noqa: PTH100, PTH101, PTH102, PTH104, PTH105, PTH108, PTH112, PTH113, PTH114, PTH116, PTH118, PTH119, PTH120, PTH123, PTH208

import json
import os
import sys

try:
    import sqlite3
except ImportError:  # a Python built without it can still leave files
    sqlite3 = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from typing import Protocol

    class Statements(Protocol):
        """The part of a connection that a want needs; `sqlite3` and the store both provide it."""

        def execute(self, sql: str, parameters: "dict[str, object]", /) -> object:
            """Run one statement."""


DATABASE = "plexsync.db"
SPOOL = "spool"
UNREAD = "unread"
# Milliseconds after which an unnamed file was left by a hook that was killed before it answered.
UNFINISHED = 3_600_000
# The layout of the database that WANT is written for. A database of another one is left alone.
SCHEMA = 17
# The oldest other one that the worker brings up. All from it on have the same notes about the worker.
OLDEST = 15
# That of the release before. Those between the two were never released.
RELEASED, RELEASE = 7, "0.2.0"
# The application id of PlexSync's databases.
APPLICATION_ID = 0x506C5379
LAST_ID = 2**63 - 1
BUSY_SECONDS = 1.0
# Stash's image runs its hooks as root.
AS_ROOT = sys.platform != "win32" and os.geteuid() == 0
# The kinds of objects in Stash's hooks. A flow may add kinds of its own.
KINDS = ("scene", "performer", "studio", "tag", "group")
# The reasons for a want. Of the last of each kind no cause is known: a row keeps the one that it has, or loses it.
EDITS = ("edit", "user", "again")
WHYS = (*EDITS, "compare", "plex", "all", "sweep")

# In milliseconds. A row without wants for QUIET is due at once. A busier one is due QUIET after its latest want, but at
# most LONGEST_REST after its first unserved want.
QUIET = 2_000
LONGEST_REST = 90_000

NOW = "select cast(round((julianday('now') - 2440587.5) * 86400000) as bigint)"

# Rows get times from now on. If the clock is set back from there, the next claim detects it. To the minute.
LIFTED = 60_000
LIFT_TICK = f"update book set tick = :now where tick < :now - {LIFTED}"

# The state of the row decides everything, so a want is one statement. A row is `moved` if it has new work:
# * idle, gone and outside rows: by any want;
# * ready, absent, running, dead and dropped rows: by an edit;
# * dead and dropped rows: also by a sweep that wants something else than what died.
# If it is unknown what died, a sweep counts as something else only for a row that died by itself, before its desired
# state was known. It does not for poison or for a row that you dropped. A time in the future was written before the
# clock was set back, and counts as long ago. What is wanted while a row runs is kept until it settles. (Lists have
# two values at most: of a longer one SQLite would build a table every time it is evaluated.)
_RESTING = "(job.state = 'idle' or job.state = 'gone' or job.state = 'outside')"
_REVIVED = f"""(
    {_RESTING}
    or (:edit and (job.state in ('dead', 'dropped') or job.state = 'absent'))
    or (not :edit and job.state in ('dead', 'dropped') and :desired not in ('', job.desired)
        and (job.desired <> '' or (job.state = 'dead' and job.cls <> 'poison')))
)"""
_MOVED = f"({_REVIVED} or (:edit and job.state in ('ready', 'running')))"
WANT = f"""
insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, first_unserved, desired, accepted, why)
values (:kind, :id, 'ready', :lane, 1, :now, :now, :now, :now, :desired, 1, :why)
on conflict (kind, id) do update
   set accepted = job.accepted + 1,
       coalesced = job.coalesced + (job.state <> 'idle'),
       state = iif({_REVIVED}, 'ready', job.state),
       since = iif({_REVIVED}, :now, job.since),
       lane = iif({_MOVED}, iif(job.state in ('ready', 'running'), min(job.lane, :lane), :lane), job.lane),
       wanted_rev = job.wanted_rev + ({_MOVED} or job.state = 'ignored'),
       attempts = iif({_REVIVED} or (:edit and job.state = 'ready'), 0, job.attempts),
       streak = iif({_RESTING}, 0, job.streak),
       due = iif({_MOVED},
                 iif(:again or job.stirred > :now or job.stirred <= :now - {QUIET},
                     :now,
                     min(:now + {QUIET}, min(coalesce(job.first_unserved, :now), :now) + {LONGEST_REST})),
                 job.due),
       first_unserved = iif({_MOVED}, min(coalesce(job.first_unserved, :now), :now), job.first_unserved),
       stirred = iif({_MOVED}, :now, job.stirred),
       desired = iif({_MOVED}, :desired, job.desired),
       why = iif({_MOVED} and not :again, :why, job.why)
"""

# Notes about the worker that you have switched on inside Stash, and when a hook last started it. The worker is 'on';
# 'left' if it ended because there was nothing to do; 'again' while it is replaced, because Stash has another address;
# 'away' if the plugin is disabled, so that no hook starts it. The heartbeat is that of the running worker.
INSIDE = "worker:inside"
STARTED = "worker:started"
BEAT = "worker:beat"
ON, LEFT, OFF, AGAIN, AWAY = "on", "left", "", "again", "away"
# When Stash last ran a task of the plugin, or asked it for a page: it is up then, and its settings may have changed.
STASH_CALLED = "stash:called"
NOTE_CALL = f"insert or replace into note (name, value) values ('{STASH_CALLED}', cast(cast(:now as bigint) as text))"
# Milliseconds for which a heartbeat, or a start, counts.
FRESH = 60_000
# A file beside the database. Its age is that of the last start that could not be noted in the database.
STARTED_FILE = "worker.started"
# One statement in the transaction of the want: of many concurrent hooks only one starts the worker.
START = f"""
insert or replace into note (name, value)
select '{STARTED}', cast(cast(:now as bigint) as text)
 where exists (select 1 from note where name = '{INSIDE}' and value = '{LEFT}')
    or (exists (select 1 from note where name = '{INSIDE}' and value = '{ON}')
        and not exists (select 1 from note where name in ('{BEAT}', '{STARTED}')
                           and abs(cast(value as bigint) - cast(:now as bigint)) < {FRESH}))
"""
# When the last event of a hook was stored.
HOOKED = "edit:hook"
NOTE_HOOK = f"insert or replace into note (name, value) values ('{HOOKED}', cast(cast(:now as bigint) as text))"
NOTE = "select value from note where name = :name"
SAVE_NOTE = "insert or replace into note (name, value) values (:name, :value)"


class NotStored(Exception):
    """The event is neither in the database nor in a file; the message is one line for the user."""


def want(
    db: "Statements",
    kind: str,
    id: int,
    reason: str,
    now: int,
    desired: str = "",
    *,
    behind: bool = False,
    lifted: bool = False,
) -> None:
    """Queue one object, in the caller's write transaction; counts it as accepted, and as coalesced unless it was idle.

    `desired` is the hash of the state that a sweep wants; `behind`: one of many edits, so single edits go first;
    `lifted`: the caller has recorded that rows get times from `now` on. Two processes that queue the same object are
    serialized by BEGIN IMMEDIATE. Raises ValueError for an object that can't be queued.
    """
    row = row_of(kind, id, reason, now, desired, behind=behind)
    if not lifted:
        db.execute(LIFT_TICK, row)
    db.execute(WANT, row)


def row_of(
    kind: str, id: int, reason: str, now: int, desired: str = "", *, behind: bool = False
) -> "dict[str, object]":
    """Return the values of `WANT`, which queues one object. Raises ValueError for one that can't be queued."""
    if not is_kind(kind) or reason not in WHYS or isinstance(id, bool) or not 1 <= id <= LAST_ID:
        raise ValueError(f"no such thing can be wanted: {kind!r} {id!r} {reason!r}")
    edit = reason in EDITS
    return {
        "kind": kind,
        "id": id,
        "edit": edit,
        "lane": int(behind or not edit),
        "now": now,
        "desired": desired,
        "why": "" if reason in ("again", "sweep") else reason,
        "again": reason == "again",
    }


def clock(db: "sqlite3.Connection") -> int:
    """Return the wall-clock time in UTC milliseconds, as the database reads it."""
    return int(db.execute(NOW).fetchone()[0])


def is_kind(kind: str) -> bool:
    """Whether a text can name a kind of rows: one lower-case word."""
    return kind.isascii() and kind.isalpha() and kind.islower()


def store(folder: str, kind: str, id: int, reason: str = "edit") -> str:
    """Queue one object durably: in the database of `folder`, otherwise as a file in its spool.

    Returns why the database could not take it, '' if it did. Raises NotStored if the file could not be written either.
    Only for a process without a connection to the database: reading the file directly would release its locks.
    """
    return store_and_check(folder, kind, id, reason)[0]


def store_and_check(
    folder: str, kind: str, id: int, reason: str = "edit", *, starting: bool = True
) -> tuple[str, bool]:
    """Like `store`; also returns whether to start the worker: it is switched on inside Stash and shows no heartbeat.

    With `starting` False the caller can't start one, so none is asked for.

    After an update the database may have an older schema: then the event goes to the spool, and the worker migrates the
    database. If nothing can be written, as to a damaged database, the worker is started anyway, once a minute: it
    repairs what it can.
    """
    version, starts = SCHEMA, False

    def want_it(db: "sqlite3.Connection", schema: int) -> None:
        nonlocal version, starts
        now = clock(db)
        if schema == SCHEMA:
            want(db, kind, id, reason, now)
            db.execute(NOTE_HOOK, {"now": now})
        version, starts = schema, starting and _is_to_start(db, now)

    trouble = in_database(folder, want_it)
    starts = starting and _is_missed(folder) if trouble else starts
    if not trouble and version != SCHEMA:
        trouble = _other_schema(version)
    if trouble:
        spool(folder, json.dumps({"kind": kind, "id": id, "why": reason}).encode(), ".json")
    return trouble, starts


def switch(folder: str, value: str) -> str:
    """Switch the worker inside Stash `ON` or `OFF`; returns why that can't be noted, '' if it is."""
    return in_database(folder, lambda db, _: db.execute(SAVE_NOTE, {"name": INSIDE, "value": value}))


def read_switch(folder: str, *, unknown: str = OFF) -> str:
    """Return how the worker inside Stash is switched: `ON`, `LEFT` or `OFF`; `unknown` if that can't be read."""
    value = _note(folder, INSIDE)
    return unknown if value is None else value


def note_call(folder: str) -> None:
    """Note that Stash calls the plugin. A database that can't be written keeps no note."""
    in_database(folder, lambda db, _: db.execute(NOTE_CALL, {"now": clock(db)}))


def beat(folder: str) -> str:
    """Return the time of the worker's last heartbeat, in UTC milliseconds; '' if that can't be read."""
    return _note(folder, BEAT) or ""


def _note(folder: str, name: str) -> "str | None":
    """Return a note, '' if there is none; None if it can't be read."""
    values: list[str] = []

    def look(db: "sqlite3.Connection", _schema: int) -> None:
        row = db.execute(NOTE, {"name": name}).fetchone()
        values.append(str(row[0]) if row else "")

    return None if in_database(folder, look) else values[0]


def _is_to_start(db: "sqlite3.Connection", now: int) -> bool:
    if not db.execute(START, {"now": now}).rowcount:
        return False
    db.execute(SAVE_NOTE, {"name": INSIDE, "value": ON})
    return True


def _is_missed(folder: str) -> bool:
    """Whether to start the worker although that can't be noted: the condition of `START`, on what can be read."""
    path = os.path.join(folder, DATABASE)
    if sqlite3 is None or _unfit(folder, path):
        return False
    try:
        db = sqlite3.connect(uri(path, "ro"), uri=True, timeout=0, isolation_level=None)
        try:
            now = clock(db)
            (version,) = db.execute("pragma user_version").fetchone()
            rows = [db.execute(NOTE, {"name": name}).fetchone() for name in (INSIDE, BEAT, STARTED)]
        finally:
            db.close()
    except sqlite3.Error:
        return False
    inside, *signs = (str(row[0]) if row else "" for row in rows)
    # The worker would refuse it as well.
    if 0 < version < OLDEST:
        return False
    lives = any(sign.isascii() and sign.isdecimal() and abs(int(sign[:18]) - now) < FRESH for sign in signs)
    return inside in (ON, LEFT) and not (inside == ON and lives) and _first_in_a_minute(folder, now)


def _first_in_a_minute(folder: str, now: int) -> bool:
    """Whether no start was requested in the last minute, by the age of a file; requests one now."""
    path = os.path.join(folder, STARTED_FILE)
    try:
        if os.path.lexists(path):
            if abs(now - os.lstat(path).st_mtime * 1000) < FRESH:
                return False
            os.unlink(path)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _hand_over(file, folder)
        os.close(file)
    except OSError:  # another hook was faster, or the start could not be recorded
        return False
    return True


def in_database(folder: str, act: "Callable[[sqlite3.Connection, int], object]") -> str:
    """Run `act` within one write transaction, synced when this returns ''; otherwise returns the reason.

    `act` gets the schema, which has notes at least.
    """
    path = os.path.join(folder, DATABASE)
    if sqlite3 is None:
        return "this Python has no sqlite3"
    if trouble := _unfit(folder, path):
        return trouble
    try:
        db = sqlite3.connect(uri(path), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        return f"the database can't be opened: {error}"
    try:
        # `extra` also syncs the folder of a rollback journal; with a write-ahead log it equals `full`.
        db.execute("pragma synchronous = extra")
        db.execute("pragma wal_autocheckpoint = 0")
        sync_fully(db)
        # Otherwise the undo data of an update is a file, which costs more than the update.
        db.execute("pragma temp_store = memory")
        db.execute("begin immediate")
        (version,) = db.execute("pragma user_version").fetchone()
        if version != SCHEMA and (trouble := _refusal(db, version)):
            return trouble
        act(db, version)
        db.execute("commit")
    except sqlite3.Error as error:
        return f"the database can't be written: {error}"
    finally:
        db.close()
    return ""


def sync_fully(db: "sqlite3.Connection") -> None:
    """Make SQLite's syncs reach the disk itself: on macOS a plain one ends in the disk's cache."""
    if sys.platform == "darwin":
        db.execute("pragma fullfsync = 1")
        db.execute("pragma checkpoint_fullfsync = 1")


def _refusal(db: "sqlite3.Connection", version: int) -> str:
    """Return why a database with another schema is left alone; '' for one of PlexSync that the worker brings up."""
    (mark,) = db.execute("pragma application_id").fetchone()
    if mark != APPLICATION_ID or not 0 < version < SCHEMA:
        return _other_schema(version)
    return too_old("the database", version, "rename it") if version < OLDEST else ""


def too_old(name: str, version: int, way_out: str) -> str:
    """Return the message about a database that is left as it is; `way_out` is how to leave it behind."""
    opens = f"PlexSync {RELEASE}" if version <= RELEASED else "the development version that made it"
    return (
        f"{name} has schema {version}, and this PlexSync brings up none before {OLDEST} ({opens} still opens it):"
        f" {way_out} to begin anew. What is in Plex stays; lost are the undo of what was written, ignores, bindings,"
        " decisions, approvals and dead letters"
    )


def _unfit(folder: str, path: str) -> str:
    """Return why the database must not even be opened, '' if it may be. Reads only the file's first bytes."""
    if trouble := insecure(folder, path):
        return trouble
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError as error:
        return f"the database can't be read: {error.strerror}"
    if head[:16] != b"SQLite format 3\0":
        return "the database is not one" if head else "the database is empty"
    version = int.from_bytes(head[60:64], "big")
    return _other_schema(version) if version > SCHEMA else ""


def _other_schema(version: int) -> str:
    return f"the database has schema {version}, this hook knows {SCHEMA}"


def insecure(folder: str, path: str) -> str:
    """Return why other users could put their own database in this place; '' if they can't."""
    if os.path.islink(path):
        return f"{path} is a link, and must be a file"
    try:
        mode = os.stat(folder).st_mode
    except OSError as error:
        return f"{folder} can't be used: {error.strerror}"
    if os.name == "posix" and mode & 0o002:
        return f"{folder} can be written by everyone: chmod 700 it"
    return ""


def uri(path: str, mode: str = "rw") -> str:
    """Return the path as an SQLite URI that never creates a file."""
    text = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        text = "/" + text.replace("\\", "/")
    return f"file:{text}?mode={mode}"


# --- the spool -------------------------------------------------------------------------------------------------------


def make_folder(folder: str) -> None:
    """Make a folder and its parents, accessible only to the owner, whatever the umask. Existing ones stay. Raises OSError.

    A folder that root makes gets the owner of its parent.
    """
    if not os.path.isdir(folder):
        above = os.path.dirname(os.path.abspath(folder))
        if above != folder:
            make_folder(above)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            return
        os.chmod(folder, 0o700)
        _hand_over_folder(folder)
        _sync_folder(os.path.dirname(folder) or ".")


def _hand_over_folder(folder: str) -> None:
    """`_hand_over` for a folder. It is opened first, because its name could be replaced by a link."""
    if sys.platform != "win32" and AS_ROOT:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _hand_over(handle, os.path.dirname(os.path.abspath(folder)))
        finally:
            os.close(handle)


def _hand_over(handle: int, folder: str) -> None:
    """Give what root has made the owner of its folder: the worker may run as another user than the hook."""
    if sys.platform != "win32" and AS_ROOT:
        owner = os.stat(folder)
        try:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        except OSError:  # root has no rights on some shares, and the event matters more
            return


def spool(folder: str, content: bytes, suffix: str) -> str:
    """Leave an event as a synced file of mode 0600 in the folder's spool; returns its path, raises NotStored.

    The file gets its name only when it is complete.
    """
    place = os.path.join(folder, SPOOL)
    name = f"{os.getpid()}-{os.urandom(8).hex()}"
    try:
        make_folder(folder)
        if os.path.islink(place):
            raise NotStored(f"{place} is a link, and must be a folder")
        make_folder(place)
        _hand_over_folder(place)
        hidden, final = os.path.join(place, f".{name}.tmp"), os.path.join(place, name + suffix)
        _write_synced(place, hidden, content)
        os.rename(hidden, final)
        _sync_folder(place)
    except OSError as error:
        raise NotStored(f"{place} can't be written: {error.strerror}") from error
    return final


def list_spooled(
    folder: str,
    limit: int,
    now: int,
    *,
    but: "Container[str]" = (),
    report: "Callable[[str, str], None]" = lambda _path, _why: None,
) -> list[tuple[str, str, int, str]]:
    """Return up to `limit` spooled events as (path, kind, id, why); the caller queues them, then `unspool`s the files.

    A file without a readable event, or a link, is moved to the folder `unread` of the spool, for you to inspect;
    `report` gets its path and ''. A file that can't be read stays in place; `report` gets its path and the reason. The
    paths in `but` are skipped. Raises OSError if the spool itself can't be read.
    """
    place = os.path.join(folder, SPOOL)
    events: list[tuple[str, str, int, str]] = []
    try:
        names = [] if os.path.islink(place) else sorted(os.listdir(place))
    except FileNotFoundError:
        return []
    _sweep(place, names, now)
    for path in (os.path.join(place, name) for name in names if name.endswith((".json", ".raw"))):
        if len(events) == limit:
            break
        if path in but:
            continue
        try:
            event = _event_of(path) if path.endswith(".json") else None
            if event is not None:
                events.append((path, *event))
            else:
                _set_aside(place, path)
                report(path, "")
        except FileNotFoundError:
            continue
        except OSError as error:
            report(path, str(error.strerror))
    return events


def unspool(paths: "Iterable[str]") -> dict[str, str]:
    """Remove spooled events that were committed to the database; returns those that can't be removed, and why."""
    stuck = {}
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            stuck[path] = str(error.strerror)
    return stuck


def _set_aside(place: str, path: str) -> None:
    make_folder(os.path.join(place, UNREAD))
    os.replace(path, os.path.join(place, UNREAD, os.path.basename(path)))


def _sweep(place: str, names: list[str], now: int) -> None:
    for path in (os.path.join(place, name) for name in names if name.endswith(".tmp")):
        try:
            if os.stat(path).st_mtime * 1000 < now - UNFINISHED:
                os.unlink(path)
        except OSError:  # already removed, or of another user: it does no harm
            continue


def _event_of(path: str) -> "tuple[str, int, str] | None":
    # A link can lead anywhere, and a pipe would never end.
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            event = json.loads(file.read())
        kind, id, reason = event["kind"], event["id"], event["why"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    fits = kind in KINDS and reason in WHYS and type(id) is int and 1 <= id <= LAST_ID
    return (kind, id, reason) if fits else None


def _write_synced(folder: str, path: str, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(file, 0o600)
        _hand_over(file, folder)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        os.close(file)
        os.unlink(path)
        raise
    os.close(file)


def _sync_folder(folder: str) -> None:
    """Make a new name in a folder as durable as the file's content. Windows has no such call."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
