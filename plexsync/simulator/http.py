"""The HTTP base of both simulated servers: keep-alive, a request log, and faults on demand.

A server subclasses `HttpServer` and implements one method, `answer(request) -> Answer`. It is called from several
threads at once, one per connection, so its data needs a lock of its own. Everything else is here: the
sockets, gzip, the request log, and the faults between a good answer and the client.

Guarantees: `stop()` ends every handler, however it hangs, and returns when the last thread is gone and the last socket
is closed. The port stays reserved until `stop()`, also while connections are refused.
"""

import gzip
import selectors
import socket
import struct
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from plexsync.simulator.feed import Feed

HOST = "127.0.0.1"
GZIP_FROM_BYTES = 1_000
HUGE_BLOCK = b'{"padding": "' + b"x" * (1024 * 1024 - 16) + b'"},'
MAINTENANCE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<Response code="503" title="Maintenance" status="The server is busy with maintenance, please try again later." />\n'
)
GARBAGE = b"\x00\x7f<<<{{{ neither one nor the other \xff\xfe"
EMPTY = b'{"MediaContainer":{"size":0}}'
PROXY_PAGE = b"404 page not found\n"
FOREIGN_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>"

READS = ("GET", "HEAD")

FaultKind = Literal[
    "refuse",
    "hang",
    "slow",
    "trickle",
    "reset",
    "reset_after",
    "cut",
    "garbage",
    "html",
    "empty",
    "swallow",
    "status",
    "proxy",
    "maintenance",
    "huge",
    "latency",
]


