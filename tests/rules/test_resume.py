"""The resume point of a scene: each row of the table of decisions."""

import pytest

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import REDO
from plexsync.rules.plays.resume import RememberedResume, ResumePlan, Watched, has_written, is_news, newest, plan_resume
from tests.tables import table

# UTC milliseconds, and a moment in Plex an hour before.
NOW = 1_700_003_600_000
AT = 1_700_000_000
LONGEST = 240_000
LENGTH = 600_000


def watched(offset: int, moment: int = AT, *, count: int = 0, item: str = "71") -> Watched:
    return Watched(item, ViewState(count, moment, offset))


def recalled(last: Watched, position: int, before: int, **more: object) -> RememberedResume:
    """What is remembered, with the position before as Stash said it."""
    return RememberedResume(last, position, before, **{"seconds_before": before / 1000, **more})


def memory(offset: int, position: int | None = None, before: int = 0, **more: object) -> RememberedResume:
    """What is remembered after a viewing left at `offset`, which Stash has got."""
    last = more.pop("last", watched(offset))
    return recalled(last, offset if position is None else position, before, **more)


def plan(last: Watched | None, position: int, remembered: RememberedResume | None = None, **more: object) -> ResumePlan:
    given = {"duration": LENGTH, "played_at": 0, "now": NOW, "longest": LONGEST, **more}
    return plan_resume(last, position, remembered, **given)


def sent(plan: ResumePlan) -> int | None:
    return plan.send.sending if plan.send else None


# --- the newest viewing ----------------------------------------------------------------------------------------------


def test_the_item_that_was_watched_last_counts():
    viewings = {"71": ViewState(0, AT, 30_000), "72": ViewState(1, AT + 5, 0), "73": ViewState()}
    assert newest(viewings) == Watched("72", ViewState(1, AT + 5, 0))
    assert newest(viewings, since=AT + 5) == Watched("72", ViewState(1, AT + 5, 0))
    assert newest(viewings, since=AT + 6) is None


def test_items_that_were_never_watched_have_no_viewing():
    assert newest({"71": ViewState(), "72": ViewState(count=1)}) is None
    assert newest({}) is None


def test_of_items_that_were_watched_in_one_second_the_same_is_always_taken():
    pair = {"71": ViewState(1, AT, 0), "72": ViewState(0, AT, 9000)}
    assert newest(pair) == newest(dict(reversed(pair.items()))) == Watched("72", ViewState(0, AT, 9000))


LAST = watched(30_000, count=1)


@table(
    ("now_watched", "is_new"),
    [
        (LAST, False),
        (watched(30_000, AT + 1, count=1), True),
        (watched(90_000, AT - 1, count=1), False),
        # Within one second.
        (watched(31_000, count=1), True),
        (watched(0, count=2), True),
        (watched(0, count=1), False),
        # A play that is older than that, and that a device has reported since.
        (watched(30_000, count=2), False),
        # The item has another key now, or another item was watched in that second.
        (watched(30_000, count=1, item="72"), False),
        (watched(0, AT + 1, count=1, item="72"), True),
        # Marked as unwatched, and left out of what goes on.
        (watched(0, AT - 100), False),
    ],
)
def test_only_a_later_viewing_is_news(now_watched, is_new):
    assert is_news(now_watched, LAST, now=NOW) is is_new


def test_a_moment_far_in_the_future_does_not_shut_out_all_others():
    ahead = watched(30_000, AT + 10 * 365 * 86_400)
    assert is_news(watched(50_000, AT + 3 * 86_400), ahead, now=NOW)
    assert not is_news(watched(50_000, AT), ahead, now=NOW)
    assert not is_news(ahead, ahead, now=NOW)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_scene_whose_items_were_never_watched_is_left_alone():
    assert plan(None, 0) == plan(None, 30_000) == ResumePlan()
    kept = memory(30_000)
    assert plan(None, 70_000, kept) == ResumePlan()


def test_what_was_left_in_plex_is_written_and_saved_before():
    result = plan(watched(30_000), 0)
    assert result == ResumePlan(send=recalled(watched(30_000), 0, 0, sending=30_000))


@pytest.mark.parametrize(
    ("offset", "duration", "position"),
    [(700_000, LENGTH, 0), (700_000, 0, 700_000), (588_000, LENGTH, 0), (587_999, LENGTH, 587_999)],
)
def test_what_was_watched_to_98_percent_begins_anew(offset, duration, position):
    assert (
        sent(plan(watched(offset), 30_000, memory(20_000, 30_000, last=watched(20_000, AT - 9)), duration=duration))
        == position
    )


