"""The review of all planned changes, as facts."""

import json
from typing import TypedDict

from plexsync.reports.comparisons import ChangeFacts
from plexsync.reports.format import stamp
from plexsync.reports.shapes.values import Moment
from plexsync.store.files.review_file import ChangeFilter, ReviewedChange, ReviewedScene, ReviewFile


class ReviewChange(ChangeFacts):
    """A planned change."""

    kind: str
    """`added`, `replaced`, `removed`, or `locked` if only the lock changes."""
    item: str
    """The rating key."""
    library: str


class ReviewScene(TypedDict):
    """A scene with planned changes: all of them, whatever the filter."""

    id: int
    title: str
    changes: list[ReviewChange]


class ReviewKind(TypedDict):
    """The number of changes of a field and kind."""

    field: str
    kind: str
    changes: int


class ReviewReport(TypedDict):
    """A page of the review: `/api/review`. Scenes that you ignore are left out."""

    at: Moment | None
    """When it was made; null while there is none."""
    changes: int
    """The number of changes, on all pages and without the filter."""
    ignored: int
    """The number of scenes that are left out."""
    kinds: list[ReviewKind]
    """The listed changes by field and kind, on all pages."""
    libraries: list[str]
    """The libraries that you can filter by."""
    studios: list[str]
    """The studios that you can filter by; 500 at most."""
    scenes: list[ReviewScene]
    """One page of the scenes with such a change, by number."""
    after: int | None
    """Pass this as `after` to get the next page; null on the last page."""


def review_facts(review: ReviewFile, wanted: ChangeFilter, *, after: int, limit: int) -> ReviewReport:
    """A page of the scenes above `after` that have a change with this filter."""
    scenes, head = review.page(wanted, after=after, limit=limit + 1), review.head()
    return {
        "at": stamp(int(head["at"])) if head else None,
        "changes": review.count(),
        "ignored": review.count_ignored(),
        "kinds": [
            {"field": field, "kind": kind, "changes": count} for field, kind, count in sorted(review.groups(wanted))
        ],
        "libraries": review.names("library"),
        "studios": review.names("studio"),
        "scenes": [_scene_facts(scene) for scene in scenes[:limit]],
        "after": scenes[limit - 1].id if len(scenes) > limit else None,
    }


def _scene_facts(scene: ReviewedScene) -> ReviewScene:
    return {"id": scene.id, "title": scene.title, "changes": [_change_facts(change) for change in scene.changes]}


def _change_facts(reviewed: ReviewedChange) -> ReviewChange:
    change: ChangeFacts = json.loads(reviewed.document)
    return {**change, "kind": reviewed.kind, "item": reviewed.item, "library": reviewed.library}
