"""Figures of what Plex asked in the last hour, in memory: how often, how fast, and what was refused."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR = 60  # minutes
# Steps of answer times per power of ten: a figure is exact to a quarter.
STEPS = 10
P99 = "p99_ms"


@dataclass
class Minute:
    """The calls of one minute by their result, and the number of answers by their time."""

    number: int
    results: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)


class Calls:
    """The calls of the last hour, a minute at a time."""

    def __init__(self) -> None:
        self._minutes: deque[Minute] = deque(maxlen=HOUR)

    def count(self, result: str, seconds: float, now: float) -> None:
        """Count a call that took so long, at this monotonic time in seconds."""
        number = int(now // 60)
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(Minute(number))
        minute = self._minutes[-1]
        minute.results[result] += 1
        minute.times[math.ceil(STEPS * math.log10(max(1000 * seconds, 0.01)))] += 1

    def figures(self, now: float) -> dict[str, float]:
        """The figures of the hour before this monotonic time, as they are saved.

        They are the number of calls by result, and `p99_ms`, the milliseconds within which 99 of 100 were answered.
        """
        minutes = [minute for minute in self._minutes if minute.number > now // 60 - HOUR]
        results: Counter[str] = sum((minute.results for minute in minutes), Counter())
        times: Counter[int] = sum((minute.times for minute in minutes), Counter())
        return {**dict(sorted(results.items())), P99: percentile(times)}


def percentile(times: Mapping[int, int], share: float = 0.99) -> float:
    """The milliseconds within which this share was answered, from the number of answers by step; 0 for none."""
    remaining = share * sum(times.values())
    for step, count in sorted(times.items()):
        remaining -= count
        if remaining <= 0:
            return round(10 ** (step / STEPS), 2)
    return 0.0
