"""A library asks PlexSync first, and is as it was before once that is taken back, however often either is interrupted."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from plexsync.app.parts import Parts
from plexsync.app.provider_steps import steps
from tests.app.provider_stage import GROUP, PREFIX, Killed, add, asking_world, kill_at, parts_of, remove, whole
from tests.journey.world import World
from tests.patience import HANG
from tests.web.stage import work


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path / "data") as world:
        yield world


def furnish(world: World) -> list[str]:
    """Two scenes in step, an item that PlexSync does not know, and what people and agents have made of them."""
    work(world, world.add(2))
    world.plex.add_movie(world.section, files=[("/media/scenes/home.mp4", 5, 1000)], title="Home", genre=["Family"])
    one, _, home = keys = world.plex.keys(world.section)
    world.plex.match(home, b"a poster", b"another poster")
    world.plex.hand_edit(home, summary="By hand", actor=["Ann", "Bob"], thumb=b"my poster")
    world.plex.hand_edit(one, tagline="Mine", label=["Seen"])
    return keys


def settle(world: World) -> None:
    """The worker does what is queued."""
    work(world, [])
    world.plex.wait_for_asks()


def test_a_library_in_step_is_whole_again_after_it_was_taken_back(world: World) -> None:
    furnish(world)
    before = whole(world)
    with parts_of(world) as parts:
        add(parts)
        settle(world)
        meanwhile = whole(world)
        assert meanwhile["agent"][0].startswith(PREFIX)
        assert meanwhile["agent"][1] != GROUP
        assert {name: item["locks"] for name, item in meanwhile["items"].items()} != {
            name: item["locks"] for name, item in before["items"].items()
        }
        result = remove(parts)
    settle(world)
    assert whole(world) == before
    assert result == steps.PutBack()


def test_a_process_that_is_killed_anywhere_leaves_what_the_next_one_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(2)
    before, number = whole(world), 1
    with parts_of(world) as parts:
        add(parts)
        added = whole(world)
        remove(parts)
        assert added["items"] != whole(world)["items"] == before["items"]
        while killed(parts, monkeypatch, number, lambda: add(parts)):
            add(parts)
            assert values_of(whole(world)) == values_of(added), number
            if killed(parts, monkeypatch, number, lambda: remove(parts)) and asking(parts):
                remove(parts)
            assert whole(world) == before, number
            number += 1
    assert number > 40


def test_what_was_added_in_part_can_be_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(1)
    before, number = whole(world), 1
    with parts_of(world) as parts:
        while killed(parts, monkeypatch, number, lambda: add(parts)):
            world.plex.wait_for_asks(HANG)
            if asking(parts):
                remove(parts)
            assert whole(world) == before, number
            number += 1
    assert number > 40


def asking(parts: Parts) -> bool:
    """Whether a library asks, or is about to."""
    with parts.store.reading() as db:
        return bool(db.providers.all())


def values_of(whole: Mapping[str, object]) -> object:
    """The items, and whose agent the library has; its group has another number each time."""
    agent, _group = whole["agent"]
    return agent, whole["items"]


def killed(parts: Parts, monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> bool:
    """Whether the process ended at the boundary of this number."""
    with monkeypatch.context() as patched:
        was_reached = kill_at(patched, number)
        try:
            act()
        except Killed:
            assert was_reached()
            return True
    return False
