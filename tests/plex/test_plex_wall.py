"""What the client reads of collections for people to look at."""

import httpx2
import pytest

from plexsync.plex.wall import PlexWall
from plexsync.rules.errors import Missing, Unavailable
from plexsync.rules.wall import (
    CollectionsPage,
    ItemsPage,
    Wall,
    WallCollection,
    WallItem,
    WallLibrary,
    WallPicture,
    address_of,
    picture_at,
)
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG

TOKEN = "canary-plex-token-0123456789"


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN) as running:
        running.add_section("Movies")
        yield running


@pytest.fixture
def plex(sim):
    client = PlexWall(sim.url, TOKEN, read_timeout=HANG)
    yield client
    client.close()


def answering(body: str) -> PlexWall:
    """A client whose every request gets this body."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=httpx2.ByteStream(body.encode())))
    return PlexWall("http://nas", TOKEN, transport=transport)


def test_collections_come_by_sort_title_in_pages_of_one_request_each(sim, plex):
    wall: Wall = plex
    for number, title in enumerate(("Beech", "Ash", "The Cedar")):
        sim.add_movie("1", [(f"/media/{number}.mp4", number, 1000)], title=title, collection=[title])
    keys = sim.collection_keys("1")
    sim.hand_edit(keys["The Cedar"], titleSort="A", thumb=b"picture", summary="Of wood.")
    assert wall.wall_libraries() == [WallLibrary("1", "Movies")]
    sim.clear_log()
    first, second = (wall.collections_page("1", start=start, size=2) for start in (0, 2))
    assert len(sim.log) == 2
    assert first.total == second.total == 3
    assert [each.title for each in (*first.collections, *second.collections)] == ["The Cedar", "Ash", "Beech"]
    cedar, ash = first.collections
    assert (cedar.section, cedar.members, cedar.summary, cedar.is_smart) == ("1", 1, "Of wood.", False)
    assert cedar.poster is not None
    assert plex.wall_picture(cedar.poster) == b"picture"
    assert ash.poster is not None
    assert ash.poster.name == "composite"
    with pytest.raises(Missing):
        plex.wall_picture(cedar.poster._replace(stamp="1"))


def test_a_collection_is_read_with_its_items_in_order(sim, plex):
    items = [
        sim.add_movie(
            "1", [(f"/media/{number}.mp4", number, 1000)], title=f"Film {number}", collection=["Ash"], year=year
        )
        for number, year in enumerate((None, 1999))
    ]
    key = sim.collection_keys("1")["Ash"]
    assert plex.shown_collection(key).title == "Ash"
    page = plex.items_page(key, start=0, size=1)
    assert (page.items[0].key, page.items[0].title, page.items[0].year, page.total) == (items[0], "Film 0", "", 2)
    assert [item.year for item in plex.items_page(key, start=1, size=1).items] == ["1999"]
    for missing in (items[0], "999"):
        with pytest.raises(Missing):
            plex.shown_collection(missing)
    with pytest.raises(Missing):
        plex.items_page("999", start=0, size=1)


def test_an_answer_that_lacks_what_is_not_needed_is_read():
    body = """{"MediaContainer": {"size": 2, "librarySectionID": 4, "Metadata": [
        {"ratingKey": 7, "type": "collection", "title": "Ash", "smart": "1", "childCount": "3", "thumb": "https://x/y.jpg"},
        {"ratingKey": "8", "type": "movie", "title": "A film", "year": 2001.0, "thumb": "/library/metadata/8/thumb/5"}
    ]}}"""
    plex = answering(body)
    ash = WallCollection("7", "4", "Ash", members=3, is_smart=True)
    assert plex.shown_collection("7") == ash
    page = plex.collections_page("4", start=0, size=10)
    assert page == CollectionsPage([ash], 2), "what is no collection is left out"
    items = plex.items_page("7", start=0, size=10)
    film = WallItem("8", "A film", "2001", WallPicture("8", "thumb", "5"))
    assert items == ItemsPage([WallItem("7", "Ash"), film], 2)


@pytest.mark.parametrize("body", ["<html>", "{}", '{"MediaContainer": {"size": 2, "Metadata": []}}'])
def test_an_answer_that_is_cut_never_reads_as_no_collections(body: str):
    plex = answering(body)
    with pytest.raises(Unavailable):
        plex.collections_page("1", start=0, size=10)
    with pytest.raises(Unavailable):
        plex.items_page("1", start=0, size=10)


@pytest.mark.parametrize(
    ("address", "picture"),
    [
        ("/library/metadata/5/thumb/17", WallPicture("5", "thumb", "17")),
        ("/library/metadata/5/art/17", WallPicture("5", "art", "17")),
        ("/library/collections/5/composite/17?width=400&height=600", WallPicture("5", "composite", "17")),
        ("/library/metadata/5/banner/17", None),
        ("/library/metadata/5/thumb/17/../../../../../:/prefs", None),
        ("http://elsewhere/library/metadata/5/thumb/17", None),
        ("", None),
    ],
)
def test_only_addresses_of_pictures_are_followed(address: str, picture: WallPicture | None) -> None:
    assert picture_at(address) == picture
    assert picture is None or address_of(picture) == address
