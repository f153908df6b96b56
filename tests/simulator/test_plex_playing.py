"""What people play on the simulated Plex: sessions and reports as plexapi reads and sends them, and the events of them."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests
from plexapi.exceptions import BadRequest, Unauthorized
from plexapi.server import PlexServer

from plexsync.http.connections import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.plex.events import TARGET
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.http_answers import Server
from plexsync.simulator.plex_server import EPOCH, PlexSim
from tests.patience import HANG, until

TOKEN = "a-token"
FILE = ("/media/a.mp4", 123_456, 60_000)


@pytest.fixture
def clock() -> list[float]:
    """The seconds that have passed."""
    return [0.0]


@pytest.fixture
def sim(clock: list[float]) -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN, clock=lambda: clock[0]) as sim:
        sim.add_section("Movies")
        yield sim


@pytest.fixture
def server(sim: PlexSim) -> Iterator[PlexServer]:
    with requests.Session() as session:
        yield PlexServer(sim.url, TOKEN, session=session)


@pytest.fixture
def told(sim: PlexSim) -> Iterator[list[tuple[str, str, str, int]]]:
    """The events of sessions so far: session, item, state and offset."""
    entries: list[tuple[str, str, str, int]] = []
    stop = threading.Event()
    plex = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
    socket = EventSocket(plex, sim.url, TARGET, headers={"X-Plex-Token": TOKEN}, timeouts=Timeouts(HANG, HANG))

    def listen() -> None:
        for message in socket.messages(stop.is_set):
            container = json.loads(message)["NotificationContainer"] if message else {}
            for one in container.get("PlaySessionStateNotification", ()):
                entries.append((one["sessionKey"], one["ratingKey"], one["state"], one["viewOffset"]))

    thread = threading.Thread(target=listen)
    thread.start()
    until(sim.listeners)
    yield entries
    stop.set()
    thread.join(HANG)


def test_a_session_is_listed_with_its_account_and_player_until_it_stops(sim: PlexSim, server: PlexServer) -> None:
    guest = sim.add_account("guest")
    one, two = (sim.add_movie("1", [FILE], title=title) for title in "ab")
    sim.play(two)

    sim.sessions.start(one, 5_000)
    sim.sessions.pause(two, 31_000, account=guest, player="tablet")

    shown = {session.title: session for session in server.sessions()}
    assert {title: (session.usernames, session.viewOffset) for title, session in shown.items()} == {
        "a": (["someone"], 5_000),
        "b": (["guest"], 31_000),
    }
    assert (shown["b"].player.machineIdentifier, shown["b"].player.state, shown["b"].player.userID) == (
        "tablet",
        "paused",
        str(guest),
    )
    assert shown["b"].viewCount == 0, "the owner has played it, the guest has not"
    assert shown["a"].session.location == "lan"
    assert shown["a"].sessionKey != shown["b"].sessionKey

    sim.sessions.stop(one, 6_000)
    assert [session.title for session in server.sessions()] == ["b"]
    sim.remove(two)
    assert server.sessions() == []


def test_every_report_is_told_to_listeners_without_an_account(sim: PlexSim, told: list) -> None:
    guest = sim.add_account("guest")
    one, two = (sim.add_movie("1", [FILE], title=title) for title in "ab")

    sim.sessions.start(one)
    sim.sessions.pause(one, 9_000)
    sim.sessions.pause(one, 9_000)
    sim.sessions.start(two, account=guest)
    sim.sessions.start(one, 9_000)
    sim.sessions.stop(one, 12_000)
    sim.sessions.finish(two, account=guest)
    sim.sessions.start(one, 12_000)

    expected = [
        ("1", one, "playing", 0),
        ("1", one, "paused", 9_000),
        ("1", one, "paused", 9_000),
        ("2", two, "playing", 0),
        ("1", one, "playing", 9_000),
        ("1", one, "stopped", 12_000),
        ("2", two, "stopped", 60_000),
        ("3", one, "playing", 12_000),
    ]
    until(lambda: len(told) >= len(expected))
    assert told == expected


def test_a_player_that_goes_on_with_another_item_has_another_session(sim: PlexSim, told: list) -> None:
    one, two = (sim.add_movie("1", [FILE], title=title) for title in "ab")

    sim.sessions.start(one)
    sim.sessions.start(two)

    until(lambda: len(told) >= 2)
    assert told == [("1", one, "playing", 0), ("2", two, "playing", 0)]


def test_the_stop_of_a_session_may_be_told_under_another_number(sim: PlexSim, server: PlexServer, told: list) -> None:
    sim.traits.stops_anew = True
    key = sim.add_movie("1", [FILE])

    sim.sessions.start(key)
    sim.sessions.stop(key, 9_000)

    until(lambda: len(told) >= 2)
    assert told == [("1", key, "playing", 0), ("2", key, "stopped", 9_000)]
    assert server.sessions() == []


def test_a_stop_in_the_middle_keeps_the_place_and_one_near_the_end_is_a_play(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE])

    sim.advance(100)
    sim.sessions.stop(key, 53_999)
    movie = server.fetchItem(int(key))
    assert (movie.viewOffset, movie.viewCount) == (53_999, 0)
    assert movie.lastViewedAt == datetime.fromtimestamp(EPOCH + 100)
    assert server.history() == []

    sim.advance(100)
    sim.sessions.stop(key, 54_000)
    movie = server.fetchItem(int(key))
    assert (movie.viewOffset, movie.viewCount) == (0, 1)
    (play,) = server.history()
    assert (play.viewedAt, play.accountID) == (datetime.fromtimestamp(EPOCH + 200), 1)


def test_a_guests_play_is_in_the_history_alone(sim: PlexSim, server: PlexServer) -> None:
    guest = sim.add_account("guest")
    key = sim.add_movie("1", [FILE])

    sim.sessions.pause(key, 31_000, account=guest)
    sim.sessions.finish(key, account=guest)

    movie = server.fetchItem(int(key))
    assert (movie.viewOffset, movie.viewCount, movie.lastViewedAt) == (0, 0, None)
    assert [play.accountID for play in server.history()] == [guest]
    with pytest.raises(KeyError):
        sim.sessions.start(key, account=99)


def test_a_movie_of_unknown_length_is_a_play_only_at_its_end(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [("/media/b.mp4", 5, 0)])

    sim.sessions.stop(key, 31_000)
    assert server.history() == []
    sim.sessions.finish(key)
    assert len(server.history()) == 1


def test_the_history_may_have_the_row_later_than_the_event(
    sim: PlexSim, server: PlexServer, clock: list[float]
) -> None:
    sim.traits.history_lag = 3.0
    key = sim.add_movie("1", [FILE])

    sim.sessions.finish(key)
    clock[0] = 2.9
    assert (server.history(), server.fetchItem(int(key)).viewCount) == ([], 1)

    clock[0] = 3.0
    assert [play.viewedAt for play in server.history()] == [datetime.fromtimestamp(EPOCH)]


def test_a_restart_ends_all_sessions(sim: PlexSim, server: PlexServer, clock: list[float]) -> None:
    sim.traits.history_lag = 3.0
    one, two = (sim.add_movie("1", [FILE], title=title) for title in "ab")
    sim.sessions.start(one)
    sim.sessions.finish(two, player="tablet")

    sim.restore(sim.backup())

    clock[0] = 9.0
    assert (server.sessions(), server.history()) == ([], [])
    sim.sessions.start(two, player="tablet")
    assert [session.sessionKey for session in server.sessions()] == [1], "sessions are numbered anew"


def test_the_sessions_may_be_for_the_owner_alone(sim: PlexSim, server: PlexServer) -> None:
    sim.traits.history_status = 401
    with pytest.raises(Unauthorized):
        server.sessions()


# the reports of players


def test_a_player_reports_where_it_is(sim: PlexSim, server: PlexServer, told: list) -> None:
    key = sim.add_movie("1", [FILE])
    movie = server.fetchItem(int(key))

    movie.updateTimeline(20_000, state="paused")

    assert [(session.player.state, session.viewOffset) for session in server.sessions()] == [("paused", 20_000)]
    assert server.fetchItem(int(key)).viewOffset == 20_000
    movie.updateTimeline(60_000, state="stopped")
    assert server.sessions() == []
    assert [play.accountID for play in server.history()] == [1]
    until(lambda: len(told) >= 2)
    assert told == [("1", key, "paused", 20_000), ("1", key, "stopped", 60_000)]


def test_progress_is_set_without_a_player(sim: PlexSim, server: PlexServer) -> None:
    key = sim.add_movie("1", [FILE])

    server.fetchItem(int(key)).updateProgress(31_000)

    assert server.fetchItem(int(key)).viewOffset == 31_000
    assert server.sessions() == []


def test_what_was_played_offline_has_its_own_moment_and_no_event(sim: PlexSim, server: PlexServer, told: list) -> None:
    key = sim.add_movie("1", [FILE])
    query = f"ratingKey={key}&key=/library/metadata/{key}&state=stopped&time=60000&updated={EPOCH - 500}&offline=1"

    server.query(f"/:/timeline?{query}", method=server._session.post)
    sim.sessions.start(key)

    assert [play.viewedAt for play in server.history()] == [datetime.fromtimestamp(EPOCH - 500)]
    until(lambda: told)
    assert told == [("1", key, "playing", 0)]


@pytest.mark.parametrize(
    "query",
    [
        "state=playing&time=1",
        "ratingKey=99&state=playing&time=1",
        "ratingKey=1&state=singing&time=1",
        "ratingKey=1&state=playing&time=soon",
        "ratingKey=one&state=playing&time=1",
        "ratingKey=1&state=stopped&time=1&offline=1",
    ],
)
def test_a_report_that_says_too_little_is_refused(sim: PlexSim, server: PlexServer, query: str) -> None:
    sim.add_movie("1", [FILE])
    with pytest.raises(BadRequest, match="400"):
        server.query(f"/:/timeline?{query}")
    assert server.sessions() == []


def test_a_report_without_a_player_is_refused(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE])
    path = f"{sim.url}/:/timeline?ratingKey={key}&state=playing&time=1"
    assert requests.post(path, headers={"X-Plex-Token": TOKEN}, timeout=HANG).status_code == 400
    headers = {"X-Plex-Token": TOKEN, "X-Plex-Client-Identifier": "tablet", "Accept": "application/json"}
    answer = requests.post(path, headers=headers, timeout=HANG)
    assert (answer.status_code, answer.json()) == (200, {"MediaContainer": {"size": 0}})
