"""Databases of every released schema, as they were left then: brought to the newest without losing a row, a copy kept."""

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.cli.main import run
from plexsync.rules.errors import LocalFault, Unusable
from plexsync.rules.job import Kind, State
from plexsync.store import backup, intake, schema
from plexsync.store.database import Database
from plexsync.store.db import connect
from plexsync.store.integrity import damage
from tests.torture.damage import FIXTURES, missing, old_database
from tests.torture.score import broken, dump

# About files.
pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[2]
NAME = "plexsync.db"
NEWEST = len(schema.MIGRATIONS)
RELEASED = range(1, NEWEST)
SHAPE = "select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"

each_released = pytest.mark.parametrize("version", RELEASED)


@pytest.fixture
def database(folder: Path) -> Path:
    return folder / NAME


def kept(database: Path, version: int) -> Path:
    return database.with_name(f"plexsync-schema-{version}.db")


def value(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchone()[0]


def killed_while_open(database: Path) -> None:
    """A process that wrote and was killed: what it wrote is in the log alone."""
    script = f"""
        import os, signal, sqlite3
        db = sqlite3.connect({str(database)!r}, isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma wal_autocheckpoint = 0")
        db.execute("insert into note (name, value) values ('late', 'in the log')")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert database.with_name(f"{NAME}-wal").stat().st_size


# --- what was released never changes ---------------------------------------------------------------------------------


def test_every_schema_before_the_newest_has_a_database_on_record():
    assert {path.name for path in FIXTURES.iterdir()} == {f"schema-{version}.sql" for version in RELEASED}


@each_released
def test_a_migration_that_was_released_is_as_it_was_then(tmp_path, version):
    old_database(tmp_path / NAME, version)
    with closing(sqlite3.connect(tmp_path / NAME)) as old, closing(sqlite3.connect(":memory:")) as made:
        schema.migrate(made, schema.MIGRATIONS[:version])
        assert old.execute(SHAPE).fetchall() == made.execute(SHAPE).fetchall()
        assert old.execute("pragma application_id").fetchone() == made.execute("pragma application_id").fetchone()


@each_released
def test_a_database_on_record_has_rows_in_every_table_and_balanced_books(tmp_path, version):
    old_database(tmp_path / NAME, version)
    assert broken(tmp_path / NAME) == []
    assert [table for table, rows in dump(tmp_path / NAME).items() if not rows] == []


# --- what becomes of it ----------------------------------------------------------------------------------------------


@each_released
def test_a_database_of_a_released_schema_is_brought_to_the_newest_without_losing_a_row(tmp_path, database, version):
    old_database(database, version)
    shutil.copy(database, tmp_path / "old.db")
    connect(database).close()
    assert value(database, "pragma user_version") == NEWEST
    assert missing(tmp_path / "old.db", database) == {}
    assert len(dump(database)["job"]) == len(dump(tmp_path / "old.db")["job"]) == 11
    assert broken(database) == []
    assert damage(database) == ""
    assert value(database, "select accepted from books") == 31


@pytest.mark.parametrize("remembers", [True, False])
def test_who_has_written_to_plex_before_has_agreed_to_the_first_write(database, remembers):
    old_database(database, 5)
    if not remembers:
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("delete from memory")
    connect(database).close()
    assert value(database, "select count(*) from note where name = 'bulk:approved'") == remembers


@each_released
def test_what_was_known_is_read_by_the_newest_as_it_was_written(database, version):
    old_database(database, version)
    store = Database(database)
    with store.reading() as db:
        jobs, books = db.jobs.count_states(), db.books.read()
        memory = db.memories.of([3])[3, "1003"]
        (pushing,) = db.pushings.of([2])[2, "1002"]
        pushes = db.pushes.of(Kind.SCENE, 3)
        waiting = sum(jobs.values()) - jobs[State.IDLE]
        assert books["accepted"] == books["coalesced"] + books["done"] + books["pruned"] + waiting == 31
        assert db.jobs.count_dead() == {"poison": 1, "refused": 1}
        assert memory["title"].said == "It's a title"
        assert memory["genre"].ours == {"tag 1": "Tag 1", "ünï": "Ünï"}
        assert pushing.fields["title"].sent.value == "Newer"
        assert [one.key for one in pushes] == (["1003"] if version > 1 else [])
        assert db.tallies.all()["died"] == (5 if version > 1 else 2)
        assert [transition.waiting for transition in db.transitions.all()] == [0, 42 if version > 2 else 0]
        assert db.index.entries(["1003"])[0].parts[0].path == "/media/Ünï.mp4"
        assert (db.notes.text("reconcile:last"), db.notes.text("salt")) == ("1700000000000", "grain")
    store.close()


@each_released
def test_what_a_hook_left_as_a_file_beside_an_old_database_is_taken_over(database, version):
    old_database(database, version)
    assert f"schema {version}" in intake.store(str(database.parent), "scene", 77)
    assert value(database, "pragma user_version") == version, "a hook brings nothing up"
    store = Database(database, worker=True)
    assert store.drain_spool(1_700_000_000_000) == 1
    with store.reading() as db:
        row = db.jobs.find(Kind.SCENE, 77)
        assert row and row.state is State.READY
    store.close()
    assert broken(database) == []


def test_two_processes_that_bring_an_old_database_up_at_once_do_it_once(database):
    old_database(database, 1)
    script = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from plexsync.store.db import connect
        connect(Path({str(database)!r})).close()
    """
    started = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [error for process in started if (error := process.communicate()[1])] == []
    assert value(database, "pragma user_version") == NEWEST
    assert value(kept(database, 1), "pragma user_version") == 1
    assert broken(database) == broken(kept(database, 1)) == []
    assert hidden(database.parent) == []


# --- the copy that is kept -------------------------------------------------------------------------------------------


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".") or ".tmp" in path.name)


