"""The store in PostgreSQL: where it is, who may open it, what it stores, and what each of its faults is called."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from plexsync.rules.item import Part
from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, SyncError, Unusable
from plexsync.store import intake, opening, schema
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.worker_locks import locks_at
from plexsync.store.index.index import Entry
from plexsync.store.opening import open_database
from plexsync.store.postgres import backend, faults
from plexsync.store.postgres.connection import CommitInDoubt
from plexsync.store.queue.jobs import AttemptEnding
from tests.patience import HANG
from tests.postgres_server import Server, shared
from tests.store import fifteen
from tests.stores import connected
from tests.tables import table

pytestmark = pytest.mark.needs_postgres
T = 1_700_000_000_000
SECRET = "open/sesame@42"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with shared().database() as url:
        yield url


@pytest.fixture
def address(database: str, tmp_path: Path) -> Iterator[StoreAddress]:
    """A schema of this test's own."""
    made = StoreAddress(tmp_path, database, "own")
    yield made
    with closing(psycopg.connect(database, autocommit=True)) as db:
        db.execute("drop schema if exists own cascade")


@pytest.fixture
def store(address: StoreAddress) -> Iterator[Database]:
    with closing(open_database(address)) as made:
        yield made


@table(
    ("url", "name"),
    [
        ("", "plexsync.db"),
        ("postgresql://me:open%2Fsesame%4042@db.example/sync", "the database sync on db.example:5432"),
        (f"postgresql://me:{SECRET}@db.example/sync", "the database of database_url"),
        ("postgresql://me:open?sesame@db.example/sync", "the database of database_url"),
        ("postgres://me:pw@db.example:6000/sync?sslmode=require", "the database sync on db.example:6000"),
        ("postgresql://me@[::1]/sync", "the database sync on [::1]:5432"),
        ("postgresql://me:pw@a:1,b/sync", "the database sync on a:1,b:5432"),
        ("postgresql:///sync?host=/run/postgresql", "the database sync on /run/postgresql"),
        ("postgresql:///sync", "the database sync on the local socket"),
        ("postgresql://?dbname=sync&host=db&port=7&user=me", "the database sync on db:7"),
        ("postgresql://me@db", "the database without a name on db:5432"),
    ],
)
def test_a_store_is_named_without_user_and_password(url: str, name: str) -> None:
    address = StoreAddress(Path("/data"), url)
    assert address.name == name
    assert address.is_postgres == bool(url)
    assert "me" not in repr(address)
    assert SECRET not in repr(address)


def test_the_driver_is_named_with_the_command_that_adds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.extras, "is_installed", lambda part: part != "postgres")
    with pytest.raises(Unusable, match=r"a package for the database sync on db:5432 is missing: .*postgres"):
        open_database(StoreAddress(tmp_path, "postgresql://me:pw@db/sync"))


# --- opening ---------------------------------------------------------------------------------------------------------


def test_many_that_open_it_at_once_make_it_once(address: StoreAddress) -> None:
    stores: list[Database] = []

    def open_it() -> None:
        stores.append(open_database(address))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert len(stores) == 4
    for made in stores:
        made.close()
    with connected(address) as db:
        assert db.execute("select version from schema_version").fetchall() == [(intake.SCHEMA,)]
        assert db.execute("select one, accepted from book").fetchall() == [(1, 0)]


@pytest.mark.parametrize("fails", [False, True])
def test_a_store_of_the_schema_before_is_brought_up_with_its_rows_or_left_as_it_is(
    address: StoreAddress, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    with closing(open_database(address)) as made, made.writing() as tx:
        tx.notes.save("salt", "grain")
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, 0)
    with connected(address) as db:
        for statement in fifteen.ENDED:
            db.execute(statement)
        fifteen.put_back_postgres(db)
    if fails:
        with monkeypatch.context() as broken:
            broken.setitem(
                schema.STEPS, 15, [*schema.STEPS[15], "create table extra (a integer)", "drop table nothing"]
            )
            with pytest.raises(SyncError):
                open_database(address)
        with connected(address) as db:
            assert db.execute("select version, to_regclass('extra') from schema_version").fetchall() == [(15, None)]
    with closing(open_database(address)) as made, made.reading() as read:
        assert read.notes.text("salt") == "grain"
        told = [attempt.error for attempt in read.attempts.of(Kind.SCENE, 1)]
        assert sorted(text.split(" from ")[0] for text in told) == [
            "item 1001 may show a background",
            "item 1001 may show a poster",
        ]
    with connected(address) as db:
        assert db.execute("select version from schema_version").fetchall() == [(intake.SCHEMA,)]
        assert db.execute("select flow from picture").fetchall() == []


