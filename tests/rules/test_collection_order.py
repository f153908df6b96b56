"""The order of a collection: the fewest moves, and whose the present order is."""

from dataclasses import replace
from random import Random

import pytest

from plexsync.rules.collections.collection_order import (
    ORDER,
    apply_move,
    as_text,
    moves,
    order_in_plex,
    placed_order,
    sort_of,
    told_order,
)
from plexsync.rules.item import ALPHABETICAL, Item
from plexsync.rules.merge.memory import learn
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.undo import undo
from plexsync.rules.merge.values import Held


def collection(order: str) -> Item:
    return Item("9", "1", {"title": "Group", ORDER: order})


def planned(wanted, order, memory=None, pushing=()):
    told = told_order(order, wanted, memory or {}, pushing)
    return plan({ORDER: wanted} if wanted is not None else {}, collection(order), *told)


def synced(wanted, found=""):
    """The memory after a first push of this order."""
    first = planned(wanted, found)
    return learn(first.memory, first.sending, collection(wanted)).memory


def changed(made):
    return {name: change.value for name, change in made.edit.items()}


def test_moves_lead_to_the_order_and_none_is_made_in_vain():
    draw = Random(16)
    for _ in range(300):
        wanted = [str(number) for number in range(draw.randrange(1, 9))]
        present = tuple(draw.sample(wanted, len(wanted)))
        order = present
        steps = moves(present, wanted)
        for step in steps:
            assert (order := apply_move(order, step)) != present
        assert list(order) == wanted
        assert len(steps) < len(wanted)
    assert moves("abc", "abc") == []
    assert len(moves("bcdefga", "abcdefg")) == 1


def test_members_stand_by_their_place_and_the_others_behind_them_as_they_were():
    assert placed_order("xbay", {"a": 1, "b": 2}) == ("a", "b", "x", "y")
    assert placed_order("ba", {"a": 1, "b": 1}) == ("b", "a")


def test_an_order_is_one_of_plex_or_that_of_the_members():
    assert [order_in_plex(sort, "ab") for sort in "012"] == ["", ALPHABETICAL, "a,b"]
    assert [sort_of(order) for order in ("", ALPHABETICAL, "a,b", "a")] == ["0", "1", "2", "2"]


def test_the_order_is_written_once_and_newcomers_at_their_place():
    memory = synced("a,b")
    assert changed(planned("a,b", "a,b", memory)) == {}
    assert changed(planned("a,x,b", "a,b,x", memory)) == {ORDER: "a,x,b"}
    assert changed(planned("a,b,x", "a,b,x", memory)) == {}, "Plex has put it where it belongs"
    assert changed(planned("b", "b", memory)) == {}, "one that left changes no order"
    assert changed(planned("b,a", "a,b", memory)) == {ORDER: "b,a"}


def test_a_move_of_yours_stays_whoever_comes_or_goes():
    memory = synced("a,b,c")
    for wanted, present in (("a,b,c", "c,a,b"), ("a,b,c,x", "c,a,b,x"), ("a,c", "c,a")):
        made = planned(wanted, present, memory)
        assert changed(made) == {}
        assert [note.reason for note in made.notes] == ["person"]
    assert changed(planned("a,b,c", ALPHABETICAL, memory)) == {}
    assert changed(planned("a,b,c", "", memory)) == {}, "that of release, too, is an order that you chose"


def test_an_order_that_was_there_before_is_yours():
    made = planned("a,b", "b,a")
    assert (changed(made), [note.reason for note in made.notes]) == ({}, ["kept"])
    assert changed(planned("a,b", ALPHABETICAL)) == {}


def test_moves_that_were_cut_short_are_ended_whether_the_order_was_one_of_plex_or_ours():
    for before in ("", "c,a,b"):
        known = {ORDER: Remembered("c,a,b", Held("c,a,b", locked=True), Held("", locked=True))} if before else {}
        sent = Sending("a,b,c", Held("a,b,c", locked=True), Held("", locked=True), Held(before, locked=True))
        push = Pushing({ORDER: replace(sent, was=known.get(ORDER))}, until=9)
        halfway = as_text(apply_move(("c", "a", "b"), moves("cab", "abc")[0]))
        for present in {"c,a,b", "a,b,c", halfway}:
            made = planned("a,b,c", present, known, [push])
            assert changed(made) == ({} if present == "a,b,c" else {ORDER: "a,b,c"})
            left = (
                {**made.memory} if present == "a,b,c" else learn(made.memory, made.sending, collection("a,b,c")).memory
            )
            assert left[ORDER].found == Held("", locked=True)
        if before:
            made = planned("a,b,c", "b,a,c", known, [push])
            assert [note.reason for note in made.notes] == ["person"], "no move of the push leads there"


def test_an_undo_restores_the_order_before_and_ends_only_with_another_order():
    memory = undo(synced("a,b"), (), {ORDER: "a,b"}, (ORDER,), "undo")
    made = planned("a,b", "a,b", memory)
    assert changed(made) == {ORDER: ""}
    left = learn(made.memory, made.sending, collection("")).memory
    for wanted, change in (("a,b", {}), ("a,x,b", {}), ("b,a", {ORDER: "b,a"})):
        assert changed(planned(wanted, "", left)) == change


def test_a_long_order_costs_no_more_than_its_length():
    members = [str(number) for number in range(5000)]
    steps = moves([*members[1:], members[0]], members)
    assert [step.item for step in steps] == ["0"]
    assert moves(list(reversed(members)), members)[0] == replace(steps[0], item="0")


def sending(before, after):
    return Sending(after, Held(after, locked=True), Held("", locked=False), Held(before, locked=True))


@pytest.mark.parametrize(
    ("present", "told"),
    [
        ("1,2,3", "1,2,3"),
        ("1,2,4,3", "1,2,4,3"),
        ("1,3", "1,3"),
        ("3,2,1", "1,2,3"),
        ("7,8", "1,2,3"),
        (ALPHABETICAL, "1,2,3"),
    ],
)
def test_a_push_that_arrived_is_told_as_the_members_stand_now_and_another_order_is_not_its(present, told):
    push = Pushing({ORDER: sending("9", "1,2,3"), "summary": sending("a", "b")}, until=9, stamp=4)
    memory = {ORDER: Remembered(present, Held(present, locked=True), Held("", locked=False))}
    _, (after,) = told_order(present, None, memory, [push])
    assert after == replace(
        push, fields={**push.fields, ORDER: replace(push.fields[ORDER], sent=Held(told, locked=True))}
    )
