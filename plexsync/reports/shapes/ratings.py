"""Ratings both ways: what was asked for."""

from typing import TypedDict


class UnreadRatings(TypedDict, total=False):
    """Parts that are there only if they are not empty."""

    failed: dict[str, str]
    """Why a scene can't be read, by its number."""


class RatingsUndone(UnreadRatings):
    """The ratings that are put back: `plexsync ratings undo`."""

    scenes: int
    """The number of scenes."""
