"""The connection that the tables speak through: what it sends, what it counts, and what it need not ask twice."""

import sqlite3
from contextlib import closing

import pytest

from plexsync.rules.item import FIELDS
from plexsync.rules.merge.plan_records import Remembered
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import PaceRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.store.database import Database
from plexsync.store.sqlite import SqliteConnection

T = 1_700_000_000_000
HELD = Held("a", True)
MEMORY = {FIELDS[0]: Remembered("a", HELD, HELD)}


@pytest.fixture
def db():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as driver:
        driver.row_factory = sqlite3.Row
        driver.execute("create table pair (name text primary key, value integer)")
        yield SqliteConnection(driver)


def test_values_go_by_name_or_by_position(db):
    assert db.execute("insert into pair values (:name, :value)", {"name": "a", "value": 1}) == 1
    assert db.execute("insert into pair values (?, ?)", ("b", 2)) == 1
    assert [row["value"] for row in db.rows("select * from pair order by name")] == [1, 2]
    assert db.value("select value from pair where name = :name", {"name": "b"}) == 2
    assert db.row("select * from pair where name = ?", ("c",)) is None
    assert [tuple(row) for row in db.stream("select * from pair order by name")] == [("a", 1), ("b", 2)]


def test_many_rows_are_one_statement_and_none_are_no_statement(db):
    assert db.execute_many("insert into pair values (?, ?)", [("a", 1), ("b", 2), ("c", 3)]) == 3
    assert db.statements == 1
    assert db.execute_many("insert into pair values (?, ?)", []) == 0
    assert db.statements == 1


def test_a_value_that_has_to_be_there_and_is_not_is_a_fault_of_ours(db):
    with pytest.raises(LookupError):
        db.value("select value from pair where name = 'nobody'")


def test_what_is_read_once_a_transaction_is_read_anew_in_the_next_one_and_when_it_was_changed(db):
    sql = "select count(*) from pair"
    db.begin()
    before = db.statements
    assert [db.once(sql)[0][0] for _ in range(3)] == [0, 0, 0]
    assert db.statements == before + 1
    db.execute("insert into pair values ('a', 1)")
    db.forget(sql)
    assert db.once(sql)[0][0] == 1
    db.commit()
    db.driver.execute("insert into pair values ('b', 1)")
    assert db.once(sql)[0][0] == 2, "without a transaction nothing is kept"
    db.begin()
    assert db.once(sql)[0][0] == 2
    db.roll_back()


def test_a_table_that_is_read_once_a_transaction_shows_what_was_written_in_it(store):
    with store.writing() as tx:
        assert tx.paces.find(Neighbour.PLEX) == PaceRow()
        tx.paces.save(Neighbour.PLEX, PaceRow(ramp=4))
        assert tx.paces.find(Neighbour.PLEX) == PaceRow(ramp=4)
        assert tx.paces.find(Neighbour.STASH) == PaceRow()
        scans = tx.books.scans()
        tx.jobs.scan_finished(T)
        assert tx.books.scans() == scans + 1


def test_wants_of_one_transaction_note_the_time_once(store):
    with store.writing() as tx:
        for id in (1, 2):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
        first, _ = store.cost()
        for id in range(3, 13):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
        assert store.cost()[0] - first == 10
        tx.jobs.want(Kind.SCENE, 13, Why.EDIT, T + 61_000)
        assert tx.books.tick() == T + 61_000, "a later time is noted"


def test_the_revision_changes_with_whoever_commits_and_with_nothing_else(store, folder):
    revision = store.revision()
    with store.reading() as db:
        db.notes.text("a")
    assert store.revision() == revision
    with store.writing() as tx:
        tx.notes.save("a", "b")
    own = store.revision()
    assert own != revision
    with closing(Database(folder / "plexsync.db")) as other, other.writing() as tx:
        tx.notes.save("c", "d")
    assert store.revision() != own


def test_of_two_scenes_that_remember_one_item_the_later_has_it(store):
    with store.writing() as tx:
        tx.memories.save_all([(1, "10", MEMORY), (2, "10", MEMORY), (3, "30", MEMORY)], now=T)
        assert set(tx.memories.of([1, 2, 3])) == {(2, "10"), (3, "30")}
        tx.memories.save_all([(1, "10", MEMORY), (2, "10", {}), (3, "30", {})], now=T)
        assert set(tx.memories.of([1, 2, 3])) == {(1, "10")}
