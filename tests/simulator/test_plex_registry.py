"""What is registered at the simulated Plex: metadata providers, the agents made of them, and the agents of libraries."""

import json
from collections.abc import Iterator

import pytest

from plexsync.simulator.http import Answer, Fault
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG, until
from tests.simulator.test_plex_server import Client
from tests.simulator.tiny_provider import BASE, IDENTIFIER, TinyProvider, said

TOKEN = "a-token"
PROVIDERS = "/media/providers/metadata"
OTHER = "com.plexapp.agents.none"
LOCAL_MEDIA = 6


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    """Movies in library 1, Other Videos in library 2."""
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        sim.add_section("Movies")
        sim.add_section("Clips", locations=("/clips",), agent=OTHER)
        yield sim


@pytest.fixture
def client(sim: PlexSim) -> Iterator[Client]:
    client = Client(sim)
    yield client
    client.connection.close()


@pytest.fixture
def tiny() -> Iterator[TinyProvider]:
    with TinyProvider() as tiny:
        yield tiny


def tried(client: Client, method: str, path: str, **query: object) -> tuple[int, dict]:
    """The status, and the container, that answer a request about providers and agents."""
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    status, body = client.ask(method, f"{PROVIDERS}{path}?{pairs}")
    return status, json.loads(body)["MediaContainer"] if status == 200 and body else {}


def status_of(client: Client, method: str, path: str, **query: object) -> int:
    return tried(client, method, path, **query)[0]


def registered(client: Client, tiny: TinyProvider) -> dict:
    status, container = tried(client, "POST", "", uri=tiny.base)
    assert status == 200
    return container["MetadataAgentProvider"][0]


def grouped(client: Client, primary: str = IDENTIFIER) -> dict:
    status, container = tried(client, "POST", "/group", title="Mine", primaryIdentifier=primary)
    assert status == 200
    return container["MetadataAgentProviderGroup"][0]


def members(client: Client, group: int) -> list[int]:
    (found,) = tried(client, "GET", f"/group/{group}")[1]["MetadataAgentProviderGroup"]
    return [one["metadataAgentProviderId"] for one in found["MetadataAgentProviderGroupItem"]]


def section(client: Client, key: str = "1") -> dict:
    return next(one for one in client.get("/library/sections")["Directory"] if one["key"] == key)


# providers


def test_a_fresh_server_has_its_own_providers_and_agents(client) -> None:
    providers = tried(client, "GET", "")[1]["MetadataAgentProvider"]
    groups = tried(client, "GET", "/group")[1]["MetadataAgentProviderGroup"]

    known = {one["id"]: (one["identifier"], one["title"], one["agentType"]) for one in providers}
    assert known[1] == ("tv.plex.agents.movie", "Plex Movie", "primary")
    assert known[LOCAL_MEDIA] == ("tv.plex.agents.localmedia", "Plex Local Media", "contributor")
    assert [(one["id"], one["primaryIdentifier"]) for one in groups] == [
        (1, "tv.plex.agents.movie"),
        (2, "tv.plex.agents.series"),
        (3, "tv.plex.agents.music"),
        (4, "tv.plex.agents.none"),
    ]


def test_providers_are_listed_by_the_types_that_they_know(client) -> None:
    found = tried(client, "GET", "", metadataTypes="1,2")[1]["MetadataAgentProvider"]

    assert [one["id"] for one in found] == [1, 2, 5, LOCAL_MEDIA]


def test_a_provider_is_asked_at_once_who_it_is_and_without_a_token(sim, client, tiny) -> None:
    provider = registered(client, tiny)

    assert (provider["identifier"], provider["title"], provider["uri"]) == (IDENTIFIER, "Tiny", tiny.base)
    assert (provider["agentType"], provider["online"], provider["MetadataType"]) == ("primary", True, [{"type": 1}])
    (asked,) = tiny.log
    assert (asked.method, asked.path) == ("GET", BASE)
    assert TOKEN not in f"{asked.target} {asked.headers}"
    assert asked.headers["x-plex-client-identifier"] == sim.machine
    assert tried(client, "GET", f"/{provider['id']}")[1]["MetadataAgentProvider"] == [provider]


@pytest.mark.parametrize(
    "wrong",
    [
        {"identifier": "tv.plex.agents.custom.with-dash"},
        {"identifier": "org.example.tiny"},
        {"title": ""},
        {"Types": []},
        {"Types": [{"type": 1, "Scheme": [{"scheme": "tv.plex.agents.custom.other"}]}]},
        {"Feature": [{"type": "metadata", "key": "/library/metadata"}]},
        {"Feature": "all"},
    ],
    ids=str,
)
def test_an_address_without_a_sound_description_is_refused(sim, client, tiny, wrong: dict) -> None:
    registered(client, tiny)
    (sound,) = [json.loads(tiny.answer(one).body)["MediaProvider"] for one in tiny.log]
    assert status_of(client, "DELETE", "/7") == 200
    tiny.answers[""] = said({"MediaProvider": {**sound, **wrong}})

    assert status_of(client, "POST", "", uri=tiny.base) == 400
    assert sim.asks[-1].wrong == "not the description of a provider"


@pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(200, b"<html>"), said([]), said({})], ids=repr)
def test_an_address_that_answers_something_else_is_refused(client, tiny, answer: Answer) -> None:
    tiny.answers[""] = answer

    assert status_of(client, "POST", "", uri=tiny.base) == 400


@pytest.mark.parametrize("uri", ["", "ftp://x/", "http://[", "http://127.0.0.1:0/x", "no address"])
def test_what_is_no_address_or_answers_nothing_is_refused(client, uri: str) -> None:
    assert status_of(client, "POST", "", uri=uri.replace(" ", "%20")) == 400


def test_an_identifier_is_registered_once_and_then_only_its_address_changes(client, tiny) -> None:
    provider = registered(client, tiny)

    assert status_of(client, "POST", "", uri=tiny.base) == 409
    with TinyProvider() as moved:
        status, container = tried(client, "PUT", f"/{provider['id']}", uri=moved.base)

        assert (status, container["MetadataAgentProvider"][0]["uri"]) == (200, moved.base)
        assert container["MetadataAgentProvider"][0]["id"] == provider["id"]
        moved.identifier = "tv.plex.agents.custom.test.second"
        second = registered(client, moved)
        assert status_of(client, "PUT", f"/{provider['id']}", uri=moved.base) == 400
    assert status_of(client, "PUT", f"/{second['id']}", uri=moved.base) == 400
    assert status_of(client, "PUT", "/99", uri=tiny.base) == 400
    assert status_of(client, "PUT", "/1", uri=tiny.base) == 400


def test_a_provider_goes_once_no_agent_has_it(client, tiny) -> None:
    number, group = registered(client, tiny)["id"], grouped(client)["id"]

    assert status_of(client, "DELETE", f"/{number}") == 403
    assert status_of(client, "DELETE", f"/group/{group}") == 200
    assert status_of(client, "DELETE", f"/{number}") == 200

    assert status_of(client, "GET", f"/{number}") == status_of(client, "DELETE", f"/{number}") == 404
    assert status_of(client, "DELETE", f"/{LOCAL_MEDIA}") == 400
    assert registered(client, tiny)["id"] == number + 1


def test_the_server_answers_others_while_a_provider_takes_its_time(sim, client, tiny) -> None:
    tiny.faults.set(Fault("hang"))
    slow = Client(sim)
    slow.connection.request("POST", f"{PROVIDERS}?uri={tiny.base}", headers=slow.headers)
    until(lambda: tiny.log)

    assert client.get("/identity")["version"] == sim.version

    tiny.faults.clear()
    assert slow.connection.getresponse().status == 400
    slow.connection.close()


def test_a_server_that_stops_ends_what_it_asks(tiny) -> None:
    tiny.faults.set(Fault("hang"))
    with PlexSim(token=TOKEN) as sim:
        client = Client(sim)
        client.connection.request("POST", f"{PROVIDERS}?uri={tiny.base}", headers=client.headers)
        until(lambda: tiny.log)
    client.connection.close()

    assert [one.status for one in sim.asks] == [None]


# agents


def test_an_agent_begins_with_its_primary_provider_and_takes_others_behind_it(client, tiny) -> None:
    number, group = registered(client, tiny)["id"], grouped(client)["id"]
    assert members(client, group) == [number]

    status, container = tried(client, "PUT", f"/group/{group}/items/{LOCAL_MEDIA}")

    (item,) = container["MetadataAgentProviderGroupItem"]
    assert (status, item["metadataAgentProviderGroupId"], item["metadataAgentProviderId"]) == (200, group, LOCAL_MEDIA)
    assert members(client, group) == [number, LOCAL_MEDIA]


def test_a_provider_that_is_in_an_agent_moves_behind_another_one_or_first(client, tiny) -> None:
    number, group = registered(client, tiny)["id"], grouped(client)["id"]
    items = [
        tried(client, "PUT", f"/group/{group}/items/{one}")[1]["MetadataAgentProviderGroupItem"][0]["id"]
        for one in (number, 1, LOCAL_MEDIA)
    ]

    assert status_of(client, "PUT", f"/group/{group}/items/{LOCAL_MEDIA}", after=-1) == 200
    assert members(client, group) == [LOCAL_MEDIA, number, 1]
    assert status_of(client, "PUT", f"/group/{group}/items/{LOCAL_MEDIA}", after=items[0]) == 200
    assert members(client, group) == [number, LOCAL_MEDIA, 1]
    assert status_of(client, "PUT", f"/group/{group}/items/{number}", after="x") == 400


def test_a_provider_leaves_an_agent_unless_it_is_the_primary_one(client, tiny) -> None:
    number, group = registered(client, tiny)["id"], grouped(client)["id"]
    tried(client, "PUT", f"/group/{group}/items/{LOCAL_MEDIA}")

    assert status_of(client, "DELETE", f"/group/{group}/items/{number}") == 403
    assert status_of(client, "DELETE", f"/group/{group}/items/{LOCAL_MEDIA}") == 200
    assert status_of(client, "DELETE", f"/group/{group}/items/{LOCAL_MEDIA}") == 404
    assert members(client, group) == [number]


def test_an_agent_takes_no_provider_that_does_not_know_what_its_primary_one_knows(client, tiny) -> None:
    tiny.types = (1, 2)
    registered(client, tiny)
    group = grouped(client)["id"]

    assert status_of(client, "PUT", f"/group/{group}/items/1") == 400
    assert status_of(client, "PUT", f"/group/{group}/items/{LOCAL_MEDIA}") == 200


def test_agents_are_renamed_and_deleted_but_not_the_built_in_ones(client, tiny) -> None:
    registered(client, tiny)
    group = grouped(client)["id"]

    (renamed,) = tried(client, "PUT", f"/group/{group}", title="Ours")[1]["MetadataAgentProviderGroup"]

    assert renamed["title"] == "Ours"
    assert status_of(client, "PUT", "/group/99", title="x") == 400
    assert status_of(client, "DELETE", f"/group/{group}") == 200
    assert status_of(client, "DELETE", f"/group/{group}") == status_of(client, "GET", f"/group/{group}") == 404
    assert status_of(client, "DELETE", "/group/1") == 403


@pytest.mark.parametrize(
    "query",
    [
        {"title": "x"},
        {"primaryIdentifier": "tv.plex.agents.movie"},
        {"title": "x", "primaryIdentifier": IDENTIFIER},
        {"title": "x", "primaryIdentifier": "tv.plex.agents.localmedia"},
    ],
    ids=str,
)
def test_an_agent_needs_a_title_and_a_primary_provider_that_is_there(client, query: dict) -> None:
    assert status_of(client, "POST", "/group", **query) == 400


@pytest.mark.parametrize("path", ["/x", "/group/x", "/group/1/items", "/group/1/items/x"])
def test_an_unknown_path_is_404(client, path: str) -> None:
    assert status_of(client, "GET", path) == 404


# other servers


@pytest.mark.parametrize("version", ["1.42.2.10156-f737b826c", "1.32.8.7639-fb6452ebf", "0.9.1"])
def test_an_older_server_knows_of_no_providers(sim, client, tiny, version: str) -> None:
    sim.version = version

    assert status_of(client, "GET", "") == status_of(client, "POST", "", uri=tiny.base) == 404
    assert tiny.log == []


def test_a_server_that_forgets_them_by_a_downgrade_asks_nobody(sim, tiny) -> None:
    sim.use_provider("1", tiny.base)
    sim.version = "1.42.2.1"
    tiny.clear_log()

    sim.add_movie("1", [("/media/a.mp4", 1, 1)])
    sim.restart()
    sim.wait_for_asks(HANG)

    assert tiny.log == []


def test_the_token_may_have_to_be_in_the_query(sim, client) -> None:
    sim.traits.registers_by = "query"

    assert status_of(client, "GET", "") == 401
    assert status_of(client, "GET", "", **{"X-Plex-Token": TOKEN}) == 200


def test_ids_may_be_texts(sim, client, tiny) -> None:
    sim.traits.agent_ids = "texts"
    provider = registered(client, tiny)
    group = grouped(client)

    assert (provider["id"], group["id"]) == ("7", "5")
    assert section(client)["metadataAgentProviderGroupId"] == "1"


# libraries


def given(client: Client, key: str = "1", **query: object) -> int:
    return client.put(f"/library/sections/{key}", query)


def test_a_library_names_its_agent_and_its_group(sim, client, tiny) -> None:
    registered(client, tiny)
    group = grouped(client)["id"]
    assert [section(client, key).get("metadataAgentProviderGroupId") for key in "12"] == [1, None]

    assert given(client, agent=IDENTIFIER, metadataAgentProviderGroupId=group) == 200

    assert (section(client)["agent"], section(client)["metadataAgentProviderGroupId"]) == (IDENTIFIER, group)
    assert sim.agent_of("1") == (IDENTIFIER, str(group))


