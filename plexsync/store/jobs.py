"""The job table: what may be out of step, and who is working on it.

One row per thing, so wanting it twice is wanting it once (`plexsync.store.intake`). A claim is a lease: when its holder
dies, the row is found by `expired` and given to another, and whatever the first holder still tries to write is ignored,
since it no longer has the row's token. Every method that writes runs inside one write transaction of its caller. Times are
UTC milliseconds, given by the caller. What concerns several tables when a job ends or is deleted is done here.
"""

import json
import secrets
from collections.abc import Iterable, Sequence

from plexsync.rules.job import HOUR, NOTICES, SCOPE, Crashed, Job, Lane, Settled, State, Why
from plexsync.rules.records import JobRow
from plexsync.store import intake
from plexsync.store.attempts import Attempts
from plexsync.store.books import Books
from plexsync.store.connection import Connection, Row
from plexsync.store.counts import WAITS
from plexsync.store.db import clean
from plexsync.store.intake import QUIET
from plexsync.store.job_queries import STEP, ReadOnlyJobs, claimed_job, of_kinds
from plexsync.store.notes import Notes
from plexsync.store.tallies import Tallies

# Ends of a claim that were no attempt: nothing was sent for the job.
UNTRIED = ("released", "local", SCOPE)
# Only every so many claims does the sweeps' lane go first; a lone or crashed sweep then gets its turn.
SWEEPS_TURN = 10

_ENDED = "(state = 'dead' or state = 'dropped' or state = 'gone')"
DUE = f"""
select kind, id, lane, wanted_rev, attempts, streak, crashes, alone, ok_mark, bad_mark, cls
  from job indexed by job_due
 where {WAITS} and lane = :lane and due <= :now
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
update job set due = max(:now, due - :back) where {WAITS} and due > :now + {QUIET}
"""
RENEW = """
update job set lease_until = :until
 where token in (select value from json_each(:tokens)) and state = 'running' returning token
"""
# A wish that was renewed while the attempt ran counts whatever came of it: the row is ready again with no attempts used,
# due when its want said and for what it wants. The statement decides that itself, so that no want can come in between.
_RENEWED = "wanted_rev > claimed_rev"
SETTLE = f"""
update job
   set state = case when {_RENEWED} then 'ready' else :state end, since = :now, stirred = :now,
       settled_rev = claimed_rev, attempts = case when {_RENEWED} then 0 else :attempts end, streak = :streak,
       crashes = :crashes, first_crash = case when cast(:crashes as bigint) = 0 then 0 else first_crash end,
       due = case when {_RENEWED} then due else :due end,
       ok_mark = :ok_mark, bad_mark = :bad_mark, error = :error, cls = :cls,
       desired = case when {_RENEWED} then desired when :state = 'idle' then '' when :desired <> '' then :desired
                      else desired end,
       token = null, lease_until = null, holder = '', alone = 0
 where kind = :kind and id = :id and token = :token and state = 'running'
returning state, attempts
"""
FORGET = "delete from job where kind = :kind and id = :id and state = 'idle'"
# A wish that was renewed while its row killed the worker is a wish all the same: it gets one lone claim more.
CRASH = """
update job
   set state = case when wanted_rev > claimed_rev then 'ready' else :state end, since = :now, due = :due,
       crashes = :crashes, first_crash = :first_crash,
       error = case when :error <> '' then :error else error end, cls = case when :cls <> '' then :cls else cls end,
       token = null, lease_until = null, holder = '', alone = 1
 where kind = :kind and id = :id and state = 'running' and claimed_rev = :claimed_rev and lease_until is :lease_until
returning state
"""
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
     where {WAITS} and state = 'absent' and lane in (0, 1) and due > :now limit :limit
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


