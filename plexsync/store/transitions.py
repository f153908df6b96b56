"""The log of the transitions of breakers and holds, from which outages are derived."""

from plexsync.rules.gate_names import GATES, GateName
from plexsync.rules.outages import Transition
from plexsync.store.connection import Connection, Table
from plexsync.store.db import clean
from plexsync.store.job_queries import ReadOnlyJobs

# Failed probes are forgotten first. The transitions that begin and end an outage are kept ten times as long.
KEPT_TRANSITIONS = 10_000
KEPT_EDGES = 10 * KEPT_TRANSITIONS

LOG = """
insert into transition (who, at, old, new, cause, error, waiting)
values (:who, :at, :old, :new, :cause, :error, :waiting)
"""
FORGET_OLD = f"""
delete from transition
 where number <= (select max(number) from transition) - {KEPT_TRANSITIONS}
   and ((old in ('open', 'half_open') and new in ('open', 'half_open'))
        or number <= (select max(number) from transition) - {KEPT_EDGES})
"""
LIST = "select who, at, old, new, cause, error, waiting from transition order by number"


class ReadOnlyTransitions(Table):
    """Read access to the log."""

    def all(self) -> list[Transition]:
        """Return the log, oldest first. Rows of unknown gates are left out."""
        return [Transition(GateName(name), *rest) for name, *rest in self._db.rows(LIST) if name in GATES]


class Transitions(ReadOnlyTransitions):
    """Read and write access to the log."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._jobs = ReadOnlyJobs(db)

    def log(self, gate: str, *, at: int, old: str, new: str, cause: str, error: str) -> None:
        """Record a transition with the number of jobs that wait for this gate. The newest ten thousand are kept."""
        values = {"who": gate, "at": at, "old": old, "new": new, "cause": clean(cause), "error": clean(error)}
        self._db.execute(LOG, {**values, "waiting": self._jobs.count_waiting(gate)})
        self._db.execute(FORGET_OLD)
