"""The Plex servers of the dashboard, and the status of several of them."""

from typing import TypedDict

from plexsync.reports.shapes.status import StatusFacts, VerdictFacts


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


class ServerStatusFacts(StatusFacts):
    """The status of one of several Plex servers."""

    plex: str
    """The name of its `[[plex]]` entry."""


class SeveralStatusFacts(ServerStatusFacts):
    """The status of the first of several Plex servers, and of all in their order: `plexsync status` without `--plex`."""

    servers: list[ServerStatusFacts]
    problem: str
    """Why the database of a server could not be used; '' for none. That server is missing here."""
