"""What the inspection says about commits that wait for a synchronous standby server, by a user with no special right."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from plexsync.app.parts import open_parts
from plexsync.reports.status import facts
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.worker_locks import locks_at
from plexsync.store.opening import open_database
from plexsync.store.postgres.inspection import inspect
from tests.patience import HANG, until
from tests.postgres_server import Server
from validation.config import PlexSyncConfig

pytestmark = pytest.mark.needs_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as made:
        made.query("create role plain login")
        made.query("create database plain owner plain")
        yield made


@pytest.fixture
def address(server: Server, tmp_path: Path) -> StoreAddress:
    return StoreAddress(tmp_path, server.url("plain").replace("store@", "plain@"))


def wait_for_standbys(server: Server, names: str) -> None:
    """Let commits wait for these standby servers from now on."""
    server.query(f"alter system set synchronous_standby_names = '{names}'")
    server.query("select pg_reload_conf()")
    until(lambda: server.query("show synchronous_standby_names") == [[names]])


def test_a_commit_that_waits_for_a_standby_that_is_gone_is_known(server: Server, address: StoreAddress) -> None:
    with ExitStack() as own:
        store = own.enter_context(closing(open_database(address)))
        found = inspect(address, lambda: 0)
        assert (found.lacks_standby, found.commit_wait) == (False, 0.0)
        locks = own.enter_context(closing(locks_at(address)))
        assert locks.commit_wait() == 0.0
        config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20, database_url=address.url)
        parts = own.enter_context(open_parts(config, address.folder))
        assert facts(parts)["worker"]["commit_wait"] == 0.0

        def write() -> None:
            with closing(open_database(address)) as another, another.writing() as tx:
                tx.notes.save("a", "1")

        writing = threading.Thread(target=write)
        try:
            wait_for_standbys(server, 'FIRST 1 (gone, "Far Away")')
            found = inspect(address, lambda: 0)
            assert (found.lacks_standby, found.commit_wait) == (True, 0.0)
            writing.start()
            until(lambda: inspect(address, lambda: 0).commit_wait > 0)
            assert locks.commit_wait() > 0.0
            assert facts(parts)["worker"]["commit_wait"] > 0.0
        finally:
            wait_for_standbys(server, "")
        writing.join(HANG)
        found = inspect(address, lambda: 0)
        assert (found.lacks_standby, found.commit_wait) == (False, 0.0)
        with store.reading() as db:
            assert db.notes.text("a") == "1"


@pytest.mark.parametrize(
    ("names", "lacks"), [("gone", True), ("gone, Near", False), ('ANY 1 ("near", gone)', False), ("*", False)]
)
def test_a_standby_that_is_connected_is_found_by_its_name(
    server: Server, address: StoreAddress, names: str, lacks: bool
) -> None:
    open_database(address).close()
    try:
        with psycopg.connect(server.url(), replication="true", application_name="near", autocommit=True):
            wait_for_standbys(server, names)
            assert inspect(address, lambda: 0).lacks_standby is lacks
        wait_for_standbys(server, "*")
        until(lambda: inspect(address, lambda: 0).lacks_standby)
    finally:
        wait_for_standbys(server, "")


def test_where_there_are_no_tables_yet_none_are_made_whose_commit_would_wait(server: Server, tmp_path: Path) -> None:
    waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
    with server.database() as url, ThreadPoolExecutor(1) as pool:
        address = StoreAddress(tmp_path, url)
        try:
            wait_for_standbys(server, "gone")
            for use in (open_database, lambda address: locks_at(address).is_locked()):
                using = pool.submit(use, address)
                until(lambda using=using: using.done() or server.query(waiting) != [["0"]])
                assert using.done(), "its commit waits"
                error = using.exception()
                assert isinstance(error, LocalFault)
                assert "of synchronous_standby_names is connected, and none is" in str(error)
                assert error.away, "a worker waits until it is back"
            assert server.query(
                "select count(*) from pg_namespace where nspname = 'plexsync'", url.rpartition("/")[2]
            ) == [["0"]]
        finally:
            wait_for_standbys(server, "")
        open_database(address).close()
