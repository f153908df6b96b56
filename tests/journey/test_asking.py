"""A library that asks PlexSync, with the real program: added, scanned, killed in between, and taken back."""

import pytest

from tests.app.provider_stage import whole
from tests.journey.world import World, stop, until
from tests.patience import HANG
from tests.web.test_serving import free_port

# A scene is found by a poll, and the worker looks every five seconds whether steps were left.
pytestmark = pytest.mark.long
PREFIX = "tv.plex.agents.custom.plexsync."


def agent(world: World) -> str:
    return world.plex.agent_of(world.section)[0]


def locks(world: World) -> set[str]:
    return {lock for key in world.plex.keys(world.section) for lock in world.plex.item(key).locks}


def test_a_library_asks_is_right_at_the_scan_and_is_taken_back_whole(world: World) -> None:
    world.settings["provider_listen"] = f"127.0.0.1:{free_port()}"
    world.plex.set_section_pref(world.section, "includeAdultContent", "1")
    world.add(3)
    assert world.run("sync", "--all", "--wait").returncode == 0
    before = whole(world)
    assert locks(world)
    with world.serving():
        added = world.run("provider", "add", "Movies", "--yes")
        assert added.returncode == 0, added
        assert agent(world).startswith(PREFIX)
        until(lambda: not locks(world))
        path = "/media/scenes/new.mp4"
        world.stash.add_scene(title="New", files=[(path, 5, 60.0)])
        until(lambda: world.json("provider", "status")["libraries"][0]["answers"] == 4)
        key = world.plex.stage_movie(world.section, [(path, 5, 60_000)])
        world.plex.scan(world.section)
        world.plex.finish_scan(world.section)
        world.plex.wait_for_asks(HANG)
        assert (world.plex.item(key).scalars["title"], world.plex.item(key).locks) == ("New", frozenset())
        world.plex.remove(key)
        removed = world.run("provider", "remove", "Movies", "--yes")
        assert removed.returncode == 0, removed
        until(lambda: whole(world) == before)


def test_what_a_killed_call_has_left_is_ended_by_the_worker_of_serve(world: World) -> None:
    world.settings["provider_listen"] = f"127.0.0.1:{free_port()}"
    world.plex.set_section_pref(world.section, "includeAdultContent", "1")
    world.add(2)
    # Nobody answers yet, so it waits for Plex to accept the address.
    process = world.start("provider", "add", "Movies", "--yes")
    until(lambda: any("/media/providers" in request.path and request.method == "POST" for request in world.plex.log))
    process.kill()
    process.wait()
    server = world.start("serve")
    until(lambda: agent(world).startswith(PREFIX))
    until(lambda: world.json("provider", "status")["libraries"][0]["state"] == "on")
    stop(server)
