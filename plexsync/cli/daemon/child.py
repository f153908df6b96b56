"""Starts a PlexSync module as a process: with the same Python, and without imports from the current folder."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def command_of(module: str, *words: str) -> list[str]:
    """The command line that runs a module of PlexSync."""
    return [sys.executable, "-P", "-m", module, *words]


def environ() -> dict[str, str]:
    """The environment without PlexSync settings; the process gets those in another way.

    In a clone without an installation, `python -m plexsync` finds the package only in the current folder: the
    environment names that folder for the process.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    if not sys.flags.safe_path and sys.path[:1] == [str(ROOT)]:
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept
