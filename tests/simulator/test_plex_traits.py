"""Each open question about real servers, as a switch of the simulated one: what a client meets under either answer."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_traits import Traits
from tests.patience import HANG

TOKEN = "a-token"
FILE = ("/media/a.mp4", 123_456, 60_000)
OTHER = "com.plexapp.agents.none"
PNG = b"\x89PNG\r\n\x1a\n"
POSTER = f"upload://posters/{hashlib.sha1(PNG).hexdigest()}"


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    """Movies in library 1, Other Videos in library 2."""
    with PlexSim(token=TOKEN) as sim:
        sim.add_section("Movies")
        sim.add_section("Clips", locations=("/clips",), agent=OTHER)
        yield sim


def ask(sim: PlexSim, method: str, path: str, body: bytes | None = None, host: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    headers = {"X-Plex-Token": TOKEN, "Accept": "application/json", **({"Host": host} if host else {})}
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def put(sim: PlexSim, key: str, section: str = "1", **query: object) -> int:
    names = {name.replace("__", "."): value for name, value in query.items()}
    return ask(sim, "PUT", f"/library/sections/{section}/all?{urlencode({'type': 1, 'id': key, **names})}")[0]


def detail(sim: PlexSim, key: str) -> dict:
    return json.loads(ask(sim, "GET", f"/library/metadata/{key}")[1])["MediaContainer"]["Metadata"][0]


def titles(sim: PlexSim, query: str) -> list[str]:
    container = json.loads(ask(sim, "GET", f"/library/sections/1/all?type=1&{query}")[1])["MediaContainer"]
    return [item["title"] for item in container.get("Metadata", [])]


def test_traits_can_be_given_and_changed_while_the_server_runs() -> None:
    with PlexSim(tag_mode="replace", mixed_removals=False) as first, PlexSim(traits=Traits(tags_lock=False)) as other:
        assert (first.traits.tag_mode, first.traits.mixed_removals) == ("replace", False)
        assert (other.tag_mode, other.mixed_removals, other.traits.tags_lock) == ("add", True, False)

        first.tag_mode, first.mixed_removals = "add", True

        assert first.traits == Traits()


@pytest.mark.parametrize(("most", "left"), [(None, ["d"]), (1, ["b", "c", "d"]), (2, ["c", "d"])])
def test_a_request_carries_so_many_removals(sim: PlexSim, most: int | None, left: list[str]) -> None:
    sim.traits.removals_at_once = most
    key = sim.add_movie("1", [FILE], genre=["a", "b", "c"])

    put(sim, key, **{"genre[0].tag.tag": "d", "genre[].tag.tag-": "a,b,c"})

    assert sim.item(key).lists["genre"] == sorted(left)


@pytest.mark.parametrize("locks", [True, False])
def test_an_edit_of_a_list_locks_it_or_not(sim: PlexSim, locks: bool) -> None:
    sim.traits.tags_lock = locks
    key = sim.add_movie("1", [FILE])

    put(sim, key, **{"genre[0].tag.tag": "a"})
    assert sim.item(key).locks == ({"genre"} if locks else set())

    put(sim, key, **{"genre[0].tag.tag": "a", "genre.locked": 1})
    assert sim.item(key).locks == {"genre"}


@pytest.mark.parametrize("takes", [True, False])
def test_other_videos_take_a_cast_or_ignore_it(sim: PlexSim, takes: bool) -> None:
    sim.traits.cast_on_other = takes
    movie, video = sim.add_movie("1", [FILE]), sim.add_movie("2", [("/clips/a.mp4", 1, 1)])

    for key, section in ((movie, "1"), (video, "2")):
        assert put(sim, key, section, **{"actor[0].tag.tag": "Ann", "genre[0].tag.tag": "g"}) == 200

    assert sim.item(movie).lists["actor"] == ["Ann"]
    assert sim.item(video).lists["actor"] == (["Ann"] if takes else [])
    assert sim.item(video).lists["genre"] == ["g"]


@pytest.mark.parametrize(
    ("kind", "taken"), [("any", [True, True]), ("public", [True, False]), ("none", [False, False])]
)
def test_addresses_of_peoples_pictures_are_taken_or_not(sim: PlexSim, kind: str, taken: list[bool]) -> None:
    sim.traits.people_pictures = kind
    key = sim.add_movie("1", [FILE])
    found = []

    for url in ("https://example.org/1.jpg", "http://192.168.1.4/1.jpg"):
        put(sim, key, **{"actor[0].tag.tag": "Ann", "actor[0].tag.thumb": ""})
        put(sim, key, **{"actor[0].tag.tag": "Ann", "actor[0].tag.thumb": url})
        found.append(sim.item(key).faces.get("Ann") == url)

    assert found == taken


@pytest.mark.parametrize(("kind", "seen"), [("account", [6, 8, None]), ("item", [6, 8, 6]), ("none", [None, 8, None])])
def test_a_rating_by_edit_is_the_accounts_or_the_items_or_none(sim: PlexSim, kind: str, seen: list) -> None:
    sim.traits.rating_by_edit = kind
    key = sim.add_movie("1", [FILE])
    rate = f"/:/rate?identifier=com.plexapp.plugins.library&key={key}&rating="

    put(sim, key, userRating__value=6)
    first = detail(sim, key).get("userRating")
    ask(sim, "PUT", rate + "8")
    second = detail(sim, key).get("userRating")
    ask(sim, "PUT", rate + "-1")

    assert [first, second, detail(sim, key).get("userRating")] == seen


@pytest.mark.parametrize(("given", "kept"), [("8.3", 8.5), ("8.5", 8.5), ("8", 8), ("0.1", 0.5)])
def test_a_rating_may_be_kept_in_halves_of_a_star(sim: PlexSim, given: str, kept: float) -> None:
    sim.traits.half_stars = True
    key = sim.add_movie("1", [FILE])
    ask(sim, "PUT", f"/:/rate?identifier=com.plexapp.plugins.library&key={key}&rating={given}")
    assert detail(sim, key)["userRating"] == kept


@pytest.mark.parametrize("takes", [True, False])
def test_the_date_added_can_be_edited_or_not(sim: PlexSim, takes: bool) -> None:
    sim.traits.added_by_edit = takes
    key = sim.add_movie("1", [FILE])

    assert put(sim, key, addedAt__value=1_500_000_000) == 200

    assert (sim.item(key).scalars["addedAt"] == 1_500_000_000) is takes


@pytest.mark.parametrize(("form", "statuses"), [("both", [200, 200]), ("section", [200, 404]), ("item", [404, 200])])
def test_collections_are_edited_by_either_form_or_by_one(sim: PlexSim, form: str, statuses: list[int]) -> None:
    sim.traits.collection_edits = form
    key = sim.add_movie("1", [FILE], collection=["Best"])
    best = sim.collection_keys("1")["Best"]

    by_section = ask(sim, "PUT", f"/library/sections/1/all?type=18&id={best}&summary.value=a")[0]
    by_item = ask(sim, "PUT", f"/library/metadata/{best}?summary.value=b")[0]

    assert [by_section, by_item] == statuses
    assert sim.item(best).scalars["summary"] == ("b" if by_item == 200 else "a")
    assert put(sim, key, title__value="movies are edited by both") == 200


@pytest.mark.parametrize("selects", [True, False])
def test_an_upload_is_selected_or_not(sim: PlexSim, selects: bool) -> None:
    sim.traits.upload_selects = selects
    key = sim.add_movie("1", [FILE])

    ask(sim, "POST", f"/library/metadata/{key}/posters", PNG)
    assert (sim.item(key).poster == POSTER) is selects

    assert ask(sim, "PUT", f"/library/metadata/{key}/poster?url={quote(POSTER, safe='')}")[0] == 200
    assert sim.item(key).poster == POSTER


def test_an_upload_may_be_listed_late(sim: PlexSim) -> None:
    sim.traits.picture_lag = 60
    key = sim.add_movie("1", [FILE])
    frame = sim.item(key).poster
    choice = f"/library/metadata/{key}/poster?url={quote(POSTER, safe='')}"

    assert ask(sim, "POST", f"/library/metadata/{key}/posters", PNG)[0] == 200
    assert ask(sim, "PUT", choice)[0] == 404
    listed = json.loads(ask(sim, "GET", f"/library/metadata/{key}/posters")[1])["MediaContainer"]["Metadata"]
    assert [one["ratingKey"] for one in listed] == [frame]
    assert sim.item(key).poster == frame

    sim.advance(61)

    assert sim.item(key).poster == POSTER
    assert ask(sim, "PUT", choice)[0] == 200


@pytest.mark.parametrize("one", [True, False])
def test_an_edit_of_a_text_moves_the_addresses_of_pictures_or_not(sim: PlexSim, one: bool) -> None:
    sim.traits.one_stamp = one
    key = sim.add_movie("1", [FILE])
    before = detail(sim, key)["thumb"]
    sim.advance(60)

    put(sim, key, title__value="b")

    after = detail(sim, key)
    assert (after["thumb"] != before) is one
    assert after["thumb"].endswith(str(after["updatedAt"])) is one
    assert ask(sim, "GET", after["thumb"])[0] == 200


@pytest.mark.parametrize("status", [404, 200])
def test_what_is_in_the_trash_has_details_or_not(sim: PlexSim, status: int) -> None:
    sim.traits.trash_details = status
    key = sim.add_movie("1", [FILE])
    sim.trash(key)

    answered, body = ask(sim, "GET", f"/library/metadata/{key}?checkFiles=1")

    assert answered == status
    if status == 200:
        part = json.loads(body)["MediaContainer"]["Metadata"][0]["Media"][0]["Part"][0]
        assert part["exists"] is part["accessible"] is False


@pytest.mark.parametrize(
    ("kind", "found"),
    [("exact", [["one"], []]), ("any case", [["one"], ["one"]]), ("folder", [["one", "two"], []])],
)
def test_the_file_filter_is_exact_or_not(sim: PlexSim, kind: str, found: list[list[str]]) -> None:
    sim.traits.file_filter = kind
    sim.add_movie("1", [("/media/x/a.mp4", 1, 1)], title="one")
    sim.add_movie("1", [("/media/x/b.mp4", 1, 1)], title="two")

    assert [titles(sim, "file=a.mp4"), titles(sim, "file=A.mp4")] == found


def test_a_server_that_starts_reads_and_refuses_every_write(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE], title="a")
    sim.traits.starting = True

    status, page = ask(sim, "PUT", f"/library/sections/1/all?type=1&id={key}&title.value=b")

    assert (status, b"still starting up. Please retry later" in page) == (400, True)
    assert ask(sim, "POST", f"/library/metadata/{key}/posters", PNG)[0] == 400
    assert detail(sim, key)["title"] == "a"
    sim.traits.starting = False
    assert put(sim, key, title__value="b") == 200


def test_an_unclaimed_server_knows_its_address_and_no_other_name(sim: PlexSim) -> None:
    sim.traits.claimed = False

    assert ask(sim, "GET", "/", host="plex:32400")[0] == 401
    for known in ("127.0.0.1", "localhost:32400", "[::1]:32400"):
        assert ask(sim, "GET", "/", host=known)[0] == 200
    assert json.loads(ask(sim, "GET", "/identity")[1])["MediaContainer"]["claimed"] is False


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("updatedAt>=MOMENT", ["later"]),
        ("updatedAt>>=MOMENT", ["later"]),
        ("updatedAt%3E%3D=MOMENT", ["at", "before", "later"]),
        ("updatedAt<=MOMENT", ["before"]),
        ("updatedAt<<=MOMENT", ["before"]),
    ],
)
def test_dates_are_compared_strictly_and_a_sign_with_equality_is_ignored(
    sim: PlexSim, query: str, expected: list[str]
) -> None:
    sim.add_movie("1", [FILE], title="before")
    sim.advance(10)
    sim.add_movie("1", [FILE], title="at")
    moment = sim.now()
    sim.advance(10)
    sim.add_movie("1", [FILE], title="later")

    assert titles(sim, query.replace("MOMENT", str(moment))) == expected


# Other Videos


def test_other_videos_have_the_date_of_their_file_and_a_frame_as_both_pictures(sim: PlexSim) -> None:
    framed = sim.add_movie("2", [("/clips/a.mp4", 1, 1)])
    bare = sim.add_movie("2", [("/clips/b.mp4", 1, 1)], framed=False)

    assert detail(sim, framed)["originallyAvailableAt"] == "2025-10-09"
    assert (detail(sim, framed)["year"], sim.item(framed).locks) == (2025, frozenset())
    assert {"thumb", "art", "Image"} <= set(detail(sim, framed))
    assert not {"thumb", "art", "Image"} & set(detail(sim, bare))


def test_a_refresh_brings_back_the_date_of_the_file(sim: PlexSim) -> None:
    key = sim.add_movie("2", [("/clips/a.mp4", 1, 1)])
    put(sim, key, "2", originallyAvailableAt__value="2001-02-03")

    sim.refresh_item(key)

    assert (sim.item(key).scalars["originallyAvailableAt"], sim.item(key).scalars["year"]) == ("2025-10-09", 2025)


def history(sim: PlexSim, query: str = "") -> list[int]:
    container = json.loads(ask(sim, "GET", f"/status/sessions/history/all?{query}")[1])["MediaContainer"]
    return [play["viewedAt"] for play in container.get("Metadata", [])]


@pytest.mark.parametrize(("meaning", "plays"), [("later", [30]), ("not before", [20, 30])])
def test_plays_after_a_moment_may_include_it(sim: PlexSim, meaning: str, plays: list[int]) -> None:
    sim.traits.viewed_after = meaning
    key = sim.add_movie("1", [FILE])
    for moment in (20, 10, 30):
        sim.play(key, at=moment)

    assert history(sim, "viewedAt%3E=20") == plays
    assert history(sim, "viewedAt%3E%3E=20") == plays
    assert history(sim, "viewedAt%3C=20") == [10]
    assert history(sim, "viewedAt=20") == [20]


def test_the_history_may_ignore_what_it_is_asked(sim: PlexSim) -> None:
    key, guest = sim.add_movie("1", [FILE]), sim.add_account("guest")
    sim.play(key, at=10), sim.play(key, at=30, account=guest), sim.play(key, at=20)
    query = "sort=viewedAt:asc&accountID=1&viewedAt%3E=5&X-Plex-Container-Start=1&X-Plex-Container-Size=9"
    assert history(sim, query) == [20]

    sim.traits.history_ignores = frozenset({"X-Plex-Container-Start"})
    assert history(sim, query) == [10, 20]
    sim.traits.history_ignores = frozenset({"accountID"})
    assert history(sim, query) == [20, 30]
    sim.traits.history_ignores = frozenset({"viewedAt>"})
    assert history(sim, query.replace("=5", "=15")) == [20]
    sim.traits.history_ignores = frozenset({"sort"})
    assert history(sim, query) == [10]


def test_the_largest_page_is_also_that_of_the_history(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE])
    sim.play(key, at=10), sim.play(key, at=20), sim.play(key, at=30)
    sim.max_page = 2

    assert history(sim) == [10, 20]
    assert history(sim, "X-Plex-Container-Start=1&X-Plex-Container-Size=9") == [20, 30]


@pytest.mark.parametrize("status", [401, 403])
def test_the_history_and_the_accounts_may_be_for_the_owner_alone(sim: PlexSim, status: int) -> None:
    entry = sim.play(sim.add_movie("1", [FILE]))
    sim.traits.history_status = status

    assert [ask(sim, "GET", path)[0] for path in ("/status/sessions/history/all", entry, "/accounts")] == [status] * 3
    assert ask(sim, "DELETE", entry)[0] == status
    assert ask(sim, "GET", "/library/sections")[0] == 200

    sim.traits.history_status = 200
    assert ask(sim, "GET", entry)[0] == 200
