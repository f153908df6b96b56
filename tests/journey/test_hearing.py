"""serve hears from Plex: what comes, changes or goes there is answered at once, and without being heard a little later."""

from pathlib import Path

import pytest

from plexsync.simulator.stash_hooks import HookRunner
from tests.journey.world import ROOT, TOKEN, World, until, world_in


@pytest.fixture
def world(tmp_path):
    # No look at either side in the time that a test takes.
    with world_in(tmp_path / "data", {"stash_poll_interval": "3600"}) as made:
        yield made


REVISIONS = "select sum(wanted_rev), sum(claimed_rev) from job"


def overwrite(world: World, key: str) -> None:
    """Let an agent of Plex write a title, and wait until ours is there again."""
    ours = world.plex.item(key).scalars["title"]
    world.plex.advance(10)
    world.plex.hand_edit(key, locked=False, title="By the agent")
    until(lambda: world.plex.item(key).scalars["title"] == ours)


def test_serve_answers_what_happens_in_plex_at_once_and_never_its_own_edits(world):
    ids = world.add(5)
    path = "/media/scenes/late.mp4"
    late = world.stash.add_scene(title="Late", files=[(path, 77, 60.0)])
    with world.serving():
        until(world.plex.listeners)
        until(lambda: world.in_step(ids))
        until(lambda: world.count("absent") == 1)

        key = world.plex.add_movie(world.section, files=[(path, 77, 60_000)], title="late")
        until(lambda: world.plex.item(key).scalars["title"] == "Late")

        first = world.plex.keys(world.section)[0]
        overwrite(world, first)

        world.plex.remove(first)
        until(lambda: world.rows("select state from job where id = 1") == [("absent",)])

        world.plex.hang_up()
        until(lambda: world.plex.listeners() == 0)
        until(world.plex.listeners)
        # What its own edit of one item would bring about comes before what is done about the next.
        _, second, third, *_ = world.plex.keys(world.section)
        overwrite(world, second)
        writes = world.plex.count("PUT")
        ((wanted, claimed),) = world.rows(REVISIONS)
        overwrite(world, third)
        assert world.plex.count("PUT") == writes + 1
        assert world.rows(REVISIONS) == [(wanted + 1, claimed + 1)]
        assert world.in_step([*ids[1:], late])
    assert "stopped in good order" in world.log()
    assert TOKEN not in world.log()
    assert all(TOKEN not in request.target for request in world.plex.log)


@pytest.mark.long
def test_without_being_able_to_listen_serve_finds_the_same_by_looking(world):
    world.settings["stash_poll_interval"] = "5"
    world.plex.subscribe = lambda request: None
    ids = world.add(3)
    path = "/media/scenes/late.mp4"
    world.stash.add_scene(title="Late", files=[(path, 77, 60.0)])
    with world.serving():
        until(lambda: world.in_step(ids))
        until(lambda: world.count("absent") == 1)
        key = world.plex.stage_movie(world.section, files=[(path, 77, 60_000)], title="late")
        world.plex.scan(world.section)
        until(lambda: key in world.plex.keys(world.section))
        until(lambda: world.plex.item(key).scalars["title"] == "Late")
    told = [line for line in world.log().splitlines() if "can't be listened to" in line]
    assert len(told) == 1


def test_an_edit_in_stash_is_in_plex_by_a_line_of_its_log_long_before_the_next_poll(
    world: World, tmp_path: Path
) -> None:
    world.settings |= {"stash_poll_interval": "3600"}
    ids = world.add(5)
    manifest = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"
    world.stash.others.append(HookRunner.from_manifest(manifest, dir=tmp_path))
    with world.serving():
        until(lambda: world.in_step(ids))
        until(lambda: world.stash.log_lines.subscribers)
        # The polls of the connection are over once its first lines were heard.
        until(lambda: world.rows("select value from note where name = 'lines:state'") == [("on",)])
        world.stash.edit_scene(ids[0], title="Edited")
        world.stash.rename_tag("Tag 3", "Renamed")
        until(lambda: world.in_step(ids))
        edits = world.json("status")["edits"]
        assert (edits["by"], edits["log_heard"], edits["log_error"]) == ("line", True, "")

        # What no line told of is found as soon as the connection is there again.
        world.stash.quiet_edit(ids[1], title="Told by nobody")
        world.stash.log_lines.hang_up()
        until(lambda: world.in_step(ids))


def test_a_stash_that_does_not_send_its_log_is_polled_and_status_says_so(world: World) -> None:
    world.stash.sends_log = False
    ids = world.add(1)
    with world.serving():
        until(lambda: world.in_step(ids))
        world.stash.quiet_edit(ids[0], title="Found by a poll")
        until(lambda: world.in_step(ids))
        until(lambda: "does not send its log" in world.json("status")["edits"]["log_error"])
