"""Opening the database: where it may lie, how it is synced, what SQLite's faults become."""

import hashlib
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import intake, schema
from plexsync.store.database import Database
from plexsync.store.db import connect, file_system, on_network, translate_error

# About files.
pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[2]
NAME = "plexsync.db"
needs_a_user = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")


def pragma(db: sqlite3.Connection, name: str) -> object:
    return db.execute(f"pragma {name}").fetchone()[0]


def mounts(tmp_path: Path, kind: str, point: Path | str) -> Path:
    table = tmp_path / "mountinfo"
    escaped = str(point).replace(" ", "\\040")
    table.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 22 0:45 / {escaped} rw,relatime shared:2 - {kind} server:/share rw\n"
    )
    return table


# --- what is made, and how it is synced ------------------------------------------------------------------------------


def test_folder_and_files_are_for_the_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store = Database(tmp_path / "some" / "data" / NAME)
        with store.writing() as tx:
            tx.notes.save("a", "b")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "some" / "data").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "some" / "data").stat().st_mode) == 0o700
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, f"{NAME}-shm": 0o600}


def test_on_a_local_disk_a_log_is_synced_at_every_commit(folder):
    db = connect(folder / NAME)
    assert (pragma(db, "journal_mode"), pragma(db, "synchronous")) == ("wal", 2)
    assert (pragma(db, "foreign_keys"), pragma(db, "busy_timeout")) == (1, 30_000)
    db.close()


@pytest.mark.parametrize(("platform", "fully"), [("darwin", 1), ("linux", 0), ("win32", 0)])
def test_on_macos_a_sync_reaches_the_disk_itself(folder, monkeypatch, platform, fully):
    connect(folder / NAME).close()
    monkeypatch.setattr(sys, "platform", platform)
    db = connect(folder / NAME)
    assert (pragma(db, "fullfsync"), pragma(db, "checkpoint_fullfsync")) == (fully, fully)
    db.close()


@pytest.mark.parametrize(("platform", "fully"), [("darwin", True), ("linux", False)])
def test_on_macos_the_hook_syncs_to_the_disk_itself(folder, monkeypatch, platform, fully):
    connect(folder / NAME).close()
    ran: list[str] = []
    connecting = sqlite3.connect

    def traced(*words, **options):
        db = connecting(*words, **options)
        db.set_trace_callback(ran.append)
        return db

    monkeypatch.setattr(sqlite3, "connect", traced)
    monkeypatch.setattr(sys, "platform", platform)
    assert intake.store(str(folder), "scene", 7) == ""
    assert ("pragma fullfsync = 1" in ran, "pragma checkpoint_fullfsync = 1" in ran) == (fully, fully)
    assert "commit" in ran


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse", "fuse.sshfs", "fuseblk"])
def test_on_a_network_share_a_rollback_journal_is_used(tmp_path, folder, kind):
    db = connect(folder / NAME, mounts=mounts(tmp_path, kind, folder))
    assert (pragma(db, "journal_mode"), pragma(db, "synchronous")) == ("delete", 3)
    db.close()
    assert not (folder / f"{NAME}-wal").exists()


def test_a_database_that_moved_to_a_network_share_gives_its_log_up(tmp_path, folder):
    connect(folder / NAME).close()
    db = connect(folder / NAME, mounts=mounts(tmp_path, "nfs4", folder))
    assert pragma(db, "journal_mode") == "delete"
    db.close()


@pytest.mark.parametrize(
    ("kind", "point", "network"),
    [
        ("nfs4", "/data", True),
        ("nfs4", "/data/with space", False),
        ("nfs4", "/dat", False),
        ("ext4", "/data", False),
        ("overlay", "/data", False),
    ],
)
def test_the_longest_mount_point_above_tells_the_file_system(tmp_path, kind, point, network):
    assert on_network(Path("/data/plexsync/plexsync.db"), mounts(tmp_path, kind, point)) is network


def test_a_mount_point_may_hold_a_space_and_a_later_mount_covers_an_earlier_one(tmp_path):
    table = mounts(tmp_path, "cifs", "/my data")
    assert file_system(Path("/my data/x.db"), table) == "cifs"
    table.write_text(table.read_text() + "50 22 8:2 / /my\\040data rw - xfs /dev/sdb rw\nnonsense\n")
    assert file_system(Path("/my data/x.db"), table) == "xfs"


def test_a_system_without_a_table_of_mounts_counts_as_local(tmp_path):
    assert not on_network(tmp_path, tmp_path / "no such file")


