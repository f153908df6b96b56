"""The changes of imports: numbered by run, open until they are settled, and believed only if they make sense."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plexsync.rules.merge.import_records import ImportChange
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.store.database import Database
from tests.stores import look


@pytest.fixture
def store(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with closing(Database(folder / "plexsync.db")) as store:
        yield store


def change(run: int, scene: int = 7, target: str = "title") -> ImportChange:
    return ImportChange(0, run, scene, target, 0, '""', '"T"', "then")


def test_changes_are_numbered_in_order_and_belong_to_their_run(store: Database) -> None:
    with store.writing() as tx:
        first = tx.imports.begin([change(1), change(1, 0, "tag")], now=1)
        second = tx.imports.begin([change(2)], now=1)
    with store.reading() as db:
        assert db.imports.last_run() == 2
        assert (db.imports.of_run(1), db.imports.of_run(2)) == (first, second)
        assert [row.number for row in db.imports.open()] == [1, 2, 3]


def test_a_change_is_open_until_it_is_made_or_taken_back_or_dropped(store: Database) -> None:
    with store.writing() as tx:
        one, two, three = tx.imports.begin([change(1), change(1), change(1)], now=1)
        tx.imports.save([replace(one, is_open=False), replace(two, is_open=False)])
        (undoing,) = tx.imports.begin([replace(two, is_open=False)], now=5)
        tx.imports.drop([three])
    with store.reading() as db:
        assert db.imports.open() == [undoing]
        assert db.imports.of_run(1) == [replace(one, is_open=False), undoing]
    assert undoing == replace(two, taken_back=TakenBack.UNDO, changed_at=5)


@pytest.mark.parametrize("damage", ["state = 'odd'", "target = 'odd'", "target = 'tag'", "scene = 0"])
def test_a_row_that_makes_no_sense_is_left_out(store: Database, damage: str) -> None:
    with store.writing() as tx:
        tx.imports.begin([change(1)], now=1)
    with look(store.folder) as db:
        db.execute(f"update import_change set {damage}")
    with store.reading() as db:
        assert db.imports.of_run(1) == []
        assert db.imports.open() == []
