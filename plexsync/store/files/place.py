"""The folder of the database if no setting names one.

Stash starts the hook without PlexSync's settings, so the hook writes to the folder `plexsync` beside Stash's settings
file. If that file is on this machine, the worker uses the same folder and notes this in your own folder. Later commands
then find the same database even while Stash is away. A database is never abandoned for another folder.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable
from plexsync.store import intake
from plexsync.store.files.files import replace
from plexsync.store.files.folder import POINTER, folder_in_use as folder_in_use, pointed_at

NAME = "plexsync"


@record
class DataFolder:
    """The folder of the database, and why it was chosen."""

    path: Path
    reason: str


def known_folder(usual: Path | None) -> DataFolder | None:
    """Return the folder in use, from the content of your folder; None if the folder still has to be chosen."""
    in_use = folder_in_use(None if usual is None else str(usual))
    return DataFolder(Path(in_use[0]), in_use[1]) if in_use else None


def choose_folder(usual: Path | None, settings_file: str) -> DataFolder:
    """Choose the folder of a new database by the place of Stash's settings file, and note it. Raises Unusable."""
    folder, hindrance = theirs(settings_file), "Stash's settings file is not on this machine"
    # Unlike the methods of Path, this does not raise where access is denied.
    if folder is not None and os.path.isfile(settings_file):  # noqa: PTH113
        hindrance = _hindrance(folder, settings_file)
    if folder is not None and not hindrance:
        if usual is not None:
            _point(usual, folder)
        return DataFolder(folder, "it lies beside Stash's settings file")
    if usual is None:
        raise Unusable("there is no home folder to keep the database in: set PLEXSYNC_DATA_DIR to a folder")
    if (pointed := pointed_at(str(usual))) is not None:
        raise Unusable(
            f"the database is in {pointed}, which is not there: bring it back, or remove {usual / POINTER} to begin anew"
        )
    return DataFolder(usual, f"it is the usual one: {hindrance}")


def theirs(settings_file: str) -> Path | None:
    """Return the folder that the hook writes to if Stash's settings file may be on this machine; otherwise None."""
    path = Path(settings_file)
    return path.parent / NAME if path.is_absolute() else None


def events_in(folder: Path) -> str:
    """Return what a hook has left in a folder: "a database", "an event", or '' for nothing. Raises OSError."""
    try:
        names = {path.name for path in folder.iterdir()}
        if intake.DATABASE in names:
            return "a database"
        spooled = (folder / intake.SPOOL).iterdir() if intake.SPOOL in names else ()
        return "an event" if any(path.suffix in (".json", ".raw") for path in spooled) else ""
    except FileNotFoundError:
        return ""


def _hindrance(folder: Path, settings_file: str) -> str:
    """Return why this folder can't be shared with the hook; '' if it can."""
    if os.path.lexists(folder):
        return "" if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else f"{folder} is not ours to write to"
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        return f"{folder.parent} is not ours to write to"
    # A folder created here would keep out a hook that runs as another user.
    if sys.platform != "win32" and Path(settings_file).stat().st_uid != os.geteuid():
        return f"Stash runs as another user, for whom {folder} would be closed"
    return ""


def _point(usual: Path, folder: Path) -> None:
    """Note the folder. If that fails, Stash is asked again next time."""
    with suppress(OSError):
        intake.make_folder(str(usual))
        replace(usual / POINTER, os.fsencode(folder) + b"\n")
