"""The server's side of a WebSocket, as far as a server that sends events needs it."""

import base64
import hashlib
import json
import queue
import select
import socket
import struct
from collections.abc import Callable

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LOOK_SECONDS = 0.02
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Feed:
    """One subscriber's messages. `tick` is called repeatedly while it listens; `closed` when it is gone.

    `end()` closes the connection from this side, as a server that shuts down does. `protocol` is the sub-protocol that
    it speaks.
    """

    protocol = ""

    def __init__(self, tick: Callable[[], None], closed: Callable[["Feed"], None]) -> None:
        self._messages: queue.Queue[bytes] = queue.Queue()
        self._tick = tick
        self._closed = closed
        self._ended = False

    def tell(self, message: object) -> None:
        """Send a JSON document."""
        self._messages.put(json.dumps(message).encode())

    def tell_raw(self, text: bytes) -> None:
        """Send a text unchanged."""
        self._messages.put(text)

    def end(self) -> None:
        """Close the connection."""
        self._ended = True

    def heard(self, text: bytes) -> None:
        """Take a text of the subscriber; most servers ignore it."""

    def run(self, connection: socket.socket, key: str) -> None:
        """Do the handshake, then send until either side closes the connection."""
        digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n"
        )
        head += f"Sec-WebSocket-Protocol: {self.protocol}\r\n\r\n" if self.protocol else "\r\n"
        try:
            connection.sendall(head.encode())
            while not self._ended and self._hears(connection):
                self._tick()
                while not self._messages.empty():
                    connection.sendall(frame(TEXT, self._messages.get()))
        except OSError:
            return  # the subscriber had closed it first
        finally:
            self._closed(self)

    def _hears(self, connection: socket.socket) -> bool:
        """Answer a frame of the subscriber; False once it has closed the connection."""
        ready, _, _ = select.select([connection], [], [], LOOK_SECONDS)
        if not ready:
            return True
        first = _exactly(connection, 2)
        if not first:
            return False
        kind, size = first[0] & 15, first[1] & 127
        if size == 126:
            (size,) = struct.unpack("!H", _exactly(connection, 2))
        mask = _exactly(connection, 4)
        content = bytes(byte ^ mask[place % 4] for place, byte in enumerate(_exactly(connection, size)))
        if kind == TEXT:
            self.heard(content)
        if kind == PING:
            connection.sendall(frame(PONG, content))
        if kind == CLOSE:
            connection.sendall(frame(CLOSE, content))
        return kind != CLOSE


def frame(kind: int, content: bytes) -> bytes:
    """A complete frame from a server."""
    size = len(content)
    if size < 126:
        head = bytes((0x80 | kind, size))
    elif size < 65_536:
        head = bytes((0x80 | kind, 126)) + struct.pack("!H", size)
    else:
        head = bytes((0x80 | kind, 127)) + struct.pack("!Q", size)
    return head + content


def _exactly(connection: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes; fewer if the connection has ended."""
    found = b""
    while len(found) < size and (more := connection.recv(size - len(found))):
        found += more
    return found
