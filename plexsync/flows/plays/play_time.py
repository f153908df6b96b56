"""Play time in the plays flow: how long a scene was watched in Plex is added to its play time in Stash.

Each job of the flow plans it with the plays and the resume point, from the viewings that have ended
(`plexsync.rules.plays.play_time`), and sends it in one request with the resume point.
"""

from collections.abc import Sequence
from dataclasses import replace

from plexsync.engine.expiry import Expiry
from plexsync.flows.plays.writes import ActivityWrite, PlaysFinding, ResumePart, TimePart
from plexsync.rules.plays.play_time import RememberedTime, plan_time
from plexsync.rules.plays.viewings import Viewing, whole
from plexsync.rules.queue.job import Job
from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Writer


@record
class PlayTimePlans:
    """Plans and saves the play times of scenes, for the plays flow."""

    _clock: Clock
    _expiry: Expiry

    def join(
        self, finding: PlaysFinding, viewings: Sequence[Viewing], remembered: RememberedTime | None
    ) -> PlaysFinding:
        """The finding with the plan for the play time of its scene, of which these are the viewings."""
        if finding.watched is None:
            return finding
        now = self._clock.now()
        current = replace(remembered, until=self._expiry.until(remembered.until)) if remembered else None
        ended = [viewing for viewing in viewings if viewing.has_ended(now)]
        owing = [viewing for viewing in ended if viewing.owed > 0]
        owed = float(sum(viewing.owed for viewing in owing))
        opened = float(sum(max(whole(viewing.opened) - whole(viewing.sent), 0) for viewing in viewings))
        plan = plan_time(finding.watched.play_time, current, owed, opened=opened, now=now, longest=self._expiry.longest)
        return replace(
            finding,
            time=(remembered, plan),
            owing=(
                *((viewing, viewing.played) for viewing in owing),
                *((viewing, viewing.opened) for viewing in viewings if viewing.opened and viewing not in owing),
            ),
        )

    @staticmethod
    def save(
        tx: Writer, job: Job, finding: PlaysFinding, resume: ResumePart | None, *, until: int
    ) -> list[ActivityWrite]:
        """Save what was found, and what is sent before it is: by the returned write, with the resume point, until then."""
        watched, time = finding.watched, None
        if watched is None:
            return []
        created_at = watched.scene.created_at
        if finding.time:
            remembered, plan = finding.time
            if plan.arrived is not None:
                tx.viewings.end(finding.id, arrived=plan.arrived)
            if plan.resolved:
                tx.play_times.save(finding.id, created_at, plan.resolved)
            if plan.send:
                opened = replace(plan.send, until=until)
                tx.play_times.save(finding.id, created_at, opened)
                if not opened.restores:
                    tx.viewings.begin(finding.id, finding.owing)
                time = TimePart(remembered, opened)
        if not (resume or time):
            return []
        write = ActivityWrite(
            job=job, key=str(finding.id), desired=finding.desired, watched=watched, resume=resume, time=time
        )
        return [write]
