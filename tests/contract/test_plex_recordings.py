"""The clients and the simulators of Plex and plex.tv against answers that real servers were recorded to send.

The recordings are not part of the repository. They are looked for in the folder that PLEXSYNC_RECORDINGS names, else
beside the repository.
"""

import json
import os
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from plexsync.http.connections import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.plex.client import PlexClient
from plexsync.plex.events import TARGET, events_of
from plexsync.rules.queue.events import Event, Left, Scanned, SessionChanged, SessionState, Touched
from plexsync.rules.servers.errors import Barred, Neighbour, NeighbourError, Unavailable
from plexsync.rules.servers.http_answers import Server
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_traits import Traits
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from tests.plex.test_account import signed_in, stand_in
from tests.transports import saying

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PLEXSYNC_RECORDINGS") or ROOT.parent / "shared" / "recordings")
MANIFEST = FOLDER / "manifest.json"
TOKEN = "a-token"

if not MANIFEST.exists():
    pytest.skip(
        "the recordings of real Plex servers are not here: set PLEXSYNC_RECORDINGS to the folder with manifest.json",
        allow_module_level=True,
    )

# Recordings that are no answer to a request of ours, and the error that each must raise: none reads as "nothing there".
REFUSED: dict[str, tuple[type[NeighbourError], str]] = {
    "018.json": (Barred, "a token without access to any library"),
    "057.json": (Unavailable, "a playlist, which belongs to no library"),
    "133.json": (Unavailable, "an answer to HEAD, without a body"),
    "146.json": (Unavailable, "of 2015: children are called _children"),
    "147.json": (Unavailable, "of 2015: children are called _children"),
    "149.json": (Unavailable, "of 2015: children are called _children"),
    "151.xml": (Unavailable, "of 2014: an account, and not the root of a server"),
    "152.xml": (Unavailable, "of 2014: an account, and not the root of a server"),
    "154.xml": (Unavailable, "a fixture without the keys of its items"),
    "155.xml": (Unavailable, "a fixture without the size of its container"),
    "158.xml": (Unavailable, "a fixture without the size of its container"),
    "168.xml": (Unavailable, "a page of size 0 of a library with one item"),
}
KINDS = ("root", "sections", "listing", "item", "posters", "arts")


class Recording(NamedTuple):
    """One recorded answer."""

    file: str
    kind: str
    status: int
    type: str

    def document(self) -> object:
        """The answer as JSON; one that was recorded as XML as the server would have sent it, with texts for numbers."""
        body = (FOLDER / self.file).read_bytes()
        if not self.file.endswith(".xml"):
            return json.loads(body)
        root = ElementTree.fromstring(body)
        return {root.tag: _as_json(root, of_items=self.kind not in ("root", "sections"))}


def _as_json(element: ElementTree.Element, *, of_items: bool) -> dict:
    found: dict = dict(element.attrib)
    for child in element:
        is_item = of_items and child.tag in ("Video", "Directory")
        found.setdefault("Metadata" if is_item else child.tag, []).append(_as_json(child, of_items=of_items))
    return found


def recordings(*kinds: str) -> list[Recording]:
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    found = [Recording(one["file"], one["kind"], one["status"], one["ctype"]) for one in entries]
    return [one for one in found if one.kind in kinds]


def answering(recording: Recording) -> PlexClient:
    """A client whose server answers every request with the recording; to one for a page, with its total."""
    document = recording.document()
    headers = {"Content-Type": "application/json", "X-Plex-Protocol": "1.0"}
    if isinstance(document, dict) and "size" in (container := document.get("MediaContainer", {})):
        headers["X-Plex-Container-Total-Size"] = str(container.get("totalSize", container["size"]))
    answer = saying(json.dumps(document).encode(), recording.status, **headers)
    return PlexClient("http://plex.invalid", TOKEN, transport=answer)


