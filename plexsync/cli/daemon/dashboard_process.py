"""The dashboard of `plexsync serve`: a child process that is restarted when it dies, and ended with its parent.

It gets its listening socket, which this process binds once, and its configuration by its standard input, so that no secret
is in its arguments or environment. That input closes with the parent process, however this ends, and the dashboard ends
with it.
"""

import base64
import json
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from rich.console import Console

from plexsync.app.database_files import file_number
from plexsync.app.setting_change import why_unguarded
from plexsync.app.settings import Settings, in_stash
from plexsync.app.stored import address_of
from plexsync.cli.call import Call
from plexsync.cli.daemon.child import FIRST_WAIT, ChildThread, environ, longer, relay, start
from plexsync.cli.settings import hide, sources
from plexsync.cli.terminal.screen import filtered_consoles
from plexsync.extras import advice, is_installed
from plexsync.rules.match.server_scopes import store_folder
from plexsync.rules.record_class import record
from validation import values
from validation.config import PlexSyncConfig
from validation.sources import ConfigError, Loaded, load_servers

log = logging.getLogger("PlexSync.web")

# Seconds before a place that is taken is tried again, and that the dashboard has for its end.
TAKEN_WAIT, LAST_WORDS = 15.0, 4.0
# Bytes that the system keeps of an answer: of a client that does not read, no more than this is out of sight.
SEND_BUFFER = 64 * 1024
_RECORD = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<words>.*)")
# What the log says before the address at which the dashboard listens, and before why it can't.
LISTENS = "dashboard: "
# What the terminal says first, and whose log it leaves out.
STOP = "Ctrl-C stops it in good order."
NOT_ASKED_FOR = "Dashboard: none, because of --no-web"
SWITCHED_OFF = "Dashboard: none, because web_bind = none"
SETTINGS = "PlexSync.config"


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


class DashboardOrder(NamedTuple):
    """What a process of the dashboard is to show, as it gets it, and where it listens."""

    request: str
    bind: str


def listening(host: str, port: int) -> socket.socket:
    """Open an exclusive listening socket at this address; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every connection inherits it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class Listening:
    """The listening socket, bound once for as long as `web_bind` stays the same, and handed to each process in turn.

    So nobody is refused while one process follows another: who comes meanwhile waits for the next one.
    """

    def __init__(self) -> None:
        self._bind = ""
        self._socket: socket.socket | None = None

    def at(self, bind: str) -> socket.socket:
        """The socket at this place, bound if it is not yet; raises OSError."""
        if self._socket is None or bind != self._bind:
            self.close()
            place = values.host_and_port(bind)
            assert place is not None  # noqa: S101 - without a place there is no dashboard
            self._bind, self._socket = bind, listening(*place)
        return self._socket

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Dashboard(ChildThread):
    """The process, and the thread that supervises it."""

    def __init__(self, file: Path, *, switch: Path | None = None) -> None:
        super().__init__("dashboard", LAST_WORDS)
        self._file = file
        self._switch = switch
        # Sessions survive a restart of the dashboard, but not of this process.
        self._key = secrets.token_hex(32)
        self._asked = ""
        self._wanted: DashboardOrder | None = None
        self._listening = Listening()
        self._told = ""

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
        config = entries[0].loaded.config
        hindrance = hindrance_of(config)
        if hindrance:
            log.warning("no dashboard: %s", hindrance)
        none = hindrance or values.host_and_port(config.web_bind) is None
        with self._wake:
            self._wanted = None if none else DashboardOrder(request, config.web_bind)
            self._wake.notify_all()
        # The work does not wait for the dashboard's end.
        threading.Thread(target=self.end_process, name="dashboard end", daemon=True).start()
        if self.ident is None and not none:
            self.start()

    def end(self) -> None:
        """End the dashboard, and wait until it has ended."""
        with self._wake:
            self._over.set()
            self._wake.notify_all()
        self.end_process()
        if self.is_alive():
            self.join(LAST_WORDS + 2)

    def work(self) -> None:
        """Run one process after the other, until the end."""
        wait = FIRST_WAIT
        while (wanted := self._next()) is not None:
            began = monotonic()
            code = self._try(wanted)
            if self._is_replaced(wanted):
                wait = FIRST_WAIT
                continue
            # Nobody waits for a page that may not come.
            self._listening.close()
            wait = longer(wait, began)
            if code is not None:
                log.warning("the dashboard ended (%s); it is started again in %.0f s", code, wait)
            with self._wake:
                self._wake.wait_for(lambda: self._is_replaced(wanted), TAKEN_WAIT if code is None else wait)

    def _try(self, wanted: DashboardOrder) -> int | None:
        """Run the process once; returns its exit code, None if its place is taken."""
        try:
            at = self._listening.at(wanted.bind)
        except OSError as error:
            self._tell(f"can't listen at {wanted.bind}: {error.strerror or error}")
            return None
        try:
            return self._run(wanted, at)
        except OSError as error:
            log.warning("the dashboard can't be started: %s", error.strerror)
            return 1

    def _is_replaced(self, wanted: DashboardOrder) -> bool:
        return self._over.is_set() or self._wanted != wanted

    def _next(self) -> DashboardOrder | None:
        """Wait for the next configuration of the dashboard; None at the end."""
        with self._wake:
            if self._over.is_set() or self._wanted is None:
                self._listening.close()
            self._wake.wait_for(lambda: self._over.is_set() or self._wanted is not None)
            return None if self._over.is_set() else self._wanted

    def _run(self, wanted: DashboardOrder, at: socket.socket) -> int:
        """Run the process once on this socket; returns its exit code."""
        handle = at.fileno()
        started = start("plexsync.web", env=environ(), stdout=subprocess.PIPE, inherits=[handle])
        with self.running(started) as process:
            assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were requested
            words = (process.stderr, log, _RECORD)
            lines = threading.Thread(target=relay, args=words, name="dashboard log", daemon=True)
            lines.start()
            socket_words = str(handle)
            if sys.platform == "win32":
                # There the process has not inherited the socket.
                socket_words = base64.b64encode(at.share(process.pid)).decode()
            # Its end may have come first, and have closed its input.
            with suppress(OSError, ValueError):
                process.stdin.write(f"{socket_words}\n{wanted.request}\n")
                process.stdin.flush()
            if self._is_replaced(wanted):
                self.end_process()
            if line := process.stdout.readline().strip():
                self._tell(f"{LISTENS}{line}")
            process.stdout.read()
            code = process.wait()
            # Its last words say why it ended.
            lines.join(1)
            return code

    def _tell(self, line: str) -> None:
        """Log a line once, as long as it does not change."""
        if line != self._told:
            self._told = line
            log.info("%s", line) if "http" in line else log.warning("%s; tried again every %.0f s", line, TAKEN_WAIT)


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
