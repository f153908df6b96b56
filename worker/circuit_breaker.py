"""A circuit breaker: when to stop requests to a server that does not answer, and when to try again.

A breaker is CLOSED (all requests may go), OPEN (none may, until its wait is over) or HALF_OPEN (one probe at a time
tests whether the server is back). The module has three parts:

* `Breaker` is a frozen record of the state, and `Rules` a frozen record of the configuration.
* The functions on them are pure: they take record, rules and the present time, and return a record. To keep a breaker
  in a database row, apply them inside a transaction of your own.
* `CircuitBreaker` keeps one record in memory for the threads of one process. It owns a lock and reads the clock.

All three guarantee:

* The stored state changes only on a request for admission, a report or a reset. Reading it changes nothing.
* A probe that never reports holds its slot for one lease. Then the next caller probes, and a late report of the first
  is void.
* A report with the token of an earlier generation is ignored. A report without a token counts, unless the breaker is
  OPEN and still waiting: a late answer can neither extend nor shorten the wait.
* A clock that was set back costs at most one more wait and never admits a second probe.

Times are seconds since 1970 in UTC, as floats; 0.0 is a time like any other.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

# The shortest default lease of a probe, in seconds: a request to a busy server may well take half of it.
SHORTEST_DEFAULT_LEASE = 60.0

Event = Literal["look", "ask", "success", "failure", "neutral"]


class CircuitState(StrEnum):
    """Which requests may go: all, none, or one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Breaker:
    """The complete state of one breaker, in plain values, so that a database row can hold it.

    `failures` counts failures in a row, `successes` those since HALF_OPEN was entered. `opened_at` is when the breaker
    last opened, and `wait` the number of seconds that it rests from then on; `trips` counts openings since it was last
    CLOSED. `generation` is the token handed out with an admission; it starts at 1, so a token is never falsy.
    `probe_started` is when the probe in flight took the slot, None while the slot is free.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    successes: int = 0
    opened_at: float | None = None
    wait: float = 0.0
    trips: int = 0
    generation: int = 1
    probe_started: float | None = None


@dataclass(frozen=True)
class Rules:
    """The configuration of a breaker. Durations are in seconds.

    A wrong type raises TypeError, a wrong value ValueError; both name the argument. `probe_lease=None` is the longer of
    `recovery_timeout` and a minute. A `max_recovery_timeout` below `recovery_timeout` only prevents growth.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 60.0
    success_threshold: int = 1
    probe_lease: float | None = None
    backoff_multiplier: float = 1.0
    max_recovery_timeout: float = 900.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        _check_count("failure_threshold", self.failure_threshold)
        _check_count("success_threshold", self.success_threshold)
        _check_number("recovery_timeout", self.recovery_timeout, least=0.0)
        _check_number("max_recovery_timeout", self.max_recovery_timeout, least=0.0)
        _check_number("backoff_multiplier", self.backoff_multiplier, least=1.0)
        _check_number("jitter", self.jitter, least=0.0, most=1.0)
        if self.probe_lease is not None:
            _check_number("probe_lease", self.probe_lease, least=0.0)
            if self.probe_lease == 0:
                raise ValueError("probe_lease must be more than 0")

    @property
    def lease(self) -> float:
        """Seconds for which a probe keeps its slot without a report."""
        if self.probe_lease is None:
            return max(self.recovery_timeout, SHORTEST_DEFAULT_LEASE)
        return self.probe_lease

    @property
    def longest_wait(self) -> float:
        """The limit for a growing wait, in seconds, before jitter."""
        return max(self.recovery_timeout, self.max_recovery_timeout)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1")


