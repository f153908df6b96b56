"""The rule by which a picture is left out of a push, so that all else goes on without it."""

from collections.abc import Callable

from plexsync.rules.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable

# The number of failures of a job after which a picture that Plex fails to accept is left out.
PATIENCE = 3


def failure_of(show: Callable[[], None], *, patient: bool) -> NeighbourError | None:
    """Show a picture. Returns the failure for which it is left out: Plex rejects it or, unless `patient`, does not take it.

    Raises every other NeighbourError, which says nothing about the picture.
    """
    try:
        show()
    except (Refused, Missing) as error:
        return error
    except Unavailable as error:
        if patient or error.neighbour is Neighbour.STASH or not error.sent:
            raise
        return error
    return None


def may_have_arrived(failure: NeighbourError) -> bool:
    """Whether a picture that is left out for this failure may be in Plex all the same."""
    return isinstance(failure, Unavailable) or failure.applied
