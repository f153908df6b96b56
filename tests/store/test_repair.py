"""What counts as damage, and what the mending of it keeps."""

import itertools
import sqlite3
from contextlib import closing

import pytest

from plexsync.rules.match.match_records import Binding
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import Damaged
from plexsync.store import schema
from plexsync.store.database import Database
from plexsync.store.files import backup, integrity, repair

# About files.
pytestmark = pytest.mark.sqlite_only

T = 1_700_000_000_000


@pytest.fixture
def database(folder):
    store = Database(folder / "plexsync.db", worker=True)
    with store.writing() as tx:
        for id in range(1, 2001):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
    store.close()
    return folder / "plexsync.db"


def change(database, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_what_a_person_or_a_tool_has_added_is_no_damage(database):
    change(
        database,
        "create table _litestream_seq (id integer primary key, seq integer)",
        "create index by_error on job (error)",
    )
    assert integrity.damage(database) == ""
    assert repair.repair(database, now=T) is None


def test_books_that_do_not_balance_are_damage_and_balance_when_it_is_mended(database):
    change(database, "update book set done = done + 20")
    assert integrity.damage(database) == "its books do not balance"
    assert repair.repair(database, now=T).rows == 2000
    assert integrity.damage(database) == ""


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("tally", "insert into tally (name, count) values ('died', 'scene')"),
        ("item", "insert into item (key, section, stamp, walk) values ('1', '1', x'00', 1)"),
        ("note", "insert into note (name, value) values ('n', x'01')"),
    ],
)
def test_a_value_of_another_kind_than_its_column_is_damage_and_is_not_kept(database, table, statement):
    change(database, statement)
    assert integrity.damage(database) == f"a value in {table} is of another kind than its column"
    assert repair.repair(database, now=T).rows == 2000
    assert integrity.damage(database) == ""
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("select count(*) from tally").fetchone() == (0,)


def test_a_row_that_refers_to_nothing_is_damage_and_is_not_kept(database):
    theirs = "create table theirs (job integer references gone (id))", "insert into theirs values (1)"
    change(database, *theirs)
    assert integrity.damage(database) == ""
    change(
        database, "insert into part (item, position, path, path_key, name_key, size) values ('4', 0, 'a', 'a', 'a', 1)"
    )
    assert integrity.damage(database) == "a row of part refers to nothing"
    assert repair.repair(database, now=T).rows == 2000
    assert integrity.damage(database) == ""


def test_what_a_person_has_bound_is_kept(database):
    bound = [Binding(7, "70", ("/media/caf\u00e9.mp4",), T), Binding(7, "71", (), T), Binding(8, "80", (), T)]
    store = Database(database, worker=True)
    with store.writing() as tx:
        assert all(tx.bindings.bind(binding) for binding in bound)
    store.close()
    backup.save(database, database.with_name("copy.db"))
    change(database, "update book set done = done + 20")
    repair.repair(database, now=T)
    for path in (database, database.with_name("copy.db")):
        store = Database(path)
        with store.reading() as db:
            assert db.bindings.all() == bound
        store.close()


def test_the_files_of_a_binding_that_can_not_be_read_are_unknown(database):
    change(
        database,
        "insert into binding (flow, subject, library, item, at, files)"
        " values ('scene', 1, '', '5', 0, '[\"/a'), ('scene', 2, '', '6', 0, '7')",
    )
    store = Database(database)
    with store.reading() as db:
        assert db.bindings.all() == [Binding(1, "5"), Binding(2, "6")]
    store.close()


def test_a_row_that_seems_to_be_somebodys_is_nobodys_when_it_is_mended(database):
    change(database, "update job set state = 'idle', lease_until = 0 where id = 7")
    assert integrity.damage(database) == "a row of the queue is not whole"
    assert repair.repair(database, now=T).rows == 2000
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("select state, lease_until from job where id = 7").fetchall() == [("idle", None)]


def test_what_is_missing_of_our_own_is_damage(database):
    change(database, "drop index job_state")
    assert integrity.damage(database) == "its schema is not what its version says"
    assert repair.repair(database, now=T).rows == 2000


def test_a_version_below_nought_is_damage(database):
    change(database, "pragma user_version = -7")
    with pytest.raises(Damaged, match="its version is -7"):
        Database(database)
    assert integrity.damage(database) == "its version is no number of a schema"
    assert repair.repair(database, now=T).rows == 2000
    Database(database).close()


def test_a_database_that_becomes_newer_while_it_is_looked_at_is_not_taken_for_a_damaged_one(database, monkeypatch):
    version = schema.version

    def migrated_right_after(db):
        known = version(db)
        change(database, "pragma user_version = 1000", "drop table if exists tally")
        return known

    monkeypatch.setattr(schema, "version", migrated_right_after)
    assert integrity.damage(database) == ""


@pytest.mark.parametrize("main", ["empty", "gone"])
def test_a_log_whose_database_is_lost_is_kept_and_not_deleted_by_who_looks(folder, main):
    database, log = folder / "plexsync.db", folder / "plexsync.db-wal"
    log.write_bytes(b"what was committed last" * 100)
    if main == "empty":
        database.touch()
    with pytest.raises(Damaged):
        Database(database)
    assert integrity.damage(database) == "it is empty, and its log is not"
    mended = repair.repair(database, now=T)
    assert (mended.aside / log.name).read_bytes() == b"what was committed last" * 100
    assert (mended.rows, log.exists()) == (0, False)
    Database(database).close()
    assert repair.repair(database, now=T) is None


def test_a_restore_keeps_such_a_log_too(database, folder):
    backup.save(database, folder / "copy.db")
    database.write_bytes(b"")
    database.with_name("plexsync.db-wal").write_bytes(b"what was committed last" * 100)
    backup.restore(folder / "copy.db", database, aside="aside.db")
    assert (folder / "aside.db-wal").read_bytes() == b"what was committed last" * 100
    assert integrity.damage(database) == ""


def test_what_killed_processes_were_making_is_removed_after_an_hour(database, folder):
    left = [
        folder / f".{name}.7-00c0ffee.tmp{end}"
        for name in ("plexsync.db", "plexsync-schema-3.db")
        for end in ("", "-wal")
    ]
    kept = [folder / ".theirs.tmp", folder / "plexsync.db", folder / "plexsync.tmp"]
    for file in (*left, *kept):
        file.touch()
    now = round(left[0].stat().st_mtime * 1000)
    repair.sweep(database, now=now + 3_500_000)
    assert all(file.exists() for file in left)
    repair.sweep(database, now=now + 3_700_000)
    assert [file for file in left if file.exists()] == []
    assert all(file.exists() for file in kept)


def test_a_large_database_may_take_long_as_long_as_there_is_something_new_to_read(database, monkeypatch):
    change(database, "drop index job_state")
    # Whenever somebody looks at the clock, most of the time that nothing may come has passed.
    seconds = itertools.count(step=repair.LONGEST_STILL * 0.9)
    monkeypatch.setattr(repair.time, "monotonic", lambda: next(seconds))
    assert repair.repair(database, now=T).rows == 2000
