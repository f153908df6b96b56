"""Resume points in the plays flow: where a scene is resumed in Stash follows where it was left in Plex.

Each job of the flow plans them with the plays, and writes them in a request of their own. The memory is saved before
that request, so one whose result is unknown is resolved by reading Stash again (`plexsync.rules.resume`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plexsync.engine.expiry import Expiry
from plexsync.flows.plays.errands import PlaysFinding, ResumeErrand, sooner, wait_until
from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.rules.item import Item
from plexsync.rules.job import Job
from plexsync.rules.neighbours import Clock
from plexsync.rules.resume import AHEAD, RememberedResume, Watched, newest, plan_resume
from plexsync.rules.scene import WatchedScene
from plexsync.store.database import Writer


@dataclass(frozen=True)
class ResumePoints:
    """Plans and saves the resume points of scenes, for the plays flow."""

    _history: HistoryPoll
    _clock: Clock
    _expiry: Expiry

    def joined(
        self, finding: PlaysFinding, items: Sequence[Item], remembered: RememberedResume | None, *, since: int | None
    ) -> PlaysFinding:
        """The finding with the plan for the resume point of its scene, which has these items.

        `since`: the moment from which on you have approved that something is written; None before that.
        """
        is_told = self._history.rules.resume and self._history.tells_views
        viewings = {item.key: item.viewing for item in items} if is_told else {}
        return self.planned(finding, None if since is None else newest(viewings, since=since), remembered)

    def planned(
        self, finding: PlaysFinding, watched: Watched | None, remembered: RememberedResume | None
    ) -> PlaysFinding:
        """The finding with the plan for this viewing; None: to put back the resume point, if that was asked for."""
        if finding.watched is None or finding.plan is None:
            return finding
        now = self._clock.now()
        current = replace(remembered, until=self._expiry.until(remembered.until)) if remembered else None
        plan = plan_resume(
            watched,
            finding.watched.position,
            current,
            duration=_duration(finding.watched),
            played_at=_played_at(finding, finding.watched, now),
            now=now,
            longest=self._expiry.longest,
        )
        ends = finding.ends
        if plan.wait_until:
            ends = sooner(ends, wait_until(plan.wait_until, now))
        outcome = finding.outcome
        if plan.send:
            outcome = None
        elif outcome and plan.wait_until:
            outcome = ends
        return replace(finding, resume=(remembered, plan), ends=ends, outcome=outcome)

    @staticmethod
    def save(tx: Writer, job: Job, finding: PlaysFinding, *, until: int) -> list[ResumeErrand]:
        """Save what was found, and what is sent before it is: by the returned errand, until then."""
        watched = finding.watched
        if finding.resume is None or watched is None:
            return []
        created_at, (remembered, plan) = watched.scene.created_at, finding.resume
        if plan.resolved:
            tx.watches.save(finding.id, created_at, plan.resolved)
        if plan.send is None or plan.send.sending is None:
            return []
        opened = replace(plan.send, until=until)
        tx.watches.save(finding.id, created_at, opened)
        return [
            ResumeErrand(
                job=job,
                key=str(finding.id),
                desired=finding.desired,
                created_at=created_at,
                position=plan.send.sending,
                before=remembered,
                opened=opened,
            )
        ]


def _duration(watched: WatchedScene) -> int:
    """The length of the scene's primary file in ms; 0 if it is unknown."""
    return round(watched.scene.files[0].duration * 1000) if watched.scene.files else 0


def _played_at(finding: PlaysFinding, watched: WatchedScene, now: int) -> int:
    """The second of the newest play in Stash that is not from Plex; 0 if there is none.

    One that is far in the future says nothing: it would keep every viewing in Plex away.
    """
    plan = finding.plan
    from_plex = {*finding.memory, *(plan.resolved if plan else ()), *(plan.requests if plan else ())}
    own = (moment for moment in watched.plays if moment not in from_plex and moment <= now // 1000 + AHEAD)
    return max(own, default=0)
