"""How something that PlexSync wrote was taken back: the one word for it, of every kind of object."""

from enum import StrEnum


class TakenBack(StrEnum):
    """Stored by its value, with what it belongs to."""

    NO = ""
    """It is synced."""
    UNDO = "undo"
    """Its values from before PlexSync were restored."""
    RELEASE = "release"
    """Its values were left there, and belong to you."""
    GONE = "gone"
    """Its values were restored because Stash no longer has the object."""
