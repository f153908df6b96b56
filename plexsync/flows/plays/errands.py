"""What the plays flow has found about a scene, and its writes to Stash with their saved record."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Errand, Observation
from plexsync.rules.job import Done, Outcome, Waiting
from plexsync.rules.marked_plays import MarkDecisions
from plexsync.rules.plays import Moments, PlayPlan, PlayState, RememberedPlay, plan_plays
from plexsync.rules.resume import RememberedResume, ResumePlan
from plexsync.rules.scene import WatchedScene
from plexsync.store.database import Writer

Memory = Mapping[int, RememberedPlay]


@dataclass(frozen=True)
class ResumeFinding:
    """What is remembered of a scene's resume point, and the plan."""

    remembered: RememberedResume | None
    plan: ResumePlan


@dataclass(frozen=True)
class PlaysFinding(Observation):
    """A scene with its plays in Stash, what is remembered of them, and the plan; or an outcome or error without a plan.

    `listed` are the moments in Plex that count for it, `played` the items that have plays.
    `resume`: the same for its resume point. `marks`: what was decided about items that you may have marked as played.
    """

    watched: WatchedScene | None = None
    memory: Memory = field(default_factory=dict)
    plan: PlayPlan | None = None
    listed: Collection[int] = ()
    played: Collection[str] = ()
    resume: ResumeFinding | None = None
    marks: MarkDecisions = field(default_factory=dict)

    @property
    def desired(self) -> str:
        """The moments to add and to remove, and the resume point, so that a new request can be told from a dead one."""
        if self.plan is None:
            return ""
        send = self.resume.plan.send if self.resume else None
        position = f" @{send.sending}" if send else ""
        return f"+{list(self.plan.add or ())} -{list(self.plan.remove or ())}{position}"


def with_expiry(memory: Memory, expiry: Expiry) -> Memory:
    """The memory, with the times until which open requests may take effect in spite of a leap of the clock."""
    return {
        moment: replace(play, until=expiry.until(play.until)) if play.until else play for moment, play in memory.items()
    }


def ending(plan: PlayPlan, now: int) -> Outcome:
    """The outcome of a job whose plan is carried out: done, or a wait for an earlier request."""
    if not plan.wait_until:
        return Done()
    seconds = max(0, plan.wait_until - now) / 1000
    return Waiting("an earlier request may still arrive in Stash", "released", after=seconds, backoff=False)


@dataclass(eq=False, kw_only=True)
class PlaysErrand(Errand):
    """The plays that are added to a scene, or of which one row each is removed, in one request.

    `before` is the memory to go back to if the request is never sent, `open_plays` the memory while it is on its way, and
    `after` what follows from the answer, `rows`: the scene's plays after it. `entry_number` is its number in the journal of
    plays.
    """

    watched: WatchedScene
    moments: Moments
    adds: bool
    before: Mapping[int, RememberedPlay | None]
    open_plays: Memory
    entry_number: int = 0
    rows: tuple[int, ...] | None = None
    after: Mapping[int, RememberedPlay | None] = field(default_factory=dict)

    def prolong(self, tx: Writer, until: int) -> None:
        """Set until when the request may take effect."""
        tx.plays.prolong(self.job.id, self.moments, until)

    def withdraw(self, tx: Writer) -> None:
        """Go back to what was remembered before: the request was never sent. What you asked for since then stays."""
        id, created_at = self.job.id, self.watched.scene.created_at
        memory = tx.plays.of({id: created_at}).get(id, {})
        open_now = {moment: memory[moment] for moment in self.moments if moment in memory}
        tx.plays.save(id, created_at, {moment: _withdrawn(self, moment, play) for moment, play in open_now.items()})

    def close(self, tx: Writer, *, now: int, until: int) -> None:  # noqa: ARG002 - nothing of it is unknown
        """Save what follows from the answer."""
        tx.plays.save(self.job.id, self.watched.scene.created_at, self.after)

    def read(self, *, now: int) -> None:
        """Conclude from the answer: an answered request takes no effect any more."""
        memory = {moment: replace(play, until=0) for moment, play in self.open_plays.items()}
        plex = {moment: play.source for moment, play in memory.items() if self.adds}
        plan = plan_plays(plex, Counter(self.rows), memory, now=now, longest=0)
        self.after = plan.resolved
        if plan.add or plan.remove:
            self.outcome = Waiting("Stash does not show the plays as they were sent", "missing", counted=True)
        else:
            self.outcome = Done()


def _withdrawn(errand: PlaysErrand, moment: int, now: RememberedPlay) -> RememberedPlay | None:
    """What is remembered of a play whose request was never sent, and of which `now` is remembered meanwhile."""
    before, begun = errand.before[moment], errand.open_plays[moment]
    if (now.state, now.tries, now.rows_before) != (begun.state, begun.tries, begun.rows_before):
        # A later attempt has taken the job, and knows better.
        return now
    if before is None:
        return replace(now, state=PlayState.UNDONE, tries=0, until=0) if now.undo else None
    return replace(before, undo=now.undo)
