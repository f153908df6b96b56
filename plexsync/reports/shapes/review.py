"""The review of all planned changes."""

from typing import TypedDict

from plexsync.reports.shapes.comparisons import ChangeFacts
from plexsync.reports.shapes.values import Moment


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
