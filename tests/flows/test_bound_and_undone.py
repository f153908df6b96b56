"""An item that is bound to one scene while its own scene is undone: each keeps what is its own."""

import pytest

from tests.engine.test_engine_matching import bind, bound_pairs, title_of, unbind
from tests.flows.test_undo import pictures, reconciled, undo


@pytest.fixture
def pair(house):
    """An undone scene with its item, and another scene in sync, which is then bound to that item and written to it."""
    one, other = house.in_step(2)
    key = house.key_of(one)
    undo(house, one)
    house.work()
    assert title_of(house, key) == "file 0"
    bind(house, other, key)
    house.work_until_settled()
    assert title_of(house, key) == "Title 1"
    return one, other, key


def marks(house):
    return dict(house.rows("select subject, undone from memory where undone <> ''"))


def unbound(house, scene):
    unbind(house, scene)
    house.work_until_settled()


def test_an_unbind_leaves_the_other_scenes_undone_mark_and_writes_nothing_to_its_item(house, pair):
    one, other, key = pair
    assert marks(house) == {one: "undo"}
    before = pictures(house)
    unbound(house, other)
    house.want(one, other)
    house.clock.move(2)
    house.work_until_settled()
    assert marks(house) == {one: "undo"}
    assert pictures(house)[key] == before[key]
    assert reconciled(house).standing == {"in step": 1, "undone": 1}
    assert pictures(house)[key] == before[key]


def test_while_the_item_is_bound_elsewhere_its_undone_scene_takes_nothing_back(house):
    """Also what had not been taken back yet when the item was bound."""
    one, other = house.in_step(2)
    key = house.key_of(one)
    undo(house, one)
    house.stash_sim.edit_scene(other, studio="Studio 0")
    bind(house, other, key)
    house.work_until_settled()
    shown = pictures(house)[key]
    assert shown[0]["studio"] == "Studio 0"
    house.want(one)
    house.clock.move(2)
    house.work_until_settled()
    assert reconciled(house).wanted == 0
    assert pictures(house)[key] == shown
    assert marks(house) == {one: "undo"}


def test_an_edit_ends_the_undo_and_the_scene_gets_its_item_back(house, pair):
    one, other, key = pair
    unbound(house, other)
    house.edit(one, title="Edited")
    house.work_until_settled()
    assert title_of(house, key) == "Edited"
    assert marks(house) == {}
    assert reconciled(house).standing == {"in step": 2}
    undo(house, one)
    house.work_until_settled()
    assert title_of(house, key) == "file 0"
    assert not house.plex_sim.item(key).locks


def test_what_was_pushed_for_the_bound_scene_can_be_taken_back_from_the_undone_scenes_item(house, pair):
    one, other, key = pair
    unbound(house, other)
    undo(house, other)
    house.work_until_settled()
    item = house.plex_sim.item(key)
    assert (title_of(house, key), item.locks, list(item.lists["genre"])) == ("file 0", set(), [])
    assert marks(house) == {one: "undo", other: "undo"}


def test_a_second_undo_of_the_undone_scene_leaves_the_bound_scenes_record_alone(house, pair):
    one, other, key = pair
    before = pictures(house)[key]
    undo(house, one)
    house.work_until_settled()
    assert pictures(house)[key] == before
    house.edit(other, title="Later")
    house.work_until_settled()
    assert title_of(house, key) == "Later"
    undo(house, other)
    house.work_until_settled()
    assert title_of(house, key) == "file 0"
    assert bound_pairs(house) == [(other, key)]


def test_a_hand_edit_on_the_item_survives_the_binding_the_unbinding_and_the_edit(house, pair):
    one, other, key = pair
    house.plex_sim.hand_edit(key, summary="By hand")
    unbound(house, other)
    house.edit(one, title="Edited")
    house.work_until_settled()
    item = house.plex_sim.item(key)
    assert (item.scalars["summary"], item.scalars["title"]) == ("By hand", "Edited")
