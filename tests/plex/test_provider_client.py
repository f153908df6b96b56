"""The metadata providers of a Plex over HTTP, against a server that behaves and against answers that no Plex gives."""

from collections.abc import Iterator

import pytest

from plexsync.plex.client import PlexClient
from plexsync.plex.providers import LibraryAgent, ProviderClient, ProviderGroup, RegisteredProvider
from plexsync.rules.servers.errors import Missing, Refused, Unavailable
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG
from tests.simulator.tiny_provider import IDENTIFIER, TinyProvider
from tests.transports import saying

TOKEN = "canary-plex-token-0123456789"
MOVIE_AGENT = "tv.plex.agents.movie"


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as running, TinyProvider() as tiny:
        running.add_section("Movies", locations=("/media/a", "/media/b"))
        running.tiny = tiny
        yield running


@pytest.fixture
def client(sim: PlexSim) -> Iterator[ProviderClient]:
    plex = PlexClient(sim.url, TOKEN, read_timeout=HANG)
    yield ProviderClient(plex.requests)
    plex.close()


def answering(body: str) -> ProviderClient:
    """A client whose every request gets this body."""
    answer = saying(body.encode(), 200, **{"X-Plex-Protocol": "1.0"})
    return ProviderClient(PlexClient("http://nas", TOKEN, transport=answer).requests)


def registered(client: ProviderClient) -> list[RegisteredProvider]:
    """The providers that somebody has registered."""
    return [each for each in client.providers() if "custom" in each.identifier]


def test_a_provider_is_registered_once_and_moved_after_that(sim: PlexSim, client: ProviderClient) -> None:
    number = client.register(IDENTIFIER, sim.tiny.base)
    assert registered(client) == [RegisteredProvider(number, IDENTIFIER, "Tiny")]
    assert client.register(IDENTIFIER, f"{sim.tiny.base}/") == number
    assert [each.number for each in registered(client)] == [number]
    with pytest.raises(Refused):
        client.register("tv.plex.agents.custom.other", "http://127.0.0.1:9/secret")


def test_a_group_is_made_once_and_what_is_removed_may_be_gone_already(sim: PlexSim, client: ProviderClient) -> None:
    number = client.register(IDENTIFIER, sim.tiny.base)
    local = next(each.number for each in client.providers() if each.title == "Plex Local Media")
    group = client.make_group("Tiny", IDENTIFIER)
    client.join(group.number, local)
    assert client.make_group("Another", IDENTIFIER) == ProviderGroup(group.number, IDENTIFIER, (number, local))
    client.use_agent("1", IDENTIFIER, group.number)
    (library,) = client.libraries()
    uuid, folders = library.uuid, ("/media/a", "/media/b")
    assert library == LibraryAgent("1", "Movies", uuid, IDENTIFIER, group.number, folders)
    client.use_agent("1", MOVIE_AGENT, "")
    assert client.libraries()[0].agent == MOVIE_AGENT
    for _ in range(2):
        client.remove_group(group.number)
        client.remove(number)
    assert registered(client) == []


def test_an_item_has_the_guid_that_it_is_given(sim: PlexSim, client: ProviderClient) -> None:
    key = sim.add_movie("1", [("/media/a/a.mp4", 1, 1000)])
    before = client.items([key])[key].guid
    client.match(key, "plex://movie/5d776", "A movie")
    assert client.items([key])[key].guid == "plex://movie/5d776"
    client.unmatch(key)
    assert client.items([key, "999"])[key].guid == before


def test_a_server_that_knows_no_providers_says_so(sim: PlexSim, client: ProviderClient) -> None:
    sim.version = "1.42.2.10156-f737b826c"
    with pytest.raises(Missing):
        client.providers()


@pytest.mark.parametrize(("name", "value", "asks"), [("includeAdultContent", "1", True), ("hidden", "1", False)])
def test_the_switch_for_explicit_content_is_found_by_its_name(
    sim: PlexSim, client: ProviderClient, name: str, value: str, asks: bool
) -> None:
    sim.use_provider("1", sim.tiny.base)
    sim.set_section_pref("1", name, value)
    assert client.asks_explicit("1") is asks


def test_a_library_without_such_a_setting_says_nothing_about_it() -> None:
    assert (
        answering('{"MediaContainer": {"Setting": [{"id": "hidden", "label": "Visibility"}]}}').asks_explicit("1")
        is None
    )


def test_a_group_whose_members_have_the_name_of_the_contract_is_read_alike() -> None:
    member = '{"metadataAgentProviderId": "%s", "order": %s}'
    for name in ("MetadataAgentGroupItem", "MetadataAgentProviderGroupItem"):
        group = f'{{"id": "3", "{name}": [{member % (6, 2000)}, {member % (7, 1000)}]}}'
        client = answering(f'{{"MediaContainer": {{"MetadataAgentProviderGroup": [{group}]}}}}')
        assert client.groups() == [ProviderGroup("3", "", ("7", "6"))]


@pytest.mark.parametrize(
    "body", ["", "{}", "<html></html>", '{"MediaContainer": {"MetadataAgentProvider": [{"id": "x"}]}}']
)
def test_an_answer_that_no_plex_gives_is_no_empty_list(body: str) -> None:
    with pytest.raises(Unavailable):
        answering(body).providers()


def test_a_number_that_is_none_never_goes_into_a_path(client: ProviderClient) -> None:
    for call in (client.remove, client.remove_group, client.refresh_library, client.asks_explicit, client.unmatch):
        with pytest.raises(ValueError, match="number"):
            call("1/../2")
