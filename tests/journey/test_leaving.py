"""Undo end to end: real processes that are killed, real HTTP, the real file."""

import json
import sqlite3
from contextlib import closing

import pytest

from plexsync.simulator.http import Fault
from plexsync.store import intake
from tests.journey.kills import killed
from tests.journey.world import World, until
from tests.store.fifteen import ENDED, put_back
from validation.removed import REMOVED


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


@pytest.mark.sqlite_only
def test_a_database_with_what_was_removed_in_030_loses_nothing_writes_nothing_unasked_and_is_undone(
    world: World,
) -> None:
    ids = world.add(12)
    keys = world.plex.keys(world.section)
    world.plex.hand_edit(keys[0], genre=["A person's genre", "Tag 0"])
    before = shown(world)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("reconcile", "--wait").returncode == 0
    skipped, unwritten = ids[2:4]
    for key in keys[2:4]:
        world.plex.hand_edit(key, locked=False, title="From an agent")
    database = world.folder / "plexsync.db"
    put_back(database)
    with closing(sqlite3.connect(database)) as db:
        for statement in ENDED:
            db.execute(statement)
        ready = "state = 'ready', lane = 1, wanted_rev = wanted_rev + 1, accepted = accepted + 1"
        db.execute(f"update job set {ready} where id = {unwritten}")
        dropped = "state = 'dropped', cls = 'skipped', error = 'a part', accepted = accepted + 1"
        db.execute(f"update job set {dropped} where id = {skipped}")
        ((revision,),) = db.execute(f"select wanted_rev from job where id = {unwritten}")
        approval = json.dumps({"rev": revision, "take_over": False, "id": unwritten, "items": []})
        db.execute("insert into note (name, value) values (?, ?)", (f"approved:{unwritten}", approval))
        # The settings of then, as their last comparison noted them.
        db.execute(
            "update note set value = json_set(value, '$.gallery_choices', 'f00d') where name = 'reconcile:settings'"
        )
        db.execute("update note set value = 'of then' where name = 'reconcile:wishes'")
        db.execute("insert or replace into note (name, value) values ('bulk:approved', '7')")
        db.commit()
    world.settings |= {"gallery_choices": "2", "watch_marked": "true", "adopt_locked_lists": "true"}
    world.unset = ("approve_bulk",)

    writes = world.plex.count("PUT")
    status = world.json("status")
    assert (status["bulk_approved"], status["setting_change"]) == (False, None)
    assert (status["scenes"]["in_step"]["count"], status["scenes"]["waiting"]["count"]) == (10, 2)
    assert "the first write needs your approval (plexsync sync --all)" in world.run("drain").stdout
    assert world.plex.count("PUT") == writes
    assert world.json("status")["setting_change"] is None, "what is gone is no change of yours"
    lines = world.run("doctor").stdout
    assert all(f"PLEXSYNC_{name.upper()} in the environment was removed in 0.3.0" in lines for name in REMOVED)

    assert world.run("sync", "--all", "--yes", "--wait").returncode == 0
    assert [id for id, *_ in world.out_of_step(ids)] == [1], "a name that was there before stays"
    assert world.rows("select count(*) from note where name like 'approved:%' or name like 'old-list%'") == [(0,)]
    assert world.run("undo", "--all", "--yes", "--wait").returncode == 0
    assert shown(world) == before
    assert world.json("status")["books"]["balanced"] is True


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
