"""Statements that count jobs and standings, for the tables and for the quick `status`. Nothing is imported."""

WAITS = "state in ('ready', 'absent')"
# Off the usual way from ready by running to idle: the rows in the index job_state.
IS_RARE = "state <> 'ready' and state <> 'running' and state <> 'idle'"

COUNT_ALL = "select count(*) from job"
# Rows of another kind than scenes are few, and stand together: the table itself finds them.
COUNT_IDLE_OTHERS = "select count(*) from job where (kind < 'scene' or kind > 'scene') and state = 'idle'"
COUNT_READY = f"select count(*) from job indexed by job_due where {WAITS} and state = 'ready'"
COUNT_RUNNING = "select count(*) from job indexed by job_lease where state = 'running'"
COUNT_RARE = f"select state, count(*) from job indexed by job_state where {IS_RARE} group by state"
COUNT_DEAD = "select cls, count(*) from job indexed by job_dead where state = 'dead' group by cls"
COUNT_DUE = f"select count(*), min(due) from job indexed by job_due where {WAITS} and lane = :lane and due <= :now"
# Of every scene that has a row or was seen: the row's state and whether it died of being ambiguous, what was seen, how many
# there are, and since when the one is so that has been the longest.
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
