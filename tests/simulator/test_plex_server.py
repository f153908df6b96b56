"""The simulated Plex, as a specification of what a client of the real one has to live with."""

import gzip
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG

TOKEN = "a-token"
FILE = ("/media/a.mp4", 123_456, 60_000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


class Client:
    """A connection that is kept alive, sends the token, and asks for JSON unless told otherwise."""

    def __init__(self, sim: PlexSim) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
        self.headers = {"X-Plex-Token": TOKEN, "Accept": "application/json"}
        self.answer_headers: dict[str, str] = {}

    def ask(self, method: str, path: str, *, body: bytes | None = None, **headers: str | None) -> tuple[int, bytes]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in {**self.headers, **given}.items() if value is not None}
        self.connection.request(method, path, body=body, headers=sent)
        answer = self.connection.getresponse()
        self.answer_headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read()

    def get(self, path: str, **headers: str | None) -> dict:
        status, body = self.ask("GET", path, **headers)
        assert status == 200, (status, body)
        return json.loads(body)["MediaContainer"]

    def xml(self, path: str) -> ElementTree.Element:
        status, body = self.ask("GET", path, Accept=None)
        assert status == 200
        return ElementTree.fromstring(body)

    def put(self, path: str, query: dict[str, object] | str = "") -> int:
        query = query if isinstance(query, str) else urlencode(query)
        status, body = self.ask("PUT", f"{path}?{query}" if query else path)
        assert status != 200 or body == b""
        return status

    def edit(self, key: str, query: dict[str, object], section: str = "1") -> int:
        return self.put(f"/library/sections/{section}/all", {"type": 1, "id": key, **query})

    def detail(self, key: str) -> dict:
        return self.get(f"/library/metadata/{key}?skipRefresh=1")["Metadata"][0]


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as sim:
        sim.add_section("Movies")
        yield sim


@pytest.fixture
def client(sim: PlexSim) -> Iterator[Client]:
    client = Client(sim)
    yield client
    client.connection.close()


def titles(container: dict) -> list[str]:
    return [item["title"] for item in container.get("Metadata", [])]


def tags(item: dict, element: str) -> list[str]:
    return [tag["tag"] for tag in item.get(element, [])]


def locks(item: dict) -> set[str]:
    return {field["name"] for field in item.get("Field", []) if field["locked"]}


# who may ask, and in which dialect


@pytest.mark.parametrize("token", [None, "", "another"])
def test_a_missing_or_wrong_token_is_answered_401_with_a_page(client: Client, token: str | None) -> None:
    status, body = client.ask("GET", "/library/sections", X_Plex_Token=token)

    assert (status, body[:6]) == (401, b"<html>")


def test_the_token_may_stand_in_the_query(client: Client) -> None:
    status, _ = client.ask("GET", f"/library/sections?X-Plex-Token={TOKEN}", X_Plex_Token=None)

    assert status == 200


def test_a_new_token_revokes_the_old_one(sim: PlexSim, client: Client) -> None:
    sim.token = "rotated"

    assert client.ask("GET", "/")[0] == 401
    assert client.ask("GET", "/", X_Plex_Token="rotated")[0] == 200


def test_identity_needs_no_token_and_names_the_same_machine_as_the_root(client: Client) -> None:
    client_root = client.get("/")
    identity = client.get("/identity", X_Plex_Token=None)

    assert identity["machineIdentifier"] == client_root["machineIdentifier"]
    assert client_root["apiVersion"]


def test_xml_is_the_default_and_says_the_same_as_json(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], title='A "quoted" <title> & more', userRating=7.5, genre=["One", "Two"])

    video = client.xml(f"/library/metadata/{key}").find("Video")
    item = client.detail(key)

    assert video is not None
    assert video.get("title") == item["title"] == 'A "quoted" <title> & more'
    assert (video.get("userRating"), item["userRating"]) == ("7.5", 7.5)
    assert [genre.get("tag") for genre in video.findall("Genre")] == tags(item, "Genre") == ["One", "Two"]
    assert client.answer_headers["content-type"].startswith("application/json")


def test_booleans_are_numbers_in_xml_and_booleans_in_json(client: Client) -> None:
    assert client.xml("/library/sections")[0].get("refreshing") == "0"
    assert client.get("/library/sections")["Directory"][0]["refreshing"] is False


def test_line_breaks_in_a_summary_survive_xml(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], summary="one\ntwo")

    assert client.xml(f"/library/metadata/{key}")[0].get("summary") == "one\ntwo"


