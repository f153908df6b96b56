"""The stores of the other Plex servers beside one: which server each of them belongs to, and what they have to do.

They are only read. What can't be read now counts as unknown, and is read again at the next look.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from plexsync.rules.match.server_scopes import PREFIX, schema_beside, scope_in, scope_of_schema, store_folder
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK, INSIDE
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store.connection import Connection
from plexsync.store.database import Database, Reader
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.folder import DATABASE
from plexsync.store.index.probes import FIND
from plexsync.store.queue import summary
from plexsync.store.queue.counts import COUNT_READY, COUNT_RUNNING
from plexsync.store.queue.job_queries import COUNT_UNSETTLED_OF_FLOWS

T = TypeVar("T")
# For this transaction alone. A schema's name needs no quotes.
USE_SCHEMA = """
select set_config('search_path', cast(:schema as text), true) where to_regclass(:schema || '.schema_version') is not null
"""
OF_STORES = """
select cast(n.nspname as text) from pg_namespace n join pg_class c on c.relnamespace = n.oid
 where c.relname = 'schema_version' and starts_with(cast(n.nspname as text), :prefix)
"""


def siblings_of(store: Database) -> "Siblings":
    """The stores beside this one, in the same data folder or in the same PostgreSQL database."""
    address = store.address
    return SchemaSiblings(store, address) if address.is_postgres else FolderSiblings(address.folder)


def may_be_further(store: Database) -> bool:
    """Whether this store can be that of a further server: the first one keeps its folder. Opens nothing."""
    address = store.address
    return address.is_postgres or bool(scope_in(address.folder.name))


class FolderSiblings:
    """The SQLite files in the folders of other servers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_further(self) -> bool:
        """Whether this store is that of a further server, so that a first one is beside it."""
        return self._first is not None

    def earlier_owner(self, machine: str) -> str | None:
        """Who comes before this server and has the Plex server with this identifier in its store; None if nobody.

        The first server comes before all others, and these come in the order of their names: so of two stores with one
        server, one goes on.
        """
        first = self._first
        if first is None:
            return None
        names = []
        with suppress(OSError), os.scandir(first) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(PREFIX) and entry.is_dir())
        before = [name for name in names if name < self._folder.name]
        places = [("", first), *((scope_in(name), first / name) for name in before)]
        return next((scope for scope, place in places if _read(place, _machine, "") == machine), None)

    def last_hook(self) -> str:
        """The time of the last event that a hook stored for the first server, as noted; '' if that is not known."""
        first = self._first
        return "" if first is None else _read(first, lambda db: summary.note(db, EDIT_BY_HOOK), "")

    def inside(self) -> str:
        """How the worker inside Stash, which runs that of a further server too, is switched by the first one's note.

        '' for the first server itself, and if that is not known.
        """
        first = self._first
        return "" if first is None else _read(first, lambda db: summary.note(db, INSIDE), "")

    def has_work(self, scope: str) -> bool:
        """Whether a further server has scenes that are not settled; False if that can't be read."""
        return _read(store_folder(self._folder, scope), _has_work, False)

    def has_store(self, scope: str) -> bool:
        """Whether there is a store of this further server. Raises LocalFault."""
        return (store_folder(self._folder, scope) / DATABASE).is_file()

    def place_of(self, scope: str) -> str:
        """Where the store of a further server is, for messages."""
        return f"the folder {PREFIX}{scope}"

    @property
    def _first(self) -> Path | None:
        above = self._folder.parent
        return above if scope_in(self._folder.name) and (above / DATABASE).is_file() else None


class SchemaSiblings:
    """The schemas of other servers, read by the connections of this one."""

    def __init__(self, store: Database, address: StoreAddress) -> None:
        self._store = store
        self._schema = address.schema
        scope = scope_in(address.folder.name)
        self._first = self._schema.removesuffix(schema_beside("", scope)) if scope else self._schema

    @property
    def is_further(self) -> bool:
        return self._first != self._schema

    def earlier_owner(self, machine: str) -> str | None:
        if not self.is_further:
            return None
        try:
            with self._store.reading_after(partial(schemas_of_stores, prefix=schema_beside(self._first, ""))) as (
                _,
                all_of,
            ):
                names = sorted(all_of)
        except (LocalFault, Unusable):
            names = []
        before = [name for name in names if name < self._schema]
        owners = (name for name in (self._first, *before) if self._read(name, _machine_of, "") == machine)
        owner = next(owners, None)
        return None if owner is None else scope_of_schema(self._first, owner)

    def last_hook(self) -> str:
        return self._read(self._first, lambda db: db.notes.text(EDIT_BY_HOOK), "") if self.is_further else ""

    def inside(self) -> str:
        # The worker inside Stash needs a file.
        return ""

    def has_work(self, scope: str) -> bool:
        return self._read(schema_beside(self._schema, scope), lambda db: db.jobs.count_unsettled() > 0, False)

    def has_store(self, scope: str) -> bool:
        with self._store.reading_after(partial(use_schema, schema=schema_beside(self._schema, scope))) as (_, is_there):
            return is_there

    def place_of(self, scope: str) -> str:
        return f"the schema {schema_beside(self._first, scope)}"

    def _read(self, schema: str, query: Callable[[Reader], T], unknown: T) -> T:
        try:
            with self._store.reading_after(partial(use_schema, schema=schema)) as (db, is_there):
                return query(db) if is_there else unknown
        except (LocalFault, Unusable):
            return unknown


# The stores beside one, by their scopes: '' for the first server, else the name of its entry.
Siblings: TypeAlias = FolderSiblings | SchemaSiblings


def _machine_of(db: Reader) -> str:
    server = db.servers.find()
    return server.machine if server else ""


def _read(folder: Path, query: Callable[[summary.Snapshot], T], unknown: T) -> T:
    try:
        with closing(summary.reading(os.path.join(folder, DATABASE))) as db:  # noqa: PTH118 - as `status` does
            return query(db)
    except (summary.Unreadable, sqlite3.Error, OSError):
        return unknown


def _machine(db: summary.Snapshot) -> str:
    return next((str(row[0]) for row in db.rows(FIND)), "")


def _has_work(db: summary.Snapshot) -> bool:
    ready, running, of_flows = (db.rows(sql)[0][0] for sql in (COUNT_READY, COUNT_RUNNING, COUNT_UNSETTLED_OF_FLOWS))
    return bool(ready + running > of_flows)


def use_schema(db: Connection, schema: str) -> bool:
    """Let the tables of the current transaction be those of another schema; False if no store is there."""
    return db.row(USE_SCHEMA, {"schema": schema}) is not None


def schemas_of_stores(db: Connection, prefix: str) -> list[str]:
    """Return the names of the schemas with a store whose names begin like this."""
    return [str(name) for (name,) in db.rows(OF_STORES, {"prefix": prefix})]
