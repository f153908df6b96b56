"""The Plex client against a server that behaves, one that misbehaves, and answers that no Plex gives."""

import json
import threading

import pytest

from plexsync.plex.artwork import key_of
from plexsync.rules.item import Entry, Item, Part
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.servers.errors import (
    Barred,
    ForeignNotFound,
    Missing,
    NeighbourError,
    Refused,
    Throttled,
    TooLong,
    Unavailable,
    Unusable,
)
from plexsync.rules.servers.neighbours import Plex
from plexsync.simulator.http import Answer, Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from tests.patience import HANG, until
from tests.plex.conftest import TOKEN
from tests.tables import table
from tests.transports import Answering, saying


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN) as running:
        yield running


@pytest.fixture
def section(sim):
    return sim.add_section("Movies", locations=["/media/movies", "/media/more"])


def movies(sim, section, count):
    return [
        sim.add_movie(section, files=[(f"/media/movies/m{n}.mp4", 1000 + n, 60_000)], title=f"M {n}")
        for n in range(count)
    ]


def test_it_is_what_the_engine_asks_for(section, plex):
    neighbour: Plex = plex
    assert [one.key for one in neighbour.sections()] == [section]


def test_who_the_server_is(plex):
    assert plex.identity() == ("Simulated Plex", "1.43.1.10611-1e34174b1")


def test_the_token_travels_in_a_header_and_never_in_an_address(sim, section, plex):
    (key,) = movies(sim, section, 1)
    plex.identity(), plex.sections(), list(plex.entries(section)), plex.find(section, "m0.mp4"), plex.items([key])
    plex.edit(section, key, {"title": Change("x", True)})
    assert len(sim.log) == 6
    assert all(request.headers["x-plex-token"] == TOKEN for request in sim.log)
    assert all("oken" not in request.target for request in sim.log)
    assert all(request.headers["x-plex-product"] == "PlexSync" for request in sim.log)
    assert all(request.headers["x-plex-client-identifier"] for request in sim.log)


# --- libraries -------------------------------------------------------------------------------------------------------


def test_movie_libraries_with_their_marks(sim, section, plex):
    (found,) = plex.sections()
    assert (found.key, found.title, found.locations) == (section, "Movies", ("/media/movies", "/media/more"))
    assert found.scanned_at > 0
    assert not found.scanning
    movies(sim, section, 1)
    assert plex.sections()[0].changed_at != found.changed_at


def test_a_scan_under_way_shows(sim, section, plex):
    sim.scan_seconds = None
    sim.scan(section)
    assert plex.sections()[0].scanning


@pytest.mark.parametrize("status", [404, 405])
def test_a_scan_is_asked_for_in_either_way(sim, section, plex, status):
    plex.scan(section, "/media/movies/new")
    assert (sim.count("GET", f"/library/sections/{section}/refresh"), sim.count("POST")) == (1, 0)
    sim.faults.set(Fault("status", status=status, when=lambda request: request.method == "GET"))
    plex.scan(section, "/media/movies/newer")
    assert sim.count("POST", f"/library/sections/{section}/refresh") == 1


def test_libraries_are_chosen_by_name_whatever_its_case(sim, section, made):
    sim.add_section("Café Films")
    sim.add_section("Others")
    client = made(sim.url, libraries=("movies", " CAFE\u0301 FILMS "))
    assert [one.title for one in client.sections()] == ["Movies", "Café Films"]


def test_a_library_that_does_not_exist_waits_for_a_person(sim, section, made):
    client = made(sim.url, libraries=("Movies", "Mouvies"))
    with pytest.raises(Barred, match=r"named Mouvies; it has: Movies$") as raised:
        client.sections()
    assert raised.value.setting == "plex_libraries"


@pytest.mark.parametrize("libraries", [[], [{"type": "show"}]])
def test_a_plex_without_movie_libraries_waits_for_a_person(made, libraries):
    shown = [directory(number, **library) for number, library in enumerate(libraries)]
    body = {"MediaContainer": {"size": len(shown), "Directory": shown}}
    with pytest.raises(Barred, match="shows no movie library") as raised:
        answering(made, body).sections()
    assert raised.value.setting == "plex_token"


def test_only_movie_libraries_are_used(sim, section, plex):
    sim.add_section("Shows", type="show")
    assert [one.key for one in plex.sections()] == [section]


def test_a_movie_library_without_an_agent_is_one_of_other_videos(sim, section, plex):
    for number, agent in enumerate(("com.plexapp.agents.none", "tv.plex.agents.none", "com.plexapp.agents.imdb")):
        sim.add_section(f"Clips {number}", agent=agent)
    assert [one.other_videos for one in plex.sections()] == [False, True, True, False]


def test_only_movie_libraries_count(made):
    body = {"MediaContainer": {"size": 2, "Directory": [directory(1, "show"), directory("2", "movie", refreshing="1")]}}
    found = answering(made, body).sections()
    assert [(one.key, one.scanning) for one in found] == [("2", True)]


@pytest.mark.parametrize("ask", range(5))
def test_a_404_counts_as_an_answer_only_if_plex_itself_gave_it(sim, section, plex, ask):
    key = sim.add_movie(section, files=[("/media/m0.mp4", 5, 1000)])
    sim.faults.set(Fault("proxy", status=404))
    with pytest.raises(Unavailable):
        asks(plex, section, key)[ask]()
    sim.faults.set(Fault("status", status=404))
    if ask == 3:
        assert plex.items([key]) == {}
    else:
        with pytest.raises(Missing):
            asks(plex, section, key)[ask]()


