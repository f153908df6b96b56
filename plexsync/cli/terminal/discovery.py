"""The results of `plexsync init`: both servers and the path rules, and how it asks again.

Each server is tested with the worker's client. If it does not answer or rejects the credentials, one line says so
and you may try again; in a non-interactive call, the error ends the call.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from plexsync.cli.terminal.mapping import Rule
from plexsync.cli.terminal.prompts import Person
from plexsync.reports.format import safe
from plexsync.rules.errors import NeighbourError, Unusable
from plexsync.rules.records import Section
from validation.sources import STAND_INS, ConfigError, load

PLEX_PORT, STASH_PORT = 32400, 9999
# Seconds; a guessed address gets the shorter timeout.
PATIENCE, GUESSING = 8.0, 2.0

Hide = Callable[..., None]
T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """The values given by options ('' and () for the others)."""

    plex_url: str = ""
    plex_token: str = field(default="", repr=False)
    libraries: tuple[str, ...] = ()
    stash_url: str = ""
    stash_api_key: str = field(default="", repr=False)
    rules: tuple[str, ...] = ()
    typed: bool = False
    browser: bool = True


@dataclass(frozen=True)
class FoundPlex:
    """A Plex server that answers and accepts the token. `libraries` are the chosen names, none for all."""

    url: str
    token: str = field(repr=False)
    name: str
    version: str
    sections: tuple[Section, ...]
    libraries: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """The libraries to use."""
        return self.libraries or tuple(section.title for section in self.sections)


@dataclass(frozen=True)
class FoundStash:
    """A Stash server that answers and accepts the key; `key` is '' if it needs none."""

    url: str
    key: str = field(repr=False)
    version: str


@dataclass(frozen=True)
class FoundPaths:
    """The path rules, and how many scenes they matched."""

    rules: tuple[Rule, ...] = ()
    scenes: int = 0
    by_path: int = 0
    by_name: int = 0


@dataclass(frozen=True)
class Discovery:
    """All findings."""

    plex: FoundPlex
    stash: FoundStash
    paths: FoundPaths


def why_not(name: str, value: object) -> str:
    """Why a setting can't have this value, in words that follow "it"; '' if it can."""
    try:
        load(environ={}, toml_path=None, overrides={**STAND_INS, name: value})
    except ConfigError as error:
        return error.lines[0].partition(" on the command line ")[2] or error.lines[0]
    return ""


def like_a_secret(text: str) -> str:
    """What is wrong with a text that looks like a token or a key, where an address is asked for; '' for all others."""
    # A token of Plex has 20 letters of both cases, which no host name without a dot has; a key is three parts in base64.
    is_mixed = text not in (text.lower(), text.upper())
    if is_mixed and re.fullmatch(r"[\w-]{20,}|eyJ[\w-]+\.[\w.-]+", text):
        return "looks like a token or a key, and an address is needed here, such as 192.168.1.10"
    return ""


def address(text: str, port: int) -> str:
    """Complete a typed address: without a scheme it is plain HTTP, with the default port if none is given."""
    if not text or "://" in text or like_a_secret(text):
        return text
    host = text.rstrip("/")
    return f"http://{host}" if host.rpartition(":")[2].isdigit() else f"http://{host}:{port}"


def tried(person: Person, ask: Callable[[], T]) -> T | None:
    """The answer; None if it failed and you can try again: one line says why it failed."""
    try:
        return ask()
    except (NeighbourError, Unusable) as error:
        if not person.present:
            raise
        person.tell(f"  {safe(str(error))}")
        return None


def until_answered(person: Person, ask: Callable[[], T]) -> T:
    """Repeat the question until its answer is usable."""
    while (answer := tried(person, ask)) is None:
        continue
    return answer