def read(recording: Recording) -> object:
    """What our client makes of it: text for the root, counts for the other kinds."""
    client = answering(recording)
    container = recording.document()["MediaContainer"] if recording.file not in REFUSED else {}
    if recording.kind == "root":
        return client.identity()
    if recording.kind == "sections":
        return [(section.key, section.locations) for section in client.sections()]
    if recording.kind == "listing":
        page = next(client.entries("1", page=1_000_000), [])
        return [(entry.key, [part.path for part in entry.parts]) for entry in page]
    if recording.kind == "item":
        items = client.items([str(item["ratingKey"]) for item in container.get("Metadata", [{"ratingKey": 1}])])
        return [(item.scalars["title"], item.lists["actor"]) for item in items.values()]
    return client.pictures("1", "art" if recording.kind == "arts" else "thumb")


def written(recording: Recording) -> object:
    """The same, read off the recording without our client."""
    container = recording.document()["MediaContainer"]
    items = container.get("Metadata", [])
    if recording.kind == "root":
        return container["friendlyName"], container["version"]
    if recording.kind == "sections":
        libraries = [one for one in container["Directory"] if one["type"] == "movie"]
        return [(str(one["key"]), tuple(place["path"] for place in one["Location"])) for one in libraries]
    if recording.kind == "listing":
        media = {str(one["ratingKey"]): one.get("Media", []) for one in items}
        parts = {key: [part["file"] for medium in found for part in medium["Part"]] for key, found in media.items()}
        return list(parts.items())
    if recording.kind == "item":
        return [(one["title"], tuple(role["tag"] for role in one.get("Role", []))) for one in items]
    return {one["ratingKey"]: one["selected"] for one in items}


@pytest.mark.parametrize("recording", recordings(*KINDS), ids=lambda one: f"{one.file} {one.kind}")
def test_the_client_reads_what_real_servers_sent(recording: Recording) -> None:
    if recording.file in REFUSED:
        with pytest.raises(REFUSED[recording.file][0]):
            read(recording)
    else:
        assert read(recording) == written(recording)


def test_no_recording_of_an_answer_is_left_out() -> None:
    others = {one["kind"] for one in json.loads(MANIFEST.read_text(encoding="utf-8"))} - set(KINDS)

    assert others == {"error", "refresh", "plex.tv pin", "plex.tv resources"}
    assert set(REFUSED) <= {one.file for one in recordings(*KINDS)}


@pytest.mark.parametrize("recording", recordings("error"), ids=lambda one: f"{one.file} {one.status}")
def test_a_recorded_error_is_an_error(recording: Recording) -> None:
    body = (FOLDER / recording.file).read_bytes()
    answer = saying(body, recording.status)

    with pytest.raises(Barred if recording.status == 401 else Unavailable):
        PlexClient("http://plex.invalid", TOKEN, transport=answer).sections()


def test_the_client_asks_for_json_and_takes_no_xml_for_an_empty_library() -> None:
    body = (FOLDER / "017.xml").read_bytes()
    answer = saying(body)

    with pytest.raises(Unavailable):
        list(PlexClient("http://plex.invalid", TOKEN, transport=answer).entries("1"))


# the shapes of the simulator


Shapes = dict[str, dict[str, set[str]]]
"""By kind of element and by attribute: the JSON types of its values."""

TYPES = {bool: "flag", int: "number", float: "number", str: "text"}


def add_shapes(shapes: Shapes, name: str, element: dict, *, typed: bool) -> None:
    attributes = shapes.setdefault(name, {})
    for attribute, value in element.items():
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, dict):
                add_shapes(shapes, _kind_of(attribute, child, parent=name), child, typed=typed)
            else:
                # The text of an XML attribute says nothing about its type.
                types = attributes.setdefault(attribute, set())
                types |= {TYPES[type(child)]} if typed else set()


def _kind_of(name: str, element: dict, *, parent: str) -> str:
    if name == "Metadata":
        return f"Metadata {element.get('type', 'picture')}"
    if name in ("Directory", "Field"):
        return f"{name} of {parent.removeprefix('MediaContainer of ')}"
    return name


def recorded_shapes() -> Shapes:
    shapes: Shapes = {}
    for one in recordings(*KINDS):
        document = one.document()
        if isinstance(document, dict) and "MediaContainer" in document and one.file not in REFUSED:
            name = f"MediaContainer of {'pictures' if one.kind in ('posters', 'arts') else one.kind}"
            add_shapes(shapes, name, document["MediaContainer"], typed=one.file.endswith(".json"))
    return shapes


