"""Collections: which objects in Stash have one in which library, and what is remembered about each.

One row per object and library; its id is also that of its job. See `plexsync.rules.collections.collections`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from plexsync.rules.collections.collections import (
    OWNERS,
    SOURCES,
    CollectionObject,
    CollectionRow,
    KnownCollection,
    Owner,
)
from plexsync.rules.merge.plan_records import Pushing, Remembered
from plexsync.rules.words.text import fold
from plexsync.store.connection import Row, Table, clean
from plexsync.store.documents import decode, encode
from plexsync.store.queue.counts import COUNT_COLLECTIONS

# The columns of what the last inspection has found, as they are.
_PLAIN = ("standing", "standing_at", "desired", "object_at", "stamp")
_KNOWN = "id, source, object, library, section, name, item, owner, scenes"
_ALL = f"{_KNOWN}, standing, standing_at, memory, pushing, desired, object_at, stamp"
LIST = f"select {_ALL} from collection where id in (select value from json_each(:ids))"
PAGE = f"select {_ALL} from collection where id > :after order by id limit :limit"
# The same id can be that of a studio and of a tag.
OF_OBJECTS = f"select {_KNOWN} from collection where object in (select value from json_each(:ids)) order by id"
PLAYLISTS = f"select {_ALL} from collection where source = 'playlist' order by id"
BY_NAME = f"""
select {_KNOWN} from collection
 where name_key in (select value from json_each(:names)) and (library = :library or :library = '') order by id
"""
BY_ITEM = (
    f"select {_KNOWN} from collection where item in (select value from json_each(:items)) and item <> '' order by id"
)
# As `plexsync.store.queue.counts.COUNT_COLLECTIONS` counts them.
IN_ORDER = f"""
select {_ALL} from collection
 where (:library = '' or library = :library) and standing || ':' || coalesce((
    select state from job
     where job.kind = 'collection' and job.id = collection.id and (state = 'dead' or state = 'dropped')
 ), '') in (select value from json_each(:stands))
 order by name_key, library, id limit :limit offset :offset
"""
ENSURE = """
insert into collection (source, object, library, section, name, name_key)
values (:source, :object, :library, :section, :name, :name_key)
on conflict (object, source, library) do update set section = excluded.section
"""
SAVE = """
update collection
   set section = :section, name = :name, name_key = :name_key, item = :item, owner = :owner, scenes = :scenes,
       standing = :standing, standing_at = :standing_at, memory = :memory, pushing = :pushing, desired = :desired,
       object_at = :object_at, stamp = :stamp
 where id = :id
