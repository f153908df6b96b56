"""The process that Plex asks, see `plexsync.web.child_process`."""

import json
import logging
import sys
from pathlib import Path
from typing import TypedDict

from plexsync.provider.app import Provider
from plexsync.provider.libraries import AnswerStore, AskingLibraries
from plexsync.provider.notes import FigureNotes
from plexsync.store.database import load_tables
from plexsync.store.files.address import StoreAddress
from plexsync.web.child_process import behave, end_process, log_to_stderr, serve_for_parent, take_socket
from plexsync.web.server import server
from validation.redact import Redactor

log = logging.getLogger("PlexSync.provider")


class AnswerRequest(TypedDict):
    """The database of a Plex server, and its path rules."""

    folder: str
    url: str
    schema: str
    rules: list[tuple[str, str]]


class ProviderRequest(TypedDict):
    """What the parent process writes."""

    version: str
    entries: list[AnswerRequest]


def main() -> int:
    """Serve until standard input closes."""
    handed, line = sys.stdin.readline().strip(), sys.stdin.readline()
    if not line:
        return 0  # other settings came before this process had read its own
    request: ProviderRequest = json.loads(line)
    addresses = {entry["url"] for entry in request["entries"]}
    hiding = log_to_stderr(log, Redactor(addresses))
    behave()
    load_tables()
    stores = [
        AnswerStore(StoreAddress(Path(entry["folder"]), entry["url"], entry["schema"]), entry["rules"])
        for entry in request["entries"]
    ]
    notes = FigureNotes()
    libraries = AskingLibraries(stores, lambda secrets: hiding.use(Redactor(addresses | secrets)))
    app = Provider(libraries, notes, request["version"])
    with take_socket(handed) as at:
        serve_for_parent(server(app, lifespan="off"), at)
    app.close()
    notes.close()
    return 0


if __name__ == "__main__":
    end_process(main())
