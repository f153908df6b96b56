"""Works the queue until a call is done: in this process if the worker's lock is free, else by watching its holder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from plexsync.app.parts import Parts, at_work, open_parts
from plexsync.app.run import drain, settings_wait
from plexsync.app.switches import bulk_approved, comparison_owed, has_lost
from plexsync.cli.daemon.signals import Stop
from plexsync.cli.start import Begun
from plexsync.cli.terminal.screen import ProgressBar
from plexsync.engine.engine import Idle, ProbeResult, Worked
from plexsync.engine.loop import Ran
from plexsync.engine.tickets import READS, Closed
from plexsync.flows.scenes.verbs import SETTLED, count_unsettled
from plexsync.reports.format import ago
from plexsync.reports.outcomes import Outcomes, kept_in_all, outcomes
from plexsync.rules.queue.job import COLLECTION, State
from plexsync.rules.servers.errors import LockLost, Neighbour
from plexsync.store.database import Reader
from worker.circuit_breaker import CircuitState

# The longest wait in milliseconds that every call sits out: after an edit of a scene, or after a failed request.
SHORT_REST = 3_000
# As long as that: a collection waits while many scenes are synced (`SCENES_FIRST` of its inspection).
ORDER_REST = 6_000
LOOK = 0.3  # seconds between two checks of the other process
COUNT_PACE = 0.5  # seconds between two counts for the progress bar


class Remaining:
    """The unsettled ones of these scenes (None: all scenes). Cheap to count again and again."""

    def __init__(self, ids: Iterable[int] | None) -> None:
        self._pending = None if ids is None else list(ids)
        self.total = 0 if self._pending is None else len(self._pending)

    def count(self, parts: Parts) -> int:
        """The number of unsettled scenes; an upper bound for a long list."""
        if self._pending is None:
            unsettled_count = _count_all(parts)
            self.total = max(self.total, unsettled_count)
            return unsettled_count
        while self._pending and not count_unsettled(parts.store, self._pending[-1:]):
            self._pending.pop()
        if len(self._pending) <= 200:
            return count_unsettled(parts.store, self._pending)
        # At least the last one is open, so never 0 before all are settled.
        return max(1, min(len(self._pending), count_unsettled(parts.store, None)))


def _count_all(parts: Parts) -> int:
    """The number of unsettled scenes and notices, and of collections that are worked on next: an order comes in pieces."""
    return count_unsettled(parts.store, None) + _count_collections(parts)


def _count_collections(parts: Parts) -> int:
    if not parts.settings.has_objects:
        return 0
    with parts.store.reading() as db:
        return db.jobs.count_soon(COLLECTION, parts.clock.now() + ORDER_REST)


class RemainingJobs:
    """The scenes among these whose jobs of these kinds, which leave the queue when they are done, are not settled."""

    def __init__(self, kinds: Iterable[str], ids: Iterable[int]) -> None:
        self._kinds = tuple(kinds)
        self._pending = list(ids)
        self.total = len(self._pending)

    def count(self, parts: Parts) -> int:
        """The number of these scenes."""
        with parts.store.reading() as db:
            rows = [row for kind in self._kinds for row in db.jobs.of(kind, self._pending).values()]
        self._pending = sorted({row.id for row in rows if row.state not in SETTLED})
        return len(self._pending)


class RemainingOfEach:
    """What is left of several of these."""

    def __init__(self, countdowns: "Iterable[Countdown]") -> None:
        self._countdowns = list(countdowns)
        self.total: int = sum(countdown.total for countdown in self._countdowns)

    def count(self, parts: Parts) -> int:
        """The sum of what is left."""
        return sum(countdown.count(parts) for countdown in self._countdowns)


class Due:
    """The jobs that are due or running, for a call that does not wait for later tries."""

    def __init__(self) -> None:
        self.total = 0

    def count(self, parts: Parts) -> int:
        """The number of due or running rows."""
        with parts.store.reading() as db:
            count = db.jobs.count_due(parts.clock.now())[0] + db.jobs.count_states()[State.RUNNING]
        self.total = max(self.total, count)
        return count


# What a call waits for: how much of a total is left.
Countdown = Remaining | RemainingJobs | RemainingOfEach | Due


@dataclass
class WorkResult:
    """The result of the work: outcomes of batches of this process, and the `reason` of an early end, or ''.

    `kept_fields`: the number of fields that Plex keeps of the scenes in sync.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    kept_fields: int = 0
    reason: str = ""
    until: int | None = None


def work(start: Begun, stop: Stop, remaining: Countdown, label: str, *, patient: bool = True) -> WorkResult:
    """Work or watch until nothing of `remaining` is left. `patient`: through outages, until every scene is settled."""
    with ProgressBar(start.console, label) as bar:
        return WorkLoop(start, stop, bar, remaining, patient=patient).run()


def work_scenes(start: Begun, stop: Stop, ids: Sequence[int], *, whole: bool = False) -> tuple[Outcomes, str]:
    """Work or watch until these scenes (`whole`: all there are) are settled: their outcomes, and why it ended early."""
    # A poll may queue a scene again before it is counted.
    for _ in range(2):
        ended = work(start, stop, Remaining(None if whole else ids), "syncing")
        with open_parts(start.config, start.folder) as parts:
            settled = outcomes(parts, ids)
        if ended.reason or stop or not settled.standing["waiting"]:
            break
    return settled, ended.reason


