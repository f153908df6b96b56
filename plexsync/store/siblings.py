"""The databases of the other Plex servers beside one: which server each of them belongs to, and the last hook event.

They are only read. What can't be read now counts as unknown, and is read again at the next look.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from plexsync.rules.note_keys import EDIT_BY_HOOK
from plexsync.rules.server_scopes import PREFIX, scope_in
from plexsync.store import summary
from plexsync.store.counts import COUNT_READY, COUNT_RUNNING
from plexsync.store.folder import DATABASE
from plexsync.store.job_queries import COUNT_UNSETTLED_OF_FLOWS
from plexsync.store.servers import FIND


def first_folder(folder: Path) -> Path | None:
    """The data folder of the first server, from the folder of a further one; None for any other folder."""
    above = folder.parent
    return above if scope_in(folder.name) and (above / DATABASE).is_file() else None


def servers_before(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the scopes before that of this folder ('' is the first), each with the identifier of its Plex server.

    The first server comes before all others, and these come in the order of their names.
    """
    first = first_folder(folder)
    if first is None:
        return
    with os.scandir(first) as entries:
        names = sorted(entry.name for entry in entries if entry.name.startswith(PREFIX) and entry.is_dir())
    before = [name for name in names if name < folder.name]
    for scope, place in [("", first), *((scope_in(name), first / name) for name in before)]:
        if (machine := _machine_in(place)) is not None:
            yield scope, machine


def last_hook(folder: Path) -> str:
    """The time of the last event that a hook stored in this folder, as its note has it; '' if that is not known."""
    try:
        with closing(summary.reading(os.path.join(folder, DATABASE))) as db:  # noqa: PTH118 - as a shell's completion does
            return summary.note(db, EDIT_BY_HOOK)
    except (summary.Unreadable, sqlite3.Error, OSError):
        return ""


def has_work(folder: Path) -> bool:
    """Whether the database of a server has scenes that are not settled; False if that can't be read."""
    try:
        with closing(summary.reading(os.path.join(folder, DATABASE))) as db:  # noqa: PTH118
            open_rows, of_flows = (
                sum(db.execute(sql).fetchone()[0] for sql in statements)
                for statements in ((COUNT_READY, COUNT_RUNNING), (COUNT_UNSETTLED_OF_FLOWS,))
            )
            return bool(open_rows > of_flows)
    except (summary.Unreadable, sqlite3.Error, OSError):
        return False


def _machine_in(folder: Path) -> str | None:
    try:
        with closing(summary.reading(os.path.join(folder, DATABASE))) as db:  # noqa: PTH118
            row = db.execute(FIND).fetchone()
    except (summary.Unreadable, sqlite3.Error, OSError):
        return None
    return str(row[0]) if row else None
