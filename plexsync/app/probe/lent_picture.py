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


class PictureServer(ThreadingTCPServer):
    """Serves one picture at `path`. A client that never ends keeps nothing waiting."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, content: bytes) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.content = content
        self.path = f"/{secrets.token_urlsafe(16)}.png"
        super().__init__((host, 0), PictureHandler)
        literal = f"[{host}]" if ":" in host else host
        self.address = f"http://{literal}:{self.server_address[1]}{self.path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away early is no fault."""


class PictureHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = PATIENCE
    server_version, sys_version = "PlexSync", ""
    server: PictureServer

    def do_GET(self) -> None:
        """Send the picture, or 404 for any other path."""
        if self.path != self.server.path:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the answer of the probe is the record."""


@contextmanager
def lent_picture(host: str, port: int, content: bytes) -> Iterator[str]:
    """Serve a picture while the `with` lasts, at this machine's private address towards a host. Yields '' if it has none."""
    try:
        server = PictureServer(_own_address(host, port), content)
    except (OSError, ValueError):
        yield ""
        return
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(PACE,), name="lent picture", daemon=True)
        thread.start()
        try:
            yield server.address if is_private(server.address) else ""
        finally:
            server.shutdown()
            thread.join()


def _own_address(host: str, port: int) -> str:
    """The address of this machine towards a host. Sends nothing. Raises OSError if there is no way."""
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as way:
        way.connect(place)
        own = str(way.getsockname()[0])
    if "%" in own:
        raise ValueError("an address of one link has no meaning elsewhere")
    return own
