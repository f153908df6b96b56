"""Answers and files that are small to send and large to take: each ends soon, in little memory, and as a clear error.

Every case runs in a process of its own, forked from one that has everything imported, so that the most memory it ever had is
its own. A bomb never reads as "there is nothing".
"""

import json
import os
import socket
import subprocess
import sys
import threading
import zlib
from functools import cache
from pathlib import Path

import pytest

from tests.journey.world import ROOT
from tests.patience import HANG

MEGABYTE = 10**6
# Seconds of the processor, which a busy machine does not change much.
WORK, GROWTH = 20.0, 64 * MEGABYTE
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="measures processes as Unix has them")

PROBES = """
import json, os, resource, sys, time, traceback
from plexsync.plex.client import PlexClient
from plexsync.stash.client import StashClient
from plexsync.rules.plays.plays import Moments
from plexsync.rules.servers.errors import SyncError
from plexsync.rules.match.paths import map_path
from validation.sources import ConfigError, load
from pathlib import Path

def plex(url):
    return PlexClient(url, "token", read_timeout=60.0)

def stash(url):
    return StashClient(url, "key", read_timeout=60.0)

ASKED = {
    "plex identity": lambda at: plex(at).identity(),
    "plex sections": lambda at: plex(at).sections(),
    "plex entries": lambda at: [len(page) for page in plex(at).entries("1")],
    "plex items": lambda at: plex(at).items(["1"]),
    "plex find": lambda at: plex(at).find("1", "x"),
    "plex plays": lambda at: [len(page) for page in PlexClient(at, "token", read_timeout=60.0).history.plays(1, since=1)],
    "plex viewings": lambda at: [
        len(page.viewings) for page in PlexClient(at, "token", read_timeout=60.0).history.viewings("1", since=1)
    ],
    "plex sessions": lambda at: PlexClient(at, "token", read_timeout=60.0).history.sessions(),
    "plex accounts": lambda at: PlexClient(at, "token", read_timeout=60.0).history.accounts(),
    "plex settings": lambda at: PlexClient(at, "token", read_timeout=60.0).history.played_threshold(),
    "stash probe": lambda at: stash(at).probe(),
    "stash scenes": lambda at: stash(at).scenes([1]),
    "stash watched": lambda at: StashClient(at, "key", read_timeout=60.0).watching.watched_scenes([1]),
    "stash interface": lambda at: StashClient(at, "key", read_timeout=60.0).watching.player_rules(),
    "stash plays": lambda at: StashClient(at, "key", read_timeout=60.0).watching.add_plays(1, Moments([0])),
    "stash walk": lambda at: [len(page) for page in stash(at).walk()],
    "stash settings": lambda at: stash(at).plugin_settings("x"),
    "a file": lambda at: load(environ={}, toml_path=Path(at)),
}
# Everything that is imported late is imported now, and the allocator has its pages.
for name, ask in ASKED.items():
    try:
        ask("http://127.0.0.1:9" if name != "a file" else "/nowhere.toml")
    except (SyncError, ConfigError):
        pass

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

for line in sys.stdin:
    name, at = json.loads(line)
    reader, writer = os.pipe()
    if not os.fork():
        before, worked = peak(), time.process_time()
        try:
            told = {"answer": repr(ASKED[name](at))[:200]}
        except (SyncError, ConfigError) as error:
            told = {"error": type(error).__name__, "message": str(error)}
        except BaseException:
            told = {"crash": traceback.format_exc()[-2000:]}
        told |= {"work": time.process_time() - worked, "growth": peak() - before}
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    print(os.read(reader, 65536).decode(), flush=True)
    os.close(reader)
"""


@pytest.fixture(scope="module")
def prober():
    with subprocess.Popen(
        [sys.executable, "-c", PROBES], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def thrown():
    """A server on raw sockets: what it sends is whatever `thrown(head, pieces)` says."""
    listening = socket.create_server(("127.0.0.1", 0))
    load: dict[str, object] = {}

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(HANG)
                try:
                    _read_request(connection)
                    connection.sendall(load["head"])
                    for piece in load["pieces"]():
                        connection.sendall(piece)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()

    def throw(headers: list[str], pieces) -> str:
        load["head"] = "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", *headers, "", ""]).encode()
        load["pieces"] = pieces
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield throw
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


def _read_request(connection) -> None:
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            left = int(line.split(b":")[1]) - len(body)
            while left > 0:
                left -= len(connection.recv(65536))


