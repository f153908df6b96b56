"""What a first sync costs with PostgreSQL, in answers of the server that are waited for: each is a round trip."""

from pathlib import Path

import psycopg
import pytest

from plexsync.store import database
from plexsync.store.address import StoreAddress
from plexsync.store.opening import open_database
from plexsync.store.postgres import backend
from tests import postgres_server
from tests.engine.house import House

SCENES = 100
ROUND_TRIPS = 15
READY = "ReadyForQuery"


@pytest.mark.skipif(bool(postgres_server.missing()), reason=postgres_server.missing())
def test_a_first_sync_takes_few_round_trips_a_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres_server.shared()
    name = server.new_database()
    address = StoreAddress(tmp_path / "data", server.url(name))
    (tmp_path / "data").mkdir(mode=0o700)
    open_database(address).close()
    connect, traced = backend.connect, tmp_path / "trace"

    def connect_and_trace(*args: object, **more: object) -> "psycopg.Connection":
        driver = connect(*args, **more)
        driver.pgconn.trace(trace.fileno())
        return driver

    monkeypatch.setattr(backend, "connect", connect_and_trace)
    monkeypatch.setattr(database, "SqliteFile", lambda *_, **more: backend.PostgresSchema(address))
    with traced.open("ab") as trace, House(tmp_path / "data") as house:
        ids = house.add(SCENES)
        before, counted = traced.read_text().count(READY), house.store.cost()[0]
        house.worker.reconciler.reconcile()
        house.work()
        answers, statements = traced.read_text().count(READY) - before, house.store.cost()[0] - counted
        assert all(house.title_in_plex(id) for id in ids)
        assert set(house.states()) == {"idle"}
    server.drop_database(name)
    assert answers <= ROUND_TRIPS * SCENES, statements
