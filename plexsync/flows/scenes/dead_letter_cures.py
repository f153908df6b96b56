"""Retries dead letters by itself once their cause is cured.

Each possible cure is stored as a short fingerprint in a note: the path rules, the settings of both servers, strictness,
and the items of the index. If a fingerprint differs from the stored one, the rows that it concerns are retried, behind
every edit, in batches. The new fingerprint is stored only after that, so a kill in between skips no row.
"""

import logging
from collections.abc import Callable, Mapping

from plexsync.engine import gate_rows
from plexsync.engine.tickets import READ_STASH, READS, WRITE_STASH
from plexsync.flows.scenes.inspection import Inspector
from plexsync.rules.queue.job import NOT_SHOWN, Kind, State, Waiting, Why
from plexsync.rules.records import SectionRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.cure")

BATCH = 500
# The number of scenes inspected together, as when they are synced.
LOOKED = 50
NOTE = "cured:"
INDEX = f"{NOTE}index"
# Replaces the outline of the index after a change of bindings. It differs from every outline.
REBOUND = "bound"

# The causes that each setting can cure. A new path rule also wakes the scenes that are not in Plex yet.
CURES: Mapping[str, tuple[str, ...]] = {
    "paths": ("ambiguous",),
    "plex": ("refused", "untaken"),
    "stash": ("refused",),
    "strict": ("strict",),
    "matching": ("ambiguous",),
}


# The state and cause of scenes whose candidates decide.
BY_CANDIDATES = ((State.DEAD, "ambiguous"), (State.DROPPED, NOT_SHOWN))


def bindings_changed(tx: Writer) -> None:
    """Mark the bindings as changed, so that ambiguous scenes are inspected again: a binding may resolve them."""
    tx.notes.save(INDEX, REBOUND)


class Curer:
    """Watches for cures of dead rows. `prints` has the fingerprint of each name in `CURES`."""

    def __init__(self, inspector: Inspector, prints: Mapping[str, str]) -> None:
        self._inspector, self._store, self._gates, self._clock = (
            inspector,
            inspector.store,
            inspector.gates,
            inspector.clock,
        )
        self._prints = prints
        self._compared: tuple[list[SectionRow], str] = ([], "")

    # --- settings ----------------------------------------------------------------------------------------------------

    def apply(self) -> int:
        """Retry what changed settings may have cured. A worker calls this once, at its start. Returns how many rows.

        The first worker on a database only stores the settings.
        """
        total = 0
        for name, causes in CURES.items():
            with self._store.reading() as db:
                last_print = db.notes.text(NOTE + name)
            if last_print == self._prints[name]:
                continue
            if last_print and name == "stash":
                # Another server, or another key: what was known of the one before is no reason to wait.
                with self._store.writing() as tx:
                    for gate in (READ_STASH, WRITE_STASH):
                        gate_rows.start_anew(tx, gate, self._clock.now())
            if last_print:
                count = sum(map(self._raise_dead, causes)) + (self._wake_absent() if name == "paths" else 0)
                log.info("settings changed (%s): %d scenes are tried again", name, count)
                total += count
            with self._store.writing() as tx:
                tx.notes.save(NOTE + name, self._prints[name])
        return total

    def _raise_dead(self, cause: str) -> int:
        total, count = 0, BATCH
        while count == BATCH:
            with self._store.writing() as tx:
                count = tx.jobs.cure(cause, now=self._clock.now(), limit=BATCH)
            total += count
        return total

    def _wake_absent(self) -> int:
        total = 0
        after: tuple[str, int] = ("", 0)
        while True:
            with self._store.reading() as db:
                rows = db.jobs.in_state(State.ABSENT, limit=BATCH, after=after)
            if not rows:
                return total
            with self._store.writing() as tx:
                total += tx.jobs.wake([(row.kind, row.id) for row in rows], now=self._clock.now())
            after = (rows[-1].kind, rows[-1].id)

    # --- the index ---------------------------------------------------------------------------------------------------

    def recheck(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Inspect ambiguous scenes again if items were added, removed, changed or bound. Returns how many are retried.

        Costs two small reads while no library was walked. If a server is down, nothing is stored and a later call tries
        again.
        """
        with self._store.reading() as db:
            walked, last_outline = db.sections.all(), db.notes.text(INDEX)
            if (walked, last_outline) == self._compared:
                return 0
            outline = db.index.outline()
        count = 0
        if last_outline and last_outline != outline:
            if not self._gates.is_open(*READS):
                return 0
            try:
                count = self._look_again(stopping)
            except NeighbourError as error:
                log.info("ambiguous scenes are retried later: %s", error)
                return 0
            if stopping():
                return count
        if last_outline != outline:
            with self._store.writing() as tx:
                if tx.notes.text(INDEX) != last_outline:
                    # A binding has changed meanwhile.
                    return count
                tx.notes.save(INDEX, outline)
        self._compared = (walked, outline)
        return count

    def _look_again(self, stopping: Callable[[], bool]) -> int:
        total = 0
        for state, cause in BY_CANDIDATES:
            after: tuple[str, int] = (Kind.SCENE, 0)
            while not stopping():
                with self._store.reading() as db:
                    rows = db.jobs.in_state(state, error_class=cause, limit=LOOKED, after=after)
                ids = [row.id for row in rows if row.kind == Kind.SCENE]
                if not ids:
                    break
                inspections = self._inspector.look(ids)
                # Only complete inspections can be compared.
                certain = (
                    inspection
                    for inspection in inspections
                    if not inspection.error and not isinstance(inspection.outcome, Waiting)
                )
                total += self._try_again({inspection.id: inspection.desired for inspection in certain})
                after = (rows[-1].kind, rows[-1].id)
        if total:
            log.info("the items of Plex changed: %d ambiguous scenes are retried", total)
        return total

    def _try_again(self, wants: Mapping[int, str]) -> int:
        """Retry scenes whose candidates have changed. An unreadable or missing scene is not evidence."""
        count, now = 0, self._clock.now()
        with self._store.writing() as tx:
            for id, desired in wants.items():
                row = tx.jobs.find(Kind.SCENE, id)
                if row is not None and (row.state, row.cls) in BY_CANDIDATES and desired and desired != row.desired:
                    tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now, desired=desired)
                    count += 1
            tx.tallies.add("cured", count)
        return count
