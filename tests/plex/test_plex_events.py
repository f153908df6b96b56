"""Listening to Plex: what is heard, how it ends, and where the token goes."""

import json
import threading
from itertools import islice

import pytest

from plexsync.plex.events import PlexEvents, events_of
from plexsync.rules.queue.events import Left, Scanned, SessionChanged, SessionState, Touched
from plexsync.rules.servers.errors import Barred, Unavailable
from plexsync.simulator.http import Answer, Fault, HttpServer
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG, until
from tests.tables import table

TOKEN = "events-plex-token"


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN, scan_seconds=None) as made:
        made.add_section("Movies", locations=("/media",))
        yield made


class Ears:
    """Listens in a thread; `heard` is what came so far, `error` how it ended."""

    def __init__(self, sim, token=TOKEN):
        self.heard, self.error = [], None
        self._stop = threading.Event()
        self._events = PlexEvents(sim.url, token, connect_timeout=30, read_timeout=HANG)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        until(lambda: sim.listeners() or self.error)

    def _listen(self):
        try:
            for events in self._events.listen(self._stop.is_set):
                self.heard += events
        except (Unavailable, Barred) as error:
            self.error = error

    def stop(self):
        """Listening ends, although nothing more is told."""
        self._stop.set()
        self._thread.join(HANG)
        assert not self._thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def test_items_that_come_change_and_go_and_scans_that_end_are_heard(sim):
    with Ears(sim) as ears:
        key = sim.add_movie("1", files=[("/media/a.mp4", 1, 1)], title="a")
        sim.hand_edit(key, title="By hand")
        stamp = sim.item(key).updated_at
        sim.scan("1")
        sim.finish_scan("1")
        sim.remove(key)
        until(lambda: Left(key, "1") in ears.heard)
        assert set(ears.heard) == {Touched(key, "1", 0), Touched(key, "1", stamp), Scanned("1"), Left(key, "1")}


def test_videos_without_an_agent_are_heard_although_they_are_never_done(sim):
    section = sim.add_section("Clips", locations=("/clips",), agent="com.plexapp.agents.none")
    with Ears(sim) as ears:
        key = sim.add_movie(section, files=[("/clips/a.mp4", 1, 1)])
        stamp = sim.item(key).updated_at
        until(lambda: Touched(key, section, stamp) in ears.heard)


def test_the_token_goes_in_a_header_and_never_in_the_address(sim):
    with Ears(sim):
        (request,) = [one for one in sim.log if "notifications" in one.path]
    assert request.headers["x-plex-token"] == TOKEN
    assert TOKEN not in request.target
    assert "x-plex-client-identifier" in request.headers


def test_a_wrong_token_is_barred_and_names_the_setting(sim):
    with Ears(sim, token="another") as ears:
        until(lambda: ears.error)
    assert isinstance(ears.error, Barred)
    assert ears.error.setting == "plex_token"
    assert "another" not in str(ears.error)


@pytest.mark.parametrize("how", ["refuse", "reset", "html", "status", "cut", "hangs up"])
def test_a_plex_that_can_not_be_listened_to_is_unavailable(sim, how):
    if how != "hangs up":
        sim.faults.set(Fault(how))
    with Ears(sim) as ears:
        sim.hang_up()
        until(lambda: ears.error)
    assert isinstance(ears.error, Unavailable)
    assert TOKEN not in str(ears.error)


def test_a_redirect_is_not_followed(sim):
    class Pointing(HttpServer):
        def answer(self, request):
            return Answer(302, b"", "text/html", {"Location": f"{sim.url}{request.target}"})

    with Pointing() as here:
        events = PlexEvents(here.url, TOKEN)
        with pytest.raises(Unavailable, match="points elsewhere"):
            list(events.listen(lambda: False))
    assert sim.log == []


def test_silence_is_told_as_nothing_so_that_whoever_listens_can_do_other_things(sim):
    events = PlexEvents(sim.url, TOKEN)
    heard = list(islice(events.listen(lambda: False), 4))
    assert heard[-1] == ()


def test_a_message_that_is_too_long_ends_it(sim):
    with Ears(sim) as ears:
        sim.tell_raw(b'"' + b"x" * 2_000_000 + b'"')
        until(lambda: ears.error)
    assert isinstance(ears.error, Unavailable)


def of(kind, **more):
    return json.dumps({"NotificationContainer": {"type": kind, "size": 1, **more}}).encode()


PLAYING = {"sessionKey": "4", "guid": "", "ratingKey": "7", "viewOffset": 31_000, "state": "playing"}
ENTRY = {"identifier": "com.plexapp.plugins.library", "sectionID": "2", "itemID": "7", "type": 1, "state": 5}


