"""The workers of further Plex servers: child processes of `plexsync serve`, one for each `[[plex]]` entry after the first.

Each is a `plexsync serve` with its own database, lock and log, so none waits for another. One that ends is started again
after a pause that grows. A child loads the settings itself. It ends when its standard input closes, so it ends with its
parent, however that ends.
"""

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

from plexsync.cli.call import Call
from plexsync.cli.daemon.child import start
from plexsync.cli.daemon.signals import GRACE, Stop
from plexsync.store.database import Database
from plexsync.store.lasting import LastingThread
from plexsync.store.siblings import siblings_of
from validation.sources import Loaded

log = logging.getLogger("PlexSync.plex")

WITH_FIRST = "--with-first"
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# Seconds after which a worker that ends has not failed to start.
WELL = 60.0
# Seconds that an ending worker gets: more than it takes by itself.
LAST_WORDS = GRACE + 1.0
# Variables that are for this process alone.
OWN = ("PLEXSYNC_PLEX", "PLEXSYNC_LIFE", "PLEXSYNC_PROGRESS", "PLEXSYNC_DATA_DIR")
_LINE = re.compile(r"\S+Z (DEBUG|INFO|WARNING|ERROR) (\S+) (.*)")


class PlexChild(LastingThread):
    """The worker of one entry: its process, and the thread that starts it again."""

    def __init__(self, name: str, words: list[str]) -> None:
        super().__init__(f"worker of {name}", threading.Event())
        self._plex = name
        self._words = words
        self._guard = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def ask_to_end(self) -> None:
        """Ask the process to end in good order; it is not started again."""
        self._over.set()
        with self._guard:
            if self._process is not None and self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()

    def end(self) -> None:
        """End the process, and wait until it has ended."""
        self.ask_to_end()
        self.join(LAST_WORDS)
        with self._guard:
            if self._process is not None:
                self._process.kill()
        self.join(LAST_WORDS)

    def work(self) -> None:
        """Run one process after the other, until the end."""
        wait = FIRST_WAIT
        while not self._over.is_set():
            began = monotonic()
            try:
                code = self._run()
            except OSError as error:
                log.warning("%s: its worker can't be started: %s", self._plex, error.strerror)
                code = 1
            wait = FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)
            if not self._over.is_set():
                log.warning("%s: its worker ended (%s); it is started again in %.0f s", self._plex, code, wait)
                self._over.wait(wait)

    def _run(self) -> int:
        """Run the process once; returns its exit code."""
        with self._guard:
            if self._over.is_set():
                return 0
            self._process = process = start("plexsync", *self._words, env=_environ())
        assert process.stdin and process.stderr  # noqa: S101 - they were requested
        _relay(self._plex, process.stderr)
        code = process.wait()
        with self._guard:
            self._process = None
        for stream in (process.stdin, process.stderr):
            with suppress(OSError):
                stream.close()
        return code


class PlexChildren:
    """The workers of all entries but the first."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._children: dict[str, PlexChild] = {}
        self._folder = Path()

    def use(self, loaded: Loaded, folder: Path) -> None:
        """Start a worker for each new entry, and end those of removed ones; `folder` is that of the first server."""
        self._folder = folder
        wanted = () if self._call.chosen_plex else loaded.servers[1:]
        for name in [name for name in self._children if name not in wanted]:
            # The work does not wait for its end.
            threading.Thread(target=self._children.pop(name).end, name=f"end of {name}", daemon=True).start()
        for name in wanted:
            if name not in self._children:
                log.info("%s: its worker is started", name)
                self._children[name] = PlexChild(name, self._words(name))

    def have_work(self, store: Database) -> bool:
        """Whether one of them has something to do, or to wait for; `store` is that of the first server."""
        siblings = siblings_of(store)
        return any(siblings.has_work(name) for name in tuple(self._children))

    def ask_to_end(self) -> None:
        """Ask all to end."""
        for child in tuple(self._children.values()):
            child.ask_to_end()

    def end(self) -> None:
        """End all, and wait for them."""
        self.ask_to_end()
        for child in tuple(self._children.values()):
            child.end()

    def _words(self, name: str) -> list[str]:
        options = ["--plex", name, "--data-dir", str(self._folder)]
        if self._call.config_file is not None:
            options += ["--config", str(self._call.config_file)]
        if self._call.verbose:
            options.append("--verbose")
        return ["serve", "--no-web", WITH_FIRST, *options]


@contextmanager
def plex_children(call: Call, stop: Stop) -> Iterator[PlexChildren]:
    """The workers of further entries for the time of the block. They are asked to end as soon as `stop` is set."""
    children = PlexChildren(call)

    def spread() -> None:
        stop.event.wait()
        children.ask_to_end()

    threading.Thread(target=spread, name="workers' end", daemon=True).start()
    try:
        yield children
    finally:
        children.end()


def end_with_first(stop: Stop) -> None:
    """End this worker when its standard input closes, as that of a child does when its parent ends."""

    def listen() -> None:
        with suppress(OSError, ValueError):
            while os.read(0, 1024):
                pass
        stop.ask()

    threading.Thread(target=listen, name="leash", daemon=True).start()


def _environ() -> dict[str, str]:
    """The environment with the settings. Inside Stash, packages are where only this process's path leads."""
    kept = {name: value for name, value in os.environ.items() if name not in OWN}
    places = dict.fromkeys(place for place in sys.path if Path(place).is_absolute())
    return {**kept, "PYTHONPATH": os.pathsep.join(places)}


def _relay(name: str, lines: IO[str]) -> None:
    """Copy a worker's log to this one, to its end."""
    with suppress(OSError, ValueError):
        for line in lines:
            if record := _LINE.fullmatch(line.rstrip()):
                log.log(logging.getLevelNamesMapping()[record[1]], "%s: %s", name, record[3])
            elif line.strip():
                log.warning("%s: %s", name, line.rstrip().removeprefix("plexsync: "))
