"""The connections to one server: HTTP/1.1 by `h11` over blocking sockets, and a deadline for each request.

A timeout per read never ends a server that sends one byte every few seconds, in headers or body. So each read, write and
handshake is also bound to the deadline of the whole request. (A DNS lookup can't be interrupted: it ends when the system's
resolver gives up.)
"""

import select
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from time import monotonic
from typing import Any, Protocol

import h11

from plexsync.rules.record_class import record
from plexsync.rules.servers.http_answers import whole_request

# Plex drops idle connections after 20 s; closing them earlier avoids writing to one that is being closed.
IDLE_SECONDS = 15.0
CONNECTIONS = 10
# Bytes of all headers of an answer, of the part of a failure's body that is read, and of one read.
HEADERS_CAP = 100_000
ERROR_CAP = 64_000
CHUNK = 64_000

END = h11.EndOfMessage()


class ExchangeError(Exception):
    """There is no answer. (The other errors of an exchange are `OSError`, if nothing arrives, and those of `h11`.)"""


class AllInUse(ExchangeError):
    """All connections were in use for too long."""


class NotConnected(ExchangeError):
    """No connection could be opened, for the reason in `args`."""


class TooMuch(ExchangeError):
    """The body of a success is larger than its cap."""


@record
class Timeouts:
    """Seconds to connect and between two bytes."""

    connect: float
    read: float


@record
class Answer:
    """A complete answer; for an error status, the part that could be read of the body's first 64 kB.

    The names of headers are in lower case.
    """

    status: int
    body: bytes | bytearray = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Transport(Protocol):
    """Carries requests to a server; safe for several threads."""

    def exchange(self, request: h11.Request, content: bytes, cap: int) -> Answer:
        """Send a request with its body and return the answer, as it is packed, or raise one of the errors above.

        `cap`: the most bytes of a success's body. RuntimeError after `close`.
        """

    def close(self) -> None:
        """Close every connection."""


class HttpConnection:
    """One open connection. `due` is the deadline of a request on the monotonic clock: past it, TimeoutError is raised."""

    def __init__(self, line: socket.socket, silence: float) -> None:
        self._line = line
        self._silence = silence
        self._http = h11.Connection(h11.CLIENT, HEADERS_CAP)
        self.idle_since = 0.0

    def exchange(self, request: h11.Request, content: bytes, cap: int, due: float) -> Answer:
        """Send a request, and read its answer to the end or as far as the cap allows."""
        self._send(request, content, due)
        self._receive(due)
        response = self._next(due)
        while isinstance(response, h11.InformationalResponse):
            response = self._next(due)
        status, headers, body = response.status_code, _headers(response), bytearray()
        if 200 <= status < 300:
            if int(headers.get("content-length", "0")) > cap or not self._read(body, cap, due):
                raise TooMuch
            # Not copied: a copy would double the memory of a large answer.
            return Answer(status, body, headers)
        with suppress(h11.RemoteProtocolError, OSError):
            self._read(body, ERROR_CAP, due)
        return Answer(status, body[:ERROR_CAP], headers)

    def renew(self) -> bool:
        """Prepare for the next request; False if no other can follow, or the server sent more than the answer."""
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or http.trailing_data != (b"", False):
            return False
        http.start_next_cycle()
        self.idle_since = monotonic()
        return True

    def is_fresh(self) -> bool:
        """Whether the server is silent, so that it has not closed an idle connection."""
        if sys.platform == "win32":
            return not select.select([self._line], [], [], 0)[0]
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _send(self, request: h11.Request, content: bytes, due: float) -> None:
        message = self._http.send(request)
        if content:
            message += self._http.send(h11.Data(content))
        self._http.send(END)
        rest = memoryview(message)
        try:
            while rest:
                self._line.settimeout(shorten(self._silence, due))
                rest = rest[self._line.send(rest) :]
        except TimeoutError:
            raise
        except OSError:
            # A server may answer and hang up before it has read everything.
            self._http.send_failed()

    def _next(self, due: float) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._receive(due)
        return event

    def _receive(self, due: float) -> None:
        self._line.settimeout(shorten(self._silence, due))
        self._http.receive_data(self._line.recv(CHUNK))

    def _read(self, body: bytearray, cap: int, due: float) -> bool:
        """Read the body; returns False as soon as it is larger than the cap."""
        while isinstance(event := self._next(due), h11.Data):
            body += event.data
            if len(body) > cap:
                return False
        return True


class Pool:
    """Carries requests to a server at a host and port over connections that are kept open for the next requests."""

    def __init__(self, place: tuple[str, int], tls: ssl.SSLContext | None, timeouts: Timeouts) -> None:
        self.place = place
        self._tls = tls
        self._timeouts = timeouts
        self._whole = whole_request(timeouts.read)
        self._changed = threading.Condition(threading.Lock())
        # Below the lock: the open connections that no request uses, the longest idle one first, and the requests under way.
        self._idle: list[HttpConnection] = []
        self._requests = 0
        self._closed = False

    def exchange(self, request: h11.Request, content: bytes, cap: int) -> Answer:
        """See `Transport`."""
        due = monotonic() + self._whole
        connection = self._take(due)
        try:
            if connection is None:
                connection = self._connect(due)
            return connection.exchange(request, content, cap, due)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close every connection; those in use as soon as their requests end. A later or waiting request fails."""
        with self._changed:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._changed.notify_all()

    def _may_go(self) -> bool:
        return self._closed or self._requests < CONNECTIONS

    def _take(self, due: float) -> HttpConnection | None:
        """Wait until a connection may be used, and take the last one that was; None if one must be opened."""
        with self._changed:
            if not (self._may_go() or self._changed.wait_for(self._may_go, shorten(self._timeouts.read, due))):
                raise AllInUse
            if self._closed:
                raise RuntimeError("a request after the connections were closed")
            self._requests += 1
            old = monotonic() - IDLE_SECONDS
            while self._idle and self._idle[0].idle_since < old:
                self._idle.pop(0).close()
            while self._idle:
                connection = self._idle.pop()
                if connection.is_fresh():
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: HttpConnection | None) -> None:
        with self._changed:
            self._requests -= 1
            if connection is not None:
                if not self._closed and connection.renew():
                    self._idle.append(connection)
                else:
                    connection.close()
            self._changed.notify()

    def _connect(self, due: float) -> HttpConnection:
        try:
            line = socket.create_connection(self.place, shorten(self._timeouts.connect, due))
            try:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    line.settimeout(shorten(self._timeouts.connect, due))
                    line = self._tls.wrap_socket(line, server_hostname=self.place[0])
            except BaseException:
                line.close()
                raise
        except (OSError, ValueError) as error:
            raise NotConnected(error) from error
        return HttpConnection(line, self._timeouts.read)


def shorten(timeout: float, due: float) -> float:
    """The timeout, or the seconds until a deadline if these are less; raises TimeoutError if it is over."""
    seconds = due - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return min(timeout, seconds)


def _headers(response: h11.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw_items():
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
