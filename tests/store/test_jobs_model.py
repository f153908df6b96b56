"""The job table against a model of it: whatever happens in whatever order, rows and books are the same."""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plexsync.rules.queue.job import FLOW_KINDS, PLAYS, Crashed, Job, Kind, Lane, Settled, State, Why
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.queue.books import COUNTERS
from plexsync.store.queue.jobs import AttemptEnding
from tests.store.pruning import prune
from tests.stores import look, on_postgres

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T = 1_700_000_000_000
IDS = st.integers(1, 4)
KINDS = (Kind.SCENE, Kind.SCENE, Kind.TAG, PLAYS)
ENDED = ("dead", "dropped", "gone")
PRUNED = ("dead", "gone")


@dataclass
class Row:
    """What the model knows of a row; the names are those of the table's columns."""

    kind: str
    id: int
    state: str
    lane: int
    due: int
    since: int
    stirred: int
    first_unserved: int | None
    desired: str
    wanted_rev: int = 1
    claimed_rev: int = 0
    settled_rev: int = 0
    attempts: int = 0
    streak: int = 0
    crashes: int = 0
    first_crash: int = 0
    alone: int = 0
    token: str | None = None
    lease_until: int | None = None
    error: str = ""
    cls: str = ""
    why: str = ""


COLUMNS = ", ".join(Row.__dataclass_fields__)


