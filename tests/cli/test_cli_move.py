"""move as a person calls it, and what doctor, backup, restore and the other commands say of a database in PostgreSQL."""

import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plexsync.app.settings import known_place
from plexsync.cli.checks.postgres import server as server_checks
from plexsync.rules.queue.machine import Machine
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.lock import try_lock
from plexsync.store.postgres import inspection
from plexsync.store.postgres.inspection import ServerCheck
from plexsync.store.postgres.locks import SharedLocks
from tests import postgres_server
from tests.cli.conftest import Door
from tests.cli.test_cli_doctor import check
from tests.journey.world import World
from tests.stores import connected
from validation.config import PlexSyncConfig
from validation.sources import Loaded

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.needs_postgres,
]
PASSWORD = "hunter2%40hunter2"


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_server.shared().database() as url:
        # The server asks for no password, so any is right.
        yield url.replace("store@", f"store:{PASSWORD}@")


@pytest.fixture
def file(tmp_path: Path, url: str) -> Path:
    path = tmp_path / "url"
    path.write_text(url + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def synced(world: World, door: Door) -> World:
    ids = world.add(3)
    assert door("sync", *ids, "--wait").code == 0
    return world


@pytest.fixture
def moved(synced: World, door: Door, file: Path) -> World:
    """A world whose database has moved, with the setting that move asks for."""
    assert door("move", "--to-file", file).code == 0
    synced.settings["database_url_file"] = str(file)
    return synced


def test_after_a_move_everything_goes_on_as_before(synced: World, door: Door, file: Path) -> None:
    before = door("status", "--json").facts["scenes"]
    done = door("move", "--to-file", file)
    assert done.code == 0
    assert "copied to the database" in done.out
    assert "set database_url (or database_url_file) to that address on every machine" in done.out
    (kept,) = synced.folder.glob("plexsync.moved-*.db")
    assert str(kept) in done.out.replace("\n", "")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    synced.settings["database_url_file"] = str(file)
    assert door("status", "--json").facts["scenes"] == before
    writes = synced.plex.count("PUT")
    assert door("sync", "1", "--wait").code == 0
    assert synced.plex.count("PUT") == writes
    assert not (synced.folder / "plexsync.db").exists()


def test_the_database_of_an_entry_goes_to_its_own_schema_and_back(
    world: World, door: Door, file: Path, url: str
) -> None:
    toml = world.folder.parent / "plexsync.toml"
    other = world.plex.url.replace("127.0.0.1", "localhost")
    toml.write_text(f'[[plex]]\nname = "living"\n[[plex]]\nname = "old-barn"\nplex_url = "{other}"\n')
    world.settings["config"] = str(toml)
    (id,) = world.add(1)
    assert door("sync", id, "--wait", "--plex", "old-barn").code == 0
    done = door("move", "--to-file", file, "--plex", "old-barn")
    assert done.code == 0
    assert "database_schema" not in done.out, "the entry has its schema by its name"
    assert "each other Plex server moves by itself: plexsync move --plex living\n" in done.out
    held = "select nspname from pg_namespace where starts_with(nspname::text, 'plexsync')"
    with connected(StoreAddress(world.folder, url)) as db:
        assert [name for (name,) in db.execute(held).fetchall()] == ["plexsync_old_barn"]
    world.settings["database_url_file"] = str(file)
    writes = world.plex.count("PUT")
    assert door("sync", id, "--wait", "--plex", "old-barn").code == 0
    assert world.plex.count("PUT") == writes
    assert door("move", "--to", "sqlite", "--plex", "old-barn").code == 0
    assert (world.folder / "plex-old-barn" / "plexsync.db").is_file()
    assert not (world.folder / "plexsync.db").exists()


def test_the_database_comes_back_into_the_file(moved: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    before = door("status", "--json").facts["scenes"]
    done = door("move", "--to", "sqlite", "--json")
    assert done.code == 0
    assert done.facts["moved"] is True
    assert done.facts["to"] == "plexsync.db"

    refused = door("sync", "1")
    assert refused.code == 2
    assert "has moved to plexsync.db: change database_url" in refused.err
    del moved.settings["database_url_file"]
    monkeypatch.delenv("PLEXSYNC_DATABASE_URL_FILE")
    assert door("status", "--json").facts["scenes"] == before
    assert door("sync", "1", "--wait").code == 0


def test_while_a_worker_runs_move_refuses(synced: World, door: Door, file: Path) -> None:
    with try_lock(synced.folder):
        done = door("move", "--to-file", file, "--json")
    assert done.code == 1
    assert done.facts == {"moved": False, "error": "a worker runs on plexsync.db: stop it first, then move"}


def test_while_a_worker_runs_on_another_machine_move_refuses(
    moved: World, door: Door, url: str, tmp_path: Path
) -> None:
    with closing(SharedLocks(StoreAddress(tmp_path, url))) as locks:
        lock = locks.try_worker(Machine("nas", 1, "1", "b" * 16, {}), lambda _: True)
        assert lock is not None
        with lock:
            done = door("move", "--to", "sqlite")
    assert done.code == 1
    assert "a worker runs on the database" in done.err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "Give one of --to and --to-file"),
        (("--to", "sqlite", "--to-file", "url"), "Give one of --to and --to-file"),
        (("--to", "sqlite"), "plexsync.db is the database in use already"),
        (("--to", "mysql://hunter2hunter2@db/x"), "--to must start with postgresql://"),
        (("--to-file", "missing"), "--to-file must name a file that exists"),
        (("--to", "postgresql://db/x", "--schema", 'a"; drop'), "--schema must be at most 63 lower-case letters"),
    ],
)
def test_what_can_not_be_moved_to_is_told_without_a_word_of_it(
    world: World, door: Door, words: tuple[str, ...], error: str
) -> None:
    done = door("move", *words)
    assert done.code == 2
    assert error in done.err
    assert "hunter2" not in done.out + done.err


