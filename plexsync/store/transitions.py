"""The log of the transitions of breakers and holds: what outages are derived from."""

from plexsync.rules.errors import Neighbour
from plexsync.rules.outages import Transition
from plexsync.store.connection import Connection, Table
from plexsync.store.db import clean
from plexsync.store.job_queries import ReadOnlyJobs

# Probes that failed are forgotten first: what began and ended an outage is kept ten times as long.
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
    """The log, to look at."""

    def all(self) -> list[Transition]:
        """The log, oldest first; lines about someone who is no neighbour are left out."""
        names = set(Neighbour)
        return [Transition(Neighbour(name), *rest) for name, *rest in self._db.rows(LIST) if name in names]


class Transitions(ReadOnlyTransitions):
    """The log."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._jobs = ReadOnlyJobs(db)

    def log(self, neighbour: str, *, at: int, old: str, new: str, cause: str, error: str) -> None:
        """Write down a transition, with how many jobs wait; the newest ten thousand are kept."""
        values = {"who": neighbour, "at": at, "old": old, "new": new, "cause": clean(cause), "error": clean(error)}
        self._db.execute(LOG, {**values, "waiting": self._jobs.count_unsettled()})
        self._db.execute(FORGET_OLD)
