"""Plex's libraries in the index."""

import json
from collections.abc import Sequence

from plexsync.rules.records import SectionRow
from plexsync.store.connection import Connection, Table
from plexsync.store.db import clean
from plexsync.store.index import Index

LIST = """
select section as key, title, scanned_at, changed_at, walked_at, stamp, uuid from library order by section
"""
SAVE = """
insert or replace into library (section, uuid, title, scanned_at, changed_at, walked_at, stamp)
values (:key, :uuid, :title, :scanned_at, :changed_at, :walked_at, :stamp)
"""
DROP = "delete from library where section not in (select value from json_each(:but))"


class ReadOnlySections(Table):
    """Read access to the libraries in the index."""

    def all(self) -> list[SectionRow]:
        """Return the libraries in the index."""
        return [SectionRow(*row) for row in self._db.rows(LIST)]


class Sections(ReadOnlySections):
    """Read and write access to the libraries in the index."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._index = Index(db)

    def save(self, row: SectionRow) -> None:
        """Replace the data of a library."""
        self._db.execute(SAVE, {**vars(row), "title": clean(row.title)})

    def drop(self, but: Sequence[str]) -> None:
        """Forget the libraries that are not in `but`, and their items."""
        self._db.execute(DROP, {"but": json.dumps(list(but))})
        self._index.drop_outside(but, limit=-1)
