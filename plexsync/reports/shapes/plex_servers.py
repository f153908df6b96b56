"""The Plex servers of the dashboard."""

from typing import TypedDict

from plexsync.reports.shapes.status import VerdictFacts


class PlexFacts(TypedDict):
    """One Plex server of the dashboard."""

    name: str
    """The `name` of its entry; '' for a single server without one."""
    path: str
    """The address of its overview."""
    verdict: VerdictFacts | None
    """`null` if its database can't be used."""
    error: str
    """Why its database can't be used; '' if it can."""


class PlexList(TypedDict):
    """The Plex servers of the dashboard."""

    plex: list[PlexFacts]
