"""What was watched of a library, read by the client: from a simulated Plex, and from answers of another kind."""

import json

import pytest

from plexsync.plex.history import PlexHistory
from plexsync.rules.item import ViewState
from plexsync.rules.records import ViewingPage
from plexsync.rules.servers.errors import Missing, Unavailable
from plexsync.simulator.http import Answer
from plexsync.simulator.plex_server import EPOCH, PlexSim
from tests.plex.conftest import TOKEN
from tests.tables import table
from tests.transports import Answering


@pytest.fixture
def sim():
    """A Plex whose clock stands still until it is set ahead."""
    with PlexSim(token=TOKEN, clock=lambda: 0.0) as running:
        running.add_section("Movies")
        yield running


@pytest.fixture
def answering(made):
    """A client whose every request for a page is answered by this function of the start."""

    def make(page):
        def answer(request):
            container = page(int(request.params["X-Plex-Container-Start"]))
            return Answer(200, json.dumps({"MediaContainer": container}).encode())

        return made(transport=Answering(answer))

    return make


def movies(sim, count=3):
    return [sim.add_movie("1", [(f"/media/{n}.mp4", 1 + n, 60_000)], title=f"film {n}") for n in range(count)]


def left(sim, *keys):
    """Each of them is left somewhere, a second after the one before."""
    for number, key in enumerate(keys, 1):
        sim.advance(1)
        sim.pause(key, number * 1000)


def listing(*rows, total=None):
    return {"size": len(rows), "totalSize": len(rows) if total is None else total, "Metadata": list(rows)}


def test_what_was_watched_is_listed_newest_first(sim, plex):
    watch: PlexHistory = plex.history
    one, two, three, _ = movies(sim, 4)
    left(sim, one, three, two)
    sim.play(three, at=EPOCH + 9)
    assert list(watch.viewings("1", since=EPOCH + 3)) == [
        ViewingPage({three: ViewState(1, EPOCH + 9, 0), two: ViewState(0, EPOCH + 3, 3000)}, is_bounded=True)
    ]
    assert next(plex.history.viewings("1", since=0)).viewings.keys() == {one, two, three}
    assert len(sim.log) == 2


def test_nothing_watched_is_one_request_and_one_empty_page(sim, plex):
    movies(sim)
    assert list(plex.history.viewings("1", since=EPOCH)) == [ViewingPage({}, is_bounded=True)]
    (request,) = sim.log
    assert dict(request.query)["lastViewedAt>>"] == str(EPOCH - 1)


def test_the_item_in_full_has_the_same_viewing(sim, plex):
    one, two = movies(sim, 2)
    left(sim, one)
    items = plex.items([one, two])
    assert (items[one].viewing, items[two].viewing) == (ViewState(0, EPOCH + 1, 1000), ViewState())
    sim.play(one)
    assert plex.items([one])[one].viewing == ViewState(1, EPOCH + 1, 0)
    assert plex.items([one])[one] == items[one], "a viewing is no edit"


def test_pages_cover_everything(sim, plex):
    keys = movies(sim, 45)
    left(sim, *keys)
    pages = list(plex.history.viewings("1", since=0, page=20))
    assert {key for page in pages for key in page.viewings} == set(keys)
    assert [len(page.viewings) for page in pages] == [20, 20, 20, 15]
    assert len(sim.log) == 4


def test_what_is_watched_meanwhile_shifts_the_pages_and_loses_nothing(sim, made):
    keys = movies(sim, 30)
    left(sim, *keys)
    pages = made(sim.url).history.viewings("1", since=0, page=20)
    first = next(pages)
    sim.advance(1)
    sim.pause(keys[0], 99_000)
    assert {key for page in (first, *pages) for key in page.viewings} >= set(keys[1:])


def test_a_plex_that_only_sorts_ends_with_the_first_page_that_is_older(sim, plex):
    keys = movies(sim, 60)
    left(sim, *keys)
    sim.traits.viewings = "sorted"
    assert list(plex.history.viewings("1", since=EPOCH + 60, page=20)) == [
        ViewingPage({keys[-1]: ViewState(0, EPOCH + 60, 60_000)}, is_bounded=True)
    ]
    assert len(sim.log) == 1


