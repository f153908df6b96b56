"""What the client reads of what is played now: from a Plex that behaves, and from odd answers."""

import json

import httpx2
import pytest

from plexsync.plex.client import PlexClient
from plexsync.plex.history import PlexHistory
from plexsync.rules.records import PlexSession
from plexsync.rules.servers.errors import Refused, Unavailable
from plexsync.simulator.http import Fault
from tests.plex.conftest import TOKEN
from tests.tables import table
from tests.transports import saying

OWNER = 1


def movies(sim, *lengths):
    return [sim.add_movie("1", [(f"/media/{length}.mp4", 5, length)], title=str(length)) for length in lengths]


def test_a_session_says_who_plays_what_where_and_how_far(sim, plex):
    watch: PlexHistory = plex.history
    guest = sim.add_account("guest")
    one, two = movies(sim, 60_000, 0)
    sim.sessions.start(one, 5_000, player="Living room")
    sim.sessions.pause(two, 31_000, account=guest, player="Tablet")
    sim.clear_log()

    assert watch.sessions() == [
        PlexSession("1", one, OWNER, "Living room", "Living room", 60_000),
        PlexSession("2", two, guest, "Tablet", "Tablet", 0),
    ]
    assert len(sim.log) == 1


def test_one_item_on_two_players_is_two_sessions(sim, plex):
    (key,) = movies(sim, 60_000)
    sim.sessions.start(key, 5_000, player="Living room")
    sim.sessions.start(key, 9_000, player="Tablet")

    assert [(one.session, one.item, one.machine) for one in plex.history.sessions()] == [
        ("1", key, "Living room"),
        ("2", key, "Tablet"),
    ]


def test_what_has_stopped_is_no_session(sim, plex):
    (key,) = movies(sim, 60_000)
    assert plex.history.sessions() == []
    sim.sessions.start(key)
    sim.sessions.stop(key, 9_000)
    assert plex.history.sessions() == []


def test_a_restarted_plex_counts_its_sessions_anew(sim, plex):
    (key,) = movies(sim, 60_000)
    sim.sessions.start(key, player="Tablet")
    sim.sessions.start(key, player="Living room")
    sim.sessions.restart()
    sim.sessions.start(key, 20_000, player="Living room")

    assert [(one.session, one.player) for one in plex.history.sessions()] == [("1", "Living room")]


@pytest.mark.parametrize("status", [401, 403])
def test_sessions_that_are_not_shown_stop_nothing_else(sim, plex, status):
    sim.traits.history_status = status

    with pytest.raises(Refused, match=rf"\({status}\).*; only the owner of a Plex server") as raised:
        plex.history.sessions()

    assert TOKEN not in str(raised.value)
    assert [section.title for section in plex.sections()] == ["Movies"]


# --- odd answers -----------------------------------------------------------------------------------------------------


def row(number, **more):
    """A row as servers send it, without most of its item."""
    return {
        "sessionKey": str(number),
        "ratingKey": str(700 + number),
        "type": "movie",
        "duration": 60_000,
        "viewOffset": 1_000 * number,
        "User": {"id": "1", "title": "someone"},
        "Player": {"title": "Living room", "machineIdentifier": "abc", "state": "playing"},
        **more,
    }


def without(metadata, *names):
    return {name: value for name, value in metadata.items() if name not in names}


def sessions(*rows):
    body = json.dumps({"MediaContainer": {"size": len(rows), "Metadata": list(rows)}}).encode()
    return PlexClient("http://nas", TOKEN, transport=saying(body)).history.sessions()


def test_only_movies_are_played():
    others = [row(2, type="episode"), row(3, type="track"), row(4, type="clip"), row(5, type="photo")]
    assert [session.item for session in sessions(row(1), *others, row(6))] == ["701", "706"]


def test_numbers_come_as_numbers_or_texts():
    texts = row(1, duration="60000", viewOffset="1000")
    numbers = row(1, sessionKey=1, ratingKey=701, User={"id": 1})
    assert sessions(texts, numbers) == [PlexSession("1", "701", 1, "Living room", "abc", 60_000)] * 2


