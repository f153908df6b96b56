"""When two values of a field are the same, and when one in Plex can be the result of one that was sent."""

import pytest

from plexsync.rules.merge.values import (
    LEAST_CUT,
    Held,
    alike_value,
    empty_value,
    joined_names,
    matches,
    matches_sent,
    names_present,
    same_value,
    without_names,
)

SAME = [
    ("title", "Cafe\u0301", "Caf\u00e9"),
    ("userRating", "8", "8.0"),
    ("userRating", "", ""),
    ("genre", ("A", "b"), ("B", "A")),
    ("genre", (), ()),
]
OTHER = [
    ("title", "8", "8.0"),
    ("title", "a", "A"),
    ("userRating", "8", ""),
    ("userRating", "8", "8.5"),
    ("genre", ("A", "B"), ("A",)),
    ("genre", (), ("A",)),
]


@pytest.mark.parametrize(("name", "a", "b"), SAME)
def test_values_are_the_same_in_any_form_of_theirs(name, a, b):
    assert same_value(name, a, b)
    assert alike_value(name, a, b)


@pytest.mark.parametrize(("name", "a", "b"), OTHER)
def test_other_values_are_not_the_same(name, a, b):
    assert not same_value(name, a, b)
    assert not same_value(name, b, a)


CUT = "x" * LEAST_CUT


@pytest.mark.parametrize(
    ("in_plex", "sent", "alike"),
    [
        ("a", "A", True),
        ("a", "ab", False),
        (CUT, CUT + "y", True),
        (CUT + "\ufffd", CUT + "ü", True),
        (CUT[1:], CUT + "y", False),
        (CUT + "y", CUT, False),
        ((CUT, "B"), ("b", CUT + "y"), True),
        ((CUT,), (CUT + "y", "B"), False),
        ((CUT, "C"), (CUT + "y",), False),
        ((CUT,), (CUT + "y", CUT + "z"), True),
    ],
)
def test_what_plex_folded_or_cut_can_be_the_result_of_what_was_sent(in_plex, sent, alike):
    name = "genre" if isinstance(sent, tuple) else "title"
    assert alike_value(name, in_plex, sent) is alike


def test_a_lock_is_part_of_what_is_held():
    ours = Held("a", locked=True)
    assert matches("title", ours, Held("a", locked=True))
    assert not matches("title", ours, Held("a", locked=False))
    assert not matches("title", ours, Held("b", locked=True))
    assert matches_sent("title", Held("A", locked=True), ours)
    assert not matches_sent("title", Held("A", locked=False), ours)


def test_nothing_is_a_list_where_the_field_is_one():
    assert (empty_value("genre"), empty_value("title")) == ((), "")


def test_names_keep_their_order_and_their_spelling():
    assert without_names(("A", "b", "C"), ("B",)) == ("A", "C")
    assert joined_names(("A", "b"), ("B", "C")) == ("A", "b", "C")
    assert names_present(("c", "A", "b"), ("B", "C")) == ("c", "b")
