"""Receives a server's events over a WebSocket.

The rules of `plexsync.http.client` apply: secrets travel in headers only, redirects are never followed, certificates
are always verified, the environment is ignored, every message has a size limit, and errors are `NeighbourError`. A
silent server gets a ping now and then, so that a dead connection is noticed. What a server sent is in no error.
"""

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from plexsync.http.address import address, trusting
from plexsync.http.client import check_headers
from plexsync.http.connections import Timeouts
from plexsync.rules.servers.errors import NeighbourError, Unavailable
from plexsync.rules.servers.http_answers import Server, judge, unreachable

LONGEST_MESSAGE = 1_000_000
CHUNK = 64_000
# Seconds between two checks of the stop signal, also while there was no message for SILENCE; seconds of silence before a
# ping, and again before giving up.
LOOK, SELDOM = 0.5, 1.0
SILENCE = 20.0
LOST = 60.0

# The library logs headers, and one of them holds the token.
logging.getLogger("websockets.client").setLevel(logging.CRITICAL)


class EventSocket:
    """The event stream of one server at `target`.

    `headers` go with the request, `longest` is the size limit of a message, and `protocol` the sub-protocol to speak. See
    `plexsync.http.client.Wire` for the rest.
    """

    def __init__(
        self,
        server: Server,
        url: str,
        target: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        ca_file: str = "",
        longest: int = LONGEST_MESSAGE,
        protocol: str = "",
    ) -> None:
        self._longest = longest
        self._protocols = [Subprotocol(protocol)] if protocol else None
        base = address(url, server.url_setting)
        check_headers(headers, server.key_setting)
        self.server = Server(
            server.neighbour, f"{server.name} at {base.shown_place}", server.url_setting, server.key_setting
        )
        secure = base.scheme == "https"
        self._host, self._port = base.host, base.port
        self._uri = WebSocketURI(secure, self._host, self._port, base.path + target, "", None, None)
        self._headers = headers
        self._timeouts = timeouts
        self._tls = trusting(ca_file) if secure else None

    def messages(
        self,
        stopping: Callable[[], bool],
        *,
        opening: bytes = b"",
        reply: Callable[[bytes], bytes] = lambda _message: b"",
    ) -> Iterator[bytes]:
        """Yield every message as it arrives, and '' at least once a second, until `stopping` returns True.

        `opening` is sent first, and `reply` returns the response to a message; '' sends nothing. Raises NeighbourError if
        the connection can't be opened, or fails.
        """
        line = self._connect()
        try:
            protocol = ClientProtocol(self._uri, max_size=self._longest, subprotocols=self._protocols)
            for message in self._heard(line, protocol, stopping):
                if opening and protocol.state is State.OPEN:
                    protocol.send_text(opening)
                    opening = b""
                if answer := reply(message) if message else b"":
                    protocol.send_text(answer)
                self._send(line, protocol)
                yield message
        except NeighbourError:
            raise
        except OSError:
            raise Unavailable(self.server.neighbour, f"{self.server.name} dropped the connection") from None
        finally:
            line.close()

    def _connect(self) -> socket.socket:
        try:
            line = socket.create_connection((self._host, self._port), timeout=self._timeouts.connect)
        except (OSError, UnicodeError) as error:
            raise unreachable(self.server, error) from None
        if self._tls is None:
            return line
        try:
            return self._tls.wrap_socket(line, server_hostname=self._host)
        except (OSError, ssl.SSLError) as error:
            line.close()
            raise unreachable(self.server, error) from None

    def _heard(self, line: socket.socket, protocol: ClientProtocol, stopping: Callable[[], bool]) -> Iterator[bytes]:
        request = protocol.connect()
        for name, value in {"User-Agent": "PlexSync", **self._headers}.items():
            request.headers[name] = value
        protocol.send_request(request)
        self._send(line, protocol)
        heard = asked = spoken = time.monotonic()
        pieces: list[bytes] = []
        while not stopping():
            now = time.monotonic()
            line.settimeout(LOOK if now - spoken < SILENCE else SELDOM)
            try:
                data = line.recv(CHUNK)
            except TimeoutError:
                opening = protocol.state is State.CONNECTING
                if now - heard > (self._timeouts.read if opening else LOST):
                    raise Unavailable(self.server.neighbour, f"{self.server.name} does not answer any more") from None
                if not opening and now - max(heard, asked) > SILENCE:
                    asked = now
                    protocol.send_ping(b"")
                    self._send(line, protocol)
                yield b""
                continue
            heard = now
            if not data:
                raise Unavailable(self.server.neighbour, f"{self.server.name} has hung up")
            protocol.receive_data(data)
            self._send(line, protocol)
            self._check(protocol)
            for message in self._messages(protocol, pieces):
                spoken = now
                yield message
            yield b""

    def _messages(self, protocol: ClientProtocol, pieces: list[bytes]) -> Iterator[bytes]:
        """Yield the messages that are complete; the beginning of an incomplete one stays in `pieces`."""
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                pieces.append(bytes(event.data))
                if event.fin:
                    yield b"".join(pieces)
                    pieces.clear()

    def _check(self, protocol: ClientProtocol) -> None:
        """Raise the error if the connection failed."""
        refused = protocol.handshake_exc
        if isinstance(refused, InvalidStatus):
            raise judge(refused.response.status_code, self.server) or self._foreign()
        if isinstance(protocol.parser_exc, PayloadTooBig):
            raise Unavailable(self.server.neighbour, f"{self.server.name} sent more at once than PlexSync reads")
        if refused is not None or protocol.parser_exc is not None:
            raise self._foreign()
        if protocol.state in (State.CLOSING, State.CLOSED):
            raise Unavailable(self.server.neighbour, f"{self.server.name} has hung up")

    def _foreign(self) -> Unavailable:
        return Unavailable(self.server.neighbour, f"{self.server.name} does not speak WebSocket here")

    @staticmethod
    def _send(line: socket.socket, protocol: ClientProtocol) -> None:
        for data in protocol.data_to_send():
            if data:
                line.sendall(data)