# What the simulator sends and no recording shows, with where it comes from.
NO_LOCKS = "no item with a lock was recorded; read by plexapi, whose tests run against a real server"
NO_LABELS = "no item with a label was recorded; as every other tag"
BY_PLEXAPI = "no such collection was recorded; read by plexapi, whose tests run against a real server"
UNRECORDED = {
    "Directory of root": dict.fromkeys(("count", "key"), "scrubbed in the recordings; in Plex's OpenAPI document"),
    "Field of Metadata movie": {"name": NO_LOCKS, "locked": NO_LOCKS},
    "Field of Metadata collection": {"name": NO_LOCKS, "locked": NO_LOCKS},
    "Label": {"id": NO_LABELS, "filter": NO_LABELS, "tag": NO_LABELS},
    "Metadata collection": dict.fromkeys(
        ("titleSort", "smart", "content", "userRating", "art", "collectionMode", "collectionSort"), BY_PLEXAPI
    ),
    "Metadata movie": {"editionTitle": "no edition was recorded; in Plex's OpenAPI document, and edited by plexapi"},
}


@pytest.fixture(scope="module")
def sim() -> Iterator[PlexSim]:
    """A movie library and one of Other Videos, with one of everything."""
    with PlexSim(token=TOKEN, traits=Traits(trash_details=200)) as sim:
        movies = sim.add_section("Movies")
        other = sim.add_section("Clips", locations=("/clips",), agent="com.plexapp.agents.none")
        key = sim.add_movie(
            movies,
            [("/media/a.mp4", 123_456, 60_000)],
            title="A",
            summary="S",
            studio="St",
            rating=7.5,
            audienceRating=8,
            userRating=9.5,
            originallyAvailableAt="2001-02-03",
            genre=["g", "h", "i"],
            country=["c", "d", "e"],
            director=["d"],
            writer=["w", "x", "y"],
            producer=["p"],
            label=["l"],
            collection=["Best"],
            actor=[("Ann", "Queen"), ("Bob", "")],
        )
        sim.hand_edit(key, tagline="T", titleSort="B", originalTitle="C", contentRating="XXX", thumb=b"1", art=b"2")
        sim.hand_edit(key, editionTitle="Uncut")
        sim.play(key)
        sim.pause(key, 1_000)
        sim.add_movie(other, [("/clips/a.mp4", 1, 1)], collection=["Clips"])
        collection = sim.collection_keys(movies)["Best"]
        sim.hand_edit(collection, titleSort="C", summary="S", contentRating="XXX", userRating=5, art=b"3")
        sim.set_prefs(collection, collectionMode="1", collectionSort="2")
        sim.add_smart_collection(movies, "Smart", [key])
        yield sim


READS = {
    "root": ["/"],
    "sections": ["/library/sections"],
    "listing": [
        "/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=9",
        "/library/sections/2/all?type=1&includeMeta=1",
        "/library/sections/1/all?type=18",
        "/library/sections/1/collections",
    ],
    "item": [f"/library/metadata/{key}?checkFiles=1&includePreferences=1" for key in range(1, 6)],
    "pictures": ["/library/metadata/1/posters", "/library/metadata/1/arts"],
}


