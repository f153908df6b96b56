"""The job table: what may be out of step, and who is working on it.

One row per thing, so wanting it twice is wanting it once (`plexsync.store.intake`). A claim is a lease: when its holder
dies, the
row is found by `expired` and given to another, and whatever the first holder still tries to write is ignored, since it
no longer has the row's token. Every function that writes runs inside one write transaction of its caller. Times are UTC
milliseconds, given by the caller.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from plexsync.rules.job import HOUR, MINUTE, SCOPE, Crashed, Job, Kind, Lane, Settled, State
from plexsync.rules.records import JobRow
from plexsync.store import attempts, bindings, books, memories, notes, pushings, tallies
from plexsync.store.db import clean
from plexsync.store.intake import QUIET

# Ends of a claim that were no attempt: nothing was sent for the job.
UNTRIED = ("released", "local", SCOPE)
# Only every so many claims does the sweeps' lane go first; a lone or crashed sweep then gets its turn.
SWEEPS_TURN = 10
# No lease is ever this long: one that ends further ahead was given by a clock that has stepped back since.
LONGEST_LEASE = 24 * HOUR
# A clock that is this far behind the time of an earlier claim has stepped back.
STEP = MINUTE

_WAITS = "state in ('ready', 'absent')"
_ENDED = "(state = 'dead' or state = 'dropped' or state = 'gone')"
# Off the usual way from ready by running to idle: the rows in the index job_state.
RARE = frozenset(State) - {State.READY, State.RUNNING, State.IDLE}
_RARE = "state <> 'ready' and state <> 'running' and state <> 'idle'"
_ROW = (
    "kind, id, state, lane, wanted_rev, claimed_rev, settled_rev, attempts, streak, crashes, due, since, lease_until,"
    " error, cls, desired"
)

FIND = f"select {_ROW} from job where kind = :kind and id = :id"
LIST = f"""
select {_ROW} from job
 where state = :state and (:cls = '' or cls = :cls) and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""
LIST_RARE = f"""
select {_ROW} from job indexed by job_state
 where {_RARE} and state = :state and (:cls = '' or cls = :cls) and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""
LIST_DEAD_OF = f"""
select {_ROW} from job
 where state = 'dead' and cls = :cls and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""
IN_WORK = f"select {_ROW} from job indexed by job_lease where state = 'running' order by lease_until limit :limit"
IDS = "select id, state from job where kind = :kind and id > :after and id <= :upto order by id"
COUNT_ALL = "select count(*) from job"
COUNT_READY = f"select count(*) from job indexed by job_due where {_WAITS} and state = 'ready'"
COUNT_RUNNING = "select count(*) from job indexed by job_lease where state = 'running'"
COUNT_RARE = f"select state, count(*) from job indexed by job_state where {_RARE} group by state"
COUNT_DEAD = "select cls, count(*) from job indexed by job_dead where state = 'dead' group by cls"
COUNT_DUE = f"select count(*), min(due) from job indexed by job_due where {_WAITS} and lane = :lane and due <= :now"
NEXT_DUE = f"select due from job indexed by job_due where {_WAITS} and lane = :lane order by due limit 1"
NEXT_LEASE = "select lease_until from job indexed by job_lease where state = 'running' order by lease_until limit 1"

