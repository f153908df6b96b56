"""A process that serves HTTP for its parent, which holds its standard input (`plexsync.cli.daemon.child`).

The parent writes two lines there, the listening socket and the settings. The process ends when its standard input closes,
and so ends with its parent, however that ended. Its log goes to standard error for the parent to pass on, one level and
one message per line. The first line of its output is its address.
"""

import asyncio
import base64
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from plexsync.web.server import Quiet
from validation.redact import RedactingFilter, Redactor

FILES = 8_192


def take_socket(handed: str) -> socket.socket:
    """The listening socket that the parent process has bound."""
    if sys.platform == "win32":
        return socket.fromshare(base64.b64decode(handed))
    return socket.socket(fileno=int(handed))


def socket_address(at: socket.socket) -> str:
    """The address at which a socket listens."""
    host, port = at.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve_for_parent(serving: Quiet, at: socket.socket, end: Callable[[], None] = lambda: None) -> None:
    """Serve until standard input closes; `end` is called in the event loop before the server stops."""
    sys.stdout.write(f"{socket_address(at)}\n")
    sys.stdout.flush()

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            serving.end()
            end()

        def watch() -> None:
            with suppress(OSError, ValueError):
                sys.stdin.read()
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(stop)

        threading.Thread(target=watch, name="parent", daemon=True).start()
        await serving.serve(sockets=[at])

    asyncio.run(run())


def log_to_stderr(own: logging.Logger, redactor: Redactor) -> RedactingFilter:
    """Log warnings, and the good news of the process's `own` logger; returns what hides secrets there."""
    handler = logging.StreamHandler()
    hiding = RedactingFilter(redactor)
    handler.addFilter(hiding)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    # Its own good news, such as the end of an outage.
    own.setLevel(logging.INFO)
    # Malformed requests are not logged.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return hiding


def behave(nice: int = 0) -> None:
    """Set priority, signals and limits: the parent ends this process, and many connections may be open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if nice and hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(nice)
    if sys.platform == "win32":
        return
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_process(code: int) -> None:
    """End with this exit code, although a thread of this process may still wait for input."""
    sys.stderr.flush()
    os._exit(code)
