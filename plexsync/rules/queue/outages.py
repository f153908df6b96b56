"""Outages: when a server was down or on hold, derived from the log of breaker and hold transitions.

The log is read as it is, in the order in which it was written. Its beginning may be pruned, an end may be missing, a
start may be doubled, and the clock may have been set back in between. Whatever the log contains, no outage has a
negative length, and an outage without a known end goes on. Times are UTC milliseconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from plexsync.rules.queue.gate_names import SERVERS, GateName
from plexsync.rules.record_class import record

# An outage that begins so soon after another continues it: the end was a failed test.
SAME_WITHIN = 60_000


class OutageKind(StrEnum):
    """The gate that stopped the work: the breaker (no answer), or a hold (access denied until you change something)."""

    BREAKER = "breaker"
    HOLD = "hold"


@record
class Transition:
    """One line of the log. `waiting`: the number of queued jobs at that moment.

    A breaker is `closed`, `open` or `half_open`; a hold goes from `free` to `hold` and back. A breaker that was closed
    with an error is closed on trial: work goes on as a test, and the outage ends when the breaker is closed without
    one.
    """

    server: GateName
    at: int
    old: str
    new: str
    cause: str = ""
    error: str = ""
    waiting: int = 0

    @property
    def gate(self) -> OutageKind:
        """Which gate of the server changed."""
        return OutageKind.HOLD if {"hold", "free"} & {self.old, self.new} else OutageKind.BREAKER

    @property
    def shut(self) -> bool:
        """Whether the gate stops work from here on."""
        return bool(self.error) if self.new == "closed" else self.new != "free"


@record
class Outage:
    """A time in which work with a server was impossible; `end` is None while it lasts.

    `cause` is "read" or "write" for a breaker, the setting to change for a hold; `error` is the last message, one line.
    `waiting` is the number of queued jobs when it began, `most` the largest number seen during it.
    """

    server: GateName
    gate: OutageKind
    start: int
    end: int | None
    cause: str
    error: str
    waiting: int
    most: int

    def duration(self, now: int) -> int:
        """Its length, up to `now` while it lasts."""
        return max(0, (now if self.end is None else self.end) - self.start)


@record
class OutageTotals:
    """Totals of all outages in a time window. Time in which outages overlap counts once.

    `down` is the total length of outages in the window, `interruptions` their number. `mttr` is the mean length of the
    interruptions that are over, `mtbf` the mean time of undisturbed work per interruption; None if there are none.
    `availability` is the share of the window, 0 to 1, in which both servers were available.
    """

    start: int
    end: int
    interruptions: int
    down: int
    mttr: float | None
    mtbf: float | None
    availability: float


def outages(log: Iterable[Transition], *, same_within: int = SAME_WITHIN) -> list[Outage]:
    """The outages in the log, in the order in which their starts were recorded."""
    result: list[Outage] = []
    latest: dict[tuple[GateName, OutageKind], int] = {}
    for line in log:
        key = line.server, line.gate
        place = latest.get(key)
        if place is not None and _goes_on(result[place], line, same_within):
            result[place] = _add_transition(result[place], line)
        elif line.shut:
            latest[key] = len(result)
            result.append(_start_outage(line))
    return result


def _goes_on(outage: Outage, line: Transition, same_within: int) -> bool:
    """Whether a line belongs to the outage before it. A second start without an end in between does."""
    return outage.end is None or (line.shut and line.at - outage.end <= same_within)


def _start_outage(line: Transition) -> Outage:
    return Outage(line.server, line.gate, line.at, None, line.cause, line.error, line.waiting, line.waiting)


def _add_transition(outage: Outage, line: Transition) -> Outage:
    return replace(
        outage,
        end=None if line.shut else max(line.at, outage.start),
        cause=line.cause or outage.cause,
        error=line.error or outage.error,
        most=max(outage.most, line.waiting),
    )


def lasting(outages: Iterable[Outage]) -> list[Outage]:
    """The outages that are not over."""
    return [outage for outage in outages if outage.end is None]


def within(outages: Iterable[Outage], start: int, now: int) -> list[Outage]:
    """The outages that still lasted at `start` or began later."""
    return [outage for outage in outages if outage.start + outage.duration(now) >= start]


def summary(outages: Iterable[Outage], *, start: int, end: int) -> OutageTotals:
    """The totals of the outages of both servers from `start` to `end`, which is now.

    A Stash that refuses writes is not counted: scenes go on.
    """
    end = max(start, end)
    of_servers = [outage for outage in outages if outage.server in SERVERS]
    spans = [span for span in _merge_spans(of_servers, end) if span[1] >= start and span[0] <= end]
    down = sum(min(until, end) - max(since, start) for since, until, _ in spans)
    ended = [until - since for since, until, over in spans if over]
    window = end - start
    return OutageTotals(
        start=start,
        end=end,
        interruptions=len(spans),
        down=down,
        mttr=sum(ended) / len(ended) if ended else None,
        mtbf=(window - down) / len(spans) if spans else None,
        availability=(window - down) / window if window else (0.0 if spans else 1.0),
    )


def _merge_spans(outages: Iterable[Outage], now: int) -> list[tuple[int, int, bool]]:
    """(since, until, over) of the times in which any server was unavailable, in order and without overlap."""
    spans: list[tuple[int, int, bool]] = []
    for since, until, over in sorted(_span(outage, now) for outage in outages):
        if spans and since <= spans[-1][1]:
            before = spans[-1]
            spans[-1] = before[0], max(before[1], until), before[2] and over
        else:
            spans.append((since, until, over))
    return spans


def _span(outage: Outage, now: int) -> tuple[int, int, bool]:
    return outage.start, outage.start + outage.duration(now), outage.end is not None


@record
class TimelineBar:
    """A bar on a time line: `offset` and `width` as shares of the line, 0 to 1."""

    offset: float
    width: float
    outage: Outage


def bars(outages: Iterable[Outage], server: GateName, *, start: int, end: int) -> list[TimelineBar]:
    """The outages of a gate on the line from `start` to `end`, which is now, as far as they lie on it."""
    result = []
    for outage in outages:
        since, until, _ = _span(outage, end)
        start_share, right = max(since, start), min(until, end)
        if outage.server is server and start < end and start_share <= right:
            result.append(
                TimelineBar((start_share - start) / (end - start), (right - start_share) / (end - start), outage)
            )
    return result


STEPS = tuple(3_600_000 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 120, 240, 720, 2160, 4320, 8760, 43800))


def ticks(start: int, end: int, *, most: int = 7) -> list[int]:
    """Round moments for labels on the line from `start` to `end`, at most `most` of them."""
    step = next((step for step in STEPS if (end - start) // step < most), STEPS[-1])
    return list(range(start + -start % step, end + 1, step))


def last_ended(outages: Sequence[Outage]) -> Outage | None:
    """The outage that ended last; None if none has ended."""
    return max(
        (outage for outage in outages if outage.end is not None), key=lambda outage: outage.end or 0, default=None
    )