DUE = f"""
select kind, id, lane, wanted_rev, attempts, streak, crashes, alone, ok_mark, bad_mark, cls
  from job indexed by job_due
 where {_WAITS} and lane = :lane and due <= :now
 order by due limit :limit
"""
CLAIM = """
update job
   set state = 'running', since = :now, token = :token, lease_until = :until, holder = :holder,
       claimed_rev = wanted_rev, first_unserved = null
 where kind = :kind and id = :id
"""
# What was due some time after the step is due that time after it again.
FOLLOW_CLOCK = f"""
update job set due = max(:now, due - :back) where {_WAITS} and due > :now + {QUIET}
"""
RENEW = "update job set lease_until = :until where token = :token and state = 'running'"
WANTED = "select wanted_rev from job where kind = :kind and id = :id"
SETTLE = """
update job
   set state = :state, since = :now, stirred = :now, settled_rev = claimed_rev,
       attempts = :attempts, streak = :streak, crashes = :crashes, first_crash = iif(:crashes, first_crash, 0),
       due = coalesce(:due, due), ok_mark = :ok_mark, bad_mark = :bad_mark, error = :error, cls = :cls,
       desired = case when :state = 'idle' then '' when :desired <> '' then :desired else desired end,
       token = null, lease_until = null, holder = '', alone = 0
 where kind = :kind and id = :id and token = :token and state = 'running'
"""
FORGET = "delete from job where kind = :kind and id = :id and state = 'idle'"
EXPIRED = f"""
select {_ROW}, alone, first_crash from job
 where state = 'running' and (:all or lease_until <= :now or lease_until > :now + {LONGEST_LEASE})
 order by kind, id
"""
# A wish that was renewed while its row killed the worker is a wish all the same: it gets one lone claim more.
CRASH = """
update job
   set state = iif(wanted_rev > claimed_rev, 'ready', :state), since = :now, due = :due,
       crashes = :crashes, first_crash = :first_crash, error = iif(:error <> '', :error, error),
       cls = iif(:cls <> '', :cls, cls), token = null, lease_until = null, holder = '', alone = 1
 where kind = :kind and id = :id and state = 'running' and claimed_rev = :claimed_rev and lease_until is :lease_until
returning state
"""
DEAD_UP_TO = "select count(*) from (select 1 from job indexed by job_dead where state = 'dead' limit :limit)"
# Each is completed by which of the dead rows are meant.
RETRY = "update job set state = 'ready', lane = :lane, attempts = 0, due = :now, since = :now"
NO_CRASHES = ", crashes = 0, first_crash = 0"
DROP = "update job set state = 'dropped', since = :now"
SET_ASIDE = """
update job
   set state = :state, since = :now, first_unserved = null, token = null, lease_until = null, holder = ''
 where kind = :kind and id = :id
"""
WREST = """
update job
   set state = 'ready', since = :now, token = null, lease_until = null, holder = ''
 where kind = :kind and id = :id and state = 'running'
"""
IGNORE_NEW = """
insert into job (kind, id, state, lane, wanted_rev, due, since, stirred)
values (:kind, :id, 'ignored', 0, 1, :now, :now, :now)
"""
UNIGNORE = """
update job
   set state = 'ready', lane = 0, attempts = 0, streak = 0, due = :now, since = :now, stirred = :now
 where kind = :kind and id = :id and state = 'ignored'
"""
WAKE = "update job set due = :now where kind = :kind and id = :id and state = 'absent' and due > :now"
WAKE_ABSENT = f"""
update job set due = :now, lane = max(lane, :lane) where (kind, id) in (
    select kind, id from job indexed by job_due
     where {_WAITS} and state = 'absent' and lane in (0, 1) and due > :now limit :limit
)
"""
# Up to when nothing but dropped rows is left of those that have ended, as a note: they stay, and are not walked over each
# time. Noted again when it would spare the walk over this much more.
PRUNED = "pruned:upto"
WALK = HOUR
# Rows that ended in a future which the clock has left again would never grow old. All of them at once would hold up
# everyone who writes.
UNDATED = 50
UNDATE = f"""
update job set since = :now where (kind, id) in (
    select kind, id from job indexed by job_ended where {_ENDED} and since > :now limit {UNDATED}
)
"""
PRUNE = f"""
select kind, id, state, since from job indexed by job_ended
 where {_ENDED} and state <> 'dropped' and since >= :since and since < :before
 order by since limit :limit
"""
DELETE = "delete from job where kind = :kind and id = :id"


# --- looking ---------------------------------------------------------------------------------------------------------


