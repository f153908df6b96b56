"""The layout of the database: made whole, brought up from schema 15 without losing what is used, an older one left alone."""

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
from tests.store.fifteen import SCENES, missing, old_database
from tests.torture.filling import NOW, memory_of, pushing_of
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
def fifteen(database: Path) -> Path:
    old_database(database)
    return database


def kept(database: Path) -> Path:
    return database.with_name("plexsync-schema-15.db")


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


def test_the_database_of_before_has_rows_in_every_table_and_balanced_books(fifteen):
    assert broken(fifteen) == []
    assert integrity.damage(fifteen) == ""
    assert [table for table, rows in dump(fifteen).items() if not rows] == []


def test_a_database_that_was_brought_up_has_the_tables_and_indexes_of_a_new_one(fifteen, tmp_path):
    connect(fifteen).close()
    connect(tmp_path / "new" / NAME).close()
    shapes = []
    for path in (fifteen, tmp_path / "new" / NAME):
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


def test_a_database_of_schema_15_is_brought_up_without_losing_a_row(fifteen, tmp_path):
    shutil.copy(fifteen, tmp_path / "old.db")
    connect(fifteen).close()
    assert value(fifteen, "pragma user_version") == intake.SCHEMA
    assert missing(tmp_path / "old.db", fifteen) == {}
    assert len(dump(fifteen)["job"]) == len(dump(tmp_path / "old.db")["job"]) == SCENES
    assert broken(fifteen) == []
    assert integrity.damage(fifteen) == ""
    assert value(fifteen, "select accepted from books") == SCENES


def test_what_was_known_is_read_as_it_was_written(fifteen):
    store = Database(fifteen)
    with store.reading() as db:
        jobs, books = db.jobs.count_states(), db.books.read()
        waiting = sum(jobs.values()) - jobs[State.IDLE]
        assert books["accepted"] == books["coalesced"] + books["done"] + books["pruned"] + waiting == SCENES
        assert db.jobs.count_dead() == {"refused": 2}
        assert db.memories.of([1]) == {(1, "1"): memory_of(1)}
        assert db.pushings.of([1]) == {(1, "1"): (pushing_of(1),)}
        assert [one.key for one in db.pushes.of(Kind.SCENE, 1)] == ["1"]
        assert db.index.entries(["3"])[0].parts[0].path == "/media/3.mp4"
        assert (db.notes.number("reconcile:last"), db.notes.text("salt")) == (NOW, "grain")
    store.close()


def test_pictures_to_choose_from_end_and_where_some_were_being_given_the_history_says_it(fifteen):
    assert value(fifteen, "select count(*) from picture where flow in ('choice', 'choice giving')") == 3
    store = Database(fifteen)
    with store.reading() as db:
        told = {attempt.error for attempt in db.attempts.of(Kind.SCENE, 1) if attempt.at == NOW}
    store.close()
    assert told == {
        f"item 1001 may show a {what} from a gallery that nobody chose: select the earlier one in Plex"
        for what in ("poster", "background")
    }
    assert value(fifteen, "select count(*) from picture") == 1, "another one stays"


def test_what_a_hook_left_as_a_file_beside_it_is_taken_over(fifteen):
    assert "schema 15" in intake.store(str(fifteen.parent), "scene", 77)
    assert value(fifteen, "pragma user_version") == 15, "a hook brings nothing up"
    store = Database(fifteen, worker=True)
    assert store.drain_spool(T) == 1
    with store.reading() as db:
        row = db.jobs.find(Kind.SCENE, 77)
        assert row and row.state is State.READY
    store.close()
    assert broken(fifteen) == []


def test_two_processes_that_bring_it_up_at_once_do_it_once(fifteen):
    script = f"""
        from pathlib import Path
        from plexsync.store.db import connect
        connect(Path({str(fifteen)!r})).close()
    """
    started = [subprocess.Popen(program(script), stderr=subprocess.PIPE, text=True) for _ in range(6)]
    assert [error for process in started if (error := process.communicate()[1])] == []
    assert value(fifteen, "pragma user_version") == intake.SCHEMA
    assert value(kept(fifteen), "pragma user_version") == 15
    assert broken(fifteen) == broken(kept(fifteen)) == []
    assert hidden(fifteen.parent) == []


@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_a_process_killed_in_the_step_leaves_the_database_whole_before_or_after_it(fifteen, log):
    if log:
        killed_while_open(fifteen)
    before, seen = dump(fifteen), set()
    # The process is killed by the kernel after so many steps of SQLite's virtual machine.
    for steps in [*range(0, 400, 25), 1_000_000]:
        shutil.copytree(fifteen.parent, place := fifteen.parent.with_name(f"at-{steps}"))
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
        if schema_now == 15:
            assert dump(place / NAME) == before
        assert integrity.damage(place / NAME) == ""
        assert dump(kept(place / NAME)) == before
        connect(place / NAME).close()
        assert missing(kept(place / NAME), place / NAME) == {}
        assert broken(place / NAME) == []
    assert {(15, -signal.SIGKILL), (intake.SCHEMA, 0)} <= seen


def test_a_step_that_fails_leaves_everything_as_it_was(fifteen, monkeypatch):
    before = dump(fifteen)
    with monkeypatch.context() as patched:
        patched.setitem(schema.STEPS, 15, [*schema.STEPS[15], "create table extra (a)", "create table extra (a)"])
        with pytest.raises(LocalFault, match="already exists"):
            connect(fifteen)
    assert dump(fifteen) == before
    connect(fifteen).close()
    assert missing(kept(fifteen), fifteen) == {}


