"""Checks the settings of the plugin in Stash, for the tasks and the page there.

Loading all settings takes far longer than most operations. So a hash of the settings that were found to be valid is
stored, and only others are checked.
"""

# ruff: noqa: PTH118

import json
import os
import sqlite3
from contextlib import closing

from plexsync.app.status_settings import Sources
from plexsync.rules.queue.note_keys import SALT, VALID_SETTINGS
from plexsync.store.files import folder
from plexsync.store.queue import summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def wrong_settings(saved: "Mapping[str, object] | None") -> list[str]:
    """What is wrong with the settings, one line each; `saved` are those in Stash, None if it has to be asked for them.

    Valid ones are stored, for the commands that don't ask Stash.
    """
    sources = Sources(os.environ, None, None)
    content = sources.content()
    where = None if content is None else sources.database_folder(content)
    if (
        content is not None
        and where is not None
        and saved is not None
        and _is_validated(sources, content, where, saved)
    ):
        return []
    # All settings take far longer to load.
    from plexsync.cli.settings import check_saved

    return check_saved(saved, sources, content or b"", where)


def _is_validated(sources: Sources, content: bytes, where: str, saved: "Mapping[str, object]") -> bool:
    """Whether these settings were found to be valid before."""
    try:
        with closing(summary.reading(os.path.join(where, folder.DATABASE))) as db:
            salt, before = summary.note(db, SALT), summary.note(db, VALID_SETTINGS)
    except (summary.Unreadable, sqlite3.Error):
        return False
    return bool(before) and sources.fingerprint(content, salt, json.dumps(saved, sort_keys=True)) == before