def container_of(sim: PlexSim, path: str) -> dict:
    connection = HTTPConnection("127.0.0.1", sim.port, timeout=10)
    try:
        connection.request("GET", path, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, path
        return json.loads(answer.read())["MediaContainer"]
    finally:
        connection.close()


def simulated_shapes(sim: PlexSim) -> Shapes:
    shapes: Shapes = {}
    for kind, paths in READS.items():
        for path in paths:
            add_shapes(shapes, f"MediaContainer of {kind}", container_of(sim, path), typed=True)
    return shapes


def test_every_attribute_that_the_simulator_sends_was_recorded_with_its_type(sim: PlexSim) -> None:
    recorded = recorded_shapes()
    unknown = {
        (kind, attribute, *sorted(types))
        for kind, attributes in simulated_shapes(sim).items()
        for attribute, types in attributes.items()
        if attribute not in UNRECORDED.get(kind, {})
        if (known := recorded.get(kind, {}).get(attribute)) is None or (known and not types <= known)
    }

    assert unknown == set()


def test_what_is_excused_is_sent_and_was_not_recorded(sim: PlexSim) -> None:
    recorded, simulated = recorded_shapes(), simulated_shapes(sim)

    for kind, attributes in UNRECORDED.items():
        assert set(attributes) <= set(simulated[kind]), kind
        assert not set(attributes) & set(recorded.get(kind, {})), kind


LISTED = ("Genre", "Country", "Collection", "Director", "Writer", "Role")


def test_listings_are_cut_as_recorded() -> None:
    containers = [one.document()["MediaContainer"] for one in recordings("listing") if one.file not in REFUSED]
    movies = [item for found in containers for item in found.get("Metadata", ()) if item.get("type") == "movie"]
    longest = {element: max(len(item.get(element, ())) for item in movies) for element in LISTED}
    with PlexSim(token=TOKEN) as sim:
        tags = {kind: list("abcd") for kind in ("genre", "country", "director", "writer", "actor")}
        sim.add_movie(sim.add_section("Movies"), [("/media/a.mp4", 1, 1)], **tags, collection=["a", "b"])
        listed = container_of(sim, "/library/sections/1/all?type=1")["Metadata"][0]

    assert {element: len(listed[element]) for element in LISTED} == longest
    assert [element for element in listed if element in LISTED] == list(LISTED)


def outlines(container: dict) -> set[tuple[str, ...]]:
    """The attributes and lists of the items, in order, without what depends on the content of a file."""
    of_content = ("UltraBlurColors", "chapterSource")
    return {tuple(name for name in item if name not in of_content) for item in container["Metadata"]}


def test_other_videos_look_as_recorded() -> None:
    """A frame is both poster and background, or there is neither; the date is the file's."""
    recorded = next(one for one in recordings("listing") if one.file == "100.json").document()["MediaContainer"]
    with PlexSim(token=TOKEN) as sim:
        section = sim.add_section("concerts", agent="com.plexapp.agents.none")
        for number, framed in enumerate((True, False)):
            sim.add_movie(section, [(f"/media/{number}.mp4", 1, 1)], framed=framed)
        simulated = container_of(sim, "/library/sections/1/all?type=1")

    assert outlines(simulated) == outlines(recorded)
    for item in (*recorded["Metadata"], *simulated["Metadata"]):
        assert (item["type"], item["subtype"]) == ("movie", "clip")
        assert re.fullmatch(r"com\.plexapp\.agents\.none://[0-9a-f]{40}\?lang=xn", item["guid"])
        assert item["originallyAvailableAt"].startswith(str(item["year"]))
    assert simulated["thumb"] == recorded["thumb"]


def test_other_videos_have_the_filters_and_fields_of_a_movie_library_the_cast_among_them() -> None:
    """Of one version of Plex. So nothing but an answer of a server can say that a field is not taken there."""
    listings = {one.file: one for one in recordings("listing")}
    movies, videos = (
        listings[file].document()["MediaContainer"]["Meta"]["Type"][0] for file in ("096.json", "100.json")
    )
    for part, name in (("Filter", "filter"), ("Field", "key")):
        listed = [[one[name] for one in kind[part]] for kind in (movies, videos)]
        assert listed[0] == listed[1]
        assert {"actor", "director", "genre", "collection", "studio", "contentRating"} <= set(listed[1])


# events


FRAMES = FOLDER / "notification-frames.json"
# What is certain about a frame, by its source.
HEARD: dict[str, Event] = {
    "same, as movie": Left("16336", "1"),
    "tuxflix type -1 removal": Touched("10141", "1", 1790301266),
    "tuxflix scan updated": Scanned("1"),
    "activity without Context": Scanned(""),
    "PKC#162 playing": SessionChanged("2174", SessionState.PLAYING, 2119067, "7"),
}
# What has no use.
UNHEARD = ("PKC", "status", "progress", "_children")


def test_quoted_events_are_heard_and_none_is_a_failure() -> None:
    frames = json.loads(FRAMES.read_text(encoding="utf-8"))
    heard = {one["source"]: list(events_of(one["frame"].encode())) for one in frames}

    assert {source for source, event in HEARD.items() if event in heard[source]} == set(HEARD)
    assert not any(heard[source] for source in heard.keys() - HEARD.keys() if source.startswith(UNHEARD))


def test_events_of_the_simulator_have_only_what_was_quoted() -> None:
    quoted: Shapes = {}
    for one in json.loads(FRAMES.read_text(encoding="utf-8")):
        add_shapes(quoted, "frame", json.loads(one["frame"]), typed=False)
    sent: Shapes = {}
    for message in frames_of_a_short_life():
        add_shapes(sent, "frame", message, typed=False)

    assert set(sent) >= {"TimelineEntry", "ActivityNotification", "Context", "PlaySessionStateNotification"}
    for kind in sent.keys() - {"frame", "NotificationContainer", "ReachabilityNotification"}:
        assert set(sent[kind]) <= set(quoted[kind]), kind


def frames_of_a_short_life() -> list[dict]:
    """What a listener hears while a movie is found, played and removed."""
    received: list[dict] = []
    with PlexSim(token=TOKEN, traits=Traits(deleted_type=-1)) as sim:
        section = sim.add_section("Movies")
        server = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
        socket = EventSocket(server, sim.url, TARGET, headers={"X-Plex-Token": TOKEN}, timeouts=Timeouts(5, 30))
        for message in socket.messages(bool):
            received += [json.loads(message)] if message else []
            if "TimelineEntry" in str(received[-1:]) and "-1" in str(received[-1]):
                break
            if message and len(received) == 1:
                key = sim.stage_movie(section, [("/media/a.mp4", 1, 1)])
                sim.scan(section)
                sim.finish_scan(section)
                sim.sessions.finish(key)
                sim.remove(key)
    return received


# plex.tv


def recorded_servers(recording: Recording) -> list[Resource]:
    """The devices of a recorded account, as the simulated plex.tv holds them."""
    return [
        Resource(
            device["name"],
            device.get("accessToken") or "",
            tuple(
                Connection(way["uri"], way["address"], way["port"], local=way["local"], relay=way["relay"])
                for way in device["connections"]
            ),
            owned=device["owned"],
            provides=device["provides"],
            https_required=device["httpsRequired"],
        )
        for device in recording.document()
    ]


@pytest.mark.parametrize("recording", recordings("plex.tv resources"), ids=lambda one: one.file)
def test_the_servers_of_a_recorded_account_are_listed(monkeypatch: pytest.MonkeyPatch, recording: Recording) -> None:
    with PlexTvSim() as tv:
        tv.servers = recorded_servers(recording)
        stand_in(monkeypatch, tv.url)
        servers = signed_in(tv).account().servers()

    owned = [one for one in recording.document() if one["owned"] and "server" in one["provides"].split(",")]
    assert owned
    assert [server.name for server in servers] == [one["name"] for one in owned]
    for server, device in zip(servers, owned, strict=True):
        relays = {way["uri"] for way in device["connections"] if way["relay"]}
        assert server.addresses
        assert not relays & set(server.addresses)


def test_the_simulated_plex_tv_sends_what_was_recorded() -> None:
    pins = [one.document() for one in recordings("plex.tv pin")]
    devices = [device for one in recordings("plex.tv resources") for device in one.document()]
    recorded = {
        "pin": {name for pin in pins for name in pin},
        "resource": {name for device in devices for name in device},
        "connection": {name for device in devices for way in device["connections"] for name in way},
    }
    with PlexTvSim() as tv:
        tv.servers = recorded_servers(recordings("plex.tv resources")[0])
        sent = [*of_plex_tv(tv, "POST", "pins").iter(), *of_plex_tv(tv, "GET", "resources").iter()]

    assert {element.tag for element in sent} == {*recorded, "resources", "connections"}
    for element in sent:
        assert set(element.attrib) <= recorded.get(element.tag, set()), element.tag


def of_plex_tv(tv: PlexTvSim, method: str, what: str) -> ElementTree.Element:
    headers = {"X-Plex-Client-Identifier": "test", "X-Plex-Token": tv.token}
    connection = HTTPConnection("127.0.0.1", tv.port, timeout=10)
    try:
        connection.request(method, f"/api/v2/{what}", headers=headers)
        return ElementTree.fromstring(connection.getresponse().read())
    finally:
        connection.close()
