"""What an item that was taken back remembers: how, until when, and whose item it is."""

from dataclasses import replace

import pytest

from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.plan_records import Change, Pushing, Sending
from plexsync.rules.merge.undo import (
    begun_anew,
    is_taken_back,
    is_undone,
    ours_in,
    shows_our_hand,
    take_back_plan,
    undo,
)
from plexsync.rules.merge.values import Held
from tests.rules.test_plan import item, remembered

OURS = {"studio": remembered("ours", found="before us")}


def pushing(**sent):
    """A push whose end is unknown, of these values under a lock."""
    empty = Held("", locked=False)
    return Pushing({name: Sending(value, Held(value, True), empty, empty) for name, value in sent.items()}, until=9)


# --- is it the item that PlexSync wrote to? --------------------------------------------------------------------------


def test_an_item_with_a_value_that_plexsync_left_under_its_lock_is_the_known_one():
    assert shows_our_hand(item("studio", studio="ours"), OURS, ())


@pytest.mark.parametrize(
    "now",
    [item("studio", studio="theirs"), item(studio="ours"), item("studio"), item("title", title="ours")],
    ids=["another value", "no lock", "no value", "another field"],
)
def test_an_item_without_such_a_value_is_any_item(now):
    assert not shows_our_hand(now, OURS, ())
    assert not shows_our_hand(now, {}, [pushing(studio="ours")])


def test_a_value_that_was_sent_and_may_have_arrived_tells_the_item_too():
    assert shows_our_hand(item("studio", studio="sent"), OURS, [pushing(title="other"), pushing(studio="sent")])


def test_an_empty_value_under_a_lock_tells_nothing():
    assert not shows_our_hand(item("studio"), {"studio": remembered("", found="")}, [pushing(studio="")])


def test_a_field_that_has_no_lock_tells_nothing():
    rated = item("userRating", userRating="8.0")
    assert not shows_our_hand(rated, {"userRating": remembered("8.0")}, [pushing(userRating="8.0")])


# --- how long does it stay so? ---------------------------------------------------------------------------------------


def test_an_item_stays_taken_back_until_stash_says_something_else():
    taken_back = undo(OURS, (), {"studio": "new"}, {"studio", "title"}, "undo")
    assert undo_mode(taken_back) == "undo"
    assert is_undone(taken_back, {"studio": "new"})
    assert not is_undone(taken_back, {"studio": "newer"})
    assert not is_undone(OURS, {"studio": "ours"})


def test_members_in_another_order_or_spelling_are_nothing_new():
    taken_back = undo({}, (), {"genre": ("A", "B")}, {"genre"}, "release")
    assert is_undone(taken_back, {"genre": ("b", "A")})
    assert not is_undone(taken_back, {"genre": ("A",)})


def test_a_field_that_nobody_knew_at_the_undo_is_nothing_new():
    assert is_undone(undo(OURS, (), {}, (), "undo"), {"title": "later"})


def test_an_item_of_a_scene_that_was_gone_is_synced_again_with_the_scene():
    taken_back = undo(OURS, (), {"studio": "ours"}, (), "gone")
    assert is_undone(taken_back, {})
    assert not is_undone(taken_back, {"studio": "ours"})


def test_an_undo_marks_what_it_remembers_what_it_sent_and_what_is_on_and_nothing_else():
    marked = undo(OURS, [pushing(title="sent")], {"genre": ("A",), "summary": "s"}, {"genre"}, "undo")
    assert {name: field.said for name, field in marked.items()} == {"studio": "ours", "title": "", "genre": ("A",)}
    assert {field.undone for field in marked.values()} == {"undo"}
    assert marked["genre"].left == marked["genre"].found == Held((), locked=False)


# --- what is written? ------------------------------------------------------------------------------------------------


def plan_for(now, known, how="undo"):
    memory = undo(known, (), {}, (), how)
    return take_back_plan({}, now, memory, memory)


def test_a_value_of_plexsync_becomes_what_was_there_before_without_its_lock():
    made = plan_for(item("studio", studio="ours"), OURS)
    assert made.edit == {"studio": Change("before us", False)}
    sending = made.sending["studio"]
    assert (sending.sent, sending.found) == (Held("before us", False), Held("before us", False))
    assert (sending.before, sending.undone) == (Held("ours", True), "undo")


def test_a_value_that_was_locked_before_keeps_its_lock():
    known = {"studio": remembered("ours", found="before us", found_locked=True)}
    assert plan_for(item("studio", studio="ours"), known).edit == {"studio": Change("before us", None)}


def test_a_value_that_was_there_before_only_loses_the_lock():
    made = plan_for(item("studio", studio="ours"), {"studio": remembered("ours", found="ours")})
    assert made.edit == {"studio": Change(None, False)}
    assert made.sending["studio"].sent == Held("ours", False)