def test_a_forgotten_move_is_not_begun_anew_in_silence(synced: World, door: Door, file: Path) -> None:
    """With the setting alone, PlexSync would begin with an empty database, and hooks would write to the file."""
    synced.settings["database_url_file"] = str(file)
    for words in (("sync", "1", "--wait"), ("status",), ("dlq", "list")):
        done = door(*words)
        assert done.code == 2, words
        assert "plexsync.db is there" in done.err
        assert "run plexsync move" in done.err
    old = check(door("doctor", "--json"), "database")
    assert old["state"] == "problem"
    assert "plexsync.db is there" in old["told"]

    assert door("move", "--to-file", file).code == 0
    assert door("sync", "1", "--wait").code == 0
    done = door("move", "--to-file", file)
    (kept,) = synced.folder.glob("plexsync.moved-*.db")
    assert (done.code, f"the move is finished the old file is kept as {kept}" in " ".join(done.out.split())) == (
        0,
        True,
    )
    kept.unlink()
    done = door("move", "--to-file", file)
    assert done.code == 2
    assert f"there is no database in {synced.folder}: nothing to move" in done.err


def test_no_command_shows_the_url_or_its_password(
    moved: World, door: Door, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (("status",), ("doctor",), ("doctor", "--json"), ("config", "list"), ("backup", "x"), ("report",)):
        done = door(*words)
        assert "hunter2" not in done.out + done.err, words
    for path in moved.folder.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
    moved.settings["database_url"] = url.replace("store:", "nobody:")
    del moved.settings["database_url_file"]
    monkeypatch.delenv("PLEXSYNC_DATABASE_URL_FILE")
    done = door("status")
    assert "does not know the user of database_url" in done.err
    assert "hunter2" not in done.err


def test_backup_and_restore_name_the_programs_of_postgresql(moved: World, door: Door, tmp_path: Path) -> None:
    saved = door("backup", tmp_path / "copy")
    assert saved.code == 2
    assert "pg_dump --format=custom --schema=plexsync" in saved.err
    restored = door("restore", tmp_path / "copy", answer="y\n")
    assert restored.code == 2
    assert "pg_restore --clean --if-exists" in restored.err


def test_with_postgresql_the_usual_folder_is_known_while_stash_is_away(tmp_path: Path) -> None:
    """There is no database file that would show which folder is in use."""
    usual = tmp_path / ".local" / "share" / "plexsync"
    required = {"plex_url": "http://plex", "plex_token": "token"}
    for given, expected in (({}, None), ({"database_url": "postgresql://db/plexsync"}, usual)):
        loaded = Loaded(PlexSyncConfig(**required, **given), {})
        assert known_place(loaded, {"HOME": str(tmp_path)}) is None
        usual.mkdir(parents=True)
        found = known_place(loaded, {"HOME": str(tmp_path)})
        assert (found and found.path) == expected
        usual.rmdir()


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_doctor_tells_of_the_server(moved: World, door: Door) -> None:
    done = door("doctor", "--json")
    told = {name: check(done, name)["told"] for name in ("database", "latency", "connections", "clock of the database")}
    assert "PostgreSQL 1" in told["database"]
    assert "schema plexsync of version" in told["database"]
    assert told["latency"].endswith(" ms for a round trip")
    assert told["connections"].endswith(" are free")
    assert told["clock of the database"].endswith(" s from this machine's")
    assert check(done, "books")["told"] == "balanced: 3 accepted"
    assert "SQLite" not in {one["name"] for one in done.facts["checks"]}


def test_doctor_does_not_wait_with_commits_that_wait(moved: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would write, such as that Stash is away, comes after the checks of the database."""
    real = inspection.inspect
    monkeypatch.setattr(inspection, "inspect", lambda *words: replace(real(*words), lacks_standby=True))
    monkeypatch.setattr(Database, "writing", None)
    moved.stash.stop()
    done = door("doctor", "--json")
    assert done.code == 1
    assert check(done, "commits")["state"] == "problem"
    assert check(done, "books")["state"] == "ok"
    assert "worker" not in {one["name"] for one in done.facts["checks"]}


def test_doctor_says_what_to_do_about_a_database_that_can_not_be_used(moved: World, door: Door, url: str) -> None:
    del moved.settings["database_url_file"]
    moved.settings["database_url"] = url.rpartition("/")[0] + "/missing"
    found = check(door("doctor", "--json"), "database")
    assert found["state"] == "problem"
    assert "does not exist: create it" in found["told"]
    assert found["mend"] == "mend that (docs/postgresql.md)"


SOUND = ServerCheck("15.1", 11, 2**20, 1.0, 0, 90, encrypted=True, changes_sessions=False)


@pytest.mark.parametrize(
    ("facts", "name", "state", "words"),
    [
        ({}, "database", "ok", "PostgreSQL 15.1, schema plexsync of version 11, 1.0 MB; the connection is encrypted"),
        ({"encrypted": False}, "database", "ok", "the connection is not encrypted"),
        ({"changes_sessions": True}, "database", "problem", "behind a pooler in transaction mode"),
        (
            {"lacks_standby": True},
            "commits",
            "problem",
            "of synchronous_standby_names is connected, and none is",
        ),
        ({"lacks_standby": True, "commit_wait": 61.2}, "commits", "problem", "one waits for 61 s by now"),
        (
            {"commit_wait": 61.2},
            "commits",
            "problem",
            "of synchronous_standby_names that does not answer",
        ),
        ({"latency": 25.04}, "latency", "warning", "25.0 ms for a round trip"),
        ({"free": 3}, "connections", "warning", "3 are free"),
        ({"free": -2}, "connections", "warning", "0 are free"),
        ({"ahead": 59_000}, "clock of the database", "ok", "59.0 s from this machine's"),
        ({"ahead": 120_000}, "clock of the database", "warning", "120 s ahead of this machine's"),
        ({"ahead": -120_000}, "clock of the database", "warning", "120 s behind this machine's"),
    ],
)
def test_each_trouble_of_a_server_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, facts: dict[str, object], name: str, state: str, words: str
) -> None:
    class Stand:
        address = StoreAddress(tmp_path, "postgresql://db/plexsync")

    found = ServerCheck(**{**vars(SOUND), **facts})  # type: ignore[arg-type]
    monkeypatch.setattr(inspection, "inspect", lambda _address, _now: found)
    (one,) = [one for one in server_checks(Stand()) if one.name == name]  # type: ignore[arg-type]
    assert one.state == state
    assert words in one.message


def test_the_inspection_knows_a_pooler_that_changes_sessions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    """Such a pooler gives our session to another connection that begins a transaction."""
    address = StoreAddress(tmp_path, url)
    with closing(SharedLocks(address)) as locks:
        locks.is_locked()
    assert not inspection.inspect(address, lambda: 0).changes_sessions
    real, pids = inspection.value, iter((1, 1, 2))
    monkeypatch.setattr(inspection, "value", lambda db, sql: next(pids) if sql == inspection.PID else real(db, sql))
    assert inspection.inspect(address, lambda: 0).changes_sessions