def test_a_damaged_database_of_schema_15_is_made_anew_with_its_rows(fifteen):
    with closing(sqlite3.connect(fifteen)) as db:
        db.execute("drop index job_state")
    memories = value(fifteen, "select count(*) from memory")
    assert integrity.damage(fifteen) == "its schema is not what its version says"
    assert repair.repair(fifteen, now=T).rows == SCENES
    assert value(fifteen, "pragma user_version") == intake.SCHEMA
    assert value(fifteen, "select count(*) from memory") == memories
    assert broken(fifteen) == []


# --- the copy that is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_before_it_is_brought_up_a_sound_copy_of_it_is_kept_for_the_owner_alone(tmp_path, fifteen, log):
    if log:
        killed_while_open(fifteen)
    shutil.copytree(fifteen.parent, tmp_path / "before")
    before = dump(tmp_path / "before" / NAME)
    mask = os.umask(0)
    try:
        connect(fifteen).close()
    finally:
        os.umask(mask)
    copy = kept(fifteen)
    assert sorted(path.name for path in fifteen.parent.iterdir()) == [copy.name, NAME]
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
def test_where_no_copy_can_be_made_nothing_is_brought_up(fifteen, monkeypatch, hinder: Callable, fault):
    before = dump(fifteen)
    with monkeypatch.context() as patched:
        hinder(fifteen, patched)
        with pytest.raises(fault):
            connect(fifteen)
    assert dump(fifteen) == before
    assert hidden(fifteen.parent) == []


def test_the_copy_can_be_put_back_and_is_brought_up_anew(fifteen):
    connect(fifteen).close()
    copy = kept(fifteen)
    old = dump(copy)
    with closing(connect(fifteen)) as db:
        db.execute("delete from memory")
    restored = backup.restore(copy, fifteen, aside="plexsync.before-restore.db")
    assert (restored.copy.schema, restored.copy.rows) == (15, SCENES)
    assert dump(fifteen) == old
    connect(fifteen).close()
    assert missing(copy, fifteen) == {}
    assert broken(fifteen) == []


def test_plexsync_restore_takes_the_copy(fifteen, monkeypatch, capsys):
    at_home(monkeypatch, fifteen.parent)
    connect(fifteen).close()
    copy = kept(fifteen)
    with closing(connect(fifteen)) as db:
        db.execute("delete from memory")
    assert run(["restore", str(copy), "--yes"]) == 0, capsys.readouterr().err
    connect(fifteen).close()
    # All but the notes, of which one has to say that everything is to be compared.
    assert missing(copy, fifteen).keys() <= {"note"}
    assert value(fifteen, "select value from note where name = 'reconcile:last'") == ""
    assert int(str(value(fifteen, "select value from note where name = 'restored'")))
    assert broken(fifteen) == []


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


OPENS = [(1, "PlexSync 0.2.0"), (7, "PlexSync 0.2.0"), (8, "the development version"), (14, "the development version")]


@pytest.mark.parametrize(("number", "opens"), OPENS)
@pytest.mark.parametrize("words", [["status"], ["serve"], ["drain"], ["ignore", "7"], ["doctor"]])
def test_every_command_refuses_it_untouched_and_says_what_to_do_and_what_is_lost(
    database, number, opens, words, monkeypatch, capsys
):
    at_home(monkeypatch, database.parent)
    old_database(database, number)
    before = sum_of(database)
    assert run(words) == 2
    told = capsys.readouterr()
    (line,) = [line for line in (told.out + told.err).splitlines() if f"has schema {number}" in line]
    assert f"brings up none before 15 ({opens}" in line
    assert "rename it to begin anew" in line
    assert LOST in line
    assert sum_of(database) == before


def test_a_hook_keeps_its_event_and_starts_no_worker_for_it(database):
    old_database(database, 14)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("insert or replace into note (name, value) values ('worker:inside', 'on')")
        db.execute("delete from note where name = 'worker:beat'")
    before = dump(database)
    trouble, starts = intake.store_and_check(str(database.parent), "scene", 77)
    assert "has schema 14" in trouble and "rename it to begin anew" in trouble and LOST in trouble
    assert not starts
    assert dump(database) == before
    assert len(list((database.parent / "spool").glob("*.json"))) == 1


def test_what_was_killed_is_refused_too(database):
    old_database(database, 14)
    killed_while_open(database)
    before = dump(database)
    with pytest.raises(Unusable, match="has schema 14"):
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
    old_database(database, 14)
    old_database(database.parent / "plex-attic" / NAME, 9)
    if log:
        killed_while_open(database)
    before = dump(database)
    kept(database).with_name("plexsync-schema-14.db").write_bytes(b"kept before")
    names = move_away(str(database.parent))
    assert [Path(name).relative_to(database.parent).as_posix() for name in names] == [
        "plexsync-schema-14+.db",
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
    old_database(database, 14)
    with try_lock(database.parent), pytest.raises(Unusable, match="a worker of an earlier PlexSync runs"):
        move_away(str(database.parent))
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("begin")
        db.execute("select * from job").fetchone()
        with pytest.raises(Unusable):
            move_away(str(database.parent))
    assert older_databases(str(database.parent)) == {str(database): 14}


def test_neither_another_programs_database_nor_todays_is_moved_away(database, tmp_path):
    connect(database).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("create table note (name text)")
        db.execute("pragma user_version = 3")
    assert move_away(str(tmp_path)) == move_away(str(database.parent)) == []
