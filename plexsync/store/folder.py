"""The folder of the database that is in use, by what the user's own folder holds. Nothing but `os` is needed for it."""

# ruff: noqa: PTH117, PTH112, PTH118, PTH120, PTH123

import os

DATABASE = "plexsync.db"
# The file in the user's folder that holds the path of the other one.
POINTER = "folder"
# Where hooks leave what the database could not take, and in it what can't be read.
SPOOL, UNREAD = "spool", "unread"
LONGEST = 4096


def known(usual: str | None) -> tuple[str, str] | None:
    """The folder that is in use already, and why; None when it has to be chosen."""
    if usual is None:
        return None
    if os.path.lexists(os.path.join(usual, DATABASE)):
        return usual, "it holds the database"
    pointed = pointed_at(usual)
    if pointed is not None and os.path.isdir(os.path.dirname(pointed)):
        return pointed, f"it lies beside Stash's settings file, as noted in {os.path.join(usual, POINTER)}"
    return None


def pointed_at(usual: str) -> str | None:
    """The folder that the pointer in the user's folder names; None when there is none, or none that can be a path."""
    try:
        with open(os.path.join(usual, POINTER), "rb") as file:
            path = os.fsdecode(file.read(LONGEST).rstrip(b"\r\n"))
    except (OSError, ValueError):
        return None
    return path if os.path.isabs(path) and "\0" not in path else None


def spooled(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """How many events wait as files for a worker, and how many could not be read and were set aside."""
    spool = os.path.join(folder, SPOOL)
    return _files(spool), _files(os.path.join(spool, UNREAD))


def _files(folder: str) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.is_file() and not entry.name.startswith(".") for entry in entries)
    except OSError:
        return 0
