"""Starts a PlexSync module as a process: with the same Python, and without imports from the current folder."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def command_of(module: str, *words: str) -> list[str]:
    """The command line that runs a module of PlexSync."""
    return [sys.executable, "-P", "-m", module, *words]


def start(
    module: str, *words: str, env: Mapping[str, str], stdout: int = subprocess.DEVNULL, inherits: Iterable[int] = ()
) -> "subprocess.Popen[str]":
    """Start a module of PlexSync, whose standard input and error are pipes of text. Raises OSError.

    It inherits these handles; on Windows they are handed over in another way.
    """
    return subprocess.Popen(  # noqa: S603 - the arguments are PlexSync's own
        command_of(module, *words),
        env=env,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        pass_fds=() if os.name == "nt" else tuple(inherits),
    )


def environ() -> dict[str, str]:
    """The environment without PlexSync settings; the process gets those in another way.

    In a clone without an installation, `python -m plexsync` finds the package only in the current folder: the
    environment names that folder for the process.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    if not sys.flags.safe_path and sys.path[:1] == [str(ROOT)]:
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept
