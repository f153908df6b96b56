"""Ratings both ways, as facts."""

from collections.abc import Mapping, Sequence

from plexsync.reports.shapes.ratings import RatingsUndone


def ratings_undone(scenes: Sequence[int], failed: Mapping[int, str] | None = None) -> RatingsUndone:
    """The scenes whose ratings are put back; `failed`: why one can't be read."""
    facts: RatingsUndone = {"scenes": len(scenes)}
    if failed:
        facts["failed"] = {str(id): problem for id, problem in failed.items()}
    return facts
