"""Probes at once: you have asked, by a command or a button, so the waits that PlexSync chose do not apply.

One probe per closed gate, which counts as every probe does. A wait that the server asked for (429, or 503 with
`Retry-After`) stays, and so does a probe that is under way.
"""

from plexsync.engine import gate_rows
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import VOID, Closed, Gate, Probe, by_row
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database


def ask_at_once(store: Database, gates: Gates, clock: Clock, *asked: Gate) -> None:
    """Probe each of these gates that is closed. Afterwards `Gates.admit` says how it stands."""
    for gate in by_row(tuple(asked)):
        if isinstance(gates.admit(gate), Closed):
            _probe(store, gates, clock, gate)


def why_closed(gates: Gates, *needed: Gate) -> str:
    """Why the first closed one of these gates is closed; '' if all are open."""
    answers = (gates.admit(gate) for gate in needed)
    return next((answer.reason for answer in answers if isinstance(answer, Closed)), "")


def what_waits(store: Database, gates: Gates, *needed: Gate) -> str:
    """The same; or that a server has failed and not answered since, although its gate is open."""
    if closed := why_closed(gates, *needed):
        return closed
    with store.reading() as db:
        return gates.trouble(db, needed)


def _probe(store: Database, gates: Gates, clock: Clock, gate: Gate) -> None:
    with store.writing() as tx:
        now = clock.now()
        gate_rows.end_pause(tx, gate, now)
        throttled = gate_rows.throttled_until(tx, gate, now) is not None
        waits = tx.holds.find(gate.row) is not None
    if throttled:
        return
    ticket = gates.ticket(gate)
    if ticket.generation == VOID or waits:
        gates.retest(gate)
    else:
        # Only a pause after a failure has closed it.
        gates.probe(Probe(ticket))
