"""A fast path for commands that only read the database: its folder, the stored settings, and one snapshot.

`None` means that the fast path does not apply: Stash has to be asked for the folder, the settings changed since they
were last loaded, or the database has to be repaired or migrated. Imports only a small part of the standard library.
"""

# ruff: noqa: PTH112, PTH118

import os
import sqlite3

from plexsync.app.status_settings import Sources, StatusSettings, kept
from plexsync.rules.note_keys import SALT, STASH_SETTINGS, STATUS_SETTINGS
from plexsync.store import folder, summary
from plexsync.store.summary import Summary
from validation import locations


class Quick:
    """Input of `status`: a snapshot of the database, the settings, the spooled events, and what runs."""

    def __init__(
        self,
        snapshot: Summary,
        config: StatusSettings,
        spooled: tuple[int, int],
        *,
        running: bool,
        began: int | None,
        has_dashboard: bool,
    ) -> None:
        self.snapshot = snapshot
        self.config = config
        self.spooled = spooled
        self.running = running
        self.began = began
        self.has_dashboard = has_dashboard


def folder_of(sources: Sources, content: bytes) -> str | None:
    """Return the folder of the database if a source names it or it is in use; otherwise None."""
    named = sources.folder_named(content)
    if named:
        return named
    in_use = None if named is None else folder.known(locations.data_folder(sources.environ))
    return in_use[0] if in_use else None


def look(sources: Sources) -> Quick | None:
    """Return the input of `status` if the database and its notes are enough for it; otherwise None."""
    content = sources.content()
    where = None if content is None else folder_of(sources, content)
    if content is None or where is None or sources.chooses_plex(content):
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
    from plexsync.store.lock import has_dashboard, is_locked, locked_at

    try:
        running = is_locked(where)
    except Unusable:
        return None
    return Quick(
        snapshot,
        config,
        folder.spooled(where),
        running=running,
        began=locked_at(where),
        has_dashboard=bool(snapshot.dashboard) and has_dashboard(where),
    )


def keys_in(sources: Sources, state: str, limit: int, plex: str = "") -> list[tuple[str, str]]:
    """List the first rows of a rare state: (name on the command line, cause of the dead letter).

    `plex` names the server; without a folder of its own it is the first one. The list is empty if nothing can be read.
    """
    content = sources.content()
    where = None if content is None else folder_of(sources, content)
    if where is None:
        return []
    own = os.path.join(where, f"plex-{plex}")
    if plex and os.path.isdir(own):
        where = own
    try:
        db = summary.reading(os.path.join(where, folder.DATABASE))
        try:
            rows = summary.first_rows(db, state, limit)
        finally:
            db.close()
    except (summary.Unreadable, sqlite3.Error, OSError):
        return []
    return [(str(number) if kind == "scene" else f"{kind}:{number}", cause) for kind, number, cause in rows]
