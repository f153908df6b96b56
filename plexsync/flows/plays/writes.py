"""What the plays flow has found about a scene, its writes to Stash with their saved record, and its harmless ones."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Canary, Observation, Write
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ, Ticket
from plexsync.rules.plays.play_time import RememberedTime
from plexsync.rules.plays.plays import ActivityPlan, Moments, PlayPlan, PlayState, RememberedPlay, plan_plays
from plexsync.rules.plays.resume import RememberedResume
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.job import Done, Outcome, Waiting
from plexsync.rules.record_class import record
from plexsync.rules.scene import WatchedScene
from plexsync.stash.watching import StashWatching
from plexsync.store.database import Writer
from plexsync.store.ledger.watch_memory import ScenesMemory

Memory = Mapping[int, RememberedPlay]
# What a scene waits for.
ARRIVES = "an earlier request may still arrive in Stash"
# A second in which nobody played anything: removing a play of it changes nothing.
NO_PLAY = 1


@record
class PlaysFinding(Observation):
    """A scene with its plays in Stash, what is remembered of them, and the plan; or an outcome or error without a plan.

    `listed` are the moments in Plex that count for it, `played` the items that have plays. `owing`: those of its `viewings`
    that are sent.
    """

    watched: WatchedScene | None = None
    memory: Memory = field(default_factory=dict)
    plan: PlayPlan | None = None
    listed: Collection[int] = ()
    played: Collection[str] = ()
    resume: ActivityPlan[RememberedResume] = field(default_factory=ActivityPlan)
    time: ActivityPlan[RememberedTime] = field(default_factory=ActivityPlan)
    owing: tuple[Viewing, ...] = ()
    viewings: tuple[Viewing, ...] = ()

    @property
    def desired(self) -> str:
        """What to add and to remove, so that a new request can be told from a dead one."""
        if self.plan is None:
            return ""
        send, adds = self.resume.send, self.time.send
        position = f" @{send.sending}" if send else ""
        time = f" {'=' if adds.restores else '+'}{adds.adding}s" if adds else ""
        return f"+{list(self.plan.add or ())} -{list(self.plan.remove or ())}{position}{time}"


def with_expiry(memory: Memory, expiry: Expiry) -> Memory:
    """The memory, with the times until which open requests may take effect in spite of a leap of the clock."""
    return {
        moment: replace(play, until=expiry.until(play.until)) if play.until else play for moment, play in memory.items()
    }


def wait_until(until: int, now: int, reason: str) -> Waiting:
    """A wait until then (UTC ms), after which the job is looked at again."""
    return Waiting(reason, "released", after=max(0, until - now) / 1000, backoff=False)


def settled(finding: PlaysFinding, plan: PlayPlan, now: int, rests: Outcome) -> PlaysFinding:
    """The finding with the outcome of what is planned: None if something is sent, else the wait that is over first.

    `rests`: its outcome if it waits for nothing.
    """
    resume, time = finding.resume, finding.time
    waits = [rests] if isinstance(rests, Waiting) and not plan.wait_until else []
    waits += [wait_until(it.wait_until, now, ARRIVES) for it in (plan, resume, time) if it.wait_until]
    ends = min(waits, key=lambda waiting: waiting.after, default=rests)
    return replace(finding, ends=ends, outcome=None if plan.add or plan.remove or resume.send or time.send else ends)


@dataclass(eq=False, kw_only=True)
class RememberedWrite(Write):
    """A write about which a `table` of the database remembers something before it is sent.

    `before` is the memory to go back to if it is never sent, `opened` that while it is on its way, and `after` what follows
    from its answer. `created_at`: when Stash created its scene.
    """

    table: ClassVar[str]
    created_at: str
    before: Any
    opened: Any
    after: Any = field(default_factory=dict)

    def prolong(self, tx: Writer, until: int) -> None:
        """Set until when it may take effect, where it is open."""
        getattr(tx, self.table).prolong(self.job.id, self.opened, until)

    def withdrawn(self, tx: Writer) -> Any:  # noqa: ARG002 - others look at what was saved since
        """The memory to go back to if it is never sent."""
        return self.before

    def save(self, tx: Writer, memory: Any) -> None:
        """Save what is remembered."""
        getattr(tx, self.table).save(self.job.id, self.created_at, memory)

    def withdraw(self, tx: Writer) -> None:
        """Go back to what was remembered before: it was never sent. What you asked for since then stays."""
        self.save(tx, self.withdrawn(tx))

    def close(self, tx: Writer, *, now: int, until: int) -> None:  # noqa: ARG002 - others queue what has to follow
        """Save what follows from its answer."""
        self.save(tx, self.after)


@dataclass(eq=False, kw_only=True)
class PlaysWrite(RememberedWrite):
    """The plays that are added to a scene, or of which one row each is removed, in one request.

    The memory is by moment. `rows`: the scene's plays after it, as answered. `entry_number` is its number in the journal of
    plays.
    """

    table = "plays"
    watched: WatchedScene
    moments: Moments
    adds: bool
    before: Mapping[int, RememberedPlay | None]
    opened: Memory
    entry_number: int = 0
    rows: tuple[int, ...] | None = None

    def send(self, stash: StashWatching) -> None:
        """Send the plays; the answer has all plays of the scene."""
        self.rows = (stash.add_plays if self.adds else stash.take_plays)(self.job.id, self.moments)

    def read(self, *, now: int) -> None:
        """Conclude from the answer: an answered request takes no effect any more."""
        memory = {moment: replace(play, until=0) for moment, play in self.opened.items()}
        plex = {moment: play.source for moment, play in memory.items() if self.adds}
        plan = plan_plays(plex, Counter(self.rows), memory, now=now, longest=0)
        self.after = plan.resolved
        if plan.add or plan.remove:
            self.outcome = Waiting("Stash does not show the plays as they were sent", "missing", counted=True)
        else:
            self.outcome = Done()

    def withdrawn(self, tx: Writer) -> dict[int, RememberedPlay | None]:
        """The memory from before, with the undo that was asked for since."""
        memory = tx.plays.of({self.job.id: self.created_at}).get(self.job.id, {})
        withdrawn: dict[int, RememberedPlay | None] = {}
        for moment in filter(memory.__contains__, self.moments):
            now, before, begun = memory[moment], self.before[moment], self.opened[moment]
            if (now.state, now.tries, now.rows_before) != (begun.state, begun.tries, begun.rows_before):
                # A later attempt has taken the job, and knows better.
                withdrawn[moment] = now
            elif before is not None:
                withdrawn[moment] = replace(before, undone=now.undone)
            else:
                withdrawn[moment] = replace(now, state=PlayState.DELETED, tries=0, until=0) if now.undone else None
        return withdrawn


@dataclass(eq=False, kw_only=True)
class ActivityWrite(Write):
    """How far a scene was watched: its resume point, its play time, or both in one request."""

    watched: WatchedScene
    resume: ActivityPlan[RememberedResume]
    time: ActivityPlan[RememberedTime]
    # Its entry in the journal of plays has none; it only tells that the database is older.
    opened: Memory = field(default_factory=dict)
    after: Memory = field(default_factory=dict)
    entry_number: int = 0

    def send(self, stash: StashWatching) -> None:
        """Write both."""
        at = self.resume.send.seconds_to_send if self.resume.send else None
        if self.time.send and self.time.send.restores:
            stash.restore_activity(self.job.id, seconds=self.time.send.adding or 0.0, at=at)
        else:
            stash.save_activity(self.job.id, at=at, seconds=self.time.send.adding if self.time.send else None)

    def read(self, *, now: int) -> None:  # noqa: ARG002 - plays look at the answer
        """An answered request takes no effect any more."""
        self.outcome = Done()

    def prolong(self, tx: Writer, until: int) -> None:
        """Set until when it may take effect, where it is open."""
        for table, _, _ in self._parts(tx):
            table.prolong(self.job.id, until)

    def withdraw(self, tx: Writer) -> None:
        """Go back to what was remembered before: it was never sent. What you asked for since then stays."""
        id, created_at = self.job.id, self.watched.scene.created_at
        for table, opened, before in self._parts(tx):
            saved = table.of({id: created_at}).get(id)
            # A later attempt that has taken the job knows better.
            if saved and saved.request == opened.request:
                table.save(id, created_at, before.wishing(saved) if before else None)

    def close(self, tx: Writer, *, now: int, until: int) -> None:  # noqa: ARG002 - others queue what has to follow
        """Save what follows from its answer."""
        id, created_at = self.job.id, self.watched.scene.created_at
        for table, opened, _ in self._parts(tx):
            saved = table.of({id: created_at}).get(id, opened)
            table.save(id, created_at, opened.wishing(saved).answered())

    def _parts(self, tx: Writer) -> list[tuple[ScenesMemory[Any], Any, Any]]:
        """What it writes: the table of each memory, the memory while it is on its way, and that before."""
        plans = ((tx.watches, self.resume), (tx.play_times, self.time))
        return [(table, plan.send, plan.before) for table, plan in plans if plan.send]


WatchWrite = PlaysWrite | ActivityWrite


def journalled(writes: Sequence[WatchWrite]) -> list[WatchWrite]:
    """Those of these that the journal of plays tells of: all but those of resume points alone."""
    return [write for write in writes if isinstance(write, PlaysWrite) or write.time.send]


# --- canaries --------------------------------------------------------------------------------------------------------


def write_canaries(gates: Gates, stash: StashWatching, ids: Sequence[int], ticket: Ticket) -> list[Canary]:
    """Writes that change nothing, for these scenes, which are read first. Raises NeighbourError."""
    if not ids:
        return []
    return removals_of_nothing(stash, gates.ask(ticket.to(READ), partial(stash.watched_scenes, ids), of_all=True))


def removals_of_nothing(stash: StashWatching, watched: Mapping[int, WatchedScene]) -> list[Canary]:
    """A play that nobody has, to be removed from each of these scenes as they were just read."""
    return [partial(_remove_nothing, stash, id) for id, watching in watched.items() if NO_PLAY not in watching.plays]


def _remove_nothing(stash: StashWatching, id: int) -> bool:
    stash.take_plays(id, Moments([NO_PLAY]))
    return True
