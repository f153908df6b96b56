"""Runs the engine: until nothing is due, until a condition holds, or until stopped.

A wake-up (another process has committed) only saves time. The guarantee is the look for commits every `poll_seconds`,
and the step every half minute.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from plexsync.engine.engine import AGAIN, Engine, Idle, ProbeResult, Worked
from plexsync.rules.queue.note_keys import HEARTBEAT, THREAD_ENDED, WORKER_ENDED
from plexsync.rules.queue.notices import Pause
from plexsync.rules.queue.worker_ends import STAYS, after_end
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import (
    NO_MEMORY,
    Damaged,
    LocalFault,
    LockLost,
    NewerDatabase,
    SpoolFault,
    SyncError,
    Unusable,
)
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database
from plexsync.store.ledger.lasting import LastingThread, ended_threads

log = logging.getLogger("PlexSync.loop")

# Seconds between two looks for commits where nothing tells of them.
WAKE_UP = 0.05
LONGEST_LOOK = 5.0
# The longest rest of a worker, in milliseconds.
LONGEST_REST = 30_000
SPOOL_PACE = 1.0
COMPLAINT_PACE = 60.0
BEAT_PACE = 10_000
FAULT_PAUSE = 5.0
FULL_PAUSE = 15.0


class Paused(Protocol):
    """Told by a thread of the worker."""

    def __call__(self, fault: SyncError | None, name: str = "", /) -> None:
        """Record that a step of the thread with this name failed with this fault, or (None) succeeded."""


def tell_nobody(fault: SyncError | None, name: str = "", /) -> None:
    """Tell nobody."""


class Standstill:
    """Which threads of the worker are paused by a fault of its disk or database, since when and why.

    They set it; the noticer reads it, and `keep` takes each change to where other processes can read it.
    """

    def __init__(self, clock: Clock, keep: Callable[[Pause | None], None] = lambda _pause: None) -> None:
        self._clock = clock
        self._keep = keep
        self._pauses: dict[str, Pause] = {}
        self._lock = threading.Lock()

    @property
    def pause(self) -> Pause | None:
        """The pause that lasts longest; None while everything works."""
        return min(self._pauses.values(), key=lambda pause: pause.since, default=None)

    def __call__(self, fault: SyncError | None, name: str = "") -> None:
        """Record that a step of the thread with this name failed with this fault, or (None) succeeded."""
        if fault is None and name not in self._pauses:
            return
        with self._lock:
            before = self._pauses.pop(name, None)
            if fault is not None:
                since = before.since if before else self._clock.now()
                self._pauses[name] = Pause(since, str(fault), isinstance(fault, LocalFault) and fault.full)
            self._keep(self.pause)


@dataclass
class Ran:
    """The result of a run: outcomes by name, and what stopped it (`reason` is '' if nothing was due any more).

    `stored` counts what a comparison would store of the objects in sync.

    `again` holds the jobs that will be tried again, with their outcome. Each job counts once, by its last outcome.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reason: str = ""
    until: int | None = None
    again: dict[tuple[str, int], str] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)

    def count(self, step: Worked) -> None:
        """Add the outcomes of a batch."""
        self.stored.update(step.stored.values())
        for key, name in step.ended.items():
            if before := self.again.pop(key, ""):
                self.outcomes[before] -= 1
            self.outcomes[name] += 1
            if name in AGAIN:
                self.again[key] = name
        # Drop the outcomes with a count of 0.
        self.outcomes = +self.outcomes


class Commits(Protocol):
    """Waits for commits of any process."""

    def wait(self, seconds: float) -> None:
        """Wait until someone may have committed, at most for so long."""

    def forget(self) -> None:
        """Forget the commits until now."""


@record
class Polls:
    """Waits for commits where nothing tells of them: whoever waits looks for them time and again."""

    _clock: Clock

    def wait(self, seconds: float) -> None:
        """Wait for a moment."""
        self._clock.sleep(min(seconds, WAKE_UP))

    def forget(self) -> None:
        """Nothing is known."""


