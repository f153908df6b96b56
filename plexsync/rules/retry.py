"""The delay before the next try: the pace of the cause, full jitter, and a Retry-After as a floor."""

from plexsync.rules.causes import pace_of

MAX_FLOOR = 3600.0


def delay(cls: str, streak: int, *, draw: float, floor: float = 0.0) -> float:
    """Seconds until the next try after `streak` failures in a row before this one.

    Full jitter: `draw` in [0, 1) picks uniformly below the exponential bound, so that many jobs do not come back as one
    wave. `floor` (a Retry-After) is honoured up to an hour; the jitter is added on top of it.
    """
    pace = pace_of(cls)
    bound = min(pace.cap, pace.base * 2.0 ** min(streak, 30))
    return min(max(floor, 0.0), MAX_FLOOR) + max(pace.least, bound * draw)
