"""What is a mark in Plex, row by row, and over lives of an item: deleted history becomes no mark."""

import random

import pytest

from plexsync.rules.item import ViewState
from plexsync.rules.plays.marked_plays import (
    GRACE,
    MARKED,
    NEAR,
    CountedViews,
    MarkDecision,
    counted_views,
    decide_mark,
    grows,
    marked_plays,
)
from plexsync.rules.plays.plays import PlaySource
from tests.tables import table

AT = 1_768_400_000
NOW = 1_768_471_200_000
EARLIER = AT - 86_400
NOTHING = CountedViews()
NOTICED = CountedViews(0, AT, NOW - GRACE)


def decide(viewing: ViewState, known=(), counted=NOTHING, *, others=(), since=0, now=NOW, read_at=NOW) -> MarkDecision:
    return decide_mark(viewing, set(known), counted, others=others, since=since, now=now, read_at=read_at)


@table(
    ("viewing", "known", "counted", "after"),
    [
        # Never looked at: whatever is there counts as dealt with, and its moment is shown.
        (ViewState(1, AT), (), None, CountedViews(1, AT)),
        (ViewState(3, AT), (EARLIER,), None, CountedViews(2, AT)),
        (ViewState(1, AT), (AT,), None, NOTHING),
        (ViewState(0, 0), (), None, NOTHING),
        # Of a view that was left in the middle, the moment of the mark is not known.
        (ViewState(1, AT, 5_000), (), None, CountedViews(1)),
        # Nothing new: a play with its row, a place in the middle, history that was deleted and is remembered.
        (ViewState(1, AT), (AT,), NOTHING, NOTHING),
        (ViewState(0, AT, 5_000), (), NOTHING, NOTHING),
        (ViewState(1, AT), (), CountedViews(1, EARLIER), CountedViews(1, EARLIER)),
        # Its row came.
        (ViewState(1, AT), (AT + 3,), NOTICED, NOTHING),
        (ViewState(2, AT), (AT,), CountedViews(1, AT, NOW), CountedViews(1)),
        # Un-marked: the plays in the history stay.
        (ViewState(0, 0), (EARLIER, AT), NOTHING, CountedViews(-2)),
        (ViewState(0, 0), (), NOTICED, NOTHING),
        # Older history was read: what it explains needs no other explanation.
        (ViewState(5, AT), (EARLIER, AT), CountedViews(5, AT), CountedViews(3, AT)),
        # One view more, and none that can be a mark: dealt with.
        (ViewState(1, AT, 5_000), (), NOTHING, CountedViews(1)),
        (ViewState(2, AT), (AT - NEAR,), NOTHING, CountedViews(1)),
        (ViewState(2, AT), (AT + NEAR,), NOTHING, CountedViews(1)),
        (ViewState(1, 0), (), NOTHING, CountedViews(1)),
        (ViewState(1, NOW), (), NOTHING, CountedViews(1, NOW)),
    ],
)
def test_what_is_no_mark_is_remembered(viewing, known, counted, after):
    assert decide(viewing, known, counted) == MarkDecision(after)


@pytest.mark.parametrize(
    ("viewing", "known", "counted"),
    [
        (ViewState(1, AT), (), NOTHING),
        (ViewState(2, AT), (EARLIER,), NOTHING),
        (ViewState(2, AT), (AT - NEAR - 1,), NOTHING),
        # After history was deleted, and after un-marking.
        (ViewState(3, AT), (), CountedViews(2, EARLIER)),
        (ViewState(1, AT), (EARLIER, EARLIER + 5), CountedViews(-2)),
        # Noticed with another moment: its own row may still come.
        (ViewState(1, AT), (), CountedViews(0, EARLIER, 1)),
        # Noticed before the clock was set back.
        (ViewState(1, AT), (), CountedViews(0, AT, NOW + 1)),
    ],
)
def test_one_view_more_is_noticed_first(viewing, known, counted):
    noticed = CountedViews(counted.unexplained, AT, NOW)
    assert decide(viewing, known, counted) == MarkDecision(noticed, wait_until=NOW + GRACE)


@pytest.mark.parametrize(
    ("counted", "count", "after"), [(NOTICED, 1, 0), (CountedViews(4, AT, NOW - GRACE), 5, 4), (NOTICED, 3, 2)]
)
def test_it_is_a_mark_after_the_history_was_read_again_and_only_the_last_one_has_a_moment(counted, count, after):
    assert decide(ViewState(count, AT), (), counted) == MarkDecision(CountedViews(after), mark=AT)
    # The mark counts as known from then on, so the next look finds nothing.
    assert decide(ViewState(count, AT), (AT,), CountedViews(after)) == MarkDecision(CountedViews(after))


