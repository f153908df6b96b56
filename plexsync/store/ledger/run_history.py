"""Runs: what was written to Plex, and to Stash, grouped where a pause parts it; and what was taken back.

Nothing is stored for it. However much was written, a page of runs costs a few statements and `MOST_READ` rows.
"""

from collections.abc import Iterable, Sequence

from plexsync.rules.record_class import record
from plexsync.rules.records import PushRow
from plexsync.store.connection import Row, Table
from plexsync.store.ledger.pushes import PAUSE, read_push

# How many pushes are read one by one, how many of each run are shown, and how many plays and changes of imports are grouped.
MOST_READ, SHOWN, MOST_GROUPED = 2_000, 10, 20_000
NEWEST = """
select number, subject, at, flow, undone from push indexed by push_at where at < :before order by at desc, number desc
 limit :limit
"""
# From a moment back to the start of its period, which no pause parts: a step for at most ten minutes.
PERIOD_START = f"""
with recursive step (at) as (
    select cast(:at as bigint)
     union all
    select (select min(at) from push where at >= step.at - {PAUSE} and at < step.at) from step where step.at is not null
)
select min(at) from step
"""
PERIOD = """
select min(number), max(number), min(at), max(at), count(distinct subject), flow, undone from push indexed by push_at
 where at >= :start and at < :before group by flow, undone order by 4 desc
"""
IS_OLDER = "select 1 from push where at < :start limit 1"
NUMBERED = """
select number, flow, subject, item, at, document, undone from push
 where number in (select value from json_each(:numbers))
"""
PLAYS = f"""
with latest as (
    select sent_order, moment, sent_at, scene, case when undo = 1 and state <> 'sent' then 1 else 0 end as undone
      from play where sent_order > 0 and state <> 'present' order by sent_order desc limit :limit
), parted as (
    select sent_order, moment, sent_at, scene, undone, case when sent_at - lag(sent_at) over (
               partition by undone order by sent_order, moment
           ) <= {PAUSE} then 0 else 1 end as fresh from latest
), placed as (
    select sent_at, scene, undone, sum(fresh) over (partition by undone order by sent_order, moment) as run from parted
)
select 0, min(sent_at), max(sent_at), count(*), count(distinct scene), undone from placed group by undone, run
 order by 3 desc
"""
IMPORTS = """
select run, min(changed_at), max(changed_at), sum(case when scene > 0 then 1 else 0 end),
       count(distinct nullif(scene, 0)), undone
  from (select run, changed_at, scene, case when state = 'undone' then 1 else 0 end as undone
          from import_change where state = 'done' or state = 'undone' order by number desc limit :limit) as latest
 group by run, undone order by 3 desc
"""


@record
class PushRun:
    """Pushes of a flow without a long pause: first and last number, start and end, number of subjects.

    `undone`: how they took something back. `newest`: the numbers of the last of them.
    """

    first: int
    last: int
    start: int
    end: int
    scenes: int
    flow: str
    undone: str
    newest: tuple[int, ...] = ()


@record
class StashRun:
    """Requests to Stash: plays without a long pause, or an import (its number in `run`, else 0).

    `undone`: 1 if they took something back, else 0. `rows` are the plays or fields, of so many scenes.
    """

    run: int
    start: int
    end: int
    rows: int
    scenes: int
    undone: int


class ReadOnlyRuns(Table):
    """Read access to the runs of all flows."""

    def pushes(self, before: int) -> tuple[list[PushRun], int | None]:
        """Return the latest runs of pushes that are older than `before`, newest first.

        With the `before` that the older ones have, None if there are none. The pushes of the period in which `MOST_READ`
        ends are counted together.
        """
        rows = self._db.rows(NEWEST, {"before": before, "limit": MOST_READ})
        if len(rows) < MOST_READ:
            return _split(rows), None
        places = range(len(rows) - 1, 0, -1)
        cut = next((place for place in places if rows[place - 1]["at"] - rows[place]["at"] > PAUSE), 0)
        start = int(self._db.value(PERIOD_START, {"at": rows[-1]["at"]}))
        ends = rows[cut - 1]["at"] if cut else before
        newest = {(run.flow, run.undone): run.newest for run in reversed(_split(rows[cut:]))}
        period = self._db.rows(PERIOD, {"start": start, "before": ends})
        runs = [PushRun(*(*row, newest.get((row["flow"], row["undone"]), ()))) for row in period]
        older = start if self._db.row(IS_OLDER, {"start": start}) else None
        return [*_split(rows[:cut]), *runs], older

    def numbered(self, numbers: Iterable[int]) -> dict[int, tuple[str, int, PushRow]]:
        """Return the pushes with these numbers, each with its flow and subject."""
        return {
            number: (flow, subject, read_push(subject, *row))
            for number, flow, subject, *row in self._db.rows(NUMBERED, {"numbers": list(numbers)})
        }

    def plays(self) -> list[StashRun]:
        """Return the latest runs of requests that added plays to Stash, or took them back: of each play the last one."""
        return [StashRun(*row) for row in self._db.rows(PLAYS, {"limit": MOST_GROUPED})]

    def imports(self) -> list[StashRun]:
        """Return the latest imports: what is made, and what is taken back."""
        return [StashRun(*row) for row in self._db.rows(IMPORTS, {"limit": MOST_GROUPED})]


def _split(rows: Sequence[Row]) -> list[PushRun]:
    """The runs of these pushes, which are the latest first; as `plexsync.store.ledger.pushes.RUNS` does it for one flow."""
    groups: dict[tuple[str, str], list[list[Row]]] = {}
    for row in rows:
        runs = groups.setdefault((row["flow"], row["undone"]), [])
        if not runs or runs[-1][-1]["at"] - row["at"] > PAUSE:
            runs.append([])
        runs[-1].append(row)
    split = [
        PushRun(
            first=run[-1]["number"],
            last=run[0]["number"],
            start=run[-1]["at"],
            end=run[0]["at"],
            scenes=len({row["subject"] for row in run}),
            flow=flow,
            undone=undone,
            newest=tuple(row["number"] for row in run[:SHOWN]),
        )
        for (flow, undone), runs in groups.items()
        for run in runs
    ]
    return sorted(split, key=lambda run: -run.end)
