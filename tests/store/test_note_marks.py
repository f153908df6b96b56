"""The notes: small texts by name, numbers among them, and the marks of scenes and items, each ended for itself."""

import pytest

from plexsync.store.database import Database
from plexsync.store.queue.notes import TAKE_OVER


@pytest.fixture
def tx(store: Database):
    with store.writing() as writer:
        yield writer


def test_a_note_is_the_last_text_and_nothing_before_there_was_one(tx):
    assert tx.notes.text("cursor") == ""
    tx.notes.save("cursor", "a")
    tx.notes.save("cursor", "b")
    tx.notes.save("other", "c")
    assert tx.notes.text("cursor") == "b"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_a_number_is_one_that_the_database_can_hold(tx, text, number):
    tx.notes.save("count", text)
    assert tx.notes.number("count") == number


def test_numbers_are_given_out_once_beginning_with_one(tx):
    assert tx.notes.take_numbers("push", 3) == 1
    assert tx.notes.take_numbers("push", 0) == 4
    assert tx.notes.take_numbers("push", 2) == 4
    assert tx.notes.number("push") == 5


def test_a_number_is_lowered_and_never_raised(tx):
    tx.notes.save("cursor", "100")
    tx.notes.save("other", "100")
    tx.notes.lower("cursor", 200)
    assert tx.notes.number("cursor") == 100
    tx.notes.lower("cursor", 99)
    assert (tx.notes.number("cursor"), tx.notes.number("other")) == (99, 100)


def test_all_notes_are_those_that_mark_no_scene_and_no_item(tx):
    tx.notes.save("cursor", "a")
    tx.notes.take_over(1, now=5)
    tx.notes.hold_ignore(1, now=5)
    tx.notes.mark_kept([1], now=5)
    tx.notes.mark_losses(["7"], 3, unknown_only=False)
    assert tx.notes.all() == {"cursor": "a"}


def test_a_take_over_ends_by_its_own_mark_or_by_any(tx):
    tx.notes.take_over(1, now=5)
    tx.notes.take_over(2, now=5)
    tx.notes.take_over(1, now=6)
    assert tx.notes.of_scenes(TAKE_OVER, [1, 2, 3]) == {1: "6", 2: "5"}
    tx.notes.end_take_over(1, "5")
    assert tx.notes.of_scenes(TAKE_OVER, [1]) == {1: "6"}
    tx.notes.end_take_over(1, "6")
    assert tx.notes.of_scenes(TAKE_OVER, [1, 2]) == {2: "5"}
    tx.notes.end_take_over(2)
    assert tx.notes.of_scenes(TAKE_OVER, [1, 2]) == {}


def test_an_ignore_that_waits_for_an_undo_is_no_question_and_ends_as_one(tx):
    tx.notes.hold_ignore(1, now=5)
    tx.notes.ignore_once_undone(2)
    assert (tx.notes.held_ignores([1, 2]), tx.notes.ignored_once_undone([1, 2])) == ({1}, {2})
    assert tx.notes.end_held_ignore(2)
    assert tx.notes.ignored_once_undone([1, 2]) == frozenset()


def test_a_held_ignore_ends_once(tx):
    tx.notes.hold_ignore(1, now=5)
    tx.notes.hold_ignore(2, now=5)
    assert tx.notes.held_ignores([1, 2, 3]) == {1, 2}
    assert tx.notes.end_held_ignore(1)
    assert not tx.notes.end_held_ignore(1)
    assert tx.notes.held_ignores([1, 2, 3]) == {2}


def test_scenes_with_a_kept_field_are_listed_by_number_from_one_on(tx):
    tx.notes.mark_kept([10, 9, 100], now=5)
    tx.notes.mark_kept([9, 11], now=6)
    assert tx.notes.text("kept:9") == "5"
    assert tx.notes.count_kept() == 4
    assert tx.notes.kept_scenes(after=0, limit=9) == [9, 10, 11, 100]
    assert tx.notes.kept_scenes(after=9, limit=2) == [10, 11]
    assert tx.notes.kept_among([100, 10, 3]) == [10, 100]
    tx.notes.end_kept([10, 3])
    assert tx.notes.kept_scenes(after=0, limit=9) == [9, 11, 100]


def test_a_loss_is_marked_once_for_what_the_database_does_not_know(tx):
    assert not tx.notes.has_losses()
    tx.notes.mark_losses(["7", "8"], 3, unknown_only=False)
    tx.notes.mark_losses(["8", "9"], 4, unknown_only=True)
    assert tx.notes.losses(["7", "8", "9", "10"]) == {"7": 3, "8": 3, "9": 4}
    assert tx.notes.has_losses()
    tx.notes.end_losses(["7", "9"])
    assert tx.notes.losses(["7", "8", "9"]) == {"8": 3}
    tx.notes.end_losses(["8"])
    assert not tx.notes.has_losses()
