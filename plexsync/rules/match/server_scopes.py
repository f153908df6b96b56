"""The scopes of the stores of several Plex servers, and the names of their folders.

The first server, or a single one, has the data folder itself (the scope ''). Each further one has the folder `plex-NAME` in
it, with the name of its `[[plex]]` entry as its scope. With PostgreSQL it also has the schema `SCHEMA_NAME`, where SCHEMA
is that of the first.
"""

from pathlib import Path

PREFIX = "plex-"


def store_folder(data_folder: Path, scope: str) -> Path:
    """The folder of this scope."""
    return data_folder / f"{PREFIX}{scope}" if scope else data_folder


def scope_in(name: str) -> str:
    """The scope that a folder of this name has in a data folder; '' if it is none of a server."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def schema_beside(first: str, scope: str) -> str:
    """The schema of the further server with this scope, by that of the first."""
    return f"{first}_{scope.replace('-', '_')}"


def scope_of_schema(first: str, schema: str) -> str:
    """The scope of a server by its schema; '' for that of the first. A name of an entry has no underscore."""
    return schema.removeprefix(first).removeprefix("_").replace("_", "-")