@pytest.mark.parametrize(
    ("page", "headers", "error"),
    [
        (b"", {}, Unavailable),
        (
            b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>nginx</body></html>",
            {},
            Unavailable,
        ),
        (b"", {"X-Plex-Protocol": "1.0"}, Missing),
        (b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>\n", {}, Missing),
    ],
)
def test_plex_is_told_by_its_header_or_where_a_proxy_drops_that_by_its_page(made, page, headers, error):
    answer = saying(page, 404, **headers)
    with pytest.raises(error):
        made("http://nas", transport=answer).sections()


def own_page(sim, section):
    """A proxy that replaces Plex's 404 for items by a page of its own."""

    def is_gone(request):
        keys = set(request.path.removeprefix("/library/metadata/").split("/")[0].split(","))
        there = keys & set(sim.keys(section))
        return request.path.startswith("/library/metadata/") and (not there or (sim.strict_ids and there != keys))

    return Fault("proxy", status=404, when=is_gone)


@pytest.mark.parametrize("strict", [False, True])
def test_behind_a_proxy_with_a_404_page_of_its_own_an_item_is_missing_while_a_listed_one_can_be_read(made, strict):
    with PlexSim(token=TOKEN, strict_ids=strict) as sim:
        section = sim.add_section("Movies")
        first, *others = movies(sim, section, 5)
        sim.remove(first)
        sim.faults.set(own_page(sim, section))
        plex = made(sim.url)
        assert plex.items([first]) == {}
        assert set(plex.items([first, *others])) == set(others)
        for key in others[1:]:
            sim.remove(key)
        assert set(plex.items([first, *others])) == {others[0]}
        assert plex.items([first, *others[1:]]) == {}


def test_where_plex_lists_no_item_at_all_none_has_to_be_read(sim, section, plex):
    (key,) = movies(sim, section, 1)
    sim.remove(key)
    sim.faults.set(own_page(sim, section))
    assert plex.items([key]) == {}


@pytest.mark.parametrize(
    "dark",
    [
        pytest.param(lambda request: True, id="everything"),
        pytest.param(lambda request: request.path.startswith("/library/metadata/"), id="items"),
        pytest.param(lambda request: not request.path.startswith("/library/metadata/2"), id="lists"),
    ],
)
def test_a_proxy_that_answers_404_for_existing_items_too_is_no_answer(sim, section, plex, dark):
    keys = movies(sim, section, 2)
    sim.remove(keys[0])
    gone = own_page(sim, section)
    sim.faults.set(Fault("proxy", status=404, when=lambda request: dark(request) or gone.when(request)))
    with pytest.raises(Unavailable, match="404, and not as Plex does"):
        plex.items([keys[0]])


def about_items(request):
    return request.path.startswith("/library/metadata/")


@pytest.mark.parametrize("count", [1, 3])
def test_an_empty_answer_about_items_is_asked_for_again(sim, section, plex, count):
    keys = movies(sim, section, 5)
    sim.faults.set(Fault("empty", times=1, when=about_items))
    assert set(plex.items(keys[:count])) == set(keys[:count])


def test_an_empty_answer_is_no_answer_while_no_listed_item_can_be_read(sim, section, plex):
    keys = movies(sim, section, 2)
    sim.faults.set(Fault("empty", when=about_items))
    with pytest.raises(ForeignNotFound, match="with nothing, where Plex says 404"):
        plex.items(keys)


def test_an_item_is_missing_where_plex_goes_on_answering_with_nothing_and_another_can_be_read(sim, section, plex):
    gone, other = movies(sim, section, 2)
    sim.faults.set(Fault("empty", when=lambda request: request.path == f"/library/metadata/{gone}"))
    assert plex.items([gone]) == {}
    assert set(plex.items([gone, other])) == {gone, other}


# --- listings --------------------------------------------------------------------------------------------------------


def test_a_library_is_listed_in_pages_each_item_once(sim, section, plex):
    keys = movies(sim, section, 25)
    pages = list(plex.entries(section, page=10))
    assert [entry.key for page in pages for entry in page] == keys
    assert len(pages) == 3
    assert pages[0][0] == Entry(keys[0], section, (Part("/media/movies/m0.mp4", 1000, 60_000),))


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 19, 20])
def test_every_size_of_library_is_listed_whole(sim, section, plex, count):
    keys = movies(sim, section, count)
    assert [entry.key for page in plex.entries(section, page=10) for entry in page] == keys


def test_all_files_of_an_item_are_listed_in_order(sim, section, plex):
    sim.add_movie(section, files=[("/media/b.mp4", 2, 1000), ("/media/a.mp4", 1, 1000)], title="two")
    ((entry,),) = plex.entries(section)
    assert entry.parts == (Part("/media/b.mp4", 2, 1000), Part("/media/a.mp4", 1, 1000))


def test_a_listing_costs_a_request_for_each_page_and_no_more(sim, section, plex):
    movies(sim, section, 30)
    assert len(list(plex.entries(section, page=10))) == 3
    assert len(sim.log) == 3


def test_a_server_that_gives_smaller_pages_is_listed_whole(sim, section, plex):
    keys = movies(sim, section, 12)
    sim.max_page = 5
    assert [entry.key for page in plex.entries(section, page=1000) for entry in page] == keys


def test_what_goes_during_a_walk_hides_nothing_else(sim, section, plex):
    keys = movies(sim, section, 30)
    walk = plex.entries(section, page=10)
    met = [entry.key for entry in next(walk)]
    for key in keys[:3] + keys[9:10]:
        sim.remove(key)
    met += [entry.key for page in walk for entry in page]
    assert set(met) == set(keys)
    assert len(met) == len(set(met))


