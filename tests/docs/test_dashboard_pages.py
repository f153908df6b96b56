"""The still pages of the dashboard: every link leads to a saved page, and nothing needs a server or tells of one."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from release.dashboard_pages import ATTRIBUTE, ELSEWHERE, NOT_HERE, Saver, file_name
from tests.journey.world import KEY, TOKEN, World
from tests.web.conftest import dashboard
from tests.web.stage import furnish

MINE = "/media/scenes"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, str]]:
    place = tmp_path_factory.mktemp("pages")
    (place / "data").mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, World(stash, plex, place / "data") as world:
        world.section = plex.add_section("Movies", locations=(MINE,))
        furnish(world)
        with dashboard(world) as dash:
            saver = Saver(dash.url, place / "demo", {MINE: "/media/films"})
            count = saver.save()
            assert count == len(list((place / "demo").glob("*.html")))
    yield {path: path.read_text() for path in (place / "demo").glob("*.html")}


def test_every_link_leads_to_a_saved_page_and_every_button_to_a_note(pages: dict[Path, str]) -> None:
    assert len(pages) > 20
    for name, text in pages.items():
        for attribute, address in ATTRIBUTE.findall(text):
            target = unescape(address).partition("#")[0]
            if attribute == "action":
                assert target == ELSEWHERE, name
            elif target and not target.startswith(("https://", "../")):
                assert (name.parent / target).is_file(), (name, target)
    note = next(text for name, text in pages.items() if name.name == ELSEWHERE)
    assert all(line in note for line in NOT_HERE.strip().splitlines())


def test_nothing_in_them_needs_a_server_or_names_this_machine(pages: dict[Path, str]) -> None:
    for name, text in pages.items():
        assert "dashboard.js" not in text, name
        assert 'name="token"' not in text, name
        assert 'method="post"' not in text, name
        assert MINE not in text, name
        assert not re.search(r'(?:href|src|action)="(?:/|http:)', text), name


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/", "text/html", "index.html"),
        ("/scenes/7", "text/html", "scenes-7.html"),
        ("/static/pages.css", "text/css", "static-pages.css"),
        ("/pictures/scenes/7/thumb", "image/png", "pictures-scenes-7-thumb.png"),
        ("/scenes?status=in_step", "text/html", "scenes-877c2ea7.html"),
    ],
)
def test_a_file_is_named_by_its_path(path: str, kind: str, name: str) -> None:
    assert file_name(path, kind) == name
