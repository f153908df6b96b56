"""The way back, from Plex to Stash: its flows and polls, put together as far as the settings ask for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plexsync.app.parts import Assembled
from plexsync.engine.flow import AnyFlow
from plexsync.flows.plays.flow import PlaysFlow
from plexsync.flows.plays.history_poll import HistoryPoll, WatchRules
from plexsync.flows.plays.rating_bases import RatingRules
from plexsync.flows.plays.rating_poll import RatingPoll
from plexsync.flows.plays.ratings import BOTH as RATINGS
from plexsync.flows.plays.ratings import RatingFlow, RatingParts, rating_flows
from plexsync.flows.scenes.batch_reads import BatchReader
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.push import Pusher
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import SceneMatcher
from plexsync.rules.job import PLAYS, Why
from plexsync.store.database import Writer


@dataclass(frozen=True)
class WayBack:
    """The flows of the way back, and the polls that queue their jobs. What the settings leave off is None."""

    flow: PlaysFlow | None = None
    history: HistoryPoll | None = None
    rating_flows: Sequence[RatingFlow] = ()
    ratings: RatingPoll | None = None

    @property
    def flows(self) -> Sequence[AnyFlow]:
        """The flows for the engine."""
        return (*([self.flow] if self.flow else ()), *self.rating_flows)

    @property
    def polls(self) -> Mapping[str, Callable[[], str]]:
        """What is polled, by a name for its thread."""
        history = {"plays": self.history.poll} if self.history else {}
        return history | ({"ratings": self.ratings.poll} if self.ratings else {})

    def observe(self, tx: Writer, sights: Sequence[Inspection], now: int) -> None:
        """Queue what has moved of inspected scenes."""
        if self.history is not None:
            _observe_plays(self.history, tx, sights, now)
        if self.ratings is not None:
            self.ratings.observe(tx, sights, now)


def _observe_plays(history: HistoryPoll, tx: Writer, sights: Sequence[Inspection], now: int) -> None:
    """Queue the plays of inspected scenes of which Plex lists plays that are not remembered.

    So a scene that is matched only now, or has another file, gets the plays of its items.
    """
    shown = {sight.id: [target.item.key for target in sight.targets] for sight in sights if sight.scene}
    keys = sorted({key for some in shown.values() for key in some})
    if not keys:
        return
    account = history.known_account
    if account is None:
        # Too many rather than too few, until Plex has said which account has the name.
        for id in shown:
            tx.jobs.want(PLAYS, id, Why.SWEEP, now)
        return
    plays = tx.plays.history(account, keys, since=history.since)
    if not plays:
        return
    created = {sight.id: sight.scene.created_at for sight in sights if sight.scene}
    memory = tx.plays.of(created)
    for id, some in shown.items():
        moments = {moment for key in some for moment in plays.get(key, ())}
        if moments - memory.get(id, {}).keys():
            tx.jobs.want(PLAYS, id, Why.SWEEP, now)


def way_back(parts: Assembled, watch: WatchRules | None, ratings: RatingRules | None = None) -> WayBack:
    """Put the way back together on these parts: plays and ratings, as far as there are rules for them."""
    reader = BatchReader(parts.gates)
    looks = parts.settings.looks
    matcher = SceneMatcher(parts.store, parts.stash, parts.plex, parts.indexer, reader, looks, patient=False)
    stash_identity = StashIdentity(parts.store, parts.stash, parts.clock)
    flow, history = _plays(parts, matcher, stash_identity, watch) if watch else (None, None)
    flows, poll = _ratings(parts, matcher, stash_identity, ratings) if ratings else ((), None)
    return WayBack(flow, history, flows, poll)


def _plays(
    parts: Assembled, matcher: SceneMatcher, stash_identity: StashIdentity, rules: WatchRules
) -> tuple[PlaysFlow, HistoryPoll]:
    history = HistoryPoll(parts.store, parts.stash, parts.plex, parts.gates, parts.clock, parts.identity, rules)
    flow = PlaysFlow(
        parts.store,
        parts.stash,
        matcher,
        history,
        parts.gates,
        parts.clock,
        parts.identity,
        stash_identity,
        parts.settings.work,
        parts.settings.looks.scope,
    )
    return flow, history


def _ratings(
    parts: Assembled, matcher: SceneMatcher, stash_identity: StashIdentity, rules: RatingRules
) -> tuple[Sequence[RatingFlow], RatingPoll]:
    pusher = Pusher(
        parts.store, parts.plex, parts.work_looker, parts.gates, max_retries=parts.settings.work.max_retries
    )
    common = RatingParts(
        parts.store,
        parts.stash,
        parts.plex,
        matcher,
        pusher,
        parts.gates,
        parts.clock,
        parts.identity,
        stash_identity,
        parts.settings.work,
        parts.settings.looks.scope,
        rules,
    )
    poll = RatingPoll(parts.store, parts.plex, parts.gates, parts.clock, parts.identity, rules)
    return rating_flows(common), poll


def forget_way_back(parts: Assembled, *, plays: bool, ratings: bool) -> None:
    """Drop the queued plays and the saved history, or the queued ratings and their memory, since they are off.

    Switched on again, all is read anew; the scene flow remembers the ratings meanwhile.
    """
    with parts.store.reading() as db:
        has_history, has_ratings = db.plays.has_history(), bool(db.ratings.scenes(limit=1))
    with parts.store.writing() as tx:
        if plays and (tx.jobs.discard([PLAYS]) or has_history):
            tx.plays.forget_history()
        if ratings and (tx.jobs.discard(RATINGS) or has_ratings):
            tx.ratings.forget_all()