def test_only_the_workers_connection_copies_the_log_back_by_itself(folder):
    worker, other = connect(folder / NAME, checkpoints=True), connect(folder / NAME)
    assert pragma(worker, "wal_autocheckpoint") == 1000
    assert pragma(other, "wal_autocheckpoint") == 0
    worker.close()
    other.close()


# --- where it must not lie -------------------------------------------------------------------------------------------


def test_a_folder_that_everyone_can_write_is_refused(folder):
    folder.chmod(0o777)
    with pytest.raises(Unusable, match="chmod 700"):
        connect(folder / NAME)
    assert not (folder / NAME).exists()


def test_a_database_that_is_a_link_is_refused(tmp_path, folder):
    (folder / NAME).symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Unusable, match="link"):
        connect(folder / NAME)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_folder_that_is_a_file_is_told_of_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match="can't be used") as found:
        connect(tmp_path / "file" / NAME)
    assert "\n" not in str(found.value)


@needs_a_user
def test_a_folder_that_can_not_be_written_is_told_of(folder):
    folder.chmod(0o500)
    with pytest.raises(Unusable, match="can't be used"):
        connect(folder / NAME)


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but a text of some length" * 20, b"SQLite format 3\0junk"]
)
def test_a_file_that_is_no_database_is_told_of_and_left_alone(folder, content):
    (folder / NAME).write_bytes(content)
    with pytest.raises(Unusable, match="damaged, or not a database"):
        connect(folder / NAME)
    assert (folder / NAME).read_bytes() == content


def test_a_database_of_another_program_is_left_alone(folder):
    db = sqlite3.connect(folder / NAME)
    db.execute("create table theirs (a)")
    db.close()
    before = (folder / NAME).read_bytes()
    with pytest.raises(Unusable, match="another program"):
        connect(folder / NAME)
    assert (folder / NAME).read_bytes() == before


def test_a_path_may_hold_what_means_something_in_an_address(tmp_path):
    folder = tmp_path / "50% off? #1 ü"
    store = Database(folder / NAME)
    store.close()
    assert [path.name for path in folder.iterdir()] == [NAME]


# --- schemas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [1, 1000])
def test_a_newer_schema_is_refused_with_both_numbers_and_not_a_byte_is_changed(folder, ahead):
    connect(folder / NAME).close()
    db = sqlite3.connect(folder / NAME)
    newer = intake.SCHEMA + ahead
    db.execute(f"pragma user_version = {newer}")
    db.close()
    before = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    with pytest.raises(NewerDatabase, match=rf"schema {newer}.* up to {intake.SCHEMA}"):
        Database(folder / NAME)
    assert hashlib.sha256((folder / NAME).read_bytes()).hexdigest() == before


