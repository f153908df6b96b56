"""The wall: the collections of Plex as a person sees them there, now and before PlexSync worked."""

import html
import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import expect

from plexsync.app.wall_before import keep_wall
from plexsync.rules.wall import WALL_PAGE
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.journey.world import TOKEN, World
from tests.patience import until
from tests.web.conftest import Dash, Look, dashboard
from tests.web.crawl import Crawl
from tests.web.stage import HOSTILE
from tests.web.test_browser import opens_well
from tests.web.test_pages import plain

RED, GREEN, BLUE = png(200, 0, 0), png(0, 200, 0), png(0, 0, 200)


def movie(world: World, title: str, *collections: str) -> str:
    path = f"/media/scenes/{title[:40].replace('/', ' ')}.mp4"
    return world.plex.add_movie(world.section, files=[(path, 7, 60_000)], title=title, collection=list(collections))


def shown(dash: Dash, path: str) -> str:
    return plain(html.unescape(dash.get(path).text))


def keys(world: World) -> dict[str, str]:
    return world.plex.collection_keys(world.section)


def pictures_in(dash: Dash, path: str, kind: str = "") -> list[str]:
    return re.findall(rf'<img{kind} src="(/pictures/wall/[^"]+)"', dash.get(path).text)


@pytest.fixture
def hung(world: World) -> World:
    """Two collections, of which the first has all that a collection can have and is sorted last."""
    first = movie(world, "Winter Road", "Northlight", "Blue Door")
    world.plex.hand_edit(first, thumb=RED)
    movie(world, "Low Tide", "Northlight")
    northlight = keys(world)["Northlight"]
    world.plex.hand_edit(northlight, summary="Films from\nthe north.", titleSort="ZZ", thumb=GREEN, art=BLUE)
    return world


@pytest.fixture
def dash(hung: World) -> Iterator[Dash]:
    with dashboard(hung) as made:
        yield made


def move_to_front(world: World, collection: str, item: str) -> None:
    """As a person does it in Plex."""
    custom = f"{world.plex.url}/library/metadata/{collection}/prefs?collectionSort=2"
    move = f"{world.plex.url}/library/collections/{collection}/items/{item}/move"
    for place in (custom, move):
        httpx2.put(place, headers={"X-Plex-Token": TOKEN}, trust_env=False).raise_for_status()


def test_collections_hang_in_the_order_of_plex_with_posters_and_counts(dash: Dash, hung: World) -> None:
    hung.plex.clear_log()
    page = shown(dash, "/wall")
    assert [request.method for request in hung.plex.log] == ["GET", "GET"], "the libraries, and one listing"
    assert "2 collections in Movies Blue Door 1 item Northlight 2 items" in page
    composite, poster = pictures_in(dash, "/wall")
    assert re.fullmatch(rf"/pictures/wall/now/{keys(hung)['Blue Door']}/composite/[0-9]+", composite)
    assert dash.get(composite).headers["content-type"] == "image/png"
    assert dash.get(poster).content == GREEN
    assert "How Plex looked before PlexSync worked is kept by plexsync demo only." in page
    assert not any(secret in dash.get("/wall").text for secret in (TOKEN, hung.plex.url))


def test_the_page_of_a_collection_has_its_pictures_its_summary_and_its_items_in_order(dash: Dash, hung: World) -> None:
    key = keys(hung)["Northlight"]
    move_to_front(hung, key, hung.plex.collections(hung.section)["Northlight"][1])
    hung.plex.clear_log()
    page = shown(dash, f"/wall/{key}")
    assert len(hung.plex.log) == 2
    assert "2 items Films from the north." in page
    assert "Items, in Plex’s order Low Tide Winter Road" in page
    (backdrop,) = pictures_in(dash, f"/wall/{key}", ' class="backdrop"')
    poster, low_tide, winter_road = pictures_in(dash, f"/wall/{key}")
    assert [dash.get(place).content for place in (backdrop, poster, winter_road)] == [BLUE, GREEN, RED]
    assert "no picture" in dash.get(low_tide).text, "Plex has made a frame that is empty"


def test_a_smart_collection_says_that_plex_fills_it(dash: Dash, hung: World) -> None:
    key = hung.plex.add_smart_collection(hung.section, "A smart one", hung.plex.keys(hung.section))
    assert "A smart one 2 items, smart" in shown(dash, "/wall")
    assert "smart: Plex chooses them by a filter, and PlexSync leaves it alone It has no summary." in shown(
        dash, f"/wall/{key}"
    )


def test_only_collections_and_pictures_of_plex_have_a_page(dash: Dash, hung: World) -> None:
    movie_key = hung.plex.keys(hung.section)[0]
    pictures = ("now/1/cover/2", "now/x/thumb/2", "now/1/thumb/x", "later/1/thumb/2", "before/1/thumb/2")
    for path in (f"/wall/{movie_key}", "/wall/99999", "/wall/x", *(f"/pictures/wall/{place}" for place in pictures)):
        assert dash.get(path).status_code == 404, path
    assert "no picture" in dash.get(f"/pictures/wall/now/{movie_key}/thumb/1").text


