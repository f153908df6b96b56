"""The stored state of a gate: its breaker, hold and pace, read and written inside the caller's transaction.

The breaker rules are the pure transitions in `worker/circuit_breaker.py`. This module converts a row to the record that
they take and back to a row, and logs each change of state.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from plexsync.engine.tickets import READ, READ_STASH, WRITE, WRITE_STASH, Access, Closed, Gate
from plexsync.rules.queue.gate_names import closed_words
from plexsync.rules.records import BreakerRow, HoldRow
from plexsync.rules.servers.errors import Barred, Neighbour, NeighbourError, Throttled, Unavailable
from plexsync.rules.servers.neighbours import RandomSource
from plexsync.rules.words.status_words import DOWN, THROTTLED
from plexsync.store.database import Reader, Writer
from worker.circuit_breaker import Breaker, CircuitState, Rules, after_reset, next_probe_at

log = logging.getLogger("PlexSync.gates")

# Prefix of the note that stores which access caused a hold. Only a request with the same access can end it.
HELD = "held:"
MAX_THROTTLE = 3_600_000
# The shortest wait after a throttled request in seconds, plus up to as many again at random.
LEAST_PATIENCE = 1.0
BREATH = 0.25
BREATH_CAP = 2.0
# The fewest seconds between two probes: the lines that prove a server to be up can be forged.
HASTE = 2.0


# --- the breaker -----------------------------------------------------------------------------------------------------


def breaker_of(row: BreakerRow) -> Breaker:
    """Convert a row to the record that the breaker rules take."""
    values = {name: value for name, value in vars(row).items() if name not in ("cause", "error")}
    return Breaker(**values | {"state": CircuitState(row.state)})


def breaker_probe_at(row: BreakerRow, rules: Rules) -> int | None:
    """When the next probe is due (UTC ms); None while the breaker is closed."""
    moment = next_probe_at(breaker_of(row), rules)
    return None if moment is None else round(moment * 1000)


def is_lost_by_writes(gate: Gate, row: BreakerRow) -> bool:
    """Whether only an answered write proves that the server is back. The read row of Stash records reads only."""
    return gate == WRITE_STASH or (gate.neighbour is Neighbour.PLEX and row.cause == WRITE)


def has_news(gate: Gate, row: BreakerRow) -> bool:
    """Whether an answer through this gate changes the row. An answered read proves nothing while writes fail."""
    if row.state == CircuitState.CLOSED and row.failures == 0:
        return False
    return not (gate.access is READ and is_lost_by_writes(gate, row))


def save_breaker(tx: Writer, gate: Gate, row: BreakerRow, after: Breaker, now: int) -> None:
    """Save the breaker state that a rule returned, and log a change of state. A breaker that closes starts the ramp."""
    before = breaker_of(row)
    if after == before:
        return
    closed = after.state is CircuitState.CLOSED
    fresh = closed and after.failures == 0
    past = {"cause": "", "error": "", "trips": 0} if fresh else {"cause": row.cause, "error": row.error}
    tx.breakers.save(gate.row, BreakerRow(**vars(after) | {"state": after.state.value} | past))
    # Closed on trial (`Gates.trust`) and now confirmed. Only this ends the outage.
    proved = fresh and before.state is CircuitState.CLOSED and before.trips > 0
    if after.state is before.state and not proved:
        return
    error = "" if fresh else row.error
    states = {"old": before.state.value, "new": after.state.value}
    tx.transitions.log(gate.row, at=now, **states, cause=row.cause, error=error)
    if proved:
        return
    level = logging.WARNING if after.state is CircuitState.OPEN else logging.INFO
    trouble = f" ({row.error})" if row.error and not closed else ""
    log.log(level, "breaker of %s: %s -> %s%s", gate.row, before.state.value, after.state.value, trouble)
    if closed:
        tx.paces.save(gate.row, replace(tx.paces.find(gate.row), ramp=1))


def hasten(tx: Writer, gate: Gate, rules: Rules, now: float) -> None:
    """End the wait of an open breaker for its next probe, unless it opened in the last `HASTE` seconds, as after a probe."""
    row = tx.breakers.find(gate.row)
    due, opened_at = next_probe_at(breaker_of(row), rules), row.opened_at
    if row.state == CircuitState.OPEN and due is not None and opened_at is not None and opened_at + HASTE <= now < due:
        # A second more than the wait, since the sum is rounded.
        tx.breakers.save(gate.row, replace(row, opened_at=now - (due - opened_at) - 1))


def start_anew(tx: Writer, gate: Gate, now: int) -> None:
    """Close the breaker and end every wait: what is known was another server's. Its late reports are void."""
    row, pace = tx.breakers.find(gate.row), tx.paces.find(gate.row)
    if row != BreakerRow():
        save_breaker(tx, gate, row, after_reset(breaker_of(row)), now)
    if pace.not_before:
        tx.paces.save(gate.row, replace(tx.paces.find(gate.row), not_before=0))


