"""The store as a whole: transactions, threads, wake-ups, and what hooks left as files."""

import builtins
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import LocalFault, SpoolFault
from plexsync.store import intake
from plexsync.store.connection import Table
from plexsync.store.database import Database, Reader
from plexsync.store.sqlite import SqliteFile
from tests.patience import HANG
from tests.stores import address_of, look

ROOT = Path(__file__).resolve().parents[2]
T = 1_700_000_000_000


def note(store: Database, name: str) -> str:
    with store.reading() as db:
        return db.notes.text(name)


def tables(transaction: Reader) -> dict[str, Table]:
    return {name: getattr(transaction, name) for name in type(transaction).__annotations__}


def methods(table: Table) -> set[str]:
    return {name for name in dir(table) if not name.startswith("_")}


def test_a_reading_transaction_has_every_method_that_looks_and_none_that_writes(store):
    with store.reading() as db:
        reading = tables(db)
    with store.writing() as tx:
        writing = tables(tx)
    assert all(isinstance(table, Table) for table in (*reading.values(), *writing.values()))
    assert set(writing) - set(reading) == {"scan_requests"}, "asking for a scan is writing"
    assert set(reading) <= set(writing)
    assert type(reading["runs"]) is type(writing["runs"]), "runs are read from what is written elsewhere"
    for name in set(reading) - {"runs"}:
        table = reading[name]
        assert isinstance(writing[name], type(table))
        assert methods(table) < methods(writing[name])
    assert not hasattr(reading["jobs"], "want")
    assert not hasattr(reading["notes"], "save")


@pytest.mark.parametrize("text", ["", "17x4", "-5", "1.5", " 7", "\u0661\u0662", "9" * 19, "9" * 5000, "\0"])
def test_a_note_that_is_no_number_any_more_counts_as_none(store, text):
    with store.writing() as tx:
        tx.notes.save("a", "1768471200000")
        tx.notes.save("b", text)
    with store.reading() as db:
        assert db.notes.number("a") == 1_768_471_200_000
        assert db.notes.number("b") is None
        assert db.notes.number("never set") is None


def test_a_transaction_is_whole_or_absent(store):
    with pytest.raises(ZeroDivisionError), store.writing() as tx:
        tx.notes.save("a", "1")
        1 / 0  # noqa: B018
    assert note(store, "a") == ""


def test_a_reader_sees_one_moment(folder, store):
    other = Database(folder / "plexsync.db")
    with store.reading() as db:
        assert db.notes.text("a") == ""
        with other.writing() as tx:
            tx.notes.save("a", "1")
        assert db.notes.text("a") == ""
    assert note(store, "a") == "1"
    other.close()


def test_a_transaction_inside_a_transaction_is_a_fault_of_the_caller(store):
    with store.writing() as tx:
        tx.notes.save("a", "1")
        with pytest.raises(RuntimeError, match="open in this thread"), store.reading():
            pass
    assert note(store, "a") == "1"


