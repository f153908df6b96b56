"""Admits the sends of one batch: the tickets they carry, and the gates that are closed to them."""

from collections.abc import Iterable, Mapping

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import VOID, Closed, Gate, Ticket, by_row
from plexsync.rules.errors import Neighbour
from plexsync.store.database import Database


class Admission:
    """What the gates answer to one batch. `tickets` admit the next sends, by server."""

    def __init__(self, store: Database, gates: Gates, writes: Gate, others: Iterable[Gate]) -> None:
        self.tickets: Mapping[Neighbour, Ticket] = {}
        self._store = store
        self._gates = gates
        # The write gate comes last, so that its ticket is the one kept for its server.
        self._asked = tuple(reversed(by_row([writes, *others])))
        self._open_at: tuple[int, int, int] | None = None

    def closed(self) -> dict[Gate, str]:
        """Take new tickets if anything was committed since the last time. Returns the closed gates with their reasons."""
        revision = self._store.revision()
        if revision == self._open_at:
            # Until the next commit, open gates stay open and their breakers keep their generation.
            return {}
        with self._store.reading() as db:
            answers = {gate: self._gates.admit_in(db, gate) for gate in self._asked}
        self.tickets = {
            gate.neighbour: answer if isinstance(answer, Ticket) else Ticket(gate, VOID)
            for gate, answer in answers.items()
        }
        closed = {gate: answer.reason for gate, answer in answers.items() if isinstance(answer, Closed)}
        self._open_at = None if closed else revision
        return closed
