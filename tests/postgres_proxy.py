"""A TCP proxy before a PostgreSQL server, which does to connections what networks do.

`with Proxy(server.port) as proxy`: clients connect to `proxy.port`. It passes everything on until it is told otherwise:

* `cut()`: all connections end now, by a reset; new ones pass.
* `refuse()`: all connections end, and new ones are refused, until `mend()`.
* `stall()`: nothing passes any more in either direction, and new connections are taken and never answered, until `mend()`.
* `drop_commits(n)`: the server commits, and instead of its answer the client gets a reset; n times.
* `drop_requests(n)`: a COMMIT never reaches the server, and the client gets a reset; n times.
* `cut_at(n, answers=...)`: the n-th message from now on does not pass, and its connection ends there.
* `delay`: seconds that every answer takes longer.

It understands as much of the wire protocol as that takes, and no TLS: the servers of tests have none.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.postgres_server import free_port

# The first message of a connection has no type; these ask for encryption and are answered by one byte.
ASKS_ENCRYPTION = (80877103, 80877104)
LENGTH = struct.Struct("!I")
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes connections on to 127.0.0.1:`target`. `port` stays the same for its life. Counters say what happened."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.delay = 0.0
        self.taken = 0
        """How many connections were taken."""
        self.commits_dropped = 0
        """How many commits the server made whose answer was dropped, or that never reached it."""
        self.passed = [0, 0]
        """How many messages of clients, and of the server, came since `cut_at`."""
        self._cut_at = [0, 0]
        self._answers_to_drop = 0
        self._requests_to_drop = 0
        self._open: set[Link] = set()
        self._lock = threading.Lock()
        self._passes = threading.Event()
        self._passes.set()
        self._closed = False
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what is done to connections ---------------------------------------------------------------------------------

    def cut(self) -> int:
        """End all connections by a reset; returns how many there were."""
        with self._lock:
            links = list(self._open)
            self._open.clear()
        for link in links:
            link.reset()
        return len(links)

    def refuse(self) -> None:
        """End all connections and refuse new ones."""
        self._deafen()
        self.cut()

    def stall(self) -> None:
        """A black hole: what is sent from now on gets no answer, not even an end."""
        self._passes.clear()

    def mend(self) -> None:
        """Everything passes again; what was stalled goes on where it was."""
        self._passes.set()
        self._answers_to_drop = self._requests_to_drop = 0
        self._cut_at = [0, 0]
        if self._listener is None:
            self._listen()

    def drop_commits(self, times: int = 1) -> None:
        """The next commits are made, and their clients never hear of it."""
        self._answers_to_drop = times

    def drop_requests(self, times: int = 1) -> None:
        """The next commits are sent, and never arrive."""
        self._requests_to_drop = times

    def cut_at(self, number: int, *, answers: bool) -> None:
        """Count messages from now on, and end a connection instead of passing this one: of clients, or `answers`."""
        with self._lock:
            self.passed = [0, 0]
            self._cut_at = [0, number] if answers else [number, 0]

    def send_to(self, target: int) -> None:
        """New connections go to another server, as by an address that moves; those that are open end."""
        self.target = target
        self.cut()

    def close(self) -> None:
        """End everything. It can't be used afterwards."""
        self._closed = True
        self._passes.set()
        self._deafen()
        self.cut()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._open)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the thread that waits for a connection.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.taken += 1
            link = Link(self, client)
            with self._lock:
                self._open.add(link)
            threading.Thread(target=link.pass_requests, daemon=True).start()

    def wait_to_pass(self) -> None:
        """Returns when things pass; used by links."""
        self._passes.wait()

    def forget(self, link: "Link") -> None:
        """A link has ended."""
        with self._lock:
            self._open.discard(link)

    def takes_message(self, *, answered: bool) -> bool:
        """Whether this message is the one that must not pass; counts it."""
        with self._lock:
            self.passed[answered] += 1
            return self.passed[answered] == self._cut_at[answered]

    def takes_commit(self, *, answered: bool) -> bool:
        """Whether this COMMIT, or its answer, is to be dropped; counts it."""
        with self._lock:
            left = self._answers_to_drop if answered else self._requests_to_drop
            if not left:
                return False
            if answered:
                self._answers_to_drop -= 1
            else:
                self._requests_to_drop -= 1
            self.commits_dropped += 1
            return True


class Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._started = False
        # Bytes without a message around them that the server answers next.
        self._bare = 0
        # Names of prepared statements that commit.
        self._committing: set[bytes] = set()

    def pass_requests(self) -> None:
        """Connect to the server and pass on what the client sends, until either ends."""
        self._proxy.wait_to_pass()
        try:
            self._server = socket.create_connection(("127.0.0.1", self._proxy.target))
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.reset()
            return
        threading.Thread(target=self._pass_answers, daemon=True).start()
        self._pump(self._client, self._server, self._requests)

    def reset(self) -> None:
        """End both connections; the client's by a reset, as by a network that has lost it."""
        self._proxy.forget(self)
        for end in (self._client, self._server):
            if end is None:
                continue
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # Wakes the thread that reads from it.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()

    def _pass_answers(self) -> None:
        assert self._server is not None
        self._pump(self._server, self._client, self._answers)

    def _pump(
        self, source: socket.socket, target: socket.socket, whole: Callable[[bytes], tuple[bytes, bytes, bool]]
    ) -> None:
        """Pass on whole messages. `whole` splits what has come: what to pass on, the rest, and whether it ends there."""
        rest = b""
        try:
            while data := source.recv(65536):
                self._proxy.wait_to_pass()
                passed, rest, is_over = whole(rest + data)
                if source is self._server and self._proxy.delay:
                    time.sleep(self._proxy.delay)
                if passed:
                    target.sendall(passed)
                if is_over:
                    break
        except OSError:
            pass
        self.reset()

    def _requests(self, data: bytes) -> tuple[bytes, bytes, bool]:
        at = 0
        while (end := self._end_of(data, at, typed=self._started)) is not None:
            if self._started:
                if self._is_taken(data[at:end]):
                    return data[:at], b"", True
            elif LENGTH.unpack_from(data, at + 4)[0] in ASKS_ENCRYPTION:
                self._bare += 1
            else:
                self._started = True
            at = end
        return data[:at], data[at:], False

    def _is_taken(self, message: bytes) -> bool:
        """Whether a message of the client must not arrive."""
        kind, body = message[:1], message[5:]
        commits = kind == b"Q" and is_commit(body)
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            self._committing.discard(name)
            if is_commit(rest):
                self._committing.add(name)
        elif kind == b"B":
            commits = body.split(b"\0", 2)[1] in self._committing
        return self._proxy.takes_message(answered=False) or (commits and self._proxy.takes_commit(answered=False))

    def _answers(self, data: bytes) -> tuple[bytes, bytes, bool]:
        at = min(self._bare, len(data))
        self._bare -= at
        while (end := self._end_of(data, at, typed=True)) is not None:
            commits = data[at : at + 1] == b"C" and data[at + 5 : end] == b"COMMIT\0"
            if self._proxy.takes_message(answered=True) or (commits and self._proxy.takes_commit(answered=True)):
                return data[:at], b"", True
            at = end
        return data[:at], data[at:], False

    @staticmethod
    def _end_of(data: bytes, at: int, *, typed: bool) -> int | None:
        """Where the message that begins here ends; None if not all of it has come."""
        head = at + (1 if typed else 0)
        if len(data) < head + 4:
            return None
        end = head + int(LENGTH.unpack_from(data, head)[0])
        return end if end <= len(data) else None


def is_commit(text: bytes) -> bool:
    """Whether the last of these statements ends a transaction well."""
    return text.rstrip(b"\0; \n").lower().rpartition(b";")[2].strip() in (b"commit", b"end")
