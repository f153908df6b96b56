"""The way back, from Plex to Stash: its flow and its poll, put together if the settings ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from plexsync.app.parts import Assembled
from plexsync.flows.plays.compare import PlaysComparison
from plexsync.flows.plays.flow import PlaysFlow, longest_request
from plexsync.flows.plays.history_poll import HistoryPoll, WatchRules
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.plays.stash_restores import StashRestores
from plexsync.flows.scenes.batch_reads import BatchReader
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import SceneMatcher
from plexsync.rules.job import PLAYS, Why
from plexsync.rules.note_keys import PLAYS_COMPARED
from plexsync.store.database import Writer
from plexsync.store.plays_file import PlaysFile


@dataclass(frozen=True)
class WayBack:
    """The flow of plays, the poll of Plex's history, and the comparison."""

    flow: PlaysFlow
    history: HistoryPoll
    comparison: PlaysComparison

    def observe(self, tx: Writer, sights: Sequence[Inspection], now: int) -> None:
        """Queue the plays of inspected scenes of which Plex lists plays that are not remembered.

        So a scene that is matched only now, or has another file, gets the plays of its items.
        """
        shown = {sight.id: [target.item.key for target in sight.targets] for sight in sights if sight.scene}
        keys = sorted({key for some in shown.values() for key in some})
        if not keys:
            return
        account = self.history.known_account
        if account is None:
            # Too many rather than too few, until Plex has said which account has the name.
            for id in shown:
                tx.jobs.want(PLAYS, id, Why.SWEEP, now)
            return
        plays = tx.plays.history(account, keys, since=self.history.since)
        if not plays:
            return
        created = {sight.id: sight.scene.created_at for sight in sights if sight.scene}
        memory = tx.plays.of(created)
        for id, some in shown.items():
            moments = {moment for key in some for moment in plays.get(key, ())}
            if moments - memory.get(id, {}).keys():
                tx.jobs.want(PLAYS, id, Why.SWEEP, now)


def way_back(parts: Assembled, rules: WatchRules) -> WayBack:
    """Put the way back together on these parts."""
    looks = parts.settings.looks
    reader = BatchReader(parts.gates)
    matcher = SceneMatcher(parts.store, parts.stash, parts.plex, parts.indexer, reader, looks, patient=False)
    history = HistoryPoll(parts.store, parts.stash, parts.plex, parts.gates, parts.clock, parts.identity, rules)
    longest = longest_request(parts.settings.work)
    recovery = PlaysRecovery(parts.store, PlaysFile(parts.store.folder), parts.clock, longest)
    restores = StashRestores(parts.store, parts.stash, recovery, parts.gates, parts.clock)
    flow = PlaysFlow(
        parts.store,
        parts.stash,
        matcher,
        history,
        parts.gates,
        parts.clock,
        parts.identity,
        StashIdentity(parts.store, parts.stash, parts.clock),
        parts.settings.work,
        looks.scope,
        recovery,
        restores,
    )
    comparison = PlaysComparison(parts.store, history, recovery, restores, parts.gates, parts.clock, longest)
    return WayBack(flow, history, comparison)


def forget_way_back(parts: Assembled) -> None:
    """Drop the queued plays, and the saved history, since the way back is off. Switched on again, it reads all anew."""
    with parts.store.writing() as tx:
        if tx.jobs.discard([PLAYS]) or tx.plays.has_history():
            tx.plays.forget_history()
            tx.notes.save(PLAYS_COMPARED, "")