def find(db: sqlite3.Connection, kind: Kind, id: int) -> JobRow | None:
    """One row."""
    row = db.execute(FIND, {"kind": kind, "id": id}).fetchone()
    return _job_row(row) if row else None


def listed(db: sqlite3.Connection, state: State, *, cls: str, limit: int, after: tuple[str, int]) -> list[JobRow]:
    """Up to `limit` rows of one state (and class, unless ''), by (kind, id), from behind the key `after`."""
    sql = LIST_DEAD_OF if state is State.DEAD and cls else LIST_RARE if state in RARE else LIST
    kind, id = after
    values = {"state": state, "cls": cls, "limit": limit, "after_kind": kind, "after_id": id}
    return [_job_row(row) for row in db.execute(sql, values)]


def in_work(db: sqlite3.Connection, limit: int) -> list[JobRow]:
    """Up to `limit` running rows, those first whose leases end first."""
    return [_job_row(row) for row in db.execute(IN_WORK, {"limit": limit})]


def ids(db: sqlite3.Connection, kind: Kind, *, after: int, upto: int) -> Iterator[tuple[int, State]]:
    """(id, state) of the rows of one kind with an id above `after`, up to `upto`, by id."""
    for id, state in db.execute(IDS, {"kind": kind, "after": after, "upto": upto}):
        yield id, State(state)


def unsettled(db: sqlite3.Connection) -> int:
    """How many rows are ready or running."""
    return _count(db, COUNT_READY) + _count(db, COUNT_RUNNING)


def count_states(db: sqlite3.Connection) -> dict[State, int]:
    """How many rows are in each state, those without any included; reads indexes, and of the rows only how many."""
    counts = dict.fromkeys(State, 0)
    counts |= {State(state): count for state, count in db.execute(COUNT_RARE)}
    counts |= {State.READY: _count(db, COUNT_READY), State.RUNNING: _count(db, COUNT_RUNNING)}
    return counts | {State.IDLE: _count(db, COUNT_ALL) - sum(counts.values())}


def _count(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])


