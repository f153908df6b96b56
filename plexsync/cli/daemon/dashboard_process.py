"""The dashboard beside `plexsync serve`: a process of its own, started anew when it dies, and ended with us.

It is told what it is to be by its standard input, so that no secret stands in its words or its environment; that input ends
with this process, however this one ends, and the dashboard with it.
"""

import ipaddress
import json
import logging
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

from plexsync.cli.daemon.child import command_of, environ
from plexsync.extras import advice, is_installed
from validation.config import PlexSyncConfig
from validation.sources import Loaded

log = logging.getLogger("PlexSync.web")

TAKEN = 3  # the exit code of plexsync/web/__main__.py when its place is another's
FIRST_WAIT, LONGEST_WAIT, TAKEN_WAIT = 1.0, 60.0, 15.0
# A dashboard that lived so many seconds was well.
WELL = 60.0
LAST_WORDS = 4.0


class Dashboard:
    """The process, and the thread that looks after it."""

    def __init__(self, *, switch: Path | None = None) -> None:
        self._switch = switch
        # Sessions outlive the process, not this one.
        self._key = secrets.token_hex(32)
        self._wake = threading.Condition()
        self._over = False
        self._wanted: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._look_after, name="dashboard", daemon=True)
        self._told = ""

    def use(self, loaded: Loaded, folder: Path) -> None:
        """From now on the dashboard is as these settings want it; a hindrance is told in one line."""
        hindrance = hindrance_of(loaded.config)
        if hindrance:
            log.warning("no dashboard: %s", hindrance)
        told = {
            "config": loaded.config.model_dump(),
            "origin": loaded.origin,
            "warnings": loaded.warnings,
            "folder": str(folder),
            "key": self._key,
            "switch": str(self._switch) if self._switch else "",
        }
        none = hindrance or loaded.config.web_place is None
        with self._wake:
            self._wanted = None if none else json.dumps(told)
            self._wake.notify_all()
        # The work does not wait for it.
        threading.Thread(target=self._end_process, name="dashboard end", daemon=True).start()
        if not self._thread.is_alive() and not none:
            self._thread.start()

    def end(self) -> None:
        """End it, and wait until it has."""
        with self._wake:
            self._over = True
            self._wake.notify_all()
        self._end_process()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS + 2)

    def _look_after(self) -> None:
        wait = FIRST_WAIT
        while (told := self._next()) is not None:
            began = monotonic()
            try:
                code = self._run(told)
            except OSError as error:
                log.warning("the dashboard can't be started: %s", error.strerror)
                code = 1
            if self._over or self._wanted != told:
                wait = FIRST_WAIT
                continue
            wait = FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)
            if code != TAKEN:
                log.warning("the dashboard ended (%s); it is started again in %.0f s", code, wait)
            self._rest(told, TAKEN_WAIT if code == TAKEN else wait)

    def _next(self) -> str | None:
        """What the dashboard is to be, as soon as there is to be one; None at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._over or self._wanted is not None)
            return None if self._over else self._wanted

    def _rest(self, told: str, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._over or self._wanted != told, seconds)

    def _run(self, told: str) -> int:
        """One life of the process; returns its exit code."""
        process = subprocess.Popen(  # noqa: S603 - the words are ours
            command_of("plexsync.web"),
            env=environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were asked for
        with self._wake:
            self._process = process
        listening = threading.Thread(target=_relay, args=(process.stderr,), name="dashboard log", daemon=True)
        listening.start()
        with suppress(OSError):
            process.stdin.write(told + "\n")
            process.stdin.flush()
        if self._over or self._wanted != told:
            self._end_process()
        if line := process.stdout.readline().strip():
            self._tell(f"dashboard: {line}")
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
        """Once, as long as it stays so."""
        if line != self._told:
            self._told = line
            log.info("%s", line) if "http" in line else log.warning("%s; tried again every %.0f s", line, TAKEN_WAIT)


@contextmanager
def dashboard(*, off: bool, switch: Path | None = None) -> Iterator[Dashboard | None]:
    """The dashboard while the block runs; None when there is to be none."""
    if off:
        yield None
        return
    pages = Dashboard(switch=switch)
    try:
        yield pages
    finally:
        pages.end()


def hindrance_of(config: PlexSyncConfig) -> str:
    """Why there can't be a dashboard with these settings; '' when there can."""
    if config.web_place is None:
        return ""
    if not is_installed("web"):
        return f"its packages are not installed: {advice('web')} (or plexsync serve --no-web)"
    if not config.web_password and not _is_loopback(config.web_place[0]):
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
    """What the dashboard says, in our log."""
    with suppress(OSError, ValueError):
        for line in lines:
            level, _, text = line.rstrip().partition(" ")
            number = logging.getLevelNamesMapping().get(level)
            log.log(number or logging.WARNING, "%s", text if number else line.rstrip())