def test_even_when_a_whole_page_goes(sim, section, plex):
    keys = movies(sim, section, 40)
    walk = plex.entries(section, page=10)
    met = [entry.key for entry in next(walk)] + [entry.key for entry in next(walk)]
    for key in keys[:19]:
        sim.remove(key)
    met += [entry.key for page in walk for entry in page]
    assert set(met) == set(keys)


def test_what_comes_during_a_walk_is_met(sim, section, plex):
    movies(sim, section, 10)
    walk = plex.entries(section, page=10)
    next(walk)
    new = movies(sim, section, 2)
    assert {entry.key for page in walk for entry in page} <= set(new)


def test_a_walk_that_falls_short_is_no_walk(made):
    def answer(request):
        start = int(request.params["X-Plex-Container-Start"])
        return [media(n) for n in range(10)][start : start + 4], 20

    walk = paged(made, answer).entries("1", page=4)
    with pytest.raises(Unavailable, match="incomplete"):
        list(walk)


def test_a_library_that_never_holds_still_is_given_up(made):
    count = iter(range(0, 10**9, 100))

    def answer(request):
        first = next(count)
        return [media(first + n) for n in range(4)], 20

    with pytest.raises(Unavailable, match="hold still"):
        list(paged(made, answer).entries("1", page=4))


def test_a_server_that_ignores_pages_is_listed_once(made):
    everything = [media(n) for n in range(1, 8)]
    client = paged(made, lambda request: (everything, 7))
    assert [len(page) for page in client.entries("1", page=2)] == [7]


def test_a_missing_library_is_missing(plex):
    with pytest.raises(Missing):
        list(plex.entries("77"))


def test_a_file_is_found_by_its_exact_name(sim, section, plex):
    _, second, _ = movies(sim, section, 3)
    assert [entry.key for entry in plex.find(section, "m1.mp4")] == [second]
    assert plex.find(section, "M1.mp4") == []
    assert sim.log[0].params["file"] == "m1.mp4"
    assert sim.log[0].params["type"] == "1"


@pytest.mark.parametrize("name", ["a&b=c#d?.mp4", "100%.mp4", "é.mp4", "a+b c.mp4", "日本.mp4"])
def test_names_with_any_character_are_found(sim, section, plex, name):
    key = sim.add_movie(section, files=[(f"/media/{name}", 1, 1000)], title="x")
    assert [entry.key for entry in plex.find(section, name)] == [key]
    assert "+" not in sim.log[0].target


def test_every_part_of_a_media_is_a_file_of_the_item(sim, section, plex):
    halves = [("/media/a cd1.mp4", 2, 1000), ("/media/a cd2.mp4", 3, 1000)]
    key = sim.add_movie(section, files=[halves, ("/media/b.mp4", 1, 1000)], title="two")
    parts = (Part("/media/a cd1.mp4", 2, 1000), Part("/media/a cd2.mp4", 3, 1000), Part("/media/b.mp4", 1, 1000))
    ((entry,),) = plex.entries(section)
    assert entry.parts == plex.items([key])[key].parts == parts
    assert [one.key for one in plex.find(section, "a cd2.mp4")] == [key]


def test_a_connection_that_plex_has_closed_meanwhile_is_not_used_again(sim, section, plex):
    sim.idle_seconds = 0.1
    before = threading.active_count()
    for _ in range(3):
        assert plex.sections()
        # Each connection is a thread of the simulated server's.
        until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(("count", "max_page"), [(3, 2), (450, None)])
def test_every_item_of_a_name_is_found_however_small_the_pages(sim, section, plex, count, max_page):
    keys = [sim.add_movie(section, files=[(f"/media/{n}/1.mp4", 5, 1)]) for n in range(count)]
    sim.max_page = max_page
    assert [entry.key for entry in plex.find(section, "1.mp4")] == keys


def test_a_file_is_found_whichever_way_its_accents_are_written(sim, section, plex):
    forms = ["ph\u1ebf.mp4", "phe\u0302\u0301.mp4", "ph\u00ea\u0301.mp4"]
    keys = [sim.add_movie(section, files=[(f"/media/{n}/{form}", 5, 1)]) for n, form in enumerate(forms)]
    assert {entry.key for entry in plex.find(section, forms[2])} == set(keys)
    assert {entry.key for entry in plex.find(section, forms[0])} == set(keys[:2])
    assert sim.count() == 5


def test_what_a_filter_finds_may_come_without_a_total_and_a_library_may_not(made):
    client = answering(made, {"MediaContainer": {"size": 1, "Metadata": [media(1, "/m/a.mp4")]}})
    assert [entry.key for entry in client.find("1", "a.mp4")] == ["1"]
    with pytest.raises(Unavailable):
        list(client.entries("1"))


def test_a_plex_that_does_not_know_the_filter_is_not_walked_for_one_name(sim, section, made):
    pages = []

    def answer(request):
        start = int(request.params["X-Plex-Container-Start"])
        pages.append(start)
        return [media(n, f"/m/{n}.mp4") for n in range(start, start + 200)], 10_000

    assert paged(made, answer).find("1", "x.mp4") == []
    assert len(pages) == 1


def test_a_filter_that_plex_ignores_finds_nothing_wrong(made):
    everything = [media(1, "/m/a.mp4"), media(2, "D:\\m\\b.mp4"), media(3, "/m/cafe\u0301.mp4"), media(4, "/m/xb.mp4")]
    client = paged(made, lambda request: (everything, 4))
    assert [entry.key for entry in client.find("1", "b.mp4")] == ["2"]
    assert [entry.key for entry in client.find("1", "caf\u00e9.mp4")] == ["3"]


# --- items -----------------------------------------------------------------------------------------------------------


