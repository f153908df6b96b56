"""Databases from before the oldest layout that is brought up: they are found, and moved away at your word.

Each keeps all of its content, as one file beside the place where it was. Standard library only.
"""

# ruff: noqa: PTH104, PTH110, PTH113, PTH114, PTH118, PTH120, PTH122, PTH202, PTH207

import glob
import os
import sqlite3
from contextlib import closing

from plexsync.rules.servers.errors import Unusable
from plexsync.store import intake
from plexsync.store.files.lock import try_lock


def older_databases(folder: str) -> dict[str, int]:
    """Return the databases in a data folder, with those of further Plex servers, that are too old: path and schema."""
    places = (os.path.join(glob.escape(folder), *inner, intake.DATABASE) for inner in ((), ("plex-*",)))
    found = {path: _schema_of(path) for place in places for path in sorted(glob.glob(place))}
    return {path: schema for path, schema in found.items() if 0 < schema < intake.OLDEST}


def move_away(folder: str) -> list[str]:
    """Rename the databases in a data folder that are too old; returns their new names. Raises Unusable."""
    names = []
    for path, schema in older_databases(folder).items():
        name = f"{os.path.splitext(path)[0]}-schema-{schema}.db"
        while os.path.exists(name):
            name = f"{name[:-3]}+.db"
        lock = try_lock(os.path.dirname(path))
        if lock is None:
            raise Unusable("a worker of an earlier PlexSync runs: stop it first")
        with lock:
            try:
                with closing(sqlite3.connect(intake.uri(path), uri=True, timeout=intake.BUSY_SECONDS)) as db:
                    # What is in its log has to come along.
                    if db.execute("pragma journal_mode = delete").fetchone() != ("delete",):
                        raise Unusable(f"{path} is in use: another process has to let go of it first")
                os.rename(path, name)
            except (sqlite3.Error, OSError) as error:
                raise Unusable(f"{path} can't be moved away: {error}") from error
        names.append(name)
    return names


def _schema_of(path: str) -> int:
    """Return the schema of a database of PlexSync; 0 if it can't be read, or is another program's."""
    if os.path.islink(path) or not os.path.isfile(path) or not os.path.getsize(path):
        return 0
    try:
        with closing(sqlite3.connect(intake.uri(path, "ro"), uri=True, timeout=intake.BUSY_SECONDS)) as db:
            marks = [db.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")]
    except sqlite3.Error:
        return 0
    return int(marks[1]) if marks[0] == intake.APPLICATION_ID else 0
