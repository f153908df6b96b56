"""What is decided about the plays of a scene, one row of the table after the other."""

from dataclasses import replace

import pytest

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import AGAIN, REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import LAST_MOMENT, Moments, PlayPlan, PlaySource, PlayState, RememberedPlay, plan_plays
from tests.tables import table

NOW = 1_768_471_200_000
LONGEST = 240_000
SOON = NOW + 60_000
AT = 1_768_400_000
HERE = PlaySource("71", "/status/sessions/history/5")

ADDING, SENT, PRESENT, DELETED, REMOVING = (
    PlayState.ADDING,
    PlayState.SENT,
    PlayState.PRESENT,
    PlayState.DELETED,
    PlayState.REMOVING,
)


def play(state: PlayState, **more: object) -> RememberedPlay:
    return replace(RememberedPlay(HERE, state), **more)


def plan(remembered: RememberedPlay | None, rows: int, *, in_plex: bool = True, now: int = NOW) -> PlayPlan:
    """The plan for a scene with this one moment."""
    return plan_plays(
        {AT: HERE} if in_plex else {},
        {AT: rows} if rows else {},
        {AT: remembered} if remembered else {},
        now=now,
        longest=LONGEST,
    )


def sends(plan: PlayPlan) -> str:
    assert not (plan.add and plan.remove)
    return "add" if plan.add else "remove" if plan.remove else ""


# --- moments ---------------------------------------------------------------------------------------------------------