class Model:
    """The page that describes the job row, once more in plain Python."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Row] = {}
        self.books = dict.fromkeys(COUNTERS, 0)
        self.tallies: Counter[str] = Counter()
        self.turns = 0
        self.tick = 0

    def lift_tick(self, now: int) -> None:
        if now > self.tick + MINUTE:
            self.tick = now

    def want(self, kind: str, id: int, why: str, now: int, desired: str) -> None:
        self.lift_tick(now)
        self.books["accepted"] += 1
        row = self.rows.get((kind, id))
        lane, cause = int(why not in intake.EDITS), "" if why in ("again", "sweep") else why
        if row is None:
            self.rows[kind, id] = Row(kind, id, "ready", lane, now, now, now, now, desired, why=cause)
            return
        if row.state != "idle":
            self.books["coalesced"] += 1
        if row.state == "ignored":
            row.wanted_rev += 1
            return
        was_dead, moved_before = row.state == "dead", row.wanted_rev
        if row.state in ("idle", "gone", "outside"):
            row.streak = 0
            self._renew(row, lane, now, desired, revived=True, again=why == "again")
        elif not lane and row.state in ("absent", "dead", "dropped"):
            self._renew(row, lane, now, desired, revived=True, again=why == "again")
        elif not lane:
            if row.state == "ready":
                row.attempts = 0
            self._renew(row, lane, now, desired, revived=False, again=why == "again")
        elif (
            row.state in ("dead", "dropped")
            and desired not in ("", row.desired)
            and (row.desired or (row.state, row.cls == "poison") == ("dead", False))
        ):
            self._renew(row, lane, now, desired, revived=True, again=why == "again")
        if row.wanted_rev > moved_before and why != "again":
            row.why = cause
        self.tallies["renewed"] += was_dead and row.state == "ready"

    def _renew(self, row: Row, lane: int, now: int, desired: str, *, revived: bool, again: bool = False) -> None:
        row.wanted_rev += 1
        row.lane, row.desired = lane, desired
        first = now if row.first_unserved is None else min(now, row.first_unserved)
        quiet = again or row.stirred > now or now - row.stirred >= 2000
        row.due = now if quiet else min(now + 2000, first + 90_000)
        row.first_unserved, row.stirred = first, now
        if revived:
            row.state, row.since, row.attempts = "ready", now, 0

    def claim(self, limit: int, now: int) -> list[Row]:
        if now < self.tick - MINUTE:
            for row in self.rows.values():
                if row.state in ("ready", "absent") and row.due > now + 2000:
                    row.due = max(now, row.due - (self.tick - now))
        if abs(now - self.tick) > MINUTE:
            self.tick = now
        due = sorted(
            (row for row in self.rows.values() if row.state in ("ready", "absent") and row.due <= now),
            key=lambda row: (row.due, row.state == "absent", row.kind, row.id),
        )
        edits, sweeps = [row for row in due if row.lane == 0], [row for row in due if row.lane == 1]
        order = edits + sweeps
        if edits and sweeps:
            self.turns += 1
            if self.turns % 10 == 0:
                order = sweeps[:1] + edits + sweeps[1:]
            elif limit > 1:
                order = edits[: limit - 1] + sweeps + edits[limit - 1 :]
        if order and order[0].alone:
            return order[:1]
        # Rows that must come alone hide nothing that stands in the first `limit` of their lane.
        seen = [row for row in order if row in edits[:limit] or row in sweeps[:limit]]
        return [row for row in seen if not row.alone][:limit]

    def claimed(self, row: Row, token: str, now: int) -> None:
        row.state, row.since, row.token, row.lease_until = "running", now, token, now + 120_000
        row.claimed_rev, row.first_unserved = row.wanted_rev, None

    def settle(self, row: Row, after: Settled, now: int) -> None:
        self.lift_tick(now)
        renewed = row.wanted_rev > row.claimed_rev
        row.state, row.attempts = ("ready", 0) if renewed else (str(after.state), after.attempts)
        row.since, row.stirred, row.settled_rev = now, now, row.claimed_rev
        row.streak, row.crashes = after.streak, after.crashes
        row.first_crash = row.first_crash if after.crashes else 0
        row.due = row.due if renewed else after.due
        row.token, row.lease_until, row.alone = None, None, 0
        row.error, row.cls = ("", "") if after.state is State.IDLE else (after.error, after.cls)
        row.desired = row.desired if renewed else after.desired or row.desired
        self.tallies["died"] += row.state == "dead"
        if row.state == "idle":
            row.desired = ""
            self.books["done"] += 1
            if row.kind != "scene":
                del self.rows[row.kind, row.id]

    def crash(self, row: Row, after: Crashed, now: int) -> None:
        self.lift_tick(now)
        row.state = "ready" if row.wanted_rev > row.claimed_rev else str(after.state)
        row.since, row.due, row.crashes, row.first_crash = now, after.due, after.crashes, after.first_crash
        row.token, row.lease_until, row.alone = None, None, 1
        self.tallies["died"] += row.state == "dead"
        if after.cls:
            row.cls = after.cls
            row.error = f"the worker died {after.crashes} times while it worked on this alone"

    def set_aside(self, row: Row, state: str, now: int) -> None:
        self.books["accepted"] += row.state == "idle"
        self.tallies[state] += row.state == "dead"
        row.state, row.since, row.first_unserved, row.token, row.lease_until = state, now, None, None, None

    def ignore(self, kind: str, id: int, now: int) -> bool:
        row = self.rows.get((kind, id))
        if row is None:
            self.books["accepted"] += 1
            self.rows[kind, id] = Row(kind, id, "ignored", 0, now, now, now, None, "")
            return True
        if row.state == "ignored":
            return False
        self.set_aside(row, "ignored", now)
        return True

    def prune(self, now: int, before: int, limit: int) -> int:
        for row in self.rows.values():
            if row.state in ENDED and row.since > now:
                row.since = now
        old = sorted(
            (row for row in self.rows.values() if row.state in PRUNED and row.since < before),
            key=lambda row: (row.since, row.kind, row.id),
        )[:limit]
        for row in old:
            del self.rows[row.kind, row.id]
            self.tallies["pruned"] += row.state == "dead"
        self.books["pruned"] += len(old)
        return len(old)


# The longest wait that `settle` and `crash` give here, and the debounce's.
LONGEST = HOUR + MINUTE + 90_000


class JobTable(RuleBasedStateMachine):
    """Random histories of wants, claims, ends, crashes, verbs of a person, and a clock that steps."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Database(self.folder / "plexsync.db", worker=True)
        self.model = Model()
        self.now = T
        self.held: list[Job] = []
        self.lost: list[Job] = []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @rule(
        id=IDS,
        kind=st.sampled_from(KINDS),
        why=st.sampled_from(Why),
        desired=st.sampled_from(["", "a", "b"]),
    )
    def want(self, id, kind, why, desired) -> None:
        with self.store.writing() as tx:
            tx.jobs.want(kind, id, why, self.now, desired=desired)
        self.model.want(str(kind), id, str(why), self.now, desired)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit) -> None:
        with self.store.writing() as tx:
            jobs = tx.jobs.claim(limit, now=self.now, lease_ms=120_000, holder="one")
        rows = self.model.claim(limit, self.now)
        # What was given a later time by a clock that has gone back since waits no longer than it would have.
        assert all(
            row.due <= self.now + LONGEST for row in self.model.rows.values() if row.state in ("ready", "absent")
        )
        assert [(job.kind, job.id) for job in jobs] == [(row.kind, row.id) for row in rows]
        for job, row in zip(jobs, rows, strict=True):
            assert (job.attempts, job.streak, job.crashes) == (row.attempts, row.streak, row.crashes)
            assert (job.alone, job.lane, job.claimed_rev) == (bool(row.alone), Lane(row.lane), row.wanted_rev)
            self.model.claimed(row, job.token, self.now)
        assert not any(job.alone for job in jobs) or len(jobs) == 1
        self.held += jobs

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        state=st.sampled_from([State.IDLE, State.READY, State.ABSENT, State.DEAD, State.GONE, State.OUTSIDE]),
        wait=st.sampled_from([0, 500, MINUTE, HOUR]),
        number=st.integers(0, 3),
        desired=st.sampled_from(["", "a", "b"]),
        error=st.sampled_from(["", "no answer"]),
    )
    def settle(self, data, state, wait, number, desired, error) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        row = self.model.rows[str(job.kind), job.id]
        with self.store.writing() as tx:
            after = Settled(state, number, number, number, self.now + wait, error, "bug", desired)
            assert tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=self.now)
        self.model.settle(row, after, self.now)

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), state=st.sampled_from(State))
    def settle_late(self, data, state) -> None:
        job = self.lost[data.draw(st.integers(0, len(self.lost) - 1))]
        with self.store.writing() as tx:
            after = Settled(state, 9, 9, 9, self.now, "too late", "bug")
            assert not tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=self.now)
            assert tx.jobs.renew([job.token], until=self.now + HOUR) == set()

    @rule(dead_holders=st.booleans(), dies=st.booleans(), wait=st.sampled_from([0, MINUTE]))
    def crash(self, dead_holders, dies, wait) -> None:
        running = [row for row in self.model.rows.values() if row.state == "running"]
        over = [
            row
            for row in sorted(running, key=lambda row: (row.kind, row.id))
            if dead_holders or row.lease_until <= self.now or row.lease_until > self.now + DAY
        ]
        with self.store.writing() as tx:
            found = tx.jobs.list_expired(now=self.now, dead_holders=dead_holders)
            assert [(row.kind, row.id, alone, first) for row, alone, first in found] == [
                (row.kind, row.id, bool(row.alone), row.first_crash) for row in over
            ]
            for seen, alone, _ in found:
                poison = dies and alone
                state = State.DEAD if poison else State.READY
                crashes = seen.crashes + alone
                after = Crashed(state, crashes, self.now, self.now + wait, "poison" if poison else "")
                tx.jobs.crash(seen, after, now=self.now)
                self.model.crash(self.model.rows[str(seen.kind), seen.id], after, self.now)
        gone = {(row.kind, row.id) for row in over}
        self.lost += [job for job in self.held if (job.kind, job.id) in gone]
        self.held = [job for job in self.held if (job.kind, job.id) not in gone]

    @rule(cls=st.sampled_from(["", "bug", "poison"]), verb=st.sampled_from(["retry", "drop"]), id=st.none() | IDS)
    def bury_or_raise(self, cls, verb, id) -> None:
        chosen = [
            row
            for row in self.model.rows.values()
            if row.state == "dead" and cls in ("", row.cls) and id in (None, row.id)
        ]
        with self.store.writing() as tx:
            assert getattr(tx.jobs, verb)(now=self.now, error_class=cls, id=id) == len(chosen)
        if verb == "retry":
            self.model.lift_tick(self.now)
        for row in chosen:
            self._moved(row, verb, lane=0)

    def _moved(self, row: Row, verb: str, *, lane: int) -> None:
        row.since = self.now
        self.model.tallies[{"retry": "retried", "cure": "cured", "drop": "dropped"}[verb]] += 1
        if verb == "drop":
            row.state = "dropped"
        else:
            row.state, row.attempts, row.due, row.lane = "ready", 0, self.now, lane
        if verb == "retry":
            row.crashes = row.first_crash = 0

    @rule(
        cls=st.sampled_from(["bug", "poison"]), verb=st.sampled_from(["retry", "drop", "cure"]), limit=st.integers(1, 2)
    )
    def bury_or_raise_some(self, cls, verb, limit) -> None:
        def dead() -> set[tuple[str, int]]:
            return {key for key, row in self.model.rows.items() if row.state == "dead" and row.cls == cls}

        with self.store.writing() as tx:
            found = (
                tx.jobs.cure(cls, now=self.now, limit=limit)
                if verb == "cure"
                else getattr(tx.jobs, verb)(now=self.now, error_class=cls, limit=limit)
            )
            assert found == min(limit, len(dead()))
            left = {(str(row.kind), row.id) for row in tx.jobs.in_state(State.DEAD, error_class=cls)}
        if verb != "drop":
            self.model.lift_tick(self.now)
        for key in dead() - left:
            self._moved(self.model.rows[key], verb, lane=1 if verb == "cure" else 0)

    @rule(id=IDS, kind=st.sampled_from(KINDS), verb=st.sampled_from(["ignore", "set_aside"]))
    def leave_alone(self, id, kind, verb) -> None:
        """Whatever state it is in: who works on it has lost it."""
        with self.store.writing() as tx:
            done = getattr(tx.jobs, verb)(kind, id, now=self.now)
        row = self.model.rows.get((str(kind), id))
        if verb == "ignore":
            assert done == self.model.ignore(str(kind), id, self.now)
        else:
            assert done == (row is not None and row.state not in ("dropped", "ignored"))
            if done:
                self.model.set_aside(row, "dropped", self.now)
        if done:
            self.lost += [job for job in self.held if (job.kind, job.id) == (kind, id)]
            self.held = [job for job in self.held if (job.kind, job.id) != (kind, id)]

    @rule()
    def switch_a_flow_off(self) -> None:
        gone = [
            row for row in self.model.rows.values() if row.kind == PLAYS and row.state not in ("dropped", "ignored")
        ]
        with self.store.writing() as tx:
            assert tx.jobs.discard(FLOW_KINDS) == len(gone)
        for row in gone:
            del self.model.rows[row.kind, row.id]
            self.model.books["pruned"] += 1
            self.model.tallies["pruned"] += row.state == "dead"
        self.lost += [job for job in self.held if job.kind == PLAYS]
        self.held = [job for job in self.held if job.kind != PLAYS]

    @rule(id=IDS)
    def unignore(self, id) -> None:
        with self.store.writing() as tx:
            done = tx.jobs.unignore(Kind.SCENE, id, now=self.now)
        self.model.lift_tick(self.now)
        row = self.model.rows.get(("scene", id))
        assert done == (row is not None and row.state == "ignored")
        if done:
            row.state, row.lane, row.attempts, row.streak = "ready", 0, 0, 0
            row.due = row.since = row.stirred = self.now

    @rule(age=st.sampled_from([0, HOUR]), limit=st.integers(1, 2))
    def prune(self, age, limit) -> None:
        with self.store.writing() as tx:
            count = prune(tx, now=self.now, before=self.now - age, limit=limit)
        assert count == self.model.prune(self.now, self.now - age, limit)

    @rule()
    def scanned(self) -> None:
        absent = [row for row in self.model.rows.values() if row.state == "absent" and row.due > self.now]
        with self.store.writing() as tx:
            assert tx.jobs.scan_finished(self.now) == len(absent)
        self.model.lift_tick(self.now)
        for row in absent:
            row.due = self.now

    @rule(
        step=st.sampled_from(
            [1, 400, 2000, 2500, 30_000, 95_000, 130_000, HOUR, 2 * DAY, -1, -3000, -120_000, -2 * DAY]
        )
    )
    def clock_moves(self, step) -> None:
        self.now += step

    @invariant()
    def rows_are_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        with look(self.folder) as db:
            rows = db.execute(f"select {COLUMNS} from job").fetchall()
        found = {row[:2]: Row(*row) for row in rows}
        assert found == self.model.rows

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.reading() as db:
            assert db.books.read() == self.model.books
            assert db.books.balance() == 0

    @invariant()
    def every_way_into_and_out_of_the_dead_is_counted(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.reading() as db:
            found, dead = Counter(db.tallies.all()), sum(db.jobs.count_dead().values())
        ways = {name: self.model.tallies[name] for name in ("retried", "cured", "dropped", "ignored", "pruned")}
        assert found["died"] == self.model.tallies["died"]
        assert {name: found[name] for name in ways} == ways
        assert found["died"] == dead + sum(ways.values()) + self.model.tallies["renewed"]

    @invariant()
    def nothing_waits_longer_than_it_may(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.reading() as db:
            due = db.jobs.next_due(self.now)
            unsettled = db.jobs.count_unsettled()
        waits = [row for row in self.model.rows.values() if row.state in ("ready", "absent", "running")]
        assert (due is None) == (not waits) or self.now < self.model.tick - MINUTE
        assert unsettled == sum(row.state != "absent" and row.kind != PLAYS for row in waits)


TestJobTable = JobTable.TestCase
# Each step is several exchanges with a server.
EXAMPLES = 15 if on_postgres() else 80
TestJobTable.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