@each_released
@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_before_it_is_brought_up_a_sound_copy_of_it_is_kept_for_the_owner_alone(tmp_path, database, version, log):
    old_database(database, version)
    if log:
        killed_while_open(database)
    shutil.copytree(database.parent, tmp_path / "before")
    before = dump(tmp_path / "before" / NAME)
    mask = os.umask(0)
    try:
        connect(database).close()
    finally:
        os.umask(mask)
    copy = kept(database, version)
    assert sorted(path.name for path in database.parent.iterdir()) == [copy.name, NAME]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert value(copy, "pragma integrity_check") == "ok"
    assert value(copy, "pragma journal_mode") == "delete", "it is one file"
    assert dump(copy) == before
    assert not log or ("late", "in the log") in dump(copy)["note"]
    assert broken(copy) == []


def test_of_a_new_database_and_of_the_newest_no_copy_is_made(database):
    connect(database).close()
    connect(database).close()
    assert [path.name for path in database.parent.iterdir()] == [NAME]


def test_each_schema_on_the_way_keeps_a_copy_of_its_own(database):
    old_database(database, 1)
    connect(database, migrations=schema.MIGRATIONS[:3]).close()
    connect(database).close()
    assert value(kept(database, 1), "pragma user_version") == 1
    assert value(kept(database, 3), "pragma user_version") == 3


def a_folder_in_its_place(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(database, 1).mkdir()


def no_space(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: object, *how: int, real: Callable = os.open) -> int:
        if str(path).endswith(".tmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *how)

    monkeypatch.setattr("plexsync.store.db.os.open", full)


@pytest.mark.parametrize(
    ("hinder", "fault"), [(a_folder_in_its_place, Unusable), (no_space, LocalFault)], ids=["place", "space"]
)
def test_where_no_copy_can_be_made_nothing_is_brought_up(database, monkeypatch, hinder: Callable, fault):
    old_database(database, 1)
    before = dump(database)
    with monkeypatch.context() as patched:
        hinder(database, patched)
        with pytest.raises(fault):
            connect(database)
    assert dump(database) == before
    assert hidden(database.parent) == []


# --- and put back ----------------------------------------------------------------------------------------------------


@each_released
def test_the_copy_can_be_put_back_and_is_brought_up_anew(database, version):
    old_database(database, version)
    connect(database).close()
    copy = kept(database, version)
    old = dump(copy)
    with closing(connect(database)) as db:
        db.execute("delete from memory")
    restored = backup.restore(copy, database, aside="plexsync.before-restore.db")
    assert (restored.copy.schema, restored.copy.rows) == (version, 11)
    assert dump(database) == old
    connect(database).close()
    assert missing(copy, database) == {}
    assert broken(database) == []


@each_released
def test_plexsync_restore_takes_the_copy(database, version, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith(("PLEXSYNC_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PLEXSYNC_PLEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PLEXSYNC_PLEX_TOKEN", "a-token-that-nobody-has")
    monkeypatch.setenv("PLEXSYNC_DATA_DIR", str(database.parent))
    old_database(database, version)
    connect(database).close()
    copy = kept(database, version)
    with closing(connect(database)) as db:
        db.execute("delete from memory")
    assert run(["restore", str(copy), "--yes"]) == 0, capsys.readouterr().err
    connect(database).close()
    # All but the notes, of which one has to say that everything is to be compared.
    assert missing(copy, database).keys() <= {"note"}
    assert value(database, "select value from note where name = 'reconcile:last'") == ""
    assert int(str(value(database, "select value from note where name = 'restored'")))
    assert broken(database) == []
