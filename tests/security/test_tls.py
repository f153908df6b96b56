"""Certificates are verified, always: what can't be trusted is held for a person, and no byte of a request goes there."""

import contextlib
import datetime
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from plexsync.cli.main import run
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.rules.servers.errors import Barred, Unavailable, Unusable
from plexsync.simulator.http import HttpServer
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from plexsync.stash_plugin import child_process
from tests.cli.terminal import Terminal
from tests.journey.world import KEY, TOKEN, World
from tests.patience import HANG
from validation.config import PlexSyncConfig
from validation.sources import ConfigError, load

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
CASES = ["expired", "another host", "self-signed", "an unknown authority", "an old protocol"]


class Front:
    """TLS in front of a simulated neighbour: what is decrypted is handed on. `requests` counts who got that far."""

    def __init__(self, context: ssl.SSLContext, behind: HttpServer) -> None:
        self.requests = 0
        self._context = context
        self._behind = behind
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"https://localhost:{self._listening.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            with self._context.wrap_socket(connection, server_side=True) as outer:
                first = outer.recv(65536)
                if not first:
                    return
                self.requests += 1
                with socket.create_connection(("127.0.0.1", self._behind.port), timeout=HANG) as inner:
                    inner.sendall(first)
                    back = threading.Thread(target=_pump, args=(inner, outer))
                    back.start()
                    _pump(outer, inner)
                    back.join()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


Fronted = Callable[[str, HttpServer], Front]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def fronted(authority: trustme.CA, tmp_path: Path) -> Iterator[Fronted]:
    """Puts TLS in front of a neighbour: a good one, or one with the named flaw. Its authority is in ca.pem."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    fronts = []

    def put(flaw: str, behind: HttpServer) -> Front:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        match flaw:
            case "expired":
                authority.issue_cert(
                    "localhost", not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(2)
                ).configure_cert(context)
            case "another host":
                authority.issue_cert("plex.example").configure_cert(context)
            case "self-signed" | "an unknown authority":
                trustme.CA().issue_cert("localhost").configure_cert(context)
            case _:
                authority.issue_cert("localhost").configure_cert(context)
        if flaw == "self-signed":
            context = _self_signed(tmp_path)
        if flaw == "an old protocol":
            with pytest.warns(DeprecationWarning):
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        fronts.append(Front(context, behind))
        return fronts[-1]

    yield put
    for front in fronts:
        front.close()


def _self_signed(folder: Path) -> ssl.SSLContext:
    """An authority that serves with its own certificate."""
    own = trustme.CA()
    own.cert_pem.write_to_path(str(folder / "self.pem"))
    own.private_key_pem.write_to_path(str(folder / "self.key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem", folder / "self.key")
    return context


@pytest.fixture
def neighbours() -> Iterator[tuple[PlexSim, StashSim]]:
    with PlexSim(token=TOKEN) as plex, StashSim(api_key=KEY) as stash:
        plex.add_section("Movies", locations=("/media",))
        yield plex, stash


def asked(kind: str, url: str, ca_file: str = "") -> object:
    if kind == "plex events":
        return next(PlexEvents(url, TOKEN, ca_file=ca_file).listen(lambda: False))
    client = PlexClient(url, TOKEN, ca_file=ca_file) if kind == "plex" else StashClient(url, KEY, ca_file=ca_file)
    try:
        return client.sections() if isinstance(client, PlexClient) else client.version()
    finally:
        client.close()


@pytest.mark.parametrize("flaw", CASES)
@pytest.mark.parametrize("kind", ["plex", "stash", "plex events"])
def test_a_server_that_cannot_be_trusted_gets_no_request(
    kind: str, flaw: str, fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path
) -> None:
    behind = neighbours[kind == "stash"]
    front = fronted(flaw, behind)
    with pytest.raises(Unavailable if flaw == "an old protocol" else Barred) as caught:
        asked(kind, front.url, str(tmp_path / "ca.pem"))
    if isinstance(caught.value, Barred):
        assert caught.value.setting == f"{kind.split()[0]}_url"
        assert f"{kind.split()[0]}_url" in str(caught.value)
        assert "certificate" in str(caught.value)
    else:
        assert caught.value.sent is False
    assert front.requests == 0
    assert behind.log == []


@pytest.mark.parametrize("kind", ["plex", "stash", "plex events"])
def test_an_authority_of_ones_own_is_trusted_when_it_is_named(
    kind: str, fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path
) -> None:
    front = fronted("", neighbours[kind == "stash"])
    with pytest.raises(Barred):
        asked(kind, front.url)
    assert front.requests == 0
    assert asked(kind, front.url, str(tmp_path / "ca.pem")) is not None
    assert front.requests == 1


def test_a_name_is_compared_although_the_authority_is_trusted(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path
) -> None:
    front = fronted("another host", neighbours[0])
    with pytest.raises(Barred, match="certificate"):
        asked("plex", front.url, str(tmp_path / "ca.pem"))


def test_a_server_s_own_certificate_can_be_trusted(
    authority: trustme.CA, neighbours: tuple[PlexSim, StashSim], tmp_path: Path
) -> None:
    """Pinned: its authority is not known, and nobody else's certificate of that authority is taken."""
    served, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    fronts = []
    for one in (served, other):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        one.configure_cert(context)
        fronts.append(Front(context, neighbours[0]))
    served.cert_chain_pems[0].write_to_path(str(tmp_path / "pinned.pem"))
    try:
        assert [one.title for one in asked("plex", fronts[0].url, str(tmp_path / "pinned.pem"))] == ["Movies"]
        with pytest.raises(Barred):
            asked("plex", fronts[1].url, str(tmp_path / "pinned.pem"))
        assert fronts[1].requests == 0
    finally:
        for front in fronts:
            front.close()


