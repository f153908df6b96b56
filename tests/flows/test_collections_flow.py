"""Collections are dressed as their objects in Stash say, and what a person sets in Plex stays."""

from dataclasses import replace

import pytest

from plexsync.plex.artwork import key_of as picture_key
from plexsync.rules.collections.collections import TEMPLATE_NAMES, Dressing
from plexsync.rules.merge import choice, template
from plexsync.simulator.stash_images import png
from tests.engine.house import House
from tests.engine.pools import Inline
from tests.flows.dressed import (
    add_member,
    begin,
    collection,
    dressed_house,
    key_of,
    members,
    profile,
    rows,
    shown,
    want,
    writes,
)

RED, BLUE, GREEN = png(200, 0, 0), png(0, 0, 200), png(0, 200, 0)
SORT = template.parse_template("~{name}", TEMPLATE_NAMES)
EVERYTHING = {
    "sorts": {"studio": SORT, "group": SORT, "tag": SORT},
    "mode": "items_hidden",
    "home": choice.parse_patterns(["Acme", "Trilogy"]),
}


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path) as house:
        yield house


def a_library(house):
    """Two scenes of a studio, three of a group, one of a series; all of their objects have texts and pictures."""
    ids = begin(
        house,
        {"studio": "Acme", "groups": [("Trilogy", 3)]},
        {"studio": "Acme", "groups": [("Trilogy", 1)], "tags": ["Series One"]},
        {"studio": None, "groups": [("Trilogy", 2)]},
    )
    house.stash_sim.edit_object("studio", "Acme", details="Films.", image=RED)
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Three of them.", front_image=BLUE, back_image=GREEN)
    house.stash_sim.edit_object("tag", "Series One", description="The first.", image=GREEN)
    redress(house)
    return ids


def redress(house):
    want(house)
    house.clock.move(3)
    house.work_until_settled()
    house.clock.move(60)


def dressed_again(house):
    """All collections inspected once more: the requests that wrote."""
    house.forget_requests()
    redress(house)
    return writes(house)


def test_a_studios_details_are_the_summary_of_its_collection(house):
    begin(house, {"studio": "Acme"}, {"studio": "Acme"})
    house.stash_sim.edit_object("studio", "Acme", details="Films of\nall kinds.")
    want(house, "Acme")
    house.work()
    seen = collection(house, "Acme")
    assert seen.scalars["summary"] == "Films of\nall kinds."
    assert {"title", "summary"} <= seen.locks
    row = rows(house)["Acme"]
    assert (row.item, row.owner, row.standing) == (seen.key, "ours", "in step")
    assert dressed_again(house) == []