def test_keys_of_items_are_texts_and_ids_of_files_numbers(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    listed = client.get("/library/sections/1/all?type=1")["Metadata"][0]
    detailed = client.detail(key)

    assert listed["Media"][0]["Part"][0]["id"] == detailed["Media"][0]["Part"][0]["id"] == 100_801
    assert listed["ratingKey"] == detailed["ratingKey"] == key
    assert detailed["librarySectionID"] == 1
    assert isinstance(client.get(f"/library/metadata/{key}")["mediaTagVersion"], int)


def test_large_answers_are_compressed_for_those_who_take_it(sim: PlexSim, client: Client) -> None:
    for number in range(50):
        sim.add_movie("1", [(f"/media/{number}.mp4", 1, 1)])

    plain = client.ask("GET", "/library/sections/1/all?type=1")[1]
    packed = client.ask("GET", "/library/sections/1/all?type=1", Accept_Encoding="gzip")[1]

    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 5


def test_every_answer_of_plex_has_its_mark_and_one_of_a_proxy_has_not(sim: PlexSim, client: Client) -> None:
    for path, fault in (("/", ""), ("/nowhere", ""), ("/", "status"), ("/", "proxy"), ("/", "html")):
        sim.faults.set(*([Fault(fault, status=404)] if fault else []))
        client.ask("GET", path)
        assert ("x-plex-protocol" in client.answer_headers) == (fault not in ("proxy", "html")), (path, fault)


def test_unknown_paths_and_sections_are_404(client: Client) -> None:
    assert client.ask("GET", "/nowhere")[0] == 404
    assert client.ask("GET", "/library/sections/9/all")[0] == 404


# sections


def test_a_section_tells_where_its_files_lie_and_what_kind_it_is(sim: PlexSim, client: Client) -> None:
    sim.add_section("Clips", locations=("/clips", "/more"), agent="com.plexapp.agents.none")

    movies, clips = client.get("/library/sections")["Directory"]

    assert (movies["key"], movies["type"], movies["agent"]) == ("1", "movie", "tv.plex.agents.movie")
    assert (clips["type"], clips["scanner"]) == ("movie", "Plex Video Files Scanner")
    assert [place["path"] for place in clips["Location"]] == ["/clips", "/more"]
    assert client.get("/library/sections/all")["Directory"] == [movies, clips]


def test_details_of_a_section_list_filters_only_when_asked(client: Client) -> None:
    assert "Filter" in client.get("/library/sections/1?includeDetails=1")["Directory"][-1]
    assert "Filter" not in client.get("/library/sections/1")["Directory"][-1]


def test_the_change_counter_moves_with_every_edit_and_stands_still_otherwise(sim: PlexSim, client: Client) -> None:
    def counter() -> int:
        return client.get("/library/sections")["Directory"][0]["contentChangedAt"]

    key = sim.add_movie("1", [FILE])
    before = counter()
    client.detail(key)
    assert counter() == before

    client.edit(key, {"title.value": "b"})
    assert counter() > before


# listing


def test_pages_tell_the_total_in_body_and_headers(sim: PlexSim, client: Client) -> None:
    for letter in "abcde":
        sim.add_movie("1", [(f"/media/{letter}.mp4", 1, 1)])

    page = client.get("/library/sections/1/all?type=1&sort=id&X-Plex-Container-Start=2&X-Plex-Container-Size=2")
    assert (titles(page), page["offset"], page["size"], page["totalSize"]) == (["c", "d"], 2, 2, 5)
    assert client.answer_headers["x-plex-container-start"] == "2"
    assert client.answer_headers["x-plex-container-total-size"] == "5"

    by_header = client.get(
        "/library/sections/1/all?type=1&sort=id", X_Plex_Container_Start="4", X_Plex_Container_Size="9"
    )
    assert (titles(by_header), by_header["totalSize"]) == (["e"], 5)


def test_a_page_of_size_zero_gives_only_the_total(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [FILE])

    page = client.get("/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")

    assert (page["totalSize"], page["size"], page.get("Metadata")) == (1, 0, None)


def test_who_does_not_page_gets_everything_and_no_total(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [FILE])

    everything = client.get("/library/sections/1/all?type=1")

    assert everything["size"] == 1
    assert "totalSize" not in everything


def test_the_server_may_give_less_than_was_asked_for() -> None:
    with PlexSim(token=TOKEN, max_page=2) as sim:
        sim.add_section("Movies")
        for letter in "abc":
            sim.add_movie("1", [(f"/media/{letter}.mp4", 1, 1)])
        client = Client(sim)
        page = client.get("/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=100")
        client.connection.close()

    assert (page["size"], page["totalSize"]) == (2, 3)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("id", ["The Bee", "ant", "cat"]),
        ("id:desc", ["cat", "ant", "The Bee"]),
        ("titleSort", ["ant", "The Bee", "cat"]),
        ("titleSort:desc", ["cat", "The Bee", "ant"]),
        ("addedAt:desc", ["cat", "ant", "The Bee"]),
        ("updatedAt", ["ant", "cat", "The Bee"]),
        ("movie.year,id", ["ant", "cat", "The Bee"]),
        ("nonsense", ["The Bee", "ant", "cat"]),
        ("", ["ant", "The Bee", "cat"]),
    ],
)
def test_listings_are_sorted(sim: PlexSim, client: Client, order: str, expected: list[str]) -> None:
    first = sim.add_movie("1", [FILE], title="The Bee", titleSort="Bee", year=2001)
    sim.advance(10)
    sim.add_movie("1", [FILE], title="ant", year=1999)
    sim.advance(10)
    sim.add_movie("1", [FILE], title="cat", year=2000)
    sim.advance(10)
    sim.hand_edit(first, summary="touched")

    assert titles(client.get(f"/library/sections/1/all?type=1&sort={order}")) == expected


