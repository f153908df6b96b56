"""The simulated Plex against the official OpenAPI document: its answers fit the schemas, its paths exist.

The document is not part of the repository. It is looked for in the folder that PLEXSYNC_CONTRACTS names, else beside the
repository.
"""

import json
import os
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx2
import jsonschema
import pytest

from plexsync.plex.client import PlexClient
from plexsync.rules.records import PlexPlay, PlexSession
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.plex_server import PlexSim
from tests.transports import saying

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PLEXSYNC_CONTRACTS") or ROOT.parent / "shared" / "contracts")
DOCUMENT = FOLDER / "plex-openapi.json"
TOKEN = "a-token"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(),
    reason="Plex's OpenAPI document is not here: set PLEXSYNC_CONTRACTS to the folder that holds plex-openapi.json",
)

# Where the document contradicts its own examples or what was recorded from a real server, the latter is followed:
#   properties that come in another type
MIXED_TYPES = {
    "hidden": "a number in recordings, a boolean in the schema of a section",
}
#   query parameters and paths that the document does not have
EXTRA_PARAMETERS = {
    ("GET", "/library/sections/{sectionId}/all"): {
        "type": "part of the media query, which the document describes in prose",
        "id": "media query",
        "sort": "media query",
        "title": "media query",
        "updatedAt>>": "media query; a field that is not advertised",
        "file": "not documented; recorded from a real server",
        "X-Plex-Container-Start": "paging, described in prose",
        "X-Plex-Container-Size": "paging, described in prose",
        "excludeElements": "described in older documentation of sections",
        "excludeFields": "described in older documentation of sections",
        "includeMeta": "described in older documentation of sections",
    },
    ("PUT", "/library/sections/{sectionId}/all"): {"id": "only in the prose of the operation"},
    ("PUT", "/library/metadata/{ids}"): {"*": "`args` is an object of any names"},
    ("PUT", "/library/metadata/{ids}/prefs"): {"*": "`args` is an object of any names"},
    ("PUT", "/library/sections/{sectionId}/prefs"): {"*": "`prefs` is an object of any names"},
    ("GET", "/status/sessions/history/all"): {
        "viewedAt>": "`viewedAt` with the operator that its description names",
        "X-Plex-Container-Start": "paging, described in prose",
        "X-Plex-Container-Size": "paging, described in prose",
    },
}
EXTRA_PATHS = {
    ("GET", "/library/sections"): "recorded; the document has /library/sections/all",
    ("GET", "/library/sections/{sectionId}/refresh"): "recorded; the document has POST",
    ("GET", "/library/metadata/{ids}/posters"): "not documented; used by clients of the real server",
    ("POST", "/library/metadata/{ids}/posters"): "not documented; the document has the singular /poster",
}


@pytest.fixture(scope="module")
def document() -> dict:
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sim() -> Iterator[PlexSim]:
    """A library with one of everything, and a scan under way."""
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        section = sim.add_section("Movies", locations=("/media",))
        sim.add_section("Clips", locations=("/clips",), agent="tv.plex.agents.none")
        key = sim.add_movie(
            section,
            [("/media/a.mp4", 123_456, 60_000), ("/media/b.mkv", 1, 0)],
            title="A",
            year=2001,
            summary="S",
            studio="St",
            rating=7.5,
            audienceRating=8,
            userRating=9.5,
            originallyAvailableAt="2001-02-03",
            genre=["g"],
            country=["c"],
            director=["d"],
            writer=["w"],
            producer=["p"],
            label=["l"],
            collection=["Best"],
            actor=[("Ann", "Queen"), ("Bob", "")],
        )
        sim.hand_edit(key, tagline="mine", thumb=b"picture", art=b"background")
        sim.add_movie("2", [("/clips/a.mp4", 1, 1)])
        sim.play(key)
        sim.sessions.start(key, 5_000)
        shown = {"metadataItemId": sim.collection_keys(section)["Best"], "promotedToOwnHome": 1}
        ask(sim, "POST", f"/hubs/sections/{section}/manage?{urlencode(shown)}")
        sim.add_playlist("Evening", key)
        sim.add_playlist("Unseen", smart="library://x")
        sim.scan(section)
        yield sim


