"""The review of all planned changes, as facts."""

from typing import TypedDict

from plexsync.app.review import planned_changes
from plexsync.reports.comparisons import ChangeFacts, change_facts
from plexsync.reports.format import stamp
from plexsync.reports.shapes.values import Moment
from plexsync.store.files.review_file import ChangeFilter, ReviewedScene, ReviewFile


class ReviewChange(ChangeFacts):
    """A planned change, and your decision about it."""

    kind: str
    """`added`, `replaced`, `removed`, or `locked` if only the lock changes."""
    item: str
    """The rating key."""
    library: str
    decision: str
    """`open`, `approved`, `skipped`, `queued`, or `refused` if it was no longer true."""


class ReviewScene(TypedDict):
    """A scene with planned changes: all of them, whatever the decision."""

    id: int
    title: str
    reason: str
    """Why nothing was written, if it was refused; else empty."""
    changes: list[ReviewChange]


class ReviewKind(TypedDict):
    """The number of changes of a field and kind."""

    field: str
    kind: str
    changes: int


class ReviewReport(TypedDict):
    """A page of the review: `/api/review`."""

    at: Moment | None
    """When it was made; null while there is none."""
    changes: dict[str, int]
    """The number of changes by decision, on all pages and without the filter."""
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


def review_facts(file: ReviewFile, decision: str, wanted: ChangeFilter, *, after: int, limit: int) -> ReviewReport:
    """A page of the scenes above `after` that have a change with this decision and filter."""
    scenes, head = file.page(decision, wanted, after=after, limit=limit + 1), file.head()
    return {
        "at": stamp(int(head["at"])) if head else None,
        "changes": file.counts(),
        "kinds": [
            {"field": field, "kind": kind, "changes": count}
            for field, kind, count in sorted(file.groups(decision, wanted))
        ],
        "libraries": file.names("library"),
        "studios": file.names("studio"),
        "scenes": [_scene_facts(scene) for scene in scenes[:limit]],
        "after": scenes[limit - 1].id if len(scenes) > limit else None,
    }


def _scene_facts(scene: ReviewedScene) -> ReviewScene:
    planned = planned_changes(scene)
    changes: list[ReviewChange] = [
        {
            **change_facts(planned[row.item, row.field]),
            "kind": row.kind,
            "item": row.item,
            "library": row.library,
            "decision": row.decision,
        }
        for row in scene.changes
        if (row.item, row.field) in planned
    ]
    return {"id": scene.id, "title": scene.title, "reason": scene.reason, "changes": changes}
