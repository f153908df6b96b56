"""Records how a worker inside Stash ended, for its supervisor. Standard library only."""

import os
import re
from collections.abc import Mapping

from plexsync.stash_plugin import launcher
from plexsync.stash_plugin.child_process import KEY
from plexsync.store.files import worker_ends
from plexsync.store.files.lock import is_locked, locked_at

# Lines of the log that are events, warnings, or about other lines.
NO_ERROR = re.compile(r"\S+ (DEBUG|INFO|WARNING|ERROR) |plexsync: (warning: |--verbose )")


def record(order: Mapping[str, object], code: int, log_size: int) -> None:
    """Note how the worker of this order ended, by its exit code and what it wrote behind `log_size` of its log.

    Nothing is noted while another worker has the database: this one only gave way to it.
    """
    folder = str(order["folder"])
    if code == 0:
        worker_ends.note_good_end(folder)
    elif not is_locked(folder):
        # The key and the cookie by which the worker reaches Stash.
        environ, server = order["environ"], order["server"]
        cookie = server.get("SessionCookie") if isinstance(server, dict) else None
        candidates = (
            environ.get(KEY) if isinstance(environ, dict) else None,
            cookie.get("Value") if isinstance(cookie, dict) else None,
            os.environ.get(KEY),
        )
        secrets = tuple(secret for secret in candidates if isinstance(secret, str) and secret)
        worker_ends.note_end(folder, _error(folder, code, log_size), secrets=secrets)


def _error(folder: str, code: int, log_size: int) -> str:
    if code < 0:
        return f"{worker_ends.KILLED} (signal {-code})"
    lines = [line.strip() for line in launcher.log_since(folder, log_size)]
    errors = [line.removeprefix("plexsync: ") for line in lines if line and not NO_ERROR.match(line)]
    if errors:
        return errors[-1]
    return worker_ends.HUNG if worker_ends.has_hung(folder, locked_at(folder) or 0) else f"it ended with {code}"
