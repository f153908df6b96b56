"""What `make` writes: no commands, and at the end of an installation the next step."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import HANG

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def made(folder: Path, *words: str) -> str:
    """What `make` writes in a folder whose environment is there already."""
    (folder / "Makefile").write_text(MAKEFILE.read_text(encoding="utf-8"), encoding="utf-8")
    for name in ("requirements/all.txt", "deploy/link.py", ".venv/bin/python", ".venv/.all"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    # As a person's shell calls it, also if these tests were started by make.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["make", *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=HANG, check=True
    )
    return done.stdout + done.stderr


def test_an_installation_ends_with_the_next_step(tmp_path: Path) -> None:
    assert made(tmp_path, "install") == "PlexSync is installed. Next: .venv/bin/plexsync init\n"


def test_no_target_shows_its_commands_unless_asked(tmp_path: Path) -> None:
    assert made(tmp_path, "clean") == ""
    assert "rm -rf .venv" in made(tmp_path, "clean", "V=1")


def test_what_is_fetched_is_announced_first(tmp_path: Path) -> None:
    made(tmp_path, "install")
    (tmp_path / ".venv/.all").unlink()
    shown = made(tmp_path, "--dry-run", "install", "--always-make")
    assert shown.index("Fetching the packages of requirements/all.txt") < shown.index("pip")


def test_help_lists_every_target(tmp_path: Path) -> None:
    shown = made(tmp_path, "help")
    assert "install\twhat it takes to use PlexSync" in shown
