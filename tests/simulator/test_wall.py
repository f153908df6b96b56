"""The wall of the demo: the collections of the simulated Plex as people see them, now and as they were."""

import html
import io
import re
from collections.abc import Iterator

import httpx2
import pytest
from PIL import Image

from plexsync.plex.imaging import PillowImaging
from plexsync.rules.merge.pictures import LARGEST, Treatment
from plexsync.simulator.drawings import SQUARE, TALL, WIDE, drawn
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.wall import Wall
from tests.patience import HANG
from tests.web.stage import HOSTILE

RED, GREEN, BLUE = png(200, 0, 0), png(0, 200, 0), png(0, 0, 200)


class Hung:
    """A Plex with two collections, of which the first has all that a collection can have and is sorted last."""

    def __init__(self, plex: PlexSim, wall: Wall, client: httpx2.Client) -> None:
        self.plex, self.wall, self.client = plex, wall, client
        self.section = plex.add_section("Movies")
        plex.hand_edit(self.movie("Winter Road", "Northlight", "Blue Door"), thumb=RED)
        self.movie("Low Tide", "Northlight")
        self.northlight = plex.collection_keys(self.section)["Northlight"]
        plex.hand_edit(self.northlight, summary="Films from the north.", titleSort="ZZ", thumb=GREEN, art=BLUE)

    def movie(self, title: str, *collections: str) -> str:
        return self.plex.add_movie(
            self.section, files=[("/media/a.mp4", 1, 1000)], title=title, collection=[*collections]
        )

    def page(self, path: str) -> str:
        text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", self.client.get(path).text, flags=re.DOTALL)
        return " ".join(html.unescape(text).split())

    def pictures(self, path: str) -> list[bytes]:
        names = re.findall(r'<img class="[^"]*" src="([^"]+)"', self.client.get(path).text)
        return [self.client.get(f"{path.rpartition('/')[0]}/{name}").content for name in names]


@pytest.fixture
def hung() -> Iterator[Hung]:
    with PlexSim() as plex, Wall(plex) as wall:
        with httpx2.Client(base_url=wall.url, trust_env=False, timeout=HANG, follow_redirects=True) as client:
            yield Hung(plex, wall, client)


def test_collections_hang_in_the_order_of_plex_with_posters_and_counts(hung: Hung) -> None:
    hung.plex.add_smart_collection(hung.section, "A smart one", hung.plex.keys(hung.section))
    assert "Movies A smart one 2 items, smart Blue Door 1 item Northlight 2 items" in hung.page("/wall")
    assert hung.pictures("/now/all")[-1] == GREEN
    assert hung.plex.log == [], "Plex is not asked over its network"


def test_the_page_of_a_collection_has_its_pictures_its_summary_and_its_items_in_order(hung: Hung) -> None:
    page = f"/now/{hung.northlight}"
    assert "2 items Films from the north. Items, in Plex’s order Winter Road Low Tide" in hung.page(page)
    assert hung.pictures(page)[:3] == [BLUE, GREEN, RED]


def test_what_was_kept_is_shown_beside_what_is_now(hung: Hung) -> None:
    hung.wall.keep()
    for key in hung.plex.keys(hung.section):
        hung.plex.hand_edit(key, collection=["Northlight", "New", "Newer"], thumb=GREEN)
    hung.plex.hand_edit(hung.northlight, summary="Better words.", thumb=RED)
    hung.plex.faults.set(Fault("refuse"))

    assert hung.wall.counts() == {"before": 2, "now": 3}
    assert "New 2 items Newer 2 items Northlight 2 items" in hung.page("/now/all")
    assert "Blue Door 1 item Northlight 2 items" in hung.page("/before/all")
    now, before = f"/now/{hung.northlight}", f"/before/{hung.northlight}"
    assert ("Better words." in hung.page(now), "Films from the north." in hung.page(before)) == (True, True)
    assert (hung.pictures(now)[1:3], hung.pictures(before)[1:3]) == ([RED, GREEN], [GREEN, RED])
    assert 'aria-current="page" href="../before/' in hung.client.get(before).text


def test_what_is_not_there_says_so(hung: Hung) -> None:
    hung.wall.keep()
    new = hung.plex.keys(hung.section)[0]
    for path, words in (
        ("/now/99999", "is not in Plex any more"),
        (f"/now/{new}", "is not in Plex any more"),
        (f"/before/{new}", "was not in Plex before PlexSync worked"),
        ("/now/x", "is not in Plex any more"),
    ):
        assert hung.client.get(path).status_code == 404, path
        assert words in hung.page(path)


@pytest.mark.parametrize("title", HOSTILE)
def test_names_of_plex_are_text_on_the_page(hung: Hung, title: str) -> None:
    hung.plex.hand_edit(hung.movie(title, title[:200]), summary=title)
    hung.plex.hand_edit(hung.northlight, summary=title)
    key = max(hung.plex.collection_keys(hung.section).values(), key=int)
    for path in ("/now/all", f"/now/{key}", f"/now/{hung.northlight}"):
        assert "<script>document" not in hung.client.get(path).text


def test_covers_hang_in_every_shape_side_by_side() -> None:
    imaging = PillowImaging()

    def shape_poster(content: bytes, shape: str, anchor: str) -> bytes:
        return imaging.make(content, Treatment(shape, "", anchor), largest=LARGEST)

    with PlexSim() as plex, Wall(plex, shaper=shape_poster) as wall:
        with httpx2.Client(base_url=wall.url, trust_env=False, timeout=HANG, follow_redirects=True) as client:
            wall.keep()
            names = re.findall(r'<img src="([^"]+)"', client.get("/wall").text)
            words = [name.split("-")[2] for name in names]
            assert list(dict.fromkeys(words)) == ["as_is", "bars", "crop", "blur"]
            pictures = [
                client.get(f"/now/{name}") for name in re.findall(r'<img src="([^"]+)"', client.get("/now/shapes").text)
            ]
            assert len(pictures) == 6 + 6 + 5
            sizes = [Image.open(io.BytesIO(picture.content)).size for picture in pictures]
            assert sizes[0] == (480, 270)
            assert all(abs(width * 3 - height * 2) <= 3 for width, height in sizes[1 : len(names)])
            assert "<img src=" not in client.get("/before/all").text


def test_drawn_pictures_are_the_same_each_time_and_differ_by_name() -> None:
    for size in (WIDE, TALL, SQUARE):
        pictures = [drawn(name, size) for name in ("a", "b", "a")]
        assert pictures[0] == pictures[2] != pictures[1]
        assert Image.open(io.BytesIO(pictures[0])).size == size
        assert len(Image.open(io.BytesIO(pictures[0])).convert("RGB").getcolors(1000)) > 30