def _check_number(name: str, value: object, *, least: float, most: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond every float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite")
    if not least <= number <= most:
        raise ValueError(f"{name} must be at least {least:g}" + (f" and at most {most:g}" if most < math.inf else ""))


# --- the rules ---------------------------------------------------------------------------------------------------


def seen_state(b: Breaker, rules: Rules, now: float) -> CircuitState:
    """The state for readers: an OPEN breaker whose wait is over reads HALF_OPEN.

    With a zero timeout there is no wait, and OPEN reads OPEN until a request for admission.
    """
    if b.state is CircuitState.OPEN and rules.recovery_timeout > 0 and _is_due(b, rules, now):
        return CircuitState.HALF_OPEN
    return b.state


def after_request(b: Breaker, rules: Rules, now: float) -> tuple[Breaker, bool]:
    """The breaker after a request for admission, and whether the caller may go.

    While HALF_OPEN, True takes the only slot for a lease. `generation` is the caller's token.
    """
    b = _as_met(b, rules, now)
    if b.state is CircuitState.CLOSED:
        return b, True
    if b.state is CircuitState.OPEN:
        return b, False
    if b.probe_started is None:
        return replace(b, probe_started=now), True
    if now >= b.probe_started + rules.lease:
        return replace(b, probe_started=now, generation=b.generation + 1), True
    return b, False


def after_success(b: Breaker, rules: Rules, now: float, generation: int | None = None) -> Breaker:
    """The breaker after an answer. It ends a row of failures; the last success that HALF_OPEN needs closes the breaker."""
    if _is_void(b, generation):
        return b
    b = _as_met(b, rules, now)
    if b.state is CircuitState.OPEN:
        return b
    if b.state is CircuitState.CLOSED:
        return replace(b, failures=0)
    if b.successes + 1 >= rules.success_threshold:
        return after_reset(b)
    return replace(b, successes=b.successes + 1, probe_started=None)


def after_failure(b: Breaker, rules: Rules, now: float, generation: int | None = None, draw: float = 0.0) -> Breaker:
    """The breaker after a missing answer. The last allowed failure opens it, and so does any failure while HALF_OPEN.

    `draw`, in [0, 1), chooses how much of the jitter an opening adds to its wait.
    """
    if _is_void(b, generation):
        return b
    b = _as_met(b, rules, now)
    if b.state is CircuitState.OPEN:
        return b
    if b.state is CircuitState.CLOSED and b.failures + 1 < rules.failure_threshold:
        return replace(b, failures=b.failures + 1)
    return _open(b, rules, now, draw)


def after_neutral(b: Breaker, rules: Rules, now: float, generation: int | None = None) -> Breaker:
    """The breaker after a request that proved nothing about the server: the slot is free again, and nothing is counted."""
    if _is_void(b, generation):
        return b
    b = _as_met(b, rules, now)
    if b.state is CircuitState.HALF_OPEN:
        return replace(b, probe_started=None)
    return b


def after_reset(b: Breaker) -> Breaker:
    """A new CLOSED breaker of a new generation: reports still under way are void."""
    return Breaker(generation=b.generation + 1)


def next_probe_at(b: Breaker, rules: Rules) -> float | None:
    """The time before which no request is admitted: the end of the wait, or of the lease of the probe in flight.

    None if there is no such time: CLOSED, or HALF_OPEN with a free slot.
    """
    if b.state is CircuitState.OPEN and b.opened_at is not None:
        return b.opened_at + _rest(b, rules)
    if b.state is CircuitState.HALF_OPEN and b.probe_started is not None:
        return b.probe_started + rules.lease
    return None


def needs_clock(b: Breaker, rules: Rules, event: Event) -> bool:
    """Whether the rule for `event` depends on `now`.

    Every request passes a CLOSED breaker, so it reads the clock only when it opens.
    """
    if b.state is CircuitState.OPEN:
        return True
    if b.state is CircuitState.HALF_OPEN:
        return event in ("ask", "failure")
    return event == "failure" and b.failures + 1 >= rules.failure_threshold


def _is_void(b: Breaker, generation: int | None) -> bool:
    """Whether a report is void. A token counts only in its own generation. OPEN hands out none, so no token counts there."""
    return generation is not None and (generation != b.generation or b.state is CircuitState.OPEN)


def _as_met(b: Breaker, rules: Rules, now: float) -> Breaker:
    """The breaker at `now`, before a call changes it: OPEN with its wait over has become HALF_OPEN."""
    b = _limit_times(b, now)
    if b.state is CircuitState.OPEN and _is_due(b, rules, now):
        return replace(b, state=CircuitState.HALF_OPEN, successes=0, probe_started=None, generation=b.generation + 1)
    return b


def _limit_times(b: Breaker, now: float) -> Breaker:
    """`b` with no time later than `now`, so that nobody has to wait for the time by which a clock was set back."""
    if b.state is CircuitState.OPEN and (b.opened_at is None or now < b.opened_at):
        return replace(b, opened_at=now)
    if b.state is CircuitState.HALF_OPEN and b.probe_started is not None and now < b.probe_started:
        return replace(b, probe_started=now)
    return b


def _is_due(b: Breaker, rules: Rules, now: float) -> bool:
    """Whether the wait of an OPEN breaker is over. A sum, because `now - opened_at` can fall short at the exact moment."""
    return b.opened_at is not None and now >= b.opened_at + _rest(b, rules)


def _rest(b: Breaker, rules: Rules) -> float:
    """The stored wait, kept within the limits of the rules: the rules or the row may have been edited since."""
    return min(max(rules.recovery_timeout, b.wait), rules.longest_wait * (1 + rules.jitter))


def _open(b: Breaker, rules: Rules, now: float, draw: float) -> Breaker:
    return Breaker(
        state=CircuitState.OPEN,
        failures=b.failures + 1,
        opened_at=now,
        wait=_grown_wait(rules, b.trips + 1) * (1 + rules.jitter * draw),
        trips=b.trips + 1,
        generation=b.generation + 1,
    )


def _grown_wait(rules: Rules, trips: int) -> float:
    """The wait after the `trips`-th opening in a row, before jitter."""
    if rules.recovery_timeout == 0:
        return 0.0
    try:
        return min(rules.longest_wait, rules.recovery_timeout * rules.backoff_multiplier ** (trips - 1))
    except OverflowError:  # a power beyond every float is beyond the limit too
        return rules.longest_wait


# --- the object --------------------------------------------------------------------------------------------------


class Permit:
    """The result of `guard()`: true if the caller may go. It takes the caller's report.

    The last report inside the block is sent when the block ends; without one, the report is neutral.
    """

    def __init__(self, token: int | None) -> None:
        self.token = token
        self.verdict: Literal["success", "failure", "neutral"] = "neutral"

    def __bool__(self) -> bool:
        return self.token is not None

    def success(self) -> None:
        """The server answered."""
        self.verdict = "success"

    def failure(self) -> None:
        """The server did not answer."""
        self.verdict = "failure"

    def neutral(self) -> None:
        """The request proved nothing about the server."""
        self.verdict = "neutral"


class CircuitBreaker:
    """One breaker in memory, shared by the threads of a process.

    Each call reads the clock at most once and decides in one step under one lock. The lock is never held while
    `on_transition(old, new)` runs. That callback receives every change of the stored state, possibly out of order when
    threads race. Its exceptions are swallowed and counted in `callback_errors`, because a broken listener must not cost
    the caller its admission or its report. Arguments are checked as in `Rules`.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        success_threshold: int = 1,
        *,
        probe_lease: float | None = None,
        backoff_multiplier: float = 1.0,
        max_recovery_timeout: float = 900.0,
        jitter: float = 0.0,
        name: str = "",
        on_transition: Callable[[CircuitState, CircuitState], object] | None = None,
    ) -> None:
        self.rules = Rules(
            failure_threshold=failure_threshold,
            recovery_timeout=recovery_timeout,
            success_threshold=success_threshold,
            probe_lease=probe_lease,
            backoff_multiplier=backoff_multiplier,
            max_recovery_timeout=max_recovery_timeout,
            jitter=jitter,
        )
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {type(name).__name__}")
        if on_transition is not None and not callable(on_transition):
            raise TypeError(f"on_transition must be callable, not {type(on_transition).__name__}")
        self.name = name
        self.callback_errors = 0
        self._on_transition = on_transition
        self._lock = threading.Lock()
        self._keep(Breaker())

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self._state}>"

    @property
    def state(self) -> CircuitState:
        """The state for readers, as of now. Reading it changes nothing, however often."""
        with self._lock:
            b = self._record()
            return seen_state(b, self.rules, self._now_for(b, "look"))

    def snapshot(self) -> Breaker:
        """The stored record, for `next_probe_at` and for display."""
        with self._lock:
            return self._record()

    def can_execute(self) -> bool:
        """Whether the caller may go now. While HALF_OPEN, True makes the caller the probe, which has to report."""
        return self.acquire() is not None

    def acquire(self) -> int | None:
        """As `can_execute`, with a token for the report; None if the caller may not go.

        A report with the token is ignored if it comes too late to matter. A token is valid for one report.
        """
        b, may_go = self._step("ask", lambda b, now: after_request(b, self.rules, now))
        return b.generation if may_go else None

    def record_success(self, token: int | None = None) -> None:
        """Report that the server answered, even with a refusal."""
        self._step("success", lambda b, now: (after_success(b, self.rules, now, token), True))

    def record_failure(self, token: int | None = None) -> None:
        """Report that the server did not answer, or that the answer was not its own."""
        draw = random.random()
        self._step("failure", lambda b, now: (after_failure(b, self.rules, now, token, draw), True))

    def record_neutral(self, token: int | None = None) -> None:
        """Report that the request proved nothing about the server; a probe gives its slot back."""
        self._step("neutral", lambda b, now: (after_neutral(b, self.rules, now, token), True))

    def reset(self) -> None:
        """Close at once and reset all counts. Reports still under way are void if they carry a token."""
        with self._lock:
            old = self._record()
            self._keep(after_reset(old))
        self._announce(old.state, CircuitState.CLOSED)

    @contextmanager
    def guard(self) -> Iterator[Permit]:
        """Ask for admission on entry, report exactly once on exit, however the block ends.

        The block must check that its permit is true before it sends a request. Exceptions inside the block pass
        through.
        """
        permit = Permit(self.acquire())
        report = {"success": self.record_success, "failure": self.record_failure, "neutral": self.record_neutral}
        try:
            yield permit
        finally:
            if permit:
                report[permit.verdict](permit.token)

    def _step(self, event: Event, rule: Callable[[Breaker, float], tuple[Breaker, bool]]) -> tuple[Breaker, bool]:
        with self._lock:
            old = self._record()
            new, answer = rule(old, self._now_for(old, event))
            self._keep(new)
        self._announce(old.state, new.state)
        return new, answer

    def _now_for(self, b: Breaker, event: Event) -> float:
        return time.time() if needs_clock(b, self.rules, event) else 0.0

    # The record is kept in plain attributes, read anew by each call, so that a value set from outside takes effect.

    def _record(self) -> Breaker:
        return Breaker(
            state=CircuitState(self._state),
            failures=self._failure_count,
            successes=self._success_count,
            opened_at=self._opened_at,
            wait=self._wait,
            trips=self._trips,
            generation=self._generation,
            probe_started=self._probe_started,
        )

    def _keep(self, b: Breaker) -> None:
        self._state = b.state
        self._failure_count = b.failures
        self._success_count = b.successes
        self._opened_at = b.opened_at
        self._wait = b.wait
        self._trips = b.trips
        self._generation = b.generation
        self._probe_started = b.probe_started

    def _announce(self, old: CircuitState, new: CircuitState) -> None:
        if self._on_transition is None or old is new:
            return
        try:
            self._on_transition(old, new)
        except Exception:  # noqa: BLE001  whatever a listener raises, the breaker has to go on
            with self._lock:
                self.callback_errors += 1
