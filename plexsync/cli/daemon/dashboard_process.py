"""The dashboard of `plexsync serve`: a child process that is restarted when it dies, and ended with its parent.

It gets its configuration by its standard input, so that no secret is in its arguments or environment. That input closes
with the parent process, however this ends, and the dashboard ends with it.
"""

import ipaddress
import json
import logging
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO

from plexsync.cli.daemon.child import environ, start
from plexsync.extras import advice, is_installed
from validation import values
from validation.config import PlexSyncConfig
from validation.sources import Loaded

log = logging.getLogger("PlexSync.web")

TAKEN = 3  # the exit code of plexsync/web/__main__.py if its address is in use
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
        }


class Dashboard:
    """The process, and the thread that supervises it."""

    def __init__(self, file: Path, *, switch: Path | None = None) -> None:
        self._file = file
        self._switch = switch
        # Sessions survive a restart of the dashboard, but not of this process.
        self._key = secrets.token_hex(32)
        self._wake = threading.Condition()
        self._over = False
        self._asked = ""
        self._wanted: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._look_after, name="dashboard", daemon=True)
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
            self._wanted = None if none else request
            self._wake.notify_all()
        # The work does not wait for the dashboard's end.
        threading.Thread(target=self._end_process, name="dashboard end", daemon=True).start()
        if not self._thread.is_alive() and not none:
            self._thread.start()

    def end(self) -> None:
        """End the dashboard, and wait until it has ended."""
        with self._wake:
            self._over = True
            self._wake.notify_all()
        self._end_process()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS + 2)

    def _look_after(self) -> None:
        wait = FIRST_WAIT
        while (request := self._next()) is not None:
            began = monotonic()
            try:
                code = self._run(request)
            except OSError as error:
                log.warning("the dashboard can't be started: %s", error.strerror)
                code = 1
            if self._over or self._wanted != request:
                wait = FIRST_WAIT
                continue
            wait = FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)
            if code != TAKEN:
                log.warning("the dashboard ended (%s); it is started again in %.0f s", code, wait)
            self._rest(request, TAKEN_WAIT if code == TAKEN else wait)

    def _next(self) -> str | None:
        """Wait for the next configuration of the dashboard; None at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._over or self._wanted is not None)
            return None if self._over else self._wanted

    def _rest(self, request: str, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._over or self._wanted != request, seconds)

    def _run(self, request: str) -> int:
        """Run the process once; returns its exit code."""
        process = start("plexsync.web", env=environ(), stdout=subprocess.PIPE)
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were requested
        with self._wake:
            self._process = process
        listening = threading.Thread(target=_relay, args=(process.stderr,), name="dashboard log", daemon=True)
        listening.start()
        with suppress(OSError):
            process.stdin.write(request + "\n")
            process.stdin.flush()
        if self._over or self._wanted != request:
            self._end_process()
        if line := process.stdout.readline().strip():
            self._tell(f"{LISTENS}{line}")
        process.stdout.read()
        code = process.wait()
        with self._wake:
            self._process = None
        listening.join(1)
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                stream.close()
        return code

    def _end_process(self) -> None:
        with self._wake:
            process = self._process
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
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
    place = values.host_and_port(config.web_bind)
    if place is None:
        return ""
    if not is_installed("web"):
        return f"its packages are not installed: {advice('web')} (or plexsync serve --no-web)"
    if not config.web_password and not _is_loopback(place[0]):
        return f"web_bind = {config.web_bind} can be reached by others, so web_password has to be set"
    return ""


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _relay(lines: IO[str]) -> None:
    """Copy the dashboard's output to the log."""
    with suppress(OSError, ValueError):
        for line in lines:
            level, _, text = line.rstrip().partition(" ")
            number = logging.getLevelNamesMapping().get(level)
            log.log(number or logging.WARNING, "%s", text if number else line.rstrip())
