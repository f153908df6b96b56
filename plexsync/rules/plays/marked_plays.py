"""Which view of a Plex item was "marked as played": Plex writes no row in its history for it, and counts it.

Plex says how often an item was watched to its end, when it was watched last, and where it was left. The difference
between that count and the plays that are known (the saved history and the marks found before) is remembered for each
item: the views that nothing explains. Only a difference that has grown since can be a mark, and its moment is when the
item was watched last. So a view whose history was deleted before PlexSync first looked, one that is older than
`watch_since`, and a play whose row Plex has dropped are no marks. After a play its row can come late, so a view is a mark
only if the history was read `GRACE` later. Moments are UTC seconds, other times UTC milliseconds.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from plexsync.rules.item import ViewState
from plexsync.rules.plays.plays import PlaySource
from plexsync.rules.plays.resume import AHEAD
from plexsync.rules.record_class import record

# The history key of a mark, which has no row in the history.
MARKED = "marked"
# Milliseconds from noticing a view until its row in the history would be there.
GRACE = 60_000
# Seconds around a known play in which a view is that play: Plex can say of an item that it was watched to the end of
# its credits, and of the play when they began.
NEAR = 1800
# Later than any moment.
LATEST = 2**62


@record
class CountedViews:
    """What is remembered of the views of an item.

    `unexplained`: how many more it has than there are known plays; negative after you have un-marked it. `moment`: when
    the last of these views was, 0 if that is unknown. `noticed_at`: since when one is too many whose row may still come; 0
    if there is none.
    """

    unexplained: int = 0
    moment: int = 0
    noticed_at: int = 0


@record
class MarkDecision:
    """What to remember, the moment of the mark that was found, and when to look again; 0 for none."""

    counted: CountedViews
    mark: int = 0
    wait_until: int = 0


# By item key: what was remembered of its views before, and the decision.
MarkDecisions = Mapping[str, tuple[CountedViews, MarkDecision]]


def marked_plays(marks: MarkDecisions) -> dict[str, dict[int, PlaySource]]:
    """The marks that were found, as plays by item and moment."""
    return {item: {decision.mark: PlaySource(item, MARKED)} for item, (_, decision) in marks.items() if decision.mark}


def decide_mark(
    viewing: ViewState,
    plays: Collection[int],
    counted: CountedViews | None,
    *,
    others: Collection[int] = (),
    since: int,
    now: int,
    read_at: int,
) -> MarkDecision:
    """Decide whether the last view of an item is a mark.

    `plays`: the moments of its plays in the saved history, and of its marks. `others`: further moments that are no mark.
    `since`: a mark is not before that second. `read_at`: when the history was last read.
    """
    excess = viewing.count - len(plays)
    if counted is None or excess <= counted.unexplained:
        return MarkDecision(counted_views(viewing, plays, counted))
    is_new = _may_be_mark(viewing, [*plays, *others], now) and viewing.moment >= since
    if not is_new:
        return MarkDecision(counted_views(viewing, plays, counted))
    if counted.moment != viewing.moment or not 0 < counted.noticed_at <= now:
        return MarkDecision(replace(counted, moment=viewing.moment, noticed_at=now), wait_until=now + GRACE)
    row_by = counted.noticed_at + GRACE
    if now < row_by or read_at < row_by:
        return MarkDecision(counted, wait_until=max(row_by, now + GRACE // 10))
    return MarkDecision(CountedViews(excess - 1), mark=viewing.moment)


def counted_views(viewing: ViewState, plays: Collection[int], counted: CountedViews | None) -> CountedViews:
    """What to remember if no view is a mark: all views that are there now count as dealt with."""
    excess = viewing.count - len(plays)
    before = counted or CountedViews()
    if excess <= 0:
        return CountedViews(excess)
    if counted and excess < before.unexplained:
        return CountedViews(excess, before.moment)
    if counted and excess == before.unexplained:
        # What was noticed has got its row; its moment is not that of an unexplained view.
        return CountedViews(excess) if before.noticed_at else before
    moment = viewing.moment if _may_be_mark(viewing, plays, LATEST) else before.moment
    return CountedViews(excess, moment)


def grows(viewing: ViewState, plays: Collection[int], counted: CountedViews) -> bool:
    """Whether an item has more views than are dealt with."""
    return viewing.count - len(plays) > counted.unexplained


def _may_be_mark(viewing: ViewState, plays: Collection[int], now: int) -> bool:
    """Whether the last view may be a mark: nothing was left in the middle, and no known play is near."""
    if viewing.offset or not 0 < viewing.moment <= now // 1000 + AHEAD:
        return False
    return not is_near(viewing.moment, plays)


def is_near(moment: int, plays: Iterable[int]) -> bool:
    """Whether one of these plays is near a moment."""
    return any(abs(moment - play) <= NEAR for play in plays)
