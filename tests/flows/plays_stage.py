"""Plays in the simulated Plex, and a look of PlexSync at the scenes that were played."""

from plexsync.rules.queue.job import PLAYS, Why
from tests.engine.house import HOUR, House

AT = 1_700_000_000


def play(house: House, id: int, *moments: int) -> None:
    """Somebody watches the item of a scene to its end, at each of these moments."""
    for moment in moments:
        house.plex_sim.play(house.key_of(id), at=moment)


def look(house: House, *ids: int) -> None:
    """Somebody wants the plays of these scenes to be looked at."""
    with house.store.writing() as tx:
        for id in ids:
            tx.jobs.want(PLAYS, id, Why.USER, house.clock.now())
    house.work_for(HOUR)
