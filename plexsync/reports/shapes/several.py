"""The status of several Plex servers."""

from plexsync.reports.shapes.status import StatusFacts


class ServerStatusFacts(StatusFacts):
    """The status of one of several Plex servers."""

    plex: str
    """The name of its `[[plex]]` entry."""


class SeveralStatusFacts(ServerStatusFacts):
    """The status of the first of several Plex servers, and of all in their order: `plexsync status` without `--plex`."""

    servers: list[ServerStatusFacts]
    problem: str
    """Why the database of a server could not be used; '' for none. That server is missing here."""
