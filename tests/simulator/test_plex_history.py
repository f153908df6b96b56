"""Accounts, what they played, settings, and collections as items of their own, read by plexapi where it has a call."""

import http.client
import json
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests
from plexapi.server import PlexServer

from plexsync.simulator.plex_server import EPOCH, PlexSim
from tests.patience import HANG

TOKEN = "a-token"
FILE = ("/media/a.mp4", 123_456, 60_000)


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as sim:
        sim.add_section("Movies")
        sim.add_section("Clips", agent="com.plexapp.agents.none")
        yield sim


@pytest.fixture
def server(sim: PlexSim) -> Iterator[PlexServer]:
    with requests.Session() as session:
        yield PlexServer(sim.url, TOKEN, session=session)


def ask(sim: PlexSim, method: str, path: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    try:
        connection.request(method, path, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        is_json = body.startswith(b"{")
        return answer.status, json.loads(body)["MediaContainer"] if is_json else {}
    finally:
        connection.close()


# who played what


def test_accounts_are_listed_and_the_owner_is_the_first_with_a_name(sim: PlexSim, server: PlexServer) -> None:
    guest = sim.add_account("guest")

    accounts = [(account.id, account.name) for account in server.systemAccounts()]
    assert accounts == [(0, ""), (1, "someone"), (guest, "guest")]


def test_a_play_is_in_the_history_and_counts_for_its_account(sim: PlexSim, server: PlexServer) -> None:
    guest = sim.add_account("guest")
    first, second = sim.add_movie("1", [FILE], title="a"), sim.add_movie("2", [FILE], title="b")
    sim.play(first, at=EPOCH + 10)
    sim.play(second, at=EPOCH + 20)
    sim.play(first, account=guest, at=EPOCH + 30, device=7)

    plays = server.history()

    assert [(play.title, play.accountID, play.deviceID) for play in plays] == [
        ("a", guest, 7),
        ("b", 1, 1),
        ("a", 1, 1),
    ]
    assert [play.title for play in server.history(accountID=1)] == ["b", "a"]
    assert [play.title for play in server.history(librarySectionID=2)] == ["b"]
    assert [play.accountID for play in server.history(ratingKey=int(first))] == [guest, 1]
    assert [play.title for play in server.history(mindate=datetime.fromtimestamp(EPOCH + 20))] == ["a"]
    movie = server.fetchItem(int(first))
    assert (movie.viewCount, movie.lastViewedAt) == (1, datetime.fromtimestamp(EPOCH + 10))


def test_the_history_is_paged(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE])
    for second in range(5):
        sim.play(key, at=EPOCH + second)

    path = "/status/sessions/history/all?sort=viewedAt:asc&X-Plex-Container-Start=3&X-Plex-Container-Size=9"
    page = ask(sim, "GET", path)[1]

    assert (page["size"], page["totalSize"], page["offset"]) == (2, 5, 3)
    assert [play["viewedAt"] for play in page["Metadata"]] == [EPOCH + 3, EPOCH + 4]


def test_marked_as_played_writes_no_history(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE])

    server.fetchItem(int(key)).markPlayed()

    assert server.fetchItem(int(key)).viewCount == 1
    assert server.history() == []


def test_an_entry_outlives_its_item_and_can_be_deleted(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE], title="a")
    entry = sim.play(key)
    sim.remove(key)

    (play,) = server.history()
    assert (play.title, play.historyKey, play.ratingKey) == ("a", entry, None)

    play.delete()
    assert server.history() == []
    assert ask(sim, "GET", entry)[0] == 404


def test_a_movie_is_resumed_where_it_was_left(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE])

    sim.pause(key, 31_000)
    assert (server.fetchItem(int(key)).viewOffset, server.history()) == (31_000, [])

    sim.play(key)
    assert server.fetchItem(int(key)).viewOffset == 0


@pytest.mark.parametrize(
    ("viewings", "listed"), [("filtered", "ca"), ("sorted", "cab"), ("neither", "abc")], ids=lambda given: given
)
def test_a_library_is_filtered_and_sorted_by_the_last_view_if_it_can(sim: PlexSim, viewings: str, listed: str) -> None:
    first, _, third = (sim.add_movie("1", [(f"/media/{name}.mp4", 5, 60_000)], title=name) for name in "abc")
    path = "/library/sections/1/all?type=1&sort=lastViewedAt:desc&lastViewedAt>>=5"
    ask(sim, "GET", path)
    sim.advance(10)
    sim.pause(first, 31_000)
    sim.advance(10)
    sim.pause(third, 7_000)
    sim.traits.viewings = viewings

    status, container = ask(sim, "GET", path)

    assert status == 200
    assert "".join(item["title"] for item in container["Metadata"]) == listed


