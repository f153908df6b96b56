"""`plexsync verify`: a figure that is true, what differs by name, and no write."""

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World


@pytest.fixture
def synced(world: World, door: Door) -> World:
    ids = world.add(6)
    assert door("sync", *ids, "--wait").code == 0
    return world


def test_what_is_in_sync_is_counted_and_kept_with_its_time(synced: World, door: Door) -> None:
    before = synced.plex.count("PUT")
    done = door("verify")
    assert done.code == 0
    assert "6 of 6 scenes in Plex are in sync" in done.out
    assert synced.plex.count("PUT") == before
    facts = door("status", "--json").facts["verified"]
    assert facts["at"]
    assert (facts["in_sync"], facts["differ"], facts["sample"]) == (6, 0, False)
    assert "6 of 6 were in sync, " in door("status").out


def test_what_differs_is_listed_with_its_fields_and_how_to_sync_it(synced: World, door: Door) -> None:
    synced.stash.edit_scene(3, title="Other", date="2001-02-03")
    done = door("verify")
    assert done.code == 1
    assert "5 of 6 scenes in Plex are in sync" in done.out
    assert "plexsync sync 3 syncs these" in done.out
    assert "title, date" in done.out
    facts = door("verify", "--json").facts
    assert [one["id"] for one in facts["scenes_that_differ"]] == [3]
    assert {field["field"] for item in facts["scenes_that_differ"][0]["items"] for field in item["fields"]} == {
        "title",
        "originallyAvailableAt",
    }
    assert door("sync", "3", "--wait").code == 0
    assert door("verify").code == 0


def test_what_can_not_be_compared_is_no_part_of_the_figure(synced: World, door: Door) -> None:
    synced.stash.add_scene(title="Not there", files=[("/media/scenes/nowhere.mp4", 5, 1.0)])
    assert door("ignore", "2").code == 0
    done = door("verify", "--json")
    assert done.code == 0
    assert (done.facts["in_sync"], done.facts["differ"]) == (5, 0)
    assert done.facts["left_out"] == {"absent": 1, "ignored": 1}
    assert "not compared: " in door("verify").out


def test_a_sample_is_called_one(synced: World, door: Door) -> None:
    facts = door("verify", "--sample", "4", "--json").facts
    assert (facts["scenes"], facts["in_sync"], facts["sample"]) == (4, 4, True)
    assert door("status", "--json").facts["verified"]["sample"] is True
    assert "4 of a sample of 4 scenes" in door("verify", "--sample", "4").out
    assert door("verify", "--sample", "900", "--json").facts["scenes"] == 6


def test_a_full_comparison_verifies_as_well(synced: World, door: Door) -> None:
    synced.stash.edit_scene(3, title="Other")
    assert door("status", "--json").facts["verified"] is None
    assert door("reconcile").code == 0
    facts = door("status", "--json").facts["verified"]
    assert (facts["in_sync"], facts["differ"], facts["sample"]) == (5, 1, False)


def test_while_a_server_is_down_it_says_so_and_keeps_the_figure_before(synced: World, door: Door) -> None:
    door("verify")
    before = door("status", "--json").facts["verified"]
    synced.plex.stop()
    done = door("verify")
    assert done.code == 1
    assert "Plex" in done.err
    assert door("status", "--json").facts["verified"] == before