@pytest.mark.parametrize(("position", "target"), [(29_001, None), (30_999, None), (29_000, 30_000), (31_000, 30_000)])
def test_less_than_a_second_is_no_difference(position, target):
    result = plan(watched(30_000), position, memory(20_000, position, last=watched(20_000, AT - 9)))
    assert sent(result) == target
    if target is None:
        assert result.resolved == recalled(watched(30_000), position, 0)


def test_what_was_watched_on_is_written():
    assert sent(plan(watched(90_000, AT + 60), 30_000, memory(30_000))) == 90_000


def test_what_was_watched_to_its_end_is_cleared():
    result = plan(watched(0, AT + 60, count=1), 30_000, memory(30_000))
    assert result.send == recalled(watched(0, AT + 60, count=1), 30_000, 0, sending=0)
    assert plan(watched(0, AT, count=1), 30_000, memory(30_000)).send


def test_a_resume_point_that_is_gone_though_nothing_was_watched_clears_nothing():
    assert plan(watched(0), 30_000, memory(30_000)) == ResumePlan()


def test_a_viewing_that_was_dealt_with_is_not_written_again():
    assert plan(watched(30_000), 30_000, memory(30_000)) == ResumePlan()


@pytest.mark.parametrize("position", [0, 10_000, 90_000])
def test_what_you_changed_in_stash_stays(position):
    assert plan(watched(30_000), position, memory(30_000)) == ResumePlan()


@pytest.mark.parametrize("offset", [0, 50_000])
def test_what_you_changed_in_stash_gives_way_to_a_later_viewing(offset):
    later = watched(offset, AT + 60, count=1)
    assert plan(later, 90_000, memory(30_000)).send == recalled(later, 90_000, 90_000, sending=offset)


def test_what_was_played_in_stash_since_the_viewing_stays():
    later = watched(50_000, AT + 60)
    kept = memory(30_000)
    result = plan(later, 90_000, kept, played_at=AT + 61)
    assert result == ResumePlan(resolved=memory(30_000, last=later))
    asked = memory(30_000, before=5_000, undone=TakenBack.UNDO)
    assert sent(plan(later, 30_000, asked, played_at=AT + 61)) == 5_000
    assert sent(plan(later, 90_000, kept, played_at=AT + 60)) == 50_000


@table(
    ("position", "played_at", "offset", "target"),
    [
        # Nobody can say how old a position is without a play in Stash.
        (90_000, 0, 30_000, None),
        (90_000, 0, 0, None),
        (90_000, AT - 1, 30_000, 30_000),
        (90_000, AT - 1, 0, 0),
        (90_000, AT + 1, 30_000, None),
        (999, 0, 30_000, 30_000),
        (0, AT + 1, 30_000, None),
        (0, 0, 0, None),
    ],
)
def test_at_first_a_position_in_stash_stays_unless_the_viewing_is_surely_later(position, played_at, offset, target):
    result = plan(watched(offset, count=1), position, played_at=played_at)
    assert sent(result) == target
    if target is None:
        assert result.resolved == recalled(watched(offset, count=1), position, position)


# --- requests whose result is unknown --------------------------------------------------------------------------------

OPEN = memory(30_000, 10_000, 5_000, sending=30_000, until=NOW + 1000)
OVER = memory(30_000, 10_000, 5_000, sending=30_000, until=NOW)


def test_a_request_that_may_still_arrive_is_waited_for():
    assert plan(watched(30_000), 10_000, OPEN) == ResumePlan(wait_until=NOW + 1000)
    assert plan(watched(90_000, AT + 60), 10_000, OPEN) == ResumePlan(wait_until=NOW + 1000)
    assert plan(None, 70_000, OPEN) == ResumePlan(wait_until=NOW + 1000)


def test_a_request_that_has_arrived_is_done_with():
    for request in (OPEN, OVER):
        assert plan(watched(30_000), 30_000, request) == ResumePlan(resolved=memory(30_000, 30_000, 5_000))


def test_after_a_request_that_has_arrived_a_later_viewing_is_written_at_once():
    later = watched(90_000, AT + 60)
    assert plan(later, 30_000, OPEN).send == recalled(later, 30_000, 5_000, sending=90_000)


def test_a_request_that_never_arrived_is_sent_again():
    assert plan(watched(30_000), 10_000, OVER).send == memory(30_000, 10_000, 5_000, sending=30_000)
    later = watched(90_000, AT + 60)
    assert plan(later, 10_000, OVER).send == recalled(later, 10_000, 5_000, sending=90_000)