def test_an_item_in_full(sim, section, plex):
    key = sim.add_movie(
        section,
        files=[("/media/a.mp4", 5, 1000)],
        title="A",
        studio="S",
        summary="Long.",
        originallyAvailableAt="2024-05-17",
        userRating=8.5,
        actor=[("Ann", "Queen"), "Bo", "Cy", "Di"],
        genre=["G", "H"],
        collection=["C"],
        director=["Dee"],
        label=["L"],
        contentRating="XXX",
        originalTitle="O",
        tagline="T",
        addedAt=1_700_000_000,
        titleSort="A, the",
    )
    sim.hand_edit(key, title="B")
    assert plex.items([key]) == {
        key: Item(
            key=key,
            section=section,
            scalars={
                "title": "B",
                "titleSort": "A, the",
                "originalTitle": "O",
                "tagline": "T",
                "addedAt": "2023-11-14T22:13:20Z",
                "contentRating": "XXX",
                "studio": "S",
                "summary": "Long.",
                "originallyAvailableAt": "2024-05-17",
                "userRating": "8.5",
            },
            lists={
                "actor": ("Ann", "Bo", "Cy", "Di"),
                "director": ("Dee",),
                "genre": ("G", "H"),
                "collection": ("C",),
                "label": ("L",),
            },
            locks=frozenset({"title"}),
            parts=(Part("/media/a.mp4", 5, 1000),),
            roles={"Ann": "Queen"},
            pictures={"thumb": f"/library/metadata/{key}/thumb/{sim._library.items[int(key)].stamps['posters']}"},
        )
    }
    assert sim.log[0].params == {"skipRefresh": "1"}


def test_an_item_says_whether_an_agent_has_matched_it(sim, section, plex):
    first, second = movies(sim, section, 2)
    sim.match(second, b"poster")
    other = sim.add_movie(sim.add_section("Clips", agent="com.plexapp.agents.none"), files=[("/clips/a.mp4", 1, 1)])
    items = plex.items([first, second, other])
    assert {key: item.unmatched for key, item in items.items()} == {first: True, second: False, other: True}
    assert "metadata://posters/agent_0" in plex.pictures(second, "thumb")


def test_many_items_in_one_request_without_those_that_are_gone(sim, section, plex):
    first, second, third = movies(sim, section, 3)
    sim.remove(second)
    assert plex.items([first, second, third]).keys() == {first, third}
    assert plex.items([second]) == {}
    assert plex.items([]) == {}
    assert len(sim.log) == 2


@pytest.mark.parametrize("strict", [True, False])
def test_one_item_that_is_missing_or_in_the_trash_does_not_hide_the_others(sim, section, plex, strict):
    sim.strict_ids = strict
    keys = movies(sim, section, 20)
    sim.remove(keys[3])
    sim.trash(keys[11])
    there = [key for key in keys if key not in (keys[3], keys[11])]
    assert list(plex.items(keys)) == there
    assert len(sim.log) == (17 if strict else 1)
    assert keys[11] in [entry.key for page in plex.entries(section) for entry in page]


@pytest.mark.parametrize("key", ["", "1,2", "x", "../1"])
def test_items_are_asked_for_by_number(plex, key):
    with pytest.raises(ValueError, match="number"):
        plex.items([key])


@table(
    ("given", "text"),
    [(8.5, "8.5"), (8, "8"), (8.0, "8"), ("7.5", "7.5"), (10, "10"), (-1, ""), (None, ""), ("", "")],
)
def test_ratings_are_written_one_way(made, given, text):
    client = answering(made, container([{**media(1), "librarySectionID": 1, "userRating": given}]))
    assert client.items(["1"])["1"].scalars["userRating"] == text


def test_members_of_lists_without_a_name_are_left_out(made):
    tags = [{"id": 3, "filter": "genre=3"}, {"tag": ""}, {"tag": "G"}]
    roles = [{"id": 4, "role": "Queen"}, {"tag": "Ann", "role": "King"}]
    client = answering(made, container([{**media(1), "librarySectionID": 1, "Genre": tags, "Role": roles}]))
    found = client.items(["1"])["1"]
    assert (found.lists["genre"], found.lists["actor"], found.roles) == (("G",), ("Ann",), {"Ann": "King"})


def test_types_that_plex_mixes_are_read_alike(made):
    fields = [{"name": "title", "locked": 1}, {"name": "genre", "locked": "1"}, {"name": "studio", "locked": False}]
    one = {
        **media("7"),
        "librarySectionID": "3",
        "Field": fields,
        "title": None,
        "originallyAvailableAt": "2024-05-17 00:00",
    }
    item = answering(made, container([one], size="1")).items(["7"])["7"]
    assert (item.key, item.section, item.locks) == ("7", "3", {"title", "genre"})
    assert item.scalars["title"] == ""
    assert item.scalars["originallyAvailableAt"] == "2024-05-17"


def test_the_container_may_name_the_library(made):
    body = {"MediaContainer": {"size": 1, "librarySectionID": 4, "Metadata": [media(7)]}}
    assert answering(made, body).items(["7"])["7"].section == "4"


def test_a_number_with_a_fraction_costs_only_its_fraction(made):
    one = {
        **media(7.0),
        "librarySectionID": 4.0,
        "updatedAt": 1760000000.25,
        "Media": [{"Part": [{"file": "/m/a.mp4", "size": "12.75", "duration": 60000.5}]}],
    }
    item = answering(made, container([one], size=1.0)).items(["7"])["7"]
    assert (item.section, item.stamp, item.parts) == ("4", 1760000000, (Part("/m/a.mp4", 12, 60000),))
    body = {"MediaContainer": {"size": 1, "totalSize": 1.0, "Metadata": [{**one, "updatedAt": "1760000000.25"}]}}
    assert list(answering(made, body).entries("4")) == [[Entry("7", "4", item.parts, 1760000000)]]


