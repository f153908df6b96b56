"""Starting a module of ours as a process of its own: the same Python, and nothing of the current folder is imported."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def command_of(module: str, *words: str) -> list[str]:
    """The command line that runs a module of ours."""
    return [sys.executable, "-P", "-m", module, *words]


def environ() -> dict[str, str]:
    """Our environment without settings of PlexSync, which the process is given in another way.

    In a clone without an installation, `python -m plexsync` finds the package in the current folder, and that alone: the
    process is told of this folder.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    if not sys.flags.safe_path and sys.path[:1] == [str(ROOT)]:
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept
