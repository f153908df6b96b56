"""Every page of the dashboard as axe, the checker of the web accessibility guidelines, sees it: it finds nothing.

Nor is any page wider than its screen.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from plexsync.simulator.http import Fault
from tests.journey.world import World
from tests.web.conftest import Look, dashboard
from tests.web.crawl import Crawl
from tests.web.stage import furnish
from tests.web.test_crawl import everything


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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "trouble"])
def test_axe_finds_nothing_on_any_page(world: World, look: Look, trouble: bool, dark: bool) -> None:
    scenes = furnish(world)
    if trouble:
        world.plex.faults.set(Fault("status", status=503))
        world.stash.faults.set(Fault("status", status=503))
    with dashboard(world) as dash:
        if trouble:
            everything(dash.parts)
        crawl = Crawl(dash, set(scenes.values()))
        crawl.links("/", "/login")
        found, page, axe = list(pages(crawl)), look(dark=dark).page, Axe()
        assert {"/", "/fix", "/reconcile", "/review", "/scenes/1"} <= {urlsplit(url).path for url in found}
        for url in found:
            page.goto(url)
            said = axe.run(page)
            assert not said.violations_count, f"{url}\n{said.generate_report()}"
            for width in (820, 390, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{url} at {width}"
        page.close()


def test_axe_finds_what_is_wrong(look: Look) -> None:
    page = look().page
    page.set_content("<html lang=en><title>A page</title><main><h1>A page</h1><input></main>")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == ["label"]
