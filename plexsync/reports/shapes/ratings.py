"""Ratings both ways: what was asked for."""

from typing import NotRequired, TypedDict


class RatingsUndone(TypedDict):
    """The ratings that are put back: `plexsync ratings undo`."""

    scenes: int
    """The number of scenes."""
    failed: NotRequired[dict[str, str]]
    """Why a scene can't be read, by its number."""
