"""Links from a scene to Stash and to Plex, under the names by which the browser reaches them; and foreign line breaks."""

import re
from collections.abc import Iterator

import pytest

from plexsync.reports.item_places import ItemPlaces, item_places
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.web.addresses import ServerLinks, reachable
from plexsync.web.pages import TEMPLATES
from tests.journey.world import KEY, TOKEN, World
from tests.web.conftest import Dash, dashboard
from tests.web.stage import furnish, work


@pytest.fixture
def staged(world: World) -> Iterator[tuple[Dash, dict[str, int]]]:
    scenes = furnish(world)
    with dashboard(world) as dash:
        yield dash, scenes


def test_every_scene_leads_to_stash_and_to_its_item_in_plex(staged: tuple[Dash, dict[str, int]]) -> None:
    dash, scenes = staged
    stash, item = dash.world.stash.url, item_address(dash)
    page = dash.get(f"/scenes/{scenes['in_step']}").text
    assert f'href="{stash}/scenes/{scenes["in_step"]}"' in page
    assert page.count(item) == 1
    assert re.search(f'{re.escape(item)}[0-9]+" [^>]*>Open in Plex: <bdi>Movies</bdi>', page)
    for path in ("/fix?cause=ambiguous", f"/scenes/{scenes['ambiguous']}"):
        page = dash.get(path).text
        assert f'href="{stash}/scenes/{scenes["ambiguous"]}"' in page
        # Each of its two candidates.
        assert page.count(item) >= 2
    for path in ("/fix?cause=ambiguous", "/fix?view=list", "/drift", *(f"/scenes/{id}" for id in scenes.values())):
        for link in re.findall(r'<a [^>]*target="_blank"[^>]*>', dash.get(path).text):
            assert 'rel="noopener noreferrer"' in link
            assert TOKEN not in link
            assert KEY not in link


def test_a_furnished_world_has_the_names_of_its_own_libraries_whichever_was_furnished_first(world: World) -> None:
    (folder := world.folder / "another").mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, World(stash, plex, folder) as other:
        other.section = plex.add_section("For kids", locations=("/media/scenes",))
        furnish(other)
        furnish(world)
        assert [one.rows("select title from library") for one in (other, world)] == [[("For kids",)], [("Movies",)]]


def test_the_address_of_stash_for_browsers_is_a_setting(world: World) -> None:
    with dashboard(world, stash_web_url="https://stash.example/here/") as dash:
        assert ServerLinks(dash.parts, "nas.local").scene(7) == "https://stash.example/here/scenes/7"


def test_an_item_in_each_of_two_libraries_has_a_link_in_each(world: World) -> None:
    clips = world.plex.add_section("Clips & more", locations=("/media/clips",), agent="com.plexapp.agents.none")
    (id,) = world.add(1)
    file = world.plex.item(world.plex.keys(world.section)[0]).files[0]
    world.plex.add_movie(clips, files=[file], title="the same")
    work(world, [id])
    with dashboard(world) as dash:
        page = dash.get(f"/scenes/{id}").text
        item = item_address(dash)
        facts = dash.get(f"/api/scenes/{id}/explain").json()["targets"]
    assert re.findall(f'{re.escape(item)}[0-9]+" [^>]*>Open in Plex: <bdi>(.*?)</bdi>', page) == [
        "Movies",
        "Clips &amp; more",
    ]
    assert [(target["library"], f'href="{target["link"]}"' in page) for target in facts] == [
        ("Movies", True), ("Clips & more", True)
    ]  # fmt: skip


def test_while_no_plex_server_is_known_nothing_leads_to_it(world: World) -> None:
    with dashboard(world) as dash:
        with dash.parts.store.reading() as db:
            assert item_places(db).link("7") is None
        links = ServerLinks(dash.parts, "localhost")
        assert (links.item("7"), links.items(["7"])) == ("", [])


def test_an_address_of_an_item_is_one_whatever_the_server_calls_itself() -> None:
    link = ItemPlaces('a"/b?c', {}).link("7")
    assert link == "https://app.plex.tv/desktop/#!/server/a%22%2Fb%3Fc/details?key=%2Flibrary%2Fmetadata%2F7"


def item_address(dash: Dash) -> str:
    """The beginning of every link to an item."""
    with dash.parts.store.reading() as db:
        server = db.servers.find()
    assert server is not None
    return f'href="https://app.plex.tv/desktop/#!/server/{server.machine}/details?key=%2Flibrary%2Fmetadata%2F'


@pytest.mark.parametrize(
    ("host", "url", "link"),
    [
        ("nas.local", "http://localhost:9999", "http://nas.local:9999"),
        ("fd00::5", "http://127.0.0.1:9999/stash", "http://[fd00::5]:9999/stash"),
        ("localhost", "http://127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("nas.local", "https://stash.home", "https://stash.home"),
    ],
)
def test_localhost_is_the_machine_of_plexsync_and_not_that_of_the_browser(host: str, url: str, link: str) -> None:
    assert reachable(url, host) == link


def test_a_line_break_of_a_message_is_a_line_break_and_any_other_sign_is_harmless() -> None:
    lines = TEMPLATES.filters["lines"]
    assert lines("first\r\nsecond\x07\u202e") == "first\n" + TEMPLATES.filters["line"]("second\x07\u202e")
    assert lines("x" * 500, 20) == "x" * 20 + "..."
    assert lines("a\n" * 1_000).count("\n") < 50