def test_a_newer_schema_that_a_dead_process_left_in_the_log_is_refused_too(folder):
    script = f"""
        import os, signal, sqlite3
        db = sqlite3.connect({str(folder / NAME)!r}, isolation_level=None)
        db.execute("pragma user_version = 99")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    connect(folder / NAME).close()
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    before = (folder / NAME).read_bytes()
    with pytest.raises(NewerDatabase):
        connect(folder / NAME)
    assert (folder / NAME).read_bytes() == before


@pytest.mark.parametrize("seen", [1, 2, 3])
def test_a_database_that_another_process_makes_while_it_is_checked_is_no_other_programs(folder, seen):
    path = folder / NAME
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as first:
        first.execute("pragma journal_mode = wal")
    checked = sqlite3.connect(path, isolation_level=None)
    statements = []

    def made_meanwhile(statement):
        statements.append(statement)
        if len(statements) == seen + 1:
            connect(path).close()

    checked.set_trace_callback(made_meanwhile)
    schema.check(checked, NAME)
    checked.set_trace_callback(None)
    assert len(statements) > seen
    assert schema.version(checked) == intake.SCHEMA
    checked.close()


def test_many_processes_make_one_database(folder):
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from plexsync.store.database import Database
        store = Database(Path({str(folder / NAME)!r}))
        with store.writing() as tx:
            tx.notes.save(sys.argv[1], "here")
        store.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    started = [subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE, text=True) for n in range(8)]
    failed = [error for process in started if (error := process.communicate()[1])]
    assert failed == []
    store = Database(folder / NAME)
    with store.reading() as db:
        assert all(db.notes.text(str(n)) == "here" for n in range(8))
    store.close()


@pytest.mark.parametrize("begun", ["begin", "begin immediate"])
def test_the_kind_of_journal_is_switched_once_another_process_is_done(folder, begun):
    script = f"""
        import sqlite3, sys, time
        db = sqlite3.connect({str(folder / NAME)!r}, isolation_level=None)
        db.execute({begun!r})
        db.execute("select * from sqlite_master").fetchall()
        print("begun", flush=True)
        time.sleep(0.1)
        db.execute("rollback")
    """
    (folder / NAME).touch(mode=0o600)
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "begun\n"
        db = connect(folder / NAME, busy_seconds=60.0)
        assert db.execute("pragma journal_mode").fetchone()[0] == "wal"
        db.close()


def test_a_journal_that_another_process_never_lets_go_is_told_of_after_a_while(folder):
    (folder / NAME).touch(mode=0o600)
    other = sqlite3.connect(folder / NAME, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LocalFault, match="is busy"):
        connect(folder / NAME, busy_seconds=0.1)
    other.close()


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_database_that_stays_busy_is_a_fault_that_passes(folder):
    connect(folder / NAME).close()
    first, second = connect(folder / NAME), connect(folder / NAME, busy_seconds=0.05)
    first.execute("begin immediate")
    with pytest.raises(sqlite3.OperationalError) as found:
        second.execute("begin immediate")
    fault = translate_error(found.value, folder / NAME)
    assert isinstance(fault, LocalFault)
    assert not fault.full
    assert "busy" in str(fault)
    first.close()
    second.close()


def test_a_full_disk_is_told_of_as_full_and_leaves_what_was_there(folder):
    store = Database(folder / NAME)
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, 0)
        db = tx._db.driver
    pages = pragma(db, "page_count")
    db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(LocalFault) as found, store.writing() as tx:
        for id in range(2, 5000):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, 0)
    assert found.value.full
    assert "no space" in str(found.value)
    with store.reading() as db:
        assert [id for id, _ in db.jobs.ids(Kind.SCENE)] == [1]
    store.close()


def test_damage_found_at_work_is_a_fault_and_not_the_end_of_the_worker(folder):
    store = Database(folder / NAME)
    with store.writing() as tx:
        for id in range(1, 3000):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, 0)
        size = pragma(tx._db.driver, "page_size")
        roots = tx._db.driver.execute(
            "select rootpage from sqlite_master where tbl_name = 'job' and rootpage"
        ).fetchall()
    store.close()
    with (folder / NAME).open("r+b") as file:
        for (page,) in roots:
            file.seek((page - 1) * size)
            file.write(os.urandom(size))
    store = Database(folder / NAME)
    with pytest.raises(LocalFault, match="damaged"), store.writing() as tx:
        for id in range(1, 3000):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, 0)
    store.close()


# --- kill -9 ---------------------------------------------------------------------------------------------------------

VICTIM = """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from pathlib import Path
    from plexsync.store import intake
    from plexsync.store.db import connect
    db = connect(Path({path!r}), mounts=Path({mounts!r}))
    step, last = 0, int(sys.argv[1])
    def tick():
        global step
        step += 1
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0
    db.set_progress_handler(tick, 1)
    db.execute("begin immediate")
    intake.want(db, "scene", 7, "edit", 1000)
    intake.want(db, "scene", 8, "edit", 1000)
    db.execute("commit")
    print("stored", step, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_a_kill_at_any_step_leaves_a_want_whole_or_absent_and_present_once_it_was_told(tmp_path, kind):
    template, table = tmp_path / "template", mounts(tmp_path, kind, tmp_path)
    connect(template / NAME, mounts=table).close()

    def stored(step: int) -> str:
        folder = tmp_path / str(step)
        shutil.copytree(template, folder)
        script = textwrap.dedent(VICTIM).format(root=str(ROOT), path=str(folder / NAME), mounts=str(table))
        done = subprocess.run([sys.executable, "-c", script, str(step)], capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        db = connect(folder / NAME, mounts=table)
        count = db.execute("select count(*) from job").fetchone()[0]
        assert pragma(db, "integrity_check") == "ok"
        assert db.execute("select accepted from books").fetchone()[0] == count
        assert count in (0, 2)
        assert count == 2 or not done.stdout
        db.close()
        return done.stdout

    _, steps = stored(0).split()
    for step in (*range(1, int(steps), int(steps) // 11), int(steps)):
        assert stored(step) == ""
