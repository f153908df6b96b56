"""A database with a scene approved in part asks for the one yes again, and nothing is written before."""

from plexsync.app.parts import open_parts
from plexsync.app.run import Schedule
from plexsync.app.switches import approve_bulk, bulk_approved
from plexsync.store.schema import PARTS_WAIT
from tests.journey.world import World
from tests.stores import look
from tests.web.stage import config_of, work


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars["title"] for key in world.plex.keys(world.section)]


def test_the_yes_is_asked_for_again_and_writes_what_was_skipped(world: World) -> None:
    world.unset = ("approve_bulk",)
    work(world, world.add(2))
    with open_parts(config_of(world), world.folder) as parts:
        approve_bulk(parts)
        parts.poller.poll()
    for id in (1, 2):
        world.stash.quiet_edit(id, title=f"New {id}")
    with look(world.folder) as db:
        db.execute("update job set state = 'dropped', cls = 'skipped', accepted = accepted + 1 where id = 1")
        for statement in PARTS_WAIT:
            db.execute(statement)
    with open_parts(config_of(world), world.folder) as parts:
        assert not bulk_approved(parts)
        assert not Schedule(parts, lambda: False)()
    work(world)
    assert titles(world) == ["Title 0", "Title 1"]
    asked = world.run("sync", "--all", "--json")
    assert (asked.returncode, "this would be the first write of the whole library" in asked.stdout) == (2, True)

    assert world.run("sync", "--all", "--yes", "--wait").returncode == 0
    assert titles(world) == ["New 1", "New 2"]
    with open_parts(config_of(world), world.folder) as parts:
        assert Schedule(parts, lambda: False)()
    assert world.run("undo", "1", "--yes", "--wait").returncode == 0
    assert titles(world)[0] not in ("New 1", "Title 0")
