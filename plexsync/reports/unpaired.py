"""Unpaired items and scenes: items in Plex without a scene, and scenes without an item in Plex."""

from collections.abc import Iterator

from plexsync.app.stored import Stored
from plexsync.engine.watching import pages_of
from plexsync.reports.shapes.comparisons import UnpairedFacts
from plexsync.rules.item import Entry
from plexsync.rules.note_keys import LAST_RUN
from plexsync.store.database import Reader

PAGE = 500


def lone_items(parts: Stored) -> Iterator[UnpairedFacts]:
    """Yield the items without a scene in the last full comparison, page by page; none before the first."""
    with parts.store.reading() as db:
        titles = {row.key: row.title for row in db.sections.all()}
        run = db.notes.number(LAST_RUN) or 0

    def read(db: Reader, last: Entry | None) -> list[Entry]:
        return db.index.unpaired(run, limit=PAGE, after=last.key if last else "") if run else []

    for page in pages_of(parts.store, read, None):
        yield from (_facts(entry, titles.get(entry.section, entry.section)) for entry in page)


def lone_scenes(parts: Stored) -> Iterator[int]:
    """Yield the scenes without an item in Plex when last compared."""
    for page in pages_of(parts.store, lambda db, last: db.standings.compared("absent", limit=PAGE, after=last), 0):
        yield from page


def _facts(entry: Entry, library: str) -> UnpairedFacts:
    return {"item": entry.key, "library": library, "files": [part.path for part in entry.parts]}
