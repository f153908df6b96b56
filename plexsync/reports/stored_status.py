"""The facts of `status` from the database alone: its folder, the stored settings, and one snapshot.

They are None if that is not enough: Stash has to be asked for the folder, the settings changed since they were last
loaded, or the database has to be repaired or migrated. Imports neither the engine nor the settings, to start fast.
"""

# ruff: noqa: PTH118

import os
import sqlite3
from contextlib import closing

from plexsync.app.status_settings import Sources, parse_note
from plexsync.reports.status import StatusFolder, facts_of, storage_facts
from plexsync.rules.queue.note_keys import SALT, STASH_SETTINGS, STATUS_SETTINGS
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files import folder
from plexsync.store.files.lock import has_dashboard, is_locked, locked_at
from plexsync.store.queue import summary
from plexsync.store.queue.summary import Summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.reports.shapes.status import StatusFacts


def stored_facts(sources: Sources) -> "StatusFacts | None":
    """All facts of `status`; None if the database and its notes are not enough for them."""
    content = sources.content()
    where = None if content is None else sources.database_folder(content)
    if content is None or where is None or sources.chooses_plex(content):
        return None
    try:
        with closing(summary.reading(os.path.join(where, folder.DATABASE))) as db:
            salt, answer, text = (summary.note(db, name) for name in (SALT, STASH_SETTINGS, STATUS_SETTINGS))
            config = parse_note(text, sources.fingerprint(content, salt, answer)) if text else None
            if config is None:
                return None
            snapshot = Summary(db, summary.now(db))
        return facts_of(
            snapshot,
            config,
            spooled=folder.count_spooled(where),
            running=is_locked(where),
            began=locked_at(where),
            has_dashboard=bool(snapshot.dashboard) and has_dashboard(where),
            data=StatusFolder(where, storage_facts(where)),
        )
    except (summary.Unreadable, sqlite3.Error, Unusable, OSError, ValueError, TypeError, LookupError):
        # A file holds something impossible. The usual way meets it again, and reports it.
        return None
