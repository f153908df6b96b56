"""A module of ours as a process of its own, wherever PlexSync was started."""

import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.cli.daemon.child import ROOT, command_of, environ


def test_nothing_of_the_current_folder_is_imported(tmp_path: Path) -> None:
    for name in ("plexsync", "click", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')\n")
    done = subprocess.run(
        command_of("plexsync", "--version"), cwd=tmp_path, env=environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("plexsync ")


def test_a_clone_that_is_not_installed_finds_its_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for `python -m plexsync` in its folder, where the first entry of the path is that folder."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert environ()["PYTHONPATH"] == str(ROOT)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert environ()["PYTHONPATH"].split(":") == [str(ROOT), "/elsewhere"]
    monkeypatch.setattr(sys, "path", ["/some/folder", str(ROOT), *sys.path])
    assert environ()["PYTHONPATH"] == "/elsewhere"


def test_settings_are_not_handed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_PLEX_TOKEN", "secret-token")
    assert not [name for name in environ() if name.startswith("PLEXSYNC_")]
