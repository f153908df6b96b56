"""The facts of the screen `top`."""

from typing import TypedDict

from plexsync.reports.shapes.status import BreakerFacts, HoldFacts, UndoneFacts, VerdictFacts
from plexsync.reports.shapes.values import Moment
from plexsync.reports.shapes.workers import WorkerFacts


class ServerFacts(BreakerFacts):
    """A server: its breaker, its status word, its hold, its throttle and its ramp."""

    stands: str
    """In words, such as `up` or `on hold`."""
    hold: HoldFacts | None
    asked_for_patience_until: Moment | None
    """The server is throttled until then; null if it is not."""
    jobs_per_claim: int
    """The size of the next batch while the server ramps up, otherwise 0."""


class RunningFacts(TypedDict):
    """A job that the worker holds."""

    scene: str
    """`7` is scene 7, `tag:12` is tag 12."""
    title: str | None
    doing: str
    since: Moment | None


class ResultFacts(TypedDict):
    """A result of the work."""

    at: Moment | None
    scene: str
    """`7` is scene 7, `tag:12` is tag 12."""
    title: str | None
    well: bool
    """Whether it is a push; false for a failed attempt."""
    told: str
    """The result in words."""


class PlannedFacts(TypedDict):
    """A scheduled event."""

    at: Moment | None
    what: str


class TopFacts(TypedDict):
    """One frame, from the database alone: `plexsync top`."""

    verdict: VerdictFacts
    at: Moment | None
    worker: WorkerFacts
    servers: dict[str, ServerFacts]
    """`plex`, `stash`, and `stash:write` for writes to Stash; this one is not there before the first of them."""
    jobs: dict[str, int]
    """The number of jobs in each state."""
    undone: UndoneFacts
    due: int
    events_waiting: int
    done_per_minute: float | None
    """Null until there are two frames to compare."""
    changed_last_minute: int
    """Pushes in the last minute."""
    in_work: list[RunningFacts]
    latest: list[ResultFacts]
    """Newest first."""
    next: list[PlannedFacts]
    """The soonest first."""
