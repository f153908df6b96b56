"""A button asks a closed server at once: the breaker's wait is for PlexSync, and not for you."""

import time
from collections.abc import Iterator

import pytest

from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.journey.world import World, until
from tests.web.conftest import Dash, dashboard
from tests.web.stage import work


@pytest.fixture
def closed(world: World) -> Iterator[Dash]:
    """A scene in sync, one that is undone, and a breaker that would rest for ten minutes. Plex is back since."""
    work(world, world.add(2))
    waits = {"breaker_recovery_timeout": "600", "breaker_max_recovery_timeout": "600"}
    with dashboard(world, **waits) as dash:
        dash.post("/act/scenes/undo", pick="2")
        work(world)
        world.plex.clear_log()
        with dash.parts.store.writing() as tx:
            row = BreakerRow(state="open", failures=5, opened_at=time.time(), wait=600.0, trips=1, error="it is away")
            tx.breakers.save(Neighbour.PLEX, row)
        yield dash


def state(dash: Dash) -> str:
    with dash.parts.store.reading() as db:
        return db.breakers.find(Neighbour.PLEX).state


PROGRAM = {"X-PlexSync": "1"}
PRESSED = {
    "sync": lambda dash: dash.post("/scenes/1/sync"),
    "retry": lambda dash: dash.post("/dead/retry", all="yes"),
    "bind": lambda dash: dash.post("/scenes/1/bind", item="1"),
    "undo": lambda dash: dash.post("/act/scenes/release", pick="1"),
    "redo": lambda dash: dash.post("/act/scenes/redo", pick="2"),
    "compare": lambda dash: dash.post("/reconcile", what="compare"),
    "API sync": lambda dash: dash.client.post("/api/sync", json={"scenes": [1]}, headers=PROGRAM),
    "API redo": lambda dash: dash.client.post("/api/scenes/2/redo", json={}, headers=PROGRAM),
    "API retry": lambda dash: dash.client.post("/api/dead/retry", json={"all": True}, headers=PROGRAM),
}


@pytest.mark.parametrize("name", PRESSED)
def test_a_button_asks_plex_at_once(name: str, closed: Dash) -> None:
    assert PRESSED[name](closed).status_code in (200, 202)
    until(lambda: state(closed) == "closed")
    assert closed.world.plex.count("PUT") == 0


def test_a_redo_says_why_it_waits_and_that_the_server_is_asked(closed: Dash) -> None:
    closed.world.plex.faults.set(Fault("status", status=500))
    after = closed.post("/act/scenes/redo", pick="2").text
    assert "1 scene to be synced again; Plex is down: it is away. It is asked now whether it can be used" in after
    until(lambda: closed.world.plex.count() == 1)


def test_a_page_that_is_only_looked_at_asks_nothing(closed: Dash) -> None:
    assert "Plex is down" in closed.get("/scenes/1").text
    assert (state(closed), closed.world.plex.count()) == ("open", 0)


def test_a_button_asks_once_and_says_that_it_does(closed: Dash) -> None:
    closed.world.plex.faults.set(Fault("status", status=500))
    with try_lock(closed.parts.folder):
        after = closed.post("/scenes/1/sync").text
    assert "Plex is down: it is away. It is asked now whether it can be used again." in after
    until(lambda: closed.world.plex.count() == 1)
    until(lambda: closed.world.rows("select trips from breaker where who = 'plex'") == [(2,)])
