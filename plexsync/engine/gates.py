"""Decides whether a request may pass, and what its result means for all later requests.

Three rows in the database can close a gate, and so apply to every process: the *breaker* (the server does not answer),
the *hold* (it refuses PlexSync until you change something) and the *pace* (it throttled PlexSync, or has just
recovered). The methods:

* `admit` returns a ticket, or `Closed` with the reason. It only reads. Use `is_open` if you need neither.
* `knock` is `admit` for callers without a claim: it first sends a probe that is due. `enter` raises the reason.
* `admit_batch` runs in the claim's transaction for all gates of a flow, and may take the slot of a probe.
* `ask` wraps a request: it takes a ticket and reports with it, so that one failed request is one report. If request and
  report are apart, take a `ticket` before the request and pass it to `well` or `ill`.

One object serves all threads of a process, since the ticket carries everything that a report needs.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from plexsync.engine import gate_rows
from plexsync.engine.tickets import READ, READ_STASH, VOID, WRITE, Access, Closed, Gate, Go, Probe, Ticket, by_row
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Barred, Missing, Neighbour, NeighbourError, Refused, Throttled, Unavailable
from plexsync.rules.servers.neighbours import Clock, Plex, RandomSource, Stash
from plexsync.store.database import Database, Reader, Writer
from worker.circuit_breaker import (
    Breaker,
    CircuitState,
    Rules,
    after_failure,
    after_neutral,
    after_request,
    after_success,
    next_probe_at,
)

log = logging.getLogger("PlexSync.gates")

T = TypeVar("T")

# Sends one write with the probe's ticket. Returns whether it was answered, or None if there was nothing to send.
Canary = Callable[[Ticket], bool | None]


def outage(error: NeighbourError, access: Access = READ) -> NeighbourError:
    """Convert the failure of many objects at once to an outage: a server that refuses them all is not the expected one.

    One that answers reads and refuses all writes may not have started completely.
    """
    if not isinstance(error, Refused):
        return error
    hint = ", like every other edit: is it still starting?" if access is WRITE else ""
    return Unavailable(error.neighbour, f"{error}{hint}")


def pulse(plex: Plex, keys: Sequence[str], check: Callable[[], None]) -> None:
    """Send the requests that Plex answers if the token is valid, and that read known items; then `check`."""
    # A missing object is an answer as well.
    with suppress(Missing):
        plex.sections()
    if keys:
        plex.items(keys)
    with suppress(Missing):
        check()


def in_turn(*checks: Callable[[], None]) -> Callable[[], None]:
    """All of these checks as one."""

    def check_all() -> None:
        for check in checks:
            check()

    return check_all


def greet(stash: Stash, check: Callable[[], None]) -> None:
    """Send the request that Stash answers if it is ready; then `check`."""
    stash.probe()
    check()


def nothing() -> None:
    """Check nothing."""


@dataclass(eq=False)
class Tally:
    """Counts of successful and failed writes not yet saved, by row."""

    _counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, gate: Gate, *, well: int = 0, failed: int = 0) -> None:
        """Add to the counts of a gate."""
        with self._lock:
            before = self._counts.get(gate.row, (0, 0))
            self._counts[gate.row] = (before[0] + well, before[1] + failed)

    def take(self, gate: Gate) -> tuple[int, int]:
        """Return and reset the counts of a gate."""
        with self._lock:
            return self._counts.pop(gate.row, (0, 0))


@dataclass(eq=False)
class Gates:
    """The gates of one database. `fingerprints` represent the settings; a change of them retests a hold at once."""

    _store: Database
    _stash: Stash
    _plex: Plex
    _rules: Rules
    _clock: Clock
    _rng: RandomSource
    _fingerprints: Mapping[Neighbour, str]
    _tally: Tally = field(default_factory=Tally)
    # For each thread and gate, the last revision of the store in which an answer changed nothing.
    _no_news: dict[tuple[int, Gate], tuple[int, int, int]] = field(default_factory=dict)
    # For each thread and gate, the last ticket with the revision of the store in which it holds.
    _tickets: dict[tuple[int, Gate], tuple[tuple[int, int, int], Ticket]] = field(default_factory=dict)
    # What a probe checks besides: raises NeighbourError if this is not the expected server, or not as expected.
    plex_check: Callable[[], None] = nothing
    stash_check: Callable[[], None] = nothing

    def check(self, *, plex: Sequence[Callable[[], None]], stash: Sequence[Callable[[], None]]) -> None:
        """Set what a probe of each server checks besides. A check raises NeighbourError if it fails."""
        self.plex_check, self.stash_check = in_turn(*plex), in_turn(*stash)

    # --- before a request --------------------------------------------------------------------------------------------

    def admit(self, gate: Gate) -> Ticket | Closed:
        """Return a ticket if a request may pass now, else why the gate is closed."""
        with self._store.reading() as db:
            return self.admit_in(db, gate)

    def is_open(self, *gates: Gate) -> bool:
        """Whether all of these gates admit."""
        with self._store.reading() as db:
            return all(isinstance(self.admit_in(db, gate), Ticket) for gate in gates)

    def admit_in(self, db: Reader, gate: Gate) -> Ticket | Closed:
        """As `admit`, in the caller's snapshot."""
        closed = gate_rows.gate_closed(db, gate, self._rules, self._clock.now())
        return closed or Ticket(gate, db.breakers.find(gate.row).generation)

    def ticket(self, gate: Gate) -> Ticket:
        """A ticket for a request made now, whatever the gate's state. Its report counts only if the breaker is closed."""
        place, revision = (threading.get_ident(), gate), self._store.revision()
        if (last := self._tickets.get(place)) and last[0] == revision:
            return last[1]
        with self._store.reading() as db:
            row = db.breakers.find(gate.row)
        ticket = Ticket(gate, row.generation if row.state == CircuitState.CLOSED else VOID)
        self._tickets[place] = revision, ticket
        return ticket

    def knock(self, gate: Gate) -> Ticket | Closed:
        """As `admit`, but if the gate is closed and a probe is due, send the probe first.

        The probe writes nothing to the server. It takes the same slot as the engine's probe, so only one of them is
        sent.
        """
        answer = self.admit(gate)
        if isinstance(answer, Ticket):
            return answer
        with self._store.writing() as tx:
            closed = self._why_closed(tx, gate, self._clock.now())
        if isinstance(closed, Probe):
            self.probe(closed)
        return self.admit(gate)

    def enter(self, *gates: Gate) -> None:
        """Pass these gates as by `knock`. Raises Unavailable with the reason if one is closed."""
        for gate in gates:
            answer = self.knock(gate)
            if isinstance(answer, Closed):
                raise Unavailable(gate.neighbour, answer.reason, sent=False)

    def admit_batch(self, tx: Writer, gates: tuple[Gate, ...], now: int) -> Go | Probe | Closed:
        """What the engine may do now if it needs all of these gates. A Probe has taken its slot in this transaction."""
        rows, closed = by_row(gates), []
        for gate in rows:
            answer = self._why_closed(tx, gate, now)
            if isinstance(answer, Probe):
                return answer
            if answer is not None:
                closed.append(answer)
        if closed:
            return min(closed, key=lambda answer: answer.until)
        return Go(min((ramp for gate in rows if (ramp := tx.paces.find(gate.row).ramp)), default=0))

    def trouble(self, db: Reader, gates: tuple[Gate, ...]) -> str:
        """One line about the first of these gates whose server failed and has not answered since, or ''."""
        lines = (gate_rows.trouble(db, gate, self._rules) for gate in by_row(gates))
        return next(filter(None, lines), "")

    def retest(self, gate: Gate) -> bool:
        """Probe now, without waiting, since you have just seen the server answer. True if that opened the gate."""
        with self._store.writing() as tx:
            now = self._clock.now()
            answer = self._hold(tx, gate, now, at_once=True) or self._breaker(tx, gate, now, at_once=True)
        return isinstance(answer, Probe) and self.probe(answer)

    def _why_closed(self, tx: Writer, gate: Gate, now: int) -> Probe | Closed | None:
        """Why the gate is closed; None if it is open. Throttling comes first, since it also applies to a probe."""
        is_plain = tx.holds.find(gate.row) is None and not tx.paces.find(gate.row).not_before
        if is_plain and tx.breakers.find(gate.row).state == CircuitState.CLOSED:
            return None
        if (until := gate_rows.throttled_until(tx, gate, now)) is not None:
            closed = gate_rows.gate_closed(tx, gate, self._rules, now)
            return Closed(until, closed.reason if closed else "")
        return self._hold(tx, gate, now) or self._breaker(tx, gate, now)

    def _hold(self, tx: Writer, gate: Gate, now: int, *, at_once: bool = False) -> Probe | Closed | None:
        hold = tx.holds.find(gate.row)
        if hold is None:
            return None
        reason = f"{gate.caption} is on hold: {hold.message}"
        fingerprint = self._fingerprints[gate.neighbour]
        changed = at_once or hold.fingerprint != fingerprint
        # A due time further ahead than the longest wait was written by a clock that was set back since.
        if not (changed or now >= hold.retest_at or hold.retest_at > now + self._longest_hold):
            return Closed(hold.retest_at, reason)
        # The server may be down by now as well. The test is then also the breaker's probe, or its answer would not
        # count.
        answer = self._breaker(tx, gate, now, at_once=changed)
        if isinstance(answer, Closed):
            return replace(answer, reason=reason)
        retest_at = now + self._retest(hold.since, now)
        tx.holds.save(gate.row, replace(hold, retest_at=retest_at, fingerprint=fingerprint))
        probe = answer or Probe(Ticket(gate, tx.breakers.find(gate.row).generation))
        return Probe(probe.ticket.to(WRITE)) if gate_rows.held_by(tx, gate) is WRITE else probe

    @property
    def _longest_hold(self) -> int:
        return round(self._rules.longest_wait * 1000)

    def _retest(self, since: int, now: int) -> int:
        """The wait before a hold's next test (ms): half its age, within the limits of the breaker's waits."""
        return min(self._longest_hold, max(round(self._rules.recovery_timeout * 1000), (now - since) // 2))

    def _breaker(self, tx: Writer, gate: Gate, now: int, *, at_once: bool = False) -> Probe | Closed | None:
        """What an open breaker allows. `at_once`: the server is a different one now, so the wait does not apply."""
        row = tx.breakers.find(gate.row)
        before = gate_rows.breaker_of(row)
        if before.state is CircuitState.CLOSED:
            return None
        if at_once and before.state is CircuitState.OPEN:
            before = replace(before, opened_at=now / 1000 - before.wait - 1)
        after, may_pass = after_request(before, self._rules, now / 1000)
        gate_rows.save_breaker(tx, gate, row, after, now)
        if may_pass:
            access = WRITE if gate_rows.is_lost_by_writes(gate, row) else READ
            return Probe(Ticket(Gate(gate.neighbour, access), after.generation))
        probe_at = next_probe_at(after, self._rules)
        return Closed(now if probe_at is None else round(probe_at * 1000), gate_rows.away(gate, row))

    # --- probes ------------------------------------------------------------------------------------------------------

    def probe(self, probe: Probe, canary: Canary | None = None) -> bool:
        """Send a probe: one cheap authenticated request, and one like those that failed (a known item, a write).

        If writes had failed, `canary` sends one. A caller that must not write passes none: then the reads decide, and
        the next job is the test, as after a canary that had nothing to send.
        """
        gate = probe.gate
        try:
            if not self._is_back(probe.ticket, canary):
                return False
        except NeighbourError as error:
            log.debug("%s is still down: %s", gate.caption, error)
            return False
        with self._store.writing() as tx:
            if canary is None and gate_rows.test_soon(tx, gate, self._clock.now()):
                return False
            gate_rows.end_hold(tx, gate, self._clock.now())
        return True

    def _is_back(self, ticket: Ticket, canary: Canary | None) -> bool:
        """Whether a server answers, returns a known item, and accepts the canary if writes had failed."""
        gate = ticket.gate
        writes = gate.access is WRITE
        if gate.neighbour is Neighbour.STASH:
            asked = ticket if gate == READ_STASH else READ_STASH
            self.ask(asked, partial(greet, self._stash, self.stash_check), of_all=True)
        else:
            with self._store.reading() as db:
                keys = [] if writes and canary else [key for _, key, _ in db.memories.healthy_locks(1)]
            self.ask(ticket.to(READ), partial(pulse, self._plex, keys, self.plex_check), of_all=True)
        answered = (canary(ticket) if canary else None) if writes else True
        if answered is None and not self._is_closed(gate):
            self.trust(gate)
        return answered is not False and self._is_closed(gate)

    def _is_closed(self, gate: Gate) -> bool:
        """Whether the breaker is closed, whatever else closes the gate."""
        with self._store.reading() as db:
            return db.breakers.find(gate.row).state == CircuitState.CLOSED

    # --- after a request ---------------------------------------------------------------------------------------------

    def ask(self, by: Gate | Ticket, request: Callable[[], T], *, of_all: bool = False) -> T:
        """Make one request and report its result. The error is raised to the caller.

        `of_all`: the request is about no single object that could be refused by itself, so a refusal is an outage.
        """
        ticket = by if isinstance(by, Ticket) else self.ticket(by)
        try:
            answer = request()
        except NeighbourError as error:
            failure = outage(error, ticket.gate.access) if of_all else error
            self.ill(ticket, failure)
            if failure is error:
                raise
            raise failure from error
        self.well(ticket)
        return answer

    def well(self, ticket: Ticket) -> None:
        """Report a successful request."""
        if ticket.gate.access is WRITE:
            self._tally.add(ticket.gate, well=1)
        self._alive(ticket)

    def ill(self, ticket: Ticket, error: NeighbourError, *, own: bool = False) -> None:
        """Report a failed request. `own`: by the evidence the job is to blame, so the breaker does not count it."""
        if isinstance(error, Refused):
            # A refusal may concern the request alone. Other requests show whether the server is up.
            return
        if not isinstance(error, Unavailable | Throttled | Barred):
            # A missing object is a definite answer: the server is up.
            self._alive(ticket)
            return
        if ticket.gate.access is WRITE:
            self._tally.add(ticket.gate, failed=1)
        with self._store.writing() as tx:
            self.writes(tx, ticket.gate)
            self._ill(tx, ticket, error, own=own, now=self._clock.now())

    def _alive(self, ticket: Ticket) -> None:
        """Record that the server answered. Writes only if that changes the row."""
        gate, revision = ticket.gate, self._store.revision()
        place = threading.get_ident(), gate
        if revision == self._no_news.get(place):
            return
        with self._store.reading() as db:
            if not gate_rows.has_news(gate, db.breakers.find(gate.row)):
                self._no_news[place] = revision
                return
        with self._store.writing() as tx:
            row = tx.breakers.find(gate.row)
            if gate_rows.has_news(gate, row):
                self._report(
                    tx, gate, row, lambda breaker, now: after_success(breaker, self._rules, now, ticket.generation)
                )

    def trust(self, gate: Gate) -> None:
        """Close the breaker on trial, since there is no write to test with: one failure of the next job reopens it."""
        with self._store.writing() as tx:
            row = tx.breakers.find(gate.row)
            last_chance = Breaker(
                failures=self._rules.failure_threshold - 1, trips=row.trips, generation=row.generation + 1
            )
            gate_rows.save_breaker(tx, gate, row, last_chance, self._clock.now())

    def _ill(self, tx: Writer, ticket: Ticket, error: NeighbourError, *, own: bool, now: int) -> None:
        gate, rules, generation = ticket.gate, self._rules, ticket.generation
        row = tx.breakers.find(gate.row)
        if isinstance(error, Throttled) and row.state == CircuitState.CLOSED and row.error:
            # The server answers and throttles. The earlier error is no longer the reason for the wait.
            row = replace(row, error="")
            tx.breakers.save(gate.row, row)
        if isinstance(error, Unavailable) and not own:
            draw = self._rng.random()
            cause = WRITE if gate_rows.is_lost_by_writes(gate, row) and row.failures else gate.access
            row = replace(row, cause=cause, error=str(error))
            tx.breakers.save(gate.row, row)
            self._report(tx, gate, row, lambda breaker, at: after_failure(breaker, rules, at, generation, draw))
        else:
            self._report(tx, gate, row, lambda breaker, at: after_neutral(breaker, rules, at, generation))
        if isinstance(error, Barred):
            fingerprint = self._fingerprints[gate.neighbour]
            gate_rows.bar(tx, gate, error, now, retest=self._retest, fingerprint=fingerprint)
        gate_rows.slow_down(tx, gate, round(gate_rows.patience(error, gate, row.failures, self._rng) * 1000), now)

    def _report(self, tx: Writer, gate: Gate, row: BreakerRow, rule: Callable[[Breaker, float], Breaker]) -> None:
        now = self._clock.now()
        gate_rows.save_breaker(tx, gate, row, rule(gate_rows.breaker_of(row), now / 1000), now)

    # --- pace and evidence -------------------------------------------------------------------------------------------

    def speed_up(self, tx: Writer, gates: tuple[Gate, ...], *, batch: int) -> None:
        """Double the ramp of each recovering gate after a successful claim."""
        for gate in (gate for gate in by_row(gates) if tx.paces.find(gate.row).ramp):
            gate_rows.speed_up(tx, gate, batch=batch)

    def writes(self, tx: Writer, gate: Gate) -> tuple[int, int]:
        """The numbers of successful and failed writes through a gate, including those still in memory: the evidence."""
        pace, (well, failed) = tx.paces.find(gate.row), self._tally.take(gate)
        if well or failed:
            pace = replace(pace, writes_ok=pace.writes_ok + well, writes_bad=pace.writes_bad + failed)
            tx.paces.save(gate.row, pace)
        return pace.writes_ok, pace.writes_bad
