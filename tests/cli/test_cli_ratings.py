"""ratings undo: what it asks, tells, and puts back on both sides."""

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain

IDS = (1, 2, 3)


@pytest.fixture
def rated(world: World, door: Door) -> World:
    """Three scenes with ratings 1 to 3. The first was rated 60 in Plex, and the second 75 in Stash."""
    world.add(3)
    world.settings["rating_direction"] = "both"
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain").code == 0
    first, second, _ = world.plex.keys(world.section)
    world.plex.hand_edit(first, locked=False, userRating=6)
    world.stash.edit_scene(2, rating100=75)
    assert door("sync", "1", "2", "--wait").code == 0
    assert door("drain").code == 0
    assert ratings(world) == [(60, 6.0), (75, 7.5), (3, 0.3)]
    assert second in world.plex.keys(world.section)
    return world


def ratings(world: World) -> list[tuple[int | None, object]]:
    keys = world.plex.keys(world.section)
    return [
        (world.stash.scene(id).rating100, world.plex.item(key).scalars.get("userRating"))
        for id, key in zip(IDS, keys, strict=True)
    ]


def test_the_rating_that_was_there_is_put_back_where_it_was_replaced(rated: World, door: Door) -> None:
    done = door("ratings", "undo", "1", "--wait")
    assert (done.code, done.out) == (0, "the ratings of 1 scene put back\n")
    assert ratings(rated)[0][0] == 1
    assert ratings(rated)[1:] == [(75, 7.5), (3, 0.3)]
    # Both sides rest as they are.
    before = ratings(rated)
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain").code == 0
    assert ratings(rated) == before


def test_ratings_are_put_back_since_a_moment_and_by_every_door(rated: World, door: Door) -> None:
    assert door("ratings", "undo", "--since", "2999-12-31", "--json").facts == {"scenes": 0}
    shown = door("ratings", "undo", "--since", "1h", "--dry-run", "--json")
    assert (shown.code, shown.facts["scenes"] >= 2) == (0, True)
    assert "ratings have no runs" in door("undo", "--of", "ratings", "--run", "1").err
    done = door("undo", "--of", "ratings", "1", "--wait")
    assert (done.code, done.out) == (0, "the ratings of 1 scene put back\n")
    assert ratings(rated) == [(1, 6.0), (75, 7.5), (3, 0.3)]
    with dashboard(rated) as dash:
        assert post(dash, "/api/ratings/undo", {"scenes": [2]}) == (200, {"scenes": 1})
        assert post(dash, "/api/ratings/undo", {"since": "2999-12-31"}) == (200, {"scenes": 0})
        assert "Put back the ratings of 1 scene?" in plain(dash.get("/act/ratings/undo?pick=3").text)
        assert "The ratings of 1 scene to be put back" in plain(dash.post("/act/ratings/undo", pick="3").text)
    assert door("drain").code == 0
    assert ratings(rated)[1][0] == 75


def test_ratings_are_runs_that_lead_to_their_undo(rated: World, door: Door) -> None:
    runs = [run for run in door("history", "--json").facts["runs"] if run["subject"] == "ratings"]
    assert {run["words"] for run in runs} >= {"The rating of 1 scene brought to Stash"}
    assert all(run["steps"][0]["command"].startswith("plexsync undo --of ratings --since 2") for run in runs)
    for step in [step for run in runs for step in run["steps"]]:
        assert door(*step["command"].split()[1:], "--yes", "--wait").code == 0
    assert ratings(rated)[0][0] == 1
    assert not [run for run in door("history", "--json").facts["runs"] if run["subject"] == "ratings"]


def test_explain_says_what_is_done_about_a_rating(rated: World, door: Door) -> None:
    def told(id: int) -> tuple[object, ...]:
        (target,) = door("explain", str(id), "--json").facts["targets"]
        (row,) = (row for row in target["fields"] if row["field"] == "userRating")
        return row["stash"], row["plex"], row["action"], row["reason"]

    first, second, _ = rated.plex.keys(rated.section)
    assert told(1) == ("6", "6", "nothing", "goes both ways")
    rated.plex.hand_edit(first, locked=False, userRating=3)
    assert told(1) == ("6", "3", "write 3 to Stash", "goes both ways")
    rated.plex.hand_edit(second, locked=False, userRating=None)
    assert told(2) == ("7.5", "", "empty in Stash", "goes both ways")
    rated.stash.edit_scene(3, rating100=88)
    assert told(3) == ("8.8", "0.3", "write", "goes both ways")
    rated.stash.edit_scene(3, rating100=1)
    assert told(3) == ("0.1", "0.3", "write", "goes both ways")
    rated.stash.edit_scene(3, rating100=None)
    assert told(3) == ("", "0.3", "empty", "goes both ways")
    rated.plex.hand_edit(first, locked=False, userRating=0.1)
    assert told(1) == ("6", "0.1", "write 0.1 to Stash", "goes both ways")
    rated.settings["rating_direction"] = "to_plex"
    assert told(3)[3] != "goes both ways"


def test_a_rating_of_yours_stays(rated: World, door: Door) -> None:
    rated.stash.edit_scene(1, rating100=90)
    assert door("ratings", "undo", "--all", "--yes", "--wait").code == 0
    assert ratings(rated)[0][0] == 90


def test_a_dry_run_and_a_no_change_nothing(rated: World, door: Door) -> None:
    before = ratings(rated)
    shown = door("ratings", "undo", "--all", "--dry-run", "--json")
    assert (shown.code, shown.facts["scenes"] >= 2) == (0, True)
    assert door("ratings", "undo", "--all", answer="n\n", terminal=True).code == 1
    assert door("drain").code == 0
    assert ratings(rated) == before


def test_what_it_can_not_do_is_said(rated: World, door: Door) -> None:
    assert "say which ratings" in door("ratings", "undo").err
    unknown = door("ratings", "undo", "77")
    assert (unknown.code, "not written the rating of" in unknown.err) == (1, True)
    rated.settings["rating_direction"] = "to_plex"
    off = door("ratings", "undo", "1")
    assert (off.code, "rating_direction" in off.err) == (1, True)
