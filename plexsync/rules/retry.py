"""How long to wait before trying again: one table, full jitter, and what the other side asked for as a floor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds: the n-th wait in a row is drawn from [0, min(cap, base * 2**n)], never below `least`."""

    base: float
    cap: float
    least: float = 0.5


TABLE = {
    "unavailable": Pace(base=5.0, cap=3600.0),
    "throttled": Pace(base=5.0, cap=3600.0),
    "refused": Pace(base=30.0, cap=3600.0, least=5.0),
    "missing": Pace(base=1.0, cap=60.0),
    "local": Pace(base=5.0, cap=60.0),
    "bug": Pace(base=30.0, cap=3600.0, least=5.0),
}
MAX_FLOOR = 3600.0


def delay(cls: str, streak: int, *, draw: float, floor: float = 0.0) -> float:
    """Seconds until the next try after `streak` failures in a row before this one.

    Full jitter: `draw` in [0, 1) picks uniformly below the exponential bound, so that many jobs do not come back as one
    wave. `floor` (a Retry-After) is honoured up to an hour; the jitter is added on top of it.
    """
    pace = TABLE.get(cls, TABLE["bug"])
    bound = min(pace.cap, pace.base * 2.0 ** min(streak, 30))
    return min(max(floor, 0.0), MAX_FLOOR) + max(pace.least, bound * draw)
