"""The HTTP server of the dashboard: an exclusive socket, and time limits for requests.

A connection is closed if it does not finish its request line and headers within ten seconds, or if it never stops
sending a body. Connections beyond `MOST_CONNECTIONS` are rejected at once with 503.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from plexsync.web.guard import Guard

log = logging.getLogger("PlexSync.web")

MOST_CONNECTIONS = 3_000
PATIENCE = 10.0  # seconds for a whole request
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
)
LAST_WORDS = 1


class Patient(H11Protocol):
    """One connection."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.write(FULL)
            transport.close()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Receive data: once a request is whole, its timer stops until the next one begins."""
        self._wait()
        super().data_received(data)
        # uvicorn keeps the last request until the next one begins: an answered one says nothing about this data.
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._rest()

    def on_response_complete(self) -> None:
        """Restart the timer: the next request may have come with this one, and incomplete."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer and release the place."""
        self._rest()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE, self._end)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


class Quiet(Server):
    """Ends when told to, and leaves signals to its caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handler."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """Open an exclusive listening socket at this address; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(1024)
    except BaseException:
        made.close()
        raise
    return made


def server(app: Guard) -> Quiet:
    """A server for the dashboard, to run on a socket."""
    return Quiet(
        Config(
            app,
            http=Patient,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=LAST_WORDS,
            h11_max_incomplete_event_size=16 * 1024,
        )
    )
