"""How much may vanish at once, and what an accepted loss means for the next one."""

import pytest

from plexsync.rules.match.losses import LONG, AcceptedLoss, accepted_loss, is_large
from plexsync.rules.queue.job import DAY
from tests.tables import table

T = 1_700_000_000_000


@table(
    ("lost", "size", "large"),
    [
        (3, 5, False),
        (5, 1000, False),
        (10, 10, False),
        (11, 11, True),
        (30, 30, True),
        (50, 1000, False),
        (51, 1000, True),
        (0, 0, False),
    ],
)
def test_a_loss_is_large_by_its_number_and_its_share(lost, size, large):
    assert is_large(lost, size) is large


def test_losses_of_a_day_are_one_and_an_accepted_one_counts_from_its_time():
    assert AcceptedLoss().begins(T) == T - DAY
    assert AcceptedLoss(T - 3 * DAY, 40).begins(T) == T - 3 * DAY
    assert AcceptedLoss(T - DAY // 2).begins(T) == T - DAY // 2


@pytest.mark.parametrize(("age", "gone", "over"), [(0, 40, False), (1, 40, True), (1, 39, False), (30, 0, True)])
def test_an_accepted_loss_is_over_a_day_later_once_it_is_worked_off(age, gone, over):
    assert AcceptedLoss(T, 40).is_over(T + age * DAY, gone) is over


def test_an_accepted_loss_is_over_to_the_millisecond_and_at_once_if_the_clock_was_set_back():
    loss = AcceptedLoss(T, 40)
    assert [loss.is_over(now, 40) for now in (T - 1, T, T + DAY - 1, T + DAY)] == [True, False, False, True]
    assert AcceptedLoss(T, 1).is_over(T + DAY, 1)
    assert not AcceptedLoss(T).is_over(T + LONG, 0), "nothing was accepted"


def test_what_is_back_is_no_accepted_loss_any_more():
    worked_off = AcceptedLoss(T, 40).follow(30)
    assert worked_off == AcceptedLoss(T, 40, 30)
    assert worked_off.follow(10) == AcceptedLoss(T, 20, 10)
    assert worked_off.follow(0).follow(10) == AcceptedLoss(T, 10, 10)
    assert AcceptedLoss(T, 40, 40).follow(0).count == 0


def test_a_comparison_tells_how_many_of_an_accepted_loss_are_still_to_go():
    assert AcceptedLoss(T, 40).follow(0, 0) == AcceptedLoss(T)
    assert AcceptedLoss(T, 40, 30).follow(30, 5) == AcceptedLoss(T, 35, 30)
    assert AcceptedLoss(T, 40, 30).follow(30, 50) == AcceptedLoss(T, 40, 30)


def test_nothing_is_followed_without_an_accepted_loss():
    assert AcceptedLoss(T).follow(7, 3) == AcceptedLoss(T)


@table(
    "text",
    [
        "",
        "[]",
        "{",
        '{"at": -1}',
        '{"at": "x", "count": 1}',
        '{"at": 1, "count": 1, "gone": -1}',
        '{"more": 1}',
        "[" * 10_000,
    ],
)
def test_an_unreadable_note_is_no_loss(text):
    assert accepted_loss(text) == AcceptedLoss(at=0, count=0, gone=0)


def test_a_loss_is_read_as_it_was_written():
    assert accepted_loss(AcceptedLoss(T, 40, 7).text()) == AcceptedLoss(T, 40, 7)
    assert accepted_loss(f'{{"at": {T}, "count": 40}}') == AcceptedLoss(T, 40)
