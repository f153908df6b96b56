"""Stash with the plugin in it, beside a Plex: everything a real process, the program on the packages of this environment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash_plugin import dependencies, launcher
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
        # The program is that of the repository; what it writes into the folder of the plugin stays with the test.
        made.runner.command = tuple(word.replace("{pluginDir}", str(ROOT)) for word in made.runner.command)
        made.runner.plugin_dir = str(tmp_path / "plugin")
        (tmp_path / "plugin").mkdir()
        (tmp_path / "plugin" / "plexsync").symlink_to(ROOT / "plexsync")
        yield made
        intake.switch(str(made.folder), intake.OFF)
        # No worker is left behind.
        until(lambda: not is_locked(made.folder))


@pytest.fixture
def inside(bare: Trial, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """With its packages: those of this environment, so its private folder holds none. Compiled files are shared."""
    compiled = tmp_path_factory.getbasetemp() / "compiled"
    compiled.mkdir(exist_ok=True)
    place = Path(dependencies.place(str(bare.folder)))
    place.mkdir(parents=True)
    (place / launcher.CACHE).symlink_to(compiled)
    return bare


def online() -> bool:
    """Whether the package index answers."""
    command = [sys.executable, "-m", "pip", "index", "versions", "mdurl"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
