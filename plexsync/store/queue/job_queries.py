"""Queries on the job table. `plexsync.store.queue.jobs` changes it.

Times are UTC milliseconds, given by the caller. Nothing here writes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.queue.job import FLOW_KINDS, HOUR, LOST, MINUTE, Kind, Lane, State
from plexsync.rules.records import LAST_ID, JobRow
from plexsync.rules.words.sorting import COMPARED, NUMBER, DeadPlace, Sort
from plexsync.store import intake
from plexsync.store.connection import Connection, Row, Table
from plexsync.store.index.scene_order import NAME, TITLE
from plexsync.store.queue.books import ReadOnlyBooks
from plexsync.store.queue.counts import (
    COUNT_DEAD,
    COUNT_DUE,
    COUNT_READY,
    COUNT_RUNNING,
    COUNT_TO_STASH,
    IS_RARE,
    WAITS,
)
from plexsync.store.queue.summary import count_states

# No lease is this long: one that ends later was given before the clock was set back.
LONGEST_LEASE = 24 * HOUR
# A clock this far behind the time of an earlier claim was set back.
STEP = MINUTE
# Not on the usual path from ready through running to idle. These are the rows in the index job_state.
RARE = frozenset(State) - {State.READY, State.RUNNING, State.IDLE}
# The columns of a `JobRow`.
COLUMNS = tuple(field.name for field in fields(JobRow))
ROW = ", ".join(COLUMNS)

FIND = f"select {ROW} from job where kind = :kind and id = :id"
OF = f"select {ROW} from job where kind = :kind and id in (select value from json_each(:ids))"
COUNT_STIRRED = """
select count(*) from job where kind = :kind and stirred >= :since and id in (select value from json_each(:ids))
"""
LIST = f"""
select {ROW} from job
 where state = :state and (:cls = '' or cls = :cls) and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""


LIST_RARE = f"""
select {ROW} from job indexed by job_state
 where {IS_RARE} and state = :state and (:cls = '' or cls = :cls) and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""


LIST_DEAD_OF = f"""
select {ROW} from job
 where state = 'dead' and cls = :cls and (kind, id) > (:after_kind, :after_id)
 order by kind, id limit :limit
"""


# What dead letters are sorted by. No index has these values: SQLite reads all dead letters of the list for a page.
DEAD_VALUES = {
    TITLE: f"coalesce({NAME}, '') collate nocase",
    "cause": "cls",
    "since": "since",
    "error": f"substr(error, 1, {COMPARED}) collate nocase",
}


def dead_in_order(sort: Sort, error_class: str) -> str:
    """The statement for a page of dead letters (of one class, unless '') in this order, as (value, row)."""
    behind, way = ("<", " desc") if sort.down else (">", "")
    condition = "cls = :cls" if error_class else IS_RARE
    index = "job_dead" if error_class else "job_state"
    join = " left join shown on job.kind = 'scene' and shown.scene = job.id" if sort.column == TITLE else ""
    value = DEAD_VALUES.get(sort.column, "''")
    names = ["kind", "id"] if sort.column == NUMBER else [value, "kind", "id"]
    bound = ":value collate nocase" if "nocase" in value else ":value"
    values = ":kind, :id" if sort.column == NUMBER else f"{bound}, :kind, :id"
    return f"""
select {value} as value, {ROW} from job indexed by {index}{join}
 where state = 'dead' and {condition} and (:first or ({", ".join(names)}) {behind} ({values}))
 order by {", ".join(name + way for name in names)} limit :limit
"""


IDS = "select id, state from job where kind = :kind and id > :after and id <= :upto order by id"
NEXT_DUE = f"select due from job indexed by job_due where {WAITS} and lane = :lane order by due limit 1"
NEXT_LEASE = "select lease_until from job indexed by job_lease where state = 'running' order by lease_until limit 1"
EXPIRED = f"""
select {ROW}, alone, first_crash from job indexed by job_lease
 where state = 'running' and (:all or lease_until <= :now or lease_until > :now + {LONGEST_LEASE})
 order by kind, id
