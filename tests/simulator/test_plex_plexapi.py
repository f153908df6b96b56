"""A client that was written for the real server works against the simulated one."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import requests
from plexapi.exceptions import NotFound, Unauthorized
from plexapi.server import PlexServer

from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG
from tests.simulator.tiny_provider import TinyProvider

TOKEN = "a-token"
FILES = [("/media/a.mp4", 123_456, 60_000), ("/media/a hd.mkv", 223_456, 60_000)]


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as sim:
        sim.add_section("Movies")
        yield sim


@pytest.fixture
def server(sim: PlexSim) -> Iterator[PlexServer]:
    with requests.Session() as session:
        yield PlexServer(sim.url, TOKEN, session=session)


def test_it_connects_and_lists_libraries(sim: PlexSim, server: PlexServer) -> None:
    sim.add_section("Clips", locations=("/clips",), agent="tv.plex.agents.none")

    sections = server.library.sections()

    assert server.friendlyName == "Simulated Plex"
    assert [(section.title, section.type, section.locations) for section in sections] == [
        ("Movies", "movie", ["/media"]),
        ("Clips", "movie", ["/clips"]),
    ]


def test_it_is_told_that_its_token_is_bad(sim: PlexSim) -> None:
    with requests.Session() as session, pytest.raises(Unauthorized):
        PlexServer(sim.url, "wrong", session=session)


def test_it_reads_an_item(sim: PlexSim, server: PlexServer) -> None:
    cast = [("Ann", "Queen"), ("Bob", ""), ("Cy", ""), ("Di", "")]
    key = sim.add_movie(
        "1",
        FILES,
        title="A",
        summary="S",
        studio="St",
        userRating=8.5,
        genre=["g", "h"],
        actor=cast,
        collection=["Best"],
    )
    sim.hand_edit(key, tagline="mine")

    (movie,) = server.library.section("Movies").all()
    movie.reload()

    assert (movie.title, movie.summary, movie.studio, movie.userRating) == ("A", "S", "St", 8.5)
    assert [genre.tag for genre in movie.genres] == ["g", "h"]
    assert [(role.tag, role.role) for role in movie.roles] == [
        ("Ann", "Queen"),
        ("Bob", None),
        ("Cy", None),
        ("Di", None),
    ]
    assert [collection.tag for collection in movie.collections] == ["Best"]
    assert [(field.name, field.locked) for field in movie.fields] == [("tagline", True)]
    assert movie.locations == [path for path, _, _ in FILES]
    assert [part.size for part in movie.iterParts()] == [size for _, size, _ in FILES]


def test_it_walks_a_large_library_page_by_page(sim: PlexSim, server: PlexServer) -> None:
    for number in range(250):
        sim.add_movie("1", [(f"/media/{number:03}.mp4", 1, 1)])

    section = server.library.section("Movies")

    assert [movie.title for movie in section.all()] == [f"{number:03}" for number in range(250)]
    assert section.totalSize == 250
    assert sim.count("GET", "/library/sections/1/all") == 4


def test_it_searches_and_sorts(sim: PlexSim, server: PlexServer) -> None:
    sim.add_movie("1", FILES, title="Ann", genre=["x"], year=2001)
    sim.add_movie("1", FILES, title="Hannah", genre=["y"], year=1999)
    section = server.library.section("Movies")

    assert [movie.title for movie in section.search(title="ann", sort="year")] == ["Hannah", "Ann"]
    assert [movie.title for movie in section.search(genre="y")] == ["Hannah"]
    assert [movie.title for movie in section.search(filters={"year>>": 2000})] == ["Ann"]
    assert [choice.title for choice in section.listFilterChoices("genre")] == ["x", "y"]
    assert section.get("Hannah").year == 1999


def test_it_edits_fields_and_tags(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", FILES, title="A", genre=["old, one"])
    movie = server.fetchItem(int(key))

    movie.editTitle("B").editSummary("s & t").addGenre(["new"]).addCollection("Best").editOriginallyAvailable(
        "2020-02-01"
    )
    movie.removeGenre(["old, one"], locked=False).editContentRating("XXX", locked=False).reload()

    assert (movie.title, movie.summary, movie.contentRating, movie.year) == ("B", "s & t", "XXX", 2020)
    assert movie.originallyAvailableAt == datetime(2020, 2, 1)
    assert [genre.tag for genre in movie.genres] == ["new"]
    assert {field.name for field in movie.fields} == {"title", "summary", "collection", "originallyAvailableAt"}
    collection = server.library.section("Movies").collection("Best")
    assert [item.ratingKey for item in collection.items()] == [movie.ratingKey]
    assert collection.childCount == 1


def test_it_saves_many_edits_at_once(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", FILES, title="A", label=["gone"])
    movie = server.fetchItem(int(key))
    sim.clear_log()

    movie.batchEdits()
    movie.editTitle("B").editUserRating(7).addLabel("kept").addDirector(["D, Jr.", "E"]).removeLabel("gone")
    movie.saveEdits()

    assert sim.count("PUT") == 1
    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["userRating"]) == ("B", 7.0)
    assert (item.lists["director"], item.lists["label"]) == (["D, Jr.", "E"], ["kept"])


def test_it_edits_several_items_in_one_call(sim: PlexSim, server: PlexServer) -> None:
    keys = [sim.add_movie("1", FILES) for _ in range(3)]
    section = server.library.section("Movies")

    section.batchMultiEdits(section.all()[:2]).addLabel("both").saveMultiEdits()

    assert [sim.item(key).lists["label"] for key in keys] == [["both"], ["both"], []]


def test_it_uploads_and_selects_posters(sim: PlexSim, server: PlexServer, tmp_path: Path) -> None:
    key = sim.add_movie("1", FILES)
    picture = tmp_path / "poster.jpg"
    picture.write_bytes(b"\xff\xd8\xff picture")
    movie = server.fetchItem(int(key))

    movie.uploadPoster(filepath=str(picture))
    frame, uploaded = movie.posters()
    assert uploaded.ratingKey.endswith(hashlib.sha1(picture.read_bytes()).hexdigest())
    assert (frame.selected, uploaded.selected) == (False, True)

    movie.setPoster(frame)
    assert [poster.selected for poster in movie.posters()] == [True, False]
    movie.unlockPoster().reload()
    assert "thumb" not in {field.name for field in movie.fields}


def test_it_rates_watches_and_scans(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", FILES)
    movie = server.fetchItem(int(key))

    movie.rate(6.5)
    movie.markPlayed()
    movie.reload()
    assert (movie.userRating, movie.isPlayed) == (6.5, True)

    sim.stage_movie("1", [("/media/b.mp4", 1, 1)])
    section = server.library.section("Movies")
    section.update(path="/media")
    assert [activity.type for activity in server.activities] == ["library.update.section"]
    sim.finish_scan("1")
    assert len(section.all()) == 2


def test_it_is_told_that_an_item_is_gone(sim: PlexSim, server: PlexServer) -> None:
    with pytest.raises(NotFound):
        server.fetchItem(999)


def test_it_gives_people_a_role_and_a_picture(sim: PlexSim, server: PlexServer) -> None:
    """A picture is the person's, and shows wherever the person does; a role belongs to one item."""
    keys = [sim.add_movie("1", [(f"/media/{n}.mp4", n, 1000)], title=f"M{n}", actor=["Ann"]) for n in (71, 72)]
    movie = server.fetchItem(int(keys[0]))
    movie.edit(
        **{
            "actor[0].tag.tag": "Ann",
            "actor[0].tagging.text": "Queen",
            "actor[0].tag.thumb": "https://example.org/1.jpg",
            "actor.locked": 1,
        }
    )
    first, second = (server.fetchItem(int(key)) for key in keys)
    assert [(role.tag, role.role, role.thumb) for role in first.roles] == [
        ("Ann", "Queen", "https://example.org/1.jpg")
    ]
    assert [(role.tag, role.role, role.thumb) for role in second.roles] == [("Ann", None, "https://example.org/1.jpg")]


