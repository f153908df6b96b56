"""The layout of the database: made whole, brought up from schema 11 without losing a row, and an older one left alone."""

import errno
import hashlib
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
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import intake, schema
from plexsync.store.database import Database
from plexsync.store.db import connect
from plexsync.store.files import backup, integrity, repair
from plexsync.store.files.lock import try_lock
from plexsync.store.files.older_database import move_away, older_databases
from tests import templates
from tests.journey.world import forget_settings
from tests.store.eleven import missing, old_database, put_back
from tests.torture.score import broken, dump

# About files.
pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[2]
NAME = "plexsync.db"
T = 1_700_000_000_000


@pytest.fixture
def database(folder: Path) -> Path:
    return folder / NAME


@pytest.fixture
def eleven(database: Path) -> Path:
    old_database(database)
    return database


def kept(database: Path) -> Path:
    return database.with_name("plexsync-schema-11.db")


def value(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchone()[0]


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".") or ".tmp" in path.name)


def program(text: str) -> list[str]:
    return [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{textwrap.dedent(text)}"]


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
    done = subprocess.run(program(script), check=False)
    assert done.returncode == -signal.SIGKILL
    assert database.with_name(f"{NAME}-wal").stat().st_size


# --- the layout ------------------------------------------------------------------------------------------------------


def test_the_database_on_record_has_rows_in_every_table_and_balanced_books(eleven):
    assert broken(eleven) == []
    assert integrity.damage(eleven) == ""
    assert [table for table, rows in dump(eleven).items() if not rows] == []


def test_a_database_that_was_brought_up_has_the_tables_and_indexes_of_a_new_one(eleven, tmp_path):
    connect(eleven).close()
    connect(tmp_path / "new" / NAME).close()
    shapes = []
    for path in (eleven, tmp_path / "new" / NAME):
        with closing(sqlite3.connect(path)) as db:
            tables = [
                name for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name")
            ]
            rest = db.execute(
                "select type, name, sql from sqlite_master where type <> 'table' order by name"
            ).fetchall()
            shapes.append(({name: db.execute(f"pragma table_info({name})").fetchall() for name in tables}, rest))
            shapes[-1][1][:] = [(kind, name, sql and " ".join(sql.split())) for kind, name, sql in rest]
    assert shapes[0] == shapes[1]
    assert "undone" not in {row[1] for row in shapes[0][0]["collection"]}, "its memory says how it was taken back"


def test_todays_layout_put_back_is_that_of_the_database_on_record(eleven, tmp_path):
    connect(tmp_path / NAME).close()
    put_back(tmp_path / NAME)
    with closing(sqlite3.connect(eleven)) as record, closing(sqlite3.connect(tmp_path / NAME)) as back:
        for (table,) in record.execute("select name from sqlite_master where type = 'table'").fetchall():
            columns = [set(db.execute(f"select name from pragma_table_info('{table}')")) for db in (record, back)]
            assert columns[0] == columns[1], table
        assert back.execute("pragma user_version").fetchone() == record.execute("pragma user_version").fetchone()


def test_what_makes_the_tables_is_whole_or_not_there(database, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(schema, "migrate", templates._migrate)
        patched.setattr(schema, "LAYOUT", (*schema.LAYOUT, "create table job (a)"))
        with pytest.raises(LocalFault, match="already exists"):
            connect(database)
    assert value(database, "select count(*) from sqlite_master") == 0
    connect(database).close()
    assert integrity.damage(database) == ""


# --- the step --------------------------------------------------------------------------------------------------------


def test_a_database_of_schema_11_is_brought_up_without_losing_a_row(eleven, tmp_path):
    shutil.copy(eleven, tmp_path / "old.db")
    connect(eleven).close()
    assert value(eleven, "pragma user_version") == intake.SCHEMA
    assert missing(tmp_path / "old.db", eleven) == {}
    assert len(dump(eleven)["job"]) == len(dump(tmp_path / "old.db")["job"]) == 11
    assert broken(eleven) == []
    assert integrity.damage(eleven) == ""
    assert value(eleven, "select accepted from books") == 31


def test_what_was_known_is_read_as_it_was_written(eleven):
    store = Database(eleven)
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
        assert db.memories.of([10])[10, "1010"]["title"].before == "Was ten"
        decided = db.memories.of([13])[13, "1013"]
        assert decided["title"].drift and decided["actor"].adopted == ("ann",)
        assert db.memories.marks() == {10: "undo", 11: "release"}
        assert {id: row.undone for id, row in db.collections.of([1, 3, 4]).items()} == {1: "", 3: "undo", 4: "release"}
        assert db.collections.undone() == [3, 4]
        assert pushing.fields["title"].sent.value == "Newer"
        assert [one.key for one in pushes] == ["1003"]
        assert db.tallies.all()["died"] == 5
        assert [transition.waiting for transition in db.transitions.all()] == [0, 42]
        assert db.index.entries(["1003"])[0].parts[0].path == "/media/Ünï.mp4"
        assert (db.notes.text("reconcile:last"), db.notes.text("salt")) == ("1700000000000", "grain")
    store.close()


def test_what_a_hook_left_as_a_file_beside_it_is_taken_over(eleven):
    assert "schema 11" in intake.store(str(eleven.parent), "scene", 77)
    assert value(eleven, "pragma user_version") == 11, "a hook brings nothing up"
    store = Database(eleven, worker=True)
    assert store.drain_spool(T) == 1
    with store.reading() as db:
        row = db.jobs.find(Kind.SCENE, 77)
        assert row and row.state is State.READY
    store.close()
    assert broken(eleven) == []


def test_two_processes_that_bring_it_up_at_once_do_it_once(eleven):
    script = f"""
        from pathlib import Path
        from plexsync.store.db import connect
        connect(Path({str(eleven)!r})).close()
    """
    started = [subprocess.Popen(program(script), stderr=subprocess.PIPE, text=True) for _ in range(6)]
    assert [error for process in started if (error := process.communicate()[1])] == []
    assert value(eleven, "pragma user_version") == intake.SCHEMA
    assert value(kept(eleven), "pragma user_version") == 11
    assert broken(eleven) == broken(kept(eleven)) == []
    assert hidden(eleven.parent) == []


@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_a_process_killed_in_the_step_leaves_the_database_whole_at_11_or_12(eleven, log):
    if log:
        killed_while_open(eleven)
    before, seen = dump(eleven), set()
    # The process is killed by the kernel after so many steps of SQLite's virtual machine.
    for steps in [*range(0, 400, 25), 1_000_000]:
        shutil.copytree(eleven.parent, place := eleven.parent.with_name(f"at-{steps}"))
        script = f"""
            import os, signal
            from pathlib import Path
            from plexsync.store import schema
            from plexsync.store.db import connect
            real = schema.migrate
            def migrate(db):
                count = 0
                def step():
                    nonlocal count
                    count += 1
                    if count > {steps}:
                        os.kill(os.getpid(), signal.SIGKILL)
                db.set_progress_handler(step, 1)
                real(db)
            schema.migrate = migrate
            connect(Path({str(place / NAME)!r})).close()
        """
        done = subprocess.run(program(script), capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        schema_now = value(place / NAME, "pragma user_version")
        seen.add((schema_now, done.returncode))
        assert schema_now == (intake.SCHEMA if done.returncode == 0 else schema_now)
        if schema_now == 11:
            assert dump(place / NAME) == before
        assert integrity.damage(place / NAME) == ""
        assert dump(kept(place / NAME)) == before
        connect(place / NAME).close()
        assert missing(kept(place / NAME), place / NAME) == {}
        assert broken(place / NAME) == []
    assert {(11, -signal.SIGKILL), (intake.SCHEMA, 0)} <= seen


def test_a_step_that_fails_leaves_everything_as_it_was(eleven, monkeypatch):
    before = dump(eleven)
    with monkeypatch.context() as patched:
        patched.setitem(schema.STEPS, 12, [*schema.STEPS[12], "create table extra (a)", "create table extra (a)"])
        with pytest.raises(LocalFault, match="already exists"):
            connect(eleven)
    assert dump(eleven) == before
    connect(eleven).close()
    assert missing(kept(eleven), eleven) == {}


def test_a_damaged_database_of_schema_11_is_made_anew_with_its_rows(eleven):
    with closing(sqlite3.connect(eleven)) as db:
        db.execute("drop index job_state")
    assert integrity.damage(eleven) == "its schema is not what its version says"
    assert repair.repair(eleven, now=T).rows == 11
    assert value(eleven, "pragma user_version") == intake.SCHEMA
    assert value(eleven, "select count(*) from memory") == 6
    assert broken(eleven) == []


# --- the copy that is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_before_it_is_brought_up_a_sound_copy_of_it_is_kept_for_the_owner_alone(tmp_path, eleven, log):
    if log:
        killed_while_open(eleven)
    shutil.copytree(eleven.parent, tmp_path / "before")
    before = dump(tmp_path / "before" / NAME)
    mask = os.umask(0)
    try:
        connect(eleven).close()
    finally:
        os.umask(mask)
    copy = kept(eleven)
    assert sorted(path.name for path in eleven.parent.iterdir()) == [copy.name, NAME]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert value(copy, "pragma integrity_check") == "ok"
    assert value(copy, "pragma journal_mode") == "delete", "it is one file"
    assert dump(copy) == before
    assert not log or ("late", "in the log") in dump(copy)["note"]


def test_of_a_new_database_and_of_the_newest_no_copy_is_made(database):
    connect(database).close()
    connect(database).close()
    assert [path.name for path in database.parent.iterdir()] == [NAME]


def a_folder_in_its_place(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(database).mkdir()


def no_space(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: object, *how: int, real: Callable = os.open) -> int:
        if str(path).endswith(".tmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *how)

    monkeypatch.setattr("plexsync.store.db.os.open", full)


@pytest.mark.parametrize(
    ("hinder", "fault"), [(a_folder_in_its_place, Unusable), (no_space, LocalFault)], ids=["place", "space"]
)
def test_where_no_copy_can_be_made_nothing_is_brought_up(eleven, monkeypatch, hinder: Callable, fault):
    before = dump(eleven)
    with monkeypatch.context() as patched:
        hinder(eleven, patched)
        with pytest.raises(fault):
            connect(eleven)
    assert dump(eleven) == before
    assert hidden(eleven.parent) == []


def test_the_copy_can_be_put_back_and_is_brought_up_anew(eleven):
    connect(eleven).close()
    copy = kept(eleven)
    old = dump(copy)
    with closing(connect(eleven)) as db:
        db.execute("delete from memory")
    restored = backup.restore(copy, eleven, aside="plexsync.before-restore.db")
    assert (restored.copy.schema, restored.copy.rows) == (11, 11)
    assert dump(eleven) == old
    connect(eleven).close()
    assert missing(copy, eleven) == {}
    assert broken(eleven) == []


def test_plexsync_restore_takes_the_copy(eleven, monkeypatch, capsys):
    at_home(monkeypatch, eleven.parent)
    connect(eleven).close()
    copy = kept(eleven)
    with closing(connect(eleven)) as db:
        db.execute("delete from memory")
    assert run(["restore", str(copy), "--yes"]) == 0, capsys.readouterr().err
    connect(eleven).close()
    # All but the notes, of which one has to say that everything is to be compared.
    assert missing(copy, eleven).keys() <= {"note"}
    assert value(eleven, "select value from note where name = 'reconcile:last'") == ""
    assert int(str(value(eleven, "select value from note where name = 'restored'")))
    assert broken(eleven) == []


# --- what is too old -------------------------------------------------------------------------------------------------

LOST = "undo of what was written, ignores, bindings, decisions, approvals and dead letters"


def at_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    forget_settings(monkeypatch)
    monkeypatch.setenv("PLEXSYNC_PLEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PLEXSYNC_PLEX_TOKEN", "a-token-that-nobody-has")
    monkeypatch.setenv("PLEXSYNC_DATA_DIR", str(folder))
    # A table of doctor is as wide as the terminal.
    monkeypatch.setenv("COLUMNS", "1000")


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("number", [1, 5, 10])
@pytest.mark.parametrize("words", [["status"], ["serve"], ["drain"], ["ignore", "7"], ["doctor"]])
def test_every_command_refuses_it_untouched_and_says_what_to_do_and_what_is_lost(
    database, number, words, monkeypatch, capsys
):
    at_home(monkeypatch, database.parent)
    old_database(database, number)
    before = sum_of(database)
    assert run(words) == 2
    told = capsys.readouterr()
    (line,) = [line for line in (told.out + told.err).splitlines() if f"has schema {number}" in line]
    assert "rename it to begin anew" in line
    assert LOST in line
    assert sum_of(database) == before


def test_a_hook_keeps_its_event_and_starts_no_worker_for_it(database):
    old_database(database, 10)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("insert or replace into note (name, value) values ('worker:inside', 'on')")
        db.execute("delete from note where name = 'worker:beat'")
    before = dump(database)
    trouble, starts = intake.store_and_check(str(database.parent), "scene", 77)
    assert "has schema 10" in trouble and "rename it to begin anew" in trouble and LOST in trouble
    assert not starts
    assert dump(database) == before
    assert len(list((database.parent / "spool").glob("*.json"))) == 1


def test_what_was_killed_is_refused_too(database):
    old_database(database, 10)
    killed_while_open(database)
    before = dump(database)
    with pytest.raises(Unusable, match="has schema 10"):
        connect(database)
    assert integrity.damage(database) == ""
    assert repair.repair(database, now=T) is None
    assert dump(database) == before


def test_a_flipped_bit_in_the_number_of_todays_schema_is_damage_and_no_age(database):
    connect(database).close()
    with closing(sqlite3.connect(database)) as db:
        db.execute("pragma user_version = 8")
    assert integrity.damage(database) == "its schema is not what its version says"
    assert repair.repair(database, now=T)
    connect(database).close()


@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_it_is_moved_away_whole_and_another_one_begins(database, log):
    old_database(database, 10)
    old_database(database.parent / "plex-attic" / NAME, 9)
    if log:
        killed_while_open(database)
    before = dump(database)
    kept(database).with_name("plexsync-schema-10.db").write_bytes(b"kept before")
    names = move_away(str(database.parent))
    assert [Path(name).relative_to(database.parent).as_posix() for name in names] == [
        "plexsync-schema-10+.db",
        "plex-attic/plexsync-schema-9.db",
    ]
    assert dump(Path(names[0])) == before
    assert sorted(path.name for path in database.parent.glob(f"{NAME}*")) == []
    connect(database).close()
    assert older_databases(str(database.parent)) == {}
    assert move_away(str(database.parent)) == []
    assert integrity.damage(database) == ""


def test_it_is_not_moved_away_from_a_process_that_uses_it(database, monkeypatch):
    monkeypatch.setattr(intake, "BUSY_SECONDS", 0.05)
    old_database(database, 10)
    with try_lock(database.parent), pytest.raises(Unusable, match="a worker of an earlier PlexSync runs"):
        move_away(str(database.parent))
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("begin")
        db.execute("select * from job").fetchone()
        with pytest.raises(Unusable):
            move_away(str(database.parent))
    assert older_databases(str(database.parent)) == {str(database): 10}


def test_neither_another_programs_database_nor_todays_is_moved_away(database, tmp_path):
    connect(database).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("create table note (name text)")
        db.execute("pragma user_version = 3")
    assert move_away(str(tmp_path)) == move_away(str(database.parent)) == []
