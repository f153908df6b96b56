"""`plexsync status` knows how each scene stands, and since when."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from plexsync.rules.words.status_words import SceneStatus
from tests.cli.conftest import Door
from tests.journey.world import World


@pytest.fixture
def mixed(world: World, door: Door, refusing: Callable[..., None]) -> World:
    """Scene 1 in step, 2 refused, 3 ignored, 4 absent, 5 ambiguous, 6 in step."""
    world.add(3)
    refusing(2)
    world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    for folder in ("a", "b"):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{folder}/same.mp4", 7, 1)], title="same")
    world.stash.add_scene(title="which", files=[("/elsewhere/same.mp4", 7, 1.0)])
    world.add(1, start=10)
    door("ignore", "3")
    door("sync", "--all", "--wait")
    return world


LATER = ["outside", "undone", "released", "not_shown", "dropped", "gone"]


def counts(door: Door) -> dict[str, int]:
    return {name: one["count"] for name, one in door("status", "--json").facts["scenes"].items() if one["count"]}


def test_scenes_are_counted_by_how_they_stand_with_the_first_since(mixed: World, door: Door) -> None:
    assert counts(door) == {"in_step": 2, "absent": 1, "ambiguous": 1, "failed": 1, "ignored": 1}
    scenes = door("status", "--json").facts["scenes"]
    assert list(scenes) == ["in_step", "waiting", "absent", "ambiguous", "failed", "ignored", *LATER]
    assert all(one["since"] for one in scenes.values() if one["count"])
    assert scenes["waiting"] == {"count": 0, "since": None}
    told = door("status").out
    assert "the oldest" in told
    assert re.search(r"in sync +\d+ +\d+ (s|min) ago", told)


def test_a_comparison_counts_those_that_were_never_wanted(mixed: World, door: Door) -> None:
    for table in ("attempt", "job"):
        change(mixed, f"delete from {table}")
    change(mixed, "delete from standing")
    door("reconcile")
    assert counts(door)["in_step"] == 2
    assert door("status", "6", "--json").facts["stands"] == "in_step"


def change(world: World, sql: str) -> None:
    with closing(sqlite3.connect(world.folder / "plexsync.db")) as db, db:
        db.execute(sql)


@pytest.mark.parametrize(
    ("scene", "stands", "why"),
    [
        (1, "in_step", ""),
        (2, "failed", "the request was too long"),
        (3, "ignored", ""),
        (4, "absent", "no item in Plex has this file"),
        (5, "ambiguous", "nothing is written"),
    ],
)
def test_a_scene_tells_how_it_stands_and_why(mixed: World, door: Door, scene: int, stands: str, why: str) -> None:
    done = door("status", scene, "--json")
    assert done.code == 0
    assert (done.facts["id"], done.facts["stands"]) == (scene, stands)
    assert done.facts["since"]
    assert why in done.facts["why"]
    told = door("status", scene).out
    assert f"{SceneStatus(stands).word} since 20" in told
    assert why in told


def test_a_scene_that_waits_is_waiting(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1")
    assert door("status", "1", "--json").facts["stands"] == "waiting"
    assert counts(door) == {"waiting": 1}


def test_since_when_a_scene_is_absent_does_not_move_when_it_is_looked_for_again(world: World, door: Door) -> None:
    world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    door("sync", "1", "--wait")
    change(world, "update standing set since = since - 3600000")
    first = door("status", "1", "--json").facts["since"]
    door("sync", "1", "--wait")
    assert door("status", "1", "--json").facts["since"] == first


def test_a_scene_that_stash_lost_is_gone(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    world.stash.destroy_scene(1)
    door("sync", "1", "--wait")
    assert door("status", "1", "--json").facts["stands"] == "gone"
    assert counts(door) == {"gone": 1}


def test_a_scene_that_nothing_is_known_of_is_told_so(world: World, door: Door) -> None:
    done = door("status", "77")
    assert done.code == 1
    assert "scene 77 is unknown" in done.out
    assert door("status", "77", "--json").facts["stands"] == "unknown"
