"""Asking Plex to scan the folders of files that it does not have, where a person has switched that on.

A folder is asked for once in ten minutes at most, one at a time in each library, and never while the library is being
scanned. Only folders within a library's own locations are: what Plex can't see it is not sent to look for. The scan's end
wakes who waits, as every scan does.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.errors import NeighbourError
from plexsync.rules.neighbours import Clock, Plex
from plexsync.rules.paths import PathRules, folder_name, lies_in, map_path
from plexsync.rules.records import Section
from plexsync.rules.scene import Scene
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.scan")

# So long the same folder is not asked for again.
AGAIN = 10 * 60_000
# Seconds between two looks at whether a library may be asked to scan the next one.
LOOK = 5.0
# More folders than these do not wait: their scenes are looked at again and ask once more.
MANY = 1_000


class Scans:
    """Folders that wait to be scanned. Of the worker and the watch beside it, one asks and the other does not wait."""

    def __init__(self, store: Database, plex: Plex, gates: Gates, clock: Clock, rules: PathRules) -> None:
        self._store = store
        self._plex = plex
        self._gates = gates
        self._clock = clock
        self._rules = rules
        self._waiting: dict[str, None] = {}
        self._looked: float | None = None
        # Who asks holds the one for as long as Plex takes, and the other only to see what waits.
        self._asking = threading.Lock()
        self._lock = threading.Lock()

    def want(self, scenes: Iterable[Scene]) -> None:
        """Plex does not have the files of these scenes (yet): their folders are to be scanned."""
        places = (place for scene in scenes for file in scene.files for place in map_path(file.path, self._rules))
        with self._lock:
            for folder in dict.fromkeys(folder_name(place) for place in places):
                if folder and len(self._waiting) < MANY:
                    self._waiting[folder] = None
        self.go_on()

    def go_on(self) -> int:
        """Ask each library that rests to scan the next folder that waits; returns how many were asked. A failure is left.

        Nothing is done while another thread asks: what waits by then, the next call finds.
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
            self._forget_strangers(sections)
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

    def _forget_strangers(self, sections: Sequence[Section]) -> None:
        """Folders that no library has are nobody's to scan."""
        for folder in self._folders():
            if not any(within(folder, section) for section in sections):
                self._forget(folder)

    def _folders(self) -> list[str]:
        with self._lock:
            return list(self._waiting)

    def _forget(self, folder: str) -> None:
        with self._lock:
            self._waiting.pop(folder, None)


def within(folder: str, section: Section) -> bool:
    """Whether a folder is one of a library's, or lies in one."""
    return any(lies_in(folder, location) for location in section.locations)
