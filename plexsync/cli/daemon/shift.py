"""The work of `plexsync serve` while it holds the worker's lock: until it is stopped, or loses the lock."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from plexsync.app import run
from plexsync.app.machine import settings_prints
from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import Settings, keep
from plexsync.app.switches import off_inside
from plexsync.cli.call import Call
from plexsync.cli.daemon.dashboard_process import Dashboard, DashboardEntry, shown_servers
from plexsync.cli.daemon.idle_exit import Leaving, await_plugin, served_folder
from plexsync.cli.daemon.plex_children import PlexChildren
from plexsync.cli.daemon.settings_watch import SettingsWatch, keep_first
from plexsync.cli.daemon.signals import Stop
from plexsync.cli.daemon.status_file import StatusFile
from plexsync.cli.faults import lines_of
from plexsync.engine.engine import Idle, ProbeResult, Worked
from plexsync.engine.loop import Standstill, pause_after
from plexsync.rules.queue.note_keys import WORKER_ENDED
from plexsync.rules.queue.worker_ends import after_end
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Damaged, LocalFault, LockLost
from plexsync.rules.servers.neighbours import Messenger
from plexsync.store.files import worker_ends
from plexsync.store.files.life_signs import LifeSign
from validation.config import PlexSyncConfig

if TYPE_CHECKING:
    from plexsync.cli.daemon.provider_process import ProviderProcess
    from plexsync.store.postgres.worker_lock import WorkerLock

log = logging.getLogger("PlexSync.serve")

TELL_PACE = 60.0  # seconds between two log lines about the same fault


class Pauses:
    """Logs the faults for which the work pauses, one line a minute at the most."""

    def __init__(self) -> None:
        self._told_at: float | None = None

    def tell(self, fault: LocalFault) -> None:
        """Log this fault, unless one was logged just now."""
        if self._told_at is None or monotonic() - self._told_at >= TELL_PACE:
            self._told_at = monotonic()
            log.error("paused: %s", fault)


class Report(Protocol):
    """Receives every step of the work; `parts` are those that work."""

    parts: Parts | None

    def __call__(self, step: Worked | ProbeResult | Idle) -> None:
        """Record a step."""

    def flush(self) -> None:
        """Log what was not logged yet."""


class PlexAnswers:
    """The process that Plex asks, for the time of the block; imported and started where `provider_listen` is set."""

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self._process: ProviderProcess | None = None

    def __enter__(self) -> "PlexAnswers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.end()

    def use(self, *entries: DashboardEntry) -> None:
        """Answer for these Plex servers, with the settings of the first one; without any, for none."""
        if self._process is None and not self._off and entries and entries[0].loaded.config.provider_listen != "none":
            from plexsync.cli.daemon.provider_process import ProviderProcess

            self._process = ProviderProcess()
        if self._process is not None:
            self._process.use(*entries)


@record
class Shift:
    """How this process works, however often it gets the worker's lock. `sign`: of a worker that Stash started."""

    call: Call
    stop: Stop
    report: Report
    pages: Dashboard | None
    provider: PlexAnswers
    children: PlexChildren
    as_needed: bool
    sign: LifeSign | None

    def work(self, initial: Settings, lock: "WorkerLock | None" = None) -> Settings | None:
        """Work until stopped; changed settings rebuild the parts on the same database, under its lock.

        `lock` is the worker's lock if it can be lost. Returns the settings to stand by with once it is lost, else None.
        """
        current, place = initial, initial.place.path
        while True:
            fresh = self._work_with(current, place, lock, first=current is initial)
            if self.stop:
                return None
            if lock is not None and lock.lost.is_set():
                log.warning("this machine no longer holds the worker's lock: it stands by")
                return fresh or current
            if fresh is None:
                return None
            current = fresh

    def show(self, current: Settings, *, works: bool) -> None:
        """Let the dashboard and the workers of further Plex servers go on with these settings.

        Plex is answered while this process `works`.
        """
        servers = shown_servers(self.call, current)
        if self.pages is not None:
            self.pages.use(*servers)
        self.provider.use(*(servers if works else ()))
        self.children.use(current.loaded, current.place.path)

    def leave_when_unneeded(self, parts: Parts, ended: threading.Event) -> None:
        """End this process once Stash, which has started it, needs it no more."""
        if self.as_needed:
            Leaving(parts, self.stop, ended, self.sign, self.children).start()

    def _work_with(self, current: Settings, place: Path, lock: "WorkerLock | None", *, first: bool) -> Settings | None:
        """Work with these settings until they change, and return the changed ones; None if something else ended it."""
        config = current.loaded.config

        def begin(parts: Parts) -> None:
            keep_first(parts.store, current.loaded)
            keep(parts.store, self.call.sources, current)
            if lock is not None:
                take_turn(parts, lock, first=first)
            tell_unanswered(parts)

        with ExitStack() as held:
            try:
                parts = put_together(held, config, place, self.stop, begin, inside=self.as_needed, fence=lock)
            except LockLost:
                return None
            if parts is None:
                return None
            config.log_config()
            if first:
                log.info("serving")
            self.show(current, works=True)
            return self._serve(held, current, parts, lock)

    def _serve(self, held: ExitStack, current: Settings, parts: Parts, lock: "WorkerLock | None") -> Settings | None:
        page, served = None, served_folder() if self.as_needed else None
        if served is not None:
            # For a worker that Stash has started: what writes the status for the page there.
            page = StatusFile(parts, served, threading.Event())
            page.use(*shown_servers(self.call, current))
            held.callback(page.end)
            page.start()
        watch = SettingsWatch(self.call, current, parts, self.stop.event, [page or self.pages, self.provider])
        # A signal ends the work at once, also during a request to Stash; so does the loss of the lock.
        self.stop.spread(watch.ended)
        if lock is not None:
            lock.when_lost = watch.ended.set
        watch.start()
        self.report.parts = parts
        self.leave_when_unneeded(parts, watch.ended)
        try:
            if lock is not None:
                lock.check()
            first = partial(await_plugin, watch.ended)
            run.serve(parts, watch.ended, self.report, announce=announcer, plex=current.loaded.plex, first=first)
            if lock is not None and self.stop:
                note_good_end(parts)
        except LockLost as lost:
            log.debug("the work ended: %s", lost)
        finally:
            watch.end()
            self.report.flush()
            self.report.parts = None
        return watch.fresh