class WorkLoop:
    """Works or watches until nothing of `remaining` is left. `patient`: through outages, until every scene is settled."""

    def __init__(self, start: Begun, stop: Stop, bar: ProgressBar, remaining: Countdown, *, patient: bool) -> None:
        self._start = start
        self._stop = stop
        self._bar = bar
        self._remaining = remaining
        self._patient = patient
        self._counted = 0.0
        self._said = ""
        self._gave_up = ""
        self._until: int | None = None

    def run(self) -> WorkResult:
        """Run the loop; raises LocalFault if the database can't be used."""
        ended = WorkResult()
        while True:
            with suppress(LockLost), at_work(self._start.config, self._start.folder) as (parts, mine):
                if (self._work if mine else self._watch)(parts, ended):
                    return ended
            # The other worker ended before the work did: this process takes over. Or another one has taken over. Or changed
            # settings have come into force.

    def _work(self, parts: Parts, ended: WorkResult) -> bool:
        """True if all is done or can't be done now; False if it goes on with changed settings."""

        def told(step: Worked | ProbeResult | Idle) -> None:
            self._tell(parts)
            if isinstance(step, Idle) and step.reason:
                self._say(parts, step.reason, step.until)
                with parts.store.reading() as db:
                    if any(db.holds.find(server) for server in Neighbour) or parts.settings.work.rests:
                        self._gave_up, self._until = step.reason, step.until

        def enough() -> bool:
            return bool(self._gave_up) or parts.must_reload() or self._remaining.count(parts) == 0

        self._start.meet(parts)
        if self._start.settings.away and not self._start.settings.sure:
            # A switch that is off in Stash may be unknown here.
            parts.store.drain_spool(parts.clock.now())
            ended.reason = f"{self._start.settings.away}; settings may be kept there, so this is to be tried again"
            return True
        self._tell(parts)
        if not self._patient:
            self._compare(parts)
            if parts.must_reload():
                return False
        ran = Ran()
        while not self._stop:
            ran = drain(parts, self._stop.event, told, wait_for=enough if self._patient else None, before=ran)
            if not self._is_short(parts, ran):
                break
            self._stop.event.wait(LOOK)
        ended.outcomes.update(ran.outcomes)
        ended.kept_fields += kept_in_all(ran.stored)
        ended.reason, ended.until = ran.reason or self._gave_up, ran.until if ran.reason else self._until
        return not parts.must_reload()

    def _compare(self, parts: Parts) -> None:
        """Run an owed comparison, for machines without a schedule.

        It finds losses of a damaged database, and differences that changed settings cause. A server that is down is
        skipped. It waits for your yes to the first write, and as in a worker changed settings wait for theirs.
        """
        parts.reconciler.note_wishes()
        if not (parts.config.enabled and bulk_approved(parts) and comparison_owed(parts)):
            return
        stopping = self._stop.event.is_set
        with parts.store.reading() as db:
            lost = has_lost(db)
        waits = settings_wait(parts, stopping)
        if (not waits or (lost and not parts.settings.work.rests)) and not parts.must_reload():
            self._bar.say("a full comparison is due: it runs first")
            parts.reconciler.try_reconcile(stopping=stopping)

    def _is_short(self, parts: Parts, ran: Ran) -> bool:
        """Whether a call that does not wait for outages was stopped by a wait that ends in a moment."""
        if self._patient or ran.until is None or not parts.config.enabled:
            return False
        with parts.store.reading() as db:
            # An outage or a hold may be tested again soon; that does not make it short.
            if any(
                db.holds.find(server) or db.breakers.find(server).state != CircuitState.CLOSED for server in Neighbour
            ):
                return False
        rest = ran.until - parts.clock.now()
        if rest <= SHORT_REST and count_unsettled(parts.store, None) > 0:
            return True
        return rest <= ORDER_REST and _count_collections(parts) > 0

    def _watch(self, parts: Parts, ended: WorkResult) -> bool:
        """True if all is done or can't be done now; False if the other worker is gone."""
        last = parts.locks.worker()
        where = f" on {last.host}" if last else ""
        self._bar.say(f"plexsync serve is running{where}; following its progress")
        # Both processes pass the same gates: what this one finds out, the worker acts on at once.
        self._start.ask(parts)
        seen_at = monotonic()
        while not self._stop:
            if not self._remaining.count(parts):
                return True
            self._tell(parts)
            with parts.store.reading() as db:
                ended.reason = why_closed(parts, db)
                held = any(db.holds.find(server) for server in Neighbour)
            if not ended.reason:
                seen_at = monotonic()
            elif (monotonic() - seen_at) * 1000 > SHORT_REST:
                self._say(parts, ended.reason, None)
                if held or not self._patient or parts.settings.work.rests:
                    return True
            if not parts.someone_works():
                return False
            self._stop.event.wait(LOOK)
        ended.reason = "stopped"
        return True

    def _tell(self, parts: Parts) -> None:
        if monotonic() - self._counted >= COUNT_PACE:
            remaining = self._remaining.count(parts)
            self._bar.left(remaining, self._remaining.total)
            self._counted = monotonic()

    def _say(self, parts: Parts, reason: str, until: int | None) -> None:
        if reason != self._said:
            self._said = reason
            again = f"; tried again {ago(until, parts.clock.now())}" if until else ""
            self._bar.say(f"{reason}{again}")


def why_closed(parts: Parts, db: Reader) -> str:
    """Why nothing can be worked now, or ''."""
    if parts.settings.work.rests:
        return parts.settings.work.rests
    answers = (parts.gates.admit_in(db, gate) for gate in READS)
    return next((answer.reason for answer in answers if isinstance(answer, Closed)), "")
