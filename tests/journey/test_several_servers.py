"""Two Plex servers and one Stash: real `serve` processes, each server with its own database, breaker and books."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from tests.journey.world import TOKEN, World, until

OTHER_TOKEN = "journey-other-token-0123456789"
ENTRIES = """
[[plex]]
name = "living"
plex_url = "{first}"

[[plex]]
name = "attic"
plex_url = "{second}"
plex_token = "{token}"
{more}
"""


class Town(World):
    """A world with a second Plex, "attic"; `world.plex` is the first, "living". Its entries are in plexsync.toml."""

    attic: PlexSim
    attic_section: str

    @property
    def file(self) -> Path:
        return self.folder.parent / "plexsync.toml"

    def entries(self, more: str = "") -> None:
        """Write plexsync.toml with both entries; `more` stands in that of the attic."""
        text = ENTRIES.format(first=self.plex.url, second=self.attic.url, token=OTHER_TOKEN, more=more)
        fresh = self.file.with_name("new.toml")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self.file)

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "PLEXSYNC_CONFIG": str(self.file)}

    def of_attic(self) -> World:
        """The same Stash with the attic as its Plex, to look at."""
        return World(self.stash, self.attic, self.folder / "plex-attic", section=self.attic_section)

    def add_everywhere(self, count: int, *, start: int = 0) -> list[int]:
        """Scenes whose files both servers have."""
        ids = self.add(count, start=start)
        for n in range(start, start + count):
            path = f"/media/scenes/scene {n:05}.mp4"
            self.attic.add_movie(self.attic_section, files=[(path, 1_000_000 + n, 60_000)], title=f"scene {n:05}")
        return ids


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    from plexsync.simulator.stash_server import StashSim
    from tests.journey.world import KEY

    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with (
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as plex,
        PlexSim(token=OTHER_TOKEN) as attic,
        Town(stash, plex, folder, unset=("plex_url",)) as made,
    ):
        made.section = plex.add_section("Movies", locations=("/media/scenes",))
        made.attic = attic
        made.attic_section = attic.add_section("Films", locations=("/media/scenes",))
        made.entries()
        yield made


def titles(plex: PlexSim, section: str) -> set[str]:
    return {str(plex.item(key).scalars["title"]) for key in plex.keys(section)}


def test_scenes_are_in_both(town: Town) -> None:
    ids = town.add_everywhere(6)
    with town.serving():
        until(lambda: set(titles(town.plex, town.section)) == {f"Title {n}" for n in range(6)})
        until(lambda: set(titles(town.attic, town.attic_section)) == {f"Title {n}" for n in range(6)})
        town.stash.edit_scene(ids[0], title="Edited")
        until(lambda: "Edited" in titles(town.plex, town.section))
        until(lambda: "Edited" in titles(town.attic, town.attic_section))
