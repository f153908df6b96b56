"""The job table: which objects may be out of sync, and which worker holds them.

There is one row per object, so queueing it twice is the same as once (`plexsync.store.intake`). A claim is a lease. If
its holder dies, `expired` finds the row and another claim takes it. Later writes of the first holder are ignored,
because it no longer has the row's token. Every method that writes runs inside one write transaction of its caller.
Times are UTC milliseconds, given by the caller. Changes to several tables when a job ends or is deleted are made here.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from plexsync.rules.queue.job import HOUR, PASSING, SCOPE, UNKNOWN, Crashed, Job, Lane, Settled, State, Why, is_on_time
from plexsync.rules.records import JobRow
from plexsync.store import intake
from plexsync.store.connection import Connection, Row, clean
from plexsync.store.intake import QUIET
from plexsync.store.queue.attempts import Attempts
from plexsync.store.queue.books import Books, Tallies
from plexsync.store.queue.counts import WAITS
from plexsync.store.queue.job_queries import ROW, STEP, ReadOnlyJobs, job_row, of_kinds
from plexsync.store.queue.notes import Notes

# Ends of a claim that were no attempt: nothing was sent for the job.
UNTRIED = ("released", "local", SCOPE)
# One in this many claims serves the sweeps' lane first, so that a lone or crashed sweep gets its turn.
SWEEPS_TURN = 10

_ENDED = "(state = 'dead' or state = 'dropped' or state = 'gone')"
DUE = f"""
select kind, id, state, lane, wanted_rev, attempts, streak, crashes, alone, ok_mark, bad_mark, cls, since, due, why
  from job indexed by job_due
 where {WAITS} and lane = :lane and due <= :now
 order by due, state desc, kind, id limit :limit
"""
CLAIM = """
update job
   set state = 'running', since = :now, token = :token, lease_until = :until, holder = :holder,
       claimed_rev = wanted_rev, first_unserved = null
 where kind = :kind and id = :id
"""
# A row that was due some time after the clock change is again due that time after it.
FOLLOW_CLOCK = f"""
update job set due = max(:now, due - :back) where {WAITS} and due > :now + {QUIET}
"""
RENEW = """
update job set lease_until = :until
 where token in (select value from json_each(:tokens)) and state = 'running' returning token
"""
FORGET = "delete from job where kind = :kind and id = :id and state = :state"
# A want that arrived while its row crashed the worker still counts: it gets one more claim, alone.
CRASH = """
update job
   set state = case when wanted_rev > claimed_rev then 'ready' else :state end, since = :now, due = :due,
       crashes = :crashes, first_crash = :first_crash,
       error = case when :error <> '' then :error else error end, cls = case when :cls <> '' then :cls else cls end,
       token = null, lease_until = null, holder = '', alone = 1
 where kind = :kind and id = :id and state = 'running' and claimed_rev = :claimed_rev and lease_until is :lease_until
returning state
"""
# Each is completed by a condition that selects dead rows.
RETRY = "update job set state = 'ready', lane = :lane, attempts = 0, due = :now, since = :now"
NO_CRASHES = ", crashes = 0, first_crash = 0"
DROP = "update job set state = 'dropped', since = :now"
SET_ASIDE = """
update job
   set state = :state, since = :now, first_unserved = null, token = null, lease_until = null, holder = '',
       cls = case when cls = 'elsewhere' then '' else cls end
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
# A note: before this time, only dropped rows are left of those that have ended. Dropped rows stay, and are not scanned
# each time. The note is renewed once it would save scanning this much more time.
PRUNED = "pruned:upto"
WALK = HOUR
# Rows that ended in the future, before the clock was set back, would never be old enough to prune. Updating all of them
# at once would block all writers.
UNDATED = 50
UNDATE = f"""
update job set since = :now where (kind, id) in (
    select kind, id from job indexed by job_ended where {_ENDED} and since > :now limit {UNDATED}
)
"""
ENDED = f"""
select {ROW} from job indexed by job_ended
 where {_ENDED} and state <> 'dropped' and since >= :since and since < :before
 order by since, kind, id limit :limit
"""
DELETE = "delete from job where kind = :kind and id = :id and state = :state and since = :since"
# What you ignored or dropped stays: it is a decision, and no work.
DISCARD = """
delete from job
 where kind in (select value from json_each(:kinds)) and state <> 'ignored' and state <> 'dropped'
   and id not in (select value from json_each(:ids)) returning state
"""


