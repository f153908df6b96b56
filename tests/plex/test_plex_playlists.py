"""Playlists over HTTP, against a server that behaves and against answers that no Plex gives."""

import pytest

from plexsync.plex.collections import PlaylistClient
from plexsync.rules.collections.collection_servers import MOST_AT_ONCE
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.servers.errors import Missing, Unavailable
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from tests.plex.conftest import TOKEN
from tests.plex.test_plex_collections import answering

OTHER = "another-token"


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN) as running:
        running.add_section("Movies")
        for n in range(3):
            running.add_movie("1", [(f"/media/{n}.mp4", 1, 1000)])
        running.account_tokens[OTHER] = running.add_account("Ann")
        yield running


def listed(playlists: PlaylistClient, page: int = 500) -> dict[str, tuple[str, bool]]:
    found = (one for some in playlists.list_playlists(page=page) for one in some)
    return {one.key: (one.item.value("title"), one.smart) for one in found}


def test_a_playlist_is_made_filled_ordered_edited_and_deleted(sim, plex):
    playlists = plex.playlists
    key = playlists.create(sim.machine, "A & B", ["1", "2"])
    playlists.add(sim.machine, key, ["3"])
    places = {entry.item: entry.key for entry in playlists.entries(key)}
    assert list(places) == ["1", "2", "3"]
    playlists.move(key, places["3"])
    playlists.move(key, places["1"], after=places["2"])
    playlists.remove(key, places["2"])
    assert [entry.item for entry in playlists.entries(key, page=1)] == ["3", "1"]
    playlists.edit(key, {"title": Change("C", True), "summary": Change("Text", True)})
    plex.upload(key, "thumb", png(1, 2, 3))
    (page,) = playlists.list_playlists()
    (one,) = page
    assert (one.item.scalars, set(one.item.pictures)) == ({"title": "C", "summary": "Text"}, {"thumb"})
    playlists.delete(key)
    assert listed(playlists) == {}
    for gone in (lambda: playlists.delete(key), lambda: playlists.entries(key), lambda: playlists.move(key, "1")):
        with pytest.raises(Missing):
            gone()


def test_those_of_the_account_are_listed_in_pages_and_smart_ones_are_told_apart(sim, plex):
    keys = [sim.add_playlist(f"P{n}", "1") for n in range(4)]
    smart = sim.add_playlist("Smart", smart="library://x")
    sim.add_playlist("Hers", "1", account=sim.account_tokens[OTHER])
    expected = {**{key: (f"P{n}", False) for n, key in enumerate(keys)}, smart: ("Smart", True)}
    assert listed(plex.playlists) == listed(plex.playlists, page=2) == expected


@pytest.mark.parametrize("items", [(), tuple(map(str, range(MOST_AT_ONCE + 1))), ("1,2",), ("x",)])
def test_only_so_many_plain_keys_are_added_at_once(sim, plex, items):
    sim.clear_log()
    with pytest.raises(ValueError):
        plex.playlists.create(sim.machine, "A", items)
    with pytest.raises(ValueError):
        plex.playlists.add("a/b", "1", ["1"])
    assert sim.log == []


@pytest.mark.parametrize(
    "body",
    [
        '{"MediaContainer": {"size": 0}}',
        '{"MediaContainer": {"size": 1, "Metadata": [{"ratingKey": "x"}]}}',
        '{"MediaContainer": {"size": 2, "Metadata": [{"ratingKey": "1"}]}}',
        "{}",
    ],
)
def test_an_answer_that_names_no_playlist_is_that_of_no_plex(body):
    client = answering(body)
    with pytest.raises(Unavailable):
        client.playlists.create("machine", "A", ["1"])
    client.close()
