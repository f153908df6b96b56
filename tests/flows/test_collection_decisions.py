"""Your decisions about collections: handing over, keeping what you edited in Plex, taking what Stash says; and counts."""

import pytest

from plexsync.flows.collections.decisions import decide_parts, hand_over
from plexsync.flows.scenes.drift import DriftAnswer
from plexsync.rules import template
from plexsync.rules.collections import TEMPLATE_NAMES
from plexsync.rules.job import Kind
from tests.flows.dressed import begin, collection, dressed_house, key_of, members, rows, shown
from tests.flows.test_collections_flow import EVERYTHING, a_library, by_hand, dressed_again, redress


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        yield house


def decide(house, answer, *names):
    """The parts decided about in the collection of the group."""
    worker, (row,) = house.worker, [row for row in rows(house).values() if row.object.source == "group"]
    decided = decide_parts(house.store, worker.dressing.looker, worker.gates, house.clock, [row.id], answer, names)
    house.clock.move(3)
    house.work_until_settled()
    return set(decided.parts.get(row.id, ()))


EDITED = {"title", "titleSort", "summary", "thumb", "art", "collectionMode", "home", "order"}


def test_what_you_take_from_stash_replaces_your_edits_once(house):
    before = shown(house)
    key = by_hand(house, "Trilogy")
    redress(house)
    assert decide(house, DriftAnswer.TAKE) == EDITED
    assert shown(house)[key] == before[key]
    assert rows(house)["Trilogy"].standing == "in step"
    house.plex_sim.hand_edit(key, summary="Again by hand.")
    redress(house)
    assert collection(house, "Trilogy").scalars["summary"] == "Again by hand."
    assert dressed_again(house) == []


def test_what_you_keep_stays_whatever_stash_says_until_you_end_that(house):
    key = by_hand(house, "Trilogy")
    redress(house)
    before = shown(house)[key]
    assert decide(house, DriftAnswer.KEEP, "summary", "order") == {"summary", "order"}
    assert rows(house)["My Trilogy"].standing == "edited in Plex"
    assert decide(house, DriftAnswer.KEEP) == EDITED - {"summary", "order"}
    assert rows(house)["My Trilogy"].standing == "in step"
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Other.")
    assert dressed_again(house) == []
    assert shown(house)[key] == before
    assert decide(house, DriftAnswer.UNKEEP, "summary") == {"summary"}
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Another.")
    redress(house)
    assert collection(house, "My Trilogy").scalars["summary"] == "Another."
    assert decide(house, DriftAnswer.TAKE, "studio") == set()


def test_a_collection_is_handed_over_once(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine 9.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Trilogy"])
        a_library(house)
        (id,) = [row.id for row in rows(house).values() if row.name == "Trilogy"]
        assert hand_over(house.store, house.clock, [id]) == [id]
        house.work_until_settled()
        assert collection(house, "Trilogy").scalars["summary"] == "Three of them."
        assert members(house, "Trilogy") == [1, 2, 0, 9]
        assert hand_over(house.store, house.clock, [id]) == []


def test_a_studio_above_is_renamed_in_the_names_of_those_below(tmp_path):
    names = {"studio": template.parsed("[{parent}: ]{name}", TEMPLATE_NAMES)}
    with dressed_house(tmp_path, names=names) as house:
        house.stash_sim.set_parent_studio("Acme", "Big")
        begin(house, {"studio": "Acme"})
        key = key_of(house, "Big: Acme")
        house.stash_sim.rename_studio("Big", "Bigger")
        acme, big = 1, 2
        house.want(big, kind=Kind.STUDIO)
        house.clock.move(3)
        house.work_until_settled()
        assert {row.object.id for row in rows(house).values()} == {acme}
        assert key_of(house, "Bigger: Acme") == key
        assert house.plex_sim.collections(house.section).keys() == {"Bigger: Acme"}


def test_the_comparison_finds_who_has_crossed_the_minimum(tmp_path):
    with dressed_house(tmp_path, minimum=2) as house:
        ids = begin(house, {"studio": "Acme"}, {"studio": "Acme"}, {"studio": "Best"})
        redress(house)
        assert house.plex_sim.collections(house.section).keys() == {"Acme"}
        house.worker.reconciler.reconcile()
        comparison = house.worker.dressing.comparison
        comparison.compare()
        house.work_until_settled()
        house.stash_sim.edit_scene(ids[0], studio="Best")
        comparison.compare()
        house.clock.move(3)
        house.work_until_settled()
        assert house.plex_sim.collections(house.section).keys() == {"Best"}