def test_a_listing_is_abridged_and_the_details_are_not(sim: PlexSim, client: Client) -> None:
    cast = [("Ann", "Herself"), ("Bob", ""), ("Cy", ""), ("Di", "")]
    three = {kind: ["a", "b", "c"] for kind in ("genre", "country", "writer")}
    key = sim.add_movie("1", [FILE], actor=cast, label=["mine"], collection=["Best"], **three)
    sim.hand_edit(key, title="mine")

    listed = client.get("/library/sections/1/all?type=1")["Metadata"][0]
    detailed = client.detail(key)

    assert tags(listed, "Role") == ["Ann", "Bob", "Cy"]
    assert [tags(listed, element) for element in ("Genre", "Country", "Writer")] == [["a", "b"]] * 3
    assert [tags(detailed, element) for element in ("Genre", "Country", "Writer")] == [["a", "b", "c"]] * 3
    assert tags(listed, "Collection") == ["Best"]
    assert not {"Field", "Label"} & set(listed)
    assert tags(detailed, "Role") == ["Ann", "Bob", "Cy", "Di"]
    assert detailed["Role"][0]["role"] == "Herself"
    assert locks(detailed) == {"title"}
    assert (tags(detailed, "Label"), tags(detailed, "Collection")) == (["mine"], ["Best"])


def test_elements_and_fields_can_be_left_out_of_a_listing(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [FILE], summary="long", genre=["a"])

    slim = client.get("/library/sections/1/all?type=1&excludeElements=Genre,Role&excludeFields=summary,tagline")
    bare = client.get("/library/sections/1/all?type=1&excludeElements=Media&excludeFields=title")

    assert not {"Genre", "summary"} & set(slim["Metadata"][0])
    assert slim["Metadata"][0]["Media"][0]["Part"][0]["file"] == FILE[0]
    assert not {"Media", "title"} & set(bare["Metadata"][0])


def test_merged_items_have_a_media_for_each_file(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [("/media/a.mp4", 1, 10), ("/media/a hd.mkv", 2, 20)], title="a")

    item = client.get("/library/sections/1/all?type=1")["Metadata"][0]

    parts = [media["Part"][0] for media in item["Media"]]
    assert [(part["file"], part["size"], part["duration"]) for part in parts] == [
        ("/media/a.mp4", 1, 10),
        ("/media/a hd.mkv", 2, 20),
    ]


# filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("title=ann", ["Ann", "Hannah"]),
        ("title==ann", ["Ann"]),
        ("title%3D=ann", ["Ann"]),
        ("title%3C=hann", ["Hannah"]),
        ("title>=b", ["Bob"]),
        ("title!=ann", ["Bob"]),
        ("title!==ann", ["Bob", "Hannah"]),
        ("title==ann,bob", ["Ann", "Bob"]),
        ("year=2001", ["Bob"]),
        ("year>>=2000", ["Bob", "Hannah"]),
        ("year%3C%3C=2001", ["Ann"]),
        ("year>=2001&title=b", ["Bob"]),
        ("id=1,3", ["Ann", "Hannah"]),
        ("genre=1", ["Ann", "Bob"]),
        ("genre!=1", ["Hannah"]),
        ("userRating>>=5", ["Ann"]),
        ("originallyAvailableAt<<=1970-01-01", None),
        ("year=abc", None),
        ("duplicate=1", ["Hannah"]),
        ("unwatched=1", ["Ann", "Bob", "Hannah"]),
        ("Title=ann", ["Ann", "Bob", "Hannah"]),
        ("titel=ann", ["Ann", "Bob", "Hannah"]),
        ("title=", ["Ann", "Bob", "Hannah"]),
    ],
)
def test_filters(sim: PlexSim, client: Client, query: str, expected: list[str] | None) -> None:
    """Unknown names, names in the wrong case and empty values select everything; a bad value is 400."""
    sim.add_movie("1", [FILE], title="Ann", year=2000, genre=["x"], userRating=8)
    sim.add_movie("1", [FILE], title="Bob", year=2001, genre=["x"])
    sim.add_movie("1", [FILE, ("/media/b.mp4", 1, 1)], title="Hannah", year=2002, genre=["y"])

    status, body = client.ask("GET", f"/library/sections/1/all?type=1&{query}")

    if expected is None:
        assert status == 400
    else:
        assert titles(json.loads(body)["MediaContainer"]) == expected


def test_changes_since_a_moment_can_be_asked_for(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], title="a")
    sim.add_movie("1", [FILE], title="b")
    sim.advance(1_000)
    moment = sim.now() - 1
    sim.hand_edit(key, summary="new")

    assert titles(client.get(f"/library/sections/1/all?type=1&updatedAt%3E%3E={moment}")) == ["a"]
    assert titles(client.get("/library/sections/1/all?type=1&updatedAt>>=-5m")) == ["a"]


def test_the_file_filter_is_exact_on_the_base_name(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [("/media/x/a, b.mp4", 1, 1)], title="one")
    sim.add_movie("1", [("/media/y/b.mp4", 1, 1), ("C:\\media\\c.mp4", 1, 1)], title="two")

    def found(name: str) -> list[str]:
        return titles(client.get(f"/library/sections/1/all?type=1&file={quote(name)}"))

    assert found("a, b.mp4") == ["one"]
    assert found("c.mp4") == ["two"]
    assert found("B.mp4") == found("b.mp") == []


def test_the_file_filter_takes_a_path_for_its_whole_folder(sim: PlexSim, client: Client) -> None:
    for name in "ab":
        sim.add_movie("1", [(f"/media/x/{name}.mp4", 1, 1)], title=name)
    sim.add_movie("1", [("/media/y/a.mp4", 1, 1)], title="elsewhere")

    assert titles(client.get("/library/sections/1/all?type=1&file=/media/x/a.mp4")) == ["a", "b"]