@table(
    ("message", "told"),
    [
        (of("timeline", TimelineEntry=[{**ENTRY, "updatedAt": 12}]), [Touched("7", "2", 12)]),
        (of("timeline", TimelineEntry=[{**ENTRY, "itemID": 7, "sectionID": 2, "type": "1"}]), [Touched("7", "2")]),
        (of("timeline", TimelineEntry=[{**ENTRY, "state": "9"}]), [Left("7", "2")]),
        (of("timeline", TimelineEntry=[{**ENTRY, "type": 18}]), []),
        (of("timeline", TimelineEntry=[{**ENTRY, "identifier": "com.plexapp.system"}]), []),
        (of("reachability", ReachabilityNotification=[{"reachability": True}]), []),
        (
            of("playing", PlaySessionStateNotification=[PLAYING]),
            [SessionChanged("7", SessionState.PLAYING, 31_000, "4")],
        ),
        (
            of("playing", PlaySessionStateNotification=[{"ratingKey": 7, "state": "paused"}]),
            [SessionChanged("7", SessionState.PAUSED)],
        ),
        (
            of("playing", PlaySessionStateNotification=[{**PLAYING, "viewOffset": None, "sessionKey": 4}]),
            [SessionChanged("7", SessionState.PLAYING, 0, "4")],
        ),
        (
            of("playing", PlaySessionStateNotification=[{**PLAYING, "state": "stopped", "viewOffset": "59000"}]),
            [SessionChanged("7", SessionState.STOPPED, 59_000, "4")],
        ),
        (of("playing", PlaySessionStateNotification={"ratingKey": "7", "state": "paused"}), []),
        (of("playing"), []),
        (
            of("activity", ActivityNotification=[{"event": "started", "Activity": {"type": "library.update.section"}}]),
            [],
        ),
        (
            of("activity", ActivityNotification=[{"event": "ended", "Activity": {"type": "library.update.section"}}]),
            [Scanned("")],
        ),
        (of("activity", ActivityNotification=[{"event": "ended", "Activity": {"type": "media.generate"}}]), []),
        (of("timeline", TimelineEntry=[{**ENTRY, "itemID": None}]), []),
        (of("timeline", TimelineEntry=[{**ENTRY, "itemID": "no number"}]), []),
        (of("timeline", TimelineEntry=[{**ENTRY, "updatedAt": None}]), [Touched("7", "2")]),
        (of("timeline", TimelineEntry=[{**ENTRY, "sectionID": None}]), [Touched("7", "")]),
        (of("timeline", TimelineEntry=[{**ENTRY, "type": -1, "state": 9}]), [Left("7", "2")]),
        (of("timeline", TimelineEntry=[{**ENTRY, "type": -1}]), []),
        (of("timeline", TimelineEntry="none"), []),
        (b"{", []),
        (b"[]", []),
        (b"\xff\xfe", []),
        (b"[" * 100_000, []),
    ],
)
def test_what_a_message_tells(message, told):
    assert list(events_of(message)) == told


ODD_ENTRIES = [
    {name: value for name, value in ENTRY.items() if name != "itemID"},
    {**ENTRY, "itemID": None},
    {**ENTRY, "itemID": "no number"},
    {**ENTRY, "type": "movie"},
    {**ENTRY, "state": None},
    {**ENTRY, "updatedAt": "soon"},
    {**ENTRY, "updatedAt": 2**63},
    {**ENTRY, "itemID": 2**63},
    {**ENTRY, "identifier": None},
    "no entry",
    None,
]


@table("odd", ODD_ENTRIES)
def test_an_odd_entry_costs_only_itself(odd):
    removal = {**ENTRY, "itemID": "9", "type": -1, "state": 9}
    message = of("timeline", TimelineEntry=[{**ENTRY, "itemID": "8", "updatedAt": 3}, odd, removal])
    assert list(events_of(message)) == [Touched("8", "2", 3), Left("9", "2")]


@pytest.mark.parametrize(
    "odd",
    [
        {name: value for name, value in PLAYING.items() if name != "ratingKey"},
        {name: value for name, value in PLAYING.items() if name != "state"},
        {**PLAYING, "ratingKey": ""},
        {**PLAYING, "ratingKey": None},
        {**PLAYING, "ratingKey": "/library/metadata/7"},
        {**PLAYING, "state": "singing"},
        {**PLAYING, "state": 3},
        {**PLAYING, "viewOffset": "later"},
        {**PLAYING, "viewOffset": 2**63},
        {**PLAYING, "ratingKey": 2**63},
        {**PLAYING, "sessionKey": ["4"]},
        "no entry",
        None,
    ],
    ids=str,
)
def test_an_odd_report_of_a_player_costs_only_itself(odd, caplog):
    caplog.set_level("DEBUG")
    message = of("playing", PlaySessionStateNotification=[odd, {**PLAYING, "state": "buffering"}])
    assert list(events_of(message)) == [SessionChanged("7", SessionState.BUFFERING, 31_000, "4")]
    assert caplog.records == []


def test_what_is_played_is_heard(sim):
    key = sim.add_movie("1", files=[("/media/a.mp4", 1, 60_000)], title="a")
    with Ears(sim) as ears:
        sim.sessions.start(key)
        sim.sessions.pause(key, 31_000)
        sim.sessions.finish(key)
        until(lambda: len(ears.heard) >= 3)
    assert ears.heard == [
        SessionChanged(key, SessionState.PLAYING, 0, "1"),
        SessionChanged(key, SessionState.PAUSED, 31_000, "1"),
        SessionChanged(key, SessionState.STOPPED, 60_000, "1"),
    ]


def test_an_odd_activity_costs_only_itself():
    ended = {"event": "ended", "Activity": {"type": "library.update.section", "Context": {"librarySectionID": 2}}}
    message = of("activity", ActivityNotification=[{"event": 5}, {**ended, "Activity": []}, ended])
    assert list(events_of(message)) == [Scanned("2")]