def packed(block: bytes, times: int) -> bytes:
    """A gzip stream of a block, so many times over."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(block) for _ in range(times)) + packer.flush()


def whole(body: bytes, *headers: str):
    return [f"Content-Length: {len(body)}", "Content-Type: application/json", *headers], lambda: [body]


def endless(block: bytes, times: int, *headers: str):
    return list(headers), lambda: (block for _ in range(times))


PLEX_ROOT = b'{"MediaContainer": {"size": 1, "totalSize": 1, '
ENTITIES = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))
XML_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE MediaContainer [<!ENTITY e0 "lol">'
    + ENTITIES
    + b"]><MediaContainer>&e11;</MediaContainer>"
)
XML_OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><MediaContainer title1="&e;"/>'
)
GZIP = ("Content-Encoding: gzip", "Content-Type: application/json")


@cache
def zeros() -> bytes:
    """A gigabyte of zeros, packed."""
    return packed(b"\0" * MEGABYTE, 1000)


# Each is made by the test that throws it: together they are half a gigabyte.
BOMBS = {
    "depth": lambda: whole(b"[" * 5_000_000),
    "depth of objects": lambda: whole(b'{"a":' * 1_000_000),
    "depth inside": lambda: whole(PLEX_ROOT + b'"x": ' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}}"),
    "digits": lambda: whole(PLEX_ROOT + b'"totalSize": ' + b"9" * 5_000_000 + b"}}"),
    "digits behind a point": lambda: whole(b'{"MediaContainer": {"size": 0.' + b"1" * 5_000_000 + b"}}"),
    "an exponent": lambda: whole(b'{"MediaContainer": {"size": 1e999999999, "totalSize": 1e999999999}}'),
    "the same key": lambda: whole(b"{" + b'"MediaContainer": null,' * 400_000 + b'"data": null}'),
    "many keys": lambda: whole(b"{" + b",".join(b'"k%d":0' % n for n in range(700_000)) + b"}"),
    "a long text": lambda: whole(b'{"MediaContainer": "' + b"x" * 9_000_000),
    "escapes": lambda: whole(b'{"MediaContainer": "' + b"\\u0000" * 1_500_000 + b'"}'),
    "100 MB, told": lambda: (["Content-Length: 100000000"], lambda: (b" " * MEGABYTE for _ in range(100))),
    "100 MB, untold": lambda: endless(b" " * MEGABYTE, 100),
    "100 MB of brackets": lambda: endless(b"[{}," * 250_000, 100),
    "a length of 40 digits": lambda: (["Content-Length: " + "9" * 40], lambda: [b"{}"]),
    "1 MB that becomes 1 GB": lambda: whole(zeros(), *GZIP),
    "gzip in gzip": lambda: whole(packed(zeros(), 1), *GZIP),
    "gzip without an end": lambda: (["Content-Encoding: gzip"], lambda: [zeros()[:500_000]]),
    "two packings": lambda: whole(zeros(), "Content-Encoding: gzip, gzip"),
    "another packing": lambda: whole(zlib.compress(b"\0" * MEGABYTE), "Content-Encoding: deflate"),
    "entities": lambda: whole(XML_BOMB, "Content-Type: text/xml"),
    "entities from outside": lambda: whole(XML_OUTSIDE, "Content-Type: text/xml"),
    "an endless header": lambda: ([f"X-{n}: {'y' * 1000}" for n in range(20_000)], lambda: [b"{}"]),
    "chunks without an end": lambda: (
        ["Transfer-Encoding: chunked"],
        lambda: (b"fffff\r\n" + b" " * 0xFFFFF + b"\r\n" for _ in range(100)),
    ),
}
ASKED = ["plex sections", "stash scenes"]
MORE = ["plex identity", "plex entries", "plex items", "plex find", "stash probe", "stash walk", "stash settings"]
MORE += ["stash watched", "stash plays", "plex plays", "plex viewings", "plex accounts"]
MORE += ["plex sessions", "stash interface"]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_an_error_and_costs_little(bomb: str, prober, thrown) -> None:
    for asked in ASKED + (MORE if os.environ.get("PLEXSYNC_TORTURE") else []):
        told = probed(prober, asked, thrown(*BOMBS[bomb]()))
        assert told.get("error") == "Unavailable", (asked, told)


SWELLING = {
    "stash settings: lists in a setting": lambda: (
        b'{"data": {"configuration": {"plugins": {"x": {"a": [' + b"[],{}," * 1_500_000 + b"0]}}}}}"
    ),
    "stash settings: many plugins": lambda: (
        b'{"data": {"configuration": {"plugins": {' + b",".join(b'"%d":{}' % n for n in range(900_000)) + b"}}}}"
    ),
    "stash scenes: many fields": lambda: b'{"data": {' + b",".join(b'"s%d":null' % n for n in range(700_000)) + b"}}",
    "stash walk: many scenes": lambda: (
        b'{"data": {"findScenes": {"count": 1, "scenes": [' + b"{}," * 3_000_000 + b"{}]}}}"
    ),
    "stash watched: many plays": lambda: b'{"data": {"s1": {"play_history": [' + b'"ab",' * 1_600_000 + b'"ab"]}}}',
    "stash plays: many plays": lambda: (
        b'{"data": {"plays": {"count": 1, "history": ['
        + b'"2026-01-02T03:04:05Z",' * 170_000
        + b'"2026-01-02T03:04:05Z"]}}}'
    ),
    "plex entries: many items": lambda: PLEX_ROOT + b'"Metadata": [' + b"{}," * 10_000_000 + b"{}]}}",
    "plex plays: many rows": lambda: PLEX_ROOT + b'"Metadata": [' + b"{}," * 1_300_000 + b"{}]}}",
    "plex plays: many short rows": lambda: (
        PLEX_ROOT + b'"Metadata": [' + b'{"historyKey":""},' * 220_000 + b'{"historyKey":""}]}}'
    ),
    "plex viewings: many items": lambda: PLEX_ROOT + b'"Metadata": [' + b'{"ratingKey":1},' * 520_000 + b"{}]}}",
    "plex accounts: many accounts": lambda: PLEX_ROOT + b'"Account": [' + b'{"id":1},' * 110_000 + b'{"id":1}]}}',
    "plex sections: many libraries": lambda: PLEX_ROOT + b'"Directory": [' + b"{}," * 3_000_000 + b"{}]}}",
    "plex entries: depth": lambda: b"[" * 31_000_000,
}


@pytest.mark.parametrize("load", SWELLING)
def test_an_answer_below_the_limit_that_swells_is_an_error_too(load: str, prober, thrown) -> None:
    told = probed(prober, load.partition(":")[0], thrown(*whole(SWELLING[load]())))
    assert told.get("error") == "Unavailable", told


def probed(prober, asked: str, at: str, *, growth: int = GROWTH) -> dict:
    prober.stdin.write(json.dumps([asked, at]) + "\n")
    prober.stdin.flush()
    told = json.loads(prober.stdout.readline())
    assert "crash" not in told, told["crash"]
    assert told["work"] < WORK, (asked, told)
    assert told["growth"] < growth, (asked, told)
    return told


FILES = {
    "large": lambda: b"# " + b"x" * (1_000_000),
    "larger": lambda: b"a = 1\n" * 10_000_000,
    "deep": lambda: b"a = " + b"[" * 400_000,
    "deep tables": lambda: b"a = " + b"{a = " * 200_000,
    "digits": lambda: b"a = " + b"9" * 900_000,
    "hexadecimal": lambda: b"a = 0x" + b"f" * 900_000,
    "a long name": lambda: b".".join([b"a"] * 2_000) + b" = 1",
    "many tables": lambda: b"".join(b"[t%d]\n" % n for n in range(80_000)),
    "a long text": lambda: b'a = "' + b"x" * 990_000,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_settings_file_that_swells_is_an_error(kind: str, prober, tmp_path: Path) -> None:
    file, content = tmp_path / "plexsync.toml", FILES[kind]()
    file.write_bytes(content)
    file.chmod(0o600)
    # The parser is the standard library's; below 1 MB the file's owner only harms their own process, and not much.
    growth = GROWTH if len(content) > MEGABYTE else 2 * GROWTH
    assert probed(prober, "a file", str(file), growth=growth)["error"] == "ConfigError"


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/urandom"])
def test_a_device_is_no_settings_file(place: str, prober) -> None:
    if not Path(place).exists():
        pytest.skip("this system has no such device")
    assert "not a regular file" in probed(prober, "a file", place)["message"]


def test_a_good_answer_is_still_one(prober, thrown) -> None:
    """Or the tests above would show nothing."""
    movies = {"key": "1", "type": "movie", "title": "Movies", "scannedAt": 1, "contentChangedAt": 1, "Location": []}
    body = json.dumps({"MediaContainer": {"size": 1, "Directory": [movies]}}).encode()
    for sent in (whole(body), whole(packed(body, 1), *GZIP), endless(body, 1)):
        assert probed(prober, "plex sections", thrown(*sent))["answer"].startswith("[Section(key='1'")
