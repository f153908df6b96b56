"""Undo end to end: real processes that are killed, real HTTP, the real file."""

import pytest

from plexsync.simulator.http import Fault
from plexsync.store import intake
from tests.journey.kills import killed
from tests.journey.world import World, until
from tests.store.fifteen import put_back


def shown(world: World) -> dict[str, object]:
    """Everything that can be seen of every item in Plex."""
    items = {key: world.plex.item(key) for key in world.plex.keys(world.section)}
    return {
        key: (dict(item.scalars), {name: sorted(names) for name, names in item.lists.items()}, item.roles, item.locks)
        for key, item in items.items()
    }


@pytest.mark.long
def test_leaving_with_kills_on_the_way_leaves_plex_as_it_was(world: World) -> None:
    ids = world.add(120)
    keys = world.plex.keys(world.section)
    world.plex.hand_edit(keys[0], studio="A person's studio", genre=["A person's genre", "Tag 0"])
    world.plex.hand_edit(keys[1], locked=False, summary="From an agent", actor=[("Somebody", "Herself")])
    before = shown(world)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert shown(world) != before

    world.plex.faults.set(Fault("latency", seconds=0.02))
    world.stash.faults.set(Fault("latency", seconds=0.1))
    killed(world, "undo", "--all", "--yes", requests=2)
    assert world.run("undo", "--all", "--yes").returncode == 0
    for turn in range(6):
        killed(world, "serve", requests=20 + 10 * (turn % 3))
    world.plex.faults.clear()
    world.stash.faults.clear()
    done = world.run("undo", "--all", "--yes", "--wait")
    assert done.returncode == 0, done.stderr
    assert shown(world) == before

    writes = world.plex.count("PUT")
    assert world.run("reconcile", "--wait").returncode == 0
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.plex.count("PUT") == writes, "neither a comparison nor a sync of everything brings it back"
    status = world.json("status")
    assert status["undone"] == {"undone": 120, "released": 0}
    assert status["books"]["balanced"] is True
    assert status["jobs"]["dead"] == 0
    assert len(ids) == 120


def test_a_serving_worker_takes_back_what_is_undone_and_syncs_what_is_edited_then(world: World) -> None:
    ids = world.add(10)
    before = shown(world)
    with world.serving():
        until(lambda: world.in_step(ids) and world.count("idle") == len(ids))
        assert world.run("undo", "--since", "1h", "--yes", "--wait").returncode == 0
        assert shown(world) == before
        world.stash.edit_scene(ids[3], title="Edited", tags=["Another"])
        until(lambda: world.in_step([ids[3]]))
        assert sorted({id for id, *_ in world.out_of_step(ids)}) == [id for id in ids if id != ids[3]]


@pytest.mark.sqlite_only
def test_what_was_written_under_the_schema_before_is_taken_back_all_the_same(world: World) -> None:
    world.add(12)
    keys = world.plex.keys(world.section)
    world.plex.hand_edit(keys[0], studio="A person's studio", genre=["A person's genre", "Tag 0"])
    world.plex.hand_edit(keys[1], locked=False, summary="From an agent", actor=[("Somebody", "Herself")])
    before = shown(world)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("undo", "2", "--wait").returncode == 0
    put_back(world.folder / "plexsync.db")
    done = world.run("undo", "--all", "--yes", "--wait")
    assert done.returncode == 0, done.stderr
    assert shown(world) == before
    assert world.rows("pragma user_version") == [(intake.SCHEMA,)]


def test_leaving_with_everything_kept_takes_off_every_lock_of_ours(world: World) -> None:
    ids = world.add(30)
    key = world.plex.keys(world.section)[0]
    world.plex.hand_edit(key, studio="Studio 0")
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("release", "--all", "--yes", "--wait").returncode == 0
    assert world.in_step(ids)
    locks = {one: world.plex.item(one).locks for one in world.plex.keys(world.section)}
    assert locks.pop(key) == {"studio"}, "a lock of before us stays"
    assert set(locks.values()) == {frozenset()}