# A want that arrived during the attempt counts, whatever the result: the row is ready again with no attempts used, due
# when the want said and for what it wants. The statement decides this itself, so that no want can come in between.
_RENEWED = "wanted_rev > claimed_rev"
SETTLE = f"""
update job
   set state = case when {_RENEWED} then 'ready' else :state end, since = :now, stirred = :now,
       settled_rev = claimed_rev, attempts = case when {_RENEWED} then 0 else :attempts end, streak = :streak,
       crashes = :crashes, first_crash = case when cast(:crashes as bigint) = 0 then 0 else first_crash end,
       due = case when {_RENEWED} then due else :due end,
       ok_mark = :ok_mark, bad_mark = :bad_mark, error = :error,
       cls = case when :cls = '{UNKNOWN}' and settled_rev > 0 then '' else :cls end,
       desired = case when {_RENEWED} then desired when :state = 'idle' then '' when :desired <> '' then :desired
                      else desired end,
       token = null, lease_until = null, holder = '', alone = 0
 where kind = :kind and id = :id and token = :token and state = 'running'
returning state, attempts, cls
"""


class AttemptEnding(NamedTuple):
    """The end of an attempt. The marks are the successful and failed writes of its flow so far, or 0."""

    job: Job
    after: Settled
    ok_mark: int
    bad_mark: int

    def values(self, now: int) -> dict[str, object]:
        """The values of `SETTLE`. Texts are stored without the characters that a database can't take."""
        job, after = self.job, self.after
        idle = after.state is State.IDLE
        return {
            "kind": job.kind,
            "id": job.id,
            "token": job.token,
            "now": now,
            "state": after.state,
            "attempts": after.attempts,
            "streak": after.streak,
            "crashes": after.crashes,
            "due": after.due,
            "error": "" if idle else clean(after.error),
            "cls": "" if idle else after.cls,
            "desired": after.desired,
            "ok_mark": self.ok_mark,
            "bad_mark": self.bad_mark,
        }