def test_a_title_that_was_empty_before_stays_and_only_loses_the_lock():
    assert plan_for(item("title", title="ours"), {"title": remembered("ours")}).edit == {"title": Change(None, False)}


def test_a_field_without_a_lock_is_given_its_value_alone():
    made = plan_for(item("userRating", userRating="8.0"), {"userRating": remembered("8.0", found="4.0")})
    assert made.edit == {"userRating": Change("4.0", None)}


def test_a_value_that_somebody_changed_since_is_left_and_told():
    now = item("studio", studio="theirs")
    made = plan_for(now, OURS)
    assert (made.edit, [note.reason for note in made.notes]) == ({}, ["person"])
    assert made.memory["studio"].found == made.memory["studio"].left == Held("theirs", True)


def test_a_value_that_somebody_set_back_is_nothing_to_tell():
    made = plan_for(item(studio="before us"), OURS)
    assert (made.edit, made.notes) == ({}, ())


def test_a_release_takes_off_the_lock_of_plexsync_and_no_other():
    assert plan_for(item("studio", studio="ours"), OURS, "release").edit == {"studio": Change(None, False)}
    known = {"studio": remembered("ours", found="before us", found_locked=True)}
    assert plan_for(item("studio", studio="ours"), known, "release").edit == {}


def test_the_members_that_were_added_are_removed_and_those_of_others_stay():
    made = plan_for(item("genre", genre=("A", "Theirs")), {"genre": remembered(("A",), A="A")})
    assert made.edit == {"genre": Change(("Theirs",), False, (), ("A",))}
    sending = made.sending["genre"]
    assert (sending.sent, sending.removes, sending.adds) == (Held(("Theirs",), False), ("A",), ())
    assert (sending.found, sending.before) == (Held((), False), Held(("A", "Theirs"), True))


def test_members_that_were_taken_over_are_restored_if_plexsync_removed_them():
    known = {"genre": replace(remembered(("A",), A="A"), adopted=("Old",))}
    assert plan_for(item("genre", genre=("A",)), known).edit == {"genre": Change(("Old",), False, ("Old",), ("A",))}


def test_a_release_leaves_the_members_and_takes_off_the_lock():
    made = plan_for(item("genre", genre=("A",)), {"genre": remembered(("A",), A="A")}, "release")
    assert made.edit == {"genre": Change(None, False)}


def test_a_lock_that_somebody_changed_on_a_list_stays_as_it_is():
    made = plan_for(item(genre=("A",)), {"genre": remembered(("A",), A="A")})
    assert made.edit == {"genre": Change((), False, (), ("A",))}
    known = {"genre": remembered(("A",), locked=False, A="A")}
    assert plan_for(item("genre", genre=("A",)), known).edit == {"genre": Change((), True, (), ("A",))}


def test_what_is_released_already_is_remembered_and_not_written():
    made = plan_for(item(studio="x"), {"studio": remembered("x", locked=False, found="x")})
    assert (made.edit, set(made.memory)) == ({}, {"studio"})


def test_a_field_that_came_later_is_remembered_as_it_is():
    memory = undo(OURS, (), {}, (), "undo")
    made = take_back_plan({"title": "new"}, item("studio", studio="ours", title="t"), memory, memory)
    assert made.memory["title"].left == made.memory["title"].found == Held("t", locked=False)
    assert made.memory["title"].undone == "undo"


def test_an_item_is_taken_back_once_nothing_of_plexsync_is_left_in_it():
    memory = undo(OURS, (), {}, (), "undo")
    assert not is_taken_back(memory)
    assert ours_in(memory) == ["studio"]
    assert is_taken_back(undo({"studio": remembered("x", locked=False, found="x")}, (), {}, (), "undo"))
    assert not is_taken_back({"studio": remembered("x", locked=False, found="x")})


# --- and afterwards? -------------------------------------------------------------------------------------------------


def test_what_still_is_in_plex_after_an_undo_belongs_to_plexsync_in_the_next_sync():
    anew = begun_anew(undo(OURS, (), {"studio": "new"}, (), "undo"))
    assert anew["studio"].undone == ""
    assert anew["studio"].found == OURS["studio"].found


def test_the_members_that_were_added_are_what_stash_said_in_the_next_sync():
    listed = {"genre": remembered(("A", "B"), A="a")}
    anew = begun_anew(undo(listed, (), {"genre": ("C",)}, (), "undo"))
    assert (anew["genre"].said, anew["genre"].ours, anew["genre"].before) == (("A",), {"A": "a"}, None)


def test_a_field_with_nothing_of_plexsync_is_forgotten_in_the_next_sync():
    assert begun_anew(undo({}, (), {"studio": "new"}, {"studio"}, "undo")) == {}
