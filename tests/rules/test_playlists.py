"""The rules of playlists: which tags, which items, in which order, and whose a playlist is."""

import pytest

from plexsync.rules.collections.collection_servers import CollectionSource, FoundTag, TaggedScene, playlist_item
from plexsync.rules.collections.playlists import (
    UnclearTag,
    children_of,
    choose_items,
    is_same,
    may_still_arrive,
    sort_members,
    sort_scenes,
)
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held

CHILD = CollectionSource("tag", 7, "Evening")


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


def test_a_request_may_arrive_until_it_has_ended_or_all_of_it_is_there():
    added = Sending(("1",), Held(("1",), True), Held((), True), Held((), True), adds=("1",))
    push = Pushing({"members": added}, until=100)
    assert may_still_arrive([push], (), 99)
    assert not may_still_arrive([push], (), 100)
    assert not may_still_arrive([push], ("1",), 99)