class Loop:
    """Drives one engine. `stop` ends it between two requests; `report` receives every step.

    `begin` runs before the first step of `serve`, and again until it succeeds. `paused` receives every fault of the
    local disk or database that pauses the work, and None when the work continues. `between` runs before every step,
    and `changed` whenever the database has changed. Its rests wait for `commits`.
    """

    def __init__(
        self,
        engine: Engine,
        store: Database,
        clock: Clock,
        *,
        poll_seconds: float,
        stop: threading.Event,
        begin: Callable[[], object] = lambda: None,
        report: Callable[[Worked | ProbeResult | Idle], None] = lambda _step: None,
        paused: Paused = tell_nobody,
        between: Callable[[], object] = lambda: None,
        changed: Callable[[], object] | None = None,
        commits: Commits | None = None,
    ) -> None:
        self._between = between
        self._changed = changed
        self._commits = commits or Polls(clock)
        self._engine = engine
        self._store = store
        self._clock = clock
        self._look = min(poll_seconds, LONGEST_LOOK)
        self._stop = stop
        self._begin = begin
        self._report = report
        self._paused = paused
        self._spooled_at: float | None = None
        self._beat_at = 0
        # Until it has stayed up: then workers before it that ended by themselves count no more.
        self._serves_since: float | None = None
        self._complained_at: float | None = None
        self._told_of_spool: float | None = None

    def serve(self) -> None:
        """Work until stopped. A fault of the local disk only pauses the worker.

        A damaged database ends it, and so does the loss of the worker's lock.
        """
        begun = False
        self._serves_since = self._clock.monotonic()
        while not self._stop.is_set():
            try:
                if not begun:
                    self._begin()
                    begun = True
                step = self._step()
                if isinstance(step, Idle):
                    # What is deleted in pieces is deleted at the pace of looks.
                    goes_on = self._engine.housekeeping.goes_on
                    self._rest(step.until, round(self._look * 1000) if goes_on else LONGEST_REST)
            except MemoryError:
                self._complain(LocalFault(NO_MEMORY))
                self._stop.wait(FAULT_PAUSE)
                continue
            except (Damaged, LockLost):
                # Waiting does not help: the next start recreates the database, or another worker works.
                raise
            except (LocalFault, Unusable) as fault:
                # Unusable: the database can't be reopened after a fault. That may pass as well.
                self._complain(fault)
                self._paused(fault)
                self._stop.wait(pause_after(fault))
                continue
            self._paused(None)

    def drain(self, *, wait_for: Callable[[], bool] | None = None, before: Ran | None = None) -> Ran:
        """Work until nothing is due. With `wait_for`, continue through outages and backoff until it returns True.

        The result adds to that of the run `before`.
        """
        ran = Ran(before.outcomes, again=before.again, stored=before.stored) if before else Ran()
        while not self._stop.is_set():
            if wait_for is not None and wait_for():
                return ran
            step = self._step()
            if isinstance(step, Worked):
                ran.count(step)
            if isinstance(step, Idle):
                if wait_for is None and (step.reason or step.until is None or step.until > self._clock.now()):
                    ran.reason, ran.until = step.reason, step.until
                    return ran
                self._rest(step.until, round(self._look * 1000))
        ran.reason = "stopped"
        return ran

    def _step(self) -> Worked | ProbeResult | Idle:
        self._take_spool()
        self._beat()
        self._between()
        if self._stop.is_set():
            # What runs between two steps may have waited for the stop: nothing more is claimed.
            return Idle(None, "stopped")
        step = self._engine.step(stopping=self._stop.is_set)
        if isinstance(step, Idle):
            self._engine.prune()
        elif self._changed:
            self._changed()
        self._report(step)
        return step

    def _rest(self, until: int | None, longest: int) -> None:
        """Sleep until something is due or has changed, or the clock was set, at most for so many milliseconds."""
        began = self._clock.now()
        end = began + longest if until is None else min(until, began + longest)
        while not self._stop.is_set() and began <= (now := self._clock.now()) < end:
            self._commits.wait(min((end - now) / 1000, self._look))
            if self._beat():
                self._commits.forget()
            if self._take_spool() or self._store.has_changed():
                if self._changed:
                    self._changed()
                return

    def _take_spool(self) -> bool:
        """Take over what hooks have left as files, if it is time to; True if there was anything."""
        now = self._clock.monotonic()
        if self._spooled_at is None or now - self._spooled_at >= SPOOL_PACE:
            self._spooled_at = now
            try:
                if count := self._store.drain_spool(self._clock.now()):
                    log.info("%d events taken over that hooks had left as files", count)
                    return True
            except SpoolFault as fault:
                # The engine works without the spool.
                if self._told_of_spool is None or now - self._told_of_spool >= COMPLAINT_PACE:
                    self._told_of_spool = now
                    log.error("%s", fault)
        return False

    def _beat(self) -> bool:
        """Note that the worker works, if it is time to; True if it was."""
        now = self._clock.now()
        is_due = abs(now - self._beat_at) >= BEAT_PACE
        if is_due:
            self._beat_at = now
            if ended := ended_threads():
                self._serves_since = self._clock.monotonic()
            stays = self._serves_since is not None and self._clock.monotonic() - self._serves_since >= STAYS / 1000
            with self._store.writing() as tx:
                tx.notes.save(HEARTBEAT, str(now))
                for name in ended:
                    tx.notes.save(THREAD_ENDED, after_end(tx.notes.text(THREAD_ENDED), now, name))
                if stays:
                    tx.notes.save(WORKER_ENDED, "")
                    tx.notes.save(THREAD_ENDED, "")
            if stays:
                self._serves_since = None
        return is_due

    def _complain(self, fault: SyncError) -> None:
        now = self._clock.monotonic()
        if self._complained_at is None or now - self._complained_at >= COMPLAINT_PACE:
            self._complained_at = now
            log.error("paused: %s", fault)


