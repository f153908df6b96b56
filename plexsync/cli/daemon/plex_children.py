"""The workers of further Plex servers: child processes of `plexsync serve`, one for each `[[plex]]` entry after the first.

Each is a `plexsync serve` with its own database, lock and log, so none waits for another. One that ends is started again
after a pause that grows. A child loads the settings itself. It ends when its standard input closes, so it ends with its
parent, however that ends.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from plexsync.cli.call import Call
from plexsync.cli.daemon.child import FIRST_WAIT, ChildThread, longer, relay, start
from plexsync.cli.daemon.signals import GRACE, Stop
from plexsync.store.database import Database
from plexsync.store.files.siblings import siblings_of
from validation.sources import Loaded

log = logging.getLogger("PlexSync.plex")

WITH_FIRST = "--with-first"
# Seconds that an ending worker gets: more than it takes by itself.
LAST_WORDS = GRACE + 1.0
# Variables that are for this process alone.
OWN = ("PLEXSYNC_PLEX", "PLEXSYNC_LIFE", "PLEXSYNC_PROGRESS", "PLEXSYNC_DATA_DIR")
_RECORD = re.compile(r"\S+Z (?P<level>DEBUG|INFO|WARNING|ERROR) \S+ (?P<words>.*)")


class PlexChild(ChildThread):
    """The worker of one entry: its process, and the thread that starts it again."""

    def __init__(self, name: str, words: list[str]) -> None:
        super().__init__(f"worker of {name}", LAST_WORDS)
        self._plex = name
        self._words = words
        self.start()

    def ask_to_end(self) -> None:
        """Ask the process to end in good order; it is not started again."""
        self._over.set()
        self.release()

    def end(self) -> None:
        """End the process, and wait until it has ended."""
        self._over.set()
        self.end_process()
        self.join(LAST_WORDS)

    def work(self) -> None:
        """Run one process after the other, until the end."""
        wait = FIRST_WAIT
        while not self._over.is_set():
            began = monotonic()
            try:
                with self.running(start("plexsync", *self._words, env=_environ())) as process:
                    if self._over.is_set():
                        self.release()
                    assert process.stderr  # noqa: S101 - it was requested
                    relay(process.stderr, log, _RECORD, f"{self._plex}: ")
                    code = process.wait()
            except OSError as error:
                log.warning("%s: its worker can't be started: %s", self._plex, error.strerror)
                code = 1
            wait = longer(wait, began)
            if not self._over.is_set():
                log.warning("%s: its worker ended (%s); it is started again in %.0f s", self._plex, code, wait)
                self._over.wait(wait)


class PlexChildren:
    """The workers of all entries but the first."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._children: dict[str, PlexChild] = {}

    def use(self, loaded: Loaded, folder: Path) -> None:
        """Start a worker for each new entry, and end those of removed ones; `folder` is that of the first server."""
        wanted = () if self._call.chosen_plex else loaded.servers[1:]
        for name in [name for name in self._children if name not in wanted]:
            # The work does not wait for its end.
            threading.Thread(target=self._children.pop(name).end, name=f"end of {name}", daemon=True).start()
        for name in wanted:
            if name not in self._children:
                log.info("%s: its worker is started", name)
                words = ["serve", "--no-web", WITH_FIRST, "--plex", name, "--data-dir", str(folder)]
                if self._call.config_file is not None:
                    words += ["--config", str(self._call.config_file)]
                if self._call.verbose:
                    words.append("--verbose")
                self._children[name] = PlexChild(name, words)

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
    environ = {name: value for name, value in os.environ.items() if name not in OWN}
    places = dict.fromkeys(place for place in sys.path if Path(place).is_absolute())
    return {**environ, "PYTHONPATH": os.pathsep.join(places)}