def ask(sim: PlexSim, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", sim.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def tolerant(schema: object, name: str = "") -> object:
    """The schema without its texts, and with the tolerances named above."""
    if isinstance(schema, list):
        return [tolerant(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if name in MIXED_TYPES and isinstance(schema.get("type"), str):
        return {"type": ["string", "number", "boolean"]}
    if "properties" in schema and isinstance(schema["properties"], dict):
        properties = {key: tolerant(part, key) for key, part in schema["properties"].items()}
        rest = {key: tolerant(part) for key, part in schema.items() if key != "properties" and not _is_text(key)}
        return {**rest, "properties": properties}
    return {key: tolerant(part) for key, part in schema.items() if not _is_text(key)}


def _is_text(keyword: str) -> bool:
    return keyword in ("example", "examples", "description")


def template_of(document: dict, method: str, path: str) -> str:
    """The documented (or tolerated) path that a request path is an instance of."""
    templates = [template for template, operations in document["paths"].items() if method.lower() in operations]
    templates += [template for known, template in EXTRA_PATHS if known == method]
    for template in sorted(templates, key=lambda template: template.count("{")):
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            return template
    raise AssertionError(f"{method} {path} is no path of the document")


def parameters_of(document: dict, method: str, template: str) -> set[str]:
    """The query parameters an operation documents, and those that are tolerated."""
    item = document["paths"].get(template, {})
    found = [*item.get("parameters", []), *item.get(method.lower(), {}).get("parameters", [])]
    resolved = [resolve(document, one) for one in found]
    return {one["name"] for one in resolved if one["in"] == "query"} | set(EXTRA_PARAMETERS.get((method, template), {}))


def resolve(document: dict, part: dict) -> dict:
    while "$ref" in part:
        names = part["$ref"].removeprefix("#/").split("/")
        part = document
        for name in names:
            part = part[name]
    return part


READS = [
    ("/", "/"),
    ("/identity", "/identity"),
    ("/activities", "/activities"),
    ("/library/sections", "/library/sections/all"),
    ("/library/sections/all", "/library/sections/all"),
    ("/library/sections/1", "/library/sections/{sectionId}"),
    ("/library/sections/1?includeDetails=1", "/library/sections/{sectionId}"),
    ("/library/sections/1/all?type=1", "/library/sections/{sectionId}/all"),
    (
        "/library/sections/1/all?type=1&sort=id&X-Plex-Container-Start=0&X-Plex-Container-Size=10"
        "&excludeElements=Genre,Role&excludeFields=summary",
        "/library/sections/{sectionId}/all",
    ),
    ("/library/sections/1/all?type=1&updatedAt>>=5", "/library/sections/{sectionId}/all"),
    ("/library/sections/1/all?type=1&file=a.mp4", "/library/sections/{sectionId}/all"),
    ("/library/sections/1/all?type=1&title=nothing", "/library/sections/{sectionId}/all"),
    ("/library/sections/1/all?type=18&includeMeta=1", "/library/sections/{sectionId}/all"),
    ("/library/sections/1/collections", "/library/sections/{sectionId}/collections"),
    ("/library/metadata/1?skipRefresh=1", "/library/metadata/{ids}"),
    ("/library/collections/2/items", "/library/collections/{collectionId}/items"),
    ("/playlists?playlistType=video", "/playlists"),
    ("/playlists/4", "/playlists/{playlistId}"),
    ("/playlists/4/items", "/playlists/{playlistId}/items"),
    ("/status/sessions/history/all?viewedAt>=5&accountID=1&sort=viewedAt:desc", "/status/sessions/history/all"),
    (
        "/status/sessions/history/all?sort=viewedAt:asc&accountID=1&X-Plex-Container-Start=0&X-Plex-Container-Size=10",
        "/status/sessions/history/all",
    ),
    ("/status/sessions", "/status/sessions"),
    ("/:/prefs", "/:/prefs"),
    ("/library/sections/1/prefs", "/library/sections/{sectionId}/prefs"),
    ("/hubs/sections/1/manage", "/hubs/sections/{sectionId}/manage"),
    ("/library/metadata/1,3?skipRefresh=1&checkFiles=1", "/library/metadata/{ids}"),
    ("/media/providers/metadata", "/media/providers/metadata"),
    ("/media/providers/metadata?metadataTypes=1,2", "/media/providers/metadata"),
    ("/media/providers/metadata/group", "/media/providers/metadata/group"),
    ("/media/providers/metadata/group/1", "/media/providers/metadata/group/{groupId}"),
]


@pytest.mark.parametrize(("path", "operation"), READS)
def test_an_answer_fits_the_schema_of_its_operation(sim: PlexSim, document: dict, path: str, operation: str) -> None:
    status, body = ask(sim, "GET", path)
    content = document["paths"][operation]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {**tolerant(content), "components": tolerant(document["components"])}

    assert status == 200
    jsonschema.Draft202012Validator(schema).validate(json.loads(body))


def test_the_report_of_a_player_is_sent_and_answered_as_documented(sim: PlexSim, document: dict) -> None:
    operation = document["paths"]["/:/timeline"]["post"]
    content = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {**tolerant(content), "components": tolerant(document["components"])}
    report = {"key": "/library/metadata/1", "ratingKey": 1, "state": "paused", "time": 9, "duration": 60_000}

    answer = httpx2.post(
        f"{sim.url}/:/timeline",
        params=report,
        headers={"X-Plex-Token": TOKEN, "X-Plex-Client-Identifier": "player", "Accept": "application/json"},
    )

    assert answer.status_code == 200
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    assert set(sim.log[-1].params) <= parameters_of(document, "POST", "/:/timeline")
    (example,) = [one["value"] for name, one in content_examples(operation).items() if name == "normal"]
    assert answer.json() == example


def content_examples(operation: dict) -> dict:
    return operation["responses"]["200"]["content"]["application/json"]["examples"]


def test_the_example_of_a_history_in_the_document_is_read(document: dict) -> None:
    """It shows one row of 33, so the walk can't go on from there."""
    content = document["paths"]["/status/sessions/history/all"]["get"]["responses"]["200"]["content"]
    example = content["application/json"]["examples"]["aHistory"]["value"]
    client = PlexClient("http://plex.invalid", TOKEN, transport=saying(json.dumps(example).encode()))
    (row,) = example["MediaContainer"]["Metadata"]

    pages = client.history.plays(row["accountID"], since=row["viewedAt"])

    number = row["historyKey"].removeprefix("/status/sessions/history/")
    assert next(pages) == [
        PlexPlay(number, row["ratingKey"], row["librarySectionID"], row["accountID"], row["viewedAt"])
    ]
    with pytest.raises(Unavailable, match="an incomplete history"):
        next(pages)
    client.close()


def test_the_example_of_a_session_in_the_document_is_read_once_its_item_is_told(document: dict) -> None:
    """It omits the item itself."""
    content = document["paths"]["/status/sessions"]["get"]["responses"]["200"]["content"]
    example = content["application/json"]["examples"]["playlists"]["value"]
    example["MediaContainer"]["Metadata"][0] |= {
        "type": "movie",
        "ratingKey": "7",
        "sessionKey": "2",
        "duration": 9_000,
    }
    client = PlexClient("http://plex.invalid", TOKEN, transport=saying(json.dumps(example).encode()))

    assert client.history.sessions() == [
        PlexSession("2", "7", 123_456_789, "name.localdomain", "abcdefghijklmnopqrstuvwx", 9_000)
    ]
    client.close()


def test_a_session_has_every_field_that_is_read_under_a_documented_name(sim: PlexSim, document: dict) -> None:
    content = document["paths"]["/status/sessions"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    of_sessions = content["properties"]["MediaContainer"]["allOf"][1]["properties"]["Metadata"]["items"]["allOf"][0]
    row, *_ = json.loads(ask(sim, "GET", "/status/sessions")[1])["MediaContainer"]["Metadata"]

    for part in ("User", "Player"):
        assert row[part].keys() <= of_sessions["properties"][part]["properties"].keys()
    client = PlexClient(sim.url, TOKEN)
    session, *_ = client.history.sessions()
    client.close()
    assert (session.account, session.length) == (1, 60_000)
    assert all((session.session, session.item, session.player, session.machine))


EDIT = {
    "title.value": "B",
    "title.locked": 1,
    "genre[0].tag.tag": "x",
    "actor[0].tag.tag": "Ann",
    "actor[0].tagging.text": "King",
    "label[].tag.tag-": "l",
    "country[].tag": "",
    "genre.locked": 1,
}
WRITES = [
    ("PUT", "/library/sections/1/all?" + urlencode({"type": 1, "id": 1, **EDIT}), None),
    ("PUT", "/library/metadata/1?" + urlencode(EDIT), None),
    ("PUT", "/library/metadata/1/refresh", None),
    ("PUT", "/library/metadata/1/analyze", None),
    ("PUT", "/library/metadata/2/prefs?collectionMode=1", None),
    ("PUT", "/library/sections/1/prefs?hidden=1", None),
    ("PUT", "/hubs/sections/1/manage/custom.collection.1.2?promotedToRecommended=1", None),
    ("POST", "/library/metadata/1/poster", b"bytes"),
    ("POST", "/library/metadata/1/posters", b"bytes"),
    ("DELETE", "/library/metadata/1/thumb", None),
    ("PUT", "/:/rate?" + urlencode({"identifier": "com.plexapp.plugins.library", "key": 1, "rating": 5}), None),
    ("PUT", "/:/scrobble?" + urlencode({"identifier": "com.plexapp.plugins.library", "key": 1}), None),
    ("POST", "/library/sections/1/refresh?" + urlencode({"path": "/media"}), None),
    ("GET", "/library/sections/1/refresh", None),
    ("DELETE", "/library/sections/1/refresh", None),
    ("PUT", "/library/sections/1?agent=tv.plex.agents.movie&metadataAgentProviderGroupId=1&name=Movies", None),
    ("PUT", "/library/metadata/1/match?" + urlencode({"guid": "plex://movie/5d77", "name": "A"}), None),
    ("PUT", "/library/metadata/1/unmatch", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: str(value)[:40])
def test_a_write_is_answered_with_nothing(sim: PlexSim, method: str, path: str, body: bytes | None) -> None:
    assert ask(sim, method, path, body) == (200, b"")


# How the parameters of an edit are written in the document: with stand-ins for the names.
EDIT_GRAMMAR = (
    (r"\w+\.value", "field.value"),
    (r"\w+\.locked", "field.locked"),
    (r"\w+\[\d+\]\.tag\.tag", "tagtype[idx].tag.tag"),
    (r"\w+\[\d+\]\.tagging\.(text|thumb|art|theme)", "tagtype[idx].tagging.object"),
    (r"\w+\[\]\.tag\.tag-", "tagtype[].tag.tag-"),
    (r"\w+\[\]\.tag", "tagtype[].tag"),
)


def documented_name(name: str) -> str:
    return next((stand_in for grammar, stand_in in EDIT_GRAMMAR if re.fullmatch(grammar, name)), name)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", path) for path, _ in READS] + [(method, path) for method, path, _ in WRITES],
    ids=lambda value: str(value)[:60],
)
def test_paths_and_parameters_are_documented(sim: PlexSim, document: dict, method: str, path: str) -> None:
    ask(sim, method, path)
    request = sim.log[-1]

    template = template_of(document, method, urlsplit(path).path)
    known = parameters_of(document, method, template)

    if "*" not in known:
        assert {documented_name(name) for name in request.params} <= known


def test_no_tolerance_outlives_its_reason(document: dict) -> None:
    for method, template in EXTRA_PATHS:
        assert method.lower() not in document["paths"].get(template, {}), f"{method} {template} is documented now"
