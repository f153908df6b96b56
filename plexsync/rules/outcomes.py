"""What an error means for a job: its cause, whether it counts as an attempt, and how long it waits. The one table."""

from plexsync.rules.causes import Cause
from plexsync.rules.errors import (
    Barred,
    LocalFault,
    Missing,
    NeighbourError,
    Refused,
    SyncError,
    Throttled,
    Unavailable,
)
from plexsync.rules.job import Dead, Later, Outcome, Waiting

# From the particular to the general.
CAUSES: tuple[tuple[type[SyncError], Cause], ...] = (
    (Unavailable, Cause.UNAVAILABLE),
    (Throttled, Cause.THROTTLED),
    (Barred, Cause.BARRED),
    (Missing, Cause.MISSING),
    (Refused, Cause.REFUSED),
    (LocalFault, Cause.LOCAL),
)


def cause_of(error: SyncError) -> Cause:
    """The cause that is stored for an error; one that no rule knows is a fault of PlexSync."""
    return next((cause for kind, cause in CAUSES if isinstance(error, kind)), Cause.BUG)


def outcome_of(error: NeighbourError, *, own: bool = False, desired: str = "") -> Outcome:
    """What becomes of the job whose own request failed.

    `own`: the evidence of other requests shows that an unavailable server is the job's own fault, so that the attempt
    counts. `desired` is the hash of what was to be written. A rejected edit is dead at once; one whose item is gone counts,
    and the next attempt finds what took its place.
    """
    match error:
        case Unavailable():
            return Waiting(str(error), Cause.UNAVAILABLE, after=error.retry_after or 0.0, counted=own)
        case Throttled():
            return Waiting(str(error), Cause.THROTTLED, after=error.retry_after)
        case Barred():
            return Waiting(str(error), Cause.BARRED, backoff=False)
        case Missing():
            return Waiting(str(error), Cause.MISSING, counted=True)
        case Refused():
            return Dead(Cause.REFUSED, str(error), desired=desired)
    return Later(str(error))


def shared_outcome_of(error: NeighbourError) -> Outcome:
    """What becomes of every job of a batch whose shared request failed: no outage, throttle or hold counts as an attempt."""
    cause = cause_of(error)
    return Waiting(str(error), cause, backoff=not isinstance(error, Unavailable | Throttled | Barred))