"""


COUNT_LOST = """
select count(*) from job indexed by job_ended
 where (state = 'dead' or state = 'dropped' or state = 'gone') and state = 'gone' and kind = 'scene' and cls = :cls
   and since >= :since
"""
COUNT_DEAD_OTHERS = f"""
select count(*) from job indexed by job_state
 where {IS_RARE} and state = 'dead' and (kind < 'scene' or kind > 'scene')
"""
_FLOWS = ", ".join(f"'{kind}'" for kind in sorted(FLOW_KINDS))
COUNT_UNSETTLED_OF_FLOWS = f"""
select count(*) from job where kind in ({_FLOWS}) and (state = 'ready' or state = 'running')
"""
COUNT_SOON = """
select count(*) from job where kind = :kind and (state = 'running' or (state = 'ready' and due <= :before))
"""
# Of the next sweeps, those that no comparison has asked for.
WHOLE_SWEEP = f"""
select 1 from (
    select state, kind, desired from job indexed by job_due where {WAITS} and lane = :lane and due <= :now
     order by due limit :limit
) as next_sweep where state = 'ready' and kind = 'scene' and desired = ''
union all
select 1 from job indexed by job_lease where state = 'running' and lane = :lane and kind = 'scene' and desired = ''
 limit 1
"""
DEAD_UP_TO = "select count(*) from (select 1 from job indexed by job_dead where state = 'dead' limit :limit) as counted"


class ReadOnlyJobs(Table):
    """Read access to the job table."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._clock = ReadOnlyBooks(db)

    def find(self, kind: str, id: int) -> JobRow | None:
        """Return one row; None if there is none."""
        row = self._db.row(FIND, {"kind": kind, "id": id})
        return job_row(row) if row else None

    def of(self, kind: str, ids: Iterable[int]) -> dict[int, JobRow]:
        """Return the rows of these ids, by id. Ids without a row are left out."""
        rows = self._db.rows(OF, {"kind": kind, "ids": list(ids)})
        return {row["id"]: job_row(row) for row in rows}

    def count_stirred(self, kind: str, ids: Sequence[int], since: int) -> int:
        """Count those of these that were last wanted since then."""
        row = self._db.row(COUNT_STIRRED, {"kind": kind, "ids": list(ids), "since": since})
        return int(row[0]) if row else 0

    def in_state(
        self, state: State, *, error_class: str = "", limit: int = 100, after: tuple[str, int] = ("", 0)
    ) -> list[JobRow]:
        """Return up to `limit` rows of one state (and class, unless ''), by (kind, id), after the key `after`."""
        sql = LIST_DEAD_OF if state is State.DEAD and error_class else LIST_RARE if state in RARE else LIST
        kind, id = after
        values = {"state": state, "cls": error_class, "limit": limit, "after_kind": kind, "after_id": id}
        return [job_row(row) for row in self._db.rows(sql, values)]

    def dead_in_order(
        self, sort: Sort, *, error_class: str = "", limit: int = 100, after: DeadPlace | None = None
    ) -> list[tuple[DeadPlace, JobRow]]:
        """Return up to `limit` dead letters (of one class, unless '') after a place, in this order, each with its place."""
        place = after or DeadPlace("", "", 0)
        values = {"cls": error_class, "limit": limit, "first": after is None, **place._asdict()}
        rows = self._db.rows(dead_in_order(sort, error_class), values)
        return [(DeadPlace(row["value"], row["kind"], row["id"]), job_row(row)) for row in rows]

    def ids(self, kind: str, *, after: int = 0, upto: int = LAST_ID) -> Iterator[tuple[int, State]]:
        """Yield (id, state) of one kind's rows with an id above `after`, up to `upto`, by id."""
        for id, state in self._db.stream(IDS, {"kind": kind, "after": after, "upto": upto}):
            yield id, State(state)

    def count_unsettled(self) -> int:
        """Count the ready and running rows, without those of `FLOW_KINDS`: these may wait for a server for ever."""
        return self._count(COUNT_READY) + self._count(COUNT_RUNNING) - self._count(COUNT_UNSETTLED_OF_FLOWS)

    def count_soon(self, kind: str, before: int) -> int:
        """Count the rows of this kind that run, or are due before then."""
        return int(self._db.value(COUNT_SOON, {"kind": kind, "before": before}))

    def count_waiting(self, gate: str) -> int:
        """Count what waits while this gate is closed: scenes, or those whose plays or rating go through the gate."""
        return self._count(COUNT_TO_STASH) if gate == GateName.STASH_WRITES else self.count_unsettled()

    def count_states(self) -> dict[State, int]:
        """Count the rows of each state, including states without rows. Idle rows count only if they are scenes.

        Reads only indexes and, of the table, the number of its rows.
        """
        return {State(state): count for state, count in count_states(self._db).items()}

    def _count(self, sql: str) -> int:
        return int(self._db.value(sql))

    def count_dead(self) -> dict[str, int]:
        """Count the dead rows of each class."""
        return dict(self._db.rows(COUNT_DEAD))

    def count_dead_others(self) -> int:
        """Count the dead rows that are not of scenes."""
        return self._count(COUNT_DEAD_OTHERS)

    def count_due(self, now: int) -> tuple[int, int | None]:
        """Return the number of due rows, and since when the oldest of them is due."""
        counts = [self._db.row(COUNT_DUE, {"lane": lane, "now": now}) for lane in Lane]
        oldest = [due for _, due in counts if due is not None]
        return sum(count for count, _ in counts), min(oldest, default=None)

    def next_due(self, now: int, *, kinds: Sequence[str] | None = None) -> int | None:
        """Return when the next waiting row (of these kinds) is due or a lease ends; None if nothing waits.

        After the clock was set back it returns `now`: the next claim corrects the due times.
        """
        if now < self._clock.tick() - STEP:
            return now
        lanes = Lane if kinds is None or kinds else ()
        rows = [self._db.row(of_kinds(NEXT_DUE, kinds), {"lane": lane}) for lane in lanes]
        rows.append(self._db.row(NEXT_LEASE))
        return min((row[0] for row in rows if row), default=None)

    def has_whole_sweep(self, now: int, *, among: int = 500) -> bool:
        """Whether a sweep that no comparison has asked for is in work, or is one of the next due ones."""
        return bool(self._db.row(WHOLE_SWEEP, {"lane": Lane.SWEEP, "now": now, "limit": among}))

    def list_expired(self, *, now: int, dead_holders: bool = False) -> list[tuple[JobRow, bool, int]]:
        """Return running rows with an expired lease, or all of them: (row, claimed alone, first crash)."""
        rows = self._db.rows(EXPIRED, {"now": now, "all": dead_holders})
        return [(job_row(row), bool(row["alone"]), row["first_crash"]) for row in rows]

    def count_lost(self, *, since: int) -> int:
        """Count the scenes that are gone since then and were in Stash when last seen before."""
        return int(self._db.value(COUNT_LOST, {"since": since, "cls": LOST}))

    def count_dead_up_to(self, limit: int) -> int:
        """Count the dead rows, up to `limit`."""
        return int(self._db.value(DEAD_UP_TO, {"limit": limit}))


def of_kinds(sql: str, kinds: Sequence[str] | None) -> str:
    """Restrict a statement to rows of these kinds; raises ValueError unless each is a valid kind.

    Nearly all rows are scenes. Rows of other kinds are found by the primary key, not behind every scene that is due.
    SQLite would treat a list of one kind as a constant, and sort all rows that are due at the same time. So a single kind
    is listed twice.
    """
    if kinds is None:
        return sql
    if not all(map(intake.is_kind, kinds)):
        raise ValueError(f"no kinds of rows: {kinds}")
    if Kind.SCENE not in kinds:
        sql = sql.replace(" indexed by job_due", "").replace("lane =", "+lane =").replace("due <=", "+due <=")
        sql = sql.replace("order by due", "order by +due")
    names = ", ".join(f"'{kind}'" for kind in (*kinds, *kinds[:1]))
    return sql.replace(" order by", f" and kind in ({names}) order by")


def job_row(row: Row) -> JobRow:
    """Return a row of these columns as a record."""
    return JobRow(**{name: row[name] for name in COLUMNS} | {"state": State(row["state"])})
