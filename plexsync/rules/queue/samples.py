"""Work over hours and days: samples of the queue and of the work done, combined for charts.

A sample covers the time from `at` on for its `span`: a minute, or an hour for older times. There are none for times
without a worker. The clock may have been set back or ahead in between: samples may overlap, and samples dated outside
the requested time are left out. Times are UTC milliseconds.
"""

from collections.abc import Callable, Iterable, Mapping

from plexsync.rules.record_class import record

MINUTE = 60_000
HOUR = 60 * MINUTE
# How two samples become one, where that is not the sum: numbers of scenes in a state count at their largest.
COMBINED: Mapping[str, Callable[[tuple[int, int]], int]] = {
    "at": min,
    **dict.fromkeys(("in_step", "waiting", "absent", "dead"), max),
}


@record
class Sample:
    """One stretch of time, with a worker running for `minutes` of it.

    `in_step`, `waiting`, `absent` and `dead` are the largest numbers of scenes in that state at once. `done` counts
    finished jobs; `plex` and `stash` count requests to them. `plex_away` and `stash_away` are the minutes in which work
    with them was stopped.
    """

    at: int
    span: int = MINUTE
    in_step: int = 0
    waiting: int = 0
    absent: int = 0
    dead: int = 0
    done: int = 0
    plex: int = 0
    stash: int = 0
    plex_away: int = 0
    stash_away: int = 0
    minutes: int = 1


@record
class Bucket:
    """One point of a chart: all samples that begin within `width` from `at`, combined; None if there are none."""

    at: int
    width: int
    sample: Sample | None = None

    def rate(self, name: str) -> float | None:
        """The rate of the counter with this name (`done`, `plex`, `stash`) per minute with a worker running."""
        return getattr(self.sample, name) / self.sample.minutes if self.sample and self.sample.minutes else None


def buckets(samples: Iterable[Sample], *, start: int, end: int, width: int) -> list[Bucket]:
    """The time from `start` to `end` in equal buckets of `width`, which begin at whole multiples of it."""
    first = start - start % width
    rows: dict[int, Sample] = {}
    for sample in samples:
        at = sample.at - sample.at % width
        if first <= at and sample.at <= end:
            rows[at] = _together(rows[at], sample) if at in rows else sample
    return [Bucket(at, width, rows.get(at)) for at in range(first, end + 1, width)]


def _together(samples: Sample, other: Sample) -> Sample:
    return Sample(
        **{name: COMBINED.get(name, sum)((value, getattr(other, name))) for name, value in vars(samples).items()}
    )