def test_threads_have_connections_of_their_own(store):
    def write(name: str) -> None:
        for number in range(20):
            with store.writing() as tx:
                tx.notes.save(name, f"{int(tx.notes.text(name) or 0) + 1}")
                tx.notes.save("all", f"{int(tx.notes.text('all') or 0) + 1}")
                assert number >= 0

    threads = [threading.Thread(target=write, args=(f"thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert note(store, "all") == "80"


def test_a_commit_of_another_connection_is_noticed_and_our_own_is_not(folder, store):
    other = Database(folder / "plexsync.db")
    store.has_changed()
    assert not store.has_changed()
    with store.writing() as tx:
        tx.notes.save("a", "1")
    assert not store.has_changed()
    with other.writing() as tx:
        tx.notes.save("a", "2")
    assert store.has_changed()
    assert not store.has_changed()
    with other.reading() as db:
        db.notes.text("a")
    assert not store.has_changed()
    other.close()


@pytest.mark.sqlite_only
@pytest.mark.skipif(sys.platform == "win32", reason="there every look is a statement")
def test_while_nothing_is_written_no_look_for_commits_costs_a_statement_but_one_now_and_then(
    folder, store, monkeypatch
):
    passed = 0.0
    monkeypatch.setattr("plexsync.store.database.monotonic", lambda: passed)

    def looks(seconds: int) -> tuple[int, list[bool]]:
        nonlocal passed
        before, found = store.cost()[0], []
        for _ in range(seconds):
            passed += 1
            found.append(store.has_changed())
        return store.cost()[0] - before, found

    looks(1)
    assert looks(60) == (6, [False] * 60)
    other = Database(folder / "plexsync.db")
    with other.writing() as tx:
        tx.notes.save("a", "1")
    statements, found = looks(9)
    assert (statements, found) == (2, [True] + [False] * 8), "a commit may become readable a little after its trace"
    other.close()


def test_a_commit_before_the_first_question_is_noticed(folder):
    store, other = Database(folder / "plexsync.db"), Database(folder / "plexsync.db")
    with other.writing() as tx:
        tx.notes.save("a", "2")
    assert store.has_changed()
    store.close()
    other.close()


def test_after_a_fault_the_next_transaction_has_a_new_connection(folder, store):
    with pytest.raises(LocalFault), store.writing() as tx:
        tx._db.execute("select * from no_such_table")
    with store.writing() as tx:
        tx.notes.save("a", "1")
    assert note(store, "a") == "1"


def test_a_connection_that_takes_long_keeps_nobody_else_waiting(folder):
    begun, goes_on, told = threading.Event(), threading.Event(), []

    class Slow(SqliteFile):
        def connect(self):
            if threading.current_thread().name == "slow":
                begun.set()
                assert goes_on.wait(HANG)
            return super().connect()

    def use():
        with pytest.raises(LocalFault, match="closed") as fault, store.reading():
            pass
        told.append(fault.value)

    store = Database.on(Slow(folder / "plexsync.db"))
    slow = threading.Thread(target=use, name="slow")
    slow.start()
    assert begun.wait(HANG)
    other = threading.Thread(target=store.has_changed, name="other")
    other.start()
    other.join(HANG)
    assert not other.is_alive()
    store.close()
    goes_on.set()
    slow.join(HANG)
    assert told


def test_a_closed_store_says_so(folder):
    store = Database(folder / "plexsync.db")
    store.close()
    with pytest.raises(LocalFault, match="closed"), store.reading():
        pass


@pytest.mark.sqlite_only
def test_a_log_that_can_not_be_copied_back_does_not_take_back_what_was_committed(folder):
    """On a disk that lets the log grow and the database not. The limit is on a process of its own."""
    pytest.importorskip("resource", reason="limits the size of files")
    script = f"""
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from plexsync.store import database, sqlite
        from plexsync.rules.servers.errors import LocalFault
        from plexsync.rules.queue.job import Kind, Why
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        sqlite.LONG_LOG, sqlite.WEIGHED_EVERY = 2**20, 1
        path = Path({str(folder / "plexsync.db")!r})
        store = database.Database(path, worker=True)
        acked, first = [], None
        for id in range(1, 20_000, 60):
            if id == 601:
                resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 3 * 2**19, resource.RLIM_INFINITY))
            try:
                with store.writing() as tx:
                    for number in range(id, id + 60):
                        tx.jobs.want(Kind.SCENE, number, Why.EDIT, {T})
            except LocalFault as fault:
                with store.reading() as db:
                    print(type(fault).__name__, id, db.jobs.find(Kind.SCENE, id) is None)
                break
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    name, _, absent = done.stdout.split()
    assert (name, absent, done.stderr) == ("LocalFault", "True", "")


# --- the spool -------------------------------------------------------------------------------------------------------


def test_events_left_as_files_are_wanted_and_removed(folder, store):
    for id in (7, 8, 7):
        intake.spool(str(folder), json.dumps({"kind": "scene", "id": id, "why": "edit"}).encode(), ".json")
    intake.spool(str(folder), json.dumps({"kind": "tag", "id": 7, "why": "edit"}).encode(), ".json")

    assert store.drain_spool(T) == 4
    assert store.drain_spool(T) == 0

    with store.reading() as db:
        assert [id for id, _ in db.jobs.ids(Kind.SCENE)] == [7, 8]
        assert [id for id, _ in db.jobs.ids(Kind.TAG)] == [7]
        assert db.books.read()["accepted"] == 4
    assert list((folder / "spool").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b'{"kind": "scene", "id": 0, "why": "edit"}',
        b'{"kind": "scene", "id": true, "why": "edit"}',
        b'{"kind": "scene", "id": 9223372036854775808, "why": "edit"}',
        b'{"kind": ["scene"], "id": 1, "why": "edit"}',
        b'{"kind": "scene", "id": 1}',
        b'{"kind": "boat", "id": 1, "why": "edit"}',
    ],
)
def test_a_file_that_tells_no_event_is_set_aside_and_hides_none(folder, store, content):
    path = Path(intake.spool(str(folder), content, ".json"))
    intake.spool(str(folder), b'{"kind": "scene", "id": 7, "why": "edit"}', ".json")
    intake.spool(str(folder), b"raw", ".raw")

    assert store.drain_spool(T) == 1

    assert (folder / "spool" / "unread" / path.name).read_bytes() == content
    assert len(list((folder / "spool" / "unread").iterdir())) == 2


def test_a_file_that_is_being_written_is_not_read_and_one_that_never_was_finished_goes(folder, store):
    spool = folder / "spool"
    spool.mkdir()
    (spool / ".1-ab.tmp").write_bytes(b'{"kind": "sc')
    begun = round((spool / ".1-ab.tmp").stat().st_mtime * 1000)
    assert store.drain_spool(begun + 3_500_000) == 0
    assert [path.name for path in spool.iterdir()] == [".1-ab.tmp"]
    assert store.drain_spool(begun + 3_700_000) == 0
    assert list(spool.iterdir()) == []


def test_events_stay_in_their_files_until_they_are_committed(folder, store):
    intake.spool(str(folder), b'{"kind": "scene", "id": 7, "why": "edit"}', ".json")
    with look(folder) as other:
        other.execute("alter table book rename to lost")
    with pytest.raises(LocalFault):
        store.drain_spool(T)
    with look(folder) as other:
        other.execute("alter table lost rename to book")
    assert len(list((folder / "spool").iterdir())) == 1


def edit_of(id: int) -> bytes:
    return json.dumps({"kind": "scene", "id": id, "why": "edit"}).encode()


def wanted(store: Database) -> dict[int, int]:
    with store.reading() as db:
        return {id: db.jobs.find(Kind.SCENE, id).wanted_rev for id, _ in db.jobs.ids(Kind.SCENE)}


def refuse(monkeypatch, module, name: str, path: object) -> None:
    """A call of the system is not allowed for one path, which root alone could be told of in no other way."""
    call = getattr(module, name)

    def refusing(given, *args, **more):
        if str(given) == str(path):
            raise PermissionError(13, "Permission denied", str(given))
        return call(given, *args, **more)

    monkeypatch.setattr(module, name, refusing)


def test_a_file_that_can_not_be_read_hides_none_and_waits_until_it_can(folder, store, monkeypatch):
    path = intake.spool(str(folder), edit_of(7), ".json")
    for id in range(100, 100 + 5):
        intake.spool(str(folder), edit_of(id), ".json")
    monkeypatch.setattr("plexsync.store.database.BATCH", 1)
    with monkeypatch.context() as patched:
        refuse(patched, builtins, "open", path)
        for _ in range(2):
            with pytest.raises(SpoolFault, match=f"{path}: Permission denied$"):
                store.drain_spool(T)
        assert wanted(store) == dict.fromkeys(range(100, 105), 1)
    assert store.drain_spool(T) == 1
    assert wanted(store)[7] == 1


def test_a_file_that_can_not_be_removed_is_wanted_once_and_goes_as_soon_as_it_can(folder, store, monkeypatch):
    path = intake.spool(str(folder), edit_of(7), ".json")
    with monkeypatch.context() as patched:
        refuse(patched, os, "unlink", path)
        for _ in range(3):
            with pytest.raises(SpoolFault, match=path):
                store.drain_spool(T)
        assert wanted(store) == {7: 1}
        intake.spool(str(folder), edit_of(8), ".json")
        with pytest.raises(SpoolFault):
            store.drain_spool(T)
        assert wanted(store) == {7: 1, 8: 1}
    assert store.drain_spool(T) == 0
    assert list((folder / "spool").iterdir()) == []
    assert wanted(store) == {7: 1, 8: 1}


def test_a_spool_that_can_not_be_looked_into_is_named(folder, store, monkeypatch):
    intake.spool(str(folder), edit_of(7), ".json")
    refuse(monkeypatch, os, "listdir", folder / "spool")
    with pytest.raises(SpoolFault, match=f"{folder / 'spool'}: Permission denied"):
        store.drain_spool(T)


def test_what_is_set_aside_is_told_of_once(folder, store, caplog):
    path = intake.spool(str(folder), b"no event", ".json")
    with caplog.at_level(logging.WARNING):
        store.drain_spool(T)
        store.drain_spool(T)
    (told,) = caplog.messages
    assert path in told and intake.UNREAD in told


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("there", [True, False], ids=["root's spool is there", "nothing is there"])
def test_what_root_leaves_belongs_to_the_owner_of_the_data_folder(folder, there):
    if there:
        (folder / "spool").mkdir(mode=0o700)
    os.chown(folder, 65534, 65533)
    path = Path(intake.spool(str(folder), edit_of(7), ".json"))
    assert [(one.stat().st_uid, one.stat().st_gid) for one in (path, path.parent)] == [(65534, 65533)] * 2


# --- many writers ----------------------------------------------------------------------------------------------------


def test_wants_of_many_processes_are_all_counted_while_a_worker_works(folder, store):
    address = address_of(folder)
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from plexsync.store.files.address import StoreAddress
        from plexsync.store.opening import open_database
        from plexsync.rules.queue.job import Kind, Why
        store = open_database(StoreAddress(Path({str(folder)!r}), {address.url!r}, {address.schema!r}))
        for id in range(1, 101):
            with store.writing() as tx:
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, {T} + id)
        store.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    while any(process.poll() is None for process in started):
        with store.writing() as tx:
            tx.jobs.claim(20, now=T + 10_000_000, lease_ms=1000, holder="w")
    assert [process.communicate()[1] for process in started] == ["", "", "", ""]
    with look(folder) as db:
        counted = db.execute("select accepted, accepted - coalesced, (select count(*) from job) from books").fetchall()
    assert counted == [(400, 100, 100)]
    with store.reading() as tx:
        assert tx.jobs.find(Kind.SCENE, 100).wanted_rev == 4
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.USER, T)
