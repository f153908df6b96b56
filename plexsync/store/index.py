"""The path index: Plex's libraries, their items, and the files of each, found by path and by name."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.item import Entry, Part
from plexsync.rules.paths import name_key, path_key
from plexsync.rules.records import SectionRow
from plexsync.store.db import clean

SECTIONS = "select key, title, scanned_at, changed_at, walked_at, stamp from section order by key"
SAVE_SECTION = """
insert or replace into section (key, title, scanned_at, changed_at, walked_at, stamp)
values (:key, :title, :scanned_at, :changed_at, :walked_at, :stamp)
"""
DROP_SECTIONS = "delete from section where key not in (select value from json_each(:but))"
DROP_ITEMS = """
delete from item where key in (
    select key from item where section not in (select value from json_each(:but)) limit :limit
)
"""
COUNT = "select count(*) from item"
OUTLINE = "select count(*), total(cast(key as integer)) from item"
OUTLINE_PARTS = "select count(*), total(size), total(length(path)) from part"

COUNT_IN = "select count(*) from item indexed by item_section where section = :section"

_ENTRY = """
select item.key, item.section, item.stamp, part.path, part.size, part.duration
  from item left join part on part.item = item.key
"""
BY_KEY = f"{_ENTRY} where item.key in (select value from json_each(:keys)) order by item.key, part.position"
BY_PATH = f"""
{_ENTRY} where item.key in (select item from part where path_key in (select value from json_each(:keys)))
 order by item.key, part.position
"""
BY_NAME = f"""
{_ENTRY} where item.key in (select item from part where name_key in (select value from json_each(:keys)))
 order by item.key, part.position
"""
SAVE_ITEM = """
insert into item (key, section, walk, stamp) values (:key, :section, :walk, :stamp)
on conflict (key) do update set section = :section, walk = :walk, stamp = iif(:stamp, :stamp, stamp)
"""
DROP_PARTS = "delete from part where item = :key"
ADD_PART = """
insert into part (item, position, path, path_key, name_key, size, duration)
values (:item, :position, :path, :path_key, :name_key, :size, :duration)
"""
PAIR = """
update item set scene = :scene, paired = :run where key in (select value from json_each(:keys))
"""
# What came into the index since that comparison, or lost its scene, is judged by what was pushed.
_UNPAIRED = """
 where item.paired <> :run and not exists (
    select 1 from memory join job on job.kind = 'scene' and job.id = memory.scene
     where memory.key = item.key and job.state <> 'gone'
 )
"""
UNPAIRED = f"select item.key from item {_UNPAIRED} and item.key > :after order by item.key limit :limit"
COUNT_UNPAIRED = f"select count(*) from item {_UNPAIRED}"
STAMP = "update item set stamp = :stamp where key = :key"
UNMET = """
select key from item where section = :section and walk <> :walk and key > :after order by key limit :limit
"""
SCENES_OF = """
select scene from memory where key in (select value from json_each(:keys))
 union
