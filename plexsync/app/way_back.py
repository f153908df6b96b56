"""The way back, from Plex to Stash: its flow and its poll, put together if the settings ask for it."""

from collections.abc import Callable, Sequence
from functools import partial

from plexsync.app.flow_parts import FlowParts, RegularLook, look_at_changes
from plexsync.app.parts import Assembled, Parts
from plexsync.app.rules import watch_rules
from plexsync.engine.expiry import longest_request
from plexsync.flows.plays.compare import PlaysComparison
from plexsync.flows.plays.first_run import FirstRun
from plexsync.flows.plays.flow import PlaysFlow
from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.flows.plays.listener import PlayListener
from plexsync.flows.plays.recovery import PlaysRecovery, StashRestores
from plexsync.flows.plays.resume import ResumePoll
from plexsync.flows.plays.viewings import ViewingRecorder
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import SceneMatcher
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS, Why
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.rules.record_class import record
from plexsync.store.database import Writer
from plexsync.store.ledger.plays_file import PlaysFile

# Seconds between two savings of what players report, at the least.
REPORTS = 1.0


@record
class WayBack:
    """The flow of plays, the poll of Plex's history and what says when to poll sooner, and the first write of plays.

    `resume`: the poll of resume points, None if they are not brought.
    """

    flow: PlaysFlow
    history: HistoryPoll
    listener: PlayListener
    recorder: ViewingRecorder
    first_run: FirstRun
    comparison: PlaysComparison
    resume: ResumePoll | None

    def parts_to_add(self, poll_seconds: float) -> FlowParts:
        """What it adds to a worker that polls Stash every so many seconds."""

        def looks(stopping: Callable[[], bool]) -> list[RegularLook]:
            resume, read = self.resume, partial(self.poll, stopping)
            polls = (
                [RegularLook("resume", poll_seconds, resume.look, subject="resume points in Plex")] if resume else []
            )
            reported = self.listener.reported
            return [
                RegularLook("plays", poll_seconds, read, self.listener.sooner, subject="plays in Plex"),
                RegularLook(
                    "viewings", poll_seconds, self.recorder.record, reported, least=REPORTS, subject="viewings"
                ),
                look_at_changes("first plays", self.first_run.begin),
                look_at_changes(
                    "compare plays", partial(self.comparison.look, stopping), subject="the comparison of plays"
                ),
                *polls,
            ]

        return FlowParts(
            [self.flow],
            [self.observe],
            [self.listener.take],
            looks,
            begin=lambda _stopping: self.first_run.begin(),
        )

    def poll(self, stopping: Callable[[], bool] = lambda: False) -> str:
        """Read the history, and count what waits for your approval; returns why that is not possible now, '' if it was."""
        return self.listener.poll(stopping) or self.first_run.count_if_due()

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Queue the plays of inspected scenes of which Plex lists plays that are not remembered.

        So a scene that is matched only now, or has another file, gets the plays of its items, and its resume point. Nothing
        is queued before you have approved the first write.
        """
        if self.resume is not None:
            self.resume.observe(tx, inspections, now)
        items = {
            inspection.id: [target.item.key for target in inspection.targets]
            for inspection in inspections
            if inspection.scene
        }
        keys = sorted({key for some in items.values() for key in some})
        if not keys:
            return
        account, since = self.history.known_account(tx), self.history.approved_since(tx)
        if account is None and tx.notes.text(PLAYS_APPROVED):
            # Too many rather than too few, until Plex has said which account has the name.
            for id in items:
                tx.jobs.want(PLAYS, id, Why.SWEEP, now)
            return
        plays = {} if account is None or since is None else tx.plays.history(account, keys, since=since)
        viewed = tx.viewings.of(account, keys, since=since) if account is not None and since is not None else []
        unsent = {viewing.item for viewing in viewed if viewing.owed > 0 and viewing.queued >= viewing.played}
        created = {inspection.id: inspection.scene.created_at for inspection in inspections if inspection.scene}
        owing = {id for id, time in tx.play_times.of(created).items() if time.owed}
        if not (plays or unsent or owing):
            return
        memory = tx.plays.of(created)
        for id, some in items.items():
            moments = {moment for key in some for moment in plays.get(key, ())}
            if id in owing or moments - memory.get(id, {}).keys() or unsent.intersection(some):
                tx.jobs.want(PLAYS, id, Why.SWEEP, now)


def way_back(parts: Assembled, rules: WatchRules) -> WayBack:
    """Put the way back together on these parts."""
    history, clock = _history(parts, rules), parts.clock
    listener = PlayListener(parts.store, history, clock)
    recovery = plays_recovery(parts)
    restores = StashRestores(parts.store, parts.stash.watching, recovery, parts.gates, clock)
    flow = _plays_flow(parts, history, recovery, restores, listener=listener)
    viewer = _plays_flow(parts, history, recovery, listener=listener, looks_only=True)
    resume = ResumePoll(parts.store, parts.plex.history, parts.gates, clock, parts.identity, history)
    longest = longest_request(parts.settings.work)
    return WayBack(
        flow,
        history,
        listener,
        ViewingRecorder(
            parts.store, parts.plex.history, parts.stash.watching, history, listener, recovery, parts.gates, clock
        ),
        FirstRun(parts.store, parts.plex.history, viewer, history, parts.gates, clock),
        PlaysComparison(parts.store, history, recovery, restores, parts.gates, clock, longest),
        resume if rules.resume else None,
    )


def way_back_of(parts: Parts) -> WayBack | None:
    """Return the way back, if the settings ask for it."""
    rules = watch_rules(parts.config)
    return way_back(parts, rules) if rules else None


def plays_to_take_back(parts: Assembled) -> PlaysFlow:
    """Return the flow of plays while the way back is off: it takes plays back that were sent before, if you ask for it."""
    return _plays_flow(parts, _history(parts, WatchRules()), plays_recovery(parts), is_on=False)


def plays_recovery(parts: Assembled) -> PlaysRecovery:
    """Return what compares the database with the journal of plays."""
    longest = longest_request(parts.settings.work)
    return PlaysRecovery(parts.store, PlaysFile(parts.store.folder), parts.clock, longest)


def _history(parts: Assembled, rules: WatchRules) -> HistoryPoll:
    return HistoryPoll(
        parts.store,
        parts.stash,
        parts.plex.history,
        parts.plex,
        parts.indexer,
        parts.gates,
        parts.clock,
        parts.identity,
        rules,
    )


def _plays_flow(
    parts: Assembled,
    history: HistoryPoll,
    recovery: PlaysRecovery,
    restores: StashRestores | None = None,
    *,
    listener: PlayListener | None = None,
    is_on: bool = True,
    looks_only: bool = False,
) -> PlaysFlow:
    looks, indexer = parts.settings.looks, parts.indexer
    if looks_only:
        indexer = Indexer(parts.store, parts.plex, parts.gates, parts.clock, looks_only=True)
    return PlaysFlow(
        parts.store,
        parts.stash.watching,
        SceneMatcher(parts.store, parts.stash, parts.plex, indexer, parts.gates, looks, patient=looks_only),
        history,
        parts.gates,
        parts.clock,
        parts.visitor if looks_only else parts.identity,
        StashIdentity(parts.store, parts.stash, parts.clock, looks_only=looks_only),
        parts.expiry,
        looks.scope,
        recovery,
        listener or PlayListener(parts.store, history, parts.clock),
        restores,
        is_on=is_on,
    )
