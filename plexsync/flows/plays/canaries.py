"""Harmless requests to Stash, which show whether it takes writes and answers reads."""

from collections.abc import Mapping, Sequence
from functools import partial

from plexsync.engine.flow import Canary
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ, Ticket
from plexsync.rules.neighbours import StashWatch
from plexsync.rules.plays import Moments
from plexsync.rules.scene import WatchedScene

# A second in which nobody played anything: removing a play of it changes nothing.
NO_PLAY = 1


def write_canaries(gates: Gates, stash: StashWatch, ids: Sequence[int], ticket: Ticket) -> list[Canary]:
    """Writes that change nothing, for these scenes, which are read first. Raises NeighbourError."""
    if not ids:
        return []
    return removals_of_nothing(stash, gates.ask(ticket.to(READ), partial(stash.watched, ids), of_all=True))


def removals_of_nothing(stash: StashWatch, watched: Mapping[int, WatchedScene]) -> list[Canary]:
    """A play that nobody has, to be removed from each of these scenes as they were just read."""
    return [partial(_remove_nothing, stash, id) for id, watching in watched.items() if NO_PLAY not in watching.plays]


def _remove_nothing(stash: StashWatch, id: int) -> bool:
    stash.take_plays(id, Moments([NO_PLAY]))
    return True
