"""The way back, from Plex to Stash: its flow and its poll, put together if the settings ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from plexsync.app.parts import Assembled
from plexsync.engine import gate_rows
from plexsync.engine.tickets import WRITE_STASH
from plexsync.flows.plays.flow import PlaysFlow
from plexsync.flows.plays.history_poll import HistoryPoll, WatchRules
from plexsync.flows.plays.listener import PlayListener
from plexsync.flows.plays.resume_poll import ResumePoll
from plexsync.flows.scenes.batch_reads import BatchReader
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import SceneMatcher
from plexsync.rules.job import PLAYS, Why
from plexsync.store.database import Writer


@dataclass(frozen=True)
class WayBack:
    """The flow of plays, the poll of Plex's history, what says when to poll sooner, and the poll of resume points.

    `resume`: None if they are not brought.
    """

    flow: PlaysFlow
    history: HistoryPoll
    listener: PlayListener
    resume: ResumePoll | None = None

    def observe(self, tx: Writer, sights: Sequence[Inspection], now: int) -> None:
        """Queue the plays of inspected scenes of which Plex lists plays that are not remembered.

        So a scene that is matched only now, or has another file, gets the plays of its items. The same holds for its
        resume point.
        """
        if self.resume is not None:
            self.resume.observe(tx, sights, now)
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
    history = HistoryPoll(parts.store, parts.stash, parts.plex, parts.gates, parts.clock, parts.identity, rules)
    listener = PlayListener(parts.store, history, parts.clock)
    resume = ResumePoll(parts.store, parts.plex, parts.gates, parts.clock, parts.identity, history)
    return WayBack(_plays_flow(parts, history), history, listener, resume if rules.resume else None)


def plays_to_take_back(parts: Assembled) -> PlaysFlow:
    """Return the flow of plays while the way back is off: it takes plays back that were sent before, if you ask for it."""
    history = HistoryPoll(parts.store, parts.stash, parts.plex, parts.gates, parts.clock, parts.identity, WatchRules())
    return _plays_flow(parts, history, is_on=False)


def _plays_flow(parts: Assembled, history: HistoryPoll, *, is_on: bool = True) -> PlaysFlow:
    looks = parts.settings.looks
    reader = BatchReader(parts.gates)
    matcher = SceneMatcher(parts.store, parts.stash, parts.plex, parts.indexer, reader, looks, patient=False)
    return PlaysFlow(
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
        is_on=is_on,
    )


def forget_way_back(parts: Assembled) -> None:
    """Drop the queued plays, the saved history and the gate for writes to Stash, since the way back is off.

    Scenes with plays that you want taken back stay in the queue. Switched on again, it reads all anew.
    """
    with parts.store.writing() as tx:
        if tx.jobs.discard([PLAYS], but=tx.plays.to_take_back()) or tx.plays.has_history():
            tx.plays.forget_history()
        gate_rows.forget(tx, WRITE_STASH, parts.clock.now())
