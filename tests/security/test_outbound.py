"""Requests go to the two configured addresses and nowhere else, whatever servers, environment and files of the user say."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.plex.client import PlexClient
from plexsync.rules.servers.errors import NeighbourError, Unavailable
from plexsync.simulator.http import Answer, HttpServer
from plexsync.stash.client import StashClient
from tests import forked
from tests.journey.world import KEY, ROOT, TOKEN, World, world_in
from tests.patience import HANG
from validation.sources import ConfigError, load


class Pointing(HttpServer):
    """Answers every request with a redirect."""

    status = 302
    to = ""

    def answer(self, request):
        return Answer(self.status, b"", "text/html", {"Location": self.to})


class Listening(HttpServer):
    """Somewhere else: whoever comes here was led."""

    def answer(self, request):
        return Answer(200, b'{"MediaContainer": {"size": 0}}', "application/json")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "where", ["another origin", "the same origin", "file", "another scheme", "nothing", "nonsense"]
)
def test_a_redirect_is_not_followed(status: int, where: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"MediaContainer": {"size": 0}}')
    with Pointing() as here, Listening() as elsewhere:
        here.status = status
        here.to = {
            "another origin": f"{elsewhere.url}/library/sections?X-Plex-Token=",
            "the same origin": "/library/other",
            "file": f"file://{tmp_path}/x",
            "another scheme": f"gopher://127.0.0.1:{elsewhere.port}/1",
            "nothing": "",
            "nonsense": "http://[::1",
        }[where]
        clients = PlexClient(here.url, TOKEN), StashClient(here.url, KEY)
        for client, ask in zip(clients, (clients[0].sections, clients[1].probe), strict=True):
            with pytest.raises(Unavailable):
                ask()
            client.close()
        assert len(here.log) == 2
        assert elsewhere.log == []


# --- what the environment would like ---------------------------------------------------------------------------------

WATCHED = """
import json, os, sys
log = open(os.environ["WATCHED"], "a", buffering=1)
def watch(event, arguments):
    if event == "socket.connect":
        log.write(json.dumps([event, list(map(str, arguments[1]))]) + "\\n")
    elif event.startswith(("socket.get", "subprocess.", "os.exec", "os.posix_spawn", "os.system")):
        log.write(json.dumps([event, list(map(str, arguments))]) + "\\n")
    elif event == "open" and str(arguments[0]).endswith(("netrc", "_netrc", ".curlrc")):
        log.write(json.dumps([event, [str(arguments[0])]]) + "\\n")
sys.addaudithook(watch)
from plexsync.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def world(tmp_path: Path):
    with world_in(tmp_path / "data") as made:
        made.add(5)
        yield made


def watched(
    world: World, tmp_path: Path, *words: str, real: bool = False, **environ: str
) -> list[tuple[str, list[str]]]:
    """What a command did towards the outside."""
    log = tmp_path / "watched"
    log.write_text("")
    forked.run(
        ["-c", WATCHED, *words],
        real=real,
        cwd=ROOT,
        env={**world.environ, "WATCHED": str(log), "HOME": str(tmp_path), **environ},
        capture_output=True,
        timeout=HANG,
    )
    return [(event, given) for event, given in map(json.loads, log.read_text().splitlines())]


def test_a_sync_connects_to_the_two_configured_ports_only(world: World, tmp_path: Path) -> None:
    seen = watched(world, tmp_path, "sync", "--all", "--wait")
    assert world.count("idle") == 5
    assert {tuple(given) for event, given in seen if event == "socket.connect"} == {
        ("127.0.0.1", str(world.plex.port)),
        ("127.0.0.1", str(world.stash.port)),
    }
    assert {given[0] for event, given in seen if event.startswith("socket.get")} <= {"127.0.0.1"}
    assert {event for event, _ in seen} <= {"socket.connect", "socket.getaddrinfo"}


def test_proxies_and_netrc_of_the_user_have_no_say(world: World, tmp_path: Path) -> None:
    with Listening() as proxy:
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), proxy.url)
        (tmp_path / ".netrc").write_text("default login somebody password something\n")
        (tmp_path / ".netrc").chmod(0o600)
        seen = watched(
            world, tmp_path, "sync", "--all", "--wait", NO_PROXY="", NETRC=str(tmp_path / ".netrc"), **proxies
        )
        assert proxy.log == []
        assert [given for event, given in seen if event == "open"] == []
        ports = {given[1] for event, given in seen if event == "socket.connect"}
        assert ports == {str(world.plex.port), str(world.stash.port)}
    assert world.count("idle") == 5
    for request in [*world.plex.log, *world.stash.log]:
        assert "authorization" not in request.headers
        assert "proxy-authorization" not in request.headers


def test_looking_asks_nobody(world: World, tmp_path: Path) -> None:
    for words in (("status",), ("dlq", "list"), ("--help",), ("--version",)):
        # What is imported asks nobody either.
        assert watched(world, tmp_path, *words, real=True) == []