def test_every_part_is_shown_and_a_second_run_writes_and_uploads_nothing(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        seen = {str(entry.scalars["title"]): entry for entry in shown(house).values()}
        assert set(seen) == {"Acme", "Trilogy", "Series One"}
        assert [entry.scalars["titleSort"] for entry in seen.values()] == [f"~{title}" for title in seen]
        assert {entry.mode for entry in seen.values()} == {"1"}
        acme, group, series = (seen[title] for title in ("Acme", "Trilogy", "Series One"))
        assert [entry.scalars["summary"] for entry in (acme, group, series)] == [
            "Films.",
            "Three of them.",
            "The first.",
        ]
        assert [entry.poster for entry in (acme, group, series)] == [
            picture_key("thumb", picture) for picture in (RED, BLUE, GREEN)
        ]
        assert group.art == picture_key("art", GREEN)
        assert {"title", "titleSort", "summary", "thumb", "art"} == group.locks
        assert (members(house, "Trilogy"), group.sort) == ([1, 2, 0], "2")
        assert [acme.home, group.home, series.home] == [("recommended", "home")] * 2 + [None]
        assert {row.standing for row in rows(house).values()} == {"in step"}
        assert dressed_again(house) == []
        assert {key: str(entry.scalars["title"]) for key, entry in shown(house).items()} == {
            row.item: name for name, row in rows(house).items()
        }


def test_a_renamed_studio_renames_its_collection_and_keeps_the_key(house):
    ids = begin(house, {"studio": "Acme"}, {"studio": "Acme"})
    key = key_of(house, "Acme")
    house.stash_sim.rename_studio("Acme", "Apex")
    redress(house)
    assert key_of(house, "Apex") == key
    assert "Acme" not in house.plex_sim.collections(house.section)
    assert rows(house)["Apex"].item == key
    house.want(*ids)
    house.work_until_settled()
    assert house.plex_sim.collections(house.section) == {"Apex": [house.key_of(id) for id in ids]}
    assert dressed_again(house) == []


def by_hand(house, title):
    """You change every part of a collection in Plex."""
    key, plex = key_of(house, title), house.worker.plex
    house.clock.move(5)
    house.plex_sim.hand_edit(
        key, title=f"My {title}", titleSort="mine", summary="My text.", thumb=png(1, 2, 3), art=png(3, 2, 1)
    )
    house.plex_sim.set_prefs(key, collectionMode="2")
    plex.collections.show_home(house.section, key, ["shared"], managed=key in plex.collections.homes(house.section))
    if title == "Trilogy":
        first, *_, last = plex.collections.members(key)
        plex.collections.move(key, first, after=last)
    house.forget_requests()
    return key


def test_hand_edits_of_every_part_survive_and_the_others_go_on(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        keys = {by_hand(house, title) for title in ("Acme", "Trilogy", "Series One")}
        before = shown(house)
        redress(house)
        assert {row.standing for row in rows(house).values()} == {"edited in Plex"}
        house.stash_sim.edit_object("studio", "Acme", aliases=["Other"])
        house.worker.reconciler.reconcile()
        redress(house)
        assert shown(house) == before
        assert set(before) == keys
        assert {row.name for row in rows(house).values()} == {"My Acme", "My Trilogy", "My Series One"}


def test_an_order_that_you_chose_stays_when_another_scene_comes(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        key, plex = key_of(house, "Trilogy"), house.worker.plex
        plex.collections.move(key, plex.collections.members(key)[2])
        order = members(house, "Trilogy")
        add_member(house, 3, groups=[("Trilogy", 2)])
        assert members(house, "Trilogy") == [*order, 3]
        house.plex_sim.set_prefs(key, collectionSort="1")
        redress(house)
        assert shown(house)[key].sort == "1"


def test_a_new_scene_and_another_index_move_only_what_has_to_move(house):
    ids = a_library(house)
    house.forget_requests()
    add_member(house, 3, groups=[("Trilogy", 2)])
    assert members(house, "Trilogy") == [1, 2, 3, 0]
    assert len([path for path in writes(house) if path.endswith("/move")]) == 1
    house.forget_requests()
    house.edit(ids[0], groups=[("Trilogy", 0)])
    house.work_until_settled()
    assert members(house, "Trilogy") == [0, 1, 2, 3]
    assert len([path for path in writes(house) if path.endswith("/move")]) == 1


def test_smart_and_foreign_collections_stay_byte_for_byte(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Trilogy"])
        house.plex_sim.add_smart_collection(house.section, "Acme", [stray])
        foreign, smart = key_of(house, "Trilogy"), key_of(house, "Acme")
        house.plex_sim.hand_edit(foreign, summary="Mine.", thumb=png(9, 9, 9))
        before = {key: entry for key, entry in shown(house).items() if key in (foreign, smart)}
        a_library(house)
        redress(house)
        after = shown(house)
        assert after[smart] == before[smart]
        assert set(after[foreign].members) > set(before[foreign].members)
        for name in ("scalars", "locks", "poster", "art", "mode", "sort", "home"):
            assert getattr(after[foreign], name) == getattr(before[foreign], name)
        assert rows(house)["Trilogy"].standing == "not ours"
        assert dressed_again(house) == []


@pytest.mark.parametrize("minimum", [1, 2])
def test_a_tag_above_the_tags_of_scenes_has_a_collection_that_is_dressed(tmp_path, minimum):
    rules = replace(profile(), tag_parents=True, dressing=Dressing(parts=profile().dressing.parts, minimum=minimum))
    with House(tmp_path / "data", profile=rules, pool=Inline(), tags_above=True) as house:
        house.stash_sim.set_tag_parents("Series One", ["All Series"])
        house.stash_sim.edit_object("tag", "All Series", description="All of them.")
        ids = begin(house, {"studio": None, "tags": ["Series One"]}, {"studio": None, "tags": ["Series One"]})
        want(house)
        house.work_until_settled()
        assert rows(house)["All Series"].standing == "in step"
        assert collection(house, "All Series").scalars["summary"] == "All of them."
        assert house.plex_sim.collections(house.section)["All Series"] == [house.key_of(id) for id in ids]
