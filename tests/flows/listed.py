"""A house whose tags make playlists, and what a person sees of them in Plex."""

from collections.abc import Iterator
from contextlib import contextmanager

from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionUndo
from plexsync.rules.collections.collection_servers import PlaylistRules
from plexsync.rules.collections.collections import CollectionRow
from plexsync.simulator.plex_server import PlaylistSnapshot
from tests.engine.house import House
from tests.engine.pools import Inline

PARENT = "Playlists"


@contextmanager
def listed_house(folder, order: str = "date", **rules: object) -> Iterator[House]:
    folder.mkdir(exist_ok=True)
    with House(folder / "data", playlists=PlaylistRules(PARENT, order), pool=Inline(), **rules) as house:
        yield house


def begin(house: House, *scenes: tuple[str, ...], children: tuple[str, ...] = ("Evening", "Night")) -> list[int]:
    """Scenes with these tags, a day after each other, with their items, in step with all that follows from them."""
    for child in children:
        house.stash_sim.set_tag_parents(child, [PARENT])
    ids = []
    for n, tags in enumerate(scenes):
        ids.append(house.add_scene(n, tags=list(tags), date=f"2020-01-{n + 1:02}"))
        path = house.stash_sim.scene(ids[-1]).files[0][0]
        house.plex_sim.add_movie(house.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
    house.want(*ids)
    settle(house)
    house.forget_requests()
    return ids


def settle(house: House) -> None:
    """Everything is worked and compared, until nothing is left to do."""
    for _ in range(3):
        house.clock.move(120)
        house.work_until_settled()
        house.worker.dressing.comparison.compare()
    house.clock.move(120)
    house.work_until_settled()


def playlist(house: House, title: str) -> PlaylistSnapshot:
    (found,) = [one for one in house.plex_sim.playlists().values() if one.item.scalars["title"] == title]
    return found


def titles(house: House) -> list[str]:
    return sorted(str(one.item.scalars["title"]) for one in house.plex_sim.playlists().values())


def members(house: House, title: str) -> list[int]:
    """The numbers of the scenes of a playlist, in its order."""
    keys = playlist(house, title).members
    return [int(house.plex_sim.item(key).files[0][0].split()[-1].split(".")[0]) for key in keys]


def retag(house: House, id: int, *tags: str) -> None:
    """Somebody gives a scene these tags in Stash."""
    house.edit(id, tags=list(tags))


def row(house: House, name: str) -> CollectionRow:
    with house.store.reading() as db:
        (found,) = [one for one in db.collections.every() if one.object.source == "playlist" and one.name == name]
    return found


def undo(house: House, *names: str, how: str = "undo") -> None:
    ids = [row(house, name).id for name in names]
    wish_undone(house.store, CollectionUndo(house.worker.dressing.inspector), house.clock, ids, how)
    settle(house)


def redo(house: House, *names: str) -> None:
    from plexsync.flows.collections.decisions import redone, want_collections

    want_collections(house.store, house.clock, [row(house, name).id for name in names], redone)
    settle(house)
