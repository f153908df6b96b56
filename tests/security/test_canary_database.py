"""The password of a PostgreSQL database, right, wrong, and under faults: it is in nothing that commands leave or tell."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import postgres_server
from tests.postgres_server import Server
from tests.security.canaries import DATABASE, canary_world, check_files, check_requests, leaks, run

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.needs_postgres,
]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(password=DATABASE) as server:
        yield server


def test_the_password_of_the_database_stays_out_of_everything(tmp_path: Path, server: Server) -> None:
    name = server.new_database()
    url, said = server.url(name), tmp_path / "said"
    file = tmp_path / "url"
    file.write_text(url, encoding="utf-8")
    with canary_world(tmp_path, database_url=url) as world:
        assert run(world, ("sync", "1", "--wait"), said=said) == [0]
        assert run(world, ("doctor",), ("--json", "doctor"), ("status",), ("config", "list"), said=said)[2:] == [0, 0]
        assert run(world, ("backup", str(tmp_path / "copy")), said=said) == [2]
        assert run(world, ("move", "--to", "sqlite"), said=said) == [0]
        world.settings["database_url"] = ""
        assert run(world, ("move", "--to-file", str(file)), said=said) == [0]
        # An address in a call is for everyone on the machine to read, but in nothing that is left.
        assert run(world, ("move", "--to", url), said=said) == [0]

        world.settings["database_url"] = url.replace(quote(DATABASE, safe=""), quote(DATABASE[:-1] + "wrong", safe=""))
        assert run(world, ("status",), ("doctor",), said=said) == [2, 2]
        world.settings["database_url"] = url + "-missing"
        assert run(world, ("status",), said=said) == [2]
        world.settings["database_url"] = url + "?password=again"
        assert run(world, ("status",), said=said) == [2]
        asked = server.query("select query, application_name from pg_stat_activity")
        dumped = subprocess.run(
            [
                str(postgres_server.program("pg_dump")),
                "-h",
                str(server.folder),
                "-p",
                str(server.port),
                "-U",
                "store",
                name,
            ],
            check=True,
            capture_output=True,
        ).stdout
        server.stop("kill")
        world.settings["database_url"] = url
        assert run(world, ("status",), ("sync", "1"), said=said) == [2, 2]

        assert len(dumped) > 10_000
        assert not leaks(dumped)
        assert not leaks(repr(asked).encode())
        assert not leaks(said.read_bytes())
        check_requests(world.plex, world.stash)
        assert check_files(tmp_path, but=(file,)) > 5
    assert not leaks(server.log_text().encode())
