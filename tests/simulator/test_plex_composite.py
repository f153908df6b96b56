"""The poster that the simulated Plex makes for a collection without one."""

import io
import sys

import httpx2
import pytest
from PIL import Image

from plexsync.simulator.plex_composite import composite
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png

RED, GREEN = png(200, 0, 0), png(0, 200, 0)


def test_a_collection_shows_the_posters_of_its_first_members_in_quarters() -> None:
    with PlexSim(token="t") as sim:
        section = sim.add_section("Movies")
        for number, poster in enumerate((RED, b"no picture", GREEN)):
            key = sim.add_movie(section, [(f"/media/{number}.mp4", 1, 1)], title=str(number), collection=["Shelf"])
            sim.hand_edit(key, thumb=poster)
        place = (
            f"{sim.url}/library/collections/{sim.collection_keys(section)['Shelf']}/composite/1?width=400&height=600"
        )
        answer = httpx2.get(place, headers={"X-Plex-Token": "t"}, trust_env=False)
    drawn = Image.open(io.BytesIO(answer.content))
    assert drawn.size == (400, 600)
    assert [drawn.getpixel(at) for at in ((50, 50), (50, 450))] == [(200, 0, 0), (0, 200, 0)]
    assert drawn.getpixel((250, 50)) == drawn.getpixel((250, 450)) not in [(200, 0, 0), (0, 200, 0)]


def test_without_the_package_that_draws_it_has_one_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert composite([RED]).startswith(b"\x89PNG")
    assert composite([RED]) != composite([GREEN])
