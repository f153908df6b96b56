"""May we ask a neighbour anything now, and what its answer means for everyone.

Three gates stand before each neighbour, all rows of the database and so shared by every process: the *breaker* (it does
not answer), the *hold* (it does not let us in until a person changes something) and the *pace* (it asked for patience, or
has just come back). `admit` is called inside the claim's transaction; `ask` wraps every request, so that one failed
request is one report. Who finds a gate closed and does not claim (a command, a comparison) passes by `knock`, which asks
whether the neighbour is back once that is due. The breaker's rules are the pure transitions of `worker/circuit_breaker.py`.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from plexsync.rules.errors import Barred, Missing, Neighbour, NeighbourError, Refused, Throttled, Unavailable
from plexsync.rules.neighbours import Clock, Dice, Plex, Stash
from plexsync.rules.records import BreakerRow, HoldRow, PaceRow
from plexsync.rules.status_words import DOWN, THROTTLED
from plexsync.store.database import Database, Reader, Writer
from worker.circuit_breaker import (
    Breaker,
    CircuitState,
    Rules,
    admitted,
    after_failure,
    after_neutral,
    after_success,
    next_probe_at,
)

log = logging.getLogger("PlexSync.gates")

T = TypeVar("T")

READ, WRITE = "read", "write"
# The note that says by which kind of request a hold came about: only the same kind can end it.
HELD = "held:"
MAX_THROTTLE = 3_600_000
# Seconds, and up to as many again by chance, that a busy server is left alone at least.
LEAST_PATIENCE = 1.0
BREATH = 0.25
BREATH_CAP = 2.0


@dataclass(frozen=True)
class Go:
    """All gates stand open: claim up to `limit` jobs (0: as many as a batch holds)."""

    limit: int


@dataclass(frozen=True)
class Probe:
    """Ask this neighbour one cheap thing (`Gates.probe`). `writes`: it was lost by its writes, so a write has to answer."""

    who: Neighbour
    writes: bool


@dataclass(frozen=True)
class Rest:
    """Nothing may be asked before `until` (UTC ms); `why` is one line for a reader."""

    until: int
    why: str


Canary = Callable[[], bool | None]


def outage(error: NeighbourError) -> NeighbourError:
    """What a failure of many things at once means: whoever refuses them all is not the server we know."""
    return Unavailable(error.neighbour, str(error)) if isinstance(error, Refused) else error


class Gates:
    """The gates as one engine sees them. `fingerprints` stand for the settings that a hold waits to see changed."""

    def __init__(
        self,
        store: Database,
        stash: Stash,
        plex: Plex,
        rules: Rules,
        clock: Clock,
        dice: Dice,
        fingerprints: Mapping[Neighbour, str],
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._rules = rules
        self._clock = clock
        self._dice = dice
        self._fingerprints = fingerprints
        self._generations: dict[Neighbour, int] = {}
        self._tally = [0, 0]

    # --- before a request --------------------------------------------------------------------------------------------

    def admit(self, tx: Writer, now: int) -> Go | Probe | Rest:
        """What the engine may do now. A Probe has taken its slot in this transaction: `probe` carries it out."""
        rests: list[Rest] = []
        for who in Neighbour:
            gate = self._closed(tx, who, now)
            if isinstance(gate, Probe):
                return gate
            if gate:
                rests.append(gate)
        if rests:
            return min(rests, key=lambda rest: rest.until)
        return Go(min((ramp for who in Neighbour if (ramp := tx.paces.find(who).ramp)), default=0))

    def _closed(self, tx: Writer, who: Neighbour, now: int) -> Probe | Rest | None:
        """What its gates allow, None where they stand open; patience first: it binds a probe as well."""
        return self._throttle(tx, who, now) or self._hold(tx, who, now) or self._breaker(tx, who, now)

    def knock(self, who: Neighbour) -> bool:
        """As `enter`, but where it is closed and a probe is due, this asks whether the neighbour is back.

        Nothing is written to it. The slot is the same that the engine takes, so only one of them asks.
        """
        if self.enter(who):
            return True
        with self._store.writing() as tx:
            gate = self._closed(tx, who, self._clock.now())
        return gate is None or (isinstance(gate, Probe) and self.probe(gate) and self.enter(who))

    def retest(self, who: Neighbour) -> bool:
        """A person has just seen that it answers: probe it, however long it is to wait. True if that opens what was shut."""
        with self._store.writing() as tx:
            now = self._clock.now()
            gate = self._hold(tx, who, now, at_once=True) or self._breaker(tx, who, now, at_once=True)
        return isinstance(gate, Probe) and self.probe(gate)

    def usable(self, who: Neighbour) -> bool:
        """Whether its breaker is closed, whatever else holds us back."""
        with self._store.reading() as db:
            return db.breakers.find(who).state == CircuitState.CLOSED

    def passable(self, who: Neighbour) -> bool:
        """Whether a request may be made now: a pure read, asked between the requests of one batch."""
        with self._store.reading() as db:
            return not self.closed_because(db, who, self._clock.now())

    def enter(self, who: Neighbour) -> bool:
        """As `passable`, for requests that no claim stands behind (poller, comparison, a look): reports count from here."""
        with self._store.reading() as db:
            self._generations[who] = db.breakers.find(who).generation
            return not self.closed_because(db, who, self._clock.now())

    def closed_because(self, db: Reader, who: Neighbour, now: int) -> str:
        """One line that says why nothing may be asked of a neighbour, or '' when its gates stand open."""
        if hold := db.holds.find(who):
            return f"{who.title()} is on hold: {hold.message}"
        row = db.breakers.find(who)
        if row.state != CircuitState.CLOSED:
            return f"{who.title()} is {DOWN}: {row.error}" if row.error else f"{who.title()} is {DOWN}"
        if db.paces.find(who).not_before > now:
            return self.failing(db, who) or f"{who.title()} is {THROTTLED}"
        return ""

    def failing(self, db: Reader, who: Neighbour) -> str:
        """One line about a neighbour that failed and has not answered since, or ''."""
        row = db.breakers.find(who)
        if not (row.failures and row.error):
            return ""
        return f"{who.title()} does not answer (failure {row.failures} of {self._rules.failure_threshold}): {row.error}"

    def _hold(self, tx: Writer, who: Neighbour, now: int, *, at_once: bool = False) -> Probe | Rest | None:
        hold = tx.holds.find(who)
        if hold is None:
            return None
        changed = at_once or hold.fingerprint != self._fingerprints[who]
        # A due time further ahead than a whole wait was written by a clock that has stepped back since.
        if changed or now >= hold.retest_at or hold.retest_at > now + self._longest_hold:
            # It may be away as well by now: then the test is the breaker's probe too, or its answer would count for nothing.
            gate = self._breaker(tx, who, now, at_once=changed)
            if isinstance(gate, Rest):
                return replace(gate, why=f"{who.title()} is on hold: {hold.message}")
            retest_at = now + self._retest(hold.since, now)
            tx.holds.save(who, replace(hold, retest_at=retest_at, fingerprint=self._fingerprints[who]))
            return Probe(who, writes=tx.notes.text(HELD + who) == WRITE or (gate is not None and gate.writes))
        return Rest(hold.retest_at, f"{who.title()} is on hold: {hold.message}")

    @property
    def _longest_hold(self) -> int:
        return round(self._rules.longest_wait * 1000)

    def _retest(self, since: int, now: int) -> int:
        """How long a hold waits for its next test (ms): half as long as it has lasted, within the breaker's waits."""
        return min(self._longest_hold, max(round(self._rules.recovery_timeout * 1000), (now - since) // 2))

    def _breaker(self, tx: Writer, who: Neighbour, now: int, *, at_once: bool = False) -> Probe | Rest | None:
        """What an open breaker allows; `at_once`: whoever is asked is another one now, so it need not have waited."""
        row = tx.breakers.find(who)
        before = _breaker_of(row)
        self._generations[who] = before.generation
        if before.state is CircuitState.CLOSED:
            return None
        if at_once and before.state is CircuitState.OPEN:
            before = replace(before, opened_at=now / 1000 - before.wait - 1)
        after, ok = admitted(before, self._rules, now / 1000)
        self._save(tx, who, row, after, now)
        self._generations[who] = after.generation
        if ok:
            return Probe(who, writes=row.cause == WRITE)
        probe_at = next_probe_at(after, self._rules)
        return Rest(now if probe_at is None else round(probe_at * 1000), f"{who.title()} is {DOWN}: {row.error}")

    def _throttle(self, tx: Writer, who: Neighbour, now: int) -> Rest | None:
        pace = tx.paces.find(who)
        if pace.not_before <= now:
            if pace.not_before:
                # Forgotten when it is over, or a clock that is set back later would bring it back.
                tx.paces.save(who, replace(pace, not_before=0))
            return None
        if pace.not_before > now + MAX_THROTTLE:
            pace = replace(pace, not_before=now + MAX_THROTTLE)
            tx.paces.save(who, pace)
        return Rest(pace.not_before, self.closed_because(tx, who, now))

    # --- is it back? -------------------------------------------------------------------------------------------------

    def probe(self, gate: Probe, canary: Canary | None = None) -> bool:
        """Carry a probe out: one cheap authenticated request, and one like those that failed (a known item, a write).

        Where writes had failed `canary` sends one and says whether it was taken, or None if there was none to send. Whoever
        must not write gives none: then what can be read decides, and as after None the next job is the test.
        """
        try:
            if gate.who is Neighbour.STASH:
                self.ask(gate.who, READ, self._stash.probe, of_all=True)
            elif not self._plex_is_back(canary, writes=gate.writes):
                return False
        except NeighbourError as error:
            log.debug("%s is still down: %s", gate.who, error)
            return False
        self._let_in(gate.who)
        return True

    def _plex_is_back(self, canary: Canary | None, *, writes: bool) -> bool:
        """Whether Plex answers, tells of an item that we know, and takes the canary if writes had failed."""
        with self._store.reading() as db:
            known = [key for _, key, _ in db.memories.healthy_locks(1)]

        def asked() -> None:
            # That there is no such thing is an answer too.
            with suppress(Missing):
                self._plex.sections()
            if known and not (writes and canary):
                self._plex.items(known)

        self.ask(Neighbour.PLEX, READ, asked, of_all=True)
        taken = (canary() if canary else None) if writes else True
        if taken is None and not self.usable(Neighbour.PLEX):
            self.trust(Neighbour.PLEX)
        return taken is not False and self.usable(Neighbour.PLEX)

    def _let_in(self, who: Neighbour) -> None:
        """A probe was answered: whatever held us back is put right."""
        now = self._clock.now()
        with self._store.writing() as tx:
            if tx.holds.find(who) is not None:
                tx.holds.save(who, None)
                tx.transitions.log(who, at=now, old="hold", new="free", cause="", error="")
                log.info("hold over: %s lets us in again", who)

    # --- after a request ---------------------------------------------------------------------------------------------

    def ask(self, who: Neighbour, how: str, request: Callable[[], T], *, of_all: bool = False) -> T:
        """Make one request and report how it went; the error passes on to the caller.

        `of_all`: it is about no one thing that could be refused for its own sake, so a refusal is an outage.
        """
        try:
            answer = request()
        except NeighbourError as error:
            failure = outage(error) if of_all else error
            self.ill(failure, how)
            if failure is error:
                raise
            raise failure from error
        self.well(who, how)
        return answer

    def well(self, who: Neighbour, how: str) -> None:
        """A request did what it was to do."""
        if how == WRITE:
            self._tally[0] += 1
        self.alive(who, how)

    def ill(self, error: NeighbourError, how: str, *, own: bool = False) -> None:
        """A request failed. `own`: the evidence says it is the job's own fault, so the breaker does not hear of it."""
        if isinstance(error, Refused):
            # Something else at that address refuses as well: whether the neighbour is well, other answers tell.
            return
        if not isinstance(error, Unavailable | Throttled | Barred):
            # That a thing is not there is a definite answer: the neighbour is well.
            self.alive(error.neighbour, how)
            return
        if how == WRITE and error.neighbour is Neighbour.PLEX:
            self._tally[1] += 1
        with self._store.writing() as tx:
            self._count(tx)
            self._ill(tx, error, how, own=own, now=self._clock.now())

    def alive(self, who: Neighbour, how: str) -> None:
        """It answered. Costs a write only when that is news; a read that is answered says nothing about writes that fail."""
        with self._store.reading() as db:
            if _nothing_to_clear(who, db.breakers.find(who), how):
                return
        with self._store.writing() as tx:
            row = tx.breakers.find(who)
            if not _nothing_to_clear(who, row, how):
                generation = self._generations.get(who)
                self._report(tx, who, row, lambda b, at: after_success(b, self._rules, at, generation))

    def trust(self, who: Neighbour) -> None:
        """Lost by its writes, and there is none to try it with: the next job is the test, and one failure is enough."""
        with self._store.writing() as tx:
            row = tx.breakers.find(who)
            last_chance = Breaker(
                failures=self._rules.failure_threshold - 1, trips=row.trips, generation=row.generation + 1
            )
            self._save(tx, who, row, last_chance, self._clock.now())

    def _ill(self, tx: Writer, error: NeighbourError, how: str, *, own: bool, now: int) -> None:
        who, generation = error.neighbour, self._generations.get(error.neighbour)
        row = tx.breakers.find(who)
        if isinstance(error, Throttled) and row.state == CircuitState.CLOSED and row.error:
            # It answers, and asks for patience: what it failed with before is no reason to wait any more.
            row = replace(row, error="")
            tx.breakers.save(who, row)
        if isinstance(error, Unavailable) and not own:
            draw = self._dice.random()
            cause = WRITE if _lost_by_writes(who, row) and row.failures else how
            row = replace(row, cause=cause, error=str(error))
            tx.breakers.save(who, row)
            self._report(tx, who, row, lambda b, at: after_failure(b, self._rules, at, generation, draw))
        else:
            self._report(tx, who, row, lambda b, at: after_neutral(b, self._rules, at, generation))
        if isinstance(error, Barred):
            self._bar(tx, error, how, now)
        pace = tx.paces.find(who)
        patience = round(self._patience(error, how, row.failures) * 1000)
        tx.paces.save(
            who,
            replace(
                pace,
                not_before=max(pace.not_before, now + min(patience, MAX_THROTTLE)) if patience else pace.not_before,
                ramp=pace.ramp // 2 if pace.ramp > 1 else pace.ramp,
            ),
        )

    def _patience(self, error: NeighbourError, how: str, failures: int) -> float:
        """Seconds to leave everyone waiting: what was asked for, or a breath so that a blip does not open the breaker."""
        if isinstance(error, Throttled):
            # A server that says "at once" and refuses again would be asked without end.
            return max(error.retry_after, LEAST_PATIENCE * (1 + self._dice.random()))
        if isinstance(error, Unavailable):
            if error.retry_after:
                return error.retry_after
            if how == READ or not error.sent:
                return min(BREATH_CAP, BREATH * 2.0**failures) * (1 + self._dice.random()) / 2
        return 0.0

    def _bar(self, tx: Writer, error: Barred, how: str, now: int) -> None:
        who, hold = error.neighbour, tx.holds.find(error.neighbour)
        if hold is None or how == WRITE:
            tx.notes.save(HELD + who, how)
        since = hold.since if hold else now
        retest_at = now + self._retest(since, now)
        tx.holds.save(who, HoldRow(error.setting, str(error), since, retest_at, fingerprint=self._fingerprints[who]))
        if hold is None:
            tx.transitions.log(who, at=now, old="free", new="hold", cause=error.setting, error=str(error))
            log.warning("on hold until %s is put right: %s", error.setting, error)

    def _report(self, tx: Writer, who: Neighbour, row: BreakerRow, rule: Callable[[Breaker, float], Breaker]) -> None:
        now = self._clock.now()
        self._save(tx, who, row, rule(_breaker_of(row), now / 1000), now)

    def _save(self, tx: Writer, who: Neighbour, row: BreakerRow, after: Breaker, now: int) -> None:
        before = _breaker_of(row)
        if after == before:
            return
        closed = after.state is CircuitState.CLOSED
        fresh = closed and after.failures == 0
        tx.breakers.save(
            who,
            BreakerRow(
                state=after.state.value,
                failures=after.failures,
                successes=after.successes,
                opened_at=after.opened_at,
                wait=after.wait,
                trips=0 if fresh else after.trips,
                generation=after.generation,
                probe_started=after.probe_started,
                cause="" if fresh else row.cause,
                error="" if fresh else row.error,
            ),
        )
        # Closed on trial (`trust`), and now proved: only this ends the outage.
        proved = fresh and before.state is CircuitState.CLOSED and before.trips > 0
        if after.state is before.state and not proved:
            return
        tx.transitions.log(
            who,
            at=now,
            old=before.state.value,
            new=after.state.value,
            cause=row.cause,
            error="" if fresh else row.error,
        )
        if proved:
            return
        log.log(
            logging.WARNING if after.state is CircuitState.OPEN else logging.INFO,
            "breaker of %s: %s -> %s%s",
            who,
            before.state.value,
            after.state.value,
            f" ({row.error})" if row.error and not closed else "",
        )
        if closed:
            tx.paces.save(who, replace(tx.paces.find(who), ramp=1))

    # --- pace and evidence -------------------------------------------------------------------------------------------

    def speed_up(self, tx: Writer, *, batch: int) -> None:
        """A claim went well: while a neighbour recovers, the next one may be twice as large."""
        for who in Neighbour:
            pace = tx.paces.find(who)
            if pace.ramp:
                ramp = pace.ramp * 2
                tx.paces.save(who, replace(pace, ramp=0 if ramp >= batch else ramp))

    def _count(self, tx: Writer) -> PaceRow:
        pace = tx.paces.find(Neighbour.PLEX)
        ok, bad = self._tally
        if ok or bad:
            pace = replace(pace, writes_ok=pace.writes_ok + ok, writes_bad=pace.writes_bad + bad)
            tx.paces.save(Neighbour.PLEX, pace)
            self._tally = [0, 0]
        return pace

    def writes(self, tx: Writer) -> tuple[int, int]:
        """Writes to Plex that ever went well and that failed, with what was counted in memory since: the evidence."""
        pace = self._count(tx)
        return pace.writes_ok, pace.writes_bad


def _nothing_to_clear(who: Neighbour, row: BreakerRow, how: str) -> bool:
    if row.state == CircuitState.CLOSED and row.failures == 0:
        return True
    return how == READ and _lost_by_writes(who, row)


def _lost_by_writes(who: Neighbour, row: BreakerRow) -> bool:
    """Whether only a write that is answered proves that it is back. Stash is read alone, whatever a row says."""
    return who is Neighbour.PLEX and row.cause == WRITE


def _breaker_of(row: BreakerRow) -> Breaker:
    return Breaker(
        state=CircuitState(row.state),
        failures=row.failures,
        successes=row.successes,
        opened_at=row.opened_at,
        wait=row.wait,
        trips=row.trips,
        generation=row.generation,
        probe_started=row.probe_started,
    )