@pytest.mark.parametrize("number", ["1.5.2", ".", "x.5", "1e400", 1e300, "12.x", -1.5])
def test_a_number_that_is_none_is_no_answer(made, number):
    with pytest.raises(Unavailable):
        answering(made, container([{**media(7), "librarySectionID": 4}], size=number)).items(["7"])


def test_a_lock_without_a_field_costs_only_itself(made):
    fields = [{"locked": True}, {"name": None, "locked": True}, {"name": "title", "locked": True}]
    item = answering(made, container([{**media(7), "librarySectionID": 4, "Field": fields}])).items(["7"])["7"]
    assert item.locks == {"title"}


def test_an_item_of_no_library_is_left_out_unless_the_answer_as_a_whole_names_one(made):
    items = [{**media(7), "librarySectionID": -1}, {**media(8), "librarySectionID": 4}]
    assert answering(made, container(items)).items(["7", "8"]).keys() == {"8"}
    body = {"MediaContainer": {"size": 1, "librarySectionID": 3, "Metadata": items[:1]}}
    assert answering(made, body).items(["7"])["7"].section == "3"


def test_a_picture_without_a_key_costs_only_itself(made):
    posters = [
        {"thumb": "/x"},
        {"ratingKey": None},
        {"key": "/library/metadata/7/file?url=a", "selected": True},
        {"ratingKey": "upload://posters/b"},
    ]
    shown = answering(made, container(posters)).pictures("7", "thumb")
    assert shown == {"/library/metadata/7/file?url=a": True, "upload://posters/b": False}


def test_a_folder_without_a_path_costs_only_itself(made):
    library = {"key": 1, "type": "movie", "title": "M", "Location": [{"id": 1}, {"path": "/media"}, {"path": None}]}
    (section,) = answering(made, {"MediaContainer": {"size": 1, "Directory": [library]}}).sections()
    assert section.locations == ("/media",)


def test_what_was_not_asked_for_is_not_answered(made):
    client = answering(made, container([{**media(n), "librarySectionID": 1} for n in (1, 2)]))
    assert client.items(["2", "3"]).keys() == {"2"}


BROKEN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"MediaContainer": null}',
    b'{"MediaContainer": {}}',
    b'{"MediaContainer": []}',
    b'{"MediaContainer": {"size": 1}}',
    b'{"MediaContainer": {"size": 0, "Metadata": null, "Directory": null}}',
    b'{"MediaContainer": {"size": 0, "Metadata": {}, "Directory": {}}}',
    b'{"MediaContainer": {"size": -1}}',
    b'{"MediaContainer": {"size": 2, "totalSize": 2, "Metadata": [{"ratingKey": 1}], "Directory": []}}',
    b'{"MediaContainer": {"size": 1, "totalSize": 1, "Metadata": [{"ratingKey": "x"}], "Directory": [7]}}',
    b'{"MediaContainer": {"size": 1, "totalSize": 1, "Metadata": [{"title": "x"}], "Directory": [{"key": 1}]}}',
    b'{"MediaContainer": {"size": 1, "totalSize": 1, "Metadata": [{"ratingKey": 1, "Media": 3}], "Directory": 3}}',
    b'{"MediaContainer": {"size": 1, "totalSize": 1, "Metadata": [{"ratingKey": 1',
    b"<!DOCTYPE html><html><body>Sign in</body></html>",
    b'<?xml version="1.0"?><MediaContainer size="0"/>',
    b'{"MediaContainer": ' + b"[" * 50_000,
    b"\xff\xfe",
]


@table("body", BROKEN)
def test_an_answer_of_another_shape_is_never_no_items(made, body):
    client = made("http://nas", transport=saying(body))
    for ask in (
        client.sections,
        lambda: list(client.entries("1")),
        lambda: client.find("1", "a.mp4"),
        lambda: client.items(["1"]),
        client.identity,
    ):
        with pytest.raises(Unavailable) as raised:
            ask()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"MediaContainer": []}',
        b'{"MediaContainer": {"si',
        b"<html><body>Sign in</body></html>",
        b"\xff",
    ],
)
def test_an_edit_that_something_else_answered_was_not_made(made, body):
    client = made("http://nas", transport=saying(body))
    with pytest.raises(Unavailable):
        client.edit("1", "1", {"title": Change("x")})


@pytest.mark.parametrize("body", [b"", b"\n", b'{"MediaContainer": {"size": 0}}'])
def test_an_edit_needs_no_words_in_answer(made, body):
    client = made("http://nas", transport=saying(body))
    client.edit("1", "1", {"title": Change("x")})


