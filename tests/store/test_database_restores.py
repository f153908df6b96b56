"""A restored dump, and a server that took over, are noticed by the next worker; so are journals that lack something."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Why
from plexsync.rules.queue.machine import Machine
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from plexsync.store.postgres.locks import PRINTS, SharedLocks
from tests import postgres_server
from tests.postgres_server import Server

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.needs_postgres,
]
HERE = Machine("here", 1, "1", "a" * 16, {})
THERE = Machine("there", 2, "1", "b" * 16, {})


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_server.shared().database() as url:
        yield url


@pytest.fixture
def address(tmp_path: Path, url: str) -> StoreAddress:
    return StoreAddress(tmp_path, url)


def worked(address: StoreAddress, machine: Machine = HERE) -> None:
    """A worker begins and ends."""
    with closing(SharedLocks(address)) as locks:
        lock = locks.try_worker(machine, lambda _: True)
        assert lock is not None
        lock.release()


def notes(address: StoreAddress) -> dict[str, str]:
    with closing(open_database(address)) as store, store.reading() as db:
        return db.notes.all()


@pytest.fixture
def used(address: StoreAddress) -> StoreAddress:
    """A database with content, which a worker has used."""
    with closing(open_database(address)) as store, store.writing() as tx:
        tx.jobs.want("scene", 7, Why.EDIT, 1_000)
        for name in ("reconcile:last", "reconcile:cursor", "stash:settings"):
            tx.notes.save(name, "5")
    worked(address)
    assert notes(address)["reconcile:last"] == "5"
    return address


def is_noticed(address: StoreAddress) -> bool:
    """Whether the note of a restore is there, and what is due after it."""
    found = notes(address)
    if "restored" not in found:
        return False
    assert int(found["restored"]) > 1_700_000_000_000
    assert [found[name] for name in ("reconcile:last", "reconcile:cursor", "stash:settings")] == ["", "", ""]
    return True


def client(name: str, address: StoreAddress, *words: str) -> None:
    subprocess.run([str(postgres_server.program(name)), "-d", address.url, *words], check=True, capture_output=True)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_that_is_restored_in_its_place_is_noticed_once(used, tmp_path, form):
    dump = tmp_path / "dump"
    client("pg_dump", used, f"--format={form}", "--schema=plexsync", "--clean", "--if-exists", f"--file={dump}")
    worked(used)
    assert not is_noticed(used)

    if form == "custom":
        client("pg_restore", used, "--clean", "--if-exists", str(dump))
    else:
        client("psql", used, "-q", "-f", str(dump))
    worked(used, THERE)
    assert is_noticed(used)

    with closing(open_database(used)) as store, store.writing() as tx:
        tx.notes.save("reconcile:last", "9")
    worked(used)
    assert notes(used)["reconcile:last"] == "9"


def test_a_dump_that_is_restored_into_another_database_is_noticed(used, tmp_path):
    dump = tmp_path / "dump"
    client("pg_dump", used, "--format=custom", f"--file={dump}")
    with postgres_server.shared().database() as url:
        other = StoreAddress(used.folder, url)
        client("pg_restore", other, str(dump))

        worked(other)

        assert is_noticed(other)


def test_a_restart_of_the_server_is_no_restore(tmp_path):
    with Server() as server:
        address = StoreAddress(tmp_path, server.url(server.new_database()))
        worked(address)
        server.restart()
        worked(address)
        assert not is_noticed(address)


def test_a_standby_server_that_takes_over_may_lack_something(tmp_path):
    with Server(synced=True) as server:
        name = server.new_database()
        address = StoreAddress(tmp_path, server.url(name))
        with closing(open_database(address)) as store, store.writing() as tx:
            for key in ("reconcile:last", "reconcile:cursor", "stash:settings"):
                tx.notes.save(key, "5")
        worked(address)
        copy = server.standby()
        try:
            copy.wait_for(server)
            server.stop("kill")
            copy.promote()
            after = StoreAddress(tmp_path, copy.url(name))
            worked(after)
            assert is_noticed(after)
        finally:
            copy.remove()


def test_a_server_that_keeps_its_identity_from_users_has_a_print_as_well(used):
    postgres_server.shared().query(PRINTS[1].replace("'note'", "'plexsync.note'"), used.url.rpartition("/")[2])


def test_the_journals_of_a_machine_that_was_replaced_in_between_are_discarded(used):
    journal, past = used.folder / "journal", used.folder / "journal.1"
    for file in (journal, past, used.folder / "plays"):
        file.write_text("something")

    worked(used, HERE)
    assert journal.exists()

    elsewhere = StoreAddress(used.folder / "there", used.url)
    elsewhere.folder.mkdir()
    worked(elsewhere, THERE)
    assert journal.exists()

    worked(used, HERE)
    assert not journal.exists()
    assert not past.exists()
    assert not (used.folder / "plays").exists()
