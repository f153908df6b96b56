"""The page inside Stash leads to the dashboard of a `plexsync serve`, where a link to it can work."""

import os
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from release.check import TOKEN, Trial
from tests import forked
from tests.browser import CHROMIUM, NO_CHROMIUM
from tests.patience import HANG, until
from tests.stash_plugin.conftest import KEY, ROOT, go
from tests.web.test_serving import free_port

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), pytest.mark.usefixtures("warm")]

Serve = Callable[..., int]


@pytest.fixture
def serve(inside: Trial) -> Iterator[Serve]:
    """Starts `plexsync serve` beside Stash, on the same database; returns the port of its dashboard."""
    started = []

    def start(host: str, **more: str) -> int:
        port = free_port()
        given = {
            "data_dir": str(inside.folder),
            "plex_url": inside.plex.url,
            "plex_token": TOKEN,
            "stash_url": inside.stash.url,
            "stash_api_key": KEY,
            "web_bind": f"{host}:{port}",
            **more,
        }
        environ = {"PATH": os.environ["PATH"], "HOME": str(inside.folder)}
        environ |= {f"PLEXSYNC_{name.upper()}": value for name, value in given.items()}
        started.append(forked.Popen(["-m", "plexsync", "serve"], cwd=ROOT, env=environ))
        # Asking the page starts a process each time.
        until(lambda: answers(port))
        until(lambda: inside.ask("page_status").get("dashboard"))
        return port

    yield start
    for process in started:
        process.terminate()
        assert process.wait(HANG) == 0


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def under(page: Page, trial: Trial, name: str) -> None:
    """Open the page of PlexSync in a Stash that is reached by this host name: a browser finds `*.localhost` by itself."""
    page.goto(f"http://{name}:{urlsplit(trial.stash.url).port}/app?at=/plugins/plexsync&lacks=")


def fix(page: Page) -> str | None:
    return page.get_by_role("link", name="→ Fix").get_attribute("href")


def test_what_needs_you_leads_to_the_dashboard_of_this_machine(page, inside, serve, faults):
    port = serve("127.0.0.1")
    go(page, inside, "/plugins/plexsync")
    assert fix(page) == f"http://127.0.0.1:{port}/fix"
    expect(page.get_by_role("link", name="dashboard", exact=True)).to_have_attribute(
        "href", f"http://127.0.0.1:{port}/"
    )
    expect(page.get_by_role("link", name=f"http://127.0.0.1:{port}")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="→ Fix").click()
    expect(opened.value.get_by_text("The first write of the whole library needs your approval").first).to_be_visible()
    assert faults == []


def test_where_stash_is_open_on_another_machine_no_link_leads_to_this_one(page, inside, serve, faults):
    port = serve("127.0.0.1")
    under(page, inside, "nas.localhost")
    expect(page.get_by_text("→ plexsync fix in a terminal")).to_be_visible()
    expect(page.get_by_text(f"http://127.0.0.1:{port}, on its own machine only")).to_be_visible()
    expect(page.locator(f"a[href*='{port}']")).to_have_count(0)
    assert faults == []


def test_a_dashboard_on_all_interfaces_is_reached_by_the_name_of_stash_if_it_answers_to_that(
    page, inside, serve, faults
):
    port = serve("0.0.0.0", web_password="correct horse battery", web_allowed_hosts="nas.localhost")
    go(page, inside, "/plugins/plexsync")
    assert fix(page) == f"http://127.0.0.1:{port}/fix"
    under(page, inside, "nas.localhost")
    assert fix(page) == f"http://nas.localhost:{port}/fix"
    under(page, inside, "other.localhost")
    expect(page.get_by_text("but not under the name other.localhost (web_allowed_hosts)")).to_be_visible()
    expect(page.get_by_text("→ plexsync fix in a terminal")).to_be_visible()
    expect(page.locator(f"a[href*='{port}']")).to_have_count(0)
    assert faults == []


def test_without_a_dashboard_the_page_names_none(page, inside, faults):
    inside.task("Show status")
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_text("The first write needs your approval")).to_be_visible()
    expect(page.get_by_text("Dashboard")).to_have_count(0)
    expect(page.get_by_text("in a terminal")).to_have_count(0)
    assert faults == []
