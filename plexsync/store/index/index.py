"""The path index: Plex's libraries, their items and the files of these, found by path and by name."""

from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.item import Entry, Part
from plexsync.rules.match.paths import name_key, path_key
from plexsync.rules.records import SectionRow
from plexsync.store.connection import Connection, Table, clean

DROP_ITEMS = """
delete from item where key in (
    select key from item where section not in (select value from json_each(:but)) limit :limit
)
"""
DROP_IN = "delete from item where key in (select key from item where section = :section limit :limit)"
COUNT = "select count(*) from item"
OUTLINE = "select count(*), total(cast(key as bigint)) from item"
OUTLINE_PARTS = "select count(*), total(size), total(length(path)) from part"

COUNT_IN = "select count(*) from item indexed by item_section where section = :section"

ENTRIES = """
select item.key, item.section, item.stamp, item.scene, part.path, part.size, part.duration
  from item left join part on part.item = item.key
 where item.key in (
    select value from json_each(:keys)
     union
    select item from part where path_key in (select value from json_each(:path_keys))
     union
    select item from part where name_key in (select value from json_each(:name_keys))
 )
 order by item.key, part.position
"""
SAVE_ITEM = """
insert into item (key, section, walk, stamp) values (:key, :section, :walk, :stamp)
on conflict (key) do update
   set section = :section, walk = :walk, stamp = case when :stamp <> 0 then :stamp else item.stamp end
"""
DROP_PARTS = "delete from part where item = :key"
ADD_PART = """
insert into part (item, position, path, path_key, name_key, size, duration)
values (:item, :position, :path, :path_key, :name_key, :size, :duration)
"""
# A scene after another one of the same comparison is saved as a negative number.
PAIR = """
update item
   set scene = case when paired = :run and scene not in (0, :scene) then -:scene else :scene end, paired = :run
 where key in (select value from json_each(:keys))
"""
CONTEST = "update item set scene = 0 - :scene where key in (select value from json_each(:keys))"
# An item that entered the index after that comparison, or lost its scene, is judged by its pushes.
_UNPAIRED = """
 where item.paired <> :run and not exists (
    select 1 from memory join job on job.kind = memory.flow and job.id = memory.subject
     where memory.item = item.key and memory.flow = 'scene' and job.state <> 'gone'
 )
"""
# Rating keys are numbers: a shorter one is smaller.
UNPAIRED = f"""
select item.key from item {_UNPAIRED}
   and (length(item.key) > length(:after) or (length(item.key) = length(:after) and item.key > :after))
 order by length(item.key), item.key limit :limit
"""
COUNT_UNPAIRED = f"select count(*) from item {_UNPAIRED}"
STAMP = "update item set stamp = :stamp where key = :key"
UNMET = """
select key from item where section = :section and walk <> :walk and key > :after order by key limit :limit
"""
_HELD_ELSEWHERE = """exists (
    select 1 from part join part as other on other.name_key = part.name_key and other.item <> part.item
      join item as holder on holder.key = other.item
     where part.item = item.key and (other.path_key = part.path_key or other.size = part.size) and {held}
)"""
COUNT_LOST = f"""
select count(*) from item where section = :section and walk <> :walk
   and not {_HELD_ELSEWHERE.format(held="(holder.section <> :section or holder.walk = :walk)")}
"""
COUNT_GONE = f"""
select section, count(*) from item where key in (select value from json_each(:keys))
   and not {_HELD_ELSEWHERE.format(held="holder.key not in (select value from json_each(:keys))")}
 group by section
"""
SCENES_OF = """
select subject from memory where item in (select value from json_each(:keys)) and flow = 'scene'
 union
select abs(scene) from item where key in (select value from json_each(:keys)) and scene <> 0
"""
SWEEP = "delete from item where section = :section and walk <> :walk"
DROP_ITEM = "delete from item where key = :key"


class ReadOnlyIndex(Table):
    """Read access to the path index."""

    def count(self) -> int:
        """Count the items in the index."""
        return int(self._db.value(COUNT))

    def outline(self) -> str:
        """Return a text that changes when items or files are added, removed or changed, unless changes cancel out."""
        return ":".join(str(int(value)) for sql in (OUTLINE, OUTLINE_PARTS) for value in self._db.row(sql))

    def entries(
        self, keys: Iterable[str] = (), *, path_keys: Iterable[str] = (), name_keys: Iterable[str] = ()
    ) -> list[Entry]:
        """Return the items with these rating keys, and those with a file under one of these path keys or name keys.

        These are made by `path_key` and `name_key` of `plexsync.rules.match.paths`.
        """
        items: dict[str, tuple[str, int, int, list[Part]]] = {}
        wanted = {"keys": keys, "path_keys": path_keys, "name_keys": name_keys}
        rows = self._db.rows(ENTRIES, {name: [clean(key) for key in some] for name, some in wanted.items()})
        for key, section, stamp, scene, path, size, duration in rows:
            *_, parts = items.setdefault(key, (section, stamp, scene, []))
            if path is not None:
                parts.append(Part(path, size, duration))
        return [
            Entry(key, section, tuple(parts), stamp, scene) for key, (section, stamp, scene, parts) in items.items()
        ]

    def count_in(self, section: str) -> int:
        """Count the items of one library."""
        return int(self._db.value(COUNT_IN, {"section": section}))

    def unmet(self, section: str, *, walk: int, limit: int, after: str = "") -> list[str]:
        """Return up to `limit` keys of a library that a complete walk did not meet, in key order, after the key `after`."""
        values = {"section": section, "walk": walk, "limit": limit, "after": after}
        return [key for (key,) in self._db.rows(UNMET, values)]

    def count_lost(self, section: str, *, walk: int) -> int:
        """Count the items of a library that a complete walk did not meet and whose files no other item has by now."""
        return int(self._db.value(COUNT_LOST, {"section": section, "walk": walk}))

    def count_gone(self, keys: Sequence[str]) -> dict[str, int]:
        """Count, by library, those of these items whose files none but these has."""
        return dict(self._db.rows(COUNT_GONE, {"keys": list(keys)}))

    def scenes_of(self, keys: Sequence[str]) -> set[int]:
        """Return the scenes that were pushed to these items, or that a comparison found for them."""
        return {scene for (scene,) in self._db.rows(SCENES_OF, {"keys": list(keys)})}

    def list_unpaired(self, run: int, *, limit: int, after: str = "") -> list[Entry]:
        """Return up to `limit` items without a scene, by their number, after the key `after`.

        Comparison `run` found no scene for them, and none was pushed to them.
        """
        keys = [key for (key,) in self._db.rows(UNPAIRED, {"run": run, "limit": limit, "after": after})]
        entries = {entry.key: entry for entry in self.entries(keys)}
        return [entries[key] for key in keys]

    def count_unpaired(self, run: int) -> int:
        """Count all items that `unpaired` lists."""
        return int(self._db.value(COUNT_UNPAIRED, {"run": run}))


