"""The rules of playlists: which tags, which items, in which order, and whose a playlist is."""

from dataclasses import replace

import pytest

from plexsync.rules.collections.collection_servers import (
    CollectionSource,
    FoundTag,
    PlaylistEntry,
    TaggedScene,
    playlist_item,
)
from plexsync.rules.collections.playlists import (
    MEMBERS,
    UnclearTag,
    added_twice,
    children_of,
    choose_items,
    creations,
    is_same,
    last_arrival,
    sort_members,
    sort_scenes,
    with_arrived,
)
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held

CHILD = CollectionSource("tag", 7, "Evening")


def pushed(adds, *, before=(), until=100):
    """A push that adds these members to those of before."""
    sent = Sending((), Held((*before, *adds), True), Held((), True), Held(tuple(before), True), adds=tuple(adds))
    return Pushing({MEMBERS: sent}, until=until)


def test_the_children_are_those_of_the_tag_with_exactly_the_name():
    others = [FoundTag("playlists", children=(CHILD,)), FoundTag("Other", ("Playlists",), (CHILD,))]
    assert children_of("Playlists", [*others, FoundTag("Playlists", children=(CHILD,))]) == {7: CHILD}
    for tags in ([], others[:1], others[1:], [FoundTag("Playlists")] * 2):
        with pytest.raises(UnclearTag, match="Playlists"):
            children_of("Playlists", tags)


def test_scenes_without_a_date_come_last_and_equals_by_number():
    scenes = [
        TaggedScene(3, "b", "2020-01-01", "2"),
        TaggedScene(1, "B", "", "3"),
        TaggedScene(2, "a", "2020-01-01", "1"),
        TaggedScene(4, "c", "2019-01-01", "1"),
    ]
    orders = {order: sort_scenes(scenes, order) for order in ("date", "newest", "title", "added")}
    assert orders == {"date": [4, 2, 3, 1], "newest": [2, 3, 4, 1], "title": [2, 1, 3, 4], "added": [2, 4, 3, 1]}


def test_of_several_items_a_member_is_chosen_and_each_item_stands_once():
    keys = {1: ["10", "9"], 2: ["9", "11"], 3: []}
    assert choose_items([1, 2, 3, 4], keys, ()) == ("9",)
    assert choose_items([1, 2, 3, 4], keys, {"11"}) == ("9", "11")
    assert choose_items([2, 1], keys, {"10", "11"}) == ("11", "10")


@pytest.mark.parametrize(
    ("members", "expected"),
    [("21", "12"), ("x21", "x12"), ("2x1", "12x"), ("21x", "1x2"), ("xy", "xy"), ("3x12y", "12y3x"), ("", "")],
)
def test_what_was_added_by_hand_stays_behind_its_neighbour(members, expected):
    assert "".join(sort_members(members, {"1": 1, "2": 2, "3": 3})) == expected


def test_a_playlist_is_known_by_its_name_or_by_a_member():
    held = Held(("1", "2"), locked=True)
    memory = {"members": Remembered(("1", "2"), held, Held((), locked=True), {"1": "1"})}
    item = playlist_item("5", {"title": "By hand"}, {}, 0)
    assert is_same(item, ["1", "9"], "Evening", memory)
    assert is_same(item, ["9"], "By hand", memory)
    assert not is_same(item, ["2", "9"], "Evening", memory), "it was there before"
    assert is_same(item, [], "Evening", {})


def test_a_request_of_unknown_end_may_add_until_it_has_ended():
    assert last_arrival([pushed(("1",), until=100), pushed((), until=200)]) == 100
    assert last_arrival([]) == 0


def test_what_a_request_of_unknown_end_may_have_put_in_is_ours():
    held = Held(("1", "2"), locked=True)
    memory = {MEMBERS: Remembered((), held, Held((), locked=True))}
    pushing = [pushed(("1", "3"), before=("2",)), pushed(("2", "4"), before=("2",))]
    assert with_arrived(memory, pushing, ("1", "2", "9"))[MEMBERS].ours == {"1": "1"}
    assert with_arrived({}, pushing, ("1",)) == {}


def test_the_second_place_of_what_a_request_of_unknown_end_may_have_added_again_goes():
    entries = [PlaylistEntry(place, item) for place, item in ("a1", "b2", "c1", "d2")]
    assert [entry.key for entry in added_twice(entries, [pushed(("1",))])] == ["c"]
    assert added_twice(entries, []) == ()


def test_a_creation_is_told_from_an_edit_of_the_title():
    title = Sending("New", Held("New", True), Held("", True), Held("", True))
    edited = replace(title, before=Held("Old", True))
    one, other = pushed(("1",)), pushed(("2",))
    pushing = [replace(push, fields={**push.fields, "title": sent}) for push, sent in ((one, title), (other, edited))]
    assert creations(pushing) == [("New", frozenset({"1"}))]
