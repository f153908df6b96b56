"""Statements that count jobs and standings, for the tables and for the fast `status`. Imports nothing."""

WAITS = "state in ('ready', 'absent')"
# Not on the usual path from ready through running to idle. These are the rows in the index job_state.
IS_RARE = "state <> 'ready' and state <> 'running' and state <> 'idle'"

COUNT_ALL = "select count(*) from job"
# Rows that are not scenes are few and adjacent, so the table itself finds them.
COUNT_IDLE_OTHERS = "select count(*) from job where (kind < 'scene' or kind > 'scene') and state = 'idle'"
COUNT_READY = f"select count(*) from job indexed by job_due where {WAITS} and state = 'ready'"
COUNT_RUNNING = "select count(*) from job indexed by job_lease where state = 'running'"
COUNT_RARE = f"select state, count(*) from job indexed by job_state where {IS_RARE} group by state"
COUNT_DEAD = "select cls, count(*) from job indexed by job_dead where state = 'dead' group by cls"
COUNT_DUE = f"select count(*), min(due) from job indexed by job_due where {WAITS} and lane = :lane and due <= :now"
# Grouped over every scene with a row or a standing: the row's state and whether it is dead as ambiguous, the standing,
# the number of scenes, and the earliest start of each.
COUNT_STANDINGS = """
select job.state, case when job.state = 'dead' and job.cls = 'ambiguous' then 1 else 0 end,
       coalesce(standing.word, ''), count(*), min(job.since), min(standing.since)
  from job left join standing on standing.scene = job.id
 where job.kind = 'scene'
 group by 1, 2, 3
 union all
select null, 0, word, count(*), null, min(since)
  from standing
 where not exists (select 1 from job where job.kind = 'scene' and job.id = standing.scene)
 group by 3
"""