def test_the_file_filter_without_a_type_is_500(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [FILE])

    assert client.ask("GET", "/library/sections/1/all?file=a.mp4")[0] == 500


# details


def test_details_of_several_items_leave_out_the_missing_ones(sim: PlexSim, client: Client) -> None:
    first, second = sim.add_movie("1", [FILE], title="a"), sim.add_movie("1", [FILE], title="b")

    assert titles(client.get(f"/library/metadata/{first},999,{second}")) == ["a", "b"]
    assert client.ask("GET", "/library/metadata/999,998")[0] == 404


def test_files_can_be_checked(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    part = client.get(f"/library/metadata/{key}?checkFiles=1")["Metadata"][0]["Media"][0]["Part"][0]

    assert part["exists"] is part["accessible"] is True


# edits


SCALAR_EDITS = [
    ("title", "New", "New"),
    ("titleSort", "Sort", "Sort"),
    ("originalTitle", "Old", "Old"),
    ("summary", "Text\nmore", "Text\nmore"),
    ("tagline", "Line", "Line"),
    ("studio", "Studio", "Studio"),
    ("contentRating", "XXX", "XXX"),
    ("originallyAvailableAt", "2020-02-29", "2020-02-29"),
    ("rating", "7.25", 7.2),
    ("audienceRating", "10", 10.0),
    ("userRating", "6.66", 6.7),
    ("addedAt", "1500000000", 1_500_000_000),
    ("editionTitle", "Uncut", "Uncut"),
]


@pytest.mark.parametrize("path", ["/library/sections/1/all?type=1&id={key}", "/library/metadata/{key}?"])
@pytest.mark.parametrize(("field", "sent", "read"), SCALAR_EDITS)
def test_a_scalar_is_written_and_locked(
    sim: PlexSim, client: Client, path: str, field: str, sent: str, read: object
) -> None:
    key = sim.add_movie("1", [FILE])
    query = urlencode({f"{field}.value": sent, f"{field}.locked": 1})

    assert client.ask("PUT", f"{path.format(key=key)}&{query}") == (200, b"")

    assert client.detail(key)[field] == read
    assert sim.item(key).scalars[field] == read
    assert locks(client.detail(key)) == {field}


@pytest.mark.parametrize(
    "query",
    [
        {"userRating.value": "11"},
        {"rating.value": "good"},
        {"userRating.value": "nan"},
        {"originallyAvailableAt.value": "2021-02-29"},
        {"originallyAvailableAt.value": "20210228"},
        {"addedAt.value": "soon"},
    ],
)
def test_a_value_that_no_field_takes_is_400_and_changes_nothing(sim: PlexSim, client: Client, query: dict) -> None:
    key = sim.add_movie("1", [FILE], title="a")

    assert client.edit(key, {"title.value": "b", **query}) == 400
    assert sim.item(key).scalars["title"] == "a"


def test_an_empty_value_clears(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], studio="S", userRating=5, originallyAvailableAt="2020-01-02")
    assert client.detail(key)["year"] == 2020

    client.edit(key, {"studio.value": "", "userRating.value": "", "originallyAvailableAt.value": ""})

    assert not {"studio", "userRating", "originallyAvailableAt", "year"} & set(client.detail(key))


def test_the_year_follows_the_date_and_cannot_be_written(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], year=1999)

    client.edit(key, {"year.value": 2005})
    assert client.detail(key)["year"] == 1999

    client.edit(key, {"originallyAvailableAt.value": "2010-05-06"})
    assert client.detail(key)["year"] == 2010


def test_values_are_normalised_on_write(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    client.edit(key, {"title.value": "  a   b\x00 ", "summary.value": " a\n\n b ", "genre[0].tag.tag": " x   y "})

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["summary"], item.lists["genre"]) == ("a b", "a\n\n b", ["x y"])


def test_normalising_can_be_turned_off_and_summaries_cut() -> None:
    with PlexSim(token=TOKEN, normalise=False) as verbatim, PlexSim(token=TOKEN, max_summary=4) as cutting:
        for sim in (verbatim, cutting):
            sim.add_section("Movies")
            key = sim.add_movie("1", [FILE])
            sim.hand_edit(key, title=" a  b ", summary="abcdef")

        assert verbatim.item("1").scalars["title"] == " a  b "
        assert cutting.item("1").scalars["summary"] == "abcd"


def test_a_media_can_have_several_parts(sim: PlexSim, client: Client) -> None:
    halves = [("/media/a cd1.mp4", 5, 1000), ("/media/a cd2.mp4", 6, 2000)]
    key = sim.add_movie("1", [halves, ("/media/a.mp4", 7, 3000)])

    for item in (client.get("/library/sections/1/all?type=1")["Metadata"][0], client.detail(key)):
        assert [[part["file"] for part in media["Part"]] for media in item["Media"]] == [
            ["/media/a cd1.mp4", "/media/a cd2.mp4"],
            ["/media/a.mp4"],
        ]
        assert [media["duration"] for media in item["Media"]] == [3000, 3000]
    assert [media["id"] for media in client.detail(sim.readd(key))["Media"]] != [media["id"] for media in item["Media"]]
    assert [len(media["Part"]) for media in client.get("/library/sections/1/all?type=1")["Metadata"][0]["Media"]] == [
        2,
        1,
    ]