def test_a_plex_that_does_neither_says_so_and_all_of_it_is_read(sim, plex):
    keys = movies(sim, 60)
    left(sim, *keys)
    sim.traits.viewings = "neither"
    pages = list(plex.history.viewings("1", since=EPOCH + 60, page=30))
    assert {key: viewing for page in pages for key, viewing in page.viewings.items()} == {
        keys[-1]: ViewState(0, EPOCH + 60, 60_000)
    }
    assert [page.is_bounded for page in pages] == [False, False, False]


def test_a_library_that_is_gone_is_missing(sim, plex):
    with pytest.raises(Missing):
        list(plex.history.viewings("7", since=0))


@pytest.mark.parametrize("section", ["", "1/../2", "x"])
def test_only_numbers_reach_the_address(sim, plex, section):
    with pytest.raises(ValueError, match="number"):
        list(plex.history.viewings(section, since=0))
    assert sim.log == []


@pytest.mark.parametrize(
    ("row", "viewing"),
    [
        ({"lastViewedAt": "1700000000", "viewOffset": "5000", "viewCount": "2"}, ViewState(2, 1_700_000_000, 5000)),
        ({"lastViewedAt": 1700000000.0, "viewOffset": 5000.9}, ViewState(0, 1_700_000_000, 5000)),
        ({"lastViewedAt": 1700000000, "viewOffset": -1, "viewCount": "many"}, ViewState(0, 1_700_000_000, 0)),
        ({"lastViewedAt": 1700000000, "viewOffset": 10**13, "viewCount": 10**10}, ViewState(0, 1_700_000_000, 0)),
        ({"lastViewedAt": 10**12, "viewOffset": 5000}, None),
        ({"viewOffset": 5000, "viewCount": 3}, None),
    ],
)
def test_a_viewing_is_read_as_far_as_it_makes_sense(answering, row, viewing):
    client = answering(lambda _: listing({"ratingKey": 71, **row}))
    assert next(client.history.viewings("1", since=0)).viewings == ({"71": viewing} if viewing else {})


@table(
    "container",
    [
        {"Metadata": []},
        {"size": 1, "Metadata": []},
        {"size": 0, "Metadata": [{"ratingKey": 1}]},
        {"size": 1, "totalSize": -1, "Metadata": [{"ratingKey": 1}]},
        {"size": 1, "Metadata": [{}]},
        {"size": 1, "Metadata": [{"ratingKey": "../1"}]},
        {"size": 1, "Metadata": [{"ratingKey": 1, "viewOffset": {}}]},
        {"size": 1, "totalSize": 5, "Metadata": [{"ratingKey": 1, "lastViewedAt": 5}]},
    ],
)
def test_an_answer_that_contradicts_itself_is_none(answering, container):
    with pytest.raises(Unavailable):
        list(answering(lambda _: container).history.viewings("1", since=0))


def test_without_a_total_a_full_page_can_have_another_one_behind_it(answering):
    rows = [{"ratingKey": n, "lastViewedAt": 1_700_000_000 - n} for n in range(1, 26)]

    def page(start):
        shown = rows[start : start + 20]
        return {"size": len(shown), "Metadata": shown}

    assert {key for page in answering(page).history.viewings("1", since=0, page=20) for key in page.viewings} == {
        str(n) for n in range(1, 26)
    }


def test_a_library_that_does_not_hold_still_is_given_up(answering):
    def page(start):
        return listing(
            *({"ratingKey": 1 + start * 100 + n, "lastViewedAt": 1_700_000_000} for n in range(20)), total=50
        )

    with pytest.raises(Unavailable, match="hold still"):
        list(answering(page).history.viewings("1", since=0, page=20))


@pytest.mark.parametrize("count", [1, 10])
def test_pages_that_have_nothing_new_beside_what_they_share_are_given_up(answering, count):
    rows = [{"ratingKey": n, "lastViewedAt": 1_700_000_000 - n} for n in range(1, 1 + count)]
    asked = []

    def page(start):
        asked.append(start)
        return listing(*rows, total=50 if len(asked) == 1 else count)

    with pytest.raises(Unavailable, match="incomplete"):
        list(answering(page).history.viewings("1", since=0))
    assert asked == [0]
