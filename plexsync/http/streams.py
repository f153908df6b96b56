"""Connections that enforce a deadline for the whole request.

A timeout per read never ends a server that sends one byte every few seconds, in headers or body. So each read,
write and handshake is also bound to the deadline of the whole request, which the requesting thread sets by `due_in`.
(A DNS lookup can't be interrupted: it ends when the system's resolver gives up.)
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2


class Deadline:
    """The deadline of the calling thread's request, on the monotonic clock."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def due_in(self, seconds: float) -> Iterator[None]:
        """Bound all reads and writes of this thread inside the block to a deadline."""
        self._of_thread.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._of_thread.at = None

    def shorten(self, timeout: float | None, late: type[Exception]) -> float | None:
        """The timeout, or the remaining time if that is less; raises `late` if none remains."""
        at: float | None = getattr(self._of_thread, "at", None)
        if at is None:
            return timeout
        seconds = at - time.monotonic()
        if seconds <= 0:
            raise late
        return seconds if timeout is None else min(timeout, seconds)


class DeadlineStream(httpcore2.NetworkStream):
    """A connection whose reads and writes keep to the deadline of their thread."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read available bytes; raises ReadTimeout past the deadline."""
        return self._stream.read(max_bytes, self._deadline.shorten(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all; raises WriteTimeout past the deadline."""
        self._stream.write(buffer, self._deadline.shorten(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same connection, encrypted; raises ConnectTimeout past the deadline."""
        seconds = self._deadline.shorten(timeout, httpcore2.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return the info of the underlying connection."""
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore2.NetworkBackend):
    """Opens connections that keep to the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._backend = httpcore2.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to host and port; raises ConnectError, ConnectTimeout."""
        seconds = self._deadline.shorten(timeout, httpcore2.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, seconds, local_address, socket_options or ())
        return DeadlineStream(stream, self._deadline)


class Transport(httpx2.BaseTransport):
    """A connection pool that passes the errors of `httpcore2` through unchanged."""

    def __init__(
        self, deadline: Deadline, tls: ssl.SSLContext | None, *, connections: int, idle_seconds: float
    ) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            keepalive_expiry=idle_seconds,
            network_backend=DeadlineBackend(deadline),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and read its headers; the body is read as the response is iterated."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