def test_a_library_takes_the_agent_of_its_group(client, tiny) -> None:
    registered(client, tiny)
    group = grouped(client)["id"]

    assert given(client, agent="tv.plex.agents.movie", metadataAgentProviderGroupId=group) == 200
    assert section(client)["agent"] == IDENTIFIER


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"metadataAgentProviderGroupId": 1},
        {"agent": "tv.plex.agents.custom.nobody"},
        {"agent": "tv.plex.agents.movie", "metadataAgentProviderGroupId": 99},
        {"agent": "tv.plex.agents.movie", "metadataAgentProviderGroupId": "x"},
    ],
    ids=str,
)
def test_a_library_needs_an_agent_that_is_there(client, query: dict) -> None:
    assert given(client, **query) == 400
    assert section(client)["agent"] == "tv.plex.agents.movie"


def test_another_agent_changes_no_item_until_it_is_refreshed(sim, client, tiny) -> None:
    keys = [
        sim.add_movie(place, [(f"{folder}/a.mp4", 1, 1)], title="T", genre=["g"], userRating=7)
        for place, folder in (("1", "/media"), ("2", "/clips"))
    ]
    for key in keys:
        sim.hand_edit(key, summary="mine")
        sim.play(key)
    before = [(sim.item(key), client.detail(key)["guid"]) for key in keys]
    registered(client, tiny)
    group = grouped(client)["id"]

    for place in "12":
        assert given(client, place, agent=IDENTIFIER, metadataAgentProviderGroupId=group) == 200

    assert [(sim.item(key), client.detail(key)["guid"]) for key in keys] == before
    assert client.get("/library/sections/2/all?type=1")["Metadata"][0]["guid"] == before[1][1]
    assert tiny.asked("matches") == []


def test_other_videos_may_take_no_provider(sim, client, tiny) -> None:
    sim.traits.other_takes_provider = False
    registered(client, tiny)
    group = grouped(client)["id"]

    assert given(client, "2", agent=IDENTIFIER, metadataAgentProviderGroupId=group) == 400
    assert given(client, "1", agent=IDENTIFIER, metadataAgentProviderGroupId=group) == 200


def test_an_old_agent_may_not_be_there_any_more(sim, client) -> None:
    sim.traits.legacy_agents = False

    assert given(client, "2", agent="tv.plex.agents.none") == 200
    assert given(client, "2", agent=OTHER) == 400
    assert sim.agent_of("2") == ("tv.plex.agents.none", "4")


def test_the_old_agent_back_brings_its_values_and_its_guid_at_the_next_refresh(sim, client, tiny) -> None:
    tiny.scenes = {"a.mp4": {"title": "Alpha"}}
    keys = [
        sim.add_movie(place, [(f"{folder}/a.mp4", 1, 1)], title="T")
        for place, folder in (("1", "/media"), ("2", "/clips"))
    ]
    before = [client.detail(key)["guid"] for key in keys]
    registered(client, tiny)
    group = grouped(client)["id"]
    for place in "12":
        given(client, place, agent=IDENTIFIER, metadataAgentProviderGroupId=group)
        client.put(f"/library/metadata/{keys[int(place) - 1]}/refresh")
    sim.wait_for_asks(HANG)
    assert [sim.item(key).scalars["title"] for key in keys] == ["Alpha", "Alpha"]

    assert given(client, "1", agent="tv.plex.agents.movie", metadataAgentProviderGroupId=1) == 200
    assert given(client, "2", agent=OTHER) == 200
    assert [sim.item(key).guid for key in keys] == [f"{IDENTIFIER}://movie/a"] * 2
    for key in keys:
        client.put(f"/library/metadata/{key}/refresh")

    assert [sim.item(key).scalars["title"] for key in keys] == ["T", "T"]
    assert [client.detail(key)["guid"] for key in keys] == before


def test_a_library_whose_agent_is_gone_asks_nobody_and_its_items_stay(sim, client, tiny) -> None:
    tiny.scenes = {"a.mp4": {"title": "Alpha"}}
    number, group = registered(client, tiny)["id"], grouped(client)["id"]
    given(client, agent=IDENTIFIER, metadataAgentProviderGroupId=group)
    key = sim.add_movie("1", [("/media/a.mp4", 1, 1)])
    sim.wait_for_asks(HANG)
    tiny.clear_log()
    before = sim.item(key)
    tried(client, "DELETE", f"/group/{group}")
    tried(client, "DELETE", f"/{number}")

    for path in (f"/library/metadata/{key}/refresh", "/library/sections/1/refresh?force=1"):
        client.ask("PUT" if "metadata" in path else "POST", path)
    sim.wait_for_asks(HANG)

    assert section(client)["agent"] == IDENTIFIER
    assert (sim.item(key), tiny.log) == (before, [])
