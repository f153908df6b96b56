"""The PostgreSQL server that tests start, stop, kill and share."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres_server
from tests.patience import HANG, until
from tests.postgres_server import Server, processes_in

pytestmark = pytest.mark.needs_postgres
ROOT = Path(__file__).resolve().parents[1]
USER = """
import sys
from tests.postgres_server import shared
server = shared()
print(server.folder, server.port, server.query("select 1"), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(max_connections=17) as started:
        yield started


def test_a_server_has_the_settings_that_were_asked_for_and_those_of_a_fast_one(server: Server) -> None:
    names = ("max_connections", "fsync", "server_encoding", "listen_addresses")
    assert [server.query(f"show {name}") for name in names] == [[["17"]], [["off"]], [["UTF8"]], [["127.0.0.1"]]]


def test_databases_are_separate_and_can_be_dropped_while_in_use(server: Server) -> None:
    one, two = server.new_database(), server.new_database()
    server.query("create table t (n int); insert into t values (1), (2)", one)
    assert server.query("select n, n + 1 from t order by n", one) == [["1", "2"], ["2", "3"]]
    with pytest.raises(RuntimeError, match='relation "t" does not exist'):
        server.query("select 1 from t", two)
    user = subprocess.Popen([postgres_server.program("psql"), "-d", server.url(one), "-c", "select pg_sleep(900)"])
    until(lambda: server.backends(f"datname = '{one}'"))
    server.drop_database(one)
    assert user.wait(timeout=HANG) != 0
    with pytest.raises(RuntimeError, match="does not exist"):
        server.query("select 1", one)


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_it_starts_again_on_its_port_with_what_was_committed(server: Server, how: postgres_server.Stop) -> None:
    port, name = server.port, server.new_database()
    server.query("create table kept (n int); insert into kept values (7)", name)
    server.stop(how)
    assert not server.is_running
    with pytest.raises(RuntimeError, match=r"Connection refused|No such file"):
        server.query("select 1", name)
    server.start()
    assert server.port == port
    assert server.query("select n from kept", name) == [["7"]]


def test_a_killed_backend_takes_all_connections_with_it_and_the_server_recovers(server: Server) -> None:
    command = [postgres_server.program("psql"), "-d", server.url(), "-c", "select pg_sleep(900)"]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    until(lambda: len(server.backends()) == 2)
    server.kill_backend(server.backends()[0])
    assert all(user.wait(timeout=HANG) != 0 for user in both)
    server.wait_until_ready()
    assert server.query("select 1") == [["1"]]


def test_a_frozen_server_answers_once_it_is_thawed(server: Server) -> None:
    server.freeze()
    user = subprocess.Popen(
        [postgres_server.program("psql"), "-d", server.url(), "-Atc", "select 5"], stdout=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        user.wait(timeout=0.5)
    server.thaw()
    assert user.communicate(timeout=HANG)[0] == "5\n"


def test_a_password_is_asked_for_by_tcp_alone() -> None:
    with Server(password="rose petal") as server:
        assert server.query("select 1") == [["1"]]
        said = [psql(url) for url in (server.url(), server.url().replace("rose", "thorn"))]
        assert said[0] == "1\n"
        assert "password authentication failed" in said[1]


def psql(url: str) -> str:
    command = [postgres_server.program("psql"), "-d", url, "-Atc", "select 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_standby_follows_and_takes_over() -> None:
    with Server() as primary:
        name = primary.new_database()
        standby = primary.standby()
        try:
            primary.query("create table moved (n int); insert into moved values (3)", name)
            standby.wait_for(primary)
            with pytest.raises(RuntimeError, match="read-only"):
                standby.query("insert into moved values (4)", name)
            primary.stop("kill")
            standby.promote()
            standby.query("insert into moved values (4)", name)
            assert standby.query("select n from moved order by n", name) == [["3"], ["4"]]
        finally:
            standby.remove()


def test_a_server_that_can_not_start_says_why_and_leaves_nothing() -> None:
    server = Server(max_connections="none")
    with pytest.raises(RuntimeError, match="max_connections"), server:
        pass
    assert not server.folder.exists()


def test_where_there_is_no_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres_server, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install postgresql" in postgres_server.missing.__wrapped__()


def test_the_newest_of_several_servers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres_server, "DEBIAN", tmp_path)
    assert postgres_server.program("initdb") == tmp_path / "16" / "bin" / "initdb"


# --- shared ----------------------------------------------------------------------------------------------------------


def start_user(run: str) -> "subprocess.Popen[str]":
    """A process that uses the shared server of a run until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        env={**os.environ, "PYTEST_XDIST_TESTRUNUID": run},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_all_processes_of_a_run_share_one_server_until_the_last_is_killed() -> None:
    users = [start_user(f"test-{os.getpid()}") for _ in range(3)]
    try:
        said = {user.stdout.readline() for user in users if user.stdout}
        assert len(said) == 1, said
        folder = Path(said.pop().split()[0])
        for user in users[:2]:
            user.send_signal(signal.SIGKILL)
            user.wait(timeout=HANG)
        time.sleep(0.2)
        assert processes_in(folder / "data")
    finally:
        for user in users:
            user.kill()
            user.communicate()
    until(lambda: not folder.exists())
    assert not processes_in(folder / "data")


def test_servers_of_two_runs_are_two() -> None:
    users = [start_user(f"test-{os.getpid()}-{n}") for n in range(2)]
    try:
        folders = {user.stdout.readline().split()[0] for user in users if user.stdout}
        assert len(folders) == 2
    finally:
        for user in users:
            user.communicate("")
    until(lambda: not any(Path(folder).exists() for folder in folders))
