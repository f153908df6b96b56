"""A picture that PlexSync serves itself for some seconds: shows whether Plex loads one from an address inside the house.

It listens only on the address that this machine has towards Plex, and answers only to a path that nobody can guess.
"""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from plexsync.rules.merge.traits import is_private

# Seconds until a client that sends nothing is dropped, and between two looks for the end.
PATIENCE, PACE = 5.0, 0.05


class LentServer(ThreadingTCPServer):
    """Listens at an address of this machine, `place`. A client that never ends keeps nothing waiting."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, handler: type["LentHandler"]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), handler)
        literal = f"[{host}]" if ":" in host else host
        self.place = f"http://{literal}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away early is no fault."""


class LentHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = PATIENCE
    server_version, sys_version = "PlexSync", ""

    def send(self, status: int, kind: str, content: bytes) -> None:
        """Send an answer with content of this type."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the answers of the probe are the record."""


@contextmanager
def serving(server: LentServer) -> Iterator[None]:
    """Answer while the `with` lasts."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(PACE,), name="lent server", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class PictureServer(LentServer):
    """Serves one picture at `path`."""

    def __init__(self, host: str, content: bytes) -> None:
        self.content = content
        self.path = f"/{secrets.token_urlsafe(16)}.png"
        super().__init__(host, PictureHandler)
        self.address = f"{self.place}{self.path}"


class PictureHandler(LentHandler):
    """Answers a request for the picture."""

    server: PictureServer

    def do_GET(self) -> None:
        """Send the picture, or 404 for any other path."""
        if self.path != self.server.path:
            return self.send_error(404)
        return self.send(200, "image/png", self.server.content)


@contextmanager
def lent_picture(host: str, port: int, content: bytes) -> Iterator[str]:
    """Serve a picture while the `with` lasts, at this machine's private address towards a host. Yields '' if it has none."""
    try:
        server = PictureServer(own_address(host, port), content)
    except (OSError, ValueError):
        yield ""
        return
    with serving(server):
        yield server.address if is_private(server.address) else ""


def own_address(host: str, port: int) -> str:
    """The address of this machine towards a host. Sends nothing. Raises OSError if there is no way."""
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as way:
        way.connect(place)
        own = str(way.getsockname()[0])
    if "%" in own:
        raise ValueError("an address of one link has no meaning elsewhere")
    return own
