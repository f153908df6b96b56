"""Plans to take back what you asked for, of scenes of which nothing else can be planned: that needs no item in Plex."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.flows.plays.errands import Memory, PlaysFinding, ending, with_expiry
from plexsync.flows.plays.resume import ResumePoints, wanted_back
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.rules.job import Waiting
from plexsync.rules.neighbours import Clock
from plexsync.rules.play_wishes import is_wanted_back
from plexsync.rules.plays import plan_plays
from plexsync.rules.scene import WatchedScene
from plexsync.store.database import Database


class TakingBack:
    """Plans what is to be taken back, by what is remembered alone."""

    def __init__(
        self,
        store: Database,
        gates: Gates,
        clock: Clock,
        stash_identity: StashIdentity,
        resume: ResumePoints,
        expiry: Expiry,
    ) -> None:
        self._store = store
        self._gates = gates
        self._clock = clock
        self._stash_identity = stash_identity
        self._resume = resume
        self._expiry = expiry

    def planned(self, findings: Sequence[PlaysFinding]) -> dict[int, PlaysFinding]:
        """Those of these findings of whose scene something is to be taken back, with the plan for that."""
        watched = {finding.id: finding.watched for finding in findings if finding.watched}
        if not watched:
            return {}
        created = {id: watching.scene.created_at for id, watching in watched.items()}
        with self._store.reading() as db:
            memory, resume = db.plays.of(created), db.watches.of(created)
        plays: Mapping[int, Memory] = {
            id: {moment: play for moment, play in memory.get(id, {}).items() if is_wanted_back(play)} for id in watched
        }
        asked = {id for id, some in plays.items() if some} | wanted_back(resume)
        if asked:
            self._stash_identity.ensure(self._gates, [watched[id].scene for id in sorted(asked)])
        return {
            finding.id: self._resume.put_back(
                self._back(finding, watched[finding.id], plays[finding.id]), resume.get(finding.id)
            )
            for finding in findings
            if finding.id in asked
        }

    def _back(self, finding: PlaysFinding, watched: WatchedScene, memory: Memory) -> PlaysFinding:
        now = self._clock.now()
        rows, remembered = Counter(watched.plays), with_expiry(memory, self._expiry)
        plan = plan_plays({}, rows, remembered, now=now, longest=self._expiry.longest)
        if plan.wait_until:
            ends = ending(plan, now)
        else:
            ends = finding.outcome or Waiting("the plays are looked at again", "released", backoff=False)
        outcome = None if plan.remove else ends
        return replace(finding, memory=memory, plan=plan, outcome=outcome, ends=ends, error=None)