def test_the_environment_cannot_add_an_authority(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    front = fronted("", neighbours[0])
    with pytest.raises(Barred):
        asked("plex", front.url)
    assert front.requests == 0


def test_a_bad_certificate_is_a_hold_that_ends_when_it_is_trusted(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    plex, stash = neighbours
    world = World(stash, plex, tmp_path / "data")
    world.section = plex.add_section("Movies", locations=("/media/scenes",))
    world.add(3)
    front = fronted("", plex)
    world.settings["plex_url"] = front.url
    world.move_in(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    run(["sync", "1", "2", "3"])
    assert run(["drain"]) == 1
    capsys.readouterr()
    run(["--json", "status"])
    seen = json.loads(capsys.readouterr().out)
    assert seen["holds"]["plex"]["setting"] == "plex_url"
    assert "certificate" in seen["holds"]["plex"]["message"]
    assert seen["breakers"]["plex"]["state"] == "closed"
    assert seen["jobs"]["dead"] == 0
    assert (front.requests, plex.log) == (0, [])

    monkeypatch.setenv("PLEXSYNC_TLS_CA_FILE", str(tmp_path / "ca.pem"))
    assert run(["sync", "1", "2", "3", "--wait"]) == 0
    assert world.count("idle") == 3
    assert front.requests > 0


def test_init_trusts_what_tls_ca_file_names(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    plex, stash = (fronted("", one) for one in neighbours)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    monkeypatch.setenv("MY_KEY", KEY)
    words = ["--plex-url", plex.url, "--plex-token-env", "MY_TOKEN"]
    words += ["--stash-url", stash.url, "--stash-api-key-env", "MY_KEY"]
    file = tmp_path / "p.toml"
    file.write_text(f'tls_ca_file = "{tmp_path / "ca.pem"}"\n')
    assert run(["init", "--yes", "--config", str(file), *words]) == 0, capsys.readouterr().err
    assert stash.requests > 0


def test_init_asks_for_no_key_because_of_a_certificate(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], tmp_path: Path
) -> None:
    plex, stash = neighbours
    front = fronted("self-signed", stash)
    with Terminal(["init", "--token", "--stash-url", front.url], {"HOME": str(tmp_path)}, cwd=tmp_path) as terminal:
        terminal.answer("Address of Plex", plex.url)
        terminal.answer("Plex token", TOKEN)
        told = terminal.until("Address of Stash")
        assert "certificate" in told
        assert "asks for its API key" not in told
        terminal.interrupt()
        assert terminal.end() == 130
    assert front.requests == 0


# --- the setting -----------------------------------------------------------------------------------------------------


def problem(path: object) -> str:
    environ = {"PLEXSYNC_PLEX_URL": "https://plex", "PLEXSYNC_PLEX_TOKEN": TOKEN, "PLEXSYNC_TLS_CA_FILE": str(path)}
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, toml_path=None)
    (line,) = caught.value.lines
    return line


def test_a_file_that_vouches_for_nobody_is_told_at_the_start(authority: trustme.CA, tmp_path: Path) -> None:
    good, bad = tmp_path / "ca.pem", tmp_path / "bad.pem"
    authority.cert_pem.write_to_path(str(good))
    place = "tls_ca_file in PLEXSYNC_TLS_CA_FILE must "
    assert problem(tmp_path / "missing.pem") == place + "name a file that exists"
    assert problem(tmp_path) == place + "name a file; this is a folder or a device"
    assert "full path" in problem("ca.pem")
    for content in (b"", b"certificate", b"\xff\x00", good.read_bytes()[:200], authority.private_key_pem.bytes()):
        bad.write_bytes(content)
        assert "certificates in PEM form" in problem(bad)
    bad.write_bytes(good.read_bytes() + b"#" * 1_000_000)
    assert "larger than 1 MB" in problem(bad)
    good.chmod(0o666)
    assert "not every user can change" in problem(good)
    good.chmod(0o644)
    environ = {"PLEXSYNC_PLEX_URL": "https://plex", "PLEXSYNC_PLEX_TOKEN": TOKEN, "PLEXSYNC_TLS_CA_FILE": str(good)}
    assert load(environ=environ, toml_path=None).config.tls_ca_file == str(good)


def test_a_file_that_went_away_since_is_told_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="tls_ca_file"):
        PlexClient("https://plex", TOKEN, ca_file=str(tmp_path / "gone.pem"))


def test_no_setting_turns_verification_off() -> None:
    names = " ".join(PlexSyncConfig.model_fields)
    for word in ("verify", "insecure", "skip", "unsafe"):
        assert word not in names


@pytest.mark.parametrize("flaw", ["another host", "self-signed"])
def test_the_plugin_inside_a_stash_with_such_a_certificate_says_what_to_set(
    fronted: Fronted, neighbours: tuple[PlexSim, StashSim], flaw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(child_process.ADDRESS, raising=False)
    front = fronted(flaw, neighbours[1])
    server: dict[str, object] = {"Scheme": "https", "Host": "0.0.0.0", "Port": int(front.url.rpartition(":")[2])}
    with pytest.raises(child_process.NoEntry, match="set PLEXSYNC_STASH_URL to the name in its certificate"):
        child_process.sign_in(server)
    assert front.requests == 0
