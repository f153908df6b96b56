"""The demo's PostgreSQL: an empty database of an ordinary role, and nothing of it outlives who started it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from plexsync.simulator import postgres
from plexsync.simulator.postgres import NoPostgres, hindrance, postgres_server
from tests.journey.world import ROOT, until

needs_server = pytest.mark.skipif(bool(hindrance()), reason=hindrance())
HOLDER = "from plexsync.simulator.postgres import *\nwith postgres_server() as url:\n print(url, flush=True)\n input()"


def answers(url: str) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the servers that this test starts."""
    made, new_folder = [], postgres._new_folder

    def record() -> Path:
        made.append(new_folder())
        return made[-1]

    monkeypatch.setattr(postgres, "_new_folder", record)
    return made


@needs_server
def test_it_holds_an_empty_database_of_a_role_without_rights_over_others() -> None:
    psycopg = pytest.importorskip("psycopg")
    with postgres_server() as url, psycopg.connect(url) as connection:
        (encoding, rights, tables) = connection.execute(
            "select current_setting('server_encoding'), (select rolsuper or rolcreaterole or rolcreatedb or rolreplication"
            " from pg_roles where rolname = current_user), (select count(*) from pg_tables where schemaname = 'public')"
        ).fetchone()
        assert (encoding, rights, tables) == ("UTF8", False, 0)
        wrong = url.replace(urlsplit(url).password or "", "another")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(wrong)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.replace("/plexsync", "/postgres"))


@needs_server
def test_at_the_end_the_server_and_its_folder_are_gone(folders: list[Path]) -> None:
    with postgres_server() as url:
        assert answers(url)
        (folder,) = folders
        assert folder.exists()
    assert not answers(url)
    assert not folder.exists()


@needs_server
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_who_started_it_however_that_ended(number: int, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        assert answers(url)
        holder.send_signal(number)
    until(lambda: not answers(url))


def test_who_has_no_server_reads_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install postgresql" in hindrance()
    with pytest.raises(NoPostgres, match="no PostgreSQL server is installed here"), postgres_server():
        pass


def test_the_newest_of_several_servers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    assert postgres.program("initdb") == tmp_path / "16" / "bin" / "initdb"


@needs_server
def test_a_server_that_does_not_start_leaves_its_last_words_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, folders: list[Path]
) -> None:
    monkeypatch.setattr(postgres, "_free_port", lambda: 70_000)
    with pytest.raises(NoPostgres, match="PostgreSQL did not start: "), postgres_server():
        pass
    (folder,) = folders
    assert not folder.exists()