def test_moments_are_in_order_each_once_and_written_in_utc():
    moments = Moments([1_767_323_045, 0, 1_767_323_045, LAST_MOMENT])
    assert moments.seconds == (0, 1_767_323_045, LAST_MOMENT)
    assert moments.texts() == ["1970-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "9999-12-31T23:59:59Z"]
    assert len(moments) == 3
    assert moments == Moments(iter(moments.seconds))


@pytest.mark.parametrize("seconds", [[], (), iter([])])
def test_there_is_no_empty_list_of_moments(seconds):
    with pytest.raises(ValueError, match="can't be empty"):
        Moments(seconds)


@pytest.mark.parametrize("moment", [-1, LAST_MOMENT + 1, 1.5, 1.0, True])
def test_what_is_no_whole_second_is_no_moment(moment):
    with pytest.raises(ValueError, match="no whole second"):
        Moments([moment])


# --- nothing remembered ----------------------------------------------------------------------------------------------


def test_a_play_that_stash_does_not_have_is_added():
    made = plan(None, 0)
    assert made.add == Moments([AT])
    assert made.remove is None
    assert made.resolved == {}
    assert made.begin(SOON) == {AT: play(ADDING, tries=1, until=SOON)}


@pytest.mark.parametrize("rows", [1, 2])
def test_a_play_that_stash_has_already_is_not_ours(rows):
    made = plan(None, rows)
    assert sends(made) == ""
    assert made.resolved == {AT: play(PRESENT, rows_before=rows)}


@pytest.mark.parametrize("rows", [0, 1])
def test_what_plex_does_not_list_and_nobody_remembers_is_nobodys_affair(rows):
    made = plan(None, rows, in_plex=False)
    assert made == PlayPlan(None, None, {}, {})


def test_all_missing_moments_go_in_one_request_and_nothing_else():
    plex = {moment: PlaySource("71", str(moment)) for moment in (5, 3, 9, 7)}
    made = plan_plays(plex, {3: 1, 8: 1}, {9: play(DELETED)}, now=NOW, longest=LONGEST)
    assert made.add == Moments([5, 7])
    assert made.begin(SOON).keys() == {5, 7}
    assert made.resolved == {3: RememberedPlay(plex[3], PRESENT, rows_before=1)}


# --- a request of unknown end ----------------------------------------------------------------------------------------


@table("in_plex", [True, False])
@table(("tries", "until"), [(1, NOW), (1, SOON), (2, NOW), (2, 0)])
def test_a_request_that_arrived_is_one_that_was_sent(tries, in_plex, until):
    made = plan(play(ADDING, tries=tries, until=until), 1, in_plex=in_plex)
    assert sends(made) == ""
    assert made.resolved == {AT: play(SENT)}


def test_while_a_request_may_still_arrive_it_is_waited_for():
    made = plan(play(ADDING, tries=1, until=SOON), 0)
    assert sends(made) == ""
    assert made.wait_until == SOON
    assert made.resolved == {}


def test_it_is_waited_for_the_first_of_several():
    memory = {at: play(ADDING, tries=1, until=NOW + at) for at in (300, 100, 200)}
    made = plan_plays(dict.fromkeys(memory, HERE), {}, memory, now=NOW, longest=LONGEST)
    assert made.wait_until == NOW + 100


def test_a_request_that_never_arrived_is_sent_again():
    made = plan(play(ADDING, tries=1, until=NOW), 0)
    assert made.add == Moments([AT])
    assert made.wait_until == 0
    assert made.begin(SOON) == {AT: play(ADDING, tries=2, until=SOON)}


def test_what_plex_lists_no_longer_and_stash_never_got_is_forgotten():
    assert plan(play(ADDING, tries=1, until=SOON), 0, in_plex=False).wait_until == SOON
    made = plan(play(ADDING, tries=1, until=NOW), 0, in_plex=False)
    assert sends(made) == ""
    assert made.resolved == {AT: None}


@table("in_plex", [True, False])
@table("before", [play(ADDING), play(ADDING, tries=1), play(ADDING, tries=2), play(SENT)])
def test_a_request_that_arrived_twice_or_late_and_doubled_a_play_is_repaired(before, in_plex):
    made = plan(before, 2, in_plex=in_plex)
    assert made.remove == Moments([AT])
    removing = made.begin(SOON)
    assert removing == {AT: replace(before, state=REMOVING, rows_before=2, until=SOON)}
    assert plan(made.begin(0)[AT], 1, in_plex=in_plex).resolved == {AT: play(SENT)}


def test_a_second_try_is_waited_for_even_when_the_play_is_there_for_it_may_double_it():
    twice = play(ADDING, tries=2, until=SOON)
    assert (sends(plan(twice, 1)), plan(twice, 1).wait_until) == ("", SOON)
    assert plan(twice, 1, now=SOON).resolved == {AT: play(SENT)}
    assert plan(twice, 2, now=SOON).remove == Moments([AT])


def test_the_answer_to_a_request_resolves_it_at_once():
    made = plan(play(ADDING, tries=1, until=NOW), 0)
    assert plan(made.begin(0)[AT], 1).resolved == {AT: play(SENT)}


@table(("undo", "left", "ends"), [(TakenBack.NO, 1, SENT), (TakenBack.UNDO, 0, DELETED)])
def test_of_several_rows_one_stays_and_none_after_an_undo(undo, left, ends):
    memory, rows = play(SENT, undone=undo), 5
    while sends(made := plan(memory, rows)) == "remove":
        memory, rows = made.begin(0)[AT], rows - 1
    assert rows == left
    assert made.resolved == {AT: play(ends, undone=undo)}


def test_a_time_limit_far_ahead_is_from_a_clock_that_was_set_back():
    made = plan(play(ADDING, tries=1, until=NOW + LONGEST + 1), 0)
    assert made.wait_until == NOW + LONGEST
    assert made.resolved == {AT: play(ADDING, tries=1, until=NOW + LONGEST)}
    later = plan(made.resolved[AT], 0, now=NOW + LONGEST - 1)
    assert (later.wait_until, later.resolved) == (NOW + LONGEST, {}), "it is moved once"
    assert plan(made.resolved[AT], 0, now=NOW + LONGEST).add


# --- sent ------------------------------------------------------------------------------------------------------------


def test_a_play_that_was_sent_and_is_there_needs_nothing():
    assert plan(play(SENT), 1) == PlayPlan(None, None, {}, {})


def test_a_play_that_was_sent_and_is_missing_was_deleted_by_a_person():
    made = plan(play(SENT), 0)
    assert sends(made) == ""
    assert made.resolved == {AT: play(DELETED)}
    assert plan(play(DELETED), 0) == PlayPlan(None, None, {}, {})


@pytest.mark.parametrize("in_plex", [True, False])
def test_a_play_that_stash_has_lost_is_added_again_also_if_plex_lists_it_no_more(in_plex):
    made = plan(play(ADDING), 0, in_plex=in_plex)
    assert made.add == Moments([AT])
    assert made.begin(SOON) == {AT: play(ADDING, tries=1, until=SOON)}
    assert plan(play(ADDING), 1, in_plex=in_plex).resolved == {AT: play(SENT)}
    assert plan(play(ADDING, undone=TakenBack.UNDO), 0, in_plex=in_plex).resolved == {
        AT: play(DELETED, undone=TakenBack.UNDO)
    }


@table("rows", [0, 1])
@table("state", [SENT, PRESENT, DELETED])
def test_history_that_plex_pruned_takes_nothing_out_of_stash(state, rows):
    assert plan(play(state), rows, in_plex=False) == PlayPlan(None, None, {}, {})


@table("rows", [0, 1, 2])
@table("state", [PRESENT, DELETED])
def test_what_is_not_ours_was_deleted_or_undone_is_left_alone(state, rows):
    assert plan(play(state), rows) == PlayPlan(None, None, {}, {})


# --- undo ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_plex", [True, False])
@pytest.mark.parametrize("rows", [1, 2])
def test_an_undo_removes_one_row_after_the_other(rows, in_plex):
    made = plan(play(SENT, undone=TakenBack.UNDO), rows, in_plex=in_plex)
    assert made.remove == Moments([AT])
    assert made.begin(SOON) == {AT: play(REMOVING, undone=TakenBack.UNDO, rows_before=rows, until=SOON)}


def test_an_undo_of_a_play_that_is_gone_removes_nothing():
    made = plan(play(SENT, undone=TakenBack.UNDO), 0)
    assert sends(made) == ""
    assert made.resolved == {AT: play(DELETED)}


@table("in_plex", [True, False])
@table("until", [NOW - 1, SOON])
@table("before", [1, 2])
def test_a_removal_that_arrived_is_undone(before, until, in_plex):
    made = plan(play(REMOVING, undone=TakenBack.UNDO, rows_before=before, until=until), 0, in_plex=in_plex)
    assert sends(made) == ""
    assert made.resolved == {AT: play(DELETED, undone=TakenBack.UNDO)}


def test_while_a_removal_may_still_arrive_it_is_waited_for_and_then_sent_again():
    removing = play(REMOVING, undone=TakenBack.UNDO, rows_before=2, until=SOON)
    made = plan(removing, 2)
    assert (sends(made), made.wait_until) == ("", SOON)
    again = plan(removing, 2, now=SOON)
    assert again.remove == Moments([AT])
    assert again.begin(SOON + 5) == {AT: replace(removing, until=SOON + 5)}


def test_an_undo_while_the_request_is_under_way_waits_for_its_end():
    adding = play(ADDING, tries=1, until=SOON, undone=TakenBack.UNDO)
    assert plan(adding, 0).wait_until == SOON
    never = plan(adding, 0, now=SOON)
    assert (sends(never), never.resolved) == ("", {AT: play(DELETED, undone=TakenBack.UNDO)})
    arrived = plan(adding, 1)
    assert arrived.remove == Moments([AT])
    assert plan(arrived.begin(SOON)[AT], 0).resolved == {AT: play(DELETED, undone=TakenBack.UNDO)}


def test_an_undo_of_a_doubled_play_removes_both_rows_one_by_one():
    first = plan(play(ADDING, tries=2, undone=TakenBack.UNDO), 2)
    second = plan(first.begin(SOON)[AT], 1)
    assert first.remove == second.remove == Moments([AT])
    assert plan(second.begin(SOON)[AT], 0).resolved == {AT: play(DELETED, undone=TakenBack.UNDO)}


def test_a_doubled_play_that_a_person_deleted_meanwhile_does_not_come_again():
    made = plan(play(REMOVING, tries=2, rows_before=2), 0)
    assert (sends(made), made.resolved) == ("", {AT: play(DELETED)})


def test_an_undone_play_that_is_forgotten_is_sent_again():
    assert plan(None, 0).add == Moments([AT])


# --- wishes ----------------------------------------------------------------------------------------------------------


def wished(wish: PlayWish, remembered: RememberedPlay) -> RememberedPlay | str | None:
    """What is remembered after the wish, or that it can't be made."""
    return wish.choose({AT: remembered}).get(AT, "left alone")


@table(
    ("remembered", "undone", "redone", "again"),
    [
        (play(SENT), play(SENT, undone=TakenBack.UNDO), "left alone", play(ADDING)),
        (play(SENT, undone=TakenBack.UNDO), play(SENT, undone=TakenBack.UNDO), play(SENT), "left alone"),
        (play(ADDING, tries=2), play(ADDING, tries=2, undone=TakenBack.UNDO), "left alone", "left alone"),
        (play(ADDING, undone=TakenBack.UNDO), play(ADDING, undone=TakenBack.UNDO), play(ADDING), "left alone"),
        (play(REMOVING, undone=TakenBack.UNDO), play(REMOVING, undone=TakenBack.UNDO), play(REMOVING), "left alone"),
        (play(REMOVING, tries=2), play(REMOVING, tries=2, undone=TakenBack.UNDO), "left alone", "left alone"),
        (play(PRESENT), "left alone", "left alone", None),
        (play(DELETED), "left alone", "left alone", play(ADDING)),
        (play(DELETED, undone=TakenBack.UNDO), "left alone", None, "left alone"),
    ],
)
def test_what_is_remembered_after_a_wish(remembered, undone, redone, again):
    assert [wished(wish, remembered) for wish in (UNDO, REDO, AGAIN)] == [undone, redone, again]


@pytest.mark.parametrize("in_plex", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_play_that_is_kept_after_all_waits_for_the_end_of_its_removal(rows, in_plex):
    kept = play(REMOVING, rows_before=1, until=SOON)
    assert (sends(plan(kept, rows, in_plex=in_plex)), plan(kept, rows, in_plex=in_plex).wait_until) == ("", SOON)
    after = plan(kept, rows, in_plex=in_plex, now=SOON)
    assert sends(after) == ("add" if in_plex and not rows else "")
    assert after.resolved == ({} if sends(after) else {AT: play(SENT) if rows else None})


@pytest.mark.parametrize(("rows", "request_"), [(0, "add"), (1, "")])
def test_a_play_that_is_checked_again_is_ours_or_is_sent(rows, request_):
    made = plan(wished(AGAIN, play(DELETED)), rows)
    assert sends(made) == request_
    assert made.resolved == ({AT: play(SENT)} if rows else {})


@pytest.mark.parametrize("first", [play(SENT), play(ADDING, tries=1, until=SOON)])
def test_a_redo_keeps_a_play_that_is_being_taken_back_whenever_that_began(first):
    being_removed = plan(replace(first, undone=TakenBack.UNDO), 1).begin(SOON)[AT]
    redone = wished(REDO, being_removed)
    assert (being_removed.state, redone.state, redone.undone) == (REMOVING, REMOVING, TakenBack.NO)
    assert plan(redone, 0).wait_until == SOON, "or the request would remove the play that is added now"
    assert sends(plan(redone, 0, now=SOON)) == "add"
    assert plan(redone, 1, now=SOON).resolved[AT] == play(SENT)