class Jobs(ReadOnlyJobs):
    """The job table."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._attempts = Attempts(db)
        self._books = Books(db)
        self._notes = Notes(db)
        self._tallies = Tallies(db)

    def want(self, kind: str, id: int, reason: Why, now: int, *, desired: str = "", behind: bool = False) -> None:
        """The only way in. One upsert; the books count it as accepted, and as coalesced when the row was not idle.

        `behind`: an edit that is one of many at once goes with the sweeps, unless the row is a person's already.
        """
        self._books.lift_tick(now)
        intake.want(self._db, kind, id, reason, now, desired, behind=behind, lifted=True)

    def claim(
        self, limit: int, *, now: int, lease_ms: int, holder: str, kinds: Sequence[str] | None = None
    ) -> list[Job]:
        """Take up to `limit` due rows (of these kinds) under a lease, each with a token of its own.

        Edits go before sweeps, in the order in which they are due. While both are due, one slot of several is kept for a
        sweep, and every tenth claim takes a sweep first: so neither lane starves, with one slot either. A row that crashed
        its worker is never taken together with others: at the head of a claim it is taken alone, else it is passed over
        until it is at the head.
        """
        self._follow_clock(now)
        rows = self._chosen(limit, now, kinds)
        scans = self._books.scans()
        jobs = [claimed_job(row, secrets.token_hex(8), scans) for row in rows]
        self._db.execute_many(
            CLAIM,
            [
                {
                    "kind": job.kind,
                    "id": job.id,
                    "token": job.token,
                    "now": now,
                    "until": now + lease_ms,
                    "holder": holder,
                }
                for job in jobs
            ],
        )
        return jobs

    def _chosen(self, limit: int, now: int, kinds: Sequence[str] | None) -> list[Row]:
        sql = of_kinds(DUE, kinds)
        edits, sweeps = (
            self._db.rows(sql, {"lane": lane, "now": now, "limit": limit}) for lane in (Lane.EDIT, Lane.SWEEP)
        )
        both = bool(edits and sweeps)
        if both and self._books.take_turn() % SWEEPS_TURN == 0:
            ordered = [sweeps[0], *edits, *sweeps[1:]]
        elif both and limit > 1:
            ordered = [*edits[: limit - 1], *sweeps, *edits[limit - 1 :]]
        else:
            ordered = [*edits, *sweeps]
        if ordered and ordered[0]["alone"]:
            return ordered[:1]
        return [row for row in ordered if not row["alone"]][:limit]

    def _follow_clock(self, now: int) -> None:
        """When the clock has stepped back, put what waits for the old time as far ahead of the new one."""
        tick = self._books.tick()
        if abs(now - tick) > STEP:
            self._books.save_tick(now)
        if now < tick - STEP:
            self._db.execute(FOLLOW_CLOCK, {"now": now, "back": tick - now})

    def renew(self, tokens: Sequence[str], *, until: int) -> set[str]:
        """Prolong leases; returns the tokens that still hold a row."""
        rows = self._db.rows(RENEW, {"tokens": json.dumps(list(tokens)), "until": until})
        return {token for (token,) in rows}

    def settle(self, job: Job, after: Settled, *, now: int, ok_mark: int, bad_mark: int) -> bool:
        """End an attempt; False, and nothing is touched, when another holds the row by now or nobody does.

        A row that was wanted anew since the claim is ready again instead, with no attempts used, due when its want said.
        An attempt that carries an error is written down.
        """
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
        row = self._db.row(SETTLE, values)
        if row is None:
            return False
        state, attempts = State(row["state"]), row["attempts"]
        self._books.lift_tick(now)
        if state is State.IDLE:
            self._books.count_done()
        if state in (State.DEAD, State.GONE):
            self._notes.lower(PRUNED, now)
        if state is State.DEAD:
            self._tallies.add("died")
        if after.error and after.cls not in UNTRIED:
            self._attempts.add(
                job.kind, job.id, at=now, error_class=after.cls, error=after.error, attempts=attempts, state=state
            )
        if state is State.IDLE and job.kind in NOTICES:
            # It has become wishes of others; there is nothing that could be in sync.
            self._db.execute(FORGET, values)
        return True

    def crash(self, row: JobRow, after: Crashed, *, now: int) -> None:
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
        crashed = self._db.rows(CRASH, values)
        self._books.lift_tick(now)
        if crashed and crashed[0]["state"] == State.DEAD:
            self._notes.lower(PRUNED, now)
            self._tallies.add("died")
        if crashed and after.cls:
            self._attempts.add(
                row.kind, row.id, at=now, error_class=after.cls, error=error, attempts=row.attempts, state=after.state
            )

    def retry(
        self,
        *,
        kind: str | None = None,
        id: int | None = None,
        error_class: str = "",
        now: int,
        lane: Lane = Lane.EDIT,
        limit: int = -1,
    ) -> int:
        """Up to `limit` dead rows (-1: all) are ready at once, with no attempts used and no crashes; returns how many."""
        self._books.lift_tick(now)
        count = self._db.execute(
            RETRY + NO_CRASHES + where_dead(kind, id, error_class),
            {"kind": kind, "id": id, "cls": error_class, "now": now, "lane": lane, "limit": limit},
        )
        self._tallies.add("retried", count)
        return count

    def cure(self, error_class: str, *, now: int, limit: int) -> int:
        """Up to `limit` rows that died of a cause which is no more are ready again, behind every edit; returns how many."""
        values = {"cls": error_class, "now": now, "lane": Lane.SWEEP, "limit": limit}
        self._books.lift_tick(now)
        count = self._db.execute(RETRY + where_dead(None, None, error_class), values)
        self._tallies.add("cured", count)
        return count

    def drop(
        self, *, kind: str | None = None, id: int | None = None, error_class: str = "", now: int, limit: int = -1
    ) -> int:
        """Up to `limit` dead rows (-1: all) are given up: they come back only by a new edit. Returns how many."""
        values = {"kind": kind, "id": id, "cls": error_class, "now": now, "limit": limit}
        count = self._db.execute(DROP + where_dead(kind, id, error_class), values)
        self._tallies.add("dropped", count)
        return count

    def set_aside(self, kind: str, id: int, *, now: int) -> bool:
        """Drop a row in whatever state; an attempt under way loses it. False if there is none, or it is aside already."""
        row = self.find(kind, id)
        if row is None or row.state in (State.DROPPED, State.IGNORED):
            return False
        self._put_aside(row, State.DROPPED, now)
        return True

    def wrest(self, kind: str, id: int, *, now: int) -> bool:
        """A running row is ready again, and its attempt can neither save nor send any more. False if it did not run."""
        return self._db.execute(WREST, {"kind": kind, "id": id, "now": now}) == 1

    def ignore(self, kind: str, id: int, *, now: int) -> bool:
        """Want it never again, whatever its state (also when it has no row yet). False if it is ignored already."""
        row = self.find(kind, id)
        if row is None:
            self._db.execute(IGNORE_NEW, {"kind": kind, "id": id, "now": now})
            self._books.count_accepted()
            return True
        if row.state is State.IGNORED:
            return False
        self._put_aside(row, State.IGNORED, now)
        return True

    def _put_aside(self, row: JobRow, state: State, now: int) -> None:
        self._db.execute(SET_ASIDE, {"kind": row.kind, "id": row.id, "state": state, "now": now})
        if row.state is State.IDLE:
            self._books.count_accepted()
        if row.state is State.DEAD:
            self._tallies.add(str(state))

    def unignore(self, kind: str, id: int, *, now: int) -> bool:
        """An ignored row is ready at once, as a person's wish. False if it was not ignored."""
        self._books.lift_tick(now)
        return self._db.execute(UNIGNORE, {"kind": kind, "id": id, "now": now}) == 1

    def wake(self, keys: Iterable[tuple[str, int]], *, now: int) -> int:
        """Absent rows of these keys are due at once; returns how many were not."""
        self._books.lift_tick(now)
        return self._db.execute_many(WAKE, [{"kind": kind, "id": id, "now": now} for kind, id in keys])

    def scan_finished(self, now: int) -> int:
        """A Plex scan has finished: count it and make absent rows due. Returns how many rows woke."""
        self._books.count_scan()
        return self.wake_absent(now, limit=-1)

    def wake_absent(self, now: int, *, limit: int, lane: Lane = Lane.EDIT) -> int:
        """Up to `limit` absent rows (-1: all) that are not due yet are due at once, in no earlier lane; returns how many."""
        self._books.lift_tick(now)
        return self._db.execute(WAKE_ABSENT, {"now": now, "limit": limit, "lane": lane})

    def prune(self, *, now: int, before: int, limit: int) -> list[tuple[str, int, State]]:
        """Delete up to `limit` of the rows that died or went before `before`, longest ended first, with their attempts.

        What a person dropped stays: without its row, a comparison would want it again. Returns the keys and states that
        they had: what else is known of these is for their flow to forget. Of the rows that ended after `now`, the next
        `UNDATED` ended now from here on.
        """
        self._db.execute(UNDATE, {"now": now})
        noted = self._notes.number(PRUNED) or 0
        rows = self._db.rows(PRUNE, {"since": min(noted, before), "before": before, "limit": limit})
        upto = before if len(rows) < limit else rows[-1]["since"]
        if not noted <= upto < noted + WALK:
            self._notes.save(PRUNED, str(max(0, upto)))
        if not rows:
            return []
        self._db.execute_many(DELETE, [{"kind": row["kind"], "id": row["id"]} for row in rows])
        self._books.count_pruned(len(rows))
        self._tallies.add("pruned", sum(row["state"] == State.DEAD for row in rows))
        return [(row["kind"], row["id"], State(row["state"])) for row in rows]


def where_dead(kind: str | None, id: int | None, error_class: str) -> str:
    """Which dead rows are meant, in a form that lets SQLite use the index that fits."""
    chosen = "state = 'dead'"
    chosen += " and kind = :kind" if kind is not None else ""
    chosen += " and id = :id" if id is not None else ""
    chosen += " and cls = :cls" if error_class else ""
    return f" where (kind, id) in (select kind, id from job where {chosen} limit :limit)"