# --- hold and pace ---------------------------------------------------------------------------------------------------


def held_by(tx: Reader, gate: Gate) -> Access:
    """The access that caused the hold on a gate."""
    return WRITE if gate != READ_STASH and tx.notes.text(HELD + gate.row) == WRITE else READ


def save_hold(tx: Writer, gate: Gate, row: HoldRow, now: int) -> None:
    """Set the hold on a gate, or postpone its next test. A new hold is logged."""
    before = tx.holds.find(gate.row)
    if before is None or gate.access is WRITE:
        tx.notes.save(HELD + gate.row, gate.access)
    tx.holds.save(gate.row, row)
    if before is None or before.choice != row.choice:
        old = "hold" if before else "free"
        tx.transitions.log(gate.row, at=now, old=old, new="hold", cause=row.choice or row.setting, error=row.message)
        if row.choice:
            log.warning("on hold until you decide: %s", row.message)
        else:
            log.warning("on hold until %s is put right: %s", row.setting, row.message)


def bar(
    tx: Writer, gate: Gate, error: Barred, now: int, *, retest: Callable[[int, int], int], fingerprint: str
) -> None:
    """Hold a gate for this error. `retest`: the wait before the next test, by the times of the hold's begin and of now."""
    hold = tx.holds.find(gate.row)
    since = hold.since if hold else now
    row = HoldRow(error.setting, str(error), since, now + retest(since, now), fingerprint, error.choice)
    save_hold(tx, gate, row, now)


def end_hold(tx: Writer, gate: Gate, now: int) -> None:
    """End the hold on a gate, if there is one."""
    if tx.holds.find(gate.row) is not None:
        tx.holds.save(gate.row, None)
        tx.transitions.log(gate.row, at=now, old="hold", new="free", cause="", error="")
        log.info("hold over: %s accepts requests again", gate.caption)


def test_soon(tx: Writer, gate: Gate, now: int) -> bool:
    """Have the worker test a hold that a refused write made, at once; True if there is one. Reads do not end it."""
    hold = tx.holds.find(gate.row)
    if hold is None or gate.neighbour is not Neighbour.PLEX or held_by(tx, gate) is not WRITE:
        return False
    tx.holds.save(gate.row, replace(hold, retest_at=now))
    return True


def forget(tx: Writer, gate: Gate, now: int) -> None:
    """Forget everything about a gate that nothing passes any more, and end its outage: nobody would probe it."""
    end_hold(tx, gate, now)
    row = tx.breakers.find(gate.row)
    save_breaker(tx, gate, row, Breaker(generation=row.generation), now)
    tx.breakers.delete(gate.row)
    tx.paces.delete(gate.row)


