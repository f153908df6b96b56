"""How far a set-up is. The tokens in it stay in its file, which belongs to its owner alone, and leave it for Plex only."""

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import msgspec

from plexsync.app.clients import LINK, OwnServer
from plexsync.app.setting_change import FoundPlex
from plexsync.cli.setup.steps import plex_doubts
from plexsync.store import setup_files

# Milliseconds: plex.tv forgets a PIN after a quarter of an hour.
LASTS = 900_000


class SetupStage(StrEnum):
    """What the set-up asks for next."""

    SIGN_IN = "sign-in"
    SERVER = "server"
    LIBRARIES = "libraries"
    PATHS = "paths"
    PREVIEW = "preview"
    WORK = "work"


@dataclass(frozen=True)
class Pin:
    """A PIN that waits for its confirmation until a moment in milliseconds."""

    number: str = field(repr=False)
    code: str
    until: int


@dataclass(frozen=True)
class SetupNotes:
    """What is known so far."""

    stage: SetupStage = SetupStage.SIGN_IN
    pin: Pin | None = None
    account: str = ""
    servers: tuple[OwnServer, ...] = ()
    plex: FoundPlex | None = None

    def secrets(self) -> tuple[str, ...]:
        """The tokens to redact."""
        tokens = [server.token for server in self.servers]
        return (*tokens, self.plex.token) if self.plex else tuple(tokens)

    def public(self) -> dict[str, object]:
        """What the page may show."""
        pin = {"code": self.pin.code, "link": LINK, "until": self.pin.until} if self.pin else None
        plex = self.plex and {
            "url": self.plex.url,
            "name": self.plex.name,
            "version": self.plex.version,
            "warning": "; ".join(plex_doubts(self.plex)),
            "libraries": [
                {"title": section.title, "folders": list(section.locations), "other_videos": section.other_videos}
                for section in self.plex.sections
            ],
        }
        servers = [{"name": server.name, "addresses": list(server.addresses)} for server in self.servers]
        return {"stage": self.stage.value, "pin": pin, "account": self.account, "servers": servers, "plex": plex}


def load_notes(folder: Path) -> SetupNotes | None:
    """The notes in the folder of the database; None if no set-up is under way, or if they can't be read."""
    kept = setup_files.read(str(folder), setup_files.NOTES)
    try:
        return msgspec.convert(kept["notes"], SetupNotes)
    except (KeyError, msgspec.ValidationError):
        return None


def save_notes(folder: Path, notes: SetupNotes) -> SetupNotes:
    """Keep the notes, and beside them what the page may show."""
    content = {"public": notes.public(), "notes": json.loads(msgspec.json.encode(notes))}
    setup_files.write(str(folder), setup_files.NOTES, content)
    return notes


def without_tokens(notes: SetupNotes, stage: SetupStage) -> SetupNotes:
    """The notes of the steps after the settings were written: no token is needed any more."""
    plex = notes.plex and replace(notes.plex, token="")
    return replace(notes, stage=stage, pin=None, servers=(), plex=plex)
