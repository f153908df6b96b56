"""Ratings both ways: their flows and their poll, put together if the settings ask for them."""

from plexsync.app.flow_parts import FlowParts, RegularLook
from plexsync.app.parts import Assembled
from plexsync.flows.plays.ratings import RatingParts, RatingPoll, RatingToPlex, RatingToStash
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import SceneMatcher
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.record_class import record


@record
class RatingBack:
    """The flows of both directions, and the poll of what was rated in Plex."""

    flows: tuple[RatingToPlex, RatingToStash]
    poll: RatingPoll

    def parts_to_add(self, poll_seconds: float) -> FlowParts:
        """What it adds to a worker that polls Stash every so many seconds."""
        looks = [RegularLook("ratings", poll_seconds, self.poll.poll, subject="ratings in Plex")]
        return FlowParts(self.flows, [self.poll.observe], looks=lambda _stopping: looks)


def rating_back(parts: Assembled, rules: RatingRules) -> RatingBack:
    """Put ratings both ways together on these parts. Full comparisons tell them which scenes they have inspected."""
    looks = parts.settings.looks
    shared = RatingParts(
        store=parts.store,
        stash=parts.stash,
        watching=parts.stash.watching,
        plex=parts.plex,
        history=parts.plex.history,
        matcher=SceneMatcher(parts.store, parts.stash, parts.plex, parts.indexer, parts.gates, looks, patient=False),
        locks=LockCanaries(parts.store, parts.plex, parts.gates),
        gates=parts.gates,
        clock=parts.clock,
        identity=parts.identity,
        stash_identity=StashIdentity(parts.store, parts.stash, parts.clock),
        expiry=parts.expiry,
        scope=looks.scope,
        rules=rules,
    )
    poll = RatingPoll(shared)
    parts.reconciler.observing.append(poll.observe)
    return RatingBack((RatingToPlex(shared), RatingToStash(shared)), poll)
