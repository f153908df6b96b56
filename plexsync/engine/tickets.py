"""What a request passes: the gate before a neighbour, the ticket that admits it, and the answers when it may not pass.

A gate is a neighbour and an access, since a neighbour that refuses changes may answer questions all the same. A ticket
names the gate and the breaker's generation at the start of the request; its report carries it, so a report that comes too
late to matter counts for nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plexsync.rules.errors import Neighbour


class Access(StrEnum):
    """What a request does at a neighbour."""

    READ = "read"
    WRITE = "write"


READ, WRITE = Access.READ, Access.WRITE


@dataclass(frozen=True)
class Gate:
    """The way to one neighbour for requests of one kind."""

    neighbour: Neighbour
    access: Access

    @property
    def row(self) -> str:
        """The name of the rows that keep its breaker, hold and pace.

        Both gates of Plex share one, which notes by which of them it was lost. Changes in Stash have one of their own: a
        Stash that takes none stops nobody who only asks.
        """
        return "stash:write" if self == WRITE_STASH else self.neighbour.value

    @property
    def caption(self) -> str:
        """Its neighbour for a reader, or what is closed of it when that is not all."""
        return "Writing to Stash" if self == WRITE_STASH else self.neighbour.capitalize()


READ_PLEX, WRITE_PLEX = Gate(Neighbour.PLEX, READ), Gate(Neighbour.PLEX, WRITE)
READ_STASH, WRITE_STASH = Gate(Neighbour.STASH, READ), Gate(Neighbour.STASH, WRITE)
# What everyone needs who compares the two.
READS = (READ_PLEX, READ_STASH)
# The generation of no breaker.
VOID: Final = 0


@dataclass(frozen=True)
class Ticket:
    """Admits requests through a gate; their reports count in this generation of its breaker only."""

    gate: Gate
    generation: int

    def to(self, access: Access) -> "Ticket":
        """The same admission for requests of another kind, where both share a row."""
        return Ticket(Gate(self.gate.neighbour, access), self.generation)


@dataclass(frozen=True)
class Closed:
    """Nothing may pass before `until` (UTC ms); `reason` is one line for a reader."""

    until: int
    reason: str


@dataclass(frozen=True)
class Go:
    """All gates stand open: claim up to `limit` jobs (0: as many as a batch holds)."""

    limit: int


@dataclass(frozen=True)
class Probe:
    """Its holder has the slot to ask whether a neighbour is back. A ticket to write: a write has to answer."""

    ticket: Ticket

    @property
    def gate(self) -> Gate:
        """The gate that is closed."""
        return self.ticket.gate


def by_row(gates: Iterable[Gate]) -> list[Gate]:
    """One gate for each row, in the order in which the rows are named first."""
    rows: dict[str, Gate] = {}
    for gate in gates:
        rows.setdefault(gate.row, gate)
    return list(rows.values())
