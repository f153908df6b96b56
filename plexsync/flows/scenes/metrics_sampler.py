"""Takes a sample of the work once a minute, for charts only. Nothing is decided by it.

A sample that can't be saved (a full disk, a busy database) is added to the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plexsync.engine.watchdog import Heard
from plexsync.rules.queue.samples import MINUTE, Sample
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Database
from worker.circuit_breaker import CircuitState

SECONDS = 60.0


@dataclass
class Sampler:
    """Takes the samples of one worker. `requests` counts the requests to each server since the process started."""

    _store: Database
    _clock: Clock
    _requests: Mapping[Neighbour, Heard]
    _reported: dict[str, int] | None = None

    def sample(self) -> None:
        """Save the current counts, and what was done since the last saved sample."""
        with self._store.reading() as db:
            now, counts = self._clock.now(), db.standings.counts()
            away = {
                neighbour: db.holds.find(neighbour) is not None
                or db.breakers.find(neighbour).state != CircuitState.CLOSED
                for neighbour in Neighbour
            }
            totals = {
                "done": db.books.done(),
                **{neighbour.value: heard.count for neighbour, heard in self._requests.items()},
            }
        reported = totals if self._reported is None else self._reported
        # A restored database has done less than before.
        since = {name: max(0, total - reported[name]) for name, total in totals.items()}

        def count(*statuses: SceneStatus) -> int:
            return sum(counts.get(status, (0, None))[0] for status in statuses)

        sample = Sample(
            at=now - now % MINUTE,
            in_step=count(SceneStatus.IN_SYNC),
            waiting=count(SceneStatus.QUEUED),
            absent=count(SceneStatus.NOT_IN_PLEX),
            dead=count(SceneStatus.AMBIGUOUS, SceneStatus.FAILED),
            done=since["done"],
            plex=since[Neighbour.PLEX],
            stash=since[Neighbour.STASH],
            plex_away=int(away[Neighbour.PLEX]),
            stash_away=int(away[Neighbour.STASH]),
        )
        with self._store.writing() as tx:
            tx.samples.add(sample)
        self._reported = totals