def test_libraries_can_be_of_other_types(sim: PlexSim, client: Client) -> None:
    shows = sim.add_section("Shows", type="show")

    assert [one["type"] for one in client.get("/library/sections")["Directory"]] == ["movie", "show"]
    assert client.get(f"/library/sections/{shows}/all?type=1")["size"] == 0


def test_a_connection_that_nobody_uses_is_closed(sim: PlexSim) -> None:
    sim.idle_seconds = 0.1
    with socket.create_connection(("127.0.0.1", sim.port)) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(5)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 200")


def test_what_is_in_the_trash_is_listed_and_has_no_details(sim: PlexSim, client: Client) -> None:
    kept, trashed = (sim.add_movie("1", [FILE], title=title) for title in ("kept", "trashed"))
    sim.trash(trashed)

    assert titles(client.get("/library/sections/1/all?type=1")) == ["kept", "trashed"]
    assert titles(client.get(f"/library/metadata/{kept},{trashed}")) == ["kept"]
    assert client.ask("GET", f"/library/metadata/{trashed}")[0] == 404
    sim.strict_ids = True
    assert client.ask("GET", f"/library/metadata/{kept},{trashed}")[0] == 404


def test_texts_can_be_cut_inside_a_character(sim: PlexSim, client: Client) -> None:
    sim.cut_texts(4)
    key = sim.add_movie("1", [FILE])
    client.edit(key, {"title.value": "日本", "genre[0].tag.tag": "本日", "genre[1].tag.tag": "日a"})

    _, body = client.ask("GET", f"/library/metadata/{key}")

    assert '"title":"日'.encode() + b'\xe6"' in body
    assert '"tag":"本'.encode() + b'\xe6"' in body
    assert '"tag":"日a"'.encode() in body


@pytest.mark.parametrize("query", [{"id": ""}, {}])
def test_an_edit_without_id_edits_the_whole_section(sim: PlexSim, client: Client, query: dict) -> None:
    keys = [sim.add_movie("1", [FILE]) for _ in range(3)]
    sim.add_section("Other")
    other = sim.add_movie("2", [FILE], title="other")

    assert client.put("/library/sections/1/all", {"type": 1, **query, "title.value": "oops"}) == 200

    assert {sim.item(key).scalars["title"] for key in keys} == {"oops"}
    assert sim.item(other).scalars["title"] == "other"


def test_an_edit_reaches_all_its_ids_and_no_other(sim: PlexSim, client: Client) -> None:
    keys = [sim.add_movie("1", [FILE], title=f"t{n}") for n in range(3)]

    client.edit(f"{keys[0]},{keys[2]}", {"studio.value": "S"})

    assert [sim.item(key).scalars.get("studio") for key in keys] == ["S", None, "S"]


def test_an_edit_of_missing_items_is_404_and_one_without_type_400(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], title="a")

    assert client.edit("999", {"title.value": "b"}) == 404
    assert client.put("/library/metadata/999", {"title.value": "b"}) == 404
    assert client.put("/library/sections/1/all", {"id": key, "title.value": "b"}) == 400
    assert sim.item(key).scalars["title"] == "a"


def test_an_edit_moves_the_stamp(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])
    before = client.detail(key)["updatedAt"]
    sim.advance(60)

    client.edit(key, {"title.value": "b"})

    assert client.detail(key)["updatedAt"] >= before + 60