def test_a_store_that_is_too_old_is_left_as_it_is_and_the_message_says_what_is_lost(address: StoreAddress) -> None:
    open_database(address).close()
    with connected(address) as db:
        db.execute("update schema_version set version = 14")
        with pytest.raises(
            Unusable, match=r"schema 14.* name another database_schema to begin anew.* lost are the undo"
        ):
            open_database(address)
        assert db.execute("select version from schema_version").fetchall() == [(14,)]


def test_a_newer_store_is_refused_by_who_opens_it_and_who_connects_anew(store: Database, address: StoreAddress) -> None:
    with connected(address) as db:
        db.execute("update schema_version set version = version + 1")
    with pytest.raises(NewerDatabase, match=f"schema {intake.SCHEMA + 1}, and .* knows schemas up to {intake.SCHEMA}"):
        open_database(address)
    raised: list[BaseException] = []

    def use_it() -> None:
        try:
            with store.reading():
                pass
        except NewerDatabase as error:
            raised.append(error)

    thread = threading.Thread(target=use_it)
    thread.start()
    thread.join(HANG)
    assert len(raised) == 1


@pytest.mark.parametrize(
    "made",
    ["create table job (a int)", "create table schema_version (program text, version int)", "create sequence counter"],
)
def test_a_schema_of_another_program_is_left_alone(address: StoreAddress, made: str) -> None:
    with connected(address) as db:
        db.execute(f"create schema own; {made}".encode())
        with pytest.raises(Unusable, match=r"the schema own of the database .* belongs to another program"):
            open_database(address)
        assert db.execute("select count(*) from pg_class where relnamespace = 'own'::regnamespace").fetchall() == [(1,)]


def test_an_empty_schema_that_an_administrator_has_made_is_used(address: StoreAddress) -> None:
    with connected(address) as db:
        db.execute("create schema own")
    open_database(address).close()


def test_a_server_that_is_too_old_is_refused(address: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "OLDEST_SERVER", 99)
    with pytest.raises(Unusable, match=r"is PostgreSQL 1[0-9]: PlexSync needs 99 or newer"):
        open_database(address)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    with Server(password=SECRET, max_connections=8, superuser_reserved_connections=1) as server:
        yield server


def refused(url: str, tmp_path: Path) -> Exception:
    with pytest.raises((LocalFault, Unusable)) as raised:
        open_database(StoreAddress(tmp_path, url))
    assert "store" not in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    return raised.value


def test_what_you_have_to_fix_is_said_in_a_line_without_user_and_password(guarded: Server, tmp_path: Path) -> None:
    at = f"127.0.0.1:{guarded.port}"
    good = guarded.url()
    open_database(StoreAddress(tmp_path, good)).close()
    cases = {
        f"postgresql://store:wrong@{at}/postgres": "refuses the user or the password of database_url",
        f"postgresql://store@{at}/postgres": "refuses the user or the password of database_url",
        good.replace("/postgres", "/nowhere"): "does not exist: create it (createdb)",
        f"{good}?sslmode=require": "can't be reached by TLS as database_url demands",
    }
    for url, words in cases.items():
        error = refused(url, tmp_path)
        assert isinstance(error, Unusable)
        assert words in str(error)
    assert "can't be read" in str(refused("postgresql://me:%zz@db/sync", tmp_path))


def test_a_user_who_may_make_no_schema_is_told_so_at_once(guarded: Server, tmp_path: Path) -> None:
    guarded.query(f"create role guest login password '{SECRET}'")
    address = StoreAddress(tmp_path, f"postgresql://guest:{quote(SECRET, safe='')}@127.0.0.1:{guarded.port}/postgres")
    with pytest.raises(Unusable, match="has to own the schema"):
        open_database(address)
    # A worker would wait for ever for what only you can mend.
    with closing(locks_at(address)) as locks, pytest.raises(Unusable, match="has to own the schema"):
        locks.is_locked()


