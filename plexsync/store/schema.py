"""The schema of the database, as numbered migrations. Its `user_version` is the number of migrations applied.

A released migration is never changed. Each runs in one transaction together with the new number, so it is applied
completely or not at all.
"""

import sqlite3
from collections.abc import Sequence

from plexsync.rules.errors import Damaged, NewerDatabase, Unusable
from plexsync.store.early_schema import (
    APPROVED,
    BINDINGS,
    CALLED,
    COMPARED,
    COUNTS,
    FAN_OUT,
    GATES,
    HISTORY,
    JOBS,
    KNOWLEDGE,
    LIGHTER,
    LISTED,
    OUTAGES,
    PICTURES,
    SAMPLES,
    UNDO,
)

# The application id of PlexSync's databases: "PlSy".
APPLICATION_ID = 0x506C5379

# The Plex that this database belongs to, as it last introduced itself, and what `probe` learnt of it (JSON).
SERVER = (
    """
    create table server (
        one integer primary key check (one = 1),
        machine text not null,
        version text not null,
        seen_at integer not null,
        traits text not null default '{}',
        learnt_at integer not null default 0,
        learnt_version text not null default ''
    )
    """,
    """
    create table library (
        section text primary key,
        uuid text not null,
        title text not null,
        scanned_at integer not null,
        changed_at integer not null,
        walked_at integer not null,
        stamp integer not null
    ) without rowid
    """,
    """
    insert into library (section, uuid, title, scanned_at, changed_at, walked_at, stamp)
    select key, '', title, scanned_at, changed_at, walked_at, stamp from section
    """,
    "drop table section",
    "alter table hold add column choice text not null default ''",
)

# What is known of an item belongs to a flow, its subject there, the library (by its uuid, '' while unknown) and the
# item. `files` are the item's files at that time, as [path, size].
_FILES = "(select json_group_array(json_array(path, size)) from part where part.item = {item})"
KEYED = (
    "alter table memory rename to old_memory",
    "drop index memory_key",
    "drop index memory_at",
    "drop index memory_undone",
    """
    create table memory (
        flow text not null,
        subject integer not null,
        library text not null,
        item text not null,
        at integer not null,
        document blob not null,
        undone text not null default '',
        files text not null default '[]',
        primary key (flow, subject, library, item)
    ) without rowid
    """,
    f"""
    insert into memory (flow, subject, library, item, at, document, undone, files)
    select 'scene', scene, '', key, at, document, undone, {_FILES.format(item="old_memory.key")} from old_memory
    """,
    "drop table old_memory",
    "create index memory_item on memory (item, flow, subject)",
    "create index memory_at on memory (at)",
    "create index memory_undone on memory (undone, subject) where undone <> ''",
    "drop index pushing_pair",
    "drop index pushing_key",
    "alter table pushing rename column scene to subject",
    "alter table pushing rename column key to item",
    "alter table pushing add column flow text not null default 'scene'",
    "alter table pushing add column library text not null default ''",
    "alter table pushing add column files text not null default '[]'",
    f"update pushing set files = {_FILES.format(item='pushing.item')}",
    "create index pushing_pair on pushing (flow, subject, item, number)",
    "create index pushing_item on pushing (item)",
    "drop index push_pair",
    "alter table push rename column scene to subject",
    "alter table push rename column key to item",
    "alter table push add column flow text not null default 'scene'",
    "alter table push add column library text not null default ''",
    "create index push_pair on push (flow, subject, item, number)",
    "alter table picture rename to old_picture",
    """
    create table picture (
        flow text not null,
        subject integer not null,
        library text not null,
        item text not null,
        name text not null,
        version text not null,
        tag text not null,
        key text not null,
        why text not null,
        primary key (flow, subject, library, item, name)
    ) without rowid
    """,
    """
    insert into picture (flow, subject, library, item, name, version, tag, key, why)
    select 'scene', scene, '', '', name, version, tag, key, why from old_picture
    """,
    "drop table old_picture",
    "alter table binding rename to old_binding",
    "drop index binding_key",
    """
    create table binding (
        flow text not null,
        subject integer not null,
        library text not null,
        item text not null,
        at integer not null,
        files text not null,
        off integer not null default 0,
        created_at text not null default '',
        subject_files text not null default '[]',
        primary key (flow, subject, library, item)
    ) without rowid
    """,
    """
    insert into binding (flow, subject, library, item, at, files, off)
    select 'scene', scene, '', key, at, files, off from old_binding
    """,
    "drop table old_binding",
    "create unique index binding_item on binding (flow, item) where off = 0",
)
# A scene is told from another one of its id by its time of creation in Stash and its files.
TOLD_APART = (
    "alter table shown add column created_at text not null default ''",
    "alter table shown add column files text not null default '[]'",
)
# `played` is the history of an account as Plex last listed it, with the library and the first file of each item then.
# `play` is what is remembered of each moment of a scene; `scene_created_at` tells another scene under its id apart.
PLAYS = (
    """
    create table played (
        account integer not null,
        item text not null,
        moment integer not null,
        library text not null,
        path_key text not null default '',
        size integer not null default 0,
        history_key text not null,
        listed_at integer not null,
        primary key (account, item, moment)
    ) without rowid
    """,
    "create index played_path on played (path_key, moment) where path_key <> ''",
    "create index played_moment on played (account, moment)",
    """
    create table play (
        scene integer not null,
        moment integer not null,
        scene_created_at text not null,
        scene_updated_at text not null default '',
        item text not null,
        history_key text not null,
        state text not null,
        tries integer not null default 0,
        rows_before integer not null default 0,
        until integer not null default 0,
        undo integer not null default 0,
        sent_at integer not null default 0,
        sent_order integer not null default 0,
        primary key (scene, moment)
    ) without rowid
    """,
    "create index play_item on play (item, moment)",
    "create index play_order on play (sent_order) where sent_order > 0",
)
# The memory of the resume point of a scene (`plexsync.rules.resume`), positions in ms; `moment` is that of the newest
# viewing in Plex that was dealt with, in s, and `sending` is -1 while no request is open.
RESUME = (
    """
    create table resume (
        scene integer primary key,
        scene_created_at text not null,
        item text not null,
        moment integer not null,
        view_count integer not null,
        view_offset integer not null,
        position integer not null,
        position_before integer not null,
        sending integer not null default -1,
        until integer not null default 0,
        undo text not null default ''
    )
    """,
)
# The views of an item that no known play explains (`plexsync.rules.marked_plays`): `moment`, in s, is that of the last.
VIEW_COUNTS = (
    """
    create table view_count (
        item text primary key,
        unexplained integer not null,
        moment integer not null,
        noticed_at integer not null
    )
    """,
)
# What is remembered of the rating of a scene and an item, on the scale of Stash; -1 is no rating, -2 an unknown one. The
# base is in `stash` and `plex`, what PlexSync's values have replaced in the columns `_before`. `pending` says where `sent`
# was about to go, and `overruled` what the item had if another one's rating was sent.
RATINGS = (
    """
    create table rating (
        scene integer not null,
        item text not null,
        library text not null,
        scene_created_at text not null,
        stash integer not null,
        plex integer not null,
        stash_before integer not null,
        plex_before integer not null,
        pending text not null,
        sent integer not null,
        overruled integer not null,
        until integer not null,
        undo integer not null,
        changed_at integer not null,
        rated_at integer not null,
        primary key (scene, item)
    ) without rowid
    """,
    "create index rating_item on rating (item)",
)
# What an import from Plex changes in Stash, so that it can be undone: a field of a scene, or an object that it created,
# of which `target` is the kind and `scene` 0 (`plexsync.rules.import_records`).
IMPORTS = (
    """
    create table import_change (
        number integer primary key,
        run integer not null,
        scene integer not null,
        target text not null,
        object integer not null default 0,
        value_before text not null,
        value_after text not null,
        origin text not null default '',
        state text not null,
        changed_at integer not null
    )
    """,
    "create index import_change_run on import_change (run, number)",
    "create index import_change_open on import_change (number) where state = 'planned' or state = 'undoing'",
)
# An object in Stash that has a collection in a library, and that collection (`plexsync.rules.collections`). `name` is its
# title in Plex as last read, or the name that scenes are given until then; `item` its rating key, '' while it is not found.
# `desired` is a digest of the desired values when it was last in sync, `stamp` the collection's stamp then.
COLLECTIONS = (
    """
    create table collection (
        id integer primary key,
        source text not null,
        object integer not null,
        library text not null,
        section text not null,
        name text not null,
        name_key text not null,
        item text not null default '',
        owner text not null default '',
        standing text not null default '',
        standing_at integer not null default 0,
        memory blob,
        pushing blob,
        desired text not null default '',
        object_at text not null default '',
        scenes integer not null default -1,
        stamp integer not null default 0,
        undone text not null default '',
        unique (object, source, library)
    )
    """,
    "create index collection_name on collection (name_key, library)",
    "create index collection_item on collection (item) where item <> ''",
    "create index collection_standing on collection (standing)",
)

