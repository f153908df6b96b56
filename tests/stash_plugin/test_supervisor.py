"""A start that was refused is made once more at the end of its minute, by the supervisor."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from plexsync.simulator.stash_hooks import Connection
from plexsync.simulator.stash_server import StashSim
from plexsync.stash_plugin import supervisor
from plexsync.stash_plugin.supervisor import Supervisor
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.files import life_signs
from plexsync.store.files.lock import try_lock


class Minute:
    """A clock that goes on while somebody sleeps; `acts` are done at their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self.acts = {}

    def sleep(self, seconds):
        self.now += seconds
        if act := self.acts.pop(self.now, None):
            act()


@pytest.fixture
def clock(monkeypatch):
    made = Minute()
    names = {"monotonic": lambda: made.now, "sleep": made.sleep, "strftime": time.strftime, "gmtime": time.gmtime}
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(**names))
    return made


@pytest.fixture
def stash():
    """It has a login, and no API key yet."""
    made = StashSim()
    made.username = "someone"
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path):
    place = tmp_path / "data"
    Database(place / intake.DATABASE).close()
    return place


def supervised(stash, folder, *, retries=True):
    """The supervisor of a program that ends at once, and in good order if Stash lets it in."""
    server = Connection(stash.port, stash.sessions.open(), host="127.0.0.1").described(str(folder), "")
    order = {"module": "plexsync", "words": ["--version"], "path": [], "environ": {}, "server": server, "life": None}
    return Supervisor({**order, "leash": False, "folder": str(folder), "retries": retries}, str(folder))


def makes_key(stash):
    stash.api_key = "the-key-that-was-made-0123456789"


def test_a_start_that_was_refused_is_made_again_at_the_end_of_the_minute_in_which_events_start_none(
    stash, folder, clock
):
    clock.acts[25.0] = lambda: makes_key(stash)
    assert supervised(stash, folder).run() == 0
    assert clock.now * 1000 == life_signs.STARTING


def test_it_is_made_again_once_so_that_a_worker_that_can_not_start_costs_little(stash, folder, clock):
    assert supervised(stash, folder).run() == 1
    assert clock.now * 1000 == life_signs.STARTING


@pytest.mark.parametrize("what", ["asked by a person", "asked to end", "another worker"])
def test_it_is_not_made_again_when_there_is_no_need(what, stash, folder, clock):
    own = supervised(stash, folder, retries=what != "asked by a person")
    locks = []
    if what == "asked to end":
        clock.acts[2.0] = lambda: own.stop(15, None)
    elif what == "another worker":
        clock.acts[2.0] = lambda: locks.append(try_lock(folder))
    assert own.run() == 1
    assert clock.now == (0.0 if what == "asked by a person" else 2.0)
    assert len(locks) == (what == "another worker")
