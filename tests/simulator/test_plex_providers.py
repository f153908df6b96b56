"""The simulated Plex asks a metadata provider as a real one does, over real HTTP."""

import json
from collections.abc import Iterator

import pytest

from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG
from tests.simulator.test_plex_server import Client
from tests.simulator.tiny_provider import IDENTIFIER, TinyProvider

TOKEN = "a-token"
LOCAL_MEDIA = "tv.plex.agents.localmedia"
PROVIDERS = "/media/providers/metadata"


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
def tiny() -> Iterator[TinyProvider]:
    scenes = {
        "a.mp4": {"title": "Alpha", "summary": "first", "Genre": [{"tag": "g"}], "Role": [{"tag": "Ann", "role": "Q"}]},
        "b.mp4": {"title": "Beta", "originallyAvailableAt": "2020-02-03"},
    }
    with TinyProvider(scenes) as tiny:
        yield tiny


def scanned(sim: PlexSim, *names: str, section: str = "1", **fields: object) -> list[str]:
    """New files of a library, after their scan and all that is asked about them."""
    keys = [sim.stage_movie(section, [(f"/media/Movies/{name}", 1, 60_000)], **fields) for name in names]
    sim.scan(section)
    sim.finish_scan(section)
    sim.wait_for_asks(HANG)
    return keys


def refreshed(sim: PlexSim, client: Client, key: str) -> None:
    """The item, after a refresh and all that is asked for it."""
    assert client.put(f"/library/metadata/{key}/refresh") == 200
    sim.wait_for_asks(HANG)


def written(client: Client, method: str, path: str, **query: object) -> dict:
    """The container that answers a request about providers or agents."""
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    status, body = client.ask(method, f"{PROVIDERS}{path}?{pairs}")
    assert status == 200, (status, body)
    return json.loads(body)["MediaContainer"] if body else {}


def test_a_new_file_is_right_after_its_scan_and_nothing_is_locked(sim, client, tiny) -> None:
    (provider,) = written(client, "POST", "", uri=tiny.base)["MetadataAgentProvider"]
    made = written(client, "POST", "/group", title="Tiny", primaryIdentifier=provider["identifier"])
    (group,) = made["MetadataAgentProviderGroup"]
    assert client.put("/library/sections/1", {"agent": IDENTIFIER, "metadataAgentProviderGroupId": group["id"]}) == 200

    (key,) = scanned(sim, "a.mp4")

    item = sim.item(key)
    assert (item.scalars["title"], item.scalars["summary"]) == ("Alpha", "first")
    assert (item.lists["genre"], item.roles, item.locks) == (["g"], {"Ann": "Q"}, frozenset())
    assert item.guid == client.detail(key)["guid"] == f"{IDENTIFIER}://movie/a"


def test_a_refresh_asks_for_the_values_of_the_guid_and_for_the_extras(sim, client, tiny) -> None:
    sim.use_provider("1", tiny.base)
    (key,) = scanned(sim, "a.mp4")
    tiny.scenes["a.mp4"]["title"] = "Alpha 2"
    tiny.clear_log()

    refreshed(sim, client, key)

    assert sim.item(key).scalars["title"] == "Alpha 2"
    assert [(one.method, one.path) for one in tiny.log] == [
        ("GET", "/a-secret/library/metadata/a"),
        ("GET", "/a-secret/library/metadata/a/extras"),
    ]
