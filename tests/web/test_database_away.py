"""PostgreSQL goes away and comes back while the dashboard runs: what its pages say, and what its log."""

import html
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.web import live
from plexsync.web.app import GOES_ON, LOAD_AGAIN, LOOK_AGAIN
from plexsync.web.context import THREADS, Desk
from plexsync.web.entry_desks import EntryDesk
from plexsync.web.live import DatabaseOutage
from tests.journey.world import World, until
from tests.postgres_proxy import Proxy
from tests.postgres_server import shared
from tests.web.conftest import Dash, dashboard

on_postgres = pytest.mark.needs_postgres
AWAY = "the dashboard can't use the database: "
BACK = "the dashboard can use the database again"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared().port) as made:
        yield made


@pytest.fixture
def away(world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dash]:
    """A dashboard on PostgreSQL, which is reached by a proxy."""
    monkeypatch.setattr(live, "QUIET", 0.0)
    monkeypatch.setattr(live, "AGAIN", 0.5)
    name = shared().new_database()
    with dashboard(world, database_url=shared().url(name, port=proxy.port)) as made:
        yield made
    shared().drop_database(name)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the dashboard has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "PlexSync.web"]


def ask_in_every_thread(dash: Dash, path: str) -> set[int]:
    """Ask for a page so often at once that every thread of the pages answers; returns the statuses."""
    with ThreadPoolExecutor(THREADS) as threads:
        return {answer.status_code for answer in threads.map(lambda _: dash.get(path), range(4 * THREADS))}


@on_postgres
def test_no_page_fails_once_the_database_is_back(away: Dash, proxy: Proxy) -> None:
    assert ask_in_every_thread(away, "/scenes") == {200}
    proxy.refuse()
    assert away.get("/scenes").status_code == 503
    proxy.mend()
    assert ask_in_every_thread(away, "/scenes") == {200}
    assert ask_in_every_thread(away, "/") == {200}


@on_postgres
def test_a_page_says_that_plexsync_goes_on_by_itself(away: Dash, proxy: Proxy) -> None:
    token = away.token()
    proxy.refuse()
    answer = away.get("/scenes")
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    text = html.unescape(answer.text)
    assert "can't be reached: the connection is refused" in text
    assert f"<p>{GOES_ON} {LOAD_AGAIN}</p>" in text
    # What a button was pressed for may be done or not.
    answer = away.client.post("/scenes/1/sync", data={"token": token})
    assert answer.status_code == 503
    assert f"<p>{GOES_ON} {LOOK_AGAIN}</p>" in html.unescape(answer.text)
    assert list(away.get("/api/status").json()) == ["error"]


@pytest.mark.parametrize(
    "error", [LocalFault("no space is left", full=True), Unusable("repair it"), NewerDatabase("update this one")]
)
def test_what_you_have_to_repair_is_not_said_to_pass(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(dash.parts.store, "reading", fail)
    answer = dash.get("/scenes")
    assert answer.status_code == 503
    assert str(error) in answer.text
    assert GOES_ON not in answer.text


@on_postgres
def test_an_outage_is_logged_once_and_its_end_as_well(
    away: Dash, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "PlexSync.web")
    for _ in range(2):
        caplog.clear()
        proxy.refuse()
        # Pages show figures that are half a second old.
        away.entries.first.desk.stale()
        assert {away.get(path).status_code for path in ("/", "/scenes", "/api/status", "/metrics")} == {503}
        assert len(said(caplog)) == 1
        assert said(caplog)[0].startswith(AWAY)
        assert "the connection is refused" in said(caplog)[0]
        proxy.mend()
        # No page is open.
        until(lambda: BACK in said(caplog))
        assert away.get("/").status_code == 200
        assert said(caplog)[1:] == [BACK]


def test_a_database_of_several_that_is_opened_later_is_logged(dash: Dash, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "PlexSync.web")
    faults = [LocalFault("it is away")] * 3

    @contextmanager
    def opening() -> Iterator[Desk]:
        if faults:
            raise faults.pop()
        yield dash.entries.first.desk

    with closing(EntryDesk("kids", opening)) as entry:
        for _ in range(5):
            entry.try_open()
    assert said(caplog) == [
        "the dashboard can't use the database of kids: it is away",
        "the dashboard can use the database of kids now",
    ]


def test_an_outage_is_over_only_after_a_while_without_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some connections may work while others fail."""
    caplog.set_level(logging.INFO, "PlexSync.web")
    now = [100.0]
    monkeypatch.setattr(live, "monotonic", lambda: now[0])
    outage = DatabaseOutage("kids")
    outage.end()
    for _ in range(5):
        outage.begin(LocalFault("it has no free connection"))
        now[0] += live.QUIET - 1
        outage.end()
        assert outage.goes_on
    now[0] += 1
    outage.end()
    outage.end()
    assert not outage.goes_on
    assert said(caplog) == [
        "the dashboard can't use the database of kids: it has no free connection",
        "the dashboard can use the database of kids again",
    ]
