"""Lives that change over in the middle: processes find their database as schema 15 has left it, now and then half-way.

Of the processes that begin with a database, every second finds it put back, and before every fourth of these another
process is killed in the step. What the lives promise is judged as ever.
"""

import os
import signal
import sqlite3
import sys
from pathlib import Path
from random import Random

import pytest

from plexsync.store import schema
from plexsync.store.db import connect
from tests.simulation import sim_both_ways, sim_collections, sim_plays, sim_run
from tests.simulation.running import Lives
from tests.simulation.sim_process import Disk, SimStore
from tests.store.fifteen import put_back
from tests.store_places import SqlitePlace

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
KINDS = {
    "scenes": sim_run.LIVES,
    "plays": sim_plays.LIVES,
    "both ways": sim_both_ways.LIVES,
    "collections": sim_collections.LIVES,
}
FIRST, FEW, STEPS = 31, 3, 80

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.skipif(sys.platform == "win32", reason="a process is forked to be killed"),
]


class Changeover:
    """Puts databases back before they are opened."""

    def __init__(self) -> None:
        self._rng = Random(15)
        self._open = SimStore.at
        self.steps = self.kills = 0

    def open(self, place: SqlitePlace, disk: Disk) -> SimStore:
        """Open the store of a place, which may have schema 15 by then."""
        if place.exists() and self._rng.random() < 1 / 2:
            put_back(place.path)
            self.steps += 1
            if self._rng.random() < 1 / 4:
                self._kill_in_the_step(place.path, self._rng.randrange(200))
        return self._open(place, disk)

    def _kill_in_the_step(self, path: Path, after: int) -> None:
        if not (child := os.fork()):
            migrate = schema.migrate

            def watched(db: sqlite3.Connection) -> None:
                steps = iter(range(after))

                def step() -> None:
                    if next(steps, None) is None:
                        os.kill(os.getpid(), signal.SIGKILL)

                db.set_progress_handler(step, 1)
                migrate(db)

            schema.migrate = watched
            connect(path)
            os._exit(0)
        self.kills += os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.fixture
def changeover(monkeypatch: pytest.MonkeyPatch) -> Changeover:
    made = Changeover()
    monkeypatch.setattr(SimStore, "at", made.open)
    return made


def lived(changeover: Changeover, lives: Lives, first: int, count: int, steps: int) -> None:
    report = lives.run(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert changeover.steps


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_few_lives_that_change_over_nothing_is_lost_doubled_or_wrong(kind: str, changeover: Changeover) -> None:
    lived(changeover, KINDS[kind], FIRST, FEW, STEPS)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_in_many_lives_that_change_over_nothing_is_lost_doubled_or_wrong(kind: str, changeover: Changeover) -> None:
    lived(changeover, KINDS[kind], FIRST + FEW, 200 if TORTURE else 40, 200)
    assert changeover.kills
