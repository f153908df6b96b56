"""Every page of the dashboard as axe, the checker of the web accessibility guidelines, sees it: it finds nothing.

Nor is any page wider than its screen, hard to read or to touch at any width, or closed to a screen reader.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe

from plexsync.simulator.http import Fault
from tests.journey.world import World, world_in
from tests.web.conftest import Look, Seen, dashboard
from tests.web.crawl import Crawl
from tests.web.stage import furnish
from tests.web.test_browser import can_be_heard, looks_well, plain_pages
from tests.web.test_crawl import everything

ALL = {"resultTypes": ["violations"]}
# What depends on the colours; the rest of a page is the same in light and dark.
COLOURS = {**ALL, "runOnly": ["color-contrast", "link-in-text-block"]}
# The pages on which trouble is told; `test_axe_finds_nothing_on_any_page_in_trouble` opens all.
TROUBLED = {
    "/",
    "/accept",
    "/dead",
    "/fix",
    "/outages",
    "/reconcile",
    "/scenes",
    "/scenes/1",
    "/settings/plex",
    "/state",
}
PARTS = 8


def pages(crawl: Crawl) -> Iterator[str]:
    """One address for each page that was reached: lists that differ in filters alone are one page."""
    paths = {}
    for url in sorted(crawl.seen):
        path = urlsplit(url).path
        if "." not in path.rpartition("/")[2] and not path.startswith(
            ("/api", "/metrics", "/health", "/live", "/pictures")
        ):
            paths.setdefault(path, url)
    yield from paths.values()


@contextmanager
def addresses(folder: Path, *, trouble: bool) -> Iterator[list[str]]:
    """The addresses of all pages of a furnished house."""
    with world_in(folder) as world:
        scenes = furnish(world)
        if trouble:
            world.plex.faults.set(Fault("status", status=503))
            world.stash.faults.set(Fault("status", status=503))
        with dashboard(world) as dash:
            if trouble:
                everything(dash.parts)
            crawl = Crawl(dash, set(scenes.values()), once=True)
            crawl.links("/", "/login")
            found = list(pages(crawl))
            reached = {urlsplit(url).path for url in found}
            assert {"/", "/fix", "/reconcile", "/review", "/scenes/1"} <= reached
            # What no page of this house leads to.
            yield [*found, *(dash.url + path for path in plain_pages() if path not in reached)]


@pytest.fixture(scope="module")
def calm_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with addresses(tmp_path_factory.mktemp("calm pages") / "data", trouble=False) as found:
        yield found


@pytest.fixture(scope="module")
def troubled_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with addresses(tmp_path_factory.mktemp("troubled pages") / "data", trouble=True) as found:
        yield found


def nothing_is_found(seen: Seen, urls: list[str]) -> None:
    """On none of these pages, in light and dark; each is opened once."""
    assert urls
    page = seen.page
    page.add_init_script(AXE_SCRIPT)
    axe = Axe("")
    for url in urls:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(url)
        for dark, options in ((False, ALL), (True, COLOURS)):
            page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
            said = axe.run(page, options=options)
            assert not said.violations_count, f"{url}\n{said.generate_report()}"
        path = urlsplit(url).path
        for width in (820, 390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            looks_well(seen, path, f"{width}")
        can_be_heard(page, path)
    page.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_on_any_page(calm_pages: list[str], look: Look, part: int) -> None:
    nothing_is_found(look(), calm_pages[part::PARTS])


def test_axe_finds_nothing_where_trouble_is_told(troubled_pages: list[str], look: Look) -> None:
    told = [url for url in troubled_pages if urlsplit(url).path in TROUBLED]
    assert {urlsplit(url).path for url in told} == TROUBLED
    nothing_is_found(look(), told)


def test_axe_finds_nothing_on_the_page_of_the_demo(world: World, look: Look, tmp_path: Path) -> None:
    with dashboard(world, switch=tmp_path / "away") as dash:
        nothing_is_found(look(), [f"{dash.url}/demo"])


@pytest.mark.long
def test_axe_finds_nothing_on_any_page_in_trouble(troubled_pages: list[str], look: Look) -> None:
    nothing_is_found(look(), troubled_pages)


@pytest.mark.parametrize(
    ("body", "options", "found"),
    [
        ("<input>", ALL, ["label"]),
        ("<p style='color: #999'>Hardly to be read</p>", COLOURS, ["color-contrast"]),
    ],
)
def test_axe_finds_what_is_wrong(look: Look, body: str, options: dict[str, object], found: list[str]) -> None:
    page = look().page
    page.set_content(f"<html lang=en><title>A page</title><main><h1>A page</h1>{body}</main>")
    assert [one["id"] for one in Axe().run(page, options=options).response["violations"]] == found