# --- edits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_an_edit_reads_back_as_it_was_sent(sim, section, plex, mode):
    sim.tag_mode = mode
    key = sim.add_movie(
        section,
        files=[("/media/a.mp4", 5, 1000)],
        title="A",
        actor=[("Ann", "Queen"), "Bo"],
        genre=["Old, worn", "Stays"],
    )
    before = plex.items([key])[key]
    edit = {
        "title": Change("New & improved = 100%?", True),
        "titleSort": Change("improved & new", True),
        "originalTitle": Change("Nouveau", True),
        "tagline": Change("As good as new & old", True),
        "addedAt": Change("2001-02-03T04:05:06Z", True),
        "contentRating": Change("fr/18", True),
        "studio": Change("Stúdio #1", True),
        "summary": Change("Line one.\nLine two; + more.", True),
        "originallyAvailableAt": Change("2024-05-17", True),
        "userRating": Change("8.5"),
        "actor": Change(("Ann", "Bo", "日本 Ko"), True, adds=("日本 Ko",)),
        "genre": Change(("Stays", "Fresh"), True, adds=("Fresh",), removes=("Old, worn",)),
        "collection": Change(("S[0], x",), True, adds=("S[0], x",)),
        "director": Change(("Dee, the second",), True, adds=("Dee, the second",)),
        "label": Change(("L#1",), True, adds=("L#1",)),
    }
    plex.edit(section, key, edit, cast=before.cast)
    after = plex.items([key])[key]
    assert after.scalars == {name: edit[name].value for name in after.scalars}
    assert {name: set(names) for name, names in after.lists.items()} == {
        name: set(edit[name].value) for name in after.lists
    }
    assert after.roles == {"Ann": "Queen"}
    assert after.locks >= {"title", "tagline", "studio", "summary", "originallyAvailableAt", "addedAt"}
    assert after.locks >= {"actor", "genre", "collection"}
    assert sim.count("PUT") == 1


def test_an_edit_touches_its_item_alone(sim, section, plex):
    keys = movies(sim, section, 5)
    plex.edit(section, keys[2], {"title": Change("X", True)})
    assert [sim.item(key).scalars["title"] for key in keys] == ["M 0", "M 1", "X", "M 3", "M 4"]


def test_an_edit_without_an_item_sends_nothing(sim, section, plex):
    movies(sim, section, 2)
    for key in ("", "1,2"):
        with pytest.raises(ValueError, match="item"):
            plex.edit(section, key, {"title": Change("X", True)})
    plex.edit(section, "1", {})
    assert sim.log == []


def test_a_gone_item_is_missing(sim, section, plex):
    with pytest.raises(Missing):
        plex.edit(section, "999", {"title": Change("X", True)})


def test_a_locked_list_can_be_let_go(sim, section, plex):
    key = sim.add_movie(section, files=[("/media/a.mp4", 5, 1000)], title="A", genre=["G"])
    plex.edit(section, key, {"genre": Change(None, True)})
    plex.edit(section, key, {"genre": Change((), False, removes=("G",))})
    after = plex.items([key])[key]
    assert after.lists["genre"] == ()
    assert "genre" not in after.locks


def test_a_sort_title_that_is_the_title_is_read_as_one_if_somebody_chose_it(sim, section, plex):
    (key,) = movies(sim, section, 1)
    for locked in (True, False):
        plex.edit(section, key, {"title": Change("Same", True), "titleSort": Change("Same", locked)})
        assert plex.items([key])[key].scalars["titleSort"] == ("Same" if locked else "")


def test_a_long_edit_arrives_whole(sim, section, plex):
    (key,) = movies(sim, section, 1)
    names = tuple(f"Name {n} " + "x" * 60 for n in range(60))
    edit = {"title": Change("X", True), "summary": Change("s " * 2500 + "!", True), "genre": Change(names, True)}
    plex.edit(section, key, edit)
    after = plex.items([key])[key]
    assert after.scalars["summary"] == "s " * 2500 + "!"
    assert set(after.lists["genre"]) == set(names)
    assert sim.count("PUT") == 3


def test_what_a_server_finds_too_long_is_sent_in_smaller_pieces(sim, section, plex):
    key = sim.add_movie(section, files=[("/media/a.mp4", 5, 1000)], title="A", genre=[f"Old {n}" for n in range(60)])
    sim.max_target = 700
    edit = {
        "title": Change("X", True),
        "summary": Change("s" * 500, True),
        "actor": Change(("Ann", "Bo"), True),
        "genre": Change(("Fresh",), True, removes=tuple(f"Old {n}" for n in range(60))),
    }
    plex.edit(section, key, edit)
    after = plex.items([key])[key]
    assert (after.scalars["title"], after.scalars["summary"]) == ("X", "s" * 500)
    assert (set(after.lists["actor"]), after.lists["genre"]) == ({"Ann", "Bo"}, ("Fresh",))


@pytest.mark.parametrize(
    ("status", "max_target", "length"), [(414, 700, 900), (414, 60_000, 100_000), (400, 20_000, 30_000)]
)
def test_what_cannot_be_made_smaller_is_too_long_and_everything_else_is_sent(
    sim, section, plex, status, max_target, length
):
    (key,) = movies(sim, section, 1)
    sim.max_target, sim.too_long = max_target, status
    edit = {
        "title": Change("X", True),
        "summary": Change("s" * length, True),
        "actor": Change(("Ann",), True),
        "genre": Change(tuple(f"{'g' * length} {n}" for n in range(2)), True),
        "collection": Change(("C",), True),
    }
    with pytest.raises(TooLong) as raised:
        plex.edit(section, key, edit)
    assert raised.value.applied
    after = plex.items([key])[key]
    assert (after.scalars["title"], after.scalars["summary"]) == ("X", "")
    assert (after.lists["actor"], after.lists["genre"], after.lists["collection"]) == (("Ann",), (), ("C",))


def test_a_text_that_is_too_long_by_itself_is_asked_once(sim, section, plex):
    (key,) = movies(sim, section, 1)
    sim.max_target = 700
    with pytest.raises(TooLong) as raised:
        plex.edit(section, key, {"summary": Change("s" * 900, True)})
    assert not raised.value.applied
    assert sim.count("PUT") == 1


EDIT = {
    "title": Change("X", True),
    "summary": Change("A summary " * 20, True),
    "genre": Change(("Fresh",), True, removes=("Old, one",)),
}