def test_a_plex_that_is_down_is_told_on_the_page(dash: Dash, hung: World) -> None:
    key = keys(hung)["Northlight"]
    hung.plex.faults.set(Fault("status", status=503))
    for path in ("/wall", f"/wall/{key}"):
        answer = dash.get(path)
        assert answer.status_code == 200
        assert "Plex can’t be read now: Plex at" in plain(html.unescape(answer.text))
    hung.plex.faults.clear()
    assert "2 collections" in shown(dash, "/wall")


def test_more_than_a_page_is_shown_page_by_page(dash: Dash, hung: World) -> None:
    for number in range(WALL_PAGE):
        movie(hung, f"Film {number}", f"Shelf {number:03}", "Northlight")
    first, second = shown(dash, "/wall"), shown(dash, "/wall?page=2")
    assert "62 collections in Movies Blue Door" in first
    assert "Page 1 of 2 Next page" in first
    assert "Northlight" not in first
    assert "Shelf 059 1 item Northlight 62 items Previous page Page 2 of 2" in second
    assert "No collection further on." in shown(dash, "/wall?page=9")
    assert "Page 1 of 2" in shown(dash, "/wall?page=-1")
    of_one = f"/wall/{keys(hung)['Northlight']}"
    assert "Film 57 Page 1 of 2" in shown(dash, of_one)
    assert "Items, in Plex’s order Film 58 Film 59 Previous page" in shown(dash, f"{of_one}?page=2")


def test_each_library_has_its_own_wall(dash: Dash, hung: World) -> None:
    other = hung.plex.add_section("Clips", locations=("/media/clips",))
    hung.plex.add_movie(other, files=[("/media/clips/a.mp4", 1, 1000)], title="A", collection=["Elsewhere"])
    assert "Elsewhere" not in shown(dash, "/wall")
    assert "1 collection in Clips Elsewhere 1 item" in shown(dash, f"/wall?library={other}")
    assert "1 collection in Clips" not in shown(dash, "/wall?library=nonsense")


def test_what_was_kept_is_shown_beside_what_is_now(hung: World) -> None:
    with dashboard(hung) as dash:
        keep_wall(dash.parts.plex, dash.parts.folder)
        northlight, blue_door = keys(hung)["Northlight"], keys(hung)["Blue Door"]
        for key in hung.plex.keys(hung.section):
            hung.plex.hand_edit(key, collection=["Northlight", "New"], thumb=GREEN)
        hung.plex.hand_edit(northlight, summary="Better words.", thumb=RED)
        now, before = shown(dash, "/wall"), shown(dash, "/wall?when=before")
        assert "2 collections in Movies New 2 items Northlight 2 items" in now
        assert "kept by plexsync demo only" not in now
        assert "2 collections in Movies before PlexSync worked Blue Door 1 item Northlight 2 items" in before
        assert "Better words." in shown(dash, f"/wall/{northlight}")
        path = f"/wall/{northlight}?when=before"
        assert "Films from the north." in shown(dash, path)
        (backdrop,) = pictures_in(dash, path, ' class="backdrop"')
        poster, winter_road, low_tide = pictures_in(dash, path)
        assert [dash.get(place).content for place in (backdrop, poster, winter_road)] == [BLUE, GREEN, RED]
        assert "no picture" in dash.get(low_tide).text
        assert dash.get(pictures_in(dash, f"/wall/{northlight}")[0]).content == RED
        gone = f"/wall/{blue_door}"
        assert "1 item" in shown(dash, f"{gone}?when=before")
        assert "Plex does not have this collection any more." in shown(dash, gone)
        new = keys(hung)["New"]
        assert "This collection was not in Plex before PlexSync worked" in shown(dash, f"/wall/{new}?when=before")
        hung.plex.faults.set(Fault("refuse"))
        assert "Films from the north." in shown(dash, path)


def test_names_of_plex_are_text_on_the_page(dash: Dash, hung: World) -> None:
    for title in HOSTILE:
        movie(hung, title, title[:200])
    for key in keys(hung).values():
        hung.plex.hand_edit(key, summary=HOSTILE[0])
    crawl = Crawl(dash, frozenset())
    crawl.links("/wall")
    assert crawl.bad == []
    assert any("/wall/" in url for url in crawl.seen)
    for url in crawl.seen:
        assert "<script>document" not in dash.client.get(url).text


def test_the_wall_opens_well_in_a_browser(hung: World, look: Look) -> None:
    with dashboard(hung) as dash:
        keep_wall(dash.parts.plex, dash.parts.folder)
        window = look()
        for path in ("/wall", f"/wall/{keys(hung)['Northlight']}", "/wall?when=before"):
            opens_well(window, dash, path, "wall")
        page = window.page
        page.goto(f"{dash.url}/wall")
        page.get_by_role("link", name="Northlight").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Northlight")
        until(lambda: page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)"))
