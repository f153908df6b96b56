"""Unpaired items and scenes: items in Plex without a scene, and scenes without an item in Plex."""

from collections.abc import Iterator

from plexsync.app.stored import Stored
from plexsync.reports.shapes.comparisons import UnpairedFacts
from plexsync.rules.item import Entry
from plexsync.rules.note_keys import LAST_RUN

PAGE = 500


def lone_items(parts: Stored) -> Iterator[UnpairedFacts]:
    """Yield the items without a scene in the last full comparison, page by page; none before the first."""
    with parts.store.reading() as db:
        titles = {row.key: row.title for row in db.sections.all()}
        run = db.notes.number(LAST_RUN) or 0
    after = ""
    while run:
        with parts.store.reading() as db:
            page = db.index.unpaired(run, limit=PAGE, after=after)
        if not page:
            return
        yield from (_facts(entry, titles.get(entry.section, entry.section)) for entry in page)
        after = page[-1].key


def lone_scenes(parts: Stored) -> Iterator[int]:
    """Yield the scenes without an item in Plex when last compared."""
    after = 0
    while True:
        with parts.store.reading() as db:
            page = db.standings.compared("absent", limit=PAGE, after=after)
        if not page:
            return
        yield from page
        after = page[-1]


def _facts(entry: Entry, library: str) -> UnpairedFacts:
    return {"item": entry.key, "library": library, "files": [part.path for part in entry.parts]}
