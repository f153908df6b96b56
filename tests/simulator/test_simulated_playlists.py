"""Playlists of the simulated Plex: a client of the real server makes, fills, orders, edits and deletes them."""

from collections.abc import Iterator

import pytest
import requests
from plexapi.exceptions import BadRequest, NotFound
from plexapi.playlist import Playlist
from plexapi.server import PlexServer

from plexsync.simulator.plex_server import PlexSim

TOKEN, OTHER = "a-token", "another-token"


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as sim:
        section = sim.add_section("Movies")
        for n in range(4):
            sim.add_movie(section, [(f"/media/{n}.mp4", 1, 1)], title=f"Movie {n}")
        sim.account_tokens[OTHER] = sim.add_account("Ann")
        yield sim


@pytest.fixture
def server(sim: PlexSim) -> Iterator[PlexServer]:
    with requests.Session() as session:
        yield PlexServer(sim.url, TOKEN, session=session)


def test_a_playlist_is_made_filled_ordered_edited_and_deleted(sim: PlexSim, server: PlexServer) -> None:
    movies = server.library.section("Movies").all()
    playlist = Playlist.create(server, "Evening", items=movies[:2])
    playlist.addItems(movies[2:])
    assert [item.title for item in playlist.items()] == ["Movie 0", "Movie 1", "Movie 2", "Movie 3"]
    items = playlist.reload().items()
    playlist.moveItem(items[3]).moveItem(items[0], after=items[1])
    assert [item.title for item in playlist.reload().items()] == ["Movie 3", "Movie 1", "Movie 0", "Movie 2"]
    playlist.removeItems(items[1]).editTitle("Night").editSummary("Late")
    playlist.reload()
    assert [(one.title, one.summary, one.leafCount, one.smart) for one in server.playlists()] == [
        ("Night", "Late", 3, False)
    ]
    assert {field.name for field in playlist.fields} == {"title", "summary"}
    playlist.delete()
    assert server.playlists() == [] == list(sim.playlists())
    with pytest.raises(NotFound):
        playlist.reload()


def test_an_item_stands_in_a_playlist_as_often_as_it_is_added_and_goes_with_its_files(
    sim: PlexSim, server: PlexServer
) -> None:
    movies = server.library.section("Movies").all()
    playlist = Playlist.create(server, "Evening", items=[movies[0], movies[1]])
    playlist.addItems(movies[0])
    (held,) = sim.playlists().values()
    assert held.members == ["1", "2", "1"]
    sim.remove("1")
    (held,) = sim.playlists().values()
    assert held.members == ["2"]


def test_an_account_sees_its_own_playlists_alone(sim: PlexSim, server: PlexServer) -> None:
    sim.add_playlist("Mine", "1")
    key = sim.add_playlist("Hers", "2", account=sim.account_tokens[OTHER])
    assert [one.title for one in server.playlists()] == ["Mine"]
    with requests.Session() as session:
        hers = PlexServer(sim.url, OTHER, session=session)
        assert [one.title for one in hers.playlists()] == ["Hers"]
    with pytest.raises(NotFound):
        server.fetchItem(f"/playlists/{key}")


def test_a_smart_playlist_takes_no_items_and_no_other_server_has_these(sim: PlexSim, server: PlexServer) -> None:
    sim.add_playlist("Unseen", smart="library://x")
    (smart,) = server.playlists()
    assert smart.smart
    with pytest.raises(BadRequest):
        server.query(f"/playlists/{smart.ratingKey}/items/1", method=requests.delete)
    uri = "server://another/com.plexapp.plugins.library/library/metadata/1"
    with pytest.raises(BadRequest):
        server.query(f"/playlists?type=video&smart=0&title=x&uri={uri}", method=server._session.post)


def test_a_backup_has_the_playlists(sim: PlexSim) -> None:
    key = sim.add_playlist("Evening", "1", "2")
    backup = sim.backup()
    sim.take_from_playlist(key, "2")
    sim.move_in_playlist(key, "1")
    sim.remove_playlist(key)
    sim.restore(backup)
    assert sim.playlists()[key].members == ["1", "2"]
