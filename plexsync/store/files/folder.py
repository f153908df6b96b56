"""Finds the folder of the database in use, from the content of your own folder. Imports only `os`."""

# ruff: noqa: PTH117, PTH112, PTH118, PTH120, PTH123

import os

DATABASE = "plexsync.db"
# The file in your folder that holds the path of another one.
POINTER = "folder"
# The folder for events that the database could not take, and in it the folder for those that can't be read.
SPOOL, UNREAD = "spool", "unread"
LONGEST = 4096


def folder_in_use(usual: str | None) -> tuple[str, str] | None:
    """Return the folder in use and the reason; None if the folder still has to be chosen."""
    if usual is None:
        return None
    if os.path.lexists(os.path.join(usual, DATABASE)):
        return usual, "it holds the database"
    pointed = pointed_at(usual)
    if pointed is not None and os.path.isdir(os.path.dirname(pointed)):
        return pointed, f"it lies beside Stash's settings file, as noted in {os.path.join(usual, POINTER)}"
    return None


def pointed_at(usual: str) -> str | None:
    """Return the folder that the pointer in your folder names; None if there is no pointer or no valid path in it."""
    try:
        with open(os.path.join(usual, POINTER), "rb") as file:
            path = os.fsdecode(file.read(LONGEST).rstrip(b"\r\n"))
    except (OSError, ValueError):
        return None
    return path if os.path.isabs(path) and "\0" not in path else None


def count_spooled(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """Count the spooled events: (waiting for a worker, unreadable and set aside)."""
    spool = os.path.join(folder, SPOOL)
    return _files(spool), _files(os.path.join(spool, UNREAD))


def _files(folder: str) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.is_file() and not entry.name.startswith(".") for entry in entries)
    except OSError:
        return 0
