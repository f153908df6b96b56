"""The proxy before PostgreSQL: what it does to connections is what a network does, and a COMMIT is known when it passes."""

import threading
from collections.abc import Iterator

import pytest

from tests.patience import until
from tests.postgres_proxy import Proxy
from tests.postgres_server import Server

pytestmark = pytest.mark.needs_postgres
psycopg = pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        started.query("create table t (n int)")
        yield started


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    server.query("truncate t")
    with Proxy(server.port) as proxy:
        yield proxy


def connected(server: Server, proxy: Proxy) -> "psycopg.Connection":
    return psycopg.connect(server.url(port=proxy.port), autocommit=True)


def count(server: Server) -> int:
    return int(server.query("select count(*) from t")[0][0])


def test_it_passes_everything_on_large_or_small(server: Server, proxy: Proxy) -> None:
    with connected(server, proxy) as db:
        text = "x" * 3_000_000
        assert db.execute("select %s::text || 'y'", (text,)).fetchone() == (text + "y",)
        with db.pipeline():
            db.cursor().executemany("insert into t values (%s)", [(n,) for n in range(500)])
        assert count(server) == 500
    until(lambda: proxy.connections == 0)


def test_a_cut_ends_all_connections_and_new_ones_pass(server: Server, proxy: Proxy) -> None:
    dbs = [connected(server, proxy) for _ in range(2)]
    assert proxy.cut() == 2
    for db in dbs:
        with pytest.raises(psycopg.OperationalError):
            db.execute("select 1")
        db.close()
    with connected(server, proxy) as db:
        db.execute("select 1")
    assert proxy.taken == 3


def test_refused_connections_are_taken_again_once_it_is_mended(server: Server, proxy: Proxy) -> None:
    db = connected(server, proxy)
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        db.execute("select 1")
    db.close()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connected(server, proxy)
    proxy.mend()
    connected(server, proxy).close()


def test_a_stalled_statement_arrives_once_it_is_mended(server: Server, proxy: Proxy) -> None:
    db = connected(server, proxy)
    proxy.stall()
    waiting = threading.Thread(target=db.execute, args=("insert into t values (1)",))
    waiting.start()
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(server.url(port=proxy.port), connect_timeout=2)
    assert waiting.is_alive()
    assert count(server) == 0
    proxy.mend()
    waiting.join()
    db.close()
    assert count(server) == 1


@pytest.mark.parametrize("ending", ["execute", "method", "pipeline", "prepared"])
def test_a_dropped_answer_of_a_commit_leaves_it_made(server: Server, proxy: Proxy, ending: str) -> None:
    db = connected(server, proxy)
    db.execute("select 1")
    proxy.drop_commits()
    with pytest.raises(psycopg.OperationalError):
        commit(db, ending)
    db.close()
    until(lambda: count(server) == 1)
    assert proxy.commits_dropped == 1
    with connected(server, proxy) as db:
        commit(db, ending)
    assert count(server) == 2


@pytest.mark.parametrize("ending", ["execute", "method", "pipeline", "prepared"])
def test_a_dropped_commit_never_arrives(server: Server, proxy: Proxy, ending: str) -> None:
    db = connected(server, proxy)
    proxy.drop_requests()
    with pytest.raises(psycopg.OperationalError):
        commit(db, ending)
    db.close()
    until(lambda: not server.backends("state like 'idle in transaction%'"))
    assert (count(server), proxy.commits_dropped) == (0, 1)


def commit(db: "psycopg.Connection", ending: str) -> None:
    """One transaction, committed in one of the ways that a driver may take."""
    if ending == "method":
        db.autocommit = False
        db.execute("insert into t values (1)")
        db.commit()
        db.autocommit = True
        return
    prepared = ending == "prepared"
    if ending == "pipeline":
        with db.pipeline():
            db.execute("begin")
            db.execute("insert into t values (1)")
            db.execute("commit")
        return
    db.execute("begin", prepare=prepared)
    db.execute("insert into t values (1)", prepare=prepared)
    db.execute("commit", prepare=prepared)


def test_an_address_that_moves_reaches_another_server(server: Server, proxy: Proxy) -> None:
    with Server() as other, connected(server, proxy) as db:
        proxy.send_to(other.port)
        with pytest.raises(psycopg.OperationalError):
            db.execute("select 1")
        with connected(other, proxy) as moved:
            assert moved.execute("show port").fetchone() == (str(other.port),)


@pytest.mark.parametrize("answers", [False, True])
def test_a_connection_ends_at_any_message_and_each_cut_is_another_one(
    server: Server, proxy: Proxy, answers: bool
) -> None:
    proxy.cut_at(0, answers=answers)
    with connected(server, proxy) as db:
        commit(db, "execute")
    number = proxy.passed[answers]
    assert number >= 3
    counts = []
    for last in range(1, number + 1):
        server.query("truncate t")
        proxy.cut_at(last, answers=answers)
        with pytest.raises(psycopg.OperationalError):
            commit_and_leave(server, proxy)
        until(lambda: not server.backends())
        counts.append(count(server))
    # Before it is made and after that; never half of it.
    assert counts == sorted(counts)
    assert set(counts) == ({0, 1} if answers else {0})


def commit_and_leave(server: Server, proxy: Proxy) -> None:
    db = connected(server, proxy)
    try:
        commit(db, "execute")
        db.execute("select 1")
    finally:
        db.close()
