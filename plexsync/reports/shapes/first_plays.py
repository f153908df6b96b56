"""What the first write of plays to Stash would do."""

from typing import TypedDict

from plexsync.reports.shapes.status import FirstPlaysFacts
from plexsync.reports.shapes.values import Moment


class ScenePlaysFacts(TypedDict):
    """The plays of one scene."""

    id: int
    title: str
    missing: list[Moment | None]
    """The plays that would be added, oldest first."""
    present: int
    """How many Stash has already."""
    error: str
    """Why the scene could not be read; '' if it was."""


class PlaysPreview(TypedDict):
    """The answer of `plexsync plays sync`."""

    dry_run: bool
    approved: bool
    """Whether plays may be written: you have approved them now or before."""
    first: FirstPlaysFacts
    scenes: list[ScenePlaysFacts]
    """The first scenes that would get plays."""