def test_a_hook_asks_nobody(tmp_path: Path) -> None:
    program = (
        "import sys; barred = ('socket.', 'subprocess.');"
        "sys.addaudithook(lambda event, _: sys.exit(9) if event.startswith(barred) else None);"
        f"import runpy; runpy.run_path({str(ROOT / 'plexsync' / 'stash_plugin' / 'hook.py')!r}, run_name='__main__')"
    )
    event = {
        "server_connection": {"Dir": str(tmp_path)},
        "args": {"hookContext": {"id": 7, "type": "Scene.Update.Post"}},
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(event).encode(),
        capture_output=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0
    assert b"noted" in done.stdout


# --- addresses -------------------------------------------------------------------------------------------------------

TAKEN = {
    "http://localhost:32400": "http://localhost:32400",
    "http://127.0.0.1": "http://127.0.0.1",
    "http://127.1:80": "http://127.1:80",
    "http://2130706433/": "http://2130706433",
    "http://0x7f.1": "http://0x7f.1",
    "http://[::1]:32400": "http://[::1]:32400",
    "http://[::ffff:127.0.0.1]": "http://[::ffff:127.0.0.1]",
    "https://nas.local.:443/plex/": "https://nas.local.:443/plex",
    "https://192-168-1-5.0123456789abcdef.plex.direct:32400": "https://192-168-1-5.0123456789abcdef.plex.direct:32400",
    "HTTP://Nas:1": "http://Nas:1",
    "http://nas:65535/a/b//": "http://nas:65535/a/b",
    "http://nas:": "http://nas",
    "http://my_nas": "http://my_nas",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "http://10.0.0.1/path;x=1": "http://10.0.0.1/path;x=1",
}
REFUSED = [
    "",
    "nas",
    "nas:32400",
    "//nas",
    "http:",
    "http://",
    "http:///x",
    "http:nas",
    "http:\\\\nas",
    "http://nas\\@evil",
    "ftp://nas",
    "file:///etc/passwd",
    "file://nas/x",
    "gopher://nas:70/1",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///run/plex.sock",
    "http://user@nas",
    "http://user:secret@nas",
    "http://@nas",
    "http://nas@evil.example/",
    "http://nas%40evil",
    "http://nas?x=1",
    "http://nas/?",
    "http://nas#x",
    "http://nas/#",
    "http://nas:0",
    "http://nas:65536",
    "http://nas:-1",
    "http://nas:80:80",
    "http://nas:x",
    "http://[::1",
    "http://::1",
    "http://[nas]",
    "http://[v1.x]",
    "http://[fe80::1%25eth0",
    "http://na s",
    "http://nas\t",
    "http://nas\r\nHost: evil",
    "http://nas/\0",
    "http://na\u202es",
    "http://-nas",
    "http://nas..local",
    "http://.nas",
    "http://nas,evil",
    "http://*",
]


@pytest.mark.parametrize("setting", ["plex_url", "stash_url"])
def test_addresses_are_taken_or_refused_as_they_are_written(setting: str) -> None:
    base = {"PLEXSYNC_PLEX_URL": "http://plex", "PLEXSYNC_PLEX_TOKEN": "x"}
    variable = f"PLEXSYNC_{setting.upper()}"
    for address, kept in TAKEN.items():
        loaded = load(environ={**base, variable: address}, toml_path=None)
        assert getattr(loaded.config, setting) == kept, address
        make = PlexClient if setting == "plex_url" else StashClient
        make(kept, "x").close()
    for address in REFUSED:
        with pytest.raises(ConfigError) as caught:
            load(environ={**base, variable: address}, toml_path=None)
        (line,) = caught.value.lines
        assert line.startswith(f"{setting} in {variable} must "), address
    assert len(TAKEN) + len(REFUSED) >= 40


def test_a_path_of_the_address_cannot_be_left(tmp_path: Path) -> None:
    """What is asked for is put behind the configured address, whatever it looks like."""
    with Listening() as here, Listening() as elsewhere:
        client = PlexClient(f"{here.url}/plex", TOKEN)
        for odd in ("@", "//", "http://", "\\"):
            client.find("1", f"{odd}127.0.0.1:{elsewhere.port}/x")
        with pytest.raises(ValueError, match="number"):
            client.items(["../../x"])
        with pytest.raises(ValueError, match="number"):
            client.find("1/../..", "x")
        client.close()
        assert len(here.log) == 4
        assert {request.path for request in here.log} == {"/plex/library/sections/1/all"}
        assert elsewhere.log == []


def test_a_name_that_nobody_knows_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (socket.gaierror(socket.EAI_NONAME, "x"), socket.gaierror(socket.EAI_AGAIN, "x")):

        def unknown(*_: object, error: OSError = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        for client in (PlexClient("http://nowhere.invalid:1", TOKEN), StashClient("https://nowhere.invalid", KEY)):
            ask = client.sections if isinstance(client, PlexClient) else client.probe
            with pytest.raises(NeighbourError, match="does not resolve") as caught:
                ask()
            client.close()
            assert isinstance(caught.value, Unavailable)
            assert caught.value.sent is False


def test_a_name_that_nobody_can_know_is_an_outage() -> None:
    """The top level `invalid` is reserved for names that never exist."""
    with (
        PlexClientOf("http://plexsync.invalid:32400") as client,
        pytest.raises(Unavailable, match=r"does not resolve|reached"),
    ):
        client.sections()


class PlexClientOf:
    """A client for the length of a block."""

    def __init__(self, url: str) -> None:
        self._client = PlexClient(url, TOKEN, connect_timeout=30.0)

    def __enter__(self) -> PlexClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
