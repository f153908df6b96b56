"""Links from a scene to Stash and to Plex, under the names by which the browser reaches them; and foreign line breaks."""

from collections.abc import Iterator

import pytest

from plexsync.web.links import reached
from plexsync.web.pages import TEMPLATES
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.stage import furnish


@pytest.fixture
def staged(world: World) -> Iterator[tuple[Dash, dict[str, int]]]:
    scenes = furnish(world)
    with dashboard(world) as dash:
        yield dash, scenes


def test_every_scene_leads_to_stash_and_to_its_item_in_plex(staged: tuple[Dash, dict[str, int]]) -> None:
    dash, scenes = staged
    stash, plex = dash.world.stash.url, dash.world.plex.url
    with dash.parts.store.reading() as db:
        server = db.servers.find()
    assert server is not None
    item = f'href="{plex}/web/index.html#!/server/{server.machine}/details?key=%2Flibrary%2Fmetadata%2F'
    page = dash.get(f"/scenes/{scenes['in_step']}").text
    assert f'href="{stash}/scenes/{scenes["in_step"]}"' in page
    assert page.count(item) == 1
    fix = dash.get("/fix").text
    assert f'href="{stash}/scenes/{scenes["ambiguous"]}"' in fix
    # Each of its two candidates.
    assert fix.count(item) >= 2


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
    assert reached(url, host) == link


def test_a_line_break_of_a_message_is_a_line_break_and_any_other_sign_is_harmless() -> None:
    lines = TEMPLATES.filters["lines"]
    assert lines("first\r\nsecond\x07\u202e") == "first\n" + TEMPLATES.filters["line"]("second\x07\u202e")
    assert lines("x" * 500, 20) == "x" * 20 + "..."
    assert lines("a\n" * 1_000).count("\n") < 50