KINDS = {
    "genre": "Genre",
    "collection": "Collection",
    "label": "Label",
    "director": "Director",
    "writer": "Writer",
    "producer": "Producer",
    "country": "Country",
    "actor": "Role",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_tag_is_added_removed_emptied_and_locked(sim: PlexSim, client: Client, kind: str) -> None:
    key = sim.add_movie("1", [FILE])

    client.edit(key, {f"{kind}[0].tag.tag": "a", f"{kind}[1].tag.tag": "b", f"{kind}[2].tag.tag": "c"})
    assert tags(client.detail(key), KINDS[kind]) == ["a", "b", "c"]
    assert locks(client.detail(key)) == {kind}

    client.edit(key, {f"{kind}[].tag.tag-": "A,c,never", f"{kind}.locked": 0})
    assert tags(client.detail(key), KINDS[kind]) == ["b"]
    assert locks(client.detail(key)) == set()

    client.edit(key, {f"{kind}[].tag": "", f"{kind}.locked": 1})
    assert tags(client.detail(key), KINDS[kind]) == []
    assert locks(client.detail(key)) == {kind}


def test_names_with_commas_are_removed_when_encoded_twice(sim: PlexSim, client: Client) -> None:
    names = ["a, b", "50% [x]/'y'", "c"]
    key = sim.add_movie("1", [FILE], genre=names)

    client.edit(key, {"genre[].tag.tag-": ",".join(quote(name) for name in names[:2])})

    assert sim.item(key).lists["genre"] == ["c"]


@pytest.mark.parametrize(("mode", "left"), [("add", ["a", "b", "c"]), ("replace", ["b", "c"])])
def test_indexed_tags_are_added_or_replace_the_list(mode: str, left: list[str]) -> None:
    with PlexSim(token=TOKEN, tag_mode=mode) as sim:
        sim.add_section("Movies")
        key = sim.add_movie("1", [FILE], genre=["a", "b"])
        client = Client(sim)
        client.edit(key, {"genre[0].tag.tag": "b", "genre[1].tag.tag": "c"})
        client.connection.close()

        assert sim.item(key).lists["genre"] == left


@pytest.mark.parametrize(("mixed", "left"), [(True, ["b"]), (False, ["a", "b"])])
def test_a_removal_beside_additions_may_get_lost(mixed: bool, left: list[str]) -> None:
    with PlexSim(token=TOKEN, mixed_removals=mixed) as sim:
        sim.add_section("Movies")
        key = sim.add_movie("1", [FILE], genre=["a"])
        client = Client(sim)
        client.edit(key, {"genre[0].tag.tag": "b", "genre[].tag.tag-": "a"})
        assert sim.item(key).lists["genre"] == left

        client.edit(key, {"genre[].tag.tag-": "a"})
        client.connection.close()
        assert sim.item(key).lists["genre"] == ["b"]


def test_a_tag_keeps_its_first_spelling(sim: PlexSim, client: Client) -> None:
    sim.add_movie("1", [FILE], genre=["Science Fiction"])
    key = sim.add_movie("1", [FILE])

    client.edit(key, {"genre[0].tag.tag": "science  FICTION", "genre[1].tag.tag": "Science fiction"})

    assert sim.item(key).lists["genre"] == ["Science Fiction"]


def test_cast_is_written_as_actor_and_read_as_role(sim: PlexSim, client: Client) -> None:
    first, second = sim.add_movie("1", [FILE]), sim.add_movie("1", [FILE])
    photo = "https://example.org/ann.jpg"

    client.edit(first, {"actor[0].tag.tag": "Ann", "actor[0].tagging.text": "Queen", "actor[0].tag.thumb": photo})
    client.edit(second, {"actor[0].tag.tag": "ann"})

    ann, also_ann = client.detail(first)["Role"][0], client.detail(second)["Role"][0]
    assert (ann["tag"], ann["role"], ann["thumb"]) == ("Ann", "Queen", photo)
    assert (also_ann["id"], also_ann["tag"], also_ann["thumb"]) == (ann["id"], "Ann", photo)
    assert "role" not in also_ann
    assert sim.item(first).roles == {"Ann": "Queen"}


def test_the_prefix_role_does_nothing(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], actor=["Ann"])

    assert client.edit(key, {"role[0].tag.tag": "Bob", "role[].tag.tag-": "Ann", "role.locked": 1}) == 200

    assert sim.item(key).lists["actor"] == ["Ann"]
    assert sim.item(key).locks == set()


def test_an_actor_sent_again_keeps_the_role_unless_a_new_one_is_given(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], actor=[("Ann", "Queen")])

    client.edit(key, {"actor[0].tag.tag": "Ann"})
    assert sim.item(key).roles == {"Ann": "Queen"}

    client.edit(key, {"actor[0].tag.tag": "Ann", "actor[0].tagging.text": "King"})
    assert sim.item(key).roles == {"Ann": "King"}


def test_one_edit_holds_everything(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], label=["old"])

    client.edit(
        key,
        {
            "title.value": "T",
            "title.locked": 1,
            "genre[0].tag.tag": "g",
            "genre.locked": 1,
            "label[].tag.tag-": "old",
            "actor[0].tag.tag": "Ann",
            "thumb.locked": 1,
        },
    )

    item = sim.item(key)
    assert (item.scalars["title"], item.lists["genre"], item.lists["label"], item.lists["actor"]) == (
        "T",
        ["g"],
        [],
        ["Ann"],
    )
    assert item.locks == {"title", "genre", "label", "actor", "thumb"}


def test_a_request_line_can_be_too_long() -> None:
    with PlexSim(token=TOKEN, max_target=500) as sim:
        sim.add_section("Movies")
        key = sim.add_movie("1", [FILE], title="a")
        client = Client(sim)
        status = client.edit(key, {"summary.value": "x" * 600})
        client.connection.close()

        assert status == 414
        assert "summary" not in sim.item(key).scalars


# locks and refreshes


def test_a_refresh_reverts_what_is_not_locked(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], title="agent", studio="agent", genre=["agent"], writer=["agent"])
    client.edit(
        key,
        {
            "title.value": "ours",
            "title.locked": 1,
            "studio.value": "ours",
            "genre[0].tag.tag": "ours",
            "genre.locked": 1,
            "writer[0].tag.tag": "ours",
            "writer.locked": 0,
            "userRating.value": 9,
        },
    )

    assert client.put(f"/library/metadata/{key}/refresh") == 200

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["studio"], item.scalars["userRating"]) == ("ours", "agent", 9.0)
    assert (item.lists["genre"], item.lists["writer"]) == (["agent", "ours"], ["agent"])


def test_unlocking_lets_the_agents_value_come_back(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], title="agent", year=1999)
    sim.hand_edit(key, title="mine", originallyAvailableAt="2020-01-01")

    client.edit(key, {"title.locked": 0, "originallyAvailableAt.locked": 0})
    assert sim.item(key).scalars["title"] == "mine"

    sim.refresh_item(key)
    assert (sim.item(key).scalars["title"], sim.item(key).scalars["year"]) == ("agent", 1999)


def test_a_person_edits_by_hand(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE], title="agent", genre=["agent"], studio="S")

    sim.hand_edit(key, title="mine", genre=["a", "b"], actor=[("Ann", "Queen")], studio=None, thumb=PNG)

    item = sim.item(key)
    assert (item.scalars["title"], item.lists["genre"], item.roles) == ("mine", ["a", "b"], {"Ann": "Queen"})
    assert "studio" not in item.scalars
    assert item.locks == {"title", "genre", "actor", "studio", "thumb"}

    sim.hand_edit(key, locked=False, title="open")
    assert "title" not in sim.item(key).locks