def count_dead(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows died of each class."""
    return dict(db.execute(COUNT_DEAD).fetchall())


def count_due(db: sqlite3.Connection, now: int) -> tuple[int, int | None]:
    """How many rows are due, and since when the one that waits the longest is."""
    found = [db.execute(COUNT_DUE, {"lane": lane, "now": now}).fetchone() for lane in Lane]
    oldest = [due for _, due in found if due is not None]
    return sum(count for count, _ in found), min(oldest, default=None)


def next_due(db: sqlite3.Connection, now: int) -> int | None:
    """When the next waiting row is due or a lease ends; None when nothing waits.

    After a step back of the clock that is now: the next claim puts the due times right.
    """
    if now < books.tick(db) - STEP:
        return now
    rows = [db.execute(NEXT_DUE, {"lane": lane}).fetchone() for lane in Lane]
    rows.append(db.execute(NEXT_LEASE).fetchone())
    return min((row[0] for row in rows if row), default=None)


# --- claiming --------------------------------------------------------------------------------------------------------


def claim(db: sqlite3.Connection, limit: int, *, now: int, lease_ms: int, holder: str) -> list[Job]:
    """Take up to `limit` due rows under a lease, each with a token of its own.

    Edits go before sweeps, in the order in which they are due. While both are due, one slot of several is kept for a
    sweep, and every tenth claim takes a sweep first: so neither lane starves, with one slot either. A row that crashed
    its worker is never taken together with others: at the head of a claim it is taken alone, else it is passed over
    until it is at the head.
    """
    _follow_clock(db, now)
    rows = _chosen(db, limit, now)
    scans = books.scans(db)
    jobs = [_job(row, secrets.token_hex(8), scans) for row in rows]
    db.executemany(
        CLAIM,
        [
            {"kind": job.kind, "id": job.id, "token": job.token, "now": now, "until": now + lease_ms, "holder": holder}
            for job in jobs
        ],
    )
    return jobs


def _chosen(db: sqlite3.Connection, limit: int, now: int) -> list[sqlite3.Row]:
    edits, sweeps = (
        db.execute(DUE, {"lane": lane, "now": now, "limit": limit}).fetchall() for lane in (Lane.EDIT, Lane.SWEEP)
    )
    both = bool(edits and sweeps)
    if both and books.take_turn(db) % SWEEPS_TURN == 0:
        ordered = [sweeps[0], *edits, *sweeps[1:]]
    elif both and limit > 1:
        ordered = [*edits[: limit - 1], *sweeps, *edits[limit - 1 :]]
    else:
        ordered = [*edits, *sweeps]
    if ordered and ordered[0]["alone"]:
        return ordered[:1]
    return [row for row in ordered if not row["alone"]][:limit]


def _follow_clock(db: sqlite3.Connection, now: int) -> None:
    """When the clock has stepped back, put what waits for the old time as far ahead of the new one."""
    tick = books.tick(db)
    if abs(now - tick) > STEP:
        books.save_tick(db, now)
    if now < tick - STEP:
        db.execute(FOLLOW_CLOCK, {"now": now, "back": tick - now})


def renew(db: sqlite3.Connection, tokens: Sequence[str], *, until: int) -> set[str]:
    """Prolong leases; returns the tokens that still hold a row."""
    return {token for token in tokens if db.execute(RENEW, {"token": token, "until": until}).rowcount}


# --- ending ----------------------------------------------------------------------------------------------------------


def renewed(db: sqlite3.Connection, job: Job) -> bool:
    """Whether the row is wanted anew since the claim."""
    row = db.execute(WANTED, {"kind": job.kind, "id": job.id}).fetchone()
    return row is not None and row[0] > job.claimed_rev


def settle(db: sqlite3.Connection, job: Job, after: Settled, *, now: int, ok_mark: int, bad_mark: int) -> bool:
    """End an attempt; False, and nothing is touched, when another holds the row by now or nobody does."""
    values = {
        "kind": job.kind,
        "id": job.id,
        "token": job.token,
        "now": now,
        "state": after.state,
        "attempts": after.attempts,
        "streak": after.streak,
        "crashes": after.crashes,
        "due": after.due,
        "error": "" if after.state is State.IDLE else clean(after.error),
        "cls": "" if after.state is State.IDLE else after.cls,
        "desired": after.desired,
        "ok_mark": ok_mark,
        "bad_mark": bad_mark,
    }
    if db.execute(SETTLE, values).rowcount == 0:
        return False
    books.lift_tick(db, now)
    if after.state is State.IDLE:
        books.count_done(db)
    if after.state in (State.DEAD, State.GONE):
        notes.lower(db, PRUNED, now)
    if after.state is State.DEAD:
        tallies.add(db, "died")
    if after.error and after.cls not in UNTRIED:
        attempts.add(
            db, job.kind, job.id, at=now, cls=after.cls, error=after.error, attempts=after.attempts, state=after.state
        )
    if after.state is State.IDLE and job.kind is not Kind.SCENE:
        # It has become wants of its scenes; there is nothing that could be in step.
        db.execute(FORGET, values)
    return True


def expired(db: sqlite3.Connection, *, now: int, dead_holders: bool) -> list[tuple[JobRow, bool, int]]:
    """Running rows whose lease is over, or all of them: (row, whether it was claimed alone, its first crash)."""
    rows = db.execute(EXPIRED, {"now": now, "all": dead_holders})
    return [(_job_row(row), bool(row["alone"]), row["first_crash"]) for row in rows]


def crash(db: sqlite3.Connection, row: JobRow, after: Crashed, *, now: int) -> None:
    """Take back a row whose holder died; it is claimed alone from now on, until it settles."""
    error = f"the worker died {after.crashes} times while it worked on this alone" if after.cls else ""
    values = {
        "kind": row.kind,
        "id": row.id,
        "claimed_rev": row.claimed_rev,
        "lease_until": row.lease_until,
        "now": now,
        "state": after.state,
        "due": after.due,
        "crashes": after.crashes,
        "first_crash": after.first_crash,
        "cls": after.cls,
        "error": error,
    }
    found = db.execute(CRASH, values).fetchall()
    books.lift_tick(db, now)
    if found and found[0]["state"] == State.DEAD:
        notes.lower(db, PRUNED, now)
        tallies.add(db, "died")
    if found and after.cls:
        attempts.add(db, row.kind, row.id, at=now, cls=after.cls, error=error, attempts=row.attempts, state=after.state)


# --- dead letters ----------------------------------------------------------------------------------------------------


def dead_up_to(db: sqlite3.Connection, limit: int) -> int:
    """How many rows are dead, counted no further than `limit`."""
    return int(db.execute(DEAD_UP_TO, {"limit": limit}).fetchone()[0])


def retry(
    db: sqlite3.Connection, *, kind: Kind | None, id: int | None, cls: str, now: int, lane: Lane, limit: int
) -> int:
    """Up to `limit` dead rows (-1: all) are ready at once, with no attempts used and no crashes; returns how many."""
    books.lift_tick(db, now)
    count = db.execute(
        RETRY + NO_CRASHES + _dead_ones(kind, id, cls),
        {"kind": kind, "id": id, "cls": cls, "now": now, "lane": lane, "limit": limit},
    ).rowcount
    tallies.add(db, "retried", count)
    return count


def cure(db: sqlite3.Connection, cls: str, *, now: int, limit: int) -> int:
    """Up to `limit` rows that died of a cause which is no more are ready again, behind every edit; returns how many."""
    values = {"cls": cls, "now": now, "lane": Lane.SWEEP, "limit": limit}
    books.lift_tick(db, now)
    count = db.execute(RETRY + _dead_ones(None, None, cls), values).rowcount
    tallies.add(db, "cured", count)
    return count


def drop(db: sqlite3.Connection, *, kind: Kind | None, id: int | None, cls: str, now: int, limit: int) -> int:
    """Up to `limit` dead rows (-1: all) are given up; returns how many."""
    values = {"kind": kind, "id": id, "cls": cls, "now": now, "limit": limit}
    count = db.execute(DROP + _dead_ones(kind, id, cls), values).rowcount
    tallies.add(db, "dropped", count)
    return count


def _dead_ones(kind: Kind | None, id: int | None, cls: str) -> str:
    """Which dead rows are meant, in a form that lets SQLite use the index that fits."""
    chosen = "state = 'dead'"
    chosen += " and kind = :kind" if kind is not None else ""
    chosen += " and id = :id" if id is not None else ""
    chosen += " and cls = :cls" if cls else ""
    return f" where (kind, id) in (select kind, id from job where {chosen} limit :limit)"


# --- set aside -------------------------------------------------------------------------------------------------------


def set_aside(db: sqlite3.Connection, kind: Kind, id: int, *, now: int) -> bool:
    """Drop one row in whatever state; whoever works on it has lost it. False if there is none, or it is aside already."""
    row = find(db, kind, id)
    if row is None or row.state in (State.DROPPED, State.IGNORED):
        return False
    _put_aside(db, row, State.DROPPED, now)
    return True


def wrest(db: sqlite3.Connection, kind: Kind, id: int, *, now: int) -> bool:
    """Take a row from whoever works on it: ready again, and what was seen of it is seen anew. False if nobody did."""
    return db.execute(WREST, {"kind": kind, "id": id, "now": now}).rowcount == 1


def ignore(db: sqlite3.Connection, kind: Kind, id: int, *, now: int) -> bool:
    """Ignore one thing from now on, whatever its state, also before it was ever wanted. False if it is ignored already."""
    row = find(db, kind, id)
    if row is None:
        db.execute(IGNORE_NEW, {"kind": kind, "id": id, "now": now})
        books.count_accepted(db)
        return True
    if row.state is State.IGNORED:
        return False
    _put_aside(db, row, State.IGNORED, now)
    return True


def _put_aside(db: sqlite3.Connection, row: JobRow, state: State, now: int) -> None:
    db.execute(SET_ASIDE, {"kind": row.kind, "id": row.id, "state": state, "now": now})
    if row.state is State.IDLE:
        books.count_accepted(db)
    if row.state is State.DEAD:
        tallies.add(db, str(state))


def unignore(db: sqlite3.Connection, kind: Kind, id: int, *, now: int) -> bool:
    """An ignored row is ready at once, as a person's wish. False if it was not ignored."""
    books.lift_tick(db, now)
    return db.execute(UNIGNORE, {"kind": kind, "id": id, "now": now}).rowcount == 1


def wake(db: sqlite3.Connection, keys: Iterable[tuple[Kind, int]], *, now: int) -> int:
    """Absent rows of these keys are due at once; returns how many were not."""
    books.lift_tick(db, now)
    return sum(db.execute(WAKE, {"kind": kind, "id": id, "now": now}).rowcount for kind, id in keys)


def wake_absent(db: sqlite3.Connection, now: int, *, limit: int, lane: Lane = Lane.EDIT) -> int:
    """Up to `limit` absent rows (-1: all) that are not due yet are due at once, in no earlier lane; returns how many."""
    books.lift_tick(db, now)
    return db.execute(WAKE_ABSENT, {"now": now, "limit": limit, "lane": lane}).rowcount


def prune(db: sqlite3.Connection, *, now: int, before: int, limit: int) -> int:
    """Delete up to `limit` of the rows that died or went before `before`, longest ended first, with their attempts.

    What a person dropped stays: without its row, a comparison would want it again. With a scene that is gone from Stash goes
    what was remembered of its items; what was pushed for others stays known. Of the rows that ended after `now`, the next
    `UNDATED` ended now from here on.
    """
    db.execute(UNDATE, {"now": now})
    noted = notes.number(db, PRUNED) or 0
    rows = db.execute(PRUNE, {"since": min(noted, before), "before": before, "limit": limit}).fetchall()
    upto = before if len(rows) < limit else rows[-1]["since"]
    if not noted <= upto < noted + WALK:
        notes.save(db, PRUNED, str(max(0, upto)))
    if not rows:
        return 0
    db.executemany(DELETE, [{"kind": row["kind"], "id": row["id"]} for row in rows])
    books.count_pruned(db, len(rows))
    tallies.add(db, "pruned", sum(row["state"] == State.DEAD for row in rows))
    for row in rows:
        if row["kind"] == Kind.SCENE:
            notes.unmark(db, row["id"], "")
    gone = [row["id"] for row in rows if row["state"] == State.GONE and row["kind"] == Kind.SCENE]
    memories.forget(db, gone)
    pushings.forget(db, gone)
    bindings.forget_scenes(db, gone)
    return len(rows)


def _job(row: sqlite3.Row, token: str, scans: int) -> Job:
    return Job(
        kind=Kind(row["kind"]),
        id=row["id"],
        lane=Lane(row["lane"]),
        token=token,
        claimed_rev=row["wanted_rev"],
        attempts=row["attempts"],
        streak=row["streak"],
        crashes=row["crashes"],
        alone=bool(row["alone"]),
        scan=scans,
        ok_mark=row["ok_mark"],
        bad_mark=row["bad_mark"],
        cls=row["cls"],
    )


def _job_row(row: sqlite3.Row) -> JobRow:
    return JobRow(
        kind=Kind(row["kind"]),
        id=row["id"],
        state=State(row["state"]),
        lane=row["lane"],
        wanted_rev=row["wanted_rev"],
        claimed_rev=row["claimed_rev"],
        settled_rev=row["settled_rev"],
        attempts=row["attempts"],
        streak=row["streak"],
        crashes=row["crashes"],
        due=row["due"],
        since=row["since"],
        lease_until=row["lease_until"],
        error=row["error"],
        cls=row["cls"],
        desired=row["desired"],
    )
