"""A library with a collection for each way to stand, for pages to be looked at."""

import threading

from plexsync.app.parts import Parts, at_work, open_parts
from plexsync.app.run import drain
from plexsync.rules.collections.collections import CollectionObject, KnownCollection
from plexsync.rules.queue.job import COLLECTION, State, Why
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.stash_images import png
from tests.journey.world import World
from tests.web.stage import HOSTILE, config_of, work

DRESSED = {"collections": "studio, groups", "collection_parts": "name, summary, poster, order"}
IN_SYNC, EDITED, FOREIGN, FAILED, NEW = "Northlight", "Blue Door", "Field & Sons", "Lantern", "Harbour"
TRILOGY = "Trilogy"


def furnish_collections(world: World, *studios: str) -> dict[str, int]:
    """One collection for each way to stand, by its name, and one for each further studio; a group of two scenes."""
    world.settings |= DRESSED
    names = (IN_SYNC, EDITED, FOREIGN, FAILED, *studios)
    ids = [_scene(world, n, studio) for n, studio in enumerate(names)]
    world.plex.hand_edit(_movie(world, "Somebody's own", 900), collection=[FOREIGN])
    for studio in (IN_SYNC, EDITED, FOREIGN):
        world.stash.edit_object("studio", studio, details=f"Films of {studio}.", image=png(20, 90, 160))
    world.stash.edit_object("group", TRILOGY, synopsis="Two of three.", front_image=png(160, 90, 20))
    work(world, ids)
    settle(world)
    keys = world.plex.collection_keys(world.section)
    world.plex.hand_edit(keys[EDITED], summary="My own words.", thumb=png(0, 160, 0), locked=True)
    world.stash.edit_object("studio", FAILED, details="What Plex does not take.")
    refuse(world, keys[FAILED])
    inspect(world, EDITED, FAILED)
    world.plex.faults.clear()
    note(world, "Movies", 99, NEW)
    return numbers(world)


def note(world: World, library: str, tag: int, name: str) -> None:
    """Note the collection of a tag in this library. Nobody has inspected it yet."""
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        (row,) = (row for row in tx.sections.all() if row.title == library)
        tx.collections.ensure([KnownCollection(0, CollectionObject("tag", tag), row.uuid, row.key, name)])


def refuse(world: World, key: str) -> None:
    """Plex refuses every edit of this collection."""

    def meant(request: Request) -> bool:
        return request.method == "PUT" and (request.params.get("id") == key or request.path.endswith(f"/{key}"))

    world.plex.faults.set(Fault("status", status=400, when=meant))


def inspect(world: World, *names: str) -> None:
    """Want these collections, and work until nothing waits."""
    known = numbers(world)
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        for name in names:
            tx.jobs.want(COLLECTION, known[name], Why.USER, parts.clock.now())
    settle(world)


def settle(world: World) -> None:
    """Work until no collection waits."""
    with at_work(config_of(world), world.folder) as (parts, mine):
        assert mine
        drain(parts, threading.Event(), lambda _step: None, wait_for=lambda: is_settled(parts))


def is_settled(parts: Parts) -> bool:
    """Whether no collection is queued or worked on."""
    with parts.store.reading() as db:
        ids = [row.id for row in db.collections.page(after=0, limit=500)]
        return not any(job.state in (State.READY, State.RUNNING) for job in db.jobs.of(COLLECTION, ids).values())


def numbers(world: World) -> dict[str, int]:
    """The numbers of all collections, by name."""
    return dict(world.rows("select name, id from collection order by id desc"))


def shown_in_plex(world: World, name: str) -> str:
    """The summary of a collection as Plex has it."""
    return str(world.plex.item(world.plex.collection_keys(world.section)[name]).scalars.get("summary", ""))


def hostile_studios() -> tuple[str, ...]:
    """Names that mean harm."""
    return tuple(name[:200] for name in HOSTILE)


def _movie(world: World, title: str, n: int) -> str:
    path = f"/media/scenes/film {n}.mp4"
    return world.plex.add_movie(world.section, files=[(path, 1_000 + n, 60_000)], title=title)


def _scene(world: World, n: int, studio: str) -> int:
    _movie(world, f"film {n}", n)
    return world.stash.add_scene(
        title=f"Film {n}",
        studio=studio,
        groups=[(TRILOGY, 2 - n)] if n < 2 else [],
        files=[(f"/media/scenes/film {n}.mp4", 1_000 + n, 60.0)],
    )
