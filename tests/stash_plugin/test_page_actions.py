"""What the page in Stash does without a terminal: plays, signing in, taking back, an import, settings, decisions."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from plexsync.simulator.plex_tv import PlexTvSim
from release.check import TOKEN, Trial
from tests.browser import CHROMIUM, NO_CHROMIUM
from tests.patience import until
from tests.stash_plugin.conftest import go
from tests.stash_plugin.test_page_tasks import PLUGIN, synced

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), pytest.mark.usefixtures("warm")]
PAGE = "/plugins/plexsync"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_run_is_shown_and_then_taken_back(page, inside: Trial, faults):
    synced(inside)
    go(page, inside, PAGE)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    press(page, "▸ Take back")
    press(page, "Take back …")
    expect(page.get_by_text("This would be taken back: run 1.")).to_be_visible()
    page.locator("details summary", has_text="One").click()
    expect(page.get_by_role("row", name=re.compile("^title"))).to_contain_text("one")
    assert inside.title() == "One"
    assert asked == []
    press(page, "Take it back")
    expect(page.get_by_text("Taken back: run 1.")).to_be_visible()
    assert asked == ["Take back what PlexSync wrote: run 1? What you have changed since stays."]
    assert inside.title() == "one"
    row = page.get_by_role("row").filter(has_text="1 scene taken back in Plex")
    expect(row).to_contain_text("you")
    row.get_by_role("button", name="Redo since then").click()
    expect(page.get_by_text("Redone: scenes since ")).to_be_visible()
    assert inside.title() == "One"
    assert faults == []


def test_everything_of_a_kind_is_taken_back_or_left(page, inside: Trial, faults):
    synced(inside)
    go(page, inside, PAGE)
    press(page, "▸ Take back")
    press(page, "Take everything back …")
    expect(page.get_by_text("This would be taken back: everything.")).to_be_visible()
    press(page, "Leave it")
    expect(page.get_by_text("This would be taken back")).to_have_count(0)
    page.get_by_label("All of").select_option("collections")
    press(page, "Take everything back …")
    expect(page.get_by_text("This would be taken back: all collections.")).to_be_visible()
    assert inside.title() == "One"
    assert faults == []


def test_an_import_is_shown_done_and_taken_back(page, inside: Trial, faults):
    synced(inside)
    inside.plex.hand_edit(inside.item, summary="What Plex says", locked=True)
    go(page, inside, PAGE)
    press(page, "▸ Import from Plex")
    press(page, "Show what would be filled")
    expect(page.get_by_text("1 scene looked at; fields of 1 scene would be filled.")).to_be_visible()
    expect(page.get_by_role("row", name="One")).to_contain_text("details: What Plex says")
    assert not inside.stash.scene(1).details
    press(page, "Fill them in Stash")
    expect(page.get_by_text("1 field filled.")).to_be_visible()
    assert inside.stash.scene(1).details == "What Plex says"
    press(page, "Take import 1 back")
    expect(page.get_by_text("Import 1 was taken back.")).to_be_visible()
    assert not inside.stash.scene(1).details
    assert faults == []


def test_the_first_plays_are_listed_and_approved(page, inside: Trial, faults):
    synced(inside)
    inside.stash.plugin_settings[PLUGIN]["watch_back"] = "plays"
    inside.plex.sessions.finish(inside.item)
    inside.task("Start the worker")
    go(page, inside, PAGE)
    expect(page.get_by_text("The first plays wait for your yes.")).to_be_visible()
    press(page, "Show the plays")
    expect(page.get_by_text("1 play would be added to 1 scene; 0 are there already.")).to_be_visible()
    expect(page.get_by_role("row", name="One")).to_be_visible()
    assert inside.stash.scene(1).plays == ()
    press(page, "Add them to Stash")
    until(lambda: len(inside.stash.scene(1).plays) == 1)
    expect(page.get_by_text("The first plays wait for your yes.")).to_have_count(0)
    assert faults == []


def test_signing_in_again_needs_a_pin_alone(page, fresh: Trial, tv: PlexTvSim, faults):
    fresh.stash.plugin_settings[PLUGIN] = {"plex_url": fresh.plex.url, "plex_token": "an-old-token-000000"}
    fresh.ask("page_sync", scene="1")
    go(page, fresh, PAGE)
    expect(page.get_by_text("Plex does not let PlexSync in.").first).to_be_visible()
    press(page, "Sign in to Plex again")
    expect(page.get_by_role("link", name="Open plex.tv/link")).to_be_visible()
    tv.confirm(page.get_by_label("PIN").inner_text())
    expect(page.get_by_text("has a new token.")).to_be_visible()
    assert TOKEN not in page.content()
    assert TOKEN in (fresh.folder / "plexsync.toml").read_text()
    assert faults == []


def test_a_setting_that_stash_does_not_show_is_changed_on_the_page(page, inside: Trial, faults):
    inside.task("Show status")
    go(page, inside, PAGE)
    press(page, "▸ Settings")
    page.get_by_role("searchbox").fill("sync studio")
    page.get_by_label("sync_studio").select_option("false")
    press(page, "Save sync_studio")
    expect(page.get_by_text("sync_studio is saved.")).to_be_visible()
    assert inside.stash.plugin_settings[PLUGIN]["sync_studio"] == "false"
    page.get_by_role("searchbox").fill("max retries")
    page.get_by_label("max_retries").fill("99")
    press(page, "Save max_retries")
    alert = page.get_by_role("alert").filter(has_text="max_retries")
    expect(alert).to_contain_text("max_retries must be a whole number from 1 to 20")
    page.get_by_role("searchbox").fill("")
    press(page, "Back to the default of sync_studio")
    expect(page.get_by_text("sync_studio is at its default again.")).to_be_visible()
    assert TOKEN not in page.content()
    assert faults == []


def test_the_tab_decides_field_by_field(page, inside: Trial, faults):
    synced(inside)
    inside.plex.hand_edit(inside.item, title="By hand", locked=True)
    go(page, inside, "/scenes/1")
    press(page, "Plex")
    row = page.get_by_role("row", name=re.compile("^title"))
    row.get_by_role("button", name="Keep Plex's").click()
    expect(page.get_by_text("title follows Plex from now on.")).to_be_visible()
    row.get_by_role("button", name="No longer keep Plex's").click()
    expect(page.get_by_text("title is no longer kept.")).to_be_visible()
    assert inside.title() == "By hand"
    row.get_by_role("button", name="Use Stash's").click()
    expect(page.get_by_text("title: Stash's value goes to Plex.")).to_be_visible()
    assert inside.title() == "One"
    assert faults == []


def test_the_page_paints_what_the_worker_wrote_before_any_process_answers(page, inside: Trial, faults):
    inside.task("Start the worker")
    until((Path(inside.runner.plugin_dir) / "served" / "status.json").exists)
    page.route("**/graphql", lambda _route: None)
    go(page, inside, PAGE)
    expect(page.get_by_text("As the worker wrote it")).to_be_visible()
    expect(page.get_by_text("The first write needs your approval")).to_be_visible()
    inside.task("Stop the worker")
    # Without a worker it is what this browser saw last, and says so.
    go(page, inside, PAGE)
    expect(page.get_by_text("No worker answers. As it was")).to_be_visible()
    expect(page.get_by_text("The first write needs your approval")).to_be_visible()
    assert faults == []


def test_a_setting_shows_a_scene_and_a_count_before_it_is_saved(page, inside: Trial, faults):
    synced(inside)
    go(page, inside, PAGE)
    press(page, "▸ Settings")
    page.get_by_label("title_template").fill("{title}!")
    press(page, "Preview title_template")
    expect(page.get_by_text("Changes 1 of 1 scene.")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("^title"))
    expect(row).to_contain_text("One!")
    assert inside.title() == "One"
    assert "title_template" not in inside.stash.plugin_settings[PLUGIN]
    page.get_by_label("title_template").fill("{nothing}")
    expect(row).to_have_count(0)
    press(page, "Preview title_template")
    expect(page.get_by_role("alert").filter(has_text="title_template must name known values")).to_be_visible()
    # The tab of a scene previews that scene.
    go(page, inside, "/scenes/1")
    press(page, "Plex")
    press(page, "▸ Settings, with a preview of this scene")
    page.get_by_label("poster", exact=True).fill("none")
    press(page, "Preview poster")
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
    expect(page.get_by_role("tabpanel").get_by_role("link", name="One")).to_be_visible()
    assert faults == []


def test_another_address_of_plex_is_chosen_by_signing_in_again(page, inside: Trial, faults):
    synced(inside)
    go(page, inside, PAGE)
    press(page, "▸ Settings")
    expect(page.get_by_role("button", name="Sign in, and choose another server")).to_be_visible()
    expect(page.get_by_role("textbox", name="plex_url")).to_have_count(0)
    press(page, "Sign in, and choose another server")
    expect(page.get_by_role("heading", name="Set up PlexSync")).to_be_visible()
    press(page, "Leave it as it is set up")
    expect(page.get_by_role("button", name="▸ Settings")).to_be_visible()
    assert inside.stash.plugin_settings[PLUGIN]["plex_url"] == inside.plex.url
    assert faults == []
