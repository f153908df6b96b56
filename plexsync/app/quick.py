"""The database alone, for who only reads it and waits for the answer: the folder, its settings, and one snapshot.

`None` stands for whatever takes more than that: a folder that Stash has to be asked for, settings that changed since they
were loaded last, a database that has to be mended or migrated. Standard library only, and little of it.
"""

# ruff: noqa: PTH118

import os
import sqlite3

from plexsync.app.status_settings import Sources, StatusSettings, kept
from plexsync.rules.note_keys import SALT, STASH_SETTINGS, STATUS_SETTINGS
from plexsync.store import folder, summary
from plexsync.store.summary import Summary
from validation import locations


class Quick:
    """What `status` tells: a snapshot of the database, the settings, the events that wait, and whether a worker runs."""

    def __init__(self, snapshot: Summary, config: StatusSettings, spooled: tuple[int, int], *, running: bool) -> None:
        self.snapshot = snapshot
        self.config = config
        self.spooled = spooled
        self.running = running


def folder_of(sources: Sources, content: bytes) -> str | None:
    """The folder of the database, if a source names it or it is in use."""
    named = sources.folder_named(content)
    if named:
        return named
    in_use = None if named is None else folder.known(locations.data_folder(sources.environ))
    return in_use[0] if in_use else None


def look(sources: Sources) -> Quick | None:
    """How everything stands, if the database and its notes are enough to tell."""
    content = sources.content()
    where = None if content is None else folder_of(sources, content)
    if content is None or where is None:
        return None
    try:
        db = summary.reading(os.path.join(where, folder.DATABASE))
        try:
            salt, answer, text = (summary.note(db, name) for name in (SALT, STASH_SETTINGS, STATUS_SETTINGS))
            config = kept(text, sources.fingerprint(content, salt, answer)) if text else None
            snapshot = None if config is None else Summary(db, summary.now(db))
        finally:
            db.close()
    except (summary.Unreadable, sqlite3.Error):
        return None
    if config is None or snapshot is None:
        return None
    from plexsync.rules.errors import Unusable
    from plexsync.store.lock import is_locked

    try:
        running = is_locked(where)
    except Unusable:
        return None
    return Quick(snapshot, config, folder.spooled(where), running=running)


def keys_in(sources: Sources, state: str, limit: int) -> list[tuple[str, str]]:
    """The first rows of one of the rare states, as they are named at the terminal, each with its cause of death.

    None where nothing can be read.
    """
    content = sources.content()
    where = None if content is None else folder_of(sources, content)
    if where is None:
        return []
    try:
        db = summary.reading(os.path.join(where, folder.DATABASE))
        try:
            rows = summary.first_rows(db, state, limit)
        finally:
            db.close()
    except (summary.Unreadable, sqlite3.Error, OSError):
        return []
    return [(str(number) if kind == "scene" else f"{kind}:{number}", cause) for kind, number, cause in rows]
