"""The move of a store between a SQLite file and PostgreSQL: complete, verified, resumable after a kill at any step."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.app import move as moves
from plexsync.app.move import MoveResult, Working, move
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Why
from plexsync.rules.queue.machine import Machine
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import intake
from plexsync.store.connection import Connection
from plexsync.store.files import backup, moving
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.lock import try_lock
from plexsync.store.opening import open_database
from plexsync.store.postgres import backend
from plexsync.store.postgres.worker_lock import HOLDERS, WRITER_CLASS, value
from tests import postgres_server
from tests.app.move_stage import MACHINE, connected, content, fill
from tests.patience import until

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.needs_postgres,
]
NUMBERS = itertools.count()
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "postgresql.md"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server.shared().database() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def file(folder: Path) -> StoreAddress:
    return StoreAddress(folder)


@pytest.fixture
def schema(folder: Path, url: str) -> StoreAddress:
    return StoreAddress(folder, url, f"moves_{next(NUMBERS)}")


def moved(source: StoreAddress, target: StoreAddress) -> MoveResult:
    return move(source, target, MACHINE, lambda _table, _rows: None)


def change(address: StoreAddress) -> None:
    """Change the content of a store as its worker may: more, other and fewer rows."""
    with closing(open_database(address)) as store, store.writing() as tx:
        tx.jobs.want("scene", 50, Why.EDIT, 1_700_000_100_000)
        tx.notes.save("begun", "1")
    with connected(address) as db:
        db.begin(writes=True)
        db.execute("delete from item where stamp = 1")
        db.execute("update memory set at = at + 5")
        db.commit()


def test_every_row_of_every_table_arrives_in_postgresql_and_comes_back(file, schema):
    before = fill(file)
    assert all(before.values())

    there = moved(file, schema)
    assert content(schema) == before
    assert there.rows == sum(map(len, before.values()))
    assert not file.path.exists()

    back = moved(schema, file)
    assert content(file) == before
    assert back == MoveResult(there.rows)
    assert not (file.folder / "moving").exists()


def test_a_long_table_arrives_in_batches(file, schema):
    before = fill(file, rows=2 * moving.BATCH + 1)

    moved(file, schema)

    assert content(schema) == before


def test_each_table_is_told_once_with_its_rows(file, schema):
    fill(file)
    told: list[tuple[str, int]] = []

    move(file, schema, MACHINE, lambda table, rows: told.append((table, rows)))

    assert [name for name, _ in told] == [table.name for table in moving.tables()[:-1]]
    assert dict(told)["job"] == 3


def test_the_old_file_is_kept_as_a_backup(file, schema):
    before = fill(file)

    kept = moved(file, schema).kept

    assert kept is not None
    assert kept.name.startswith("plexsync.moved-")
    backup.restore(kept, file.path, aside="aside.db")
    assert content(file) == before


def test_two_moves_in_one_second_keep_a_copy_each(file, schema, monkeypatch):
    now = SystemClock().now()
    monkeypatch.setattr(SystemClock, "now", lambda _clock: now)
    fill(file)

    first = moved(file, schema).kept
    moved(schema, file)
    second = moved(file, schema).kept

    assert second != first
    assert first.is_file()
    assert second.is_file()


def test_new_rows_get_numbers_above_those_that_have_arrived(file, schema):
    fill(file)
    moved(file, schema)

    with connected(schema) as db:
        db.begin(writes=True)
        db.execute(
            "insert into transition (who, at, old, new, cause, error, waiting) values ('p', 1, 'a', 'b', '', '', 0)"
        )
        db.commit()
        assert db.value("select max(number) from transition") == 4


# --- interrupted -----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], None]:
    """Let the move end at the n-th of its writes from now on: before it, or after it."""
    left = [0]
    after = [False]

    def ends(action: Callable[..., object], *, when: Callable[..., bool] = lambda *_: True) -> Callable[..., object]:
        def run(*args: object, **more: object) -> object:
            if not when(*args):
                return action(*args, **more)
            left[0] -= 1
            if left[0] == 0 and not after[0]:
                raise Killed
            result = action(*args, **more)
            if left[0] == 0:
                raise Killed
            return result

        return run

    monkeypatch.setattr(Connection, "commit", ends(Connection.commit))
    monkeypatch.setattr(backup, "save", ends(backup.save))
    monkeypatch.setattr(Path, "unlink", ends(Path.unlink, when=lambda path, *_: path.name.startswith("plexsync.db")))
    monkeypatch.setattr(shutil, "rmtree", ends(shutil.rmtree))

    def at(number: int, *, behind: bool) -> None:
        left[0], after[0] = number, behind

    return at


def interrupt(
    source: StoreAddress, target: StoreAddress, kill: Callable[..., None], number: int, *, behind: bool
) -> None:
    """Run the move until it is killed at this one of its writes."""
    kill(number, behind=behind)
    with pytest.raises(Killed):
        moved(source, target)
    kill(0, behind=False)


def killed_at_every_write(
    source: StoreAddress, target: StoreAddress, kill: Callable[..., None], *, behind: bool
) -> int:
    """Run the move again and again, each time one write further; returns how often it was killed."""
    for number in itertools.count(1):
        kill(number, behind=behind)
        try:
            moved(source, target)
        except Killed:
            continue
        except Unusable:
            # It was killed behind its last write, so that nothing was left to move.
            assert behind
        return number - 1
    raise AssertionError


@pytest.mark.parametrize("behind", [False, True], ids=["before each write", "after each write"])
def test_a_move_to_postgresql_that_is_killed_at_any_write_goes_on(file, schema, kill, behind):
    before = fill(file)

    assert killed_at_every_write(file, schema, kill, behind=behind) > 5

    kill(0, behind=False)
    assert content(schema) == before
    assert not list(file.folder.glob("plexsync.db*"))
    with closing(open_database(schema)) as store, store.reading() as db:
        assert db.notes.text("move") == ""


@pytest.mark.parametrize("behind", [False, True], ids=["before each write", "after each write"])
def test_a_move_to_a_file_that_is_killed_at_any_write_goes_on(file, schema, kill, behind):
    before = fill(schema)

    assert killed_at_every_write(schema, file, kill, behind=behind) > 5

    kill(0, behind=False)
    assert content(file) == before
    assert not (file.folder / "moving").exists()


def test_what_changed_in_the_source_between_two_tries_arrives_as_well(file, schema, kill):
    fill(file)
    interrupt(file, schema, kill, 5, behind=True)
    change(file)
    before = content(file)

    moved(file, schema)

    assert content(schema) == before


def test_a_table_that_arrives_wrong_is_noticed(file, schema, monkeypatch):
    before = fill(file)
    copied = moving.StoreMove._copy_table

    def loses(self, table):
        copied(self, table)
        if table.name == "memory":
            self._target.begin(writes=True)
            self._target.execute("update memory set at = at + 1 where subject = 1")
            self._target.commit()

    monkeypatch.setattr(moving.StoreMove, "_copy_table", loses)
    with pytest.raises(LocalFault, match="the table memory did not arrive"):
        moved(file, schema)
    assert content(file) == before

    monkeypatch.undo()
    moved(file, schema)
    assert content(schema) == before


# --- what is left alone ----------------------------------------------------------------------------------------------


def test_a_target_with_content_of_its_own_is_left_alone(file, schema):
    fill(file)
    before = fill(schema)

    with pytest.raises(Unusable, match="has content already"):
        moved(file, schema)
    assert content(schema) == before
    assert file.path.exists()


def test_a_target_with_a_part_of_another_move_is_left_alone(file, schema, kill, tmp_path):
    fill(file)
    interrupt(file, schema, kill, 5, behind=True)
    other = StoreAddress(tmp_path / "other")
    other.folder.mkdir(mode=0o700)
    fill(other)
    with connected(other) as db:
        db.begin(writes=True)
        db.execute("update note set value = 'another salt' where name = 'salt'")
        db.commit()

    with pytest.raises(Unusable, match="part of another move"):
        moved(other, StoreAddress(other.folder, schema.url, schema.schema))


def test_a_schema_of_another_program_is_left_alone(file, schema, url):
    server = postgres_server.shared()
    name = url.rpartition("/")[2]
    server.query(f"create schema {schema.schema}; create table {schema.schema}.job (id int)", name)
    fill(file)

    with pytest.raises(Unusable, match="belongs to another program"):
        moved(file, schema)
    assert file.path.exists()


def test_a_file_that_is_there_already_is_left_alone(file, schema):
    fill(schema)
    before = fill(file)

    with pytest.raises(Unusable, match="is there already"):
        moved(schema, file)
    assert content(file) == before


def test_without_a_database_there_is_nothing_to_move(file, schema):
    with pytest.raises(Unusable, match="nothing to move"):
        moved(file, schema)


def test_while_a_worker_runs_nothing_is_moved(file, schema):
    fill(file)
    with try_lock(file.folder), pytest.raises(Working, match=r"plexsync\.db"):
        moved(file, schema)


# --- afterwards ------------------------------------------------------------------------------------------------------


def test_a_database_that_has_moved_away_says_where_to(file, schema):
    fill(schema)
    moved(schema, file)

    with pytest.raises(Unusable, match=r"has moved to plexsync\.db already"):
        moved(schema, StoreAddress(file.folder, schema.url, f"{schema.schema}_more"))


def test_the_store_may_return_to_a_database_that_it_left(file, schema):
    fill(file)
    kept = moved(file, schema).kept
    # Within the same second the next copy would have its name.
    kept.rename(kept.with_name("an earlier copy.db"))
    moved(schema, file)
    change(file)
    before = content(file)

    moved(file, schema)

    assert content(schema) == before


def test_a_hook_that_waits_for_the_old_file_leaves_its_event_in_the_spool(file, schema, monkeypatch):
    """It has opened the file before it went: what it writes there would be lost."""
    fill(file)
    monkeypatch.setattr(moves, "_remove", lambda _file: None)
    moved(file, schema)

    assert intake.store(str(file.folder), "scene", 99).startswith("the database has schema")
    (event,) = (file.folder / "spool").iterdir()
    assert '"id": 99' in event.read_text()
    with pytest.raises(NewerDatabase):
        open_database(file)


def test_an_old_part_of_a_move_that_was_finished_elsewhere_is_no_database(file, schema, kill, tmp_path):
    fill(schema)
    interrupt(schema, file, kill, 4, behind=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved(StoreAddress(elsewhere, schema.url, schema.schema), StoreAddress(elsewhere))

    with pytest.raises(Unusable, match=r"has moved to plexsync\.db already"):
        moved(schema, file)

    assert not file.path.exists()


@pytest.fixture
def copied(file, schema, monkeypatch):
    """A store whose move to PostgreSQL was killed when everything had arrived, and the file was not yet set aside."""

    def dies(*_: object) -> None:
        raise Killed

    fill(file)
    with monkeypatch.context() as patch:
        patch.setattr(backup, "save", dies)
        with pytest.raises(Killed):
            moved(file, schema)


def test_a_move_is_not_finished_where_its_file_is_not(file, schema, copied, tmp_path):
    """The file is as alive as before: a worker with the old settings goes on with it."""
    other = Machine("there", 2, "1", "b" * 16, {})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    with pytest.raises(Unusable, match=r"began on here, whose file is not set aside yet: finish it there"):
        move(StoreAddress(elsewhere), StoreAddress(elsewhere, schema.url, schema.schema), other, lambda *_: None)

    change(file)
    before = content(file)
    moved(file, schema)
    assert content(schema) == before
    assert not file.path.exists()


def test_a_move_whose_machine_is_gone_is_finished_as_the_documentation_says(file, schema, copied):
    statement = re.search(r"delete from plexsync\.note .*?;", DOCUMENTATION.read_text(encoding="utf-8"))
    before = content(file)
    with connected(schema) as db:
        assert '"copied": true' in db.value("select value from note where name = 'move'")
    name = schema.url.rpartition("/")[2]
    postgres_server.shared().query(statement[0].replace("plexsync.", f"{schema.schema}."), name)

    with closing(open_database(schema)) as store, store.reading() as db:
        assert db.notes.text("move") == ""
    assert content(schema) == before


def test_a_move_that_waits_for_its_target_is_not_taken_for_one_that_hangs(file, schema, monkeypatch):
    """A standby ends a session that says nothing in the middle of a transaction."""
    fill(schema)
    monkeypatch.setattr(moving, "PACE", 0.05)
    asked = f"select max(state_change) from pg_stat_activity where pid in (select held.pid {HOLDERS})"
    locks = {"schema": schema.schema, "kind": WRITER_CLASS}
    with closing(backend.connect(schema)) as standby, moving.moving(schema, file, MACHINE):
        first = value(standby, asked, **locks)
        until(lambda: value(standby, asked, **locks) > first)


def test_who_goes_on_with_the_old_settings_makes_no_empty_database(file, schema):
    fill(file)
    kept = moved(file, schema).kept

    with pytest.raises(Unusable, match=r"has moved away, .*plexsync\.moved-.*\.db is its copy: set database_url"):
        open_database(file)

    assert not file.path.exists()
    kept.rename(file.folder / "old.db")
    open_database(file).close()
    assert file.path.exists()