def announcer(
    parts: Parts, ways: Sequence[Messenger], standstill: Standstill, stop: threading.Event, plex: str
) -> threading.Thread:
    """The thread that sends notices; its code is loaded only where somebody wants them."""
    from plexsync.reports import notices

    return notices.announcer(parts, ways, standstill, stop, plex)


def take_turn(parts: Parts, lock: "WorkerLock", *, first: bool) -> None:
    """Tell the other machines of our settings, and count an end of the worker before that was not in good order."""
    if not first:
        lock.use(settings_prints(parts.saved))
        return
    last = lock.last
    if last is not None and last.ended != "":
        error = last.ended or f"it was killed, or {last.host} was cut off from the database"
        with parts.store.writing() as tx:
            tx.notes.save(WORKER_ENDED, after_end(tx.notes.text(WORKER_ENDED), parts.clock.now(), error))


def note_good_end(parts: Parts) -> None:
    """Empty the note of ends by themselves: this worker was stopped. Without the database the note stays."""
    with suppress(LocalFault), parts.store.writing() as tx:
        tx.notes.save(WORKER_ENDED, "")


def put_together(
    held: ExitStack,
    config: PlexSyncConfig,
    folder: Path,
    stop: Stop,
    begin: Callable[[Parts], None] = lambda _parts: None,
    *,
    inside: bool,
    fence: "WorkerLock | None" = None,
) -> Parts | None:
    """The parts, until `held` ends; None if stopped before, or (`inside`) switched off in Stash. Raises LockLost.

    A full disk, or a database that another process has locked, may be temporary: this waits, since a worker
    that only reloads its settings would end otherwise. `begin` notes in the database that the work begins.
    """
    pauses = Pauses()
    while not stop and not (inside and off_inside(folder)):
        try:
            with ExitStack() as own:
                parts = own.enter_context(open_parts(config, folder, worker=True, fence=fence))
                begin(parts)
                held.enter_context(own.pop_all())
                return parts
        except (Damaged, LockLost):
            raise
        except LocalFault as fault:
            pauses.tell(fault)
            stop.event.wait(pause_after(fault))
    return None


@contextmanager
def record_end(folder: Path, call: Call, stop: Stop) -> Iterator[None]:
    """Record the end of the block. The caller holds the worker's lock, and has the database closed before and after."""
    place = str(folder)
    if cause := worker_ends.set_mark(place):
        worker_ends.note_end(place, cause)
    # A process that is asked to end may end at any instant from then on, and is not killed.
    stop.leaving = lambda: worker_ends.remove_mark(place)
    try:
        yield
    except Exception as error:  # the edge of a worker's life: whatever ended it is recorded, and goes on as it was
        if not stop:
            worker_ends.note_end(place, lines_of(error, call)[0])
        raise
    else:
        worker_ends.note_good_end(place)
    finally:
        worker_ends.remove_mark(place)


def tell_unanswered(parts: Parts) -> None:
    """Log which libraries get no answer from this machine, where it is to answer."""
    if parts.config.provider_on:
        # Imported on use: a worker that no library asks needs nothing of it.
        from plexsync.app.unanswered import warn_unanswered

        warn_unanswered(parts)
