"""How far scenes were watched, in the plays flow: where each is resumed in Stash, and how long it was played.

Each job of the flow plans both with the plays, and writes them in one request. Both memories are saved before that
request, so one whose result is unknown is resolved by reading Stash again. A resume point follows where the scene was
left in Plex (`plexsync.rules.plays.resume`), and what was watched is added to the play time once it has ended
(`plexsync.rules.plays.play_time`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.engine.expiry import Expiry
from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.flows.plays.listener import PlayListener
from plexsync.flows.plays.writes import ActivityWrite, Memory, PlaysFinding
from plexsync.rules.item import Item
from plexsync.rules.plays.play_time import RememberedTime, TimeWish, plan_time
from plexsync.rules.plays.plays import ActivityPlan, M
from plexsync.rules.plays.resume import AHEAD, RememberedResume, Watched, has_written, newest, plan_resume
from plexsync.rules.queue.events import SessionState
from plexsync.rules.queue.job import Job
from plexsync.rules.record_class import record
from plexsync.rules.scene import WatchedScene
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Reader, Writer
from plexsync.store.ledger.watch_memory import ScenesMemory


@record
class SceneMemory:
    """What is remembered of a scene."""

    plays: Memory
    resume: RememberedResume | None
    time: RememberedTime | None

    @property
    def is_wanted_back(self) -> bool:
        """Whether the resume point or the play time is to be taken back, and is not yet."""
        resume, time = self.resume, self.time
        undoes = resume is not None and bool(resume.undone) and has_written(resume)
        return undoes or (time is not None and time.wish is TimeWish.UNDO)


def read_memories(db: Reader, created: Mapping[int, str]) -> dict[int, SceneMemory]:
    """What is remembered of these scenes, given as id and time of creation."""
    plays, resume, times = db.plays.of(created), db.watches.of(created), db.play_times.of(created)
    return {id: SceneMemory(plays.get(id, {}), resume.get(id), times.get(id)) for id in created}


@record
class ActivityPlans:
    """Plans and saves the resume points and play times of scenes, for the plays flow."""

    _history: HistoryPoll
    _clock: Clock
    _expiry: Expiry
    _listener: PlayListener

    def join(
        self, finding: PlaysFinding, items: Sequence[Item], memory: SceneMemory, *, since: int | None
    ) -> PlaysFinding:
        """The finding with the plans for the resume point and the play time of its scene, which has these items.

        While it is watched, its place changes with each report, and is left alone.
        `since`: the moment from which on you have approved that something is written; None before that.
        """
        is_moving = any(
            viewing.state is not SessionState.PAUSED and not self._listener.has_ended(viewing)
            for viewing in finding.viewings
        )
        is_told = since is not None and self._history.rules.resume and self._history.tells_views and not is_moving
        viewings = {item.key: item.viewing for item in items} if is_told else {}
        finding = self.plan_resume(finding, newest(viewings, since=since or 0), memory.resume)
        return self.plan_time(finding, memory.time)

    def plan_resume(
        self, finding: PlaysFinding, watched: Watched | None, remembered: RememberedResume | None
    ) -> PlaysFinding:
        """The finding with the plan for this viewing; None: to put back the resume point, if that was asked for."""
        if finding.watched is None:
            return finding
        now = self._clock.now()
        plan = plan_resume(
            watched,
            finding.watched.position,
            replace(remembered, until=self._expiry.until(remembered.until)) if remembered else None,
            seconds=finding.watched.resume_seconds,
            duration=round(files[0].duration * 1000) if (files := finding.watched.scene.files) else 0,
            played_at=_played_at(finding, finding.watched, now),
            now=now,
            longest=self._expiry.longest,
        )
        return replace(finding, resume=replace(plan, before=remembered))

    def plan_time(self, finding: PlaysFinding, remembered: RememberedTime | None) -> PlaysFinding:
        """The finding with the plan for its play time, to which those of its viewings are added that have ended."""
        if finding.watched is None:
            return finding
        owing = [viewing for viewing in finding.viewings if viewing.owed > 0 and self._listener.has_ended(viewing)]
        plan = plan_time(
            finding.watched.play_time,
            replace(remembered, until=self._expiry.until(remembered.until)) if remembered else None,
            float(sum(viewing.owed for viewing in owing)),
            now=self._clock.now(),
            longest=self._expiry.longest,
        )
        adds = plan.send is not None and not plan.send.restores
        unsent = plan.send.unsent() if plan.send else None
        return replace(finding, time=replace(plan, before=unsent), owing=tuple(owing) if adds else ())

    @staticmethod
    def save(tx: Writer, job: Job, finding: PlaysFinding, *, until: int) -> list[ActivityWrite]:
        """Save what was found, and what is sent before it is: by the returned write, until then."""
        if finding.watched is None:
            return []
        resume = _open(tx.watches, finding.watched, finding.resume, until)
        time = _open(tx.play_times, finding.watched, finding.time, until)
        tx.viewings.mark_sent(finding.owing)
        if not (resume.send or time.send):
            return []
        write = ActivityWrite(
            job=job, key=str(finding.id), desired=finding.desired, watched=finding.watched, resume=resume, time=time
        )
        return [write]


def _open(table: ScenesMemory[M], watched: WatchedScene, plan: ActivityPlan[M], until: int) -> ActivityPlan[M]:
    """Save what is planned, and what is sent before it is, which may take effect until then."""
    scene = watched.scene
    if plan.send is not None:
        plan = replace(plan, send=replace(plan.send, until=until))
    if memory := plan.send or plan.resolved:
        table.save(scene.id, scene.created_at, memory)
    return plan


def _played_at(finding: PlaysFinding, watched: WatchedScene, now: int) -> int:
    """The second of the newest play in Stash that is not from Plex; 0 if there is none.

    One that is far in the future says nothing: it would keep every viewing in Plex away.
    """
    plan = finding.plan
    from_plex = {*finding.memory, *(plan.resolved if plan else ()), *(plan.requests if plan else ())}
    own = (moment for moment in watched.plays if moment not in from_plex and moment <= now // 1000 + AHEAD)
    return max(own, default=0)