@pytest.mark.parametrize(
    ("part", "words", "title"),
    [
        ("title.value", 'title "X" (in Stash: the scene\'s title)', "M 0"),
        ("summary.value", f'summary "{("A summary " * 8).strip()}…" (in Stash: the scene\'s details)', "X"),
        ("genre[].tag.tag-", 'genre "Old, one" (in Stash: the scene\'s tags)', "X"),
    ],
)
def test_a_refused_value_is_named_and_keeps_back_no_other(sim, section, plex, part, words, title):
    (key,) = movies(sim, section, 1)
    sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "PUT" and part in request.params))
    with pytest.raises(Refused) as raised:
        plex.edit(section, key, EDIT)
    assert str(raised.value).endswith(f"(400); sent was {words}")
    assert raised.value.applied
    after = plex.items([key])[key]
    assert (after.scalars["title"], after.lists["genre"]) == (title, ("Fresh",))


def test_a_plex_that_refuses_every_value_is_asked_no_more_than_three_times(sim, section, plex):
    (key,) = movies(sim, section, 1)
    sim.faults.set(Fault("status", status=422, when=lambda request: request.method == "PUT"))
    with pytest.raises(Refused, match=r'\(422\); sent was title "X"') as raised:
        plex.edit(section, key, EDIT)
    assert (raised.value.applied, sim.count("PUT")) == (False, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 414, 429, 503])
def test_an_error_says_whether_a_part_of_the_edit_was_applied(made, status):
    edit = {"title": Change("x" * 5000), "summary": Change("y" * 5000)}

    def failing(at):
        asked = iter(range(1, 100))
        return made("http://nas", transport=Answering(lambda _: Answer(status if next(asked) >= at else 200)))

    for at, applied in ((1, False), (2, True)):
        with pytest.raises(NeighbourError) as raised:
            failing(at).edit("1", "1", edit)
        assert raised.value.applied is applied


def test_a_text_that_plex_cut_inside_a_character_is_read_all_the_same(made):
    with PlexSim(token=TOKEN) as sim:
        sim.cut_texts(100)
        section = sim.add_section("Movies")
        cut, whole = movies(sim, section, 2)
        client = made(sim.url)
        client.edit(section, cut, {"title": Change("日" * 60, True), "genre": Change(("本" * 60,), True)})
        found = client.items([cut, whole])
        assert (found[cut].scalars["title"], found[cut].lists["genre"]) == (
            "日" * 33 + "\ufffd",
            ("本" * 33 + "\ufffd",),
        )
        assert found[whole].scalars["title"] == "M 1"
        assert len(next(client.entries(section))) == 2


@table(
    ("media", "parts", "durations"),
    [
        ({"duration": 9000}, [{"duration": 5000}], [5000]),
        ({"duration": "9000"}, [{}], [9000]),
        ({"duration": 9000}, [{"duration": 0}], [9000]),
        ({"duration": 9000}, [{}, {}], [0, 0]),
        ({"duration": 9000}, [{"duration": 5000}, {"duration": 4000}], [5000, 4000]),
        ({}, [{}], [0]),
        ({"duration": -5}, [{}], [0]),
        ({"duration": "soon"}, [{}], [0]),
        ({"duration": "9" * 30}, [{}], [0]),
        ({"duration": "\u0663"}, [{}], [0]),
    ],
)
def test_a_duration_is_the_files_own_or_that_of_its_version_if_it_has_no_other(made, media, parts, durations):
    files = [{"file": f"/m/{n}.mp4", "size": 5, **part} for n, part in enumerate(parts)]
    told = {"size": 1, "totalSize": 1, "Metadata": [{"ratingKey": "1", "Media": [{**media, "Part": files}]}]}
    body = json.dumps({"MediaContainer": told}).encode()
    client = made("http://nas", transport=saying(body))
    assert [part.duration for part in next(client.entries("1"))[0].parts] == durations


def test_a_file_whose_name_is_no_utf_8_is_not_known(made):
    part = b'{"MediaContainer": {"size": 1, "totalSize": 1, "Metadata": [{"ratingKey": "1", "Media": [{"Part": '
    part += b'[{"file": "/m/caf\xe9.mp4", "size": 5}, {"file": "/m/b.mp4", "size": 6}]}]}]}}'
    client = made("http://nas", transport=saying(part))
    assert next(client.entries("1"))[0].parts == (Part("/m/b.mp4", 6),)


# --- trouble ---------------------------------------------------------------------------------------------------------


def asks(client, section, key):
    return [
        client.sections,
        lambda: list(client.entries(section)),
        lambda: client.find(section, "m0.mp4"),
        lambda: client.items([key]),
        lambda: client.edit(section, key, {"title": Change("x", True)}),
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("refuse"), Unavailable),
        (Fault("hang"), Unavailable),
        (Fault("reset"), Unavailable),
        (Fault("reset_after"), Unavailable),
        (Fault("garbage"), Unavailable),
        (Fault("html"), Unavailable),
        (Fault("huge", megabytes=40), Unavailable),
        (Fault("maintenance"), Unavailable),
        (Fault("status", status=500), Unavailable),
        (Fault("status", status=408), Unavailable),
        (Fault("status", status=503, retry_after=30), Unavailable),
        (Fault("status", status=429, retry_after=30), Throttled),
        (Fault("status", status=401), Barred),
        (Fault("status", status=403), Barred),
        (Fault("status", status=400), Refused),
        (Fault("status", status=414), TooLong),
    ],
)
def test_trouble_of_every_kind_has_its_name(sim, section, made, fault, error):
    (key,) = movies(sim, section, 1)
    sim.faults.set(fault)
    client = made(sim.url, connect_timeout=30, read_timeout=0.25 if fault.kind == "hang" else HANG)
    for ask in asks(client, section, key):
        with pytest.raises(error) as raised:
            ask()
        assert type(raised.value) is error
        assert TOKEN not in str(raised.value)
        assert "m0.mp4" not in str(raised.value)
        if isinstance(raised.value, Barred):
            assert raised.value.setting == "plex_token"
        if fault.retry_after:
            assert raised.value.retry_after == 30
        if fault.kind == "refuse":
            assert not raised.value.sent
    sim.faults.clear()


