"""The set-up guide on the page inside Stash, in a real browser: from an empty plugin to the first scene in sync."""

import pytest
from playwright.sync_api import Page, expect

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from plexsync.stash_plugin import dependencies
from release.check import TOKEN, Trial
from tests.browser import CHROMIUM, NO_CHROMIUM
from tests.patience import until
from tests.stash_plugin.conftest import go, opened
from tests.stash_plugin.test_setup_operations import moved

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), pytest.mark.usefixtures("warm")]
PAGE = "/plugins/plexsync"


def sign_in(page: Page, tv: PlexTvSim) -> None:
    page.get_by_role("button", name="Sign in to Plex").click()
    expect(page.get_by_role("link", name="Open plex.tv/link")).to_have_attribute("href", "https://plex.tv/link")
    tv.confirm(page.get_by_label("PIN").inner_text())


def test_from_nothing_to_the_first_scene_in_sync(page, fresh: Trial, tv: PlexTvSim, faults):
    moved(fresh, 3)
    dead = Resource("Attic", TOKEN, (Connection("http://127.0.0.1:9", "127.0.0.1", 9),))
    tv.servers.insert(0, dead)
    go(page, fresh, PAGE)
    expect(page.get_by_role("heading", name="Set up PlexSync")).to_be_visible()
    sign_in(page, tv)
    expect(page.get_by_text("Signed in as someone.")).to_be_visible()

    page.get_by_role("button", name="Use this server").click()
    expect(page.get_by_text("Attic does not answer at any address that plex.tv knows of it")).to_be_visible()
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("button", name="Use this server").click()
    # Its only library is chosen. The page is loaded again in the middle: it goes on where it was.
    expect(page.get_by_text(f"at {fresh.plex.url}, library Movies.")).to_be_visible()
    go(page, fresh, PAGE)
    expect(page.get_by_text("With the rules below: Of 4 scenes looked at, 4 are found in Plex")).to_be_visible()
    expect(page.get_by_role("row", name="/data/more/0.mp4")).to_contain_text("/media/more/0.mp4")
    rules = page.get_by_role("textbox")
    expect(rules).to_have_value("/data => /media")
    rules.fill("data, media")
    page.get_by_role("button", name="Use these rules").click()
    expect(page.get_by_text("the path rules must have the form")).to_be_visible()
    page.get_by_role("textbox").fill("/data => /media")
    page.get_by_role("button", name="Use these rules").click()

    expect(page.get_by_text("scenes compared")).to_be_visible()
    expect(page.locator(".plexsync-tile", has_text="would change").first.locator("strong")).to_have_text("4")
    expect(page.get_by_role("row", name="title").first).to_contain_text("One")
    assert fresh.plex.count("PUT") == 0
    page.get_by_role("button", name="Approve, and sync all 4 scenes").click()
    expect(page.get_by_text("4 scenes in sync.")).to_be_visible()
    assert fresh.title() == "One"
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("button", name="Stop the worker")).to_be_visible()
    assert TOKEN not in page.content()
    assert faults == []


def test_a_pin_that_expires_a_plex_tv_that_is_away_and_a_second_window(windows, page, fresh, tv, faults):
    go(page, fresh, PAGE)
    page.get_by_role("button", name="Sign in to Plex").click()
    expect(page.get_by_label("PIN")).to_be_visible()
    tv.expire()
    expect(page.get_by_text("The PIN was not confirmed in time: get a new one.")).to_be_visible()
    sign = page.get_by_role("button", name="Sign in to Plex")
    tv.faults.set(Fault("status", status=503))
    sign.click()
    expect(page.get_by_text("plex.tv refused what was asked (503)").first).to_be_visible()
    tv.faults.clear()
    sign.click()
    code = page.get_by_label("PIN").inner_text()
    second = opened(windows, faults)
    go(second, fresh, PAGE)
    expect(second.get_by_label("PIN")).to_have_text(code)
    tv.confirm(code)
    for window in (page, second):
        expect(window.get_by_role("button", name="Go on without rules")).to_be_visible()
    second.close()
    assert faults == []


def test_plex_down_while_the_paths_are_learnt_is_told_and_tried_again(page, fresh, tv, faults):
    fresh.plex.add_section("Clips", locations=("/clips",), agent="com.plexapp.agents.none")
    go(page, fresh, PAGE)
    sign_in(page, tv)
    expect(page.locator("label", has_text="Clips")).to_contain_text("Other Videos, synced as movies are: /clips")
    expect(page.locator("label", has_text="/media")).not_to_contain_text("Other Videos")
    expect(page.get_by_role("button", name="Use these libraries")).to_be_visible()
    fresh.plex.faults.set(Fault("status", status=503))
    page.get_by_role("button", name="Use these libraries").click()
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(page.locator(".alert-danger")).to_contain_text("Plex")
    fresh.plex.faults.clear()
    again.click()
    expect(page.get_by_text("Of 1 scene looked at, 1 is found")).to_be_visible()
    page.get_by_role("button", name="Go on without rules").click()
    page.get_by_role("button", name="Only sync what I edit from now on").click()
    expect(page.get_by_text("PlexSync is set up")).to_be_visible()
    assert fresh.ask("page_status")["bulk_approved"] is False
    assert faults == []


def test_without_packages_the_guide_begins_with_them(page, fresh, faults):
    packages = fresh.folder / "packages"
    packages.rename(packages.with_name("elsewhere"))
    # The environment of Stash leads pip to an index that has nothing.
    fresh.runner.environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    go(page, fresh, PAGE)
    page.get_by_role("button", name="Install the packages").click()
    expect(page.get_by_text("pip could not install the dependencies")).to_be_visible()
    until(lambda: not dependencies.installation(str(fresh.folder))["running"])
    packages.with_name("elsewhere").joinpath(*[one.name for one in packages.with_name("elsewhere").iterdir()]).rename(
        dependencies.place(str(fresh.folder))
    )
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Sign in to Plex")).to_be_visible()
    assert faults == []
