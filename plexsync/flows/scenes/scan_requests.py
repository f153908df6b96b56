"""Requests scans of the folders whose files Plex lacks, if you enable it.

Each folder is requested at most once in ten minutes, one at a time per library, and never while the library is being
scanned. Only folders within the locations of a library are requested, since Plex can't scan others. The end of the scan
wakes the waiting scenes, as after every scan.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.match.paths import PathRules, folder_name, lies_in, map_path
from plexsync.rules.records import Section
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock, Plex
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.scan")

# Milliseconds before the same folder is requested again.
AGAIN = 10 * 60_000
# Seconds between two checks whether a library is ready for its next scan.
LOOK = 5.0
# The maximum number of waiting folders. Scenes of further ones are inspected again and request the scan then.
MANY = 1_000


@dataclass
class Scans:
    """The folders that wait for a scan. Of the worker and its watcher, one sends requests and the other does not wait."""

    _store: Database
    _plex: Plex
    _gates: Gates
    _clock: Clock
    _rules: PathRules
    _waiting: dict[str, None] = field(default_factory=dict)
    _looked: float | None = None
    # `_asking` is held while Plex is asked, `_lock` only while the waiting folders are read or changed.
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def want(self, scenes: Iterable[Scene]) -> None:
        """Request scans for the folders of these scenes, whose files are not in Plex yet."""
        places = (place for scene in scenes for file in scene.files for place in map_path(file.path, self._rules))
        with self._lock:
            for folder in dict.fromkeys(folder_name(place) for place in places):
                if folder and len(self._waiting) < MANY:
                    self._waiting[folder] = None
        self.go_on()

    def go_on(self) -> int:
        """Request the next folder of each library that is not scanning. Returns how many; a NeighbourError is only logged.

        Does nothing while another thread sends requests. The next call picks up what waits by then.
        """
        if not self._asking.acquire(blocking=False):
            return 0
        try:
            return self._go_on()
        finally:
            self._asking.release()

    def _go_on(self) -> int:
        now = self._clock.monotonic()
        if not self._waiting or (self._looked is not None and now - self._looked < LOOK):
            return 0
        self._looked = now
        try:
            if not self._gates.is_open(READ_PLEX):
                return 0
            sections = self._gates.ask(READ_PLEX, self._plex.sections, of_all=True)
            for folder in self._folders():
                if not any(within(folder, section) for section in sections):
                    self._forget(folder)
            return sum(self._scan_next(section) for section in sections)
        except NeighbourError as error:
            log.info("Plex can't be asked to scan: %s", error)
            return 0

    def _scan_next(self, section: Section) -> int:
        if section.scanning:
            return 0
        for folder in [path for path in self._folders() if within(path, section)]:
            self._forget(folder)
            now = self._clock.now()
            with self._store.writing() as tx:
                may = tx.scan_requests.ask(section.key, folder, now=now, again=AGAIN)
            if may:
                self._gates.ask(READ_PLEX, partial(self._plex.scan, section.key, folder))
                log.info("library %s is asked to scan a folder, since a scene's file is not there", section.title)
                return 1
        return 0

    def _folders(self) -> list[str]:
        with self._lock:
            return list(self._waiting)

    def _forget(self, folder: str) -> None:
        with self._lock:
            self._waiting.pop(folder, None)


def within(folder: str, section: Section) -> bool:
    """Whether a folder is a location of the library or lies in one."""
    return any(lies_in(folder, location) for location in section.locations)