@pytest.mark.parametrize("fault", [Fault("cut"), Fault("trickle", seconds=0.02)])
def test_an_answer_that_does_not_end_well_is_none(sim, section, made, fault):
    (key,) = movies(sim, section, 1)
    sim.faults.set(fault)
    client = made(sim.url, read_timeout=0.25)
    for ask in asks(client, section, key)[:4]:
        with pytest.raises(Unavailable):
            ask()
    sim.faults.clear()


def test_a_wrong_token_is_a_matter_for_a_person(sim, made):
    with pytest.raises(Barred) as raised:
        made(sim.url, "another-token").sections()
    assert raised.value.setting == "plex_token"


def test_a_token_is_needed(made):
    with pytest.raises(Unusable, match="plex_token"):
        made("http://nas", "")


# --- answers by hand -------------------------------------------------------------------------------------------------


def directory(key, type, **more):
    return {"key": key, "type": type, "title": f"Library {key}", "Location": [{"id": 1, "path": "/m"}], **more}


def media(key, path="/m/a.mp4"):
    return {"ratingKey": key, "title": "x", "Media": [{"Part": [{"file": path, "size": "12"}]}]}


def container(things, *, size=None):
    return {"MediaContainer": {"size": len(things) if size is None else size, "Metadata": things}}


def answering(made, body):
    return made("http://nas", transport=saying(json.dumps(body).encode()))


def paged(made, answer):
    def respond(request):
        things, total = answer(request)
        body = {"MediaContainer": {"size": len(things), "totalSize": total, "Metadata": things}}
        return Answer(200, json.dumps(body).encode())

    return made("http://nas", transport=Answering(respond))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["thumb", "art"])
def test_a_picture_is_sent_chosen_and_read_back(sim, section, plex, name):
    (key,) = movies(sim, section, 1)
    first, second = png(1, 2, 3), png(3, 2, 1)
    for content in (first, second):
        plex.upload(key, name, content)
    before = plex.items([key])[key]
    assert {one: shown for one, shown in plex.pictures(key, name).items() if one.startswith("upload://")} == {
        key_of(name, first): False,
        key_of(name, second): True,
    }
    plex.show(key, name, key_of(name, first))
    after = plex.items([key])[key]
    assert plex.pictures(key, name)[key_of(name, first)]
    assert before.pictures[name] != after.pictures[name], "the address changes with the picture"
    assert name in after.locks


def test_pictures_are_read_under_either_name_and_never_as_none_by_mistake(made):
    offered = [{"ratingKey": "upload://posters/a", "selected": True}, {"ratingKey": "media://b"}]
    for name in ("Metadata", "Photo"):
        client = answering(made, {"MediaContainer": {"size": 2, name: offered}})
        assert client.pictures("1", "thumb") == {"upload://posters/a": True, "media://b": False}
    for body in ({"size": 2}, {"size": 2, "Poster": offered}, {"size": 1, "Photo": offered}, {}):
        with pytest.raises(Unavailable):
            answering(made, {"MediaContainer": body}).pictures("1", "thumb")


@pytest.mark.parametrize("name", ["thumb", "art"])
def test_an_item_can_be_made_to_show_no_picture(sim, section, plex, name):
    (key,) = movies(sim, section, 1)
    plex.upload(key, name, png(1, 2, 3))
    plex.hide(key, name)
    assert not any(plex.pictures(key, name).values())
    with pytest.raises(ValueError, match="number"):
        plex.hide("1,2", name)


def test_a_picture_that_is_not_there_or_not_taken_is_an_error_of_its_own(sim, section, plex):
    (key,) = movies(sim, section, 1)
    with pytest.raises(Missing):
        plex.show(key, "thumb", "upload://posters/none")
    with pytest.raises(Missing):
        plex.pictures("999", "thumb")
    with pytest.raises(Refused):
        plex.upload(key, "thumb", b"")
    for bad in ("", "1,2", "x"):
        for call in (lambda bad=bad: plex.upload(bad, "thumb", b"x"), lambda bad=bad: plex.pictures(bad, "art")):
            with pytest.raises(ValueError, match="number"):
                call()


@pytest.mark.parametrize("fault", [Fault("garbage"), Fault("html")])
def test_a_picture_that_another_server_says_it_has_taken_is_not_taken(sim, section, plex, fault):
    (key,) = movies(sim, section, 1)
    picture = png(1, 2, 3)
    sim.faults.set(fault)
    for write in (
        lambda: plex.upload(key, "thumb", picture),
        lambda: plex.show(key, "thumb", key_of("thumb", picture)),
        lambda: plex.hide(key, "thumb"),
    ):
        with pytest.raises(Unavailable):
            write()
    sim.faults.clear()
    assert key_of("thumb", picture) not in plex.pictures(key, "thumb")


def test_stash_at_the_address_of_plex_bars_by_the_address_and_not_by_the_token(made):
    with StashSim(api_key="a-key") as stash:
        with pytest.raises(Barred, match=r"Plex at 127\.0\.0\.1:\d+ answered 401, and not as Plex does") as failure:
            made(stash.url, read_timeout=HANG).identity()
    assert failure.value.setting == "plex_url"