# settings


def test_settings_of_the_server_and_of_a_library_are_read_and_written(sim: PlexSim, server: PlexServer) -> None:
    section = server.library.section("Clips")

    assert server.settings.get("FriendlyName").value == ""
    assert {setting.id: setting.value for setting in section.settings()} == {
        "hidden": 0,
        "respectTags": False,
        "collectionMode": 2,
    }
    assert ask(sim, "PUT", "/library/sections/2/prefs?collectionMode=1&respectTags=1&unknown=5")[0] == 200
    assert ask(sim, "PUT", "/library/sections/2/prefs?hidden=7")[0] == 400

    assert {setting.id: setting.value for setting in section.settings()} == {
        "hidden": 0,
        "respectTags": True,
        "collectionMode": 1,
    }
    assert {one.id: one.value for one in server.library.section("Movies").settings()}["collectionMode"] == 2


# collections


def test_a_collection_has_texts_pictures_and_an_order_of_its_own(sim: PlexSim, server: PlexServer) -> None:
    keys = [
        sim.add_movie("1", [FILE], title=title, collection=["Best"], year=year)
        for title, year in (("a", 2001), ("b", 1999))
    ]
    best = server.library.section("Movies").collection("Best")

    best.editTitle("Finest").editSortTitle("!1").editSummary("S").modeUpdate("hide").sortUpdate("custom")
    best.moveItem(server.fetchItem(int(keys[1])))
    best.reload()

    assert (best.title, best.titleSort, best.summary) == ("Finest", "!1", "S")
    assert (best.collectionMode, best.collectionSort) == (0, 2)
    assert (best.minYear, best.maxYear, best.childCount) == (1999, 2001, 2)
    assert [item.title for item in best.items()] == ["b", "a"]
    assert sim.item(keys[0]).lists["collection"] == ["Finest"]
    listed = ask(sim, "GET", "/library/sections/1/all?type=1")[1]["Metadata"][0]
    assert listed["Collection"] == [{"tag": "Finest"}]


def test_a_collection_shows_a_picture_once_one_was_uploaded(sim: PlexSim, server: PlexServer, tmp_path) -> None:
    sim.add_movie("1", [FILE], collection=["Best"])
    best = server.library.section("Movies").collection("Best")
    assert "/composite/" in best.thumb
    picture = tmp_path / "poster.jpg"
    picture.write_bytes(b"\xff\xd8\xff picture")

    best.uploadPoster(filepath=str(picture))
    best.reload()

    assert best.thumb.startswith(f"/library/metadata/{best.ratingKey}/thumb/")
    assert {field.name for field in best.fields} == {"thumb"}


def test_a_collection_can_be_shown_on_the_home_screen(sim: PlexSim, server: PlexServer) -> None:
    sim.add_movie("1", [FILE], collection=["Best"])
    best = server.library.section("Movies").collection("Best")

    hub = best.visibility()
    assert (hub.promotedToRecommended, hub.promotedToOwnHome) == (False, False)

    hub.updateVisibility(recommended=True, home=True)
    shown = best.visibility()
    assert (shown.recommendationsVisibility, shown.homeVisibility, shown.promotedToOwnHome) == ("all", "admin", True)

    shown.demoteHome()
    assert best.visibility().homeVisibility == "none"
    best.visibility().remove()
    assert ask(sim, "GET", "/hubs/sections/1/manage")[1]["size"] == 0


def test_a_smart_collection_says_so_and_no_tag_carries_it(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE], title="a")
    sim.add_smart_collection("1", "Recent", [key])

    recent = server.library.section("Movies").collection("Recent")

    assert (recent.smart, [item.title for item in recent.items()]) == (True, ["a"])
    assert recent.content.startswith("/library/sections/1/all?")
    assert sim.item(key).lists["collection"] == []
    sim.remove(key)
    assert sim.collections("1") == {"Recent": []}


def test_what_is_no_collection_has_no_members_to_move(sim: PlexSim) -> None:
    key, other = (sim.add_movie("1", [FILE], title=title) for title in "ab")
    sim.hand_edit(key, collection=["Best"])
    best = sim.collection_keys("1")["Best"]

    assert ask(sim, "PUT", f"/library/collections/{key}/items/{other}/move")[0] == 404
    assert ask(sim, "PUT", f"/library/collections/{best}/items/{other}/move")[0] == 404
    assert ask(sim, "POST", f"/hubs/sections/1/manage?metadataItemId={key}")[0] == 404
    assert ask(sim, "PUT", "/hubs/sections/1/manage/custom.collection.1.99")[0] == 404
