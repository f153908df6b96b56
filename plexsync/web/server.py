"""The HTTP server of the dashboard, and of what Plex asks: time limits for requests and answers, limits for connections.

A connection is closed if it does not finish its request line and headers within ten seconds, or if it never stops
sending a body. It is aborted if its client does not take in what is left of an answer. An address that opens more than
`MOST_FROM_ONE` connections loses the one that was silent longest. If there are `MOST_CONNECTIONS`, a new one takes the
place of one of an address that has more of them; if there is none, it is rejected at once with 503.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Literal

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

log = logging.getLogger("PlexSync.web")

MOST_CONNECTIONS = 3_000
MOST_FROM_ONE = 300  # of one address; a proxy is one address
PATIENCE = 10.0  # seconds for a whole request
PROGRESS = 20.0  # seconds within which a client has to take in some of what is left of an answer
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
)
LAST_WORDS = 1
TICK = 1.0  # seconds between two updates of the date in answers


class Places:
    """The open connections by address, of each address the one that was silent longest first."""

    def __init__(self) -> None:
        self._by_address: dict[str, OrderedDict[Patient, None]] = {}
        self._count = 0

    def take(self, connection: "Patient") -> bool:
        """Take a place, for which another connection may have to be aborted; False if all are taken."""
        mine = len(self._by_address.get(connection.address, ()))
        if mine >= MOST_FROM_ONE:
            self._abort_silent(connection.address)
        elif self._count >= MOST_CONNECTIONS:
            largest = max(self._by_address, key=lambda address: len(self._by_address[address]))
            if len(self._by_address[largest]) <= mine + 1:
                return False
            self._abort_silent(largest)
        self._by_address.setdefault(connection.address, OrderedDict())[connection] = None
        self._count += 1
        return True

    def heard(self, connection: "Patient") -> None:
        """Its client has sent something."""
        mine = self._by_address.get(connection.address, OrderedDict())
        if connection in mine:
            mine.move_to_end(connection)

    def leave(self, connection: "Patient") -> None:
        """Release its place, if it has one."""
        mine = self._by_address.get(connection.address, OrderedDict())
        if connection in mine:
            del mine[connection]
            self._count -= 1
            if not mine:
                del self._by_address[connection.address]

    def _abort_silent(self, address: str) -> None:
        """Abort the one that was silent longest. An open page asks for its line again."""
        connection = next(iter(self._by_address[address]))
        self.leave(connection)
        connection.transport.abort()


class Patient(H11Protocol):
    """One connection."""

    address = ""
    """The client's address."""
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _unsent = 0

    def __init__(
        self,
        places: Places,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._places = places

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, if there is room or another one can make some."""
        super().connection_made(transport)
        # Any byte that the system does not take at once pauses writing, and so starts the deadline.
        transport.set_write_buffer_limits(high=0)
        self.address = self.client[0] if self.client else ""
        if not self._places.take(self):
            transport.write(FULL)
            transport.close()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Receive data: once a request is whole, its timer stops until the next one begins."""
        self._places.heard(self)
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
        """Stop the timers and release the place."""
        self._rest()
        self._moves()
        self._places.leave(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the deadline: a part of an answer is left that the client has not taken in."""
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        """Stop the deadline: all was taken in."""
        self._moves()
        super().resume_writing()

    def _expect_progress(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(PROGRESS, self._check_progress)

    def _check_progress(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._expect_progress()
        else:
            # Closing would wait for the client; it may be closing for long.
            self._stalled = None
            self.transport.abort()

    def _moves(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

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
    """Ends when told to, and leaves signals to its caller. While nobody asks for a page it wakes once a second."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ends = asyncio.Event()

    def end(self) -> None:
        """End; call this in the event loop."""
        self.should_exit = True
        self._ends.set()

    async def main_loop(self) -> None:
        """Keep the time of answers, until the end."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._ends.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handler."""
        yield


def server(app: Callable[..., Awaitable[None]], *, lifespan: Literal["on", "off"] = "on") -> Quiet:
    """A server for an application, to run on a socket; `lifespan`: whether that is told of its start and end."""
    return Quiet(
        Config(
            app,
            http=partial(Patient, Places()),  # type: ignore[arg-type]
            ws="none",
            lifespan=lifespan,
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