@dataclass
class Request:
    """One request as it arrived; in the log it also has the status of its answer.

    `status` is None while there is no answer, and stays None if the connection was dropped instead. `params` holds
    the last value of each name, `query` all pairs in order, decoded once, `target` the request target as sent.
    Header names are lower case. Times are monotonic seconds.
    """

    method: str
    path: str
    params: dict[str, str]
    status: int | None = None
    at_monotonic: float = 0.0
    ended_monotonic: float | None = None
    target: str = field(default="", repr=False)
    query: list[tuple[str, str]] = field(default_factory=list, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """The response. `headers` are added to type, length and, if the client accepts it, gzip encoding."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One fault, for the requests that `when` selects (default: all), forever or for the first `times` of them.

    refuse       the listening socket is closed and open connections are dropped; takes neither `when` nor `times`
    hang         accepted and read, never answered
    slow         answered correctly, `seconds` late
    trickle      answered correctly, one byte each `seconds`
    reset        connection reset, nothing applied
    reset_after  applied, then the connection is reset without an answer
    cut          applied; the answer's body stops half way
    garbage      200, neither JSON nor XML
    html         200, a foreign HTML page
    empty        200, the container of a Plex server with nothing in it
    swallow      a write is answered well, and nothing of it is applied; a read is answered correctly
    status       `status` with a small HTML page, and `retry_after` as the header of that name
    proxy        `status` with the page of a proxy that can't reach the server behind it
    maintenance  503 with the XML element that Plex sends while it migrates
    huge         200 with `megabytes` of body that never becomes a document
    latency      `seconds` before every answer; the only kind that can be combined with another
    """

    kind: FaultKind
    status: int = 503
    retry_after: str | int | None = None
    seconds: float = 0.0
    megabytes: int = 50
    times: int | None = None
    when: Callable[[Request], bool] | None = None

    def __post_init__(self) -> None:
        if self.kind == "refuse" and (self.when is not None or self.times is not None):
            raise ValueError("a refused connection carries no request to pick or count")


class Faults:
    """The active faults. Thread-safe, also while requests hang in one."""

    def __init__(self, refuse: Callable[[bool], None]) -> None:
        self._refuse = refuse
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._left: list[int | None] = []
        self._released = threading.Event()

    def set(self, *faults: Fault) -> None:
        """Replace all faults by these; requests that hang in an old one are released."""
        with self._lock:
            self._faults = list(faults)
            self._left = [fault.times for fault in faults]
            self._released.set()
            self._released = threading.Event()
        self._refuse(any(fault.kind == "refuse" for fault in faults))

    def clear(self) -> None:
        """Remove all faults: hanging requests are dropped, late ones answered at once, connections accepted."""
        self.set()

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that have not run out."""
        with self._lock:
            return tuple(fault for fault, left in zip(self._faults, self._left, strict=True) if left != 0)

    def take(self, request: Request) -> tuple[Fault | None, float, threading.Event]:
        """The fault for this request, its latency in seconds, and the event that ends both; uses up one of `times`."""
        with self._lock:
            met: Fault | None = None
            latency = 0.0
            for place, fault in enumerate(self._faults):
                if self._left[place] == 0 or (fault.when is not None and not fault.when(request)):
                    continue
                if fault.kind == "latency":
                    latency += fault.seconds
                elif met is None:
                    met = fault
                else:
                    continue
                left = self._left[place]
                self._left[place] = None if left is None else left - 1
            return met, latency, self._released


class HttpServer(ABC):
    """A server on loopback with a log and faults; use it as a context manager, or `start()` and `stop()` it.

    `port=0` takes a free one. The port is bound when the object is created, so `url` is known before `start()`. `marks`
    are headers of every answer of the server itself. A connection that is idle for `idle_seconds` is closed.
    """

    marks: Mapping[str, str] = {}
    ahead: float = 0.0
    """Seconds by which the server's clock, as its answers show it, is ahead of this machine's."""
    idle_seconds = 20.0

    def __init__(self, *, port: int = 0) -> None:
        self._placeholder: socket.socket | None = _bound_socket(port)
        self.port: int = self._placeholder.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.wall: Callable[[], float] = time.time
        """The clock for the Date header, in Unix seconds."""
        self.log: list[Request] = []
        self.faults = Faults(self._refuse)
        self._door = threading.Lock()
        self._started = False
        self._listener: _Listener | None = None

    def subscribe(self, request: Request) -> "Feed | Answer | None":
        """The response to a WebSocket request: a feed of messages, or an answer that rejects it; None if there
        are no events here.
        """
        return None

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Answer a request; called from several threads at once."""

    def start(self) -> Self:
        """Start accepting and answering requests."""
        with self._door:
            self._started = True
            self._open()
        return self

    def stop(self) -> None:
        """Close everything: no thread, socket or hanging request is left on return. Calling it twice is harmless."""
        with self._door:
            self._started = False
        self.faults.clear()
        with self._door:
            self._close()
            if self._placeholder is not None:
                self._placeholder.close()
                self._placeholder = None

    def __enter__(self) -> Self:
        return self if self._started else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def clear_log(self) -> None:
        """Clear the request log."""
        self.log.clear()

    def count(self, method: str | None = None, path_prefix: str | None = None) -> int:
        """The number of logged requests with this method and path prefix."""
        return sum(
            1
            for request in list(self.log)
            if (method is None or request.method == method)
            and (path_prefix is None or request.path.startswith(path_prefix))
        )

    def most_at_once(self, method: str | None = None) -> int:
        """The largest number of logged requests, of this method, that were being answered at the same time."""
        steps: list[tuple[float, int]] = []
        for request in list(self.log):
            if method is None or request.method == method:
                steps.append((request.at_monotonic, 1))
                steps.append((request.ended_monotonic or float("inf"), -1))
        return max(accumulate(step for _, step in sorted(steps)), default=0)

    def _refuse(self, refuse: bool) -> None:
        with self._door:
            if refuse and self._listener is not None:
                self._close()
                self._placeholder = _bound_socket(self.port)
            elif not refuse and self._started:
                self._open()

    def _open(self) -> None:
        if self._listener is not None or self._placeholder is None:
            return
        self._listener = _Listener(self, self._placeholder)
        self._placeholder = None

    def _close(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None


def _bound_socket(port: int) -> socket.socket:
    """A socket that holds the port without listening: connections are refused."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
    except OSError:
        held.close()
        raise
    return held


class _Listener(ThreadingHTTPServer):
    """One listening period: accepts until `close()`, which also drops every connection and waits for its thread."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, server: HttpServer, bound: socket.socket) -> None:
        super().__init__((HOST, server.port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.neighbour = server
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self._ended, self._end = socket.socketpair()
        self.server_activate()
        self._thread = threading.Thread(target=self._accept, name=f"simulator-{server.port}")
        self._thread.start()

    def _accept(self) -> None:
        """Accept connections until `close()`, which is noticed at once: nothing is looked at every so often."""
        with selectors.DefaultSelector() as ready:
            ready.register(self.socket, selectors.EVENT_READ)
            ready.register(self._ended, selectors.EVENT_READ)
            while all(key.fileobj is self.socket for key, _ in ready.select()):
                try:
                    self.process_request(*self.get_request())
                except OSError:
                    continue  # the client had closed it first

    def close(self) -> None:
        self._end.close()
        self._thread.join()
        self._ended.close()
        with self._connections_lock:
            for connection in self._connections:
                _hang_up(connection)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closed the connection; show anything else, since it is a bug of the simulator."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client had closed it first


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, applies faults, writes each answer in one send."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        """Set up the connection with its idle timeout."""
        super().setup()
        self.connection.settimeout(self.server.neighbour.idle_seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing to stderr: the server's log is the list `log`."""

    def _serve(self) -> None:
        request = self._received()
        neighbour = self.server.neighbour
        neighbour.log.append(request)
        fault, latency, released = neighbour.faults.take(request)
        try:
            if latency:
                released.wait(latency)
            if fault is None and (feed := self._subscribed(request)) is not None:
                if isinstance(feed, Answer):
                    self._send(request, feed)
                else:
                    request.status = 101
                    self.close_connection = True
                    feed.run(self.connection, self.headers.get("Sec-WebSocket-Key", ""))
            elif fault is None:
                self._send(request, neighbour.answer(request))
            else:
                self._misbehave(fault, request, released)
        finally:
            request.ended_monotonic = time.monotonic()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _serve

    def _subscribed(self, request: Request) -> "Feed | Answer | None":
        wants = request.headers.get("upgrade", "").lower() == "websocket"
        return self.server.neighbour.subscribe(request) if wants else None

    def _received(self) -> Request:
        parts = urlsplit(self.path)
        query = parse_qsl(parts.query, keep_blank_values=True)
        return Request(
            method=self.command,
            path=parts.path,
            params=dict(query),
            at_monotonic=time.monotonic(),
            target=self.path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                # A request whose client closed the connection half way is not counted.
                raise ConnectionAbortedError
            return body
        chunks: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            continue
        return b"".join(chunks)

    def _misbehave(self, fault: Fault, request: Request, released: threading.Event) -> None:
        neighbour = self.server.neighbour
        match fault.kind:
            case "hang":
                released.wait()
                self.close_connection = True
            case "slow":
                released.wait(fault.seconds)
                self._send(request, neighbour.answer(request))
            case "trickle":
                self._trickle(request, neighbour.answer(request), fault.seconds, released)
            case "reset" | "refuse":
                # A request that arrived just before the socket closed is dropped with its connection.
                self._reset()
            case "reset_after":
                neighbour.answer(request)
                self._reset()
            case "cut":
                self._cut(request, neighbour.answer(request))
            case "swallow":
                is_read = request.method in READS
                self._send(request, neighbour.answer(request) if is_read else Answer(headers=dict(neighbour.marks)))
            case "huge":
                self._send_huge(request, fault.megabytes, released)
            case _:
                self._send(request, _bad_answer(fault, neighbour.marks))

    def _send(self, request: Request, answer: Answer) -> None:
        request.status = answer.status
        self.wfile.write(self._raw(answer))

    def _raw(self, answer: Answer) -> bytes:
        head, body = self._rendered(answer)
        return head if self.command == "HEAD" else head + body

    def _dated(self) -> dict[str, str]:
        return {"Date": formatdate(self.server.neighbour.wall() + self.server.neighbour.ahead, usegmt=True)}

    def _rendered(self, answer: Answer) -> tuple[bytes, bytes]:
        body = answer.body
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Content-Type: {answer.content_type}",
            *(f"{name}: {value}" for name, value in {**self._dated(), **answer.headers}.items()),
        ]
        if len(body) >= GZIP_FROM_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            lines.append("Content-Encoding: gzip")
        lines.append(f"Content-Length: {len(body)}")
        lines.append(
            "Connection: close"
            if self.close_connection
            else f"Keep-Alive: timeout={self.server.neighbour.idle_seconds:.0f}"
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body

    def _trickle(self, request: Request, answer: Answer, seconds: float, released: threading.Event) -> None:
        """Delay headers as well: an answer without a body would otherwise arrive at once."""
        request.status = answer.status
        raw = self._raw(answer)
        for place in range(len(raw)):
            if released.wait(seconds):
                self.wfile.write(raw[place:])
                return
            self.wfile.write(raw[place : place + 1])

    def _cut(self, request: Request, answer: Answer) -> None:
        """Send half the body; an empty one loses the end of its headers instead, so that something is missing."""
        request.status = answer.status
        head, body = self._rendered(answer)
        self.wfile.write(head + body[: len(body) // 2] if body else head[:-4])
        self.close_connection = True

    def _send_huge(self, request: Request, megabytes: int, released: threading.Event) -> None:
        request.status = 200
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {megabytes * len(HUGE_BLOCK)}\r\n\r\n"
        self.wfile.write(head.encode("latin-1"))
        for _ in range(megabytes):
            if released.is_set():
                self.close_connection = True
                return
            self.wfile.write(HUGE_BLOCK)

    def _reset(self) -> None:
        """Send RST instead of FIN: no lingering, and no file object that keeps the socket open."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        self.close_connection = True


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def html_page(status: int) -> bytes:
    """A small error page for `status`."""
    phrase = _phrase(status)
    return f"<html><head><title>{phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>".encode()


def _bad_answer(fault: Fault, marks: Mapping[str, str]) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    match fault.kind:
        case "garbage":
            return Answer(200, GARBAGE, "application/json", headers)
        case "html":
            return Answer(200, FOREIGN_PAGE, "text/html;charset=utf-8", headers)
        case "empty":
            return Answer(200, EMPTY, "application/json", {**marks, **headers})
        case "proxy":
            return Answer(fault.status, PROXY_PAGE, "text/plain;charset=utf-8", headers)
        case "maintenance":
            return Answer(503, MAINTENANCE, "text/xml;charset=utf-8", {**marks, **headers})
        case _:
            return Answer(fault.status, html_page(fault.status), "text/html", {**marks, **headers})
