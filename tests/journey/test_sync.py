"""The main job, end to end: real processes, real HTTP, the real file; read back by the real client."""

import time
from collections import Counter

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.journey.kills import killed
from tests.journey.world import TOKEN, World, until
from tests.patience import HANG


def test_a_library_comes_in_step_and_the_same_sync_again_writes_nothing(world: World) -> None:
    ids = world.add(120)
    first = world.run("sync", "--all", "--wait")
    assert first.returncode == 0, first.stderr
    assert world.out_of_step(ids) == []
    writes = world.plex.count("PUT")
    assert writes == 120

    again = world.run("sync", "--all", "--wait")
    assert again.returncode == 0
    assert world.plex.count("PUT") == writes


def test_a_changed_scene_costs_about_one_request_to_plex_and_hardly_any_to_stash(world: World) -> None:
    world.add(200)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.plex.count() / 200 <= 1.2
    assert world.stash.count() / 200 <= 0.05


def test_a_first_sync_costs_as_little_in_serve_since_the_first_comparison_comes_after_it(world: World) -> None:
    ids = world.add(200)
    for id in ids:
        world.stash.set_cover(id, png(id, 0, 0))
    # A cover that was changed within a moment of its read is read twice: the last edit was a minute ago.
    edited = world.stash.now
    world.stash.now = lambda: edited() + 60
    world.settings |= {"poster": "cover", "stash_poll_interval": "3600"}
    assert world.run("sync", "--all", "--yes").returncode == 0
    world.stash.clear_log()
    world.plex.clear_log()
    with world.serving():
        until(lambda: world.rows("select 1 from note where name = 'reconcile:last' and value <> ''"))
        assert world.count("ready") == world.count("running") == 0
    covers = Counter(request.path for request in world.stash.log if "screenshot" in request.path)
    assert len(covers) == covers.total() == 200
    # Besides: the start of a worker, its index of Plex, its first poll and the comparison.
    assert world.stash.count() - 200 <= 30
    assert world.plex.count() - 2 * 200 <= 40


def test_everything_written_is_locked_and_nothing_else_is_touched(world: World) -> None:
    ids = world.add(3)
    alone = world.plex.add_movie(world.section, files=[("/media/scenes/other.mp4", 77, 1000)], title="other")
    before = world.plex.item(alone)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.out_of_step(ids) == []
    assert world.plex.item(alone) == before
    key = next(key for key in world.plex.keys(world.section) if key != alone)
    assert {"title", "summary", "studio", "originallyAvailableAt", "actor", "genre", "collection"} <= world.plex.item(
        key
    ).locks


def test_serve_needs_no_hook_to_notice_edits_deletions_and_renames(world: World) -> None:
    ids = world.add(10)
    with world.serving():
        until(lambda: world.in_step(ids))
        world.stash.edit_scene(ids[0], title="Edited", performers=["Somebody New"])
        world.stash.rename_studio("Studio 1", "Studio One")
        until(lambda: world.in_step(ids))
        world.stash.destroy_scene(ids[5])
        until(lambda: world.count("gone") == 1)


def test_the_latest_edit_wins_while_the_worker_works(world: World) -> None:
    ids = world.add(30)
    with world.serving():
        until(lambda: world.in_step(ids))
        for turn in range(8):
            for id in ids[:5]:
                world.stash.edit_scene(id, title=f"turn {turn} of {id}", tags=[f"turn {turn}"])
        world.run("sync", *map(str, ids[:5]))
        until(lambda: world.in_step(ids))


@pytest.mark.long
def test_twenty_kills_in_a_row_lose_nothing_and_blame_nobody(world: World) -> None:
    ids = world.add(200)
    world.plex.faults.set(Fault("latency", seconds=0.01))
    assert world.run("sync", "--all").returncode == 0
    for kill in range(20):
        killed(world, "serve", requests=15 + 2 * (kill % 7))
    world.plex.faults.clear()
    with world.serving():
        until(lambda: world.in_step(ids))
        # A scene whose lone attempt was killed rests for a minute before the next.
        until(lambda: world.count("idle") == 200)
    assert world.count("dead") == 0
    assert world.json("status")["books"]["balanced"] is True


OUTAGES = {
    "refusing": lambda world: world.plex.faults.set(Fault("refuse")),
    "maintenance": lambda world: world.plex.faults.set(Fault("maintenance")),
    "hanging": lambda world: world.plex.faults.set(Fault("hang")),
    "resetting": lambda world: world.plex.faults.set(Fault("reset")),
    "lost answers": lambda world: world.plex.faults.set(Fault("reset_after")),
    "token revoked": lambda world: setattr(world.plex, "token", "another"),
}


@pytest.mark.parametrize(
    "kind", ["refusing", *(pytest.param(kind, marks=pytest.mark.long) for kind in OUTAGES if kind != "refusing")]
)
def test_an_outage_uses_nobodys_attempts_and_heals_without_a_hand(world: World, kind: str) -> None:
    world.settings["plex_read_timeout"] = "5"
    ids = world.add(80)
    world.plex.faults.set(Fault("latency", seconds=0.01))
    with world.serving():
        until(lambda: world.plex.count("PUT") >= 30)
        OUTAGES[kind](world)
        time.sleep(2)
        world.plex.clear_log()
        began = time.monotonic()
        time.sleep(3)
        # At the pace of the breaker, however long that took.
        asked, allowed = world.plex.count(), 2 * (time.monotonic() - began)
        assert world.rows("select max(attempts) from job") == [(0,)]
        assert world.count("dead") == 0
        world.plex.faults.clear()
        world.plex.token = TOKEN
        assert asked <= allowed, f"{asked} requests in an outage with a probe each 1-2 s"
        until(lambda: world.in_step(ids))
        assert world.count("dead") == 0


def test_drain_ends_with_the_reason_however_soon_a_hold_is_tested_again(world: World) -> None:
    world.add(2)
    assert world.run("sync", "--all").returncode == 0
    world.settings["plex_libraries"] = "Nowhere"
    world.run("drain", timeout=HANG)
    again = world.run("drain", timeout=HANG)
    assert again.returncode == 1
    assert "Plex has no movie library named Nowhere" in again.stdout
