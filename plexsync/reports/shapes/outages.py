"""The outages of both servers, and their figures."""

from typing import TypedDict

from plexsync.reports.shapes.values import Moment


class OutageFacts(TypedDict):
    """An outage."""

    server: str
    """`plex` or `stash`; `stash:write` for a Stash that refuses only writes."""
    kind: str
    """`breaker` or `hold`."""
    since: Moment | None
    until: Moment | None
    """Null while the outage is under way."""
    seconds: float
    """How long it lasted, or has lasted until now."""
    cause: str
    """For a hold the setting; otherwise what failed, `read` or `write`."""
    error: str
    """The last message."""
    waiting_at_start: int
    """Queued scenes when it began; for `stash:write`, scenes whose plays or rating waited."""
    waiting: int
    """The largest number of queued scenes during the outage."""


class OutagesNow(TypedDict):
    """The outages under way, and the last one that ended."""

    current: list[OutageFacts]
    last: OutageFacts | None


class FigureFacts(TypedDict):
    """The figures of a period with outages."""

    since: Moment | None
    """The start of the period: `days` ago, or when PlexSync was installed."""
    interruptions: int
    down_seconds: float
    mttr_seconds: float | None
    """The mean time to recovery."""
    mtbf_seconds: float | None
    """The mean time between interruptions."""
    availability: float
    """The share of time in which both servers could be used, from 0 to 1."""


class OutageReport(TypedDict):
    """The outages of the last days: `plexsync outages`, `/api/outages`."""

    at: Moment | None
    days: int
    outages: list[OutageFacts]
    summary: FigureFacts
