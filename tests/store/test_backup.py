"""Backup and restore: a copy is sound and stands for itself, and putting it back loses nothing on the way."""

import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.files import backup, repair
from tests.store.fifteen import SCENES, old_database

# About files.
pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[2]
T = 1_700_000_000_000
ASIDE = "plexsync.before-restore.db"


def fill(store: Database, ids) -> None:
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
        tx.notes.save("reconcile:last", str(T))


def ids(path: Path) -> list[int]:
    db = sqlite3.connect(path)
    try:
        return [id for (id,) in db.execute("select id from job order by id")]
    finally:
        db.close()


def value(path: Path, sql: str):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchone()[0]
    finally:
        db.close()


@pytest.fixture
def database(folder: Path) -> Path:
    return folder / "plexsync.db"


def test_a_backup_holds_what_was_committed_also_while_the_database_is_open(store, database, tmp_path):
    fill(store, range(1, 101))
    copied = backup.save(database, tmp_path / "copy.db")
    assert (copied.rows, copied.schema) == (100, intake.SCHEMA)
    assert copied.size == (tmp_path / "copy.db").stat().st_size
    assert ids(tmp_path / "copy.db") == list(range(1, 101))
    assert value(tmp_path / "copy.db", "pragma integrity_check") == "ok"


def test_a_backup_is_one_file_for_the_owners_eyes_only(store, database, tmp_path):
    fill(store, [1])
    folder = tmp_path / "copies"
    folder.mkdir()
    backup.save(database, folder / "copy.db")
    assert [path.name for path in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    assert value(folder / "copy.db", "pragma journal_mode") == "delete"


def test_backups_taken_while_a_worker_writes_are_each_one_moment(store, database, tmp_path):
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.is_set():
            # Always two rows at once: a copy that was torn in between would hold an odd number.
            fill(store, [number, number + 1])
            number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [backup.save(database, tmp_path / f"{n}.db").rows for n in range(8)]
    finally:
        stop.set()
        writer.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)


def test_a_backup_never_overwrites_unless_told_to(store, database, tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("something of a person's")
    with pytest.raises(Unusable, match="exists already"):
        backup.save(database, target)
    assert target.read_text() == "something of a person's"
    fill(store, [7])
    backup.save(database, target, replace=True)
    assert ids(target) == [7]


def test_a_backup_refuses_the_database_itself_a_link_and_a_missing_folder(store, database, tmp_path):
    with pytest.raises(Unusable, match="the database itself"):
        backup.save(database, database, replace=True)
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Unusable, match="not a file"):
        backup.save(database, tmp_path / "link.db")
    with pytest.raises(Unusable, match="can't be written"):
        backup.save(database, tmp_path / "nowhere" / "copy.db")


def test_there_is_nothing_to_back_up_before_there_is_a_database(tmp_path):
    with pytest.raises(Unusable, match="nothing to back up"):
        backup.save(tmp_path / "plexsync.db", tmp_path / "copy.db")


