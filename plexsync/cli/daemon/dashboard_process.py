"""The dashboard of `plexsync serve`: a child process."""

import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from plexsync.app.database_files import file_number
from plexsync.app.setting_change import why_unguarded
from plexsync.app.settings import Settings, in_stash
from plexsync.app.stored import address_of
from plexsync.cli.call import Call
from plexsync.cli.daemon.child import ListeningOrder, ListeningProcess, command_of
from plexsync.cli.settings import hide, sources
from plexsync.cli.terminal.screen import filtered_consoles
from plexsync.extras import advice, is_installed
from plexsync.rules.match.server_scopes import store_folder
from plexsync.rules.record_class import record
from plexsync.store.files import setup_files
from validation import values
from validation.config import PlexSyncConfig
from validation.locations import TOML
from validation.sources import ConfigError, Loaded, load_servers

log = logging.getLogger("PlexSync.web")

# What the log says before the address at which the dashboard listens, and before why it can't.
LISTENS = "dashboard: "
# What the terminal says first, and whose log it leaves out.
STOP = "Ctrl-C stops it in good order."
NOT_ASKED_FOR = "Dashboard: none, because of --no-web"
SWITCHED_OFF = "Dashboard: none, because web_bind = none"
SETTINGS = "PlexSync.config"
BEGINS = "sign-in"


@record
class DashboardEntry:
    """A Plex server: its settings, and the folder of its database."""

    loaded: Loaded
    folder: Path

    @property
    def request(self) -> dict[str, object]:
        """As the process gets it."""
        return {
            "plex": self.loaded.plex,
            "servers": self.loaded.servers,
            "config": self.loaded.config.model_dump(),
            "origin": self.loaded.origin,
            "warnings": self.loaded.warnings,
            "folder": str(self.folder),
            # Of another file at its place the dashboard has to be started again.
            "number": file_number(self.folder),
        }


class Dashboard(ListeningProcess):
    """The process, and the thread that supervises it."""

    def __init__(self, file: Path, *, switch: Path | None = None) -> None:
        super().__init__("dashboard", "plexsync.web", log)
        self._file = file
        self._switch = switch
        # Sessions survive a restart of the dashboard, but not of this process.
        self._key = secrets.token_hex(32)
        self._asked = ""
        self._draft = file.parent / setup_files.DRAFT

    def guide(self, config: PlexSyncConfig, *, away: bool, waits: bool) -> bool:
        """Show the pages that set PlexSync up, with its steps on a draft of the settings; False if there can be none.

        The draft is a folder that only its owner can read, beside the file to write: it stays until PlexSync is set up.
        `away`: Stash can't be asked; `waits`: it is known to have settings, so there are no steps. Raises ConfigError.
        """
        if self._asked:
            return True
        if values.host_and_port(config.web_bind) is None or not is_installed("web"):
            return False
        if not waits:
            try:
                self._draft.mkdir(mode=0o700, parents=True, exist_ok=True)
                setup_files.place(str(self._draft))
            except OSError as error:
                raise ConfigError([f"{self._file} can't be written: {self._draft}: {error.strerror}"]) from None
            log.warning("not set up yet: open the dashboard in a browser, or run `plexsync init`")
        request = {
            "command": command_of("plexsync", "--json", "--config", str(self._draft / TOML)),
            "environ": {name: value for name, value in os.environ.items() if name.startswith("PLEXSYNC_")},
            "folder": "" if waits else str(self._draft),
            "away": away,
            "config": config.model_dump(),
            "file": str(self._file),
            "key": self._key,
        }
        self._asked = json.dumps(request)
        self.order(ListeningOrder(self._asked, config.web_bind))
        return True

    def shown_address(self, address: str) -> str:
        """The address to open: that of the first step while nothing is set up."""
        return f"{address}/start" if self._asked.startswith('{"command"') else address

    def use(self, *entries: DashboardEntry) -> None:
        """Show these Plex servers, with the dashboard's settings from the first; an obstacle is logged in one line.

        What is shown already goes on.
        """
        request = json.dumps(
            {
                "entries": [entry.request for entry in entries],
                "file": str(self._file),
                "key": self._key,
                "switch": str(self._switch) if self._switch else "",
            }
        )
        if request == self._asked:
            return
        self._asked = request
        setup_files.clear_draft(str(self._file.parent))
        config = entries[0].loaded.config
        hindrance = hindrance_of(config)
        if hindrance:
            log.warning("no dashboard: %s", hindrance)
        none = hindrance or values.host_and_port(config.web_bind) is None
        self.order(None if none else ListeningOrder(request, config.web_bind))


@contextmanager
def dashboard(file: Path, *, off: bool, switch: Path | None = None) -> Iterator[Dashboard | None]:
    """The dashboard for the time of the block; None if `off`. Its settings page changes this file."""
    if off:
        yield None
        return
    pages = Dashboard(file, switch=switch)
    try:
        yield pages
    finally:
        pages.end()
        # Of a set-up that nobody has begun nothing stays.
        if setup_files.shown_notes(str(file.parent / setup_files.DRAFT)).get("stage", BEGINS) == BEGINS:
            setup_files.clear_draft(str(file.parent))


def hindrance_of(config: PlexSyncConfig) -> str:
    """Why these settings allow no dashboard; '' if they do."""
    if values.host_and_port(config.web_bind) is None:
        return ""
    if not is_installed("web"):
        return f"its packages are not installed: {advice('web')} (or plexsync serve --no-web)"
    return why_unguarded(config)


def shown_servers(call: Call, current: Settings) -> tuple[DashboardEntry, ...]:
    """All servers in their order, with the first one's settings as they are in use; the one alone that the call chooses.

    While the settings of the others can't be read, or some of them are known to Stash alone, it is the first one too.
    """
    first = DashboardEntry(current.loaded, current.place.path)
    if call.chosen_plex or len(current.loaded.servers) < 2:
        return (first,)
    saved = in_stash(current.stash_settings, address_of(current.loaded.config, first.folder))
    try:
        every = load_servers(**sources(call), plugin_settings=saved)
    except ConfigError:
        return (first,)
    for loaded in every:
        hide(call, loaded)
    further = (DashboardEntry(loaded, store_folder(first.folder, loaded.scope)) for loaded in every[1:])
    return (first, *further)


def greeting(config: PlexSyncConfig, version: str, *, web: bool) -> tuple[str, ...]:
    """What `plexsync serve` says first on a terminal, with the reason if there is no dashboard.

    `web`: it was not turned off for this call.
    """
    if not web:
        reason = NOT_ASKED_FOR
    elif values.host_and_port(config.web_bind) is None:
        reason = SWITCHED_OFF
    else:
        hindrance = hindrance_of(config)
        reason = f"Dashboard: none: {hindrance}" if hindrance else ""
    return (f"PlexSync {version} keeps Plex in sync with Stash.", *filter(None, [reason]), STOP)


@contextmanager
def show_greeting(console: Console, config: PlexSyncConfig, version: str, *, web: bool) -> Iterator[None]:
    """Print the greeting, and keep its words and the settings out of the console's log inside the block.

    The address of the dashboard is printed when its process says that it listens, in the place of that line of the log.
    """
    console.print("\n".join(greeting(config, version, web=web)), soft_wrap=True)

    def is_new(record: logging.LogRecord) -> bool:
        words = record.getMessage() if record.levelno == logging.INFO else ""
        if words.startswith(LISTENS):
            console.print(f"Dashboard: {words.removeprefix(LISTENS)}", soft_wrap=True)
        return record.name != SETTINGS and words != "serving" and not words.startswith(LISTENS)

    with filtered_consoles(is_new):
        yield
