"""The gates by name: one for each server, and one for writes to Stash, which has a breaker, hold and pace of its own.

A Stash that refuses writes stops plays and ratings on their way back, and nothing else: it still answers reads, so scenes
go on. Its gate is unknown, and shown nowhere, until something was written to Stash. Imports little, because `plexsync
status` has to start fast.
"""

from collections.abc import Collection
from enum import StrEnum

from plexsync.rules.words.status_words import DOWN


class GateName(StrEnum):
    """The name of a gate in the database and in JSON; the first two are those of the servers."""

    PLEX = "plex"
    STASH = "stash"
    STASH_WRITES = "stash:write"


GATES = tuple(GateName)
SERVERS = (GateName.PLEX, GateName.STASH)
# What to do about a Stash that refuses writes.
CURE = (
    "Look at Stash's log: its database may be read-only or locked, or its disk full. Only plays and ratings wait for it, "
    "and PlexSync tries again by itself."
)
REFUSES = "Stash refuses writes"
TAKES_NO_EDITS = "Plex answers, and takes no edits"


def caption(name: str) -> str:
    """The name of a gate for display."""
    return "Writing to Stash" if name == GateName.STASH_WRITES else name.title()


def closed_words(name: str, cause: str = "") -> str:
    """That a gate is closed by its breaker, in a few words; the `cause` is what failed: `read` or `write`."""
    if name == GateName.STASH_WRITES:
        return REFUSES
    return TAKES_NO_EDITS if name == GateName.PLEX and cause == "write" else f"{name.title()} is {DOWN}"


def gates_to_show(stored: Collection[str]) -> list[GateName]:
    """The gates to show: those of the servers, and another one if something is `stored` about it."""
    return [name for name in GATES if name in SERVERS or name in stored]


def is_covered(name: str, closed: Collection[str]) -> bool:
    """Whether a gate needs no words of its own, because its whole server is among the `closed` ones."""
    return name == GateName.STASH_WRITES and GateName.STASH in closed
