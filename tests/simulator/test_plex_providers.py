"""The simulated Plex asks a metadata provider as a real one does, over real HTTP: at scans, refreshes and matches."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from plexsync.http.connections import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.plex.events import TARGET
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.http_answers import Server
from plexsync.simulator.http import Answer, Fault, Request
from plexsync.simulator.plex_asks import KEPT, Asks, Pool
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG, until
from tests.simulator.test_plex_server import Client
from tests.simulator.tiny_provider import BASE, IDENTIFIER, METADATA, TinyProvider, container, kind_of, said

TOKEN = "a-token"
PUBLIC, PRIVATE = "https://pictures.example.org/1.jpg", "http://192.168.1.4/1.jpg"


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        sim.add_section("Movies", locations=("/media/Movies",))
        yield sim


@pytest.fixture
def client(sim: PlexSim) -> Iterator[Client]:
    client = Client(sim)
    yield client
    client.connection.close()


@pytest.fixture
def tiny(sim: PlexSim) -> Iterator[TinyProvider]:
    """A provider that is the agent of library 1."""
    scenes = {
        "a.mp4": {"title": "Alpha", "summary": "first", "Genre": [{"tag": "g"}], "Role": [{"tag": "Ann", "role": "Q"}]},
        "b.mp4": {"title": "Beta", "originallyAvailableAt": "2020-02-03"},
    }
    with TinyProvider(scenes) as tiny:
        sim.use_provider("1", tiny.base)
        tiny.clear_log()
        yield tiny


def scanned(sim: PlexSim, *names: str, **fields: object) -> list[str]:
    """New files of the library, after their scan and all that is asked about them."""
    keys = [sim.stage_movie("1", [(f"/media/Movies/{name}", 1, 60_000)], **fields) for name in names]
    sim.scan("1")
    sim.finish_scan("1")
    sim.wait_for_asks(HANG)
    return keys


def refreshed(sim: PlexSim, key: str) -> None:
    """The item, after a refresh and all that is asked for it."""
    sim.refresh_item(key)
    sim.wait_for_asks(HANG)


def bodies(tiny: TinyProvider) -> list[dict]:
    """What the provider was asked to match."""
    return [json.loads(one.body) for one in tiny.asked("matches")]


# scans


def test_a_new_file_is_right_after_its_scan_and_nothing_is_locked(sim, client, tiny) -> None:
    (key,) = scanned(sim, "a.mp4", title="the built-in agent's", studio="the built-in agent's")

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["summary"]) == ("Alpha", "first")
    assert "studio" not in item.scalars
    assert (item.lists["genre"], item.roles, item.locks) == (["g"], {"Ann": "Q"}, frozenset())
    assert item.guid == client.detail(key)["guid"] == f"{IDENTIFIER}://movie/a"
    assert [kind_of(one) for one in tiny.log] == ["matches", "metadata", "extras"]


def test_a_file_that_the_provider_does_not_know_is_called_as_it_is(sim, client, tiny) -> None:
    (key,) = scanned(sim, "sub/c.mp4", title="the built-in agent's", genre=["x"])

    item = sim.item(key)
    assert (item.scalars["title"], item.lists["genre"]) == ("c", [])
    assert client.detail(key)["guid"] == f"local://{key}"
    assert [kind_of(one) for one in tiny.log] == ["matches"]


def test_a_match_names_the_file_below_the_folder_of_its_library(sim, tiny) -> None:
    scanned(sim, "sub/One (1999).mp4")

    assert bodies(tiny) == [{"type": 1, "title": "One", "year": 1999, "filename": "sub/One (1999).mp4"}]
    (asked,) = tiny.asked("matches")
    assert (asked.headers["content-type"], asked.headers["accept"]) == ("application/json", "application/json")


@pytest.mark.parametrize(
    ("form", "name"), [("relative", "sub/a.mp4"), ("folder", "Movies/sub/a.mp4"), ("rooted", "/Movies/sub/a.mp4")]
)
def test_the_name_of_a_file_has_one_of_three_forms(sim, tiny, form: str, name: str) -> None:
    sim.traits.match_filename = form

    scanned(sim, "sub/a.mp4")

    assert [one["filename"] for one in bodies(tiny)] == [name]


def test_the_folder_of_a_library_is_the_longest_one_that_holds_the_file(sim, tiny) -> None:
    with TinyProvider() as second:
        second.identifier = "tv.plex.agents.custom.test.second"
        place = sim.add_section("Two", locations=("/media/", "/media/Two", "D:\\Clips"))
        sim.use_provider(place, second.base)
        for path in ("/media/Two/x.mp4", "/media/y.mp4", "D:\\Clips\\sub\\z.mp4", "/elsewhere/w.mp4"):
            sim.add_movie(place, [(path, 1, 1)])
        sim.wait_for_asks(HANG)

        assert {one["filename"] for one in bodies(second)} == {"x.mp4", "y.mp4", "sub\\z.mp4", "w.mp4"}


def test_explicit_matches_are_asked_for_only_if_the_library_allows_them(sim, client, tiny) -> None:
    names = {one["label"]: one["id"] for one in client.get("/library/sections/1/prefs")["Setting"]}
    scanned(sim, "a.mp4")

    assert client.put("/library/sections/1/prefs", {names["Allow matching to explicit content"]: 1}) == 200
    scanned(sim, "b.mp4")

    assert [one.get("includeAdult") for one in bodies(tiny)] == [None, 1]


@pytest.mark.parametrize(
    ("by", "in_query"), [("as seen", [False, True, True]), ("headers", [False] * 3), ("query", [True] * 3)]
)
def test_language_and_page_are_in_the_query_or_in_the_headers(sim, tiny, by: str, in_query: list[bool]) -> None:
    sim.traits.asks_by = by

    scanned(sim, "a.mp4")

    names = ("X-Plex-Language", "X-Plex-Country", "X-Plex-Container-Start", "X-Plex-Container-Size")
    for asked, is_there in zip(tiny.log, in_query, strict=True):
        assert [name in asked.params for name in names] == [is_there] * 4
        assert [name.lower() in asked.headers for name in names] == [not is_there] * 4
        assert (asked.headers["x-plex-client-identifier"], "x-plex-token" in asked.headers) == (sim.machine, False)
    assert [one.params.get("updating") for one in tiny.log] == [None, None, "1"]


def test_a_scan_asks_several_questions_at_once_and_no_more_than_it_may(tiny) -> None:
    """The provider answers nobody until three ask."""
    together, lock = threading.Barrier(3, timeout=HANG), threading.Lock()
    answered, at_once, most = tiny.answer, 0, 0

    def answer(request: Request) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if kind_of(request) == "matches":
            together.wait()
        found = answered(request)
        with lock:
            at_once -= 1
        return found

    tiny.answer = answer
    tiny.scenes = {f"{number}.mp4": {"title": f"T {number}"} for number in range(30)}
    with PlexSim(token=TOKEN, scan_seconds=None, ask_threads=3) as sim:
        sim.add_section("Movies", locations=("/media/Movies",))
        sim.use_provider("1", tiny.base)

        keys = scanned(sim, *tiny.scenes)

        assert most == 3
        assert sorted(sim.item(key).scalars["title"] for key in keys) == sorted(f"T {one}" for one in range(30))
        assert all(not sim.item(key).locks for key in keys)


def test_listeners_hear_that_an_item_is_done_once_it_has_its_values(sim, tiny) -> None:
    states: list[int] = []
    stop = threading.Event()
    plex = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
    socket = EventSocket(plex, sim.url, TARGET, headers={"X-Plex-Token": TOKEN}, timeouts=Timeouts(HANG, HANG))

    def listen() -> None:
        for message in socket.messages(stop.is_set):
            told = json.loads(message)["NotificationContainer"] if message else {}
            states.extend(one["state"] for one in told.get("TimelineEntry", ()))

    thread = threading.Thread(target=listen)
    thread.start()
    until(sim.listeners)

    scanned(sim, "a.mp4")
    sim.tell({"type": "timeline", "TimelineEntry": [{"state": -1}]})
    until(lambda: -1 in states)
    stop.set()
    thread.join(HANG)

    assert states[0] == 0
    assert states[-2:] == [5, -1]
    assert states.count(5) == 1


# what comes back


def test_a_guid_without_the_type_is_taken_and_nobody_asks_for_the_values(sim, client, tiny) -> None:
    tiny.guid = "{identifier}://{key}"

    (key,) = scanned(sim, "a.mp4")
    refreshed(sim, key)

    assert client.detail(key)["guid"] == f"{IDENTIFIER}://a"
    assert (sim.item(key).scalars["title"], sim.item(key).lists["genre"]) == ("Alpha", [])
    assert [kind_of(one) for one in tiny.log] == ["matches"]


def test_a_guid_of_plexs_cloud_is_taken_and_asked_for_by_its_own_key_after_each_match(sim, tiny) -> None:
    tiny.guid = "plex://movie/{key}"

    (key,) = scanned(sim, "a.mp4")
    refreshed(sim, key)

    assert (sim.item(key).guid, sim.item(key).lists["genre"]) == ("plex://movie/a", ["g"])
    assert [kind_of(one) for one in tiny.log] == ["matches", "metadata", "extras"] * 2


def test_what_stands_beside_an_item_is_asked_for_below_the_key_of_its_answer(sim, tiny) -> None:
    tiny.scenes["a.mp4"]["key"] = f"{BASE}/library/metadata/a"

    scanned(sim, "a.mp4")

    assert tiny.log[-1].path == f"{BASE}{BASE}/library/metadata/a/extras"


@pytest.mark.parametrize("again", [True, False])
def test_a_refresh_may_ask_for_the_match_anew(sim, tiny, again: bool) -> None:
    sim.traits.refresh_matches = again
    first, second = scanned(sim, "a.mp4", "b.mp4")
    tiny.scenes["c.mp4"] = {"title": "Gamma"}
    tiny.answers["/library/metadata/matches"] = container(tiny.entry("c.mp4"))
    refreshed(sim, first)
    tiny.answers["/library/metadata/matches"] = container()
    refreshed(sim, second)

    assert sim.item(first).scalars["title"] == ("Gamma" if again else "Alpha")
    assert (sim.item(second).scalars["title"], sim.item(second).guid) == ("Beta", f"{IDENTIFIER}://movie/b")


@pytest.mark.parametrize("same", ["merged", "apart"])
def test_two_files_with_one_guid_become_one_item_or_stay_two(sim, client, tiny, same: str) -> None:
    sim.traits.same_guid = same
    tiny.answers["/library/metadata/matches"] = container(tiny.entry("a.mp4"))
    (first,) = scanned(sim, "a.mp4")
    second = sim.stage_movie("1", [("/media/Movies/sub/a.mp4", 2, 60_000)])
    sim.play(first)
    sim.scan("1")
    sim.finish_scan("1")
    sim.wait_for_asks(HANG)

    assert sim.keys("1") == ([first] if same == "merged" else [first, second])
    assert [path for key in sim.keys("1") for path, _, _ in sim.item(key).files] == [
        "/media/Movies/a.mp4",
        "/media/Movies/sub/a.mp4",
    ]
    assert {sim.item(key).guid for key in sim.keys("1")} == {f"{IDENTIFIER}://movie/a"}
    assert sim.item(first).view_count == 1
    found = client.get("/library/sections/1/all?type=1&file=/media/Movies/sub/a.mp4")["Metadata"]
    assert [one["ratingKey"] for one in found] == [first if same == "merged" else second]


def test_a_guid_is_free_again_once_its_item_is_unmatched_or_gone(sim, client, tiny) -> None:
    tiny.answers["/library/metadata/matches"] = container(tiny.entry("a.mp4"))
    first, *_ = scanned(sim, "a.mp4")
    assert client.put(f"/library/metadata/{first}/unmatch") == 200

    (second,) = scanned(sim, "b.mp4")
    sim.remove(second)
    (third,) = scanned(sim, "c.mp4")

    assert sim.keys("1") == [first, third]
    assert sim.item(third).guid == f"{IDENTIFIER}://movie/a"


def test_a_guid_of_somebody_else_is_no_match(sim, tiny) -> None:
    tiny.guid = "tv.plex.agents.custom.other://movie/{key}"

    (key,) = scanned(sim, "a.mp4")

    assert sim.item(key).guid == f"local://{key}"
    assert sim.asks[-1].wrong == "a guid is not the provider's"


@pytest.mark.parametrize(("score", "title"), [(79, "a"), (80, "Alpha"), (100, "Alpha")])
def test_a_scan_takes_no_match_of_a_low_score(sim, tiny, score: int, title: str) -> None:
    tiny.scenes["a.mp4"]["score"] = score

    (key,) = scanned(sim, "a.mp4")

    assert sim.item(key).scalars["title"] == title


def test_keys_are_appended_to_the_base_so_that_a_whole_path_doubles(sim, tiny) -> None:
    tiny.features["match"] = f"{BASE}/library/metadata/matches"
    sim.restart()
    sim.wait_for_asks(HANG)

    scanned(sim, "a.mp4")

    assert (tiny.log[-1].path, tiny.log[-1].status) == (f"{BASE}{BASE}/library/metadata/matches", 404)


def test_everything_that_a_provider_can_say_comes_into_the_item(sim, client, tiny) -> None:
    tiny.scenes["a.mp4"] |= {
        "titleSort": "alpha, the",
        "originalTitle": "Alef",
        "tagline": "t",
        "studio": "S",
        "contentRating": "XXX",
        "originallyAvailableAt": "2001-02-03",
        "year": 1999,
        "isAdult": True,
        "duration": 5,
        "Director": [{"tag": "Dee"}],
        "Writer": [{"tag": "Wim"}],
        "Producer": [{"tag": "Pat"}],
        "Country": [{"tag": "Chile"}],
        "Collection": [{"tag": "Best"}],
        "Label": [{"tag": "no such thing"}],
        "userRating": 3,
        "addedAt": 1,
    }

    (key,) = scanned(sim, "a.mp4")

    item = sim.item(key)
    assert item.scalars == {
        "title": "Alpha",
        "summary": "first",
        "titleSort": "alpha, the",
        "originalTitle": "Alef",
        "tagline": "t",
        "studio": "S",
        "contentRating": "XXX",
        "originallyAvailableAt": "2001-02-03",
        "year": 2001,
        "addedAt": item.scalars["addedAt"],
    }
    assert item.scalars["addedAt"] > 1
    assert {kind: names for kind, names in item.lists.items() if names} == {
        "genre": ["g"],
        "actor": ["Ann"],
        "director": ["Dee"],
        "writer": ["Wim"],
        "producer": ["Pat"],
        "country": ["Chile"],
        "collection": ["Best"],
    }
    assert sim.collections("1") == {"Best": [key]}
    assert client.detail(key)["Media"][0]["duration"] == 60_000


def test_a_year_without_a_date_is_taken(sim, tiny) -> None:
    tiny.scenes["a.mp4"]["year"] = 1999

    (key,) = scanned(sim, "a.mp4")

    assert (sim.item(key).scalars["year"], "originallyAvailableAt" in sim.item(key).scalars) == (1999, False)


# refreshes


def test_a_refresh_asks_for_the_values_of_the_guid_and_for_the_extras(sim, client, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    tiny.scenes["a.mp4"]["title"] = "Alpha 2"
    tiny.clear_log()

    assert client.put(f"/library/metadata/{key}/refresh") == 200
    sim.wait_for_asks(HANG)

    assert sim.item(key).scalars["title"] == "Alpha 2"
    assert [(one.method, one.path) for one in tiny.log] == [
        ("GET", f"{BASE}/library/metadata/a"),
        ("GET", f"{BASE}/library/metadata/a/extras"),
    ]


def test_a_refresh_is_answered_before_the_provider_answers(sim, client, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    tiny.clear_log()
    tiny.faults.set(Fault("hang"))

    assert client.put(f"/library/metadata/{key}/refresh") == 200
    until(lambda: tiny.log)
    assert client.put(f"/library/metadata/{key}/refresh") == 200
    with pytest.raises(TimeoutError, match="1 jobs wait and 1 run"):
        sim.wait_for_asks(0)
    assert client.detail(key)["title"] == "Alpha"

    tiny.faults.clear()
    sim.wait_for_asks(HANG)


def test_a_forced_refresh_of_a_library_is_one_of_each_item_that_was_there(sim, client, tiny) -> None:
    scanned(sim, "a.mp4", "b.mp4", "c.mp4")
    tiny.clear_log()

    client.ask("POST", "/library/sections/1/refresh?force=1")
    sim.wait_for_asks(HANG)

    assert sorted(one.path.rpartition("/")[2] for one in tiny.asked("metadata")) == ["a", "b"]
    assert [one["filename"] for one in bodies(tiny)] == ["c.mp4"]


@pytest.mark.parametrize("again", [True, False])
def test_a_scan_may_ask_again_for_what_nobody_knew(sim, tiny, again: bool) -> None:
    sim.traits.scan_asks_again = again
    (key,) = scanned(sim, "c.mp4")
    tiny.scenes["c.mp4"] = {"title": "Gamma"}

    scanned(sim, "a.mp4")
    assert sim.item(key).scalars["title"] == ("Gamma" if again else "c")

    refreshed(sim, key)
    assert sim.item(key).scalars["title"] == "Gamma"


def test_locked_fields_and_lists_stay(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    sim.hand_edit(key, title="mine", genre=["mine"], label=["mine"], userRating=9)
    tiny.scenes["a.mp4"] |= {"summary": "second", "Director": [{"tag": "Dee"}]}

    refreshed(sim, key)

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["summary"], item.scalars["userRating"]) == ("mine", "second", 9.0)
    assert (item.lists["genre"], item.lists["director"], item.lists["label"]) == (["mine"], ["Dee"], ["mine"])
    assert item.locks == {"title", "genre", "label", "userRating"}


def test_an_edit_that_does_not_say_unlocked_freezes_the_provider_out(sim, client, tiny) -> None:
    sim.traits.values_lock = True
    frozen, free = scanned(sim, "a.mp4", "b.mp4")
    for key, edit in ((frozen, {}), (free, {"genre.locked": 0, "summary.locked": 0})):
        client.edit(key, {"genre[0].tag.tag": "pushed", "summary.value": "pushed", **edit})
    for name in ("a.mp4", "b.mp4"):
        tiny.scenes[name] |= {"summary": "new", "Genre": [{"tag": "new"}]}

    for key in (frozen, free):
        refreshed(sim, key)

    assert (sim.item(frozen).scalars["summary"], sim.item(frozen).lists["genre"]) == ("pushed", ["g", "pushed"])
    assert (sim.item(free).scalars["summary"], sim.item(free).lists["genre"]) == ("new", ["new", "pushed"])


@pytest.mark.parametrize(("omitted", "left"), [("kept", ["new", "g"]), ("removed", ["new"])])
def test_tags_that_are_no_longer_sent_stay_or_go(sim, tiny, omitted: str, left: list[str]) -> None:
    sim.traits.omitted_tags = omitted
    (key,) = scanned(sim, "a.mp4")
    tiny.scenes["a.mp4"]["Genre"] = [{"tag": "new"}]
    del tiny.scenes["a.mp4"]["Role"]

    refreshed(sim, key)

    assert sim.item(key).lists["genre"] == left
    assert sim.item(key).lists["actor"] == (["Ann"] if omitted == "kept" else [])


@pytest.mark.parametrize(("absent", "left"), [("kept", "first"), ("cleared", None)])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_field_that_is_not_sent_stays_or_goes(sim, tiny, how: str, absent: str, left: str | None) -> None:
    sim.traits.absent_fields = absent
    (key,) = scanned(sim, "a.mp4")
    tiny.scenes["a.mp4"]["summary"] = ""
    if how == "absent":
        del tiny.scenes["a.mp4"]["summary"]

    refreshed(sim, key)

    assert (sim.item(key).scalars.get("summary"), sim.item(key).scalars["title"]) == (left, "Alpha")


@pytest.mark.parametrize("clears", [True, False])
def test_a_match_may_empty_what_another_agent_has_filled(sim, tiny, clears: bool) -> None:
    sim.traits.match_clears = clears
    old = sim.add_section("Old", locations=("/old",))
    key = sim.add_movie(old, [("/old/b.mp4", 1, 1)], title="T", summary="old", studio="old", genre=["old"], label=["l"])
    sim.hand_edit(key, studio="mine")
    client = Client(sim)
    client.put(f"/library/sections/{old}", {"agent": IDENTIFIER})

    refreshed(sim, key)
    client.connection.close()

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["studio"], item.lists["label"]) == ("Beta", "mine", ["l"])
    assert (item.scalars.get("summary"), item.lists["genre"]) == ((None, []) if clears else ("old", ["old"]))


# what goes wrong

SOUND = {"ratingKey": "a", "key": "/x", "guid": f"{IDENTIFIER}://movie/a", "type": "movie", "title": "New"}
DATED = {**SOUND, "originallyAvailableAt": "2020-01-02"}


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer(404), ""),
        (Answer(500), ""),
        (Answer(302), ""),
        (Answer(200, b"<!doctype html>"), "no JSON"),
        (Answer(200), "no JSON"),
        (container(), "no item"),
        (said([]), "no item"),
        (container({**DATED, "ratingKey": "b"}), "ratingKey is not the one that was asked for"),
        (container({**DATED, "guid": f"{IDENTIFIER}://movie/b"}), "guid is not that of the match"),
        (container({**DATED, "type": "clip"}), "type is not movie"),
        (container({**DATED, "title": ""}), "key or title is missing"),
        (container(SOUND), "originallyAvailableAt is no date"),
        (container({**DATED, "originallyAvailableAt": "2020"}), "originallyAvailableAt is no date"),
        (container({**DATED, "summary": None}), "a text is none"),
        (container({**DATED, "Genre": ["g"]}), "Genre is no list of tags"),
        (container({**DATED, "Image": [{"type": "coverPoster"}]}), "Image is no list of urls"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_is_no_use_leaves_the_item_as_it_was(sim, tiny, answer: Answer, wrong: str) -> None:
    (key,) = scanned(sim, "a.mp4")
    before = sim.item(key)
    tiny.answers[f"{METADATA}/a"] = answer

    sim.advance(60)
    refreshed(sim, key)

    assert sim.item(key) == before
    (ask,) = [one for one in sim.asks if one.path.endswith("/a")][1:]
    assert (ask.method, ask.status, ask.wrong) == ("GET", answer.status, wrong)
    assert len(tiny.asked("extras")) == 1


def test_the_values_of_a_sound_answer_are_taken(sim, tiny) -> None:
    """The one that the others break."""
    (key,) = scanned(sim, "a.mp4")
    tiny.answers[f"{METADATA}/a"] = container(DATED)

    refreshed(sim, key)

    assert (sim.item(key).scalars["title"], sim.asks[-2].wrong) == ("New", "")


def test_a_provider_may_close_each_connection(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    tiny.answers[f"{METADATA}/a"] = replace(container(DATED), headers={"Connection": "close"})

    refreshed(sim, key)

    assert sim.item(key).scalars["title"] == "New"


def test_a_key_that_the_provider_no_longer_knows_may_unmatch_the_item(sim, client, tiny) -> None:
    sim.traits.unknown_key = "unmatched"
    (key,) = scanned(sim, "a.mp4")
    sim.hand_edit(key, summary="mine")
    del tiny.scenes["a.mp4"]

    refreshed(sim, key)

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["summary"], item.lists["genre"]) == ("a", "mine", [])
    assert client.detail(key)["guid"] == f"local://{key}"


@pytest.mark.parametrize(
    "answer", [Answer(404), Answer(500), Answer(200, b"{}"), said({"MediaContainer": {}})], ids=repr
)
def test_a_match_without_a_result_leaves_the_item_unmatched(sim, tiny, answer: Answer) -> None:
    tiny.answers["/library/metadata/matches"] = answer

    (key,) = scanned(sim, "a.mp4")

    assert (sim.item(key).scalars["title"], sim.item(key).guid) == ("a", f"local://{key}")


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("trickle", seconds=600)], ids=lambda fault: fault.kind)
def test_a_question_is_given_up_after_its_time(tiny, fault: Fault) -> None:
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        sim.add_section("Movies", locations=("/media/Movies",))
        sim.use_provider("1", tiny.base)
        (key,) = scanned(sim, "a.mp4")
        before = sim.item(key)
        sim.ask_seconds = 0.05
        tiny.faults.set(fault)

        refreshed(sim, key)

        assert (sim.item(key), sim.asks[-1].status) == (before, None)


def test_a_provider_that_is_away_leaves_the_items_as_they_are(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    before = sim.item(key)
    tiny.faults.set(Fault("refuse"))

    refreshed(sim, key)
    (new,) = scanned(sim, "b.mp4")

    assert sim.item(key) == before
    assert sim.item(new).scalars["title"] == "b"
    tiny.faults.clear()
    refreshed(sim, new)
    assert sim.item(new).scalars["title"] == "Beta"


def test_stopping_ends_what_is_asked_and_leaves_no_thread(tiny) -> None:
    before = set(threading.enumerate())
    sim = PlexSim(token=TOKEN, scan_seconds=None, ask_threads=2).start()
    sim.add_section("Movies", locations=("/media/Movies",))
    sim.use_provider("1", tiny.base)
    tiny.clear_log()
    tiny.faults.set(Fault("hang"))
    for name in "abcde":
        sim.add_movie("1", [(f"/media/Movies/{name}.mp4", 1, 1)])
    until(lambda: len(tiny.log) == 2)

    sim.stop()
    sim.stop()

    tiny.stop()
    assert set(threading.enumerate()) <= before
    assert len(sim.asks) == 3


# extras and pictures


def test_extras_are_those_of_the_last_refresh_and_stay_while_it_fails(sim, tiny) -> None:
    tiny.extras = ["one", "two"]
    (key,) = scanned(sim, "a.mp4")
    assert sim.item(key).extras == ("one", "two")

    tiny.answers[f"{METADATA}/a/extras"] = Answer(500)
    refreshed(sim, key)
    assert sim.item(key).extras == ("one", "two")

    tiny.answers.clear()
    tiny.extras = ["two"]
    refreshed(sim, key)
    assert sim.item(key).extras == ("two",)


@pytest.mark.parametrize("extras", [None, []])
def test_extras_go_with_404_and_with_an_empty_list(sim, tiny, extras: list[str] | None) -> None:
    tiny.extras = ["one"]
    (key,) = scanned(sim, "a.mp4")
    tiny.extras = extras

    refreshed(sim, key)

    assert sim.item(key).extras == ()


@pytest.mark.parametrize(("taken", "shown"), [("public", [True, False]), ("any", [True, True])])
def test_pictures_at_private_addresses_are_not_loaded(sim, tiny, taken: str, shown: list[bool]) -> None:
    sim.traits.provider_pictures = taken
    for name, url in (("a.mp4", PUBLIC), ("b.mp4", PRIVATE)):
        images = [{"type": "background", "url": url}, {"type": "clearLogo", "url": url}]
        tiny.scenes[name] |= {"thumb": url, "Image": images, "Role": [{"tag": name, "thumb": url}]}

    items = [sim.item(key) for key in scanned(sim, "a.mp4", "b.mp4")]

    for item, is_shown in zip(items, shown, strict=True):
        assert [IDENTIFIER in (key or "") for key in (item.poster, item.art)] == [is_shown, is_shown]
        assert bool(item.faces) == is_shown
        assert item.locks == frozenset()


def test_a_picture_that_is_locked_stays_beside_the_providers(sim, tiny) -> None:
    tiny.scenes["a.mp4"]["thumb"] = PUBLIC
    (key,) = scanned(sim, "a.mp4")
    sim.hand_edit(key, thumb=b"mine")
    mine = sim.item(key).poster

    refreshed(sim, key)

    assert sim.item(key).poster == mine
    assert any(IDENTIFIER in one for one in sim.item(key).posters)


def test_a_server_may_ask_for_the_list_of_pictures(sim, tiny) -> None:
    sim.traits.asks_images = True
    images = [{"type": "coverPoster", "url": PUBLIC}]
    tiny.answers[f"{METADATA}/a/images"] = said({"MediaContainer": {"Image": images}})

    first, second = scanned(sim, "a.mp4", "b.mp4")

    assert IDENTIFIER in str(sim.item(first).poster)
    assert IDENTIFIER not in str(sim.item(second).poster)


# Fix Match


def test_a_match_is_set_by_hand_and_its_values_are_fetched(sim, client, tiny) -> None:
    (key,) = scanned(sim, "c.mp4")
    tiny.clear_log()

    assert client.put(f"/library/metadata/{key}/match", {"guid": f"{IDENTIFIER}://movie/b", "name": "Beta"}) == 200
    sim.wait_for_asks(HANG)

    assert (sim.item(key).scalars["title"], sim.item(key).scalars["year"]) == ("Beta", 2020)
    assert sim.item(key).guid == f"{IDENTIFIER}://movie/b"
    assert [kind_of(one) for one in tiny.log] == ["metadata", "extras"]


def test_the_candidates_of_a_match_are_those_of_the_provider_in_its_order(sim, client, tiny) -> None:
    (key,) = scanned(sim, "c.mp4")
    tiny.scenes["a.mp4"]["score"] = 5

    found = client.get(f"/library/metadata/{key}/matches?manual=1&title=other")["SearchResult"]

    assert bodies(tiny)[-1] == {"type": 1, "title": "other", "filename": "c.mp4", "manual": 1}
    assert [(one["name"], one["score"]) for one in found] == [("Alpha", 5), ("Beta", 99)]
    assert found[1]["guid"] == f"{IDENTIFIER}://movie/b"
    assert client.get(f"/library/metadata/{key}/matches")["size"] == 0
    assert sim.item(key).guid == f"local://{key}"


def test_an_unmatched_item_forgets_what_was_said_of_it(sim, client, tiny) -> None:
    tiny.extras = ["one"]
    (key,) = scanned(sim, "a.mp4")
    sim.hand_edit(key, genre=["mine"], label=["l"])

    assert client.put(f"/library/metadata/{key}/unmatch") == 200

    item = sim.item(key)
    assert (item.scalars["title"], item.lists["genre"], item.lists["label"]) == ("a", ["mine"], ["l"])
    assert ("summary" in item.scalars, item.extras, item.guid) == (False, (), f"local://{key}")


def test_a_built_in_agent_has_no_candidates_and_takes_its_own_guids_only(sim, client, tiny) -> None:
    place = sim.add_section("Old", locations=("/old",))
    key = sim.add_movie(place, [("/old/a.mp4", 1, 1)], title="T")

    for guid in (f"{IDENTIFIER}://movie/a", "plex://movie/5d77"):
        assert client.put(f"/library/metadata/{key}/match", {"guid": guid}) == 200

    assert client.detail(key)["guid"] == "plex://movie/5d77"
    assert client.get(f"/library/metadata/{key}/matches?manual=1")["size"] == 0
    assert tiny.log == []


def test_a_match_needs_an_item(sim, client) -> None:
    assert client.put("/library/metadata/99/match", {"guid": "plex://movie/1"}) == 404
    key = sim.add_movie("1", [("/media/Movies/x.mp4", 1, 1)], collection=["Best"])
    (best,) = sim.collection_keys("1").values()
    assert client.put(f"/library/metadata/{best}/match", {"guid": "plex://movie/1"}) == 404
    assert client.put(f"/library/metadata/{key}/match") == 200
    assert sim.item(key).guid == f"local://{key}"


# the server as a whole


def test_a_restarted_server_greets_its_providers_and_knows_who_is_away(sim, client, tiny) -> None:
    sim.restart()
    sim.wait_for_asks(HANG)
    (greeting,) = tiny.log
    assert (greeting.path, greeting.params["includePreferences"]) == (BASE, "1")

    tiny.faults.set(Fault("refuse"))
    sim.restart()
    sim.wait_for_asks(HANG)
    assert [one["online"] for one in client.get("/media/providers/metadata/7")["MetadataAgentProvider"]] == [False]

    tiny.faults.clear()
    sim.restart()
    sim.wait_for_asks(HANG)
    assert [one["online"] for one in client.get("/media/providers/metadata/7")["MetadataAgentProvider"]] == [True]


def test_what_a_server_was_about_to_ask_is_forgotten_when_it_restarts(sim, tiny) -> None:
    tiny.faults.set(Fault("hang"))
    keys = [sim.add_movie("1", [(f"/media/Movies/{name}.mp4", 1, 1)]) for name in "abcdefgh"]
    until(lambda: len(tiny.log) == 4)

    sim.restart()
    tiny.faults.clear()
    sim.wait_for_asks(HANG)

    assert [sim.item(key).scalars["title"] for key in keys] == list("abcdefgh")
    refreshed(sim, keys[0])
    assert sim.item(keys[0]).scalars["title"] == "Alpha"


def test_a_backup_holds_providers_agents_and_guids(sim, client, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    backup, before = sim.backup(), sim.item(key)
    client.put("/library/sections/1", {"agent": "tv.plex.agents.movie"})
    sim.refresh_item(key)
    for path in ("/media/providers/metadata/group/5", "/media/providers/metadata/7"):
        assert client.ask("DELETE", path)[0] == 200

    sim.restore(backup)
    sim.wait_for_asks(HANG)

    assert (sim.item(key), sim.agent_of("1")) == (before, (IDENTIFIER, "5"))
    tiny.scenes["a.mp4"]["title"] = "Alpha 2"
    refreshed(sim, key)
    assert sim.item(key).scalars["title"] == "Alpha 2"


def test_a_reinstalled_server_knows_no_provider(sim, client, tiny) -> None:
    (key,) = scanned(sim, "a.mp4", title="T")

    dealt = sim.reinstall(Random(1))
    sim.wait_for_asks(HANG)

    assert sim.agent_of(dealt.sections["1"]) == ("tv.plex.agents.movie", "1")
    assert sim.item(dealt.keys[key]).scalars["title"] == "T"
    assert len(client.get("/media/providers/metadata")["MetadataAgentProvider"]) == 6


def test_a_library_that_is_made_anew_has_its_agent_and_its_items_are_right_again(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    sim.hand_edit(key, title="mine")

    dealt = sim.remake_section("1")
    sim.wait_for_asks(HANG)

    item = sim.item(dealt.keys[key])
    assert sim.agent_of(dealt.sections["1"]) == (IDENTIFIER, "5")
    assert (item.scalars["title"], item.guid, item.locks) == ("Alpha", f"{IDENTIFIER}://movie/a", frozenset())


def test_a_file_that_comes_back_under_a_new_key_is_right_again(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")

    new = sim.readd(key)
    sim.wait_for_asks(HANG)

    assert (sim.item(new).scalars["title"], sim.item(new).guid) == ("Alpha", f"{IDENTIFIER}://movie/a")


def test_an_item_that_is_gone_when_the_answer_comes_is_left_alone(sim, tiny) -> None:
    (key,) = scanned(sim, "a.mp4")
    tiny.clear_log()
    tiny.faults.set(Fault("slow", seconds=600))
    sim.refresh_item(key)
    until(lambda: tiny.log)

    new = sim.readd(key)
    tiny.faults.clear()
    sim.wait_for_asks(HANG)

    with pytest.raises(KeyError):
        sim.item(key)
    assert sim.item(new).scalars["title"] == "Alpha"


# what is remembered, and what is done


def test_the_last_questions_are_remembered() -> None:
    asks = Asks(HANG)
    asks.stop()
    for number in range(KEPT + 5):
        asks.call("GET", f"http://127.0.0.1:1/{number}" if number % 2 else f"http://[/{number}", params={}, headers={})

    assert len(asks.so_far()) == KEPT


def test_a_question_is_remembered_with_what_was_asked_and_answered(sim, tiny) -> None:
    scanned(sim, "a.mp4")

    shown = [(one.method, one.path, one.status, one.wrong) for one in sim.asks[1:]]
    assert shown == [
        ("POST", f"{BASE}/library/metadata/matches", 200, ""),
        ("GET", f"{BASE}/library/metadata/a", 200, ""),
        ("GET", f"{BASE}/library/metadata/a/extras", 404, ""),
    ]
    assert sim.asks[1].body == {"type": 1, "title": "a", "filename": "a.mp4"}


def test_a_job_that_waits_is_done_once_and_one_that_runs_is_done_again() -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def work(job: tuple[str, int]) -> None:
        begun.set()
        go.wait(HANG)
        done.append(job)

    pool = Pool(work, threads=3)
    pool.add(("item", 1))
    begun.wait(HANG)
    for _ in range(3):
        pool.add(("item", 1))
    go.set()
    pool.wait(HANG)
    assert done == [("item", 1), ("item", 1)]

    pool.stop()
    pool.add(("item", 2))
    pool.wait(0)
    assert len(done) == 2
