"""Why Plex gets no answer for a library from this machine."""

import logging
import socket
from collections.abc import Iterable
from pathlib import Path

from plexsync.app.stored import Stored
from plexsync.rules.provider.standing import NOT_SYNCED, REMOVING, SECRETS_AT, UNKNOWN_ADDRESS, is_asking, is_synced
from plexsync.rules.records import ProviderRow
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.provider_secrets import FILE, read_secrets

log = logging.getLogger("PlexSync.provider")


def why_unanswered(folder: Path, row: ProviderRow, sections: Iterable[tuple[str, str]]) -> str:
    """Why nothing that Plex asks for a library is answered from this machine; '' if it is.

    `sections` are the key and uuid of each library that is synced.
    """
    if row.state == REMOVING:
        return ""
    try:
        if row.library not in read_secrets(folder):
            place = row.steps.get(SECRETS_AT)
            source = place if place not in (None, secrets_place(folder)) else "a copy or another machine"
            return UNKNOWN_ADDRESS.format(folder / FILE, source)
    except LocalFault as fault:
        return f"Plex gets no answer: {fault}"
    return "" if is_synced(row, sections) else NOT_SYNCED


def secrets_place(folder: Path) -> str:
    """Where the secrets of this machine are, for a person on another one."""
    return f"{folder / FILE} on {socket.gethostname()}"


def warn_unanswered(stored: Stored) -> None:
    """Log which libraries get no answer from this machine and why."""
    with stored.store.reading() as db:
        rows, sections = db.providers.all(), [(section.key, section.uuid) for section in db.sections.all()]
    for row in rows:
        if is_asking(row) and (why := why_unanswered(stored.folder, row, sections)):
            log.warning("%s: %s", row.title, why)
