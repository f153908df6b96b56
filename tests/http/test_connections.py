"""The connections below a wire: what is kept, what is opened anew, and what servers do that no server should."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from plexsync.http import connections
from plexsync.http.client import Wire
from plexsync.http.connections import CONNECTIONS, ERROR_CAP, Timeouts
from plexsync.rules.servers.errors import Neighbour, Refused, TooLong, Unavailable
from plexsync.rules.servers.http_answers import Server
from tests.patience import HANG, until
from tests.tables import table

SERVER = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
PATIENT = Timeouts(connect=HANG, read=HANG)
OK = b"HTTP/1.1 200 OK\r\n"
FINE = OK + b"Content-Length: 4\r\n\r\nfine"


class RawServer:
    """Answers each request of each connection with the next of its answers; counts connections and requests.

    An answer of None closes the connection instead. After an answer that ends in a close, so does the connection.
    """

    def __init__(self, answers, *, host="127.0.0.1"):
        self.answers = iter(answers)
        self.requests = []
        self.lines = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.port = self._listening.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in self.lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(HANG)

    def _accept(self):
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            line.settimeout(HANG)
            self.lines.append(line)
            self.threads.append(threading.Thread(target=self._serve, args=(line,)))
            self.threads[-1].start()

    def _serve(self, line):
        with line:
            try:
                while request := self._request(line):
                    self.requests.append(request)
                    answer = next(self.answers)
                    if callable(answer):
                        answer = answer()
                    if answer is None:
                        return
                    line.sendall(answer)
                    if b"Connection: close" in answer or answer.startswith(b"HTTP/1.0"):
                        return
            except OSError:
                return

    def _request(self, line):
        received = b""
        while b"\r\n\r\n" not in received:
            if not (piece := line.recv(65536)):
                return b""
            received += piece
        return received


@contextmanager
def wired(url, timeouts=PATIENT):
    wire = Wire(SERVER, url, headers={"X-Plex-Token": "canary-0123456789"}, timeouts=timeouts)
    try:
        yield wire
    finally:
        wire.close()


# --- one request -----------------------------------------------------------------------------------------------------


@table(
    ("answer", "body"),
    [
        (FINE, b"fine"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + FINE, b"fine"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nfi\r\n2 \r\nne\r\n0\r\nX-Trailer: 1\r\n\r\n", b"fine"),
        (OK + b"Connection: close\r\n\r\nfine", b"fine"),
        (b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nfine", b"fine"),
        (b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine", b"fine"),
        (b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine", b"fine"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", b""),
        (OK + b"Content-Length: 4, 4\r\nContent-Length: 4\r\n\r\nfine", b"fine"),
        (OK + b"Content-Length: 4\r\nX-A: one\r\n two\r\n\r\nfine", b"fine"),
    ],
)
def test_an_answer_is_read_in_every_form_that_the_protocol_knows(answer, body):
    with RawServer([answer]) as server, wired(server.url) as wire:
        assert wire.ask("GET", "/").body == body


@table(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"No colon\r\n\r\n",
        OK + b"X: " + b"x" * 200_000,
        OK + b"X: x\r\n" * 40_000,
        None,
    ],
)
def test_an_answer_that_breaks_the_protocol_is_none(answer):
    with RawServer([answer]) as server, wired(server.url) as wire, pytest.raises(Unavailable) as raised:
        wire.ask("GET", "/")
    assert "broke off its answer, or does not speak HTTP" in str(raised.value) or "dropped" in str(raised.value)
    assert raised.value.sent


def test_a_body_that_is_announced_as_too_large_is_not_waited_for():
    with RawServer([OK + b"Content-Length: 10000001\r\n\r\n"]) as server, wired(server.url) as wire:
        with pytest.raises(Unavailable, match="more than 10 MB"):
            wire.ask("GET", "/")


def test_of_a_failure_that_says_much_the_beginning_is_read():
    body = bytes(range(256)) * 1000
    with RawServer([b"HTTP/1.1 400 No\r\nContent-Length: 256000\r\n\r\n" + body]) as server, wired(server.url) as wire:
        assert wire.send("GET", "/").body == body[:ERROR_CAP]


def test_headers_come_by_their_names_in_lower_case_and_those_that_come_twice_are_joined():
    answer = OK + b"ETag: \xe4\r\nX-Way: a\r\nContent-Length: 0\r\nx-way: b\r\n\r\n"
    with RawServer([answer, FINE]) as server, wired(server.url) as wire:
        headers = wire.ask("GET", "/").headers
        assert dict(headers) == {"etag": "ä", "x-way": "a, b", "content-length": "0"}
        wire.ask("GET", "/", headers={"If-None-Match": headers["etag"]})
    assert b"If-None-Match: \xe4\r\n" in server.requests[1]


@table("target", ["/a b", "/a\r\nX-Evil: 1", "/a\nb", "/a\x00", "/ü", "/a\x7f"])
def test_a_target_that_is_not_encoded_is_not_sent(target):
    with RawServer([FINE]) as server, wired(server.url) as wire:
        with pytest.raises(Refused, match="could not be put into HTTP"):
            wire.ask("PUT", target)
        assert wire.ask("GET", "/").body == b"fine"
        assert len(server.requests) == 1


@table(
    ("method", "content", "length"),
    [("GET", b"", None), ("PUT", b"", b"0"), ("POST", b"", b"0"), ("POST", b"four", b"4"), ("DELETE", b"", None)],
)
def test_a_request_says_how_long_it_is_where_one_of_its_kind_has_a_body(method, content, length):
    with RawServer([FINE]) as server, wired(server.url) as wire:
        wire.ask(method, "/", content=content, headers={"Accept": "image/*"})
        (request,) = server.requests
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [line for line in lines if line.startswith(b"Accept: ")] == [b"Accept: image/*"]
    lengths = [line.partition(b": ")[2] for line in lines if line.startswith(b"Content-Length")]
    assert lengths == ([] if length is None else [length])


def test_an_address_of_the_newer_kind_is_asked():
    try:
        server = RawServer([FINE], host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, wired(server.url) as wire:
        assert wire.ask("GET", "/").body == b"fine"
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_an_answer_counts_that_comes_before_the_request_was_read():
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with RawServer([refusal, FINE]) as server, wired(server.url) as wire:
        with pytest.raises(TooLong):
            wire.ask("POST", "/", content=bytes(30_000_000))
        assert wire.ask("GET", "/").body == b"fine"


# --- the connections -------------------------------------------------------------------------------------------------


@table(
    ("first", "lines"),
    [
        (FINE, 1),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 1),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", 1),
        (OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nfine", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine", 2),
        # What follows an answer is not the next one.
        (FINE + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 2),
        (b"HTTP/1.1 500 No\r\nContent-Length: 999999\r\n\r\n" + bytes(100_000), 2),
    ],
)
def test_a_connection_is_used_again_if_its_answer_was_read_to_the_end_and_nothing_follows(first, lines):
    with RawServer([first, FINE]) as server, wired(server.url) as wire:
        wire.send("GET", "/")
        assert wire.send("GET", "/").body == b"fine"
        assert len(server.lines) == lines


def test_a_connection_that_the_server_closed_meanwhile_is_not_written_to():
    with RawServer([FINE, FINE]) as server, wired(server.url) as wire:
        wire.ask("PUT", "/")
        server.lines[0].shutdown(socket.SHUT_RDWR)
        assert wire.ask("PUT", "/").body == b"fine"
        assert (len(server.lines), len(server.requests)) == (2, 2)


def test_a_request_that_may_have_arrived_is_not_sent_again():
    with RawServer([FINE, None, FINE]) as server, wired(server.url) as wire:
        wire.ask("PUT", "/")
        with pytest.raises(Unavailable) as raised:
            wire.ask("PUT", "/")
        assert raised.value.sent
        assert len(server.requests) == 2


def test_a_connection_that_was_idle_for_long_is_closed(monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", -1.0)
    with RawServer([FINE, FINE]) as server, wired(server.url) as wire:
        wire.ask("GET", "/")
        wire.ask("GET", "/")
        assert len(server.lines) == 2


@contextmanager
def all_in_use(timeouts=PATIENT):
    """A wire whose connections all wait for an answer, its server, the threads, and the event that lets them have it."""
    over = threading.Event()

    def late():
        over.wait(HANG)
        return FINE

    with RawServer([late] * CONNECTIONS + [FINE] * CONNECTIONS) as server, wired(server.url, timeouts) as wire:
        bodies = []
        threads = [
            threading.Thread(target=lambda: bodies.append(wire.ask("GET", "/").body)) for _ in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        until(lambda: len(server.requests) == CONNECTIONS)
        try:
            yield wire, server, over
        finally:
            over.set()
            for thread in threads:
                thread.join(HANG)
        assert bodies == [b"fine"] * CONNECTIONS


def test_a_request_waits_for_a_connection():
    with all_in_use() as (wire, server, over), ThreadPoolExecutor(1) as another:
        waiting = another.submit(wire.ask, "GET", "/")
        over.set()
        assert waiting.result(HANG).body == b"fine"
    assert len(server.lines) == CONNECTIONS


def test_closing_lets_requests_end_and_those_that_wait_fail():
    with all_in_use() as (wire, server, over), ThreadPoolExecutor(1) as another:
        waiting = another.submit(wire.ask, "GET", "/")
        wire.close()
        assert isinstance(waiting.exception(HANG), RuntimeError)
        with pytest.raises(RuntimeError):
            wire.ask("GET", "/")
        over.set()
        until(lambda: not any(thread.is_alive() for thread in server.threads[1:]))
    assert len(server.requests) == CONNECTIONS


def test_nothing_is_left_open_by_requests_that_fail():
    with RawServer([None] * 3 * CONNECTIONS + [FINE]) as server, wired(server.url) as wire:
        for _ in range(3 * CONNECTIONS):
            with pytest.raises(Unavailable, match="broke off"):
                wire.ask("GET", "/")
        assert wire.ask("GET", "/").body == b"fine"
