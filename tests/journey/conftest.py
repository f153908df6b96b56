from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.journey.world import KEY, TOKEN, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, World(stash, plex, folder) as made:
        made.section = plex.add_section("Movies", locations=("/media/scenes",))
        yield made
