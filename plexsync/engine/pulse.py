"""The requests of a probe, and how long to wait after a failed request."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from plexsync.engine.tickets import READ, Gate
from plexsync.rules.errors import Missing, NeighbourError, Throttled, Unavailable
from plexsync.rules.neighbours import Dice, Plex, Stash

# The shortest wait after a throttled request in seconds, plus up to as many again at random.
LEAST_PATIENCE = 1.0
BREATH = 0.25
BREATH_CAP = 2.0


def pulse(plex: Plex, keys: Sequence[str], check: Callable[[], None]) -> None:
    """Send the requests that Plex answers if the token is valid, and that read known items; then `check`."""
    # A missing object is an answer as well.
    with suppress(Missing):
        plex.sections()
    if keys:
        plex.items(keys)
    with suppress(Missing):
        check()


def in_turn(*checks: Callable[[], None]) -> Callable[[], None]:
    """All of these checks as one."""

    def check_all() -> None:
        for check in checks:
            check()

    return check_all


def greet(stash: Stash, check: Callable[[], None]) -> None:
    """Send the request that Stash answers if it is ready; then `check`."""
    stash.probe()
    check()


def nothing() -> None:
    """Check nothing."""


def patience(error: NeighbourError, gate: Gate, failures: int, dice: Dice) -> float:
    """Seconds to throttle: what the server asked for, or a short wait, so that a blip does not open the breaker."""
    if isinstance(error, Throttled):
        # A server that asks for no wait and refuses again would be asked without end.
        return max(error.retry_after, LEAST_PATIENCE * (1 + dice.random()))
    if isinstance(error, Unavailable):
        if error.retry_after:
            return error.retry_after
        if gate.access is READ or not error.sent:
            return min(BREATH_CAP, BREATH * 2.0**failures) * (1 + dice.random()) / 2
    return 0.0
