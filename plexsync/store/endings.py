"""The end of an attempt, as its row takes it."""

from typing import NamedTuple

from plexsync.rules.job import UNKNOWN, Job, Settled, State
from plexsync.store.db import clean

# A want that arrived during the attempt counts, whatever the result: the row is ready again with no attempts used, due
# when the want said and for what it wants. The statement decides this itself, so that no want can come in between.
_RENEWED = "wanted_rev > claimed_rev"
SETTLE = f"""
update job
   set state = case when {_RENEWED} then 'ready' else :state end, since = :now, stirred = :now,
       settled_rev = claimed_rev, attempts = case when {_RENEWED} then 0 else :attempts end, streak = :streak,
       crashes = :crashes, first_crash = case when cast(:crashes as bigint) = 0 then 0 else first_crash end,
       due = case when {_RENEWED} then due else :due end,
       ok_mark = :ok_mark, bad_mark = :bad_mark, error = :error,
       cls = case when :cls = '{UNKNOWN}' and settled_rev > 0 then '' else :cls end,
       desired = case when {_RENEWED} then desired when :state = 'idle' then '' when :desired <> '' then :desired
                      else desired end,
       token = null, lease_until = null, holder = '', alone = 0
 where kind = :kind and id = :id and token = :token and state = 'running'
returning state, attempts, cls
"""


class AttemptEnding(NamedTuple):
    """The end of an attempt. The marks are the successful and failed writes of its flow so far, or 0."""

    job: Job
    after: Settled
    ok_mark: int
    bad_mark: int

    def values(self, now: int) -> dict[str, object]:
        """The values of `SETTLE`. Texts are stored without the characters that a database can't take."""
        job, after = self.job, self.after
        idle = after.state is State.IDLE
        return {
            "kind": job.kind,
            "id": job.id,
            "token": job.token,
            "now": now,
            "state": after.state,
            "attempts": after.attempts,
            "streak": after.streak,
            "crashes": after.crashes,
            "due": after.due,
            "error": "" if idle else clean(after.error),
            "cls": "" if idle else after.cls,
            "desired": after.desired,
            "ok_mark": self.ok_mark,
            "bad_mark": self.bad_mark,
        }
