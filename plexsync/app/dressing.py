"""Collections that PlexSync dresses: their flow and their comparison, put together on the parts."""

from dataclasses import dataclass

from plexsync.app.parts import Assembled
from plexsync.flows.collections.comparison import CollectionComparison
from plexsync.flows.collections.flow import CollectionFlow, CollectionParts
from plexsync.flows.collections.inspection import CollectionLooker
from plexsync.flows.collections.observe import observe_compared
from plexsync.flows.scenes.push import Pusher
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.rules.desired import Profile
from plexsync.rules.job import COLLECTION
from plexsync.rules.note_keys import COLLECTIONS_COMPARED


@dataclass(frozen=True)
class CollectionDressing:
    """The flow of collections, their comparison, and the inspection that screens and commands share with the flow."""

    flow: CollectionFlow
    looker: CollectionLooker
    comparison: CollectionComparison
    is_on: bool


def is_dressing_on(rules: LookRules) -> bool:
    """Whether any library dresses its collections."""
    return any(profile.dressing.is_on for profile in profiles_of(rules))


def profiles_of(rules: LookRules) -> tuple[Profile, ...]:
    """The profiles of all libraries."""
    return (rules.profile, *rules.libraries.values())


def collection_dressing(parts: Assembled) -> CollectionDressing:
    """Put the dressing of collections together on these parts. Full comparisons tell it which scenes they have inspected.

    While no part is switched on, its flow takes back what was written before, if you ask for it, and nothing else.
    """
    looks, work = parts.settings.looks, parts.settings.work
    looker = _looker(parts, looks_only=False)
    is_on = is_dressing_on(looks)
    flow = CollectionFlow(
        CollectionParts(
            store=parts.store,
            stash=parts.stash,
            plex=parts.plex,
            gates=parts.gates,
            clock=parts.clock,
            expiry=parts.expiry,
            looker=looker,
            pusher=Pusher(parts.store, parts.plex, parts.work_looker, parts.gates, max_retries=work.max_retries),
            max_retries=work.max_retries,
            is_on=is_on,
        )
    )
    if is_on and observe_compared not in parts.reconciler.observing:
        parts.reconciler.observing.append(observe_compared)
    comparison = CollectionComparison(
        parts.store,
        parts.stash,
        looker,
        parts.gates,
        parts.clock,
        parts.identity,
        parts.settings.wishes,
        counts=any(profile.dressing.minimum > 1 for profile in profiles_of(looks)),
    )
    return CollectionDressing(flow, looker, comparison, is_on)


def collection_viewer(parts: Assembled) -> CollectionLooker:
    """Return the inspection of collections for callers that only read."""
    return _looker(parts, looks_only=True)


def _looker(parts: Assembled, *, looks_only: bool) -> CollectionLooker:
    pictures = parts.work_looker.pictures
    return CollectionLooker(
        parts.store,
        parts.stash,
        parts.plex,
        parts.gates,
        parts.settings.looks,
        parts.visitor if looks_only else parts.identity,
        StashIdentity(parts.store, parts.stash, parts.clock, looks_only=looks_only),
        pictures.of_flow(COLLECTION) if pictures else None,
    )


def forget_dressing(parts: Assembled) -> None:
    """Drop the queued collections, since no part is switched on. What was written stays, and so does what is remembered.

    Collections that you want taken back stay in the queue. Switched on again, all are inspected anew.
    """
    with parts.store.writing() as tx:
        tx.jobs.discard([COLLECTION], but=sorted(tx.collections.marks()))
        if tx.notes.text(COLLECTIONS_COMPARED):
            tx.notes.save(COLLECTIONS_COMPARED, "")
