"""Runs: what was written to Plex, and to Stash, grouped where a pause parts it; and what was taken back.

Nothing is stored for it but the cause of a push. A page of runs costs a few statements, however much was written before.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from plexsync.rules.merge.run_values import NumberedPush
from plexsync.rules.plays.resume import CLOSE
from plexsync.rules.queue.job import PLAYS
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID, PushRow
from plexsync.store.connection import Table
from plexsync.store.ledger.pushes import read_push, shortened_fields

# Milliseconds without a write after which the next one begins another run.
PAUSE = 600_000
# How many pushes a page reaches back, to where their period begins; how many of each run are shown; and how many plays,
# ratings, resume points and changes of imports are grouped.
MOST_READ, SHOWN, MOST_GROUPED = 2_000, 10, 20_000


def _runs_of(rows: str) -> str:
    """The statement for the runs of these rows. Each flow, way of taking back and cause has its own."""
    keys = "flow, undone, why"
    return f"""
with entry as ({rows}), parted as (
    select entry.*, case when at - lag(at) over (partition by {keys} order by number) <= {PAUSE} then 0 else 1 end as fresh
      from entry
), placed as (
    select parted.*, sum(fresh) over (partition by {keys} order by number) as run from parted
)
select min(number), max(number), min(at), max(at), count(distinct subject), count(*), min(subject),
       count(distinct marked), flow, undone, why
  from placed group by {keys}, run order by 4 desc, 2 desc
"""


NEWEST = """
select number, at, flow, undone, why from push indexed by push_at where at < :before order by at desc, number desc
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
PERIODS = _runs_of("""
    select number, subject, at, flow, undone, why, case when flow = 'scene' and exists (
               select 1 from memory
                where memory.flow = push.flow and memory.subject = push.subject and memory.undone <> ''
           ) then subject end as marked
      from push indexed by push_at where at >= :start and at < :before
""")
OF_FLOW = _runs_of("""
    select number, subject, at, flow, undone, why, cast(null as bigint) as marked
      from push where flow = :flow and undone = ''
""")
SUBJECTS = """
select distinct subject from push
 where number between :first and :last and flow = :flow and undone = :undone and why = :reason order by subject
"""
OF_SUBJECT = """
select number, item, at, document, undone, why from push where flow = :flow and subject = :subject order by number
"""
IS_OLDER = "select 1 from push where at < :start limit 1"
NUMBERED = """
select number, flow, subject, item, at, document, undone from push
 where number in (select value from json_each(:numbers))
"""
PLAY_RUNS = _runs_of("""
    select sent_order as number, scene as subject, sent_at as at, 'plays' as flow,
           case when undo = 1 and state <> 'sent' then 'undo' else '' end as undone, '' as why,
           cast(null as bigint) as marked
      from play where sent_order > 0 and state <> 'present' order by sent_order desc limit :limit
""")
# The cause of a rating is the server that it was written to. What was put back is not remembered.
RATING_RUNS = _runs_of("""
    select changed_at as number, scene as subject, changed_at as at, 'ratings' as flow, '' as undone,
           case when plex_before = -2 then 'Stash' when stash_before = -2 then 'Plex' else 'Stash and Plex' end as why,
           cast(null as bigint) as marked
      from rating where stash_before <> -2 or plex_before <> -2 order by changed_at desc limit :limit
""")
# A scene has one resume point, which has the moment of its viewing.
RESUMES = f"""
select scene, scene, moment * 1000, moment * 1000, 1, 1, scene, 0, 'resume',
       case when undo = 'done' then 'undo' else '' end, ''
  from resume where undo = 'done' or sending >= 0 or abs(position - position_before) >= {CLOSE}
 order by moment desc limit :limit
"""
IMPORTS = """
select run, run, min(changed_at), max(changed_at), count(distinct nullif(scene, 0)),
       sum(case when scene > 0 then 1 else 0 end), max(scene), 0, 'imports', undone, ''
  from (select run, changed_at, scene, case when state = 'undone' then 'undo' else '' end as undone
          from import_change where state = 'done' or state = 'undone' order by number desc limit :limit) as latest
 group by run, undone order by 4 desc
"""


@record
class Run:
    """Writes of a flow for one cause without a long pause: first and last number, start and end (UTC ms), how many.

    `undone`: how they took something back. `subject` is one of the `subjects`. `marked`: how many scenes of a write are
    taken back now. `newest`: the numbers of its last pushes.
    """

    first: int
    last: int
    start: int
    end: int
    subjects: int
    rows: int
    subject: int
    marked: int
    flow: str
    undone: str = ""
    reason: str = ""
    newest: tuple[int, ...] = ()


class ReadOnlyRuns(Table):
    """Read access to the runs of all flows."""

    def pushes(self, before: int, most_read: int = MOST_READ) -> tuple[list[Run], int | None]:
        """Return the latest runs of pushes that are older than `before`, newest first.

        With the `before` that the older ones have, None if there are none. They go back to the start of the period in which
        the push number `most_read` is, so that no run is cut.
        """
        rows = self._db.rows(NEWEST, {"before": before, "limit": most_read})
        start = int(self._db.value(PERIOD_START, {"at": rows[-1]["at"]})) if len(rows) == most_read else 0
        numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for number, _, *key in rows:
            numbers[key[0], key[1], key[2]].append(number)
        runs = []
        for row in self._db.rows(PERIODS, {"start": start, "before": before}):
            run = Run(*row)
            read = sorted(numbers[run.flow, run.undone, run.reason])
            own = read[bisect_left(read, run.first) : bisect_right(read, run.last)]
            runs.append(replace(run, newest=tuple(reversed(own[-SHOWN:]))))
        return runs, start if start and self._db.row(IS_OLDER, {"start": start}) else None

    def others(self) -> list[Run]:
        """Return the latest runs of plays, of each play the last request, of ratings, resume points and imports."""
        statements = (PLAY_RUNS, RATING_RUNS, RESUMES, IMPORTS)
        return [Run(*row) for sql in statements for row in self._db.rows(sql, {"limit": MOST_GROUPED})]

    def of(self, flow: str) -> list[Run]:
        """Return the runs of a flow with numbers, latest first; without pushes that took something back."""
        if flow == PLAYS:
            return [Run(*row) for row in self._db.rows(PLAY_RUNS, {"limit": LAST_ID})]
        return [Run(*row) for row in self._db.rows(OF_FLOW, {"flow": flow})]

    def subjects_in(self, run: Run) -> list[int]:
        """Return the subjects that were pushed in a run, by number."""
        return [subject for (subject,) in self._db.rows(SUBJECTS, {**vars(run)})]

    def pushes_around(self, run: Run, subject: int) -> dict[str, list[NumberedPush]]:
        """Return all pushes of a subject that are kept, by item, oldest first, with those of the run marked."""
        pushes: dict[str, list[NumberedPush]] = {}
        for number, item, *row, reason in self._db.rows(OF_SUBJECT, {"flow": run.flow, "subject": subject}):
            push = read_push(subject, item, *row)
            is_own = run.first <= number <= run.last and (push.undone, reason) == (run.undone, run.reason)
            pushes.setdefault(item, []).append(
                NumberedPush(number, push.moved, is_own, push.undone, shortened_fields(push.moved))
            )
        return pushes

    def numbered(self, numbers: Iterable[int]) -> dict[int, tuple[str, int, PushRow]]:
        """Return the pushes with these numbers, each with its flow and subject."""
        return {
            number: (flow, subject, read_push(subject, *row))
            for number, flow, subject, *row in self._db.rows(NUMBERED, {"numbers": list(numbers)})
        }