def test_what_passes_by_itself_is_a_local_fault(guarded: Server, tmp_path: Path) -> None:
    error = refused("postgresql://store@127.0.0.1:1/x", tmp_path)
    assert (type(error), str(error)) == (
        LocalFault,
        "the database x on 127.0.0.1:1 can't be reached: the connection is refused",
    )
    taken = []
    try:
        with pytest.raises(psycopg.OperationalError):
            while len(taken) < 20:
                taken.append(psycopg.connect(guarded.url()))
        # The limit spares one connection for a superuser, as the owner of this server is.
        error = refused(guarded.url(), tmp_path)
        assert (type(error), str(error).endswith("has no free connection")) == (LocalFault, True)
    finally:
        for connection in taken:
            connection.close()


def test_a_user_whose_sessions_read_only_is_told_so_and_not_of_a_standby_server(tmp_path: Path) -> None:
    server = shared()
    with server.database() as url:
        name = url.rpartition("/")[2]
        setting = "default_transaction_read_only"
        server.query(f"alter role store in database {name} set {setting} = on")
        with pytest.raises(LocalFault, match=f"{setting} is on for its user or for it") as raised:
            open_database(StoreAddress(tmp_path, url))
        assert raised.value.away, "some providers set it while the disk is full"
        server.query(f"alter role store in database {name} reset {setting}")
        with closing(open_database(StoreAddress(tmp_path, url))) as store, store.reading() as db:
            assert db.notes.text("a") == ""


def test_what_you_have_to_fix_is_a_fault_that_passes_once_the_store_was_open() -> None:
    error = psycopg.OperationalError('FATAL:  password authentication failed for user "me"')
    assert isinstance(faults.connection_error(error, "it", opening=True), Unusable)
    fault = faults.connection_error(error, "it", opening=False)
    assert isinstance(fault, LocalFault)
    assert not fault.away, "nothing but you mends it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FATAL:  sorry, too many clients already", "has no free connection"),
        ("FATAL:  the database system is starting up", "is starting or stopping"),
        ("server is in hot standby mode", "it is a standby server"),
        ("session is read-only", "default_transaction_read_only is on, or it is a standby server"),
        ("timeout expired", "does not answer"),
        ('could not translate host name "db" to address', "has a host name that is not known"),
        ("something about user me", "it can't be reached"),
    ],
)
def test_what_is_said_about_a_connection_names_no_user(text: str, words: str) -> None:
    fault = faults.connection_error(psycopg.OperationalError(text), "it", opening=True)
    assert isinstance(fault, LocalFault)
    assert fault.away
    assert words in str(fault)
    assert "me" not in str(fault).replace("moment", "").replace("name", "")


@table(
    ("error", "words", "full", "away"),
    [
        (psycopg.errors.DiskFull("x"), "no space is left for it", True, False),
        (psycopg.errors.LockNotAvailable("x"), "it is busy: another process is writing to it", False, False),
        (psycopg.errors.QueryCanceled("x"), "it is busy", False, False),
        (psycopg.errors.ReadOnlySqlTransaction("x"), "default_transaction_read_only is on, or it is", False, True),
        (psycopg.errors.TooManyConnections("x"), "has no free connection", False, True),
        (psycopg.errors.AdminShutdown("x"), "the connection to it was lost", False, True),
        (psycopg.OperationalError("x"), "the connection to it was lost", False, True),
        (CommitInDoubt("x"), "lost during a commit: it may or may not be stored", False, True),
        (psycopg.errors.UndefinedTable("x"), "it can't be used: UndefinedTable", False, False),
    ],
)
def test_an_error_of_the_server_is_a_fault_with_a_name(
    error: psycopg.Error, words: str, full: bool, away: bool
) -> None:
    fault = faults.translate_error(error, "it")
    assert isinstance(fault, LocalFault)
    assert (fault.full, fault.away, words in str(fault)) == (full, away, True)


# --- what it stores --------------------------------------------------------------------------------------------------


def test_the_character_that_postgresql_can_not_store_is_left_out(store: Database) -> None:
    with store.writing() as tx:
        tx.notes.save("a\0b", "c\0d")
        assert tx.notes.text("ab") == tx.notes.text("a\0b") == "cd"
        tx.index.save([Entry("1", "1", (Part("/a\0.mp4", 1),))], walk=1)
        assert tx.index.entries(["1\0"])[0].parts == (Part("/a.mp4", 1),)


def test_texts_are_sorted_byte_by_byte_whatever_the_server_prefers(store: Database) -> None:
    names = ["a", "B", "_", "é", "z", "Z", "10", "9", " ", "ä", "\U0001f600", "\uffee"]
    with store.writing() as tx:
        for name in names:
            tx.notes.save(name, "x")
        assert list(tx.notes.all()) == sorted(names, key=lambda name: name.encode())


