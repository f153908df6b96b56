"""The log of transitions: what it keeps, and for how long."""

import pytest

from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.queue.job import PLAYS, Kind, Why
from plexsync.rules.queue.outages import Transition, outages
from plexsync.rules.servers.errors import Neighbour
from plexsync.store.database import Database
from plexsync.store.queue import breakers

PLEX, WRITES = Neighbour.PLEX, GateName.STASH_WRITES
T = 1_768_471_200_000


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    store = Database(folder / "plexsync.db")
    yield store
    store.close()


def log(tx, at, old, new):
    tx.transitions.log(PLEX, at=T + at, old=old, new=new, cause="read", error="" if new == "closed" else "away")


def test_a_line_tells_how_many_rows_wait_at_that_moment(store):
    with store.writing() as tx:
        log(tx, 0, "closed", "open")
        for id in range(1, 4):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
        tx.jobs.claim(1, now=T + 5000, lease_ms=60_000, holder="one")
        log(tx, 1, "open", "half_open")
    with store.reading() as db:
        assert db.transitions.all() == [
            Transition(PLEX, T, "closed", "open", "read", "away", 0),
            Transition(PLEX, T + 1, "open", "half_open", "read", "away", 3),
        ]


def test_a_line_about_writes_to_stash_tells_of_how_many_scenes_plays_wait(store):
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, T)
        for id in (1, 2):
            tx.jobs.want(PLAYS, id, Why.EDIT, T)
        for name in (WRITES, PLEX, "somebody"):
            tx.transitions.log(name, at=T, old="closed", new="open", cause="write", error="no")
    with store.reading() as db:
        assert [(line.server, line.waiting) for line in db.transitions.all()] == [(WRITES, 2), (PLEX, 1)]
        assert db.transitions.all()[0].server is WRITES


def test_failed_probes_are_forgotten_first_so_that_a_long_outage_keeps_its_beginning(store, monkeypatch):
    monkeypatch.setattr(
        breakers, "FORGET_TRANSITIONS", breakers.FORGET_TRANSITIONS.replace("10000\n", "10\n").replace("100000", "100")
    )
    with store.writing() as tx:
        log(tx, 0, "closed", "open")
        for n in range(1, 30):
            log(tx, 2 * n, "open", "half_open")
            log(tx, 2 * n + 1, "half_open", "open")
        kept = tx.transitions.all()
        assert len(kept) == 11
        (found,) = outages(kept)
        assert found.start == T
        for n in range(200):
            log(tx, 100 + 2 * n, "half_open", "closed")
            log(tx, 101 + 2 * n, "closed", "open")
        assert len(tx.transitions.all()) == 100
