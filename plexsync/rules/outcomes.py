"""The outcome of an error for a job: its cause, whether it counts as an attempt, and its delay. This is the one table."""

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

# From the most specific to the most general.
CAUSES: tuple[tuple[type[SyncError], Cause], ...] = (
    (Unavailable, Cause.UNAVAILABLE),
    (Throttled, Cause.THROTTLED),
    (Barred, Cause.BARRED),
    (Missing, Cause.MISSING),
    (Refused, Cause.REFUSED),
    (LocalFault, Cause.LOCAL),
)


def cause_of(error: SyncError) -> Cause:
    """The cause to store for an error; `BUG` for an error without a rule."""
    return next((cause for kind, cause in CAUSES if isinstance(error, kind)), Cause.BUG)


def outcome_of(error: NeighbourError, *, own: bool = False, desired: str = "") -> Outcome:
    """The outcome for a job whose own request failed.

    `own`: other requests prove that the fault is the job's own and not an outage, so that the attempt counts. `desired`
    is the hash of the values to write. A rejected edit is dead at once. If the item is gone, the attempt counts, and
    the next attempt finds the item that replaced it.
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
    """The outcome for every job of a batch whose shared request failed. Outages, throttles and holds are not counted."""
    cause = cause_of(error)
    return Waiting(str(error), cause, backoff=not isinstance(error, Unavailable | Throttled | Barred))
