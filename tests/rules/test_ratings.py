"""What is decided about the rating of a scene, one row of the table after the other."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.ratings import (
    NEW,
    NO_RATING,
    UNKNOWN,
    ItemRating,
    Pending,
    RatingPlan,
    RememberedRating,
    after_arrival,
    plan_rating,
    plex_rating,
    plex_text,
    stash_rating,
    taken_over,
)
from tests.tables import table

NOW = 1_768_471_200_000
LONGEST = 240_000
SOON = NOW + 60_000
NONE = NO_RATING


def base(stash: int, plex: int, **more: object) -> RememberedRating:
    return replace(RememberedRating(stash, plex), **more)


def plan(
    memory: Mapping[str, RememberedRating], stash: int, *plex: int | ItemRating, wins: str = "stash", now: int = NOW
) -> RatingPlan:
    """The plan for a scene whose items, 71 and so on, have these ratings in Plex."""
    items = {str(71 + n): item if isinstance(item, ItemRating) else ItemRating(item) for n, item in enumerate(plex)}
    return plan_rating(memory, stash, items, wins, now=now, longest=LONGEST)


def sends(plan: RatingPlan) -> tuple[int | None, dict[str, int]]:
    return plan.to_stash, dict(plan.to_plex)


NOTHING: tuple[None, dict[str, int]] = (None, {})


@pytest.mark.parametrize(
    ("before", "stash", "plex", "to_stash", "to_plex"),
    [
        pytest.param((80, 80), 80, 80, None, None, id="nothing moved"),
        pytest.param((83, 85), 83, 85, None, None, id="nothing moved and Plex had rounded it"),
        pytest.param((80, 80), 60, 80, None, 60, id="Stash moved"),
        pytest.param((80, 80), 80, 60, 60, None, id="Plex moved"),
        pytest.param((83, 85), 83, 90, 90, None, id="Plex moved after it had rounded"),
        pytest.param((80, 80), NONE, 80, None, NONE, id="cleared in Stash"),
        pytest.param((80, 80), 80, NONE, NONE, None, id="cleared in Plex"),
        pytest.param((NONE, NONE), 80, NONE, None, 80, id="rated in Stash for the first time"),
        pytest.param((NONE, NONE), NONE, 80, 80, None, id="rated in Plex for the first time"),
        pytest.param((80, 80), 60, 60, None, None, id="both moved to the same"),
        pytest.param((80, 80), NONE, NONE, None, None, id="both cleared"),
        pytest.param(None, 80, 80, None, None, id="no base and equal"),
        pytest.param(None, NONE, NONE, None, None, id="no base and no rating"),
        pytest.param(None, 80, NONE, None, 80, id="no base and empty in Plex"),
        pytest.param(None, NONE, 80, 80, None, id="no base and empty in Stash"),
    ],
)
@table("wins", ["stash", "plex"])
def test_the_side_that_has_moved_goes_to_the_other(before, stash, plex, to_stash, to_plex, wins):
    memory = {"71": base(*before)} if before else {}
    made = plan(memory, stash, plex, wins=wins)
    assert sends(made) == (to_stash, {} if to_plex is None else {"71": to_plex})
    if to_stash is to_plex is None:
        remembered = made.resolved.get("71", memory.get("71", NEW))
        expected = (UNKNOWN, UNKNOWN) if (before, stash) == (None, NONE) else (stash, plex)
        assert (remembered.stash, remembered.plex) == expected


@pytest.mark.parametrize(("wins", "sent"), [("stash", (None, {"71": 60})), ("plex", (40, {}))])
@pytest.mark.parametrize("before", [base(80, 80), None])
def test_the_setting_decides_if_both_have_moved_or_nothing_is_known(before, wins, sent):
    assert sends(plan({"71": before} if before else {}, 60, 40, wins=wins)) == sent


@pytest.mark.parametrize(("wins", "sent"), [("stash", (None, {"71": NONE})), ("plex", (40, {}))])
def test_a_cleared_rating_has_moved_as_well(wins, sent):
    assert sends(plan({"71": base(80, 80)}, NONE, 40, wins=wins)) == sent


def test_an_older_rating_than_that_of_the_base_is_of_a_backup_and_goes_nowhere():
    memory = {"71": base(80, 80, rated_at=200)}
    assert sends(plan(memory, 80, ItemRating(60, 100))) == (None, {"71": 80})
    assert sends(plan(memory, 80, ItemRating(60, 200))) == (60, {})
    assert sends(plan(memory, 80, ItemRating(60))) == (60, {}), "nothing is known"
    made = plan({"71": base(80, 80)}, 60, ItemRating(60, 300))
    assert made.resolved["71"].rated_at == 300


def test_an_item_that_was_never_rated_where_the_base_was_is_of_a_backup_as_well():
    memory = {"71": base(80, 80, rated_at=200)}
    assert sends(plan(memory, 80, ItemRating(NONE))) == (None, {"71": 80})
    assert sends(plan(memory, 80, ItemRating(NONE, 300))) == (NONE, {}), "you have cleared it"
    assert sends(plan({"71": base(80, 80)}, 80, ItemRating(NONE))) == (NONE, {}), "nothing is known"


def test_what_an_item_that_is_gone_has_replaced_in_stash_is_remembered_with_one_that_is_there():
    gone = base(80, 80, stash_before=20, changed_at=5)
    assert taken_over({"71": gone}, ["71"], 80) == {}
    heir = {"72": RememberedRating(stash=80, stash_before=20), "71": base(80, 80, changed_at=5)}
    assert taken_over({"71": gone}, ["73", "72"], 80) == heir
    asked = replace(gone, undone=TakenBack.UNDO)
    assert taken_over({"71": asked}, ["72"], 80)["72"].undone
    assert not taken_over({"71": asked}, ["72"], 80)["71"].undone
    assert taken_over({"71": replace(asked, plex_before=30)}, ["72"], 80)["71"].undone, "its own part is left"
    assert taken_over({"71": gone}, ["72"], 70) == {"71": base(80, 80, changed_at=5)}, "you have rated since"
    known = {"71": gone, "72": base(80, 80, stash_before=30)}
    assert taken_over(known, ["72"], 80) == {"71": base(80, 80, changed_at=5)}
    older = replace(gone, stash_before=40, changed_at=4)
    assert taken_over({"71": gone, "70": older}, ["72"], 80)["72"].stash_before == 20


# --- several items ---------------------------------------------------------------------------------------------------


def test_of_several_items_the_one_that_was_rated_last_speaks_and_the_others_follow():
    memory = {"71": base(80, 80), "72": base(80, 80), "73": base(80, 80)}
    items = (ItemRating(60, 100), ItemRating(40, 200), ItemRating(80, 300))
    made = plan(memory, 80, *items)
    assert sends(made) == (40, {}), "the others follow once Stash has it"
    assert sends(plan(begun(made), 40, *items)) == (None, {"71": 40, "73": 40})
    # One that you rate meanwhile says something new.
    assert sends(plan(begun(made), 40, ItemRating(20, 300), *items[1:])) == (20, {})
    # A request that never arrived leaves all as it was.
    assert sends(plan(begun(made), 80, *items[:1], ItemRating(80, 400), *items[2:], now=SOON)) == (60, {})


def test_an_item_that_comes_later_follows_the_others():
    memory = {"71": base(83, 85)}
    assert sends(plan(memory, 83, 85, NONE)) == (None, {"72": 83})
    assert sends(plan(memory, 83, 85, 40)) == (None, {"72": 83})
    assert sends(plan(memory, 83, 85, 40, wins="plex")) == (40, {})
    assert sends(plan({"71": base(NONE, NONE)}, NONE, NONE, 40)) == (40, {})


def test_once_an_item_speaks_one_that_came_later_and_was_rated_last_has_the_say():
    memory = {"71": base(43, 43, rated_at=100)}
    assert sends(plan(memory, 43, ItemRating(50, 200), ItemRating(25, 300))) == (25, {})
    assert sends(plan(memory, 43, ItemRating(50, 300), ItemRating(25, 200))) == (50, {})
    assert sends(plan(memory, 60, ItemRating(50, 200), ItemRating(25, 300))) == (None, {"71": 60, "72": 60})


def test_of_two_bases_the_later_one_counts():
    memory = {"71": base(80, 80, changed_at=1), "72": base(60, 60, changed_at=2)}
    assert sends(plan(memory, 60, 80, 40)) == (40, {})


@pytest.mark.parametrize("ahead", [0, 1, 10**9])
def test_the_base_that_was_saved_last_counts_also_in_one_moment_and_after_the_clock_was_set_back(ahead):
    others = base(80, 80, changed_at=NOW + ahead)
    rated = base(80, 80, pending=Pending.TO_PLEX, sent=60, until=SOON)
    saved = {
        "read back": after_arrival({"71": others, "72": rated}, 60, {"72": ItemRating(60)}, now=NOW, answered=True),
        "in step": plan({"71": others, "72": base(80, 40)}, 60, 80, 60).resolved,
        "answered": after_arrival(
            {"71": others, "72": replace(rated, pending=Pending.TO_STASH)}, 60, {"72": ItemRating(60)}, now=NOW
        ),
        "begun anew": plan({"71": others, "72": replace(NEW, undone=TakenBack.UNDO)}, 60, 80, 60).resolved,
    }
    for how, rows in saved.items():
        assert rows["72"].changed_at > NOW + ahead, how
        memory = {"71": others, "72": replace(rows["72"], undone=TakenBack.NO)}
        assert sends(plan(memory, 60, 40, 60)) == (40, {}), f"{how}: Stash has not moved, and the other item has"


# --- requests of unknown result --------------------------------------------------------------------------------------


def begun(made: RatingPlan) -> dict[str, RememberedRating]:
    return {key: replace(row, until=SOON) for key, row in made.rows.items()}


def test_what_arrived_in_plex_is_the_base_as_plex_has_it():
    memory = begun(plan({"71": base(80, 80)}, 83, 80))
    assert (memory["71"].pending, memory["71"].sent, memory["71"].plex_before) == (Pending.TO_PLEX, 83, 80)
    made = plan(memory, 83, 83)
    assert (sends(made), made.wait_until) == (NOTHING, 0)
    assert made.resolved["71"] == base(83, 83, plex_before=80, changed_at=NOW)


def test_what_plex_makes_of_a_rating_is_the_base_once_it_has_answered():
    memory = begun(plan({"71": base(80, 80)}, 83, 80))
    after = after_arrival(memory, 83, {"71": ItemRating(85)}, now=NOW, answered=True)
    assert after["71"] == base(83, 85, plex_before=80, changed_at=NOW)
    assert sends(plan(after, 83, 85)) == NOTHING
    # Without an answer it may be yours: both have moved, once the request can't arrive any more.
    assert plan(memory, 83, 85).wait_until == SOON
    assert sends(plan(memory, 83, 85, now=SOON)) == (None, {"71": 83})
    assert sends(plan(memory, 83, 85, wins="plex", now=SOON)) == (85, {})


def test_what_did_not_arrive_in_plex_waits_until_it_can_no_longer_arrive():
    memory = begun(plan({"71": base(80, 80)}, 83, 80))
    made = plan(memory, 83, 80)
    assert (sends(made), made.wait_until) == (NOTHING, SOON)
    made = plan(memory, 83, 80, now=SOON)
    assert sends(made) == (None, {"71": 83})


def test_a_rating_that_plex_rounds_to_the_one_before_has_arrived_once_it_is_answered():
    memory = begun(plan({"71": base(86, 85)}, 84, 85))
    assert plan(memory, 84, 85).wait_until == SOON
    assert after_arrival(memory, 84, {"71": ItemRating(85)}, now=NOW, answered=True)["71"].plex == 85
    assert after_arrival(memory, 84, {"71": ItemRating(70)}, now=NOW, answered=True)["71"].pending


@pytest.mark.parametrize(
    ("sent", "value", "arrives"),
    [
        pytest.param(1, 5, True, id="the least rating"),
        pytest.param(5, 1, True, id="to the least rating"),
        pytest.param(83, 88, True, id="half a star up"),
        pytest.param(83, 78, True, id="half a star down"),
        pytest.param(83, 89, False, id="more than half a star up"),
        pytest.param(83, 77, False, id="more than half a star down"),
        pytest.param(4, NONE, False, id="a small rating to none"),
        pytest.param(NONE, 4, False, id="none to a small rating"),
        pytest.param(NONE, NONE, True, id="none"),
    ],
)
def test_plex_rounds_a_rating_by_half_a_star_at_most_and_never_to_or_from_none(sent, value, arrives):
    row = base(50, 50, pending=Pending.TO_PLEX, sent=sent, until=SOON)
    after = after_arrival({"71": row}, sent, {"71": ItemRating(value)}, now=NOW, answered=True)["71"]
    assert (not after.pending, after.plex) == (arrives, value if arrives else 50)


def test_what_arrived_in_stash_is_the_base_and_else_it_waits():
    memory = begun(plan({"71": base(80, 80)}, 80, 60))
    assert (memory["71"].pending, memory["71"].sent, memory["71"].stash_before) == (Pending.TO_STASH, 60, 80)
    made = plan(memory, 60, 60)
    assert sends(made) == NOTHING
    assert made.resolved["71"] == base(60, 60, stash_before=80, changed_at=NOW)
    # You rated it again meanwhile: that waits, too, or the first request could arrive after the second.
    made = plan(memory, 80, 40)
    assert (sends(made), made.wait_until) == (NOTHING, SOON)
    assert sends(plan(memory, 80, 40, now=SOON)) == (40, {})


def test_of_several_requests_the_one_that_may_arrive_last_is_waited_for():
    sent = base(80, 80, pending=Pending.TO_PLEX, sent=60, until=SOON)
    memory = {"71": sent, "72": replace(sent, until=SOON + 5), "73": replace(sent, until=SOON + 1)}
    made = plan(memory, 60, 80, 80, 80)
    assert (sends(made), made.wait_until) == (NOTHING, SOON + 5)


def test_a_time_from_before_the_clock_was_set_back_is_capped():
    memory = {"71": base(80, 80, pending=Pending.TO_PLEX, sent=60, until=NOW + 10**9)}
    made = plan(memory, 60, 80)
    assert made.wait_until == NOW + LONGEST == made.resolved["71"].until


# --- undo ------------------------------------------------------------------------------------------------------------


def undone(row: RememberedRating) -> dict[str, RememberedRating]:
    return {"71": replace(row, undone=TakenBack.UNDO)}


def test_an_undo_puts_back_what_was_in_plex_and_both_sides_rest():
    memory = undone(base(80, 80, plex_before=60))
    made = plan(memory, 80, 80)
    assert sends(made) == (None, {"71": 60})
    done = plan(begun(made), 80, 60)
    assert sends(done) == NOTHING
    assert done.resolved["71"] == base(80, 60, changed_at=NOW)
    assert sends(plan(done.resolved, 80, 60)) == NOTHING
    assert sends(plan(done.resolved, 80, 40)) == (40, {}), "what you change afterwards counts"


def test_an_undo_puts_back_what_was_in_stash():
    memory = undone(base(80, 80, stash_before=NONE))
    made = plan(memory, 80, 80)
    assert sends(made) == (NONE, {})
    done = plan(begun(made), NONE, 80)
    assert done.resolved["71"] == base(NONE, 80, changed_at=NOW)
    assert sends(plan(done.resolved, NONE, 80)) == NOTHING


@pytest.mark.parametrize(("stash", "plex", "sent"), [(70, 80, (None, {"71": 70})), (80, 70, (70, {}))])
def test_an_undo_leaves_a_value_that_is_not_ours_any_more(stash, plex, sent):
    row = base(80, 80, plex_before=60) if plex != 80 else base(80, 80, stash_before=60)
    made = plan(undone(row), stash, plex)
    assert sends(made) == NOTHING
    assert made.resolved["71"] == base(80, 80)
    assert sends(plan(made.resolved, stash, plex)) == sent


@pytest.mark.parametrize("before", [{"stash_before": 80}, {"plex_before": 80}, {"stash_before": 80, "plex_before": 80}])
def test_an_undo_of_what_is_there_again_already_sends_nothing_and_is_over(before):
    made = plan(undone(base(80, 80, **before)), 80, 80)
    assert (sends(made), made.resolved["71"]) == (NOTHING, base(80, 80))


def test_an_undo_waits_for_a_request_that_is_out():
    memory = undone(begun(plan({"71": base(80, 60)}, 90, 60))["71"])
    assert plan(memory, 90, 60).wait_until == SOON
    assert sends(plan(memory, 90, 90)) == (None, {"71": 60})
    assert sends(plan(memory, 90, 60, now=SOON)) == NOTHING, "it never arrived"


def test_what_you_set_is_not_ours_to_take_back():
    assert plan({"71": base(80, 80, plex_before=60)}, 80, 70).rows["71"].plex_before == UNKNOWN
    made = plan({"71": base(80, 80, stash_before=60)}, 70, 80)
    assert made.rows["71"].stash_before == UNKNOWN
    # What was there first stays remembered while only PlexSync writes.
    assert plan({"71": base(80, 80, plex_before=60)}, 70, 80).rows["71"].plex_before == 60


# --- scales ----------------------------------------------------------------------------------------------------------


def test_plex_has_a_tenth_of_the_rating_in_stash():
    assert [plex_rating(text) for text in ("", "0", "8.3", "8.5", "10", "0.1")] == [NONE, NONE, 83, 85, 100, 1]
    assert [plex_text(rating) for rating in (NONE, 83, 80, 100)] == ["", "8.3", "8", "10"]
    assert [stash_rating(rating) for rating in (None, 0, 1, 100)] == [NONE, NONE, 1, 100]
