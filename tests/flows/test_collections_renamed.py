"""Collections with other titles, in Stash or in Plex: scenes follow those of PlexSync, and nobody else's."""

from dataclasses import replace

import pytest

from plexsync.rules.queue.job import COLLECTION
from tests.flows.dressed import ALL, add_member, begin, collection, dressed_house, key_of, rows
from tests.flows.test_collections_flow import redress


def left_by_its_scenes(house, *ids):
    """The collections that have items once these scenes have no studio any more."""
    for id in ids:
        house.stash_sim.edit_scene(id, studio=None)
    return {title: items for title, items in everything(house, *ids).items() if items}


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path) as house:
        yield house


def everything(house, *ids):
    """Every collection and these scenes inspected again, until nothing is left to do: the collections with their items."""
    redress(house)
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
    redress(house)
    return house.plex_sim.collections(house.section)


def test_collections_renamed_in_a_row_in_stash_keep_their_scenes(house):
    first, second, third = begin(house, {"studio": "A"}, {"studio": "B"}, {"studio": "C"})
    for old, new in (("C", "D"), ("B", "C"), ("A", "B")):
        house.stash_sim.rename_studio(old, new)
    everything(house, first, second, third)
    shown = everything(house, first, second, third)
    assert shown == {title: [house.key_of(id)] for title, id in zip("BCD", (first, second, third), strict=True)}
    assert left_by_its_scenes(house, first, second, third) == {}


def test_collections_that_a_person_renamed_in_a_row_keep_their_scenes(house):
    first, second = begin(house, {"studio": "A"}, {"studio": "B"})
    keys = [key_of(house, title) for title in "AB"]
    for key, title in zip(reversed(keys), ("C", "B"), strict=True):
        house.plex_sim.hand_edit(key, title=title)
    shown = everything(house, first, second)
    assert shown == {"B": [house.key_of(first)], "C": [house.key_of(second)]}
    assert [key_of(house, title) for title in "BC"] == keys
    assert left_by_its_scenes(house, first, second) == {}


def test_someone_elses_collection_that_its_owner_renames_keeps_its_items(house):
    stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
    house.plex_sim.hand_edit(stray, collection=["Acme"])
    (id,) = begin(house, {"studio": "Acme"})
    assert rows(house)["Acme"].standing == "not ours"
    house.plex_sim.hand_edit(key_of(house, "Acme"), title="My Acme")
    assert everything(house, id) == {"My Acme": [stray, house.key_of(id)]}


def test_what_a_person_calls_a_shared_collection_it_is_called_for_all_its_scenes(house):
    first, second = begin(house, {"studio": "Acme"}, {"studio": None, "groups": ["Acme"]})
    redress(house)
    house.plex_sim.hand_edit(key_of(house, "Acme"), title="My Acme")
    assert everything(house, first, second) == {"My Acme": [house.key_of(first), house.key_of(second)]}


def test_a_key_that_plex_gave_to_another_library_renames_nothing(house):
    (id,) = begin(house, {"studio": "Acme"})
    other = house.plex_sim.add_section("Others", locations=("/others",))
    stray = house.plex_sim.add_movie(other, files=[("/others/mine.mp4", 1, 1)], title="mine")
    house.plex_sim.hand_edit(stray, collection=["Mine"])
    item = house.plex_sim.collection_keys(other)["Mine"]
    row = replace(rows(house)["Acme"], item=item)
    with house.store.writing() as tx:
        tx.collections.save(row)
    house.plex_sim.hand_edit(house.key_of(id), collection=[])
    house.want(id)
    house.work_until_settled()
    assert house.plex_sim.item(house.key_of(id)).lists["collection"] == []
    assert "Mine" not in rows(house)


def test_a_new_scene_goes_into_the_collection_that_a_person_has_just_renamed(house):
    (first,) = begin(house, {"studio": "Acme"})
    key = key_of(house, "Acme")
    house.plex_sim.hand_edit(key, title="My Acme")
    second = add_member(house, 5, studio="Acme")
    shown = everything(house, first, second)
    assert shown == {"My Acme": [house.key_of(first), house.key_of(second)]}
    assert key_of(house, "My Acme") == key


def test_a_group_with_the_name_of_a_studio_has_its_own_collection_when_the_studio_is_renamed(house):
    first, second = begin(house, {"studio": "Acme"}, {"studio": None, "groups": ["Acme"]})
    house.stash_sim.edit_object("group", "Acme", synopsis="The group.")
    redress(house)
    house.stash_sim.rename_studio("Acme", "Apex")
    with house.store.writing() as tx:
        tx.jobs.want(COLLECTION, 1, "edit", house.clock.now())
    house.work_until_settled()
    shown = house.plex_sim.collections(house.section)
    assert shown == {"Apex": [house.key_of(first)], "Acme": [house.key_of(second)]}
    assert collection(house, "Acme").scalars["summary"] == "The group."


@pytest.mark.parametrize("renamed", ["group", "studio"])
def test_objects_that_shared_a_collection_have_their_own_after_a_rename_where_names_are_not_dressed(tmp_path, renamed):
    with dressed_house(tmp_path, parts=ALL - {"name"}) as house:
        first, second = begin(house, {"studio": "Acme"}, {"studio": None, "groups": ["Acme"]})
        house.stash_sim.edit_object("studio", "Acme", details="The studio.")
        house.stash_sim.edit_object("group", "Acme", synopsis="The group.")
        everything(house, first, second)
        assert collection(house, "Acme").scalars["summary"] == "The studio."
        getattr(house.stash_sim, f"rename_{renamed}")("Acme", "Apex")
        shown = everything(house, first, second)
        titles = {first: "Apex", second: "Acme"} if renamed == "studio" else {first: "Acme", second: "Apex"}
        assert shown == {title: [house.key_of(id)] for id, title in titles.items()}
        texts = {title: collection(house, title).scalars.get("summary") for title in titles.values()}
        assert texts == {titles[first]: "The studio.", titles[second]: "The group."}


def test_what_was_written_to_a_collection_that_is_gone_takes_no_other_one_from_its_object(house):
    first, _ = begin(house, {"studio": "Acme"}, {"studio": None, "groups": ["Trilogy"]})
    group = rows(house)["Trilogy"].id
    house.stash_sim.edit_scene(first, studio=None)
    house.want(first)
    house.work_until_settled()
    assert "Acme" not in house.plex_sim.collections(house.section)
    house.stash_sim.rename_group("Trilogy", "Acme")
    for text in ("One.", "Two."):
        house.stash_sim.edit_object("group", "Acme", synopsis=text)
        house.want(group, kind=COLLECTION)
        house.work_until_settled()
        assert collection(house, "Acme").scalars["summary"] == text
