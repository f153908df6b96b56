"""What the client reads of ratings: the items that were rated last, and the rating of an item."""

import pytest

from plexsync.plex.client import PlexClient
from plexsync.plex.history import PlexHistory
from plexsync.rules.records import Rated
from plexsync.rules.servers.errors import Missing, Unavailable
from plexsync.simulator.plex_server import EPOCH, PlexSim
from tests.plex.conftest import TOKEN
from tests.transports import saying


@pytest.fixture
def sim():
    now = 0
    with PlexSim(token=TOKEN, clock=lambda: now) as running:
        running.add_section("Movies")

        def rate(key: str, rating: float | None, second: int) -> None:
            nonlocal now
            now = second
            running.hand_edit(key, locked=False, userRating=rating)

        running.rate = rate
        yield running


def answering(body: str) -> PlexClient:
    """A client whose every request gets this body."""
    return PlexClient("http://nas", TOKEN, transport=saying(body.encode()))


def test_items_that_were_rated_since_are_listed_oldest_first(sim, plex):
    ratings: PlexHistory = plex.history
    keys = [sim.add_movie("1", [(f"/media/{n}.mp4", n, 1000)], title=str(n)) for n in range(5)]
    for key, rating, second in zip(keys, (8, 7.5, None, 3), (30, 10, 20, 5), strict=False):
        sim.rate(key, rating, second)
    sim.clear_log()
    assert ratings.list_rated("1", since=EPOCH + 5, limit=50) == [
        Rated(keys[1], "7.5", EPOCH + 10),
        Rated(keys[2], "", EPOCH + 20),
        Rated(keys[0], "8", EPOCH + 30),
    ]
    assert [item.key for item in ratings.list_rated("1", since=0, limit=2)] == [keys[3], keys[1]]
    assert ratings.list_rated("1", since=EPOCH + 30, limit=2) == []
    assert len(sim.log) == 3
    with pytest.raises(Missing):
        ratings.list_rated("99", since=0, limit=2)


def test_a_plex_that_does_not_know_the_filter_is_checked(sim):
    body = """{"MediaContainer": {"size": 4, "totalSize": 900, "Metadata": [
        {"ratingKey": "1", "userRating": 8, "lastRatedAt": 50}, {"ratingKey": "2"},
        {"ratingKey": 3, "userRating": "6.5", "lastRatedAt": "200"}, {"ratingKey": "4", "userRating": 2, "lastRatedAt": 150}
    ]}}"""
    assert answering(body).history.list_rated("1", since=100, limit=2) == [Rated("4", "2", 150), Rated("3", "6.5", 200)]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"MediaContainer": {"size": 1}}',
        '{"MediaContainer": {"size": 1, "Metadata": [{"ratingKey": "1", "userRating": "many", "lastRatedAt": 5}]}}',
    ],
)
def test_an_answer_that_contradicts_itself_is_none(body):
    with pytest.raises(Unavailable):
        answering(body).history.list_rated("1", since=0, limit=2)


def test_an_item_says_when_it_was_rated(sim, plex):
    key = sim.add_movie("1", [("/media/a.mp4", 1, 1000)], title="A")
    assert plex.items([key])[key].rated_at == 0
    sim.rate(key, 8.5, 40)
    assert (plex.items([key])[key].rated_at, plex.items([key])[key].value("userRating")) == (EPOCH + 40, "8.5")
