"""Stash with the plugin in it, beside a Plex: everything a real process, the program on the packages of this environment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash_plugin import dependencies
from plexsync.store import intake
from plexsync.store.lock import is_locked
from release.check import TOKEN, Trial
from tests.patience import until

ROOT = Path(__file__).resolve().parents[2]
KEY = "stash-key-of-the-plugin"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Trial]:
    """As it is right after the plugin was installed: without its packages."""
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        made = Trial(ROOT, tmp_path / "stash", stash, plex)
        yield made
        intake.switch(str(made.folder), intake.OFF)
        # No worker is left behind.
        until(lambda: not is_locked(made.folder))


@pytest.fixture
def inside(bare: Trial) -> Trial:
    """With its packages: those of this environment, so its private folder holds none."""
    Path(dependencies.place(str(bare.folder))).mkdir(parents=True)
    return bare


def online() -> bool:
    """Whether the package index answers."""
    command = [sys.executable, "-m", "pip", "index", "versions", "mdurl"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