"""
RENAME = "update collection set name = :name, name_key = :name_key where id = :id"
COUNT_SCENES = "update collection set scenes = :count where id = :id"
FORGET = "delete from collection where id in (select value from json_each(:ids))"
PAGE_SIZE = 500


class ReadOnlyCollections(Table):
    """Read access to the collections."""

    def of(self, ids: Iterable[int]) -> dict[int, CollectionRow]:
        """Return everything about these collections, by id. Unknown ids are left out."""
        return {row["id"]: _row(row) for row in self._db.rows(LIST, {"ids": list(ids)})}

    def page(self, *, after: int, limit: int) -> list[CollectionRow]:
        """Return up to `limit` collections with an id above `after`, by id."""
        return list(map(_row, self._db.rows(PAGE, {"after": after, "limit": limit})))

    def every(self) -> Iterator[CollectionRow]:
        """Yield all collections by id; read in pages, so that few of them are in memory."""
        after = 0
        while page := self.page(after=after, limit=PAGE_SIZE):
            yield from page
            after = page[-1].id

    def of_objects(self, objects: Iterable[CollectionObject]) -> dict[CollectionObject, list[KnownCollection]]:
        """Return the collections of these objects, in all libraries. Objects without one are left out."""
        wanted = set(objects)
        collections: dict[CollectionObject, list[KnownCollection]] = {}
        for row in self._db.rows(OF_OBJECTS, {"ids": sorted({object.id for object in wanted})}):
            collection = _known_collection(row)
            if collection.object in wanted:
                collections.setdefault(collection.object, []).append(collection)
        return collections

    def playlists(self) -> dict[int, CollectionRow]:
        """Return all playlists by their tags."""
        return {row["object"]: _row(row) for row in self._db.rows(PLAYLISTS)}

    def by_name(self, names: Iterable[str], *, library: str = "") -> list[KnownCollection]:
        """Return the collections with these names, in any case, in a library ('' for all), by id."""
        keys = sorted({clean(fold(name)) for name in names})
        return list(map(_known_collection, self._db.rows(BY_NAME, {"names": keys, "library": library})))

    def by_item(self, items: Iterable[str]) -> list[KnownCollection]:
        """Return the objects whose collections have these rating keys, by id."""
        return list(map(_known_collection, self._db.rows(BY_ITEM, {"items": list(items)})))

    def in_order(
        self, stands: Iterable[tuple[str, str]], *, library: str = "", offset: int = 0, limit: int
    ) -> list[CollectionRow]:
        """Return up to `limit` collections of a library ('' for all), after the first `offset`, by name.

        `stands`: those with these standings and states, as `count_all` has them.
        """
        pairs = sorted(map(":".join, stands))
        values = {"stands": pairs, "library": library, "offset": offset, "limit": limit}
        return list(map(_row, self._db.rows(IN_ORDER, values)))

    def count_all(self, *, library: str = "") -> list[tuple[str, str, int]]:
        """Count the collections of a library ('' for all) by standing and by the state of their jobs.

        A state is `dead`, `dropped`, or '' for any other.
        """
        return [tuple(row) for row in self._db.rows(COUNT_COLLECTIONS, {"library": library})]

    def undone(self) -> list[int]:
        """Return the collections that were taken back, by number."""
        return [row.id for row in self.every() if row.undone]


class Collections(ReadOnlyCollections):
    """Read and write access to the collections."""

    def ensure(self, collections: Iterable[KnownCollection]) -> dict[CollectionObject, list[KnownCollection]]:
        """Insert the collections that are missing; returns those of all these objects, in all libraries.

        Of one that is there, only the key of its library is renewed: its name stays what scenes carry.
        """
        wanted = list(collections)
        self._db.execute_many(
            ENSURE,
            [
                {
                    "source": entry.object.source,
                    "object": entry.object.id,
                    "library": entry.library,
                    "section": entry.section,
                    **_names(entry.name),
                }
                for entry in wanted
            ],
        )
        return self.of_objects(entry.object for entry in wanted) if wanted else {}

    def save(self, collection: CollectionRow) -> None:
        """Save everything about a collection, by its id. If it was forgotten meanwhile, nothing is saved."""
        pair = (collection.id, collection.item)
        self._db.execute(
            SAVE,
            {
                **{name: getattr(collection, name) for name in ("id", "section", "owner", "scenes", *_PLAIN)},
                **_names(collection.name),
                "item": clean(collection.item),
                "memory": encode(collection.memory, pair) if collection.memory else None,
                "pushing": encode(collection.pushing, pair) if collection.pushing else None,
                "object_at": clean(collection.object_at),
            },
        )

    def rename(self, id: int, name: str) -> None:
        """Save the name of a collection. `plexsync.flows.scenes.collection_names.save_renames` brings the scenes along."""
        self._db.execute(RENAME, {"id": id, **_names(name)})

    def count_scenes(self, counts: Mapping[int, int]) -> None:
        """Save how many scenes the objects of these collections have in Stash, by the id of the collection."""
        self._db.execute_many(COUNT_SCENES, [{"id": id, "count": count} for id, count in counts.items()])

    def forget(self, ids: Sequence[int]) -> None:
        """Forget these collections. What PlexSync wrote to them stays in Plex."""
        self._db.execute(FORGET, {"ids": list(ids)})


def _names(name: str) -> dict[str, object]:
    return {"name": clean(name), "name_key": clean(fold(name))}


def _known_collection(row: Row) -> KnownCollection:
    """The stored collection. If a damaged page has changed its owner or its source, nothing is written to it."""
    owner: Owner = row["owner"] if row["owner"] in OWNERS else "foreign"
    # Of a tag by the number of anything else, Stash knows nothing.
    object = CollectionObject(row["source"] if row["source"] in SOURCES else "tag", row["object"])
    names = (row["library"], row["section"], row["name"], row["item"])
    return KnownCollection(row["id"], object, *names, owner, row["scenes"])


def _row(row: Row) -> CollectionRow:
    id, pair = row["id"], (row["id"], row["item"])
    memory = row["memory"] and decode(row["memory"], dict[str, Remembered], f"the memory of collection {id}", pair)
    pushing = row["pushing"] and decode(row["pushing"], tuple[Pushing, ...], f"a push of collection {id}", pair)
    return CollectionRow(
        **vars(_known_collection(row)),
        **{name: row[name] for name in _PLAIN},
        memory=memory or {},
        pushing=pushing or (),
    )