def test_a_request_that_never_arrived_waits_for_its_item():
    assert plan(None, 10_000, OVER) == ResumePlan()


def test_what_you_changed_in_stash_meanwhile_stays():
    assert plan(watched(30_000), 70_000, OVER) == ResumePlan(resolved=memory(30_000, 10_000, 5_000))


def test_an_end_that_is_too_far_ahead_is_from_before_the_clock_was_set_back():
    far = memory(30_000, 10_000, sending=30_000, until=NOW + 10 * LONGEST)
    result = plan(watched(30_000), 10_000, far)
    assert (result.wait_until, result.resolved) == (
        NOW + LONGEST,
        memory(30_000, 10_000, sending=30_000, until=NOW + LONGEST),
    )


# --- undo ------------------------------------------------------------------------------------------------------------

BACK = TakenBack.UNDO


def test_what_was_there_before_is_put_back():
    asked = memory(30_000, before=5_000, undone=BACK)
    assert plan(watched(30_000), 30_000, asked).send == memory(30_000, before=5_000, sending=5_000, undone=BACK)
    assert sent(plan(None, 30_000, asked)) == 5_000
    back = memory(30_000, before=5_000, sending=5_000, until=NOW, undone=BACK)
    assert plan(watched(30_000), 5_000, back).resolved == memory(30_000, 5_000, 5_000, undone=BACK)


def test_what_is_put_back_is_remembered_with_the_position_that_stash_has():
    asked = memory(30_000, before=5_000, undone=BACK)
    back = memory(30_000, 30_900, before=5_000, sending=5_000, undone=BACK)
    assert plan(watched(30_000), 30_900, asked).send == back
    # It never arrived, and Stash has moved on a little once more.
    assert sent(plan(watched(30_000), 31_800, back)) == 5_000
    is_back = memory(30_000, 5_900, 5_900, undone=BACK)
    assert plan(watched(30_000), 5_900, asked) == ResumePlan(resolved=is_back), "somebody has put it back"


def test_a_request_to_put_back_that_never_arrived_is_sent_again():
    back = memory(30_000, before=5_000, sending=5_000, until=NOW, undone=BACK)
    assert sent(plan(watched(30_000), 30_000, back)) == 5_000


def test_what_is_no_longer_ours_is_not_put_back():
    asked = memory(30_000, before=5_000, undone=BACK)
    assert plan(watched(30_000), 70_000, asked) == ResumePlan(resolved=memory(30_000, 70_000, 70_000, undone=BACK))


def test_an_undo_waits_for_an_open_request_and_takes_it_back():
    asked = memory(30_000, 10_000, 5_000, sending=30_000, until=NOW + 1000, undone=BACK)
    assert plan(watched(30_000), 10_000, asked).wait_until == NOW + 1000
    assert sent(plan(watched(30_000), 30_000, asked)) == 5_000
    # It never arrived; the position is that of an earlier request.
    assert (
        sent(plan(watched(30_000), 10_000, memory(30_000, 10_000, 5_000, sending=30_000, until=NOW, undone=BACK)))
        == 5_000
    )


def test_after_an_undo_only_a_later_viewing_is_written():
    undone = memory(30_000, 5_000, 5_000, undone=BACK)
    assert plan(watched(30_000), 5_000, undone) == ResumePlan()
    later = watched(90_000, AT + 60)
    result = plan(later, 30_000, memory(30_000, before=5_000, undone=BACK))
    assert result.send == recalled(later, 30_000, 5_000, sending=90_000)


def test_a_redo_writes_the_viewing_again_and_only_after_an_undo():
    kept = memory(30_000, before=5_000)
    assert REDO.resume(kept) is None
    result = plan(watched(30_000), 5_000, REDO.resume(memory(30_000, 5_000, 5_000, undone=BACK)))
    assert result.send == memory(30_000, 5_000, 5_000, sending=30_000)


@pytest.mark.parametrize(
    ("remembered", "has"),
    [
        (memory(30_000, 5_000, 5_000), False),
        (memory(30_000, 5_999, 5_000), False),
        (memory(30_000, 30_000, 5_000), True),
        (memory(30_000, 5_000, 5_000, sending=30_000, until=NOW), True),
    ],
)
def test_what_was_never_written_can_not_be_taken_back(remembered, has):
    assert has_written(remembered) is has
