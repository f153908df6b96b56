"""Collections that PlexSync dresses: their flow and their comparison, put together on the parts."""

from collections.abc import Callable
from functools import partial

from plexsync.app.flow_parts import FlowParts, RegularLook, look_at_changes
from plexsync.app.parts import Assembled
from plexsync.app.rules import is_dressing_on, profiles_of
from plexsync.flows.collections.comparison import CollectionComparison
from plexsync.flows.collections.flow import CollectionFlow, observe_compared, observe_worked
from plexsync.flows.collections.inspection import CollectionInspector
from plexsync.flows.collections.playlists import PlaylistInspector
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.inspection_records import Observe
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.rules.queue.job import COLLECTION
from plexsync.rules.record_class import record


@record
class CollectionDressing:
    """The flow of collections, their comparison, and the inspection that screens and commands share with the flow."""

    flow: CollectionFlow
    inspector: CollectionInspector
    comparison: CollectionComparison
    is_on: bool

    def parts_to_add(self) -> FlowParts:
        """What it adds to a worker; while it is off, only the flow."""
        if not self.is_on:
            return FlowParts([self.flow])
        playlists = self.inspector.playlists
        observing: list[Observe] = [observe_worked, *([playlists.observe] if playlists.rules else [])]

        def looks(stopping: Callable[[], bool]) -> list[RegularLook]:
            compare = partial(self.comparison.look, stopping)
            return [look_at_changes("compare collections", compare, subject="collections and playlists")]

        return FlowParts([self.flow], observing, looks=looks, begin=self.comparison.run_if_due)


def collection_dressing(parts: Assembled) -> CollectionDressing:
    """Put the dressing of collections together on these parts. Full comparisons tell it which scenes they have inspected.

    While no part is switched on, its flow takes back what was written before, if you ask for it, and nothing else.
    """
    looks, work = parts.settings.looks, parts.settings.work
    inspector = _inspector(parts, looks_only=False)
    is_dressed = is_dressing_on(looks)
    plex, locks = parts.plex.collections, LockCanaries(parts.store, parts.plex, parts.gates)
    retries = work.max_retries
    flow = CollectionFlow(inspector, plex, parts.clock, parts.expiry, locks, max_retries=retries, is_on=is_dressed)
    if is_dressed and observe_compared not in parts.reconciler.observing:
        parts.reconciler.observing.append(observe_compared)
    counts = any(profile.dressing.minimum > 1 for profile in profiles_of(looks))
    is_on = is_dressed or inspector.playlists.rules is not None
    wishes = parts.settings.wishes if is_dressed else None
    comparison = CollectionComparison(inspector, parts.clock, wishes, counts=counts)
    return CollectionDressing(flow, inspector, comparison, is_on)


def collection_viewer(parts: Assembled) -> CollectionInspector:
    """Return the inspection of collections for callers that only read."""
    return _inspector(parts, looks_only=True)


def _inspector(parts: Assembled, *, looks_only: bool) -> CollectionInspector:
    artwork = parts.work_inspector.pictures
    pictures = artwork.of_flow(COLLECTION) if artwork else None
    playlists = PlaylistInspector(
        parts.store,
        parts.stash.collections,
        parts.plex.playlists,
        parts.gates,
        parts.settings.playlists,
        parts.settings.looks.policy,
        parts.expiry,
        pictures,
        parts.settings.wishes,
    )
    return CollectionInspector(
        parts.store,
        parts.stash.collections,
        parts.plex.collections,
        parts.gates,
        parts.settings.looks,
        parts.visitor if looks_only else parts.identity,
        StashIdentity(parts.store, parts.stash, parts.clock, looks_only=looks_only),
        pictures,
        playlists,
    )