def test_it_gives_a_library_a_metadata_provider_and_fixes_a_match(sim: PlexSim, server: PlexServer) -> None:
    scenes = {"a.mp4": {"title": "Alpha"}, "b.mp4": {"title": "Beta", "year": 2001}}
    with TinyProvider(scenes) as tiny:
        identifier = sim.use_provider("1", tiny.base)
        key = sim.add_movie("1", [("/media/c.mp4", 1, 60_000)])
        sim.wait_for_asks(HANG)
        library, movie = server.library.sectionByID(1), server.fetchItem(int(key))
        assert (library.agent, movie.title, movie.guid) == (identifier, "c", f"local://{key}")

        found = movie.matches(title="any", year=1999)
        movie.fixMatch(found[1])
        sim.wait_for_asks(HANG)

        assert [(one.name, one.score) for one in found] == [("Alpha", 100), ("Beta", 99)]
        assert json.loads(tiny.asked("matches")[-1].body) == {
            "type": 1,
            "title": "any",
            "year": 1999,
            "filename": "c.mp4",
            "manual": 1,
        }
        movie.reload()
        assert (movie.title, movie.year, movie.guid) == ("Beta", 2001, f"{identifier}://movie/b")

        movie.unmatch()
        library.edit(agent="tv.plex.agents.movie")
        assert server.fetchItem(int(key)).guid == f"local://{key}"
        assert sim.agent_of("1") == ("tv.plex.agents.movie", "1")