@pytest.mark.parametrize(
    ("noticed_at", "read_at", "until"),
    [
        (NOW - GRACE + 1, NOW, NOW + GRACE // 10),
        # Read before the clock was set back.
        (NOW - GRACE + 1, NOW + GRACE, NOW + GRACE // 10),
        (NOW - GRACE, NOW - 1, NOW + GRACE // 10),
        (NOW, 0, NOW + GRACE),
    ],
)
def test_until_the_history_was_read_late_enough_it_waits(noticed_at, read_at, until):
    counted = CountedViews(0, AT, noticed_at)
    assert decide(ViewState(1, AT), (), counted, read_at=read_at) == MarkDecision(counted, wait_until=until)


@pytest.mark.parametrize("more", [{"since": AT + 1}, {"others": [AT]}])
def test_a_mark_before_the_chosen_day_or_at_a_remembered_play_is_none(more):
    assert decide(ViewState(1, AT), (), NOTICED, **more) == MarkDecision(CountedViews(1, AT))
    assert decide(ViewState(1, AT), (), NOTICED, since=AT).mark == AT


def test_a_mark_that_was_found_is_a_play():
    waits = MarkDecision(NOTHING, wait_until=9)
    assert marked_plays({"1": (NOTHING, MarkDecision(NOTHING, mark=AT)), "2": (NOTHING, waits)}) == {
        "1": {AT: PlaySource("1", MARKED)}
    }


class Life:
    """An item of Plex that lives at random, and what PlexSync makes of it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = AT
        self.viewing = ViewState()
        # The rows in Plex, and those that PlexSync has listed.
        self.rows: set[int] = set()
        self.listed: set[int] = set()
        # What was sent to Stash stays remembered, whatever Plex lists.
        self.sent: set[int] = set()
        self.marks: set[int] = set()
        self.found: set[int] = set()
        # Whether it was marked since it was looked at.
        self.is_marked = False
        self.counted: CountedViews | None = None

    def play(self) -> None:
        self.viewing = ViewState(self.viewing.count + 1, self.now)
        # The row has the moment at which the credits began.
        self.rows.add(self.now - self.rng.choice([0, 0, 3, 600]))

    def mark(self) -> None:
        self.viewing = ViewState(self.viewing.count + 1, self.now)
        self.marks.add(self.now)
        self.is_marked = True

    def unmark(self) -> None:
        self.viewing = ViewState()
        self.is_marked = False

    def leave(self) -> None:
        self.viewing = ViewState(self.viewing.count, self.now, self.rng.choice([0, 5_000]))
        if self.is_marked:
            # Plex tells the mark with this moment from now on.
            self.marks.add(self.now)

    def delete_history(self) -> None:
        if self.listed & self.rows:
            self.rows.discard(self.rng.choice(sorted(self.listed & self.rows)))

    def read_history(self) -> None:
        """The whole history: what was dropped stays explained."""
        dropped = self.listed - self.rows
        self.listed = set(self.rows)
        if self.counted and dropped:
            self.counted = CountedViews(
                self.counted.unexplained + len(dropped), self.counted.moment, self.counted.noticed_at
            )

    def look(self) -> None:
        """An inspection, then looks until nothing waits, with the history read before each, as plays are listed in time."""
        self.listed |= self.rows
        self.is_marked = False
        known = self.listed | self.found
        if self.counted is None or not grows(self.viewing, known, self.counted):
            self.counted = counted_views(self.viewing, known, self.counted)
            return
        for _ in range(3):
            known = self.listed | self.found
            now = self.now * 1000
            decision = decide_mark(self.viewing, known, self.counted, others=self.sent, since=0, now=now, read_at=now)
            self.counted = decision.counted
            self.found |= {decision.mark} - {0}
            self.now += GRACE // 1000 if decision.wait_until else 0

    def step(self) -> None:
        self.now += self.rng.choice([60, 4_000, 90_000])
        self.rng.choice(
            [
                self.play,
                self.mark,
                self.unmark,
                self.leave,
                self.delete_history,
                self.read_history,
                self.look,
                self.look,
            ]
        )()
        self.listed |= self.rows
        self.sent |= self.listed


@table("seed", range(300))
def test_over_any_life_nothing_is_a_mark_that_was_none(seed):
    life = Life(seed)
    for _ in range(40):
        life.step()
    assert life.found <= life.marks


@table("seed", range(100))
def test_a_mark_that_is_looked_at_before_anything_else_happens_is_found(seed):
    life = Life(seed)
    for _ in range(20):
        life.step()
    life.read_history()
    life.look()
    life.now += 2 * NEAR
    life.mark()
    marked = life.now
    life.look()
    assert marked in life.found
