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
# Of scenes whose plays are on their way to Stash: how many, the oldest, and whether one has failed.
COUNT_PLAYS = """
select count(*), min(since), max(error) from job where kind = 'plays' and (state = 'ready' or state = 'running')
"""
# Scenes of which plays or a rating are on their way to Stash.
COUNT_TO_STASH = """
select count(distinct id) from job
 where kind in ('plays', 'ratingback') and (state = 'ready' or state = 'running')
"""
# Plays that were sent since then and are deleted in Stash.
COUNT_DELETED = "select count(*) from play where state = 'deleted' and sent_at >= :since"
COUNT_DUE = f"select count(*), min(due) from job indexed by job_due where {WAITS} and lane = :lane and due <= :now"
# The scenes that were undone or released, by the narrow index on the mark. A scene with both counts as undone: of the two
# words, that is the greater one. A mark of a scene that was gone in Stash ends with its return, so it is none of these.
IS_MARKED = "undone <> '' and undone in ('release', 'undo')"
MARKED = f"""
select subject, max(undone) as mark from memory indexed by memory_undone
 where {IS_MARKED} and flow = 'scene' group by subject
"""
# Those of them that rest. Until its row is idle, a scene is queued, or waits for something else.
COUNT_UNDONE = f"""
select mark, count(*)
  from ({MARKED}) as marked join job on job.kind = 'scene' and job.id = marked.subject and job.state = 'idle'
 group by mark
"""
# Grouped over every scene with a row or a standing: the row's state and cause, if it makes a status of its own, the
# standing, the mark of an idle row, the number of scenes, and the earliest start of each.
COUNT_STANDINGS = f"""
select job.state,
       case when job.state in ('dead', 'dropped') and job.cls in ('ambiguous', 'elsewhere')
            then job.cls else '' end,
       coalesce(standing.word, ''), case when job.state = 'idle' then coalesce(marked.mark, '') else '' end, count(*),
       min(job.since), min(standing.since)
  from job left join standing on standing.scene = job.id
       left join ({MARKED}) as marked on marked.subject = job.id
 where job.kind = 'scene'
 group by 1, 2, 3, 4
 union all
select null, '', word, '', count(*), null, min(since)
  from standing
 where not exists (select 1 from job where job.kind = 'scene' and job.id = standing.scene)
 group by 3
"""
# Scenes in whose place Plex shows another one, as you chose.
IS_NOT_SHOWN = f"{IS_RARE} and state = 'dropped' and kind = 'scene' and cls = 'elsewhere'"
# Of which Plex keeps fields: the stored word, followed by their number (`plexsync.rules.words.status_words.kept_word`).
IS_KEPT = "standing.word >= 'person' and standing.word < 'person!'"
# Collections (of a library, unless '') by how they stood when last inspected, and whether their job is dead or dropped.
COUNT_COLLECTIONS = """
select standing, case when job.state = 'dead' or job.state = 'dropped' then job.state else '' end, count(*)
  from collection left join job on job.kind = 'collection' and job.id = collection.id
 where :library = '' or library = :library group by 1, 2
"""