select scene from item where key in (select value from json_each(:keys)) and scene > 0
"""
FORGET_SCANS = "delete from asked_scan where at <= :before or at > :now"
ASK_SCAN = "insert or ignore into asked_scan (folder, at) values (:folder, :now)"
SWEEP = "delete from item where section = :section and walk <> :walk"
DROP_ITEM = "delete from item where key = :key"


def sections(db: sqlite3.Connection) -> list[SectionRow]:
    """The libraries of the index."""
    return [SectionRow(*row) for row in db.execute(SECTIONS)]


def save_section(db: sqlite3.Connection, row: SectionRow) -> None:
    """Replace what is known of a library."""
    db.execute(SAVE_SECTION, {**vars(row), "title": clean(row.title)})


def drop_sections(db: sqlite3.Connection, but: Sequence[str]) -> None:
    """Forget the libraries that are not named, and their items."""
    db.execute(DROP_SECTIONS, {"but": json.dumps(list(but))})
    drop_items(db, but, limit=-1)


def drop_items(db: sqlite3.Connection, but: Sequence[str], *, limit: int) -> int:
    """Forget up to `limit` items (-1: all) of libraries that are not named; returns how many."""
    return db.execute(DROP_ITEMS, {"but": json.dumps(list(but)), "limit": limit}).rowcount


def count(db: sqlite3.Connection) -> int:
    """How many items are known."""
    return int(db.execute(COUNT).fetchone()[0])


def outline(db: sqlite3.Connection) -> str:
    """A text that changes when items or files come, go or change (but for changes that even out)."""
    return ":".join(str(int(value)) for sql in (OUTLINE, OUTLINE_PARTS) for value in db.execute(sql).fetchone())


def by_key(db: sqlite3.Connection, keys: Sequence[str]) -> list[Entry]:
    """The items of these rating keys."""
    return _entries(db, BY_KEY, keys)


def by_path(db: sqlite3.Connection, path_keys: Sequence[str]) -> list[Entry]:
    """The items that have a file at one of these places."""
    return _entries(db, BY_PATH, path_keys)


def by_name(db: sqlite3.Connection, name_keys: Sequence[str]) -> list[Entry]:
    """The items that have a file of one of these names."""
    return _entries(db, BY_NAME, name_keys)


def save(db: sqlite3.Connection, entries: Iterable[Entry], *, walk: int, stamped: bool) -> int:
    """Put items in the index, as met by that walk; returns how many are new or have other files than before.

    The files of one that has not changed are not written again. Unless they are `stamped`, known items keep their stamps.
    """
    given = {entry.key: _storable(entry) for entry in entries}
    known = {entry.key: entry for entry in by_key(db, list(given))}
    rows = [
        {"key": entry.key, "section": entry.section, "walk": walk, "stamp": entry.stamp if stamped else 0}
        for entry in given.values()
    ]
    db.executemany(SAVE_ITEM, rows)
    changed = [entry for key, entry in given.items() if key not in known or known[key].parts != entry.parts]
    db.executemany(DROP_PARTS, [{"key": entry.key} for entry in changed if entry.key in known])
    db.executemany(ADD_PART, [row for entry in changed for row in _parts(entry)])
    return len(changed)


def stamp(db: sqlite3.Connection, stamps: Mapping[str, int]) -> None:
    """The stamps of these items, as they were read after an edit of ours."""
    db.executemany(STAMP, [{"key": key, "stamp": value} for key, value in stamps.items()])


def count_in(db: sqlite3.Connection, section: str) -> int:
    """How many items of one library are known."""
    return int(db.execute(COUNT_IN, {"section": section}).fetchone()[0])


def unmet(db: sqlite3.Connection, section: str, *, walk: int, limit: int, after: str) -> list[str]:
    """Up to `limit` keys of a library that a complete walk did not meet, by key, from behind the key `after`."""
    values = {"section": section, "walk": walk, "limit": limit, "after": after}
    return [key for (key,) in db.execute(UNMET, values)]


def scenes_of(db: sqlite3.Connection, keys: Sequence[str]) -> set[int]:
    """The scenes that were pushed to these items, or found for them."""
    return {scene for (scene,) in db.execute(SCENES_OF, {"keys": json.dumps(list(keys))})}


def pair(db: sqlite3.Connection, keys: Sequence[str], scene: int, *, run: int) -> None:
    """These items are a scene's, as comparison `run` has found."""
    db.execute(PAIR, {"keys": json.dumps(list(keys)), "scene": scene, "run": run})


def unpaired(db: sqlite3.Connection, run: int, *, limit: int, after: str) -> list[Entry]:
    """Up to `limit` items without a scene, by key, from behind the key `after`."""
    rows = db.execute(UNPAIRED, {"run": run, "limit": limit, "after": after})
    return by_key(db, [key for (key,) in rows.fetchall()])


def count_unpaired(db: sqlite3.Connection, run: int) -> int:
    """How many items are without a scene."""
    return int(db.execute(COUNT_UNPAIRED, {"run": run}).fetchone()[0])


def ask_scan(db: sqlite3.Connection, section: str, folder: str, *, now: int, again: int) -> bool:
    """Note that a folder is asked for; False if it was within the last `again` ms. Older notes go."""
    db.execute(FORGET_SCANS, {"before": now - again, "now": now})
    return db.execute(ASK_SCAN, {"folder": f"{section}:{path_key(folder)}", "now": now}).rowcount == 1


def sweep(db: sqlite3.Connection, section: str, *, walk: int) -> int:
    """Forget the items of a library that a complete walk did not meet; returns how many."""
    return db.execute(SWEEP, {"section": section, "walk": walk}).rowcount


def drop(db: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Forget these items."""
    db.executemany(DROP_ITEM, [{"key": key} for key in keys])


def _entries(db: sqlite3.Connection, sql: str, keys: Sequence[str]) -> list[Entry]:
    found: dict[str, tuple[str, int, list[Part]]] = {}
    rows = db.execute(sql, {"keys": json.dumps([clean(key) for key in keys])})
    for key, section, stamp, path, size, duration in rows:
        _, _, parts = found.setdefault(key, (section, stamp, []))
        if path is not None:
            parts.append(Part(path, size, duration))
    return [Entry(key, section, tuple(parts), stamp) for key, (section, stamp, parts) in found.items()]


def _storable(entry: Entry) -> Entry:
    return replace(entry, parts=tuple(replace(part, path=clean(part.path)) for part in entry.parts))


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