Migrations = Sequence[Sequence[str]]
MIGRATIONS: Migrations = (
    (*JOBS, *GATES, *KNOWLEDGE),
    HISTORY,
    OUTAGES,
    COUNTS,
    LIGHTER,
    (*FAN_OUT, *PICTURES, *BINDINGS, *UNDO, *APPROVED, *COMPARED),
    (*CALLED, *LISTED, *SAMPLES),
    (*SERVER, *KEYED, *TOLD_APART),
    PLAYS,
    (*RESUME, *RATINGS, *IMPORTS, *VIEW_COUNTS),
    COLLECTIONS,
)


def version(db: sqlite3.Connection) -> int:
    """Return the number of migrations applied to the database."""
    return int(db.execute("pragma user_version").fetchone()[0])


def check(db: sqlite3.Connection, name: str, migrations: Migrations = MIGRATIONS) -> None:
    """Raise NewerDatabase, Damaged or Unusable unless the database is empty or one of a known schema; only reads."""
    # One snapshot: another process may make the database meanwhile.
    db.execute("begin")
    try:
        database_version = version(db)
        (mark,) = db.execute("pragma application_id").fetchone()
        (tables,) = db.execute("select count(*) from sqlite_master").fetchone()
    finally:
        db.execute("rollback")
    if mark != APPLICATION_ID and (database_version or tables):
        raise Unusable(f"{name} is a database of another program")
    if database_version < 0:
        raise Damaged(
            f"{name} is damaged: its version is {database_version}; plexsync serve makes it anew and keeps this one"
        )
    if database_version > len(migrations):
        raise NewerDatabase(
            f"{name} has schema {database_version}, and this PlexSync knows schemas up to {len(migrations)}:"
            " install the newer one"
        )


def migrate(db: sqlite3.Connection, migrations: Migrations = MIGRATIONS) -> None:
    """Migrate the database to the newest schema. Of two processes that do so at once, the second finds it done."""
    while version(db) < len(migrations):
        db.execute("begin immediate")
        current = version(db)
        if current < len(migrations):
            for statement in migrations[current]:
                db.execute(statement)
            db.execute(f"pragma application_id = {APPLICATION_ID}")
            db.execute(f"pragma user_version = {current + 1}")
        db.execute("commit")
