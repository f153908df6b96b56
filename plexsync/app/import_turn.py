"""Imports beside a worker: it stands still between two steps while an import writes to Stash.

So no sync writes to Plex between the moment an import has read a value there and the moment it is in Stash. The import
holds a lock of the operating system, so its end in any way lets the worker go on.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plexsync.app.imports import ImportParts, import_parts
from plexsync.app.parts import Parts, at_work
from plexsync.rules.note_keys import HEARTBEAT
from plexsync.store.lock import IMPORT
from validation.config import PlexSyncConfig

# When the worker began to stand still (UTC ms); '' while it works.
STANDS = "import:turn"
# Seconds between two looks, and milliseconds between two heartbeats of a worker that stands still.
LOOK, BEAT = 0.1, 10_000


class OtherImport(Exception):
    """Another import is writing."""


class ImportTurn:
    """Lets an import have the worker's turn. Call it between two steps."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop

    def __call__(self) -> None:
        """Stand still while an import writes."""
        store, clock, began = self._parts.store, self._parts.clock, None
        while not self._stop.is_set() and self._parts.is_locked(IMPORT):
            now = clock.now()
            if began is None or not 0 <= now - began < BEAT or not self._is_noted():
                began = now
                with store.writing() as tx:
                    tx.notes.save(STANDS, str(now))
                    tx.notes.save(HEARTBEAT, str(now))
            self._parts.watchdog.alive()
            clock.sleep(LOOK)

    def _is_noted(self) -> bool:
        with self._parts.store.reading() as db:
            return bool(db.notes.text(STANDS))


@contextmanager
def import_turn(parts: Parts, *, alone: bool, stopping: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Hold the worker's turn; yields False if `stopping` ended the wait for it. Raises OtherImport.

    `alone`: this process holds the worker's lock, so there is no worker to wait for.
    """
    lock = parts.try_lock(IMPORT)
    if lock is None:
        raise OtherImport("another import is writing to Stash")
    with lock:
        with parts.store.writing() as tx:
            tx.notes.save(STANDS, "")
        yield alone or _stands_still(parts, stopping)


def _stands_still(parts: Parts, stopping: Callable[[], bool]) -> bool:
    """Wait until the worker stands still, or has ended: the next one stands still before its first step."""
    while not stopping():
        with parts.store.reading() as db:
            stands = bool(db.notes.text(STANDS))
        if stands or not parts.someone_works():
            return True
        parts.clock.sleep(LOOK)
    return False


def in_turn(
    config: PlexSyncConfig, folder: Path, work: Callable[[ImportParts], None], stopping: Callable[[], bool]
) -> bool:
    """Do this work with an import's parts while no worker writes; False if `stopping` came first. Raises OtherImport."""
    with (
        at_work(config, folder) as (parts, alone),
        import_turn(parts, alone=alone, stopping=stopping) as has_turn,
        import_parts(parts, may_go_on=lambda: not stopping()) as imports,
    ):
        if has_turn:
            work(imports)
        return has_turn