class Index(ReadOnlyIndex):
    """Read and write access to the path index."""

    def drop_outside(self, but: Sequence[str], *, limit: int) -> int:
        """Forget up to `limit` items (-1: all) of the libraries that are not in `but`; returns how many."""
        return self._db.execute(DROP_ITEMS, {"but": list(but), "limit": limit})

    def drop_in(self, section: str, *, limit: int) -> int:
        """Forget up to `limit` items of a library; returns how many."""
        return self._db.execute(DROP_IN, {"section": section, "limit": limit})

    def save(self, entries: Iterable[Entry], *, walk: int, stamped: bool = False) -> int:
        """Save items as met by a walk; returns how many are new or have changed files.

        Unchanged files are not written again. Unless `stamped`, known items keep their stamps.
        """
        fresh = {
            entry.key: Entry(entry.key, entry.section, tuple(map(_clean_part, entry.parts)), entry.stamp)
            for entry in entries
        }
        stored = {entry.key: entry for entry in self.entries(list(fresh))}
        rows = [
            {"key": entry.key, "section": entry.section, "walk": walk, "stamp": entry.stamp if stamped else 0}
            for entry in fresh.values()
        ]
        self._db.execute_many(SAVE_ITEM, rows)
        changed = [entry for key, entry in fresh.items() if key not in stored or stored[key].parts != entry.parts]
        self._db.execute_many(DROP_PARTS, [{"key": entry.key} for entry in changed if entry.key in stored])
        self._db.execute_many(ADD_PART, [row for entry in changed for row in _parts(entry)])
        return len(changed)

    def stamp(self, stamps: Mapping[str, int]) -> None:
        """Save the stamps of items, as read after PlexSync edited them."""
        self._db.execute_many(STAMP, [{"key": key, "stamp": value} for key, value in stamps.items()])

    def pair(self, keys: Mapping[int, Sequence[str]], *, run: int) -> None:
        """Save, by scene, the items that comparison `run` found for it."""
        self._db.execute_many(PAIR, [{"keys": list(some), "scene": scene, "run": run} for scene, some in keys.items()])

    def contest(self, keys: Mapping[int, Sequence[str]]) -> None:
        """Save, by scene, the items that may be another one's too, until a comparison finds them for one alone."""
        self._db.execute_many(CONTEST, [{"keys": list(some), "scene": scene} for scene, some in keys.items()])

    def sweep(self, section: str, *, walk: int) -> int:
        """After a complete walk, forget the items of the library that it did not meet; returns how many."""
        return self._db.execute(SWEEP, {"section": section, "walk": walk})

    def drop(self, keys: Sequence[str]) -> None:
        """Forget these items."""
        self._db.execute_many(DROP_ITEM, [{"key": key} for key in keys])


def _clean_part(part: Part) -> Part:
    return Part(clean(part.path), part.size, part.duration)


def _parts(entry: Entry) -> list[dict[str, object]]:
    return [
        {
            "item": entry.key,
            "position": position,
            "path": part.path,
            "path_key": path_key(part.path),
            "name_key": name_key(part.path),
            "size": part.size,
            "duration": part.duration,
        }
        for position, part in enumerate(entry.parts)
    ]


LIBRARIES = """
select section as key, title, scanned_at, changed_at, walked_at, stamp, uuid from library order by section
"""
SAVE_LIBRARY = """
insert or replace into library (section, uuid, title, scanned_at, changed_at, walked_at, stamp)
values (:key, :uuid, :title, :scanned_at, :changed_at, :walked_at, :stamp)
"""
DROP_LIBRARIES = "delete from library where section not in (select value from json_each(:but))"


class ReadOnlySections(Table):
    """Read access to the libraries in the index."""

    def all(self) -> list[SectionRow]:
        """Return the libraries in the index."""
        return [SectionRow(*row) for row in self._db.rows(LIBRARIES)]


class Sections(ReadOnlySections):
    """Read and write access to the libraries in the index."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._index = Index(db)

    def save(self, row: SectionRow) -> None:
        """Replace the data of a library."""
        self._db.execute(SAVE_LIBRARY, {**vars(row), "title": clean(row.title)})

    def drop(self, but: Sequence[str]) -> None:
        """Forget the libraries that are not in `but`, and their items."""
        self._db.execute(DROP_LIBRARIES, {"but": list(but)})
        self._index.drop_outside(but, limit=-1)
