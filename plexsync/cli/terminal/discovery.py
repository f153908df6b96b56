"""What `plexsync init` finds: the records of both servers and the path rules, and how a person is asked again.

Each server is tried with the client that the work uses. If it does not answer or rejects the credentials, one line says so
and the person may try again; if nobody is there to answer, the error ends the call.
"""

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
# Seconds: an address of which it is only guessed that somebody answers there gets less patience.
PATIENCE, GUESSING = 8.0, 2.0

Hide = Callable[..., None]
T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What was given by options ('' and () for what was not)."""

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
    """A Plex that answers and accepts the token. `libraries` are the names that were chosen, none for all."""

    url: str
    token: str = field(repr=False)
    name: str
    version: str
    sections: tuple[Section, ...]
    libraries: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """The libraries that will be used."""
        return self.libraries or tuple(section.title for section in self.sections)


@dataclass(frozen=True)
class FoundStash:
    """A Stash that answers and lets us in; `key` is '' where it asks for none."""

    url: str
    key: str = field(repr=False)
    version: str


@dataclass(frozen=True)
class FoundPaths:
    """The path rules, and how so many scenes were found by them."""

    rules: tuple[Rule, ...] = ()
    scenes: int = 0
    by_path: int = 0
    by_name: int = 0


@dataclass(frozen=True)
class Discovery:
    """All that was found."""

    plex: FoundPlex
    stash: FoundStash
    paths: FoundPaths


def why_not(name: str, value: object) -> str:
    """Why a setting can't have this value, in words that follow "it"; '' when it can."""
    try:
        load(environ={}, toml_path=None, overrides={**STAND_INS, name: value})
    except ConfigError as error:
        return error.lines[0].partition(" on the command line ")[2] or error.lines[0]
    return ""


def address(text: str, port: int) -> str:
    """An address as a person may type it: without a scheme it is plain HTTP, at the usual port if none is named."""
    if not text or "://" in text:
        return text
    host = text.rstrip("/")
    return f"http://{host}" if host.rpartition(":")[2].isdigit() else f"http://{host}:{port}"


def tried(person: Person, ask: Callable[[], T]) -> T | None:
    """The answer. None if it failed and a person can try again: one line says why it failed."""
    try:
        return ask()
    except (NeighbourError, Unusable) as error:
        if not person.present:
            raise
        person.tell(f"  {safe(str(error))}")
        return None


def until_answered(person: Person, ask: Callable[[], T]) -> T:
    """Ask until an answer is usable."""
    while (answer := tried(person, ask)) is None:
        continue
    return answer
