"""What closes a gate, and how fast it lets requests pass: breakers, holds and paces, by server; and their transitions."""

from plexsync.rules.queue.gate_names import GATES, GateName
from plexsync.rules.queue.outages import Transition
from plexsync.rules.records import BreakerRow, HoldRow, PaceRow
from plexsync.store.connection import Connection, Table, clean
from plexsync.store.queue.job_queries import ReadOnlyJobs
from plexsync.store.queue.summary import UNREADABLE, possible

STATES = ("closed", "open", "half_open")
_COLUMNS = "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error"

LIST = f"select {_COLUMNS}, who from breaker"
SAVE = f"""
insert or replace into breaker (who, {_COLUMNS})
values (:who, :state, :failures, :successes, :opened_at, :wait, :trips, :generation, :probe_started, :cause, :error)
"""
DELETE = "delete from breaker where who = :who"
IMPOSSIBLE = BreakerRow(**UNREADABLE)


class ReadOnlyBreakers(Table):
    """Read access to the breakers."""

    def find(self, neighbour: str) -> BreakerRow:
        """Return a server's breaker: the default if none is stored, an open one if the stored values are impossible."""
        for row in self._db.once(LIST):
            if row["who"] == neighbour:
                stored = BreakerRow(*row[:-1])
                return stored if possible(stored) else IMPOSSIBLE
        return BreakerRow()

    def names(self) -> set[str]:
        """Return the gates that a breaker is stored for."""
        return {row["who"] for row in self._db.once(LIST)}


class Breakers(ReadOnlyBreakers):
    """Read and write access to the breakers."""

    def save(self, neighbour: str, row: BreakerRow) -> None:
        """Replace a server's breaker."""
        self._db.execute(SAVE, {**vars(row), "who": neighbour, "cause": clean(row.cause), "error": clean(row.error)})
        self._db.forget(LIST)

    def delete(self, gate: str) -> None:
        """Forget a gate's breaker: it is closed, as if no request had ever passed it."""
        self._db.execute(DELETE, {"who": gate})
        self._db.forget(LIST)


HOLDS = "select setting, message, since, retest_at, fingerprint, choice, who from hold"
SAVE_HOLD = """
insert or replace into hold (who, setting, message, since, retest_at, fingerprint, choice)
values (:who, :setting, :message, :since, :retest_at, :fingerprint, :choice)
"""
END_HOLD = "delete from hold where who = :who"


class ReadOnlyHolds(Table):
    """Read access to the holds."""

    def find(self, neighbour: str) -> HoldRow | None:
        """Return the hold on a server; None if there is none."""
        rows = (row for row in self._db.once(HOLDS) if row["who"] == neighbour)
        return next((HoldRow(*row[:-1]) for row in rows), None)

    def names(self) -> set[str]:
        """Return the gates that are on hold."""
        return {row["who"] for row in self._db.once(HOLDS)}


class Holds(ReadOnlyHolds):
    """Read and write access to the holds."""

    def save(self, neighbour: str, row: HoldRow | None) -> None:
        """Set the hold on a server, or end it (None)."""
        if row is None:
            self._db.execute(END_HOLD, {"who": neighbour})
        else:
            self._db.execute(SAVE_HOLD, {**vars(row), "who": neighbour, "message": clean(row.message)})
        self._db.forget(HOLDS)


PACES = "select not_before, ramp, writes_ok, writes_bad, who from pace"
SAVE_PACE = """
insert or replace into pace (who, not_before, ramp, writes_ok, writes_bad)
values (:who, :not_before, :ramp, :writes_ok, :writes_bad)
"""
DELETE_PACE = "delete from pace where who = :who"


class ReadOnlyPaces(Table):
    """Read access to the paces."""

    def find(self, neighbour: str) -> PaceRow:
        """Return the pace of a server; the default if none is stored."""
        rows = (row for row in self._db.once(PACES) if row["who"] == neighbour)
        return next((PaceRow(*row[:-1]) for row in rows), PaceRow())

    def names(self) -> set[str]:
        """Return the gates that a pace is stored for."""
        return {row["who"] for row in self._db.once(PACES)}


class Paces(ReadOnlyPaces):
    """Read and write access to the paces."""

    def save(self, neighbour: str, row: PaceRow) -> None:
        """Replace a server's pace."""
        self._db.execute(SAVE_PACE, {**vars(row), "who": neighbour})
        self._db.forget(PACES)

    def delete(self, gate: str) -> None:
        """Forget a gate's pace."""
        self._db.execute(DELETE_PACE, {"who": gate})
        self._db.forget(PACES)


# The log of the transitions of breakers and holds, from which outages are derived.
# Failed probes are forgotten first. The transitions that begin and end an outage are kept ten times as long.
KEPT_TRANSITIONS = 10_000
KEPT_EDGES = 10 * KEPT_TRANSITIONS

LOG_TRANSITION = """
insert into transition (who, at, old, new, cause, error, waiting)
values (:who, :at, :old, :new, :cause, :error, :waiting)
"""
FORGET_TRANSITIONS = f"""
delete from transition
 where number <= (select max(number) from transition) - {KEPT_TRANSITIONS}
   and ((old in ('open', 'half_open') and new in ('open', 'half_open'))
        or number <= (select max(number) from transition) - {KEPT_EDGES})
"""
TRANSITIONS = "select who, at, old, new, cause, error, waiting from transition order by number"


class ReadOnlyTransitions(Table):
    """Read access to the log."""

    def all(self) -> list[Transition]:
        """Return the log, oldest first. Rows of unknown gates are left out."""
        return [Transition(GateName(name), *rest) for name, *rest in self._db.rows(TRANSITIONS) if name in GATES]


class Transitions(ReadOnlyTransitions):
    """Read and write access to the log."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._jobs = ReadOnlyJobs(db)

    def log(self, gate: str, *, at: int, old: str, new: str, cause: str, error: str) -> None:
        """Record a transition with the number of jobs that wait for this gate. The newest ten thousand are kept."""
        values = {"who": gate, "at": at, "old": old, "new": new, "cause": clean(cause), "error": clean(error)}
        self._db.execute(LOG_TRANSITION, {**values, "waiting": self._jobs.count_waiting(gate)})
        self._db.execute(FORGET_TRANSITIONS)
