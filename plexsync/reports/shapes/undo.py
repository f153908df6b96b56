"""Undo: what it would do, and the runs of pushes that it can take back."""

from typing import TypedDict

from plexsync.reports.shapes.values import FieldValue, Moment


class UndoField(TypedDict):
    """What undo would do to a field."""

    field: str
    action: str
    """`restore`, `remove`, `unlock`, `lock` or `leave`."""
    now: FieldValue
    locked: bool
    then: FieldValue
    then_locked: bool
    removes: list[str]
    """The names that it would remove from a list."""
    why: str
    """Why the field is left as it is, or empty."""


class UndoItem(TypedDict):
    """What undo would do to an item."""

    key: str
    """The rating key."""
    fields: list[UndoField]


class UndoFacts(TypedDict):
    """What undo would do to a scene."""

    id: int
    title: str | None
    items: list[UndoItem]
    error: str
    """Why it can't be shown now, or empty."""


class RedoLeftAlone(TypedDict, total=False):
    """Scenes that a redo left alone; each list is there only if it is not empty."""

    not_undone: list[int]
    ignored: list[int]
    gone: list[int]
    """Scenes that Stash no longer has."""


class RedoFacts(RedoLeftAlone):
    """What a redo did: `plexsync redo 7`, `/api/scenes/7/redo`."""

    redone: int
    """Scenes whose undo has ended, and which are queued."""


class RunFacts(TypedDict("RunFacts", {"from": Moment | None})):
    """A run of pushes."""

    run: int
    until: Moment | None
    scenes: int


class UndoPreview(TypedDict):
    """What undo would do: `plexsync undo --all --dry-run`."""

    counts: dict[str, int]
    """`scenes`, `items`, and the number of fields by `action`."""
    scenes: list[UndoFacts]


class RunList(TypedDict):
    """All runs of pushes that are kept: `plexsync undo --runs`."""

    runs: list[RunFacts]