def test_a_field_that_does_not_exist_is_a_mistake_of_the_caller(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE])

    with pytest.raises(TypeError):
        sim.hand_edit(key, titel="typo")


# collections


def test_a_collection_lives_as_long_as_it_has_members(sim: PlexSim, client: Client) -> None:
    first, second = sim.add_movie("1", [FILE], title="a"), sim.add_movie("1", [FILE], title="b")

    client.edit(f"{first},{second}", {"collection[0].tag.tag": "Best"})
    listed = client.get("/library/sections/1/all?type=18")["Metadata"]
    assert [(item["title"], item["type"], item["childCount"]) for item in listed] == [("Best", "collection", "2")]
    assert titles(client.get(listed[0]["key"])) == ["a", "b"]
    assert client.get("/library/sections/1/collections")["Metadata"] == listed
    assert titles(client.get("/library/sections/1/all?type=1")) == ["a", "b"]

    client.edit(first, {"collection[].tag.tag-": "best"})
    assert sim.collections("1") == {"Best": [second]}

    client.edit(second, {"collection[].tag": ""})
    assert sim.collections("1") == {}
    assert client.ask("GET", f"/library/metadata/{listed[0]['ratingKey']}")[0] == 404


def test_a_collection_can_be_edited_but_takes_no_others_name(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE], collection=["One", "Two"])
    one = client.get("/library/sections/1/all?type=18&title=One")["Metadata"][0]["ratingKey"]

    assert client.put("/library/sections/1/all", {"type": 18, "id": one, "title.value": "two"}) == 409
    query = {"type": 18, "id": one, "title.value": "First", "summary.value": "S", "summary.locked": 1}
    assert client.put("/library/sections/1/all", query) == 200

    assert sim.item(key).lists["collection"] == ["First", "Two"]
    assert (client.detail(one)["summary"], locks(client.detail(one))) == ("S", {"summary"})


def test_collections_of_one_name_in_two_sections_are_two(sim: PlexSim) -> None:
    sim.add_section("Other")
    first = sim.add_movie("1", [FILE], collection=["Best"])
    second = sim.add_movie("2", [FILE], collection=["best"])

    assert sim.collections("1") == {"Best": [first]}
    assert sim.collections("2") == {"best": [second]}


# pictures


def test_an_uploaded_poster_is_named_by_its_sha1_selected_and_locked(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])
    before = client.detail(key)["thumb"]

    assert client.ask("POST", f"/library/metadata/{key}/posters", body=PNG) == (200, b"")

    name = f"upload://posters/{hashlib.sha1(PNG).hexdigest()}"
    posters = client.get(f"/library/metadata/{key}/posters")["Metadata"]
    assert [poster["ratingKey"] for poster in posters if poster["selected"]] == [name]
    assert len(posters) == 2
    assert locks(client.detail(key)) == {"thumb"}
    assert client.detail(key)["thumb"] != before
    assert client.ask("GET", client.detail(key)["thumb"]) == (200, PNG)
    assert client.ask("GET", posters[-1]["key"]) == (200, PNG)
    assert client.ask("GET", before)[0] == 404


def test_the_same_picture_uploaded_twice_is_one_candidate(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    for _ in range(2):
        client.ask("POST", f"/library/metadata/{key}/posters", body=PNG)

    assert len(sim.item(key).posters) == 2


def test_a_candidate_is_selected_by_its_key(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])
    frame = sim.item(key).poster
    client.ask("POST", f"/library/metadata/{key}/posters", body=PNG)

    chosen = f"/library/metadata/{key}/poster?url={quote(str(frame), safe='')}"
    # Not JSON, whatever was asked for: the new address of what is shown.
    status, told = client.ask("PUT", chosen)
    assert client.answer_headers["content-type"].startswith("text/html")
    assert (status, told) == (200, client.detail(key)["thumb"].encode())
    assert sim.item(key).poster == frame
    assert client.put(f"/library/metadata/{key}/poster", {"url": "upload://posters/unknown"}) == 404


