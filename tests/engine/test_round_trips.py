"""What a first sync costs with PostgreSQL, in answers of the server that are waited for: each is a round trip."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plexsync.store import database
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from plexsync.store.postgres import backend
from tests import postgres_server
from tests.engine.house import House

SCENES = 100
ROUND_TRIPS = 15
READY = "ReadyForQuery"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[StoreAddress]:
    (tmp_path / "data").mkdir(mode=0o700)
    with postgres_server.shared().database() as url:
        yield StoreAddress(tmp_path / "data", url)


@pytest.mark.needs_postgres
def test_a_first_sync_takes_few_round_trips_a_scene(
    address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(address).close()
    connect, traced = backend.connect, tmp_path / "trace"

    def connect_and_trace(*args: object, **more: object) -> "psycopg.Connection":
        driver = connect(*args, **more)
        driver.pgconn.trace(trace.fileno())
        return driver

    monkeypatch.setattr(backend, "connect", connect_and_trace)
    monkeypatch.setattr(database, "SqliteFile", lambda *_, **more: backend.PostgresSchema(address))
    with traced.open("ab") as trace, House(address.folder) as house:
        ids = house.add(SCENES)
        before, counted = traced.read_text().count(READY), house.store.cost()[0]
        house.worker.reconciler.reconcile()
        house.work()
        answers, statements = traced.read_text().count(READY) - before, house.store.cost()[0] - counted
        assert all(house.title_in_plex(id) for id in ids)
        assert set(house.states()) == {"idle"}
    assert answers <= ROUND_TRIPS * SCENES, statements
