"""The start of a command: read the settings, set up the log, and open the parts on the right folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

import click
from rich.console import Console

from plexsync.app.settings import Settings, SettingsNeed, keep
from plexsync.app.status_settings import Sources
from plexsync.app.stored import Stored, address_of, open_store
from plexsync.cli.call import Call
from plexsync.cli.logs import open_log
from plexsync.cli.settings import settings
from plexsync.rules.record_class import record
from plexsync.store.files.address import StoreAddress
from validation.config import PlexSyncConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.app.parts import Parts
    from plexsync.engine.tickets import Gate


@record
class Begun:
    """The basis of a command: its settings, the data folder, and the console for progress."""

    settings: Settings
    console: Console
    sources: Sources
    probed: "set[Gate]" = field(default_factory=set)
    """The gates that this command has probed, if they were closed."""

    @property
    def config(self) -> PlexSyncConfig:
        """The settings."""
        return self.settings.loaded.config

    @property
    def folder(self) -> Path:
        """This machine's data folder."""
        return self.settings.place.path

    @property
    def address(self) -> StoreAddress:
        """Where the store is."""
        return address_of(self.config, self.folder)

    def keep(self, stored: Stored) -> None:
        """Keep Stash's answer, and what a status needs, in the database."""
        keep(stored.store, self.sources, self.settings)

    def tell(self, parts: "Parts") -> None:
        """Record in the database how the request for Stash's settings went: an answer is kept, and a failure counts."""
        self.keep(parts)
        if self.settings.away is not None:
            parts.note_away(self.settings.away)

    def ask(self, parts: "Parts", *gates: "Gate") -> str:
        """Probe the closed ones of these gates (none: of both servers) at once, each once in this command.

        Returns why nothing can be worked now, or ''.
        """
        # A Stash that did not answer for its settings was asked just now; with placeholders no server can be asked.
        if not self.settings.lacking:
            parts.probe_once(self.probed, *gates, asks_stash=self.settings.away is None)
        return parts.why_closed()

    def meet(self, parts: "Parts") -> None:
        """`tell`, then `ask`: the start of a command that works with both servers."""
        self.tell(parts)
        self.ask(parts)

    def reach(self, parts: "Parts") -> None:
        """The same; raises why Stash can't be asked."""
        self.meet(parts)
        if self.settings.away:
            raise self.settings.away

    def require(self, parts: "Parts") -> None:
        """`meet`; raises why Stash can't be asked if settings may be missing for it."""
        self.meet(parts)
        if self.settings.away and not self.settings.sure:
            raise self.settings.away


def warn(current: Settings) -> None:
    """Log the warnings about valid settings."""
    for warning in current.loaded.warnings:
        click.echo(f"plexsync: warning: {warning}", err=True)


@contextmanager
def begin_call(call: Call, *, need: SettingsNeed = SettingsNeed.DATABASE) -> Iterator[Begun]:
    """Settings, folder and log of this call."""
    with open_log(call, level="error") as (console, _):
        current = settings(call, need)
        first, *others = current.loaded.servers or ("",)
        if others and not call.chosen_plex:
            more = f"--plex NAME chooses another ({', '.join(others)})"
            click.echo(f"plexsync: this is about {first}; {more}", err=True)
        warn(current)
        yield Begun(current, console, call.sources)


@contextmanager
def open_call_store(call: Call) -> Iterator[Stored]:
    """The store of this call, for a command that asks no server."""
    with begin_call(call) as start, open_store(start.config, start.folder) as stored:
        start.keep(stored)
        yield stored
