"""Installs the packages in a process of its own, so that no page and no event waits for it.

The order is one line of JSON on standard input: the folder of the database, and, if the worker is to start afterwards,
the connection to Stash. How far it is, and why it failed, is in a file (`plexsync.stash_plugin.dependencies`).
"""

# ruff: noqa: PTH100, PTH120, PTH123

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if __name__ == "__main__":
    # Don't import from this file's folder: its modules would shadow others of the same name.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [ROOT, *(place for place in sys.path if os.path.abspath(place) != here)]
    # Leave no compiled files in the folder of the plugin.
    sys.dont_write_bytecode = True

from plexsync.rules.servers.errors import Unusable  # noqa: E402
from plexsync.stash_plugin import dependencies, launcher  # noqa: E402
from plexsync.store import intake  # noqa: E402
from plexsync.store.files.lock import is_locked  # noqa: E402


def start_installing(folder: str, server: "Mapping[str, object] | None" = None) -> None:
    """Start an installation that outlives this process, unless one runs; returns once it runs. Raises OSError.

    `server`: the connection with which it starts the worker afterwards, if that is switched on.
    """
    if dependencies.installation(folder)["running"]:
        return
    process = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-P", os.path.abspath(__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        creationflags=launcher.DETACHED | launcher.NEW_GROUP if os.name == "nt" else 0,
        start_new_session=os.name != "nt",
    )
    with process.stdin as order:  # type: ignore[union-attr]
        order.write(json.dumps({"folder": folder, "server": dict(server) if server else None}).encode() + b"\n")
    with process.stdout as begun:  # type: ignore[union-attr]
        # Until it says so, or ends, a page that looks would find that none runs, and look no more.
        begun.readline()


def _say_begun(_part: float) -> None:
    """Tell the process that started this one, which then leaves. Later calls tell nobody."""
    with suppress(OSError, ValueError):
        sys.stdout.write("begun\n")
        sys.stdout.flush()
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def main() -> None:
    """Install by the order; start the worker if it is wanted and none runs."""
    order = json.loads(sys.stdin.readline())
    folder, server = str(order["folder"]), order["server"]
    try:
        tidy = not is_locked(folder)
        dependencies.install(folder, _say_begun, lambda _line: None, tidy=tidy)
        if server and intake.read_switch(folder) != intake.OFF and not is_locked(folder):
            launcher.start_worker(launcher.Runtime(folder, dependencies.ready(folder), server))
    except (dependencies.NotReady, Unusable, OSError) as error:
        # The page and the next task read this from the file, or meet it themselves.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
