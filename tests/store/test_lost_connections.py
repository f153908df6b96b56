"""The connection to PostgreSQL is lost at any message: the store says so by a fault that passes, and works again.

`tests.torture.lost_connections` does the same to everything that the store does, and looks at what is stored.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from tests import postgres_server
from tests.patience import until
from tests.postgres_proxy import Proxy

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.needs_postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    server = postgres_server.shared()
    name = server.new_database()
    yield name
    server.drop_database(name)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(postgres_server.shared().port) as proxy:
        yield proxy


@pytest.fixture
def address(tmp_path: Path, database: str, proxy: Proxy) -> StoreAddress:
    return StoreAddress(tmp_path, postgres_server.shared().url(database, port=proxy.port), f"s{os.getpid()}")


@pytest.mark.parametrize("answers", [False, True])
def test_a_connection_that_ends_while_the_store_is_opened_is_a_fault_that_passes(
    address: StoreAddress, proxy: Proxy, answers: bool
) -> None:
    open_database(address).close()
    # The end of a connection is a message, too.
    until(lambda: not proxy.connections)
    proxy.cut_at(0, answers=answers)
    store = open_database(address)
    count = proxy.passed[answers]
    store.close()
    until(lambda: not proxy.connections)
    assert count > 1
    for number in range(1, count + 1):
        proxy.cut_at(number, answers=answers)
        with pytest.raises(LocalFault):
            open_database(address)
    proxy.cut_at(0, answers=answers)
    open_database(address).close()


def test_a_server_that_is_away_is_a_fault_until_it_is_back(address: StoreAddress, proxy: Proxy) -> None:
    store = open_database(address)
    proxy.refuse()
    for _ in range(2):
        with pytest.raises(LocalFault, match="refused"), store.writing() as tx:
            tx.jobs.want(Kind.SCENE, 7, Why.EDIT, 1000)
    proxy.mend()
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 8, Why.EDIT, 1000)
    with store.reading() as db:
        assert db.jobs.find(Kind.SCENE, 7) is None
        assert db.jobs.find(Kind.SCENE, 8)
    store.close()


def test_the_driver_logs_nothing_since_it_would_name_the_user(
    address: StoreAddress, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_database(address)
    with pytest.raises(LocalFault), store.writing() as tx:
        proxy.cut()
        tx.notes._db.execute_many("insert into note (name, value) values (:name, '')", [{"name": n} for n in "abc"])
    assert [record.getMessage() for record in caplog.records] == []
    store.close()


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_commit_whose_answer_is_lost_may_be_stored_and_the_fault_says_so(
    address: StoreAddress, proxy: Proxy, is_stored: bool
) -> None:
    store = open_database(address)
    id = 20 + is_stored
    (proxy.drop_commits if is_stored else proxy.drop_requests)()
    with pytest.raises(LocalFault, match="may or may not be stored"), store.writing() as tx:
        tx.jobs.want(Kind.SCENE, id, Why.EDIT, 1000)
    with store.reading() as db:
        assert bool(db.jobs.find(Kind.SCENE, id)) is is_stored
    assert proxy.commits_dropped == 1
    store.close()