class Jobs(ReadOnlyJobs):
    """Read and write access to the job table."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._attempts = Attempts(db)
        self._books = Books(db)
        self._notes = Notes(db)
        self._tallies = Tallies(db)

    def want(self, kind: str, id: int, reason: Why, now: int, *, desired: str = "", behind: bool = False) -> None:
        """Queue an object. This is the only way in; it is one upsert, counted in the books as `intake.want` describes.

        `behind`: an edit that is one of many at once goes with the sweeps, unless the row is already in the lane of
        edits.
        """
        self._books.lift_tick(now)
        intake.want(self._db, kind, id, reason, now, desired, behind=behind, lifted=True)

    def want_all(self, kind: str, ids: Iterable[int], reason: Why, now: int, *, behind: bool = False) -> None:
        """Like `want`, for several objects of a kind; a mapping has the hash of the state that is desired of each."""
        if desired := ids if isinstance(ids, Mapping) else dict.fromkeys(sorted(ids), ""):
            self._books.lift_tick(now)
            rows = [intake.row_of(kind, id, reason, now, state, behind=behind) for id, state in desired.items()]
            self._db.execute_many(intake.WANT, rows)

    def claim(
        self, limit: int, *, now: int, lease_ms: int, holder: str, kinds: Sequence[str] | None = None
    ) -> list[Job]:
        """Claim up to `limit` due rows (of these kinds) under a lease, each with its own token.

        Edits go before sweeps, in the order in which they are due. While both are due, one of several slots is kept for
        a sweep, and every tenth claim takes a sweep first: so neither lane starves, even with one slot. A row that
        crashed its worker is never claimed together with others: at the head of a claim it is claimed alone; otherwise
        it is skipped until it is at the head.
        """
        tick = self._books.tick()
        if abs(now - tick) > STEP:
            self._books.save_tick(now)
        if now < tick - STEP:
            # The clock was set back: due times follow it.
            self._db.execute(FOLLOW_CLOCK, {"now": now, "back": tick - now})
        scans = self._books.scans()
        jobs = [
            Job(
                kind=row["kind"],
                id=row["id"],
                lane=Lane(row["lane"]),
                token=secrets.token_hex(8),
                claimed_rev=row["wanted_rev"],
                attempts=row["attempts"],
                streak=row["streak"],
                crashes=row["crashes"],
                alone=bool(row["alone"]),
                scan=scans,
                ok_mark=row["ok_mark"],
                bad_mark=row["bad_mark"],
                cls=row["cls"],
                on_time=is_on_time(State(row["state"]), row["streak"], since=row["since"], due=row["due"]),
                reason=row["why"],
            )
            for row in self._choose_rows(limit, now, kinds)
        ]
        lease = {"now": now, "until": now + lease_ms, "holder": holder}
        self._db.execute_many(CLAIM, [{"kind": job.kind, "id": job.id, "token": job.token, **lease} for job in jobs])
        return jobs

    def _choose_rows(self, limit: int, now: int, kinds: Sequence[str] | None) -> list[Row]:
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

    def renew(self, tokens: Sequence[str], *, until: int) -> set[str]:
        """Prolong leases; returns the tokens that still hold a row."""
        rows = self._db.rows(RENEW, {"tokens": list(tokens), "until": until})
        return {token for (token,) in rows}

    def settle(self, endings: Sequence[AttemptEnding], *, now: int) -> set[str]:
        """End these attempts; returns the tokens of those that have ended.

        A row that another worker or none holds is not changed. A row that was queued again since the claim becomes
        ready instead, with no attempts used, due when its want said. An attempt with an error is recorded.
        """
        values = [ending.values(now) for ending in endings]
        rows = self._db.row_of_each(SETTLE, values)
        ended = [(*pair, State(row["state"]), row) for *pair, row in zip(endings, values, rows, strict=True) if row]
        if not ended:
            return set()
        self._books.lift_tick(now)
        self._books.count_done(sum(state is State.IDLE for *_, state, _ in ended))
        for (job, after, *_), _, state, row in ended:
            if state in (State.DEAD, State.GONE):
                self._notes.lower(PRUNED, now)
            if state is State.DEAD:
                self._tallies.add("died")
            if after.error and after.cls not in UNTRIED:
                error, attempts = after.error, row["attempts"]
                self._attempts.add(
                    job.kind, job.id, at=now, error_class=after.cls, error=error, attempts=attempts, state=state
                )
        # Nothing is left of these that could be in sync, and nobody asks how they stand.
        passed = [value for ending, value, state, _ in ended if state is State.IDLE and ending.job.kind in PASSING]
        self._db.execute_many(FORGET, passed)
        strange = [value for _, value, state, row in ended if state is State.GONE and row["cls"] == UNKNOWN]
        if strange:
            self._books.count_pruned(self._db.execute_many(FORGET, strange))
        return {ending.job.token for ending, *_ in ended}

    def crash(self, row: JobRow, after: Crashed, *, now: int) -> None:
        """Take back a row whose holder died. It is claimed alone from now on, until it settles."""
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
        """Make up to `limit` dead rows (-1: all) ready now, with no attempts used and no crashes; returns how many."""
        self._books.lift_tick(now)
        count = self._db.execute(
            RETRY + NO_CRASHES + where_dead(kind, id, error_class),
            {"kind": kind, "id": id, "cls": error_class, "now": now, "lane": lane, "limit": limit},
        )
        self._tallies.add("retried", count)
        return count

    def cure(self, error_class: str, *, now: int, limit: int) -> int:
        """Make up to `limit` dead rows ready whose cause is cured, behind all edits; returns how many."""
        values = {"cls": error_class, "now": now, "lane": Lane.SWEEP, "limit": limit}
        self._books.lift_tick(now)
        count = self._db.execute(RETRY + where_dead(None, None, error_class), values)
        self._tallies.add("cured", count)
        return count

    def drop(
        self, *, kind: str | None = None, id: int | None = None, error_class: str = "", now: int, limit: int = -1
    ) -> int:
        """Drop up to `limit` dead rows (-1: all): only a new edit queues them again. Returns how many."""
        values = {"kind": kind, "id": id, "cls": error_class, "now": now, "limit": limit}
        count = self._db.execute(DROP + where_dead(kind, id, error_class), values)
        self._tallies.add("dropped", count)
        return count

    def set_aside(self, kind: str, id: int, *, now: int) -> bool:
        """Drop a row in any state; a running attempt loses it. False if there is none, or it is dropped or ignored."""
        row = self.find(kind, id)
        if row is None or row.state in (State.DROPPED, State.IGNORED):
            return False
        self._put_aside(row, State.DROPPED, now)
        return True

    def wrest(self, kind: str, id: int, *, now: int) -> bool:
        """Make a running row ready; its attempt can no longer save or send anything. False if it was not running."""
        return self._db.execute(WREST, {"kind": kind, "id": id, "now": now}) == 1

    def ignore(self, kind: str, id: int, *, now: int) -> bool:
        """Never queue this object again, whatever its state, even if it has no row yet. False if already ignored."""
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
        """Make an ignored row ready now, in the lane of edits. False if it was not ignored."""
        self._books.lift_tick(now)
        return self._db.execute(UNIGNORE, {"kind": kind, "id": id, "now": now}) == 1

    def wake(self, keys: Iterable[tuple[str, int]], *, now: int) -> int:
        """Make absent rows of these keys due now; returns how many were not."""
        self._books.lift_tick(now)
        return self._db.execute_many(WAKE, [{"kind": kind, "id": id, "now": now} for kind, id in keys])

    def scan_finished(self, now: int) -> int:
        """Count a finished Plex scan and make absent rows due; returns how many were not."""
        self._books.count_scan()
        return self.wake_absent(now, limit=-1)

    def wake_absent(self, now: int, *, limit: int, lane: Lane = Lane.EDIT) -> int:
        """Make up to `limit` absent rows (-1: all) due now if they are not, in no earlier lane; returns how many."""
        self._books.lift_tick(now)
        return self._db.execute(WAKE_ABSENT, {"now": now, "limit": limit, "lane": lane})

    def list_ended(self, *, now: int, before: int, limit: int) -> list[JobRow]:
        """Return up to `limit` rows that became dead or gone before `before`, oldest first, to be pruned.

        Up to `UNDATED` rows that ended after `now` are re-dated to `now`.
        """
        self._db.execute(UNDATE, {"now": now})
        noted = self._notes.number(PRUNED) or 0
        rows = self._db.rows(ENDED, {"since": min(noted, before), "before": before, "limit": limit})
        upto = rows[0]["since"] if rows else before
        if not noted <= upto < noted + WALK:
            self._notes.save(PRUNED, str(max(0, upto)))
        return [job_row(row) for row in rows]

    def prune(self, row: JobRow) -> bool:
        """Delete a row that `ended` returned, with its attempts; False if it has changed since.

        Dropped rows stay: without its row, a comparison would queue the scene again. The flow forgets its own data on
        the row.
        """
        values = {"kind": row.kind, "id": row.id, "state": row.state, "since": row.since}
        if not self._db.execute(DELETE, values):
            return False
        self._books.count_pruned(1)
        self._tallies.add("pruned", int(row.state is State.DEAD))
        return True

    def discard(self, kinds: Collection[str], *, but: Collection[int] = ()) -> int:
        """Delete the rows of a flow that was switched off, in any state; returns how many. They count as pruned.

        A running attempt loses its row. Rows with these ids (`but`) stay, and rows that you ignored or dropped.
        """
        values = {"kinds": sorted(kinds), "ids": sorted(but)}
        states = [State(state) for (state,) in self._db.rows(DISCARD, values)]
        self._books.count_pruned(sum(state is not State.IDLE for state in states))
        self._tallies.add("pruned", sum(state is State.DEAD for state in states))
        return len(states)


def where_dead(kind: str | None, id: int | None, error_class: str) -> str:
    """Return the condition that selects dead rows, in a form that lets SQLite use the right index."""
    chosen = "state = 'dead'"
    chosen += " and kind = :kind" if kind is not None else ""
    chosen += " and id = :id" if id is not None else ""
    chosen += " and cls = :cls" if error_class else ""
    return f" where (kind, id) in (select kind, id from job where {chosen} limit :limit)"
