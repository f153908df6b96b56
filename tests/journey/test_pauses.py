"""Resume points with real processes: what is paused in Plex is resumed there in Stash, within seconds."""

import signal

import pytest

from tests.journey.world import World, stop, until, world_in


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path / "data") as made:
        made.settings["watch_back"] = "plays+resume"
        yield made


def resume_of(world: World, id: int) -> float:
    """Where Stash resumes a scene, in seconds."""
    return world.stash.scene(id).resume_time


def test_a_pause_arrives_by_plexs_event_and_the_end_clears_it(world):
    plex = world.plex
    one, two = world.add(2)
    keys = plex.keys(world.section)
    guest = plex.add_account("guest")
    world.settings["stash_poll_interval"] = "3600"
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("plays", "sync", "--yes").returncode == 0
    with world.serving():
        until(plex.listeners)
        until(lambda: plex.count("GET", "/status/sessions/history"))
        plex.sessions.start(keys[1], account=guest)
        plex.sessions.pause(keys[1], 20_000, account=guest)
        plex.sessions.start(keys[0])
        plex.sessions.pause(keys[0], 30_500)
        until(lambda: resume_of(world, one) == 30.5)
        # Plex tells moments in whole seconds.
        plex.advance(5)
        plex.sessions.finish(keys[0])
        until(lambda: resume_of(world, one) == 0 and world.stash.plays.of(one))
    assert (resume_of(world, two), world.stash.scene(one).play_duration) == (0, 0)


@pytest.mark.long
def test_a_pause_that_no_event_has_told_arrives_by_the_poll_through_a_kill(world):
    plex = world.plex
    one, two = world.add(2)
    keys = plex.keys(world.section)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("plays", "sync", "--yes").returncode == 0
    plex.pause(keys[0], 30_000)
    process = world.start("serve")
    until(lambda: resume_of(world, one) == 30.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    plex.advance(60)
    plex.pause(keys[0], 40_000)
    plex.pause(keys[1], 20_000)
    process = world.start("serve")
    until(lambda: (resume_of(world, one), resume_of(world, two)) == (40.0, 20.0))
    stop(process)
