"""Starts processes for the plugin: pip on a leash while the caller waits for it, and `plexsync`, detached, as the worker.

The worker is the same program as in a terminal. Its packages are in a private folder
(`plexsync.stash_plugin.dependencies`). Its settings come from Stash, the environment and `plexsync.toml`, which may be
beside the database. The hook imports this module to start the worker, so it uses little of the standard library.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from plexsync.store.files import life_signs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEASH = os.path.join(ROOT, "plexsync", "stash_plugin", "child_process.py")
SUPERVISOR = os.path.join(ROOT, "plexsync", "stash_plugin", "supervisor.py")
TOML = "plexsync.toml"
LOG = "worker.log"
# In the folder of the plugin: the manifest names it as its assets.
SERVED = "served"
CACHE = ".compiled"
LARGEST_LOG = 2_000_000
# In bytes: what is read of the lines of one start.
LONGEST_READ = 16_384
# Seconds that a program has to shut down cleanly after its leash is released.
GRACE = 8.0
DETACHED, NEW_GROUP = 0x00000008, 0x00000200  # Windows: no console, no Ctrl-C


@dataclass(frozen=True)
class Runtime:
    """Where a program runs: the folder of the database, the folder of its packages, and the connection to Stash."""

    folder: str
    packages: str
    server: Mapping[str, object]


def run(place: Runtime, *words: str, module: str, report: Callable[[str], None]) -> int:
    """Run another program to its end and return its exit code; `report` gets every line of its output.

    If this process is killed, the program shuts down cleanly.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", LEASH],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environ(place),
        cwd=place.folder,
    )

    def hear() -> None:
        with process.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                report(line.decode("utf-8", "replace").rstrip("\r\n"))

    reader = threading.Thread(target=hear, daemon=True)
    reader.start()
    try:
        process.stdin.write(_order(place, module, words, leash=True))  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        process.wait()
    except BrokenPipeError:
        pass
    finally:
        # Without its standard input the program shuts down cleanly, or is killed.
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    reader.join(GRACE)
    return process.returncode


def start_worker(
    place: Runtime, *, unwatched: bool = True, planned: tuple[str, float] = ("", 0.0)
) -> "subprocess.Popen[bytes]":
    """Start the worker, by its supervisor, as a process that outlives this one and ends by itself; raises OSError.

    `unwatched`: nobody waits for its start, so that it may wait for an API key of Stash. `planned`: by `plan_start`.
    """
    life = life_of(place.folder, place.server)
    order = _order(
        place, "plexsync", ("serve", "--as-needed"), leash=False, life=life, unwatched=unwatched, planned=planned
    )
    # Without `site`, which would take half of its memory.
    return _start_detached(place, ("-S", SUPERVISOR), order)


def start_detached(place: Runtime, *words: str) -> "subprocess.Popen[bytes]":
    """Start a command of `plexsync` as a process that outlives this one and ends by itself; raises OSError."""
    return _start_detached(place, (LEASH,), _order(place, "plexsync", words, leash=False))


def _start_detached(place: Runtime, program: tuple[str, ...], order: bytes) -> "subprocess.Popen[bytes]":
    """Start a process that shares no stream and no session with this one: otherwise Stash would wait for it, or kill it."""
    with _log(place.folder) as log:
        process = subprocess.Popen(
            [sys.executable, "-P", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=_environ(place),
            cwd=place.folder,
            creationflags=DETACHED | NEW_GROUP if os.name == "nt" else 0,
            start_new_session=os.name != "nt",
        )
    with process.stdin as line:  # type: ignore[union-attr]
        line.write(order)
    return process


def life_of(folder: str, server: Mapping[str, object]) -> dict[str, str]:
    """Return the folder for signs of life, the name of Stash's address, and the folder that Stash serves to the page."""
    above = str(server.get("Dir") or os.path.dirname(folder))
    plugin = server.get("PluginDir")
    served = os.path.join(os.path.abspath(plugin), SERVED) if isinstance(plugin, str) and plugin else ""
    return {"folder": os.path.abspath(above), "address": life_signs.address_name(server), "served": served}


def _order(place: Runtime, module: str, words: tuple[str, ...], *, leash: bool, **more: object) -> bytes:
    """Return the order for the process, as one line."""
    order = {
        "module": module,
        "words": words,
        "path": [place.packages, ROOT] if module == "plexsync" else [],
        "environ": settings_of(place.folder) if module == "plexsync" else {},
        "server": dict(place.server) if module == "plexsync" else None,
        "leash": leash,
        "folder": place.folder,
        **more,
    }
    return json.dumps(order).encode() + b"\n"


def settings_of(folder: str) -> dict[str, str]:
    """Return the environment variables that name the program's data folder and settings file."""
    beside = os.path.join(folder, TOML)
    at_hand = not os.environ.get("PLEXSYNC_CONFIG") and os.path.exists(beside)
    return {"PLEXSYNC_DATA_DIR": folder} | ({"PLEXSYNC_CONFIG": beside} if at_hand else {})


def _environ(place: Runtime) -> dict[str, str]:
    """Return Stash's environment without variables that would load other modules or change the program's output.

    Compiled files are kept with the packages, so that nothing is left in the folder of the plugin.
    """
    removed = [f"PYTHON{name}" for name in ("PATH", "HOME", "STARTUP", "WARNINGS", "OPTIMIZE", "INSPECT")]
    environ = {name: value for name, value in os.environ.items() if name not in (*removed, "COLUMNS")}
    environ |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    if place.packages:
        return {**environ, "PYTHONPYCACHEPREFIX": os.path.join(place.packages, CACHE), "PLEXSYNC_PROGRESS": "stash"}
    return {**environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def log_size(folder: str) -> int:
    """The size of the worker's log in bytes; 0 if there is none."""
    try:
        return os.path.getsize(os.path.join(folder, LOG))
    except OSError:
        return 0


def log_since(folder: str, before: int) -> list[str]:
    """The lines that were written to the worker's log behind position `before`; all of a log that was begun anew."""
    path = os.path.join(folder, LOG)
    try:
        with open(path, "rb") as file:
            file.seek(before if before <= os.path.getsize(path) else 0)
            return file.read(LONGEST_READ).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _log(folder: str) -> IO[bytes]:
    """Open the worker's log, readable only by its owner. A large log is first renamed to `.1`."""
    path = os.path.join(folder, LOG)
    with suppress(OSError):
        if os.path.getsize(path) > LARGEST_LOG:
            os.replace(path, f"{path}.1")
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600), "ab")