def slow_down(tx: Writer, gate: Gate, wait: int, now: int) -> None:
    """Throttle the gate for `wait` ms (0: not at all), never shortening an earlier wait, and halve the ramp."""
    pace = tx.paces.find(gate.row)
    until = max(pace.not_before, now + min(wait, MAX_THROTTLE)) if wait else pace.not_before
    ramp = pace.ramp // 2 if pace.ramp > 1 else pace.ramp
    tx.paces.save(gate.row, replace(pace, not_before=until, ramp=ramp))


def throttled_until(tx: Writer, gate: Gate, now: int) -> int | None:
    """Until when the gate is throttled, or None. Clears an expired wait and caps one that is too far ahead."""
    pace = tx.paces.find(gate.row)
    if pace.not_before <= now:
        if pace.not_before:
            # Cleared when it expires: otherwise a clock set back later would restore it.
            tx.paces.save(gate.row, replace(pace, not_before=0))
        return None
    if pace.not_before > now + MAX_THROTTLE:
        pace = replace(pace, not_before=now + MAX_THROTTLE)
        tx.paces.save(gate.row, pace)
    return pace.not_before


def end_pause(tx: Writer, gate: Gate, now: int) -> None:
    """End the short pause after a failure. A wait that the server asked for stays."""
    row, pace = tx.breakers.find(gate.row), tx.paces.find(gate.row)
    # A failure that opened the breaker paused the gate as well; a later wait was asked for.
    begun = now if row.opened_at is None else round(row.opened_at * 1000)
    if row.failures and row.error and now < pace.not_before <= begun + round(BREATH_CAP * 1000):
        tx.paces.save(gate.row, replace(pace, not_before=0))


def speed_up(tx: Writer, gate: Gate, *, batch: int) -> None:
    """Double the ramp after a successful claim, while the server recovers."""
    pace = tx.paces.find(gate.row)
    if pace.ramp:
        ramp = pace.ramp * 2
        tx.paces.save(gate.row, replace(pace, ramp=0 if ramp >= batch else ramp))


def patience(error: NeighbourError, gate: Gate, failures: int, rng: RandomSource) -> float:
    """Seconds to throttle: what the server asked for, or a short wait, so that a blip does not open the breaker."""
    if isinstance(error, Throttled):
        # A server that asks for no wait and refuses again would be asked without end.
        return max(error.retry_after, LEAST_PATIENCE * (1 + rng.random()))
    if isinstance(error, Unavailable):
        if error.retry_after:
            return error.retry_after
        if gate.access is READ or not error.sent:
            return min(BREATH_CAP, BREATH * 2.0**failures) * (1 + rng.random()) / 2
    return 0.0


# --- display ---------------------------------------------------------------------------------------------------------


def trouble(db: Reader, gate: Gate, rules: Rules) -> str:
    """One line about a server that failed and has not answered since, or ''."""
    row = db.breakers.find(gate.row)
    if not (row.failures and row.error):
        return ""
    return f"{gate.caption} does not answer (failure {row.failures} of {rules.failure_threshold}): {row.error}"


def gate_closed(db: Reader, gate: Gate, rules: Rules, now: int) -> Closed | None:
    """Why a gate is closed at `now`; None if it is open."""
    if hold := db.holds.find(gate.row):
        return Closed(hold.retest_at, f"{gate.caption} is on hold: {hold.message}")
    row = db.breakers.find(gate.row)
    if row.state != CircuitState.CLOSED:
        probe_at = breaker_probe_at(row, rules)
        return Closed(now if probe_at is None else probe_at, away(gate, row))
    pace = db.paces.find(gate.row)
    if pace.not_before > now:
        return Closed(pace.not_before, trouble(db, gate, rules) or f"{gate.caption} is {THROTTLED}")
    return None


def away(gate: Gate, row: BreakerRow) -> str:
    """One line about a gate whose breaker is open."""
    words = closed_words(gate.row, row.cause) if gate.neighbour is Neighbour.PLEX else f"{gate.caption} is {DOWN}"
    return f"{words}: {row.error}" if row.error else words
