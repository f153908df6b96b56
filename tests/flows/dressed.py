"""A house whose collections are dressed, and what a person sees of them in Plex."""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from plexsync.rules.collections.collections import PARTS, CollectionRow, Dressing
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import COLLECTION
from tests.engine.house import House
from tests.engine.pools import Inline

ALL = frozenset(PARTS)


def profile(**dressing: object) -> Profile:
    """Every field, collections of studios, groups and chosen tags, and this dressing."""
    return Profile(
        frozenset(FIELDS),
        tag_collections=choice.parse_patterns(["Series*"]),
        dressing=Dressing(**{"parts": ALL, **dressing}),
    )


@contextmanager
def dressed_house(folder, **dressing: object):
    rules = dressing.pop("rules", {})
    folder.mkdir(exist_ok=True)
    with House(folder / "data", profile=profile(**dressing), pool=Inline(), **rules) as house:
        yield house


def begin(house: House, *scenes: Mapping[str, object]) -> list[int]:
    """Scenes with these values and their items, in step with all that follows from them."""
    ids = []
    for n, values in enumerate(scenes):
        ids.append(house.add_scene(n, **values))
        path = house.stash_sim.scene(ids[-1]).files[0][0]
        house.plex_sim.add_movie(house.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    return ids


def key_of(house: House, title: str) -> str:
    """The rating key of the collection with this title."""
    return house.plex_sim.collection_keys(house.section)[title]


def collection(house: House, title: str):
    """A collection of Plex by its title."""
    return house.plex_sim.item(key_of(house, title))


@dataclass(frozen=True)
class Shown:
    """All that Plex has of a collection: its fields, locks, pictures and settings, its members in order, and its home."""

    scalars: Mapping[str, object]
    locks: frozenset[str]
    poster: str | None
    art: str | None
    mode: str
    sort: str
    members: tuple[str, ...]
    home: tuple[str, ...] | None


def shown(house: House) -> dict[str, Shown]:
    """The collections of every library as Plex has them, by key."""
    plex = house.worker.plex
    all_shown = {}
    for section in plex.sections():
        homes = plex.collections.homes(section.key)
        for key in [entry.key for page in plex.collections.list_collections(section.key) for entry in page]:
            item, full = house.plex_sim.item(key), plex.collections.read([key])[key].item
            all_shown[key] = Shown(
                {name: value for name, value in item.scalars.items() if name != "addedAt"},
                item.locks,
                item.poster,
                item.art,
                full.value("collectionMode"),
                full.value("collectionSort"),
                tuple(plex.collections.members(key)),
                homes.get(key),
            )
    house.forget_requests()
    return all_shown


def members(house: House, title: str) -> list[int]:
    """The numbers of the scenes of a collection, in its order."""
    keys = house.plex_sim.collections(house.section)[title]
    return [int(house.plex_sim.item(key).files[0][0].split()[-1].split(".")[0]) for key in keys]


def add_member(house: House, n: int, **values: object) -> int:
    """Another scene and its item, synced like the others."""
    (id,) = house.add(1, start=n)
    house.worker.indexer.freshen(force=True)
    house.edit(id, **values)
    house.work_until_settled()
    return id


def rows(house: House) -> dict[str, CollectionRow]:
    """What is remembered, by name."""
    with house.store.reading() as db:
        return {row.name: row for row in db.collections.page(after=0, limit=1000)}


def want(house: House, *titles: str) -> None:
    """Queue these collections (all, if none is given), as a change in Stash does."""
    with house.store.writing() as tx:
        for row in tx.collections.page(after=0, limit=1000):
            if not titles or row.name in titles:
                tx.jobs.want(COLLECTION, row.id, "edit", house.clock.now())


def writes(house: House) -> list[str]:
    """The requests that wrote to Plex."""
    return [f"{request.method} {request.path}" for request in house.plex_sim.log if request.method != "GET"]