def test_backgrounds_have_a_shelf_of_their_own(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    client.ask("POST", f"/library/metadata/{key}/arts", body=PNG)

    assert sim.item(key).art == f"upload://art/{hashlib.sha1(PNG).hexdigest()}"
    assert locks(client.detail(key)) == {"art"}
    assert "art" in client.detail(key)


def test_a_picture_can_be_removed_and_stays_locked(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    assert client.ask("DELETE", f"/library/metadata/{key}/thumb")[0] == 200

    assert "thumb" not in client.detail(key)
    assert locks(client.detail(key)) == {"thumb"}


def test_a_picture_over_ten_megabytes_is_500_and_an_empty_one_400(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    assert client.ask("POST", f"/library/metadata/{key}/posters", body=bytes(10 * 1024 * 1024 + 1))[0] == 500
    assert client.ask("POST", f"/library/metadata/{key}/posters", body=b"")[0] == 400
    assert len(sim.item(key).posters) == 1


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://192.168.1.4:9999/scene/1/screenshot", 406),
        ("http://127.0.0.1/x", 406),
        ("http://stash:9999/x", 406),
        ("http://nas.local/x", 406),
        ("https://example.org/x.jpg", 200),
    ],
)
def test_pictures_at_home_are_not_fetched(sim: PlexSim, client: Client, url: str, status: int) -> None:
    key = sim.add_movie("1", [FILE])

    assert client.ask("POST", f"/library/metadata/{key}/posters?url={quote(url, safe='')}")[0] == status


# scans and keys


def test_a_staged_movie_is_seen_when_a_scan_has_ended() -> None:
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        sim.add_section("Movies")
        client = Client(sim)
        key = sim.stage_movie("1", [FILE], title="new")
        assert sim.keys("1") == []
        before = client.get("/library/sections")["Directory"][0]

        assert client.ask("GET", "/library/sections/1/refresh")[0] == 200
        assert client.get("/library/sections")["Directory"][0]["refreshing"] is True
        activity = client.get("/activities")["Activity"][0]
        assert (activity["type"], activity["Context"]["librarySectionID"]) == ("library.update.section", "1")
        assert client.ask("GET", f"/library/metadata/{key}")[0] == 404

        sim.finish_scan("1")
        after = client.get("/library/sections")["Directory"][0]
        assert after["refreshing"] is False
        assert after["scannedAt"] > before["scannedAt"]
        assert after["contentChangedAt"] > before["contentChangedAt"]
        assert sim.keys("1") == [key]
        assert "Activity" not in client.get("/activities")
        client.connection.close()


def test_a_scan_ends_by_itself_after_a_while(sim: PlexSim, client: Client) -> None:
    key = sim.stage_movie("1", [FILE])
    client.ask("POST", "/library/sections/1/refresh")

    sim.advance(60)

    assert titles(client.get("/library/sections/1/all?type=1")) == ["a"]
    assert sim.keys("1") == [key]


def test_a_scan_of_a_folder_finds_only_what_lies_below(sim: PlexSim, client: Client) -> None:
    near = sim.stage_movie("1", [("/media/new/a.mp4", 1, 1)])
    far = sim.stage_movie("1", [("/media/newer/b.mp4", 1, 1)])

    client.ask("POST", f"/library/sections/1/refresh?path={quote('/media/new')}")
    sim.finish_scan("1")
    assert sim.keys("1") == [near]

    client.ask("POST", "/library/sections/1/refresh")
    client.ask("DELETE", "/library/sections/1/refresh")
    sim.finish_scan("1")
    assert sim.keys("1") == [near]

    sim.scan("1")
    sim.finish_scan("1")
    assert sim.keys("1") == [near, far]


def test_all_sections_can_be_scanned_at_once(sim: PlexSim, client: Client) -> None:
    sim.add_section("Other")
    sim.stage_movie("2", [FILE])

    client.ask("POST", "/library/sections/all/refresh")
    sim.advance(60)

    assert len(sim.keys("2")) == 1


def test_a_movie_that_comes_back_has_a_new_key_and_lost_its_edits(sim: PlexSim, client: Client) -> None:
    old = sim.add_movie("1", [FILE], title="agent", collection=["Best"])
    sim.hand_edit(old, title="mine")

    new = sim.readd(old)

    assert new != old
    assert client.ask("GET", f"/library/metadata/{old}")[0] == 404
    assert (sim.item(new).scalars["title"], sim.item(new).locks, sim.item(new).files) == ("agent", set(), [FILE])
    assert client.get("/library/sections/1/all?type=1&file=a.mp4")["Metadata"][0]["ratingKey"] == new
    assert sim.collections("1") == {"Best": [new]}


def test_a_removed_movie_is_gone(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])

    sim.remove(key)

    assert client.ask("GET", f"/library/metadata/{key}")[0] == 404
    assert titles(client.get("/library/sections/1/all?type=1&file=a.mp4")) == []
    with pytest.raises(KeyError):
        sim.item(key)


# what one person thinks and watches


def test_rating_and_watching(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])
    base = {"identifier": "com.plexapp.plugins.library", "key": key}

    assert client.put("/:/rate", {**base, "rating": 7}) == 200
    assert client.put("/:/scrobble", base) == 200
    item = client.detail(key)
    assert (item["userRating"], item["viewCount"]) == (7.0, 1)
    assert {"lastRatedAt", "lastViewedAt"} <= set(item)
    assert locks(item) == set()

    assert client.put("/:/rate", {**base, "rating": -1}) == 200
    assert client.put("/:/unscrobble", base) == 200
    assert not {"userRating", "viewCount", "lastViewedAt"} & set(client.detail(key))

    assert client.put("/:/rate", {**base, "rating": 12}) == 400
    assert client.put("/:/rate", {**base, "key": 999, "rating": 1}) == 404
    assert client.put("/:/scrobble", {"key": key}) == 400


# the log


def test_the_log_says_what_was_asked_and_how_it_was_answered(sim: PlexSim, client: Client) -> None:
    key = sim.add_movie("1", [FILE])
    client.edit(key, {"title.value": "b"})
    client.ask("GET", "/library/metadata/999")

    put, get = sim.log
    assert (put.method, put.path, put.params["title.value"], put.status) == (
        "PUT",
        "/library/sections/1/all",
        "b",
        200,
    )
    assert (get.status, get.at_monotonic >= put.at_monotonic) == (404, True)
    assert (sim.count(), sim.count("PUT"), sim.count(path_prefix="/library/metadata")) == (2, 1, 1)
    assert sim.most_at_once() == 1

    sim.clear_log()
    assert sim.count() == 0
