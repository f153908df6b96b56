"""The scopes of the stores of several Plex servers, and the names of their folders.

The first server, or a single one, has the data folder itself (the scope ''). Each further one has the folder `plex-NAME` in
it, with the name of its `[[plex]]` entry as its scope.
"""

from pathlib import Path

PREFIX = "plex-"


def store_folder(data_folder: Path, scope: str) -> Path:
    """The folder of this scope."""
    return data_folder / f"{PREFIX}{scope}" if scope else data_folder


def scope_in(name: str) -> str:
    """The scope that a folder of this name has in a data folder; '' if it is none of a server."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""