def test_a_transaction_that_writes_nothing_is_no_change_for_others(store: Database, address: StoreAddress) -> None:
    with closing(open_database(address)) as other:
        other.has_changed()
        with store.writing() as tx:
            tx.notes.text("a")
        with store.writing() as tx:
            tx.jobs.wrest(Kind.SCENE, 7, now=T)
        assert not other.has_changed()
        with store.writing() as tx:
            tx.notes.save("a", "b")
        assert other.has_changed()


@pytest.mark.parametrize("writes", [False, True])
def test_what_ends_in_an_error_is_rolled_back_and_its_session_goes_on(
    store: Database, address: StoreAddress, writes: bool
) -> None:
    def sessions() -> list[int]:
        name = address.url.rpartition("/")[2]
        return sorted(shared().backends(f"application_name = 'plexsync' and datname = '{name}'"))

    before = sessions()
    with pytest.raises(ZeroDivisionError), (store.writing if writes else store.reading)() as tx:
        assert tx.notes.text("a") == ""
        1 / 0  # noqa: B018
    with store.writing() as tx:
        tx.notes.save("a", "b")
    assert before
    assert sessions() == before


def test_a_writer_waits_for_the_one_before(store: Database, address: StoreAddress) -> None:
    begun, ended = threading.Event(), []

    def write() -> None:
        with closing(open_database(address)) as other:
            begun.set()
            with other.writing() as tx:
                ended.append(tx.notes.text("a"))

    with store.writing() as tx:
        thread = threading.Thread(target=write)
        thread.start()
        assert begun.wait(HANG)
        tx.notes.save("a", "1")
        assert ended == []
    thread.join(HANG)
    assert ended == ["1"], "it sees what was committed before its turn"


def test_an_edit_between_two_statements_of_a_settlement_is_not_lost(store: Database, address: StoreAddress) -> None:
    """The two transactions can't overlap; and SETTLE decides by what the row says itself."""
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.EDIT, T)
        (job,) = tx.jobs.claim(1, now=T + 10_000, lease_ms=1000, holder="w")
    with closing(open_database(address)) as hook, hook.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.EDIT, T + 20_000)
    done = Settled(State.IDLE, attempts=0, streak=0, crashes=0, due=T)
    with store.writing() as tx:
        assert tx.jobs.settle([AttemptEnding(job, done, 0, 0)], now=T + 30_000)
        row = tx.jobs.find(Kind.SCENE, 7)
    assert row is not None
    assert row.state is State.READY


def test_a_stream_is_read_in_pieces_while_other_statements_run(store: Database) -> None:
    with store.writing() as tx:
        for id in range(1, 2503):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, T)
    with store.reading() as db:
        ids = []
        for id, _ in db.jobs.ids(Kind.SCENE):
            if id % 1000 == 0:
                assert db.jobs.find(Kind.SCENE, id)
            ids.append(id)
    assert ids == list(range(1, 2503))


def test_no_log_and_no_error_shows_the_password(
    guarded: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(open_database(StoreAddress(tmp_path, guarded.url()))) as made:
        with pytest.raises(LocalFault) as raised, made.writing() as tx:
            guarded.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'plexsync'")
            tx.notes.save("a", "1")
        with made.writing() as tx:
            tx.notes.save("a", "1")
    assert SECRET not in f"{raised.value} {caplog.text} {made!r}"


LIMITS = {
    "statement_timeout": "5min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "5min",
    "synchronous_commit": "on",
    "jit": "off",
    "application_name": "plexsync",
    "client_encoding": "UTF8",
}


def test_no_session_hangs_for_ever_or_takes_a_commit_for_safe_that_is_not(address: StoreAddress) -> None:
    with closing(backend.PostgresSchema(address).connect()) as db:
        assert {name: db.value(f"select current_setting('{name}')") for name in LIMITS} == LIMITS
        assert db.value("select current_schema()") == address.schema


def test_a_dead_peer_is_noticed_by_both_sides(address: StoreAddress) -> None:
    # A socket of this machine has no such limits, so a session reads 0: what is asked for is looked at.
    with closing(backend.PostgresSchema(address).connect()) as db:
        known = {str(row[0]) for row in db.rows("select name from pg_settings where name like 'tcp_%'")}
    limits = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
    limits["tcp_user_timeout"] = "20000"
    assert set(limits) <= known
    assert limits.items() <= backend.SESSION.items()
    ours = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3}
    assert ours == backend.KEEPALIVES