def test_a_damaged_database_is_not_backed_up_as_if_it_were_sound(store, database, tmp_path):
    fill(store, range(1, 3000))
    store.close()
    db = sqlite3.connect(database)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    content = bytearray(database.read_bytes())
    for page in range(3, len(content) // 4096, 2):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    database.write_bytes(content)
    with pytest.raises(Unusable, match="damaged"):
        backup.save(database, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert list(tmp_path.glob(".*")) == []


def test_a_restore_brings_back_the_rows_and_keeps_what_was_there(store, database, tmp_path, folder):
    fill(store, [1, 2, 3])
    backup.save(database, tmp_path / "copy.db")
    fill(store, [4, 5])
    restored = backup.restore(tmp_path / "copy.db", database, aside=ASIDE, notes={"reconcile:last": ""})
    assert restored.copy.rows == 3
    assert ids(restored.aside) == [1, 2, 3, 4, 5]
    assert stat.S_IMODE(restored.aside.stat().st_mode) == 0o600
    # The store was open all the time, and sees the new state without being opened anew.
    with store.reading() as db:
        assert [id for id, _ in db.jobs.ids(Kind.SCENE)] == [1, 2, 3]
        assert db.notes.text("reconcile:last") == "", "a complete comparison is due"
    fill(store, [9])
    assert ids(database) == [1, 2, 3, 9]
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_restore_into_an_empty_folder(store, database, tmp_path):
    fill(store, [1, 2])
    backup.save(database, tmp_path / "copy.db")
    fresh = tmp_path / "fresh"
    fresh.mkdir(mode=0o700)
    restored = backup.restore(tmp_path / "copy.db", fresh / "plexsync.db", aside=ASIDE)
    assert restored.aside is None
    again = Database(fresh / "plexsync.db")
    with again.reading() as db:
        assert [id for id, _ in db.jobs.ids(Kind.SCENE)] == [1, 2]
    again.close()
    assert stat.S_IMODE((fresh / "plexsync.db").stat().st_mode) == 0o600


def test_a_restore_over_a_damaged_database_moves_it_aside_with_its_log(store, database, tmp_path, folder):
    fill(store, [1, 2])
    backup.save(database, tmp_path / "copy.db")
    store.close()
    database.write_bytes(b"no database at all" * 1000)
    (folder / "plexsync.db-wal").write_bytes(b"the log of another")
    restored = backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert restored.aside.read_bytes().startswith(b"no database")
    assert (folder / f"{ASIDE}-wal").read_bytes() == b"the log of another"
    assert ids(database) == [1, 2]


def killed_after(database: Path, script: str) -> None:
    """Another process does it to the database, and is killed right after."""
    begin = f"import os, sqlite3, sys; from pathlib import Path; path = Path({str(database)!r})\n"
    script = begin + textwrap.dedent(script) + "\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


WANT_ONE_BY_ONE = f"""
    from plexsync.store.database import Database
    from plexsync.rules.queue.job import Kind, Why
    store = Database(path)
    for id in range(1, 300):
        with store.writing() as tx:
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, {T})
"""
# On a share, in the middle of a transaction of which something is in the file already.
LEAVE_HALF_WRITTEN = """
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = delete", "cache_size = 2", "cache_spill = 1"):
        db.execute(f"pragma {pragma}").fetchall()
    db.execute("begin immediate")
    db.execute("update job set error = hex(randomblob(200))")
"""


def test_a_restore_never_leaves_the_log_of_a_lost_database_beside_the_copy(tmp_path, folder):
    source = Database(tmp_path / "source" / "plexsync.db")
    fill(source, range(1, 5000))
    source.close()
    backup.save(tmp_path / "source" / "plexsync.db", tmp_path / "copy.db")
    database = folder / "plexsync.db"
    killed_after(database, WANT_ONE_BY_ONE)
    log = database.with_name("plexsync.db-wal").read_bytes()
    assert log
    database.unlink()

    restored = backup.restore(tmp_path / "copy.db", database, aside=ASIDE)

    assert restored.aside is None
    assert ids(database) == list(range(1, 5000))
    assert value(database, "pragma integrity_check") == "ok"
    assert (folder / f"{ASIDE}-wal").read_bytes() == log, "a person may still want it"


def test_a_restore_overtakes_a_repair_that_was_broken_off(store, database, tmp_path, folder, monkeypatch):
    fill(store, range(1, 300))
    store.close()
    backup.save(database, tmp_path / "copy.db")
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    database.write_bytes(content)
    with monkeypatch.context() as patched:
        # Killed when the new database is complete and the old one still in its place.
        patched.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            repair.repair(database, now=T)
    (mended,) = folder.glob(f"*{repair.MARK}*")
    made = mended.read_bytes()

    backup.restore(tmp_path / "copy.db", database, aside=ASIDE)

    assert repair.repair(database, now=T + 1000) is None
    assert ids(database) == list(range(1, 300))
    assert [one.read_bytes() for one in folder.glob(f"{ASIDE}*{repair.MARK}*")] == [made]


def test_what_a_killed_process_had_half_written_is_taken_back_by_backup_and_restore(store, database, tmp_path, folder):
    fill(store, range(1, 3000))
    store.close()
    killed_after(database, LEAVE_HALF_WRITTEN)
    assert (folder / "plexsync.db-journal").stat().st_size

    assert backup.save(database, tmp_path / "copy.db").rows == 2999

    assert value(tmp_path / "copy.db", "select count(*) from job where error <> ''") == 0
    killed_after(database, LEAVE_HALF_WRITTEN)
    backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert value(database, "select count(*) from job where error <> ''") == 0
    assert value(database.with_name(ASIDE), "select count(*) from job where error <> ''") == 0


@pytest.mark.parametrize("byte", [18, 19])
def test_a_restore_over_a_first_page_that_can_not_be_right(store, database, tmp_path, byte):
    fill(store, [1, 2])
    store.close()
    backup.save(database, tmp_path / "copy.db")
    content = bytearray(database.read_bytes())
    content[byte] = 3
    database.write_bytes(content)
    restored = backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert restored.aside.read_bytes() == content
    assert ids(database) == [1, 2]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 an archive", b"SQLite format 3\0" + b"\0" * 4080])
def test_what_is_no_backup_changes_nothing(content, store, database, tmp_path):
    fill(store, [1])
    (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(Unusable):
        backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert ids(database) == [1]
    assert not database.with_name(ASIDE).exists()


def test_a_database_of_another_program_is_refused(store, database, tmp_path):
    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("create table job (id integer)")
    db.commit()
    db.close()
    with pytest.raises(Unusable, match="not a database of PlexSync"):
        backup.restore(tmp_path / "other.db", database, aside=ASIDE)


@pytest.mark.parametrize(("schema", "refusal"), [(1000, NewerDatabase), (14, Unusable)])
def test_a_backup_that_is_too_new_or_too_old_is_refused(store, database, tmp_path, schema, refusal):
    fill(store, [1])
    backup.save(database, tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute(f"pragma user_version = {schema}")
    with pytest.raises(refusal, match=f"schema {schema}"):
        backup.restore(tmp_path / "other.db", database, aside=ASIDE)
    assert ids(database) == [1]


def test_a_backup_from_the_schema_before_is_brought_up_when_it_is_opened(store, database, tmp_path):
    old_database(tmp_path / "older.db")
    store.close()
    backup.restore(tmp_path / "older.db", database, aside=ASIDE)
    again = Database(database)
    with again.reading() as seen:
        assert len(list(seen.jobs.ids(Kind.SCENE))) == SCENES
        assert seen.notes.text("salt") == "grain"
    again.close()
    assert value(database, "pragma user_version") == intake.SCHEMA


def test_a_restore_gives_up_when_another_process_does_not_let_go(store, database, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "BUSY_SECONDS", 0.1)
    fill(store, [1])
    backup.save(database, tmp_path / "copy.db")
    fill(store, [2])
    with store.writing():
        with pytest.raises(LocalFault):
            backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert ids(database) == [1, 2]


def test_a_sound_database_that_can_not_be_copied_is_not_moved_away(store, database, tmp_path, monkeypatch):
    fill(store, [1])
    backup.save(database, tmp_path / "copy.db")
    fill(store, [2])

    def no_room(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "sync_to_disk", no_room)
    with pytest.raises(Unusable, match="No space left"):
        backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert ids(database) == [1, 2]
    assert not database.with_name(ASIDE).exists()


def test_what_was_kept_before_is_never_overwritten(store, database, tmp_path):
    fill(store, [1])
    backup.save(database, tmp_path / "copy.db")
    database.with_name(ASIDE).write_text("kept from before")
    with pytest.raises(Unusable, match="exists already"):
        backup.restore(tmp_path / "copy.db", database, aside=ASIDE)
    assert database.with_name(ASIDE).read_text() == "kept from before"