def pause_after(fault: SyncError) -> float:
    """How many seconds to wait before the next try after a fault of the local disk or database."""
    return FULL_PAUSE if isinstance(fault, LocalFault) and fault.full else FAULT_PAUSE


class Farewell(threading.Thread):
    """Keeps a stop from counting as a crash: calls `abandon` if the work still hangs `PATIENCE` seconds after `stop`."""

    PATIENCE = 3.0
    # Seconds between two looks whether the work has ended without a stop.
    LOOK = 5.0

    def __init__(self, abandon: Callable[[], None], *, stop: threading.Event) -> None:
        super().__init__(name="farewell", daemon=True)
        self._abandon = abandon
        self._stop_event = stop
        self._ended = threading.Event()

    def done(self) -> None:
        """Record that the work has ended by itself."""
        self._ended.set()

    def run(self) -> None:
        """Wait for the stop, then for the end of the work."""
        while not self._ended.is_set():
            if self._stop_event.wait(self.LOOK) and not self._ended.wait(self.PATIENCE):
                try:
                    self._abandon()
                except (LocalFault, NewerDatabase, Unusable) as fault:
                    log.debug("what is in work is left to the next worker: %s", fault)
                return


class Watcher(LastingThread):
    """Runs a check beside the worker, again and again at its own pace, and at once when `sooner` is set.

    Between two checks there are `least` seconds, and no more while `again` holds. Whoever stops the worker sets `sooner`
    as well.

    If the check finds the database damaged, it ends the work by `stop`, since the loop may never read the damaged
    pages. The starter of both threads then calls `confess`.
    """

    def __init__(
        self,
        look: Callable[[], object],
        *,
        name: str,
        seconds: float,
        stop: threading.Event,
        clock: Clock,
        sooner: threading.Event | None = None,
        least: float = 0.0,
        again: Callable[[], bool] = lambda: False,
        paused: Paused = tell_nobody,
    ) -> None:
        super().__init__(name, stop)
        self._paused = paused
        self._look = look
        self._seconds = seconds
        self._stop_event = stop
        self._clock = clock
        self._sooner = sooner
        self._least = least
        self._again = again
        self._failed = False
        self._complained_at: float | None = None
        self._damaged: Damaged | None = None

    def confess(self) -> None:
        """Raise the damage that ended this thread, if any."""
        if self._damaged is not None:
            raise self._damaged

    def work(self) -> None:
        """Check, then wait. A local fault is retried."""
        while not self._stop_event.is_set():
            if self._sooner is not None:
                # What is asked for during the check may be newer than what it reads.
                self._sooner.clear()
            try:
                self._look()
                self._failed = False
                self._paused(None, self.name)
            except Damaged as fault:
                self._damaged = fault
                self._stop_event.set()
                return
            except (LocalFault, Unusable) as fault:
                if self._failed or (isinstance(fault, LocalFault) and fault.full):
                    self._paused(fault, self.name)
                self._complain(fault)
            except MemoryError:
                # Logging needs memory as well. The loop reports the shortage when it meets it.
                pass
            except Exception:
                log.exception("watching failed by a fault of PlexSync")
            self._rest()

    def _rest(self) -> None:
        if self._sooner is None:
            self._stop_event.wait(self._seconds)
        elif not (self._least and self._stop_event.wait(self._least)) and not self._again():
            self._sooner.wait(self._seconds - self._least)

    def _complain(self, fault: SyncError) -> None:
        """Log a fault that persists, since the loop may never meet it. A full disk is left to the loop."""
        repeated, self._failed = self._failed and not (isinstance(fault, LocalFault) and fault.full), True
        now = self._clock.monotonic()
        if repeated and (self._complained_at is None or now - self._complained_at >= COMPLAINT_PACE):
            self._complained_at = now
            log.warning("%s failed: %s", self.name, fault)
        else:
            log.debug("%s failed: %s", self.name, fault)