@table(
    "odd",
    [
        without(row(2), "sessionKey"),
        row(2, sessionKey=None),
        row(2, sessionKey=""),
        row(2, sessionKey="../1"),
        without(row(2), "ratingKey"),
        row(2, ratingKey="x"),
        row(2, ratingKey=-1),
        without(row(2), "type"),
        without(row(2), "User"),
        row(2, User=None),
        row(2, User={}),
        row(2, User={"id": "me"}),
        row(2, User={"id": "9" * 5000}),
        row(2, User=[{"id": "1"}]),
        row(2, Player=7),
        row(2, duration=[]),
        None,
        [],
        "row",
    ],
)
def test_a_row_that_can_not_be_read_costs_only_itself(odd):
    assert [session.item for session in sessions(row(1), odd, row(3))] == ["701", "703"]


@table("length", [None, "", 0, -5, "long", 10**13])
def test_a_length_that_can_not_be_is_none(length):
    (session,) = sessions(row(1, duration=length, viewOffset=length))
    assert session.length == 0
    (session,) = sessions(without(row(1), "duration", "viewOffset"))
    assert session.length == 0


@table(
    ("player", "name"),
    [
        (None, ""),
        ({}, ""),
        ({"title": None}, ""),
        ({"title": "  Living\r\nroom\x00\x1b "}, "Living room"),
        ({"title": f"{TOKEN} of Ann"}, "*** of Ann"),
        ({"title": "x" * 300}, "x" * 200),
    ],
)
def test_the_name_of_a_player_is_one_short_line(player, name):
    (session,) = sessions(row(1, Player=player))
    assert (session.player, session.machine) == (name, "")


@table(
    "container",
    [
        {"Metadata": [row(1)]},
        {"size": 2, "Metadata": [row(1)]},
        {"size": 1},
        {"size": 1, "Metadata": {}},
        {"size": "many", "Metadata": []},
        [],
        None,
    ],
)
def test_a_listing_that_contradicts_itself_is_not_taken_for_an_empty_one(container):
    body = json.dumps({"MediaContainer": container}).encode()
    with pytest.raises(Unavailable):
        PlexClient("http://nas", TOKEN, transport=saying(body)).history.sessions()


# --- when a play counts ----------------------------------------------------------------------------------------------


def prefs(**values):
    rows = [{"id": name, "value": value} for name, value in values.items()]
    return json.dumps({"MediaContainer": {"size": len(rows), "Setting": rows}}).encode()


def test_plex_tells_from_which_percentage_on_it_counts_a_play(sim, plex):
    watch: PlexHistory = plex.history
    assert watch.played_threshold() == 90
    httpx2.put(f"{sim.url}/:/prefs?LibraryVideoPlayedThreshold=50&X-Plex-Token={TOKEN}")
    sim.clear_log()
    assert watch.played_threshold() == 50
    assert len(sim.log) == 1


@table("value", [0, 101, -1, "90", True, 90.5, None, [90]])
def test_a_percentage_that_is_none_is_not_told(value):
    client = PlexClient("http://plex.invalid", TOKEN, transport=saying(prefs(LibraryVideoPlayedThreshold=value)))
    assert client.history.played_threshold() is None
    client.close()


def test_a_plex_without_that_setting_does_not_tell():
    client = PlexClient("http://plex.invalid", TOKEN, transport=saying(prefs(FriendlyName="x")))
    assert client.history.played_threshold() is None
    client.close()


def test_settings_that_are_no_list_are_no_answer():
    client = PlexClient("http://plex.invalid", TOKEN, transport=saying(b'{"MediaContainer": {"size": 1}}'))
    with pytest.raises(Unavailable):
        client.history.played_threshold()
    client.close()


def test_settings_that_are_hidden_are_refused(sim, plex):
    sim.faults.set(Fault("status", status=403, when=lambda request: request.path == "/:/prefs"))
    with pytest.raises(Refused):
        plex.history.played_threshold()
