"""Files for the page in Stash, in a folder beside the database: a set-up under way, and the answer to what takes longer.

They may hold the token of a sign-in that is not finished, so each belongs to its owner alone. A file is replaced
completely or not at all. Standard library only.
"""

# ruff: noqa: PTH103, PTH105, PTH108, PTH118, PTH123

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress

FOLDER = "setup"
# The folder beside plexsync.toml with the draft of the settings, while the page /start sets PlexSync up.
DRAFT = "plexsync-start"
# How far it is; the results of the two steps that may take minutes; and the lock that one of these holds meanwhile.
NOTES, PATHS, PREVIEW, LOCK = "notes.json", "paths.json", "preview.json", "step.lock"
# The answer to what the page has asked for last.
ANSWER = "answer.json"
LARGEST = 2_000_000  # bytes
# The stages that show the server that was found.
OF_PLEX = ("libraries", "stash", "paths", "preview")


def place(folder: str) -> str:
    """Return the folder of these files, and create it if it is missing."""
    path = os.path.join(folder, FOLDER)
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


def read(folder: str, name: str) -> dict[str, object]:
    """Return what a file holds; empty if there is none, or if it can't be read."""
    try:
        with open(os.path.join(folder, FOLDER, name), "rb") as file:
            document = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def shown_notes(folder: str) -> dict[str, object]:
    """Return what a page may show of the notes; empty if there are none, or if their stage lacks what it shows."""
    facts = read(folder, NOTES).get("public")
    if not isinstance(facts, dict) or (facts.get("stage") in OF_PLEX and not facts.get("plex")):
        return {}
    return facts


def write(folder: str, name: str, facts: Mapping[str, object]) -> None:
    """Replace a file; raises OSError."""
    path = os.path.join(place(folder), name)
    fresh = f"{path}.{os.getpid()}"
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(facts, file)
        os.replace(fresh, path)
    finally:
        with suppress(OSError):
            os.unlink(fresh)


def clear_draft(folder: str) -> None:
    """Remove the draft in the folder of plexsync.toml: it is of no more use, and may hold a token."""
    shutil.rmtree(os.path.join(folder, DRAFT), ignore_errors=True)


def remove(folder: str, *names: str) -> None:
    """Remove files, if they are there."""
    for name in names:
        with suppress(OSError):
            os.unlink(os.path.join(folder, FOLDER, name))
