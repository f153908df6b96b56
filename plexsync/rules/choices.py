"""Changes that only you can judge. Work is on hold until what has changed is back, or until you accept it."""

from collections.abc import Mapping
from enum import StrEnum

from plexsync.rules.errors import Neighbour


class Choice(StrEnum):
    """What you may accept, as `plexsync accept` names it."""

    PLEX_SERVER = "plex-server"
    STASH = "stash"
    SCENES_GONE = "scenes-gone"
    ITEMS_GONE = "items-gone"


# The server that is on hold meanwhile.
HELD_BY: Mapping[Choice, Neighbour] = {
    Choice.PLEX_SERVER: Neighbour.PLEX,
    Choice.STASH: Neighbour.STASH,
    Choice.SCENES_GONE: Neighbour.STASH,
    Choice.ITEMS_GONE: Neighbour.PLEX,
}
# Prefix of the note that stores the time when a choice was accepted. The check that asked reads and removes it.
ACCEPTED = "accepted:"


def remedy(choice: Choice) -> str:
    """What to run to accept, as the end of a message."""
    return f"plexsync accept {choice}"
