"""The dashboard of `plexsync serve`: a child process that is restarted when it dies, and ended with its parent.

It gets its listening socket, which this process binds once, and its configuration by its standard input, so that no secret
is in its arguments or environment. That input closes with the parent process, however this ends, and the dashboard ends
with it.
"""

import json
import logging
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, NamedTuple

from plexsync.app.database_files import file_number
from plexsync.app.setting_change import unguarded
from plexsync.cli.daemon.child import environ, start
from plexsync.cli.daemon.listening import Listening, handed
from plexsync.extras import advice, is_installed
from plexsync.store.lasting import LastingThread
from validation import values
from validation.config import PlexSyncConfig
from validation.sources import Loaded

log = logging.getLogger("PlexSync.web")

FIRST_WAIT, LONGEST_WAIT, TAKEN_WAIT = 1.0, 60.0, 15.0
# A dashboard that ran for this many seconds was healthy.
WELL = 60.0
LAST_WORDS = 4.0
# What the log says before the address at which the dashboard listens, and before why it can't.
LISTENS = "dashboard: "


@dataclass(frozen=True)
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


class Dashboard(LastingThread):
    """The process, and the thread that supervises it."""

    def __init__(self, file: Path, *, switch: Path | None = None) -> None:
        super().__init__("dashboard", threading.Event())
        self._file = file
        self._switch = switch
        # Sessions survive a restart of the dashboard, but not of this process.
        self._key = secrets.token_hex(32)
        self._wake = threading.Condition()
        self._asked = ""
        self._wanted: DashboardOrder | None = None
        self._process: subprocess.Popen[str] | None = None
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
        threading.Thread(target=self._end_process, name="dashboard end", daemon=True).start()
        if self.ident is None and not none:
            self.start()

    def end(self) -> None:
        """End the dashboard, and wait until it has ended."""
        with self._wake:
            self._over.set()
            self._wake.notify_all()
        self._end_process()
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
            wait = FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)
            if code is not None:
                log.warning("the dashboard ended (%s); it is started again in %.0f s", code, wait)
            self._rest(wanted, TAKEN_WAIT if code is None else wait)

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

    def _rest(self, wanted: DashboardOrder, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._is_replaced(wanted), seconds)

    def _run(self, wanted: DashboardOrder, at: socket.socket) -> int:
        """Run the process once on this socket; returns its exit code."""
        process = start("plexsync.web", env=environ(), stdout=subprocess.PIPE, inherits=[at.fileno()])
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were requested
        with self._wake:
            self._process = process
        relay = threading.Thread(target=_relay, args=(process.stderr,), name="dashboard log", daemon=True)
        relay.start()
        try:
            # Its end may have come first, and have closed its input.
            with suppress(OSError, ValueError):
                process.stdin.write(f"{handed(at, process.pid)}\n{wanted.request}\n")
                process.stdin.flush()
            if self._is_replaced(wanted):
                self._end_process()
            if line := process.stdout.readline().strip():
                self._tell(f"{LISTENS}{line}")
            process.stdout.read()
            return process.wait()
        finally:
            self._end_process()
            with self._wake:
                self._process = None
            relay.join(1)
            for stream in (process.stdin, process.stdout, process.stderr):
                with suppress(OSError):
                    stream.close()

    def _end_process(self) -> None:
        with self._wake:
            process = self._process
        if process is None or process.stdin is None:
            return
        with suppress(OSError, ValueError):
            process.stdin.close()
        try:
            process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            process.kill()

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
    return unguarded(config)


def _relay(lines: IO[str]) -> None:
    """Copy the dashboard's output to the log."""
    with suppress(OSError, ValueError):
        for line in lines:
            level, _, text = line.rstrip().partition(" ")
            number = logging.getLevelNamesMapping().get(level)
            log.log(number or logging.WARNING, "%s", text if number else line.rstrip())
