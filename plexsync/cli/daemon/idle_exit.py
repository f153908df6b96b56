"""Ends a worker that Stash started on demand: idle, switched off, replaced, or its plugin is disabled or gone."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import plexsync
from plexsync.app.database_files import lock_of
from plexsync.app.parts import Parts
from plexsync.app.settings import PLUGIN
from plexsync.app.switches import leave_inside, off_inside, switched_inside
from plexsync.cli.daemon.plex_children import PlexChildren
from plexsync.cli.daemon.signals import Stop
from plexsync.rules.servers.errors import Barred, LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.store import intake
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.life_signs import ANOTHER_KEY, WORKER, LifeSign
from plexsync.store.ledger.lasting import LastingThread

log = logging.getLogger("PlexSync.serve")

OFF = "switched off in Stash"
AGAIN = "Stash has another address: another worker is started there"
LOOK = 1.0  # seconds between two checks
LAST_OF_OTHERS = 15.0  # seconds that the previous worker may take to end
LONGEST_WAIT = 300.0  # seconds to wait for Stash; the next event starts another worker
ASK_PACE = 5.0  # seconds between two requests to Stash whether the plugin is enabled
GONE = 5  # checks in a row that find no program: an update is unpacked faster

Look = tuple[int, int]


def look_at_program() -> Look | None:
    """The state of a program file on the disk; None while it is being replaced."""
    try:
        status = Path(plexsync.__file__).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


BEGAN_WITH = look_at_program()
# The file by which Stash knows the plugin; None where the program does not lie beside it.
BESIDE = Path(plexsync.__file__).parents[1] / f"{PLUGIN}.yml"
MANIFEST = BESIDE if BESIDE.exists() else None


def await_plugin(ended: threading.Event) -> None:
    """Wait while the plugin is not there, as during its update. If it was removed, `Leaving` ends the worker."""
    if MANIFEST is not None and not MANIFEST.exists():
        log.info("waiting: %s is not there", MANIFEST)
        while not MANIFEST.exists() and not ended.wait(LOOK):
            pass


def life_sign() -> LifeSign | None:
    """The sign of life of a worker that Stash started, from now on; None for any other."""
    life = _life()
    return LifeSign(life["folder"], WORKER, life["address"]) if {"folder", "address"} <= life.keys() else None


def served_folder() -> Path | None:
    """The folder of the plugin that Stash serves to its page; None for a worker that Stash did not start."""
    served = _life().get("served")
    return Path(served) if served else None


def _life() -> dict[str, str]:
    try:
        life = json.loads(os.environ.get("PLEXSYNC_LIFE", ""))
    except ValueError:
        return {}
    return life if isinstance(life, dict) else {}


class Leaving(LastingThread):
    """Stops an unneeded worker: switched off in Stash, replaced, uninstalled, or idle for `worker_idle_minutes`.

    `stop` ends the worker, also while it waits for a server; `ended` ends only this thread, for a worker that continues
    with other settings. `sign` is that of a worker that Stash started: such a one also ends when Stash says that the
    plugin is disabled, or, with the exit code ANOTHER_KEY, no longer takes the key that it has given. It does not end as
    idle while one of the `children`, the workers of further Plex servers, has work.
    """

    def __init__(
        self,
        parts: Parts,
        stop: Stop,
        ended: threading.Event,
        sign: LifeSign | None = None,
        children: PlexChildren | None = None,
    ) -> None:
        super().__init__("leaving", ended)
        self._parts = parts
        self._asked = stop
        self._sign = sign
        self._children = children
        self._busy_at = self._asked_at = monotonic()
        self._last_look: Look | None = BEGAN_WITH
        self._gone = 0
        self._done: int | None = None
        # How it is switched, the number of scenes that are not settled, and the work done; None if that may have changed.
        self._known: tuple[str, int, int] | None = None

    def work(self) -> None:
        """Check once a second; a database that can't be read now is checked later."""
        while not self._over.wait(LOOK) and not self._asked:
            try:
                reason = self._why()
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.debug("not looked whether to end: %s", fault)
                continue
            except MemoryError:
                # Logging needs memory as well; without this thread nothing would notice a stop.
                continue
            except Exception:  # the edge of a check: whatever the error, the next check still notices a stop
                log.exception("looking whether to end failed by a fault of PlexSync")
                continue
            if reason:
                log.info("%s", reason)
                self._asked.ask()

    def _why(self) -> str:
        """Why the worker is to end, or '' while it is to continue."""
        if self._sign is not None:
            self._sign.renew()
        switched, *_ = self._read()
        if switched == intake.OFF:
            return OFF
        if switched == intake.AGAIN and leave_inside(self._parts, idle=False):
            return AGAIN
        # Another version counts once two checks in a row have found it: unpacking takes a moment.
        before, self._last_look = self._last_look, look_at_program()
        self._gone = self._gone + 1 if self._last_look is None else 0
        is_updated = self._last_look is not None and self._last_look == before != BEGAN_WITH
        if is_updated and leave_inside(self._parts, idle=False):
            if self._sign is not None:
                try:
                    self._parts.stash.run_operation(PLUGIN, "wake")
                except NeighbourError as error:
                    log.info("the next event in Stash starts the worker that was installed: %s", error)
            return "another PlexSync was installed: its worker takes over"
        if self._gone >= GONE and leave_inside(self._parts, idle=False):
            return "the plugin was removed: nothing more is written"
        return self._why_by_stash() or self._why_idle()

    def _read(self) -> tuple[str, int, int]:
        """What the database says, read again when that has changed."""
        if self._parts.store.has_changed():
            self._known = None
        if self._known is None:
            switched = switched_inside(self._parts)
            with self._parts.store.reading() as db:
                self._known = switched, db.jobs.count_unsettled(), db.books.done()
        return self._known

    def _why_idle(self) -> str:
        _, unsettled, done = self._read()
        # Rows of other flows may wait for a server for ever, so only their progress counts.
        if unsettled or self._done not in (None, done):
            self._busy_at = monotonic()
        self._done = done
        minutes = self._parts.config.worker_idle_minutes
        if monotonic() - self._busy_at < minutes * 60:
            return ""
        if self._children is not None and self._children.have_work(self._parts.store):
            self._busy_at = monotonic()
            return ""
        if not leave_inside(self._parts):
            return ""
        return f"nothing to do for {minutes} minutes: an event in Stash starts the worker again"

    def _why_by_stash(self) -> str:
        """Ask Stash, every few seconds. A Stash that can't be asked is no reason."""
        if self._sign is None or monotonic() - self._asked_at < ASK_PACE:
            return ""
        self._asked_at = monotonic()
        try:
            plugin = self._parts.stash.plugin(PLUGIN)
        except Barred as barred:
            is_own_key = barred.setting == "stash_api_key" and os.environ.get("PLEXSYNC_SIGNED_IN")
            if is_own_key and leave_inside(self._parts, idle=False):
                self._asked.code = ANOTHER_KEY
                return "Stash has another key, or a login: another worker asks for it"
            return ""
        except NeighbourError:
            return ""
        if plugin is not None and not plugin.enabled and leave_inside(self._parts, idle=False, value=intake.AWAY):
            return "the plugin is disabled in Stash: nothing more is written"
        return ""


def waits_no_longer(folder: Path, since: float) -> str:
    """Why a worker without settings is to end, or '' while it is to wait."""
    if off_inside(folder):
        return OFF
    minutes = round(LONGEST_WAIT / 60)
    over = monotonic() - since > LONGEST_WAIT
    return f"Stash could not be asked for {minutes} minutes: an event there starts the worker again" if over else ""


@contextmanager
def patient_lock(address: StoreAddress, stop: threading.Event) -> Iterator[bool]:
    """Hold the worker's lock as `lock_of` does, but wait for a worker that is just ending."""
    began = monotonic()
    while True:
        with lock_of(address) as mine:
            if mine or stop.is_set() or monotonic() - began > LAST_OF_OTHERS:
                yield mine
                return
        stop.wait(LOOK)
