"""What a request passes: the gate of a server, the ticket that admits the request, and the answers if it may not pass.

A gate is a server and an access, since a server that rejects writes may still answer reads. A ticket holds the gate and
the breaker's generation at the start of the request. The report carries the ticket, so that a report that comes too
late is ignored.
"""

from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final

from plexsync.rules.queue.gate_names import GateName, caption
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Neighbour


class Access(StrEnum):
    """What a request does: read or write."""

    READ = "read"
    WRITE = "write"


READ, WRITE = Access.READ, Access.WRITE


@record
class Gate:
    """The gate of one server for requests of one access."""

    neighbour: Neighbour
    access: Access

    @cached_property
    def row(self) -> GateName:
        """The key of the rows that store its breaker, hold and pace.

        Both gates of Plex share one row, which records the access that lost it. Writes to Stash have their own row: a
        Stash that rejects writes stops no reads.
        """
        return GateName.STASH_WRITES if self == WRITE_STASH else GateName(self.neighbour.value)

    @property
    def caption(self) -> str:
        """The name for display: the server, or the part of it that is closed."""
        return caption(self.row)


READ_PLEX, WRITE_PLEX = Gate(Neighbour.PLEX, READ), Gate(Neighbour.PLEX, WRITE)
READ_STASH, WRITE_STASH = Gate(Neighbour.STASH, READ), Gate(Neighbour.STASH, WRITE)
# The gate behind each row; the row of Plex is that of its reads.
BY_ROW = {gate.row: gate for gate in (READ_PLEX, READ_STASH, WRITE_STASH)}
# The gates that every comparison of the two servers needs.
READS = (READ_PLEX, READ_STASH)
READ_OF = {gate.neighbour: gate for gate in READS}
# A generation that no breaker has.
VOID: Final = 0


@record
class Ticket:
    """Admits requests through a gate. Their reports count only in this generation of its breaker."""

    gate: Gate
    generation: int

    def to(self, access: Access) -> "Ticket":
        """The same ticket for another access that shares the row."""
        return Ticket(Gate(self.gate.neighbour, access), self.generation)


@record
class Closed:
    """Nothing may pass before `until` (UTC ms). `reason` is one line for display."""

    until: int
    reason: str


@record
class Go:
    """All gates are open: claim up to `limit` jobs (0: a full batch)."""

    limit: int


@record
class Probe:
    """The slot to probe a server. With a write ticket, a write has to be answered."""

    ticket: Ticket

    @property
    def gate(self) -> Gate:
        """The closed gate."""
        return self.ticket.gate


@lru_cache(maxsize=64)
def by_row(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """One gate per row, in the order in which the rows first appear."""
    rows: dict[str, Gate] = {}
    for gate in gates:
        rows.setdefault(gate.row, gate)
    return tuple(rows.values())
