"""The listening socket of the dashboard: bound by this process, and handed to each process that serves it in turn.

So nobody is refused while one process follows another: who comes meanwhile waits for the next one.
"""

import base64
import os
import socket
import sys

from validation import values

# Bytes that the system keeps of an answer: of a client that does not read, no more than this is out of sight.
SEND_BUFFER = 64 * 1024


def listening(host: str, port: int) -> socket.socket:
    """Open an exclusive listening socket at this address; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every connection inherits it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class Listening:
    """The socket, bound once for as long as `web_bind` stays the same."""

    def __init__(self) -> None:
        self._bind = ""
        self._socket: socket.socket | None = None

    def at(self, bind: str) -> socket.socket:
        """The socket at this place, bound if it is not yet; raises OSError."""
        if self._socket is None or bind != self._bind:
            self.close()
            place = values.host_and_port(bind)
            assert place is not None  # noqa: S101 - without a place there is no dashboard
            self._bind, self._socket = bind, listening(*place)
        return self._socket

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def handed(at: socket.socket, pid: int) -> str:
    """The socket in the words by which the process `pid`, which has inherited it, takes it."""
    if sys.platform == "win32":
        return base64.b64encode(at.share(pid)).decode()
    return str(at.fileno())
