"""The page and the tab inside Stash, in a real browser: what they show, what their buttons do, what they never do."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
import yaml
from playwright.sync_api import Locator, expect

from plexsync.flows.plays.history_poll import READ_SINCE
from plexsync.reports.rows import SHORT
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.note_keys import ASKED_SETTINGS, BULK
from plexsync.rules.queue.setting_question import SettingQuestion
from plexsync.store.database import Database
from plexsync.store.files.lock import try_lock
from release.check import FILE, TASK, TOKEN
from tests.browser import CHROMIUM, NO_CHROMIUM
from tests.journey.world import ROOT, until
from tests.stash_plugin.conftest import KEY, go, in_a_terminal
from tests.store.fifteen import SCENES, old_database
from tests.torture.score import dump
from validation.config import describe

HOSTILE = '<img src=x onerror="window.hurt=1">&amp;<script>window.hurt=1</script>'

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), pytest.mark.usefixtures("warm")]


def test_the_page_tells_how_everything_stands_and_its_buttons_work(page, inside, faults):
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_role("heading", name="PlexSync")).to_be_visible()
    expect(page.get_by_text("PlexSync does not write the whole library before you approve it once.")).to_be_visible()
    expect(page.get_by_text("The first write needs your approval · no worker runs")).to_be_visible()
    expect(page.get_by_text("does not run")).to_be_visible()
    expect(page.get_by_text("No worker is running, so scenes stay queued")).to_be_visible()
    expect(page.get_by_text("none has arrived here yet")).to_be_visible()

    page.get_by_role("button", name="Start the worker").click()
    expect(page.get_by_text("Start the worker is in Stash's queue")).to_be_visible()
    expect(page.get_by_role("button", name="Stop the worker")).to_be_visible()
    page.get_by_role("button", name="Approve, and sync all").click()
    expect(page.get_by_text("1 scene queued")).to_be_visible()
    until(lambda: inside.title() == "One")
    expect(page.locator(".plexsync-tile", has_text="in sync").locator("strong")).to_have_text("1")
    page.get_by_role("button", name="Stop the worker").click()
    expect(page.get_by_role("button", name="Start the worker")).to_be_visible()
    assert faults == []


def test_what_a_changed_setting_would_write_is_asked_on_the_page(page, inside, faults):
    inside.task("Show status")
    with closing(sqlite3.connect(inside.folder / "plexsync.db")) as db, db:
        question = SettingQuestion("", "look is rich now", 288).to_text()
        db.executemany("insert into note (name, value) values (?, ?)", [(ASKED_SETTINGS, question), (BULK, "1")])
    go(page, inside, "/plugins/plexsync")
    told = "look is rich now: 288 scenes would change. Look at the changes, write them, or set it back in the settings."
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.get_by_role("button", name="Write it to Plex")).to_be_visible()
    expect(page.get_by_text("before you approve it once")).to_have_count(0)
    assert faults == []


def test_a_database_that_is_too_old_is_moved_away_by_a_button_and_kept(page, inside, faults):
    old_database(inside.folder / "plexsync.db", 9)
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_text("has schema 9, and this PlexSync brings up none before 15")).to_be_visible()
    expect(page.get_by_text("the button Begin anew on the page of PlexSync moves it away and keeps it")).to_be_visible()
    page.get_by_role("button", name="Begin anew").click()
    expect(page.get_by_text("plexsync-schema-9.db. Start the worker: it begins anew.")).to_be_visible()
    expect(page.get_by_role("button", name="Start the worker")).to_be_visible()
    assert len(dump(inside.folder / "plexsync-schema-9.db")["job"]) == SCENES
    assert faults == []


def test_an_open_page_starts_no_process_while_a_worker_writes_its_status(page, inside, faults):
    inside.task("Start the worker")
    until((Path(inside.runner.plugin_dir) / "served" / "status.json").exists)
    before = len(inside.runner.runs)
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_role("button", name="Stop the worker")).to_be_visible()
    until(lambda: len(inside.runner.runs) == before + 1)
    runs = len(inside.runner.runs)
    inside.stash.edit_scene(1, title="Shown without a process")
    until(lambda: inside.title() == "Shown without a process")
    expect(page.locator(".plexsync-tile", has_text="in sync").locator("strong")).to_have_text("1")
    assert len(inside.runner.runs) == runs
    inside.task("Stop the worker")
    expect(page.get_by_text("No worker answers.")).to_be_visible()
    expect(page.get_by_role("button", name="Start the worker")).to_be_visible()
    runs = len(inside.runner.runs)
    page.wait_for_timeout(11_000)
    modes = [run.stdin["args"]["mode"] for run in inside.runner.runs]
    assert len(modes) == runs, f"it was asked once, and not again: {modes}"
    assert faults == []


def test_a_worker_that_was_just_ending_when_it_was_asked_for_is_asked_for_once_more(page, inside, faults):
    inside.task("Show status")
    with try_lock(inside.folder):
        go(page, inside, "/plugins/plexsync")
        expect(page.get_by_role("button", name="Stop the worker")).to_be_visible()
    expect(page.get_by_role("button", name="Start the worker")).to_be_visible()
    assert faults == []


def test_the_preview_opens_on_the_page(page, inside, faults):
    inside.stash.quiet_edit(1, title=HOSTILE)
    go(page, inside, "/plugins/plexsync")
    show = page.get_by_role("button", name="Show the preview")
    show.evaluate("node => { node.same = true }")
    show.click()
    expect(page.get_by_text("there is no preview yet: run the task Preview")).to_be_visible()
    assert show.evaluate("node => node.same"), "what is drawn again is the same node: no click and no focus is lost"
    page.get_by_role("button", name="Preview", exact=True).click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview.locator(".plexsync-tile", has_text="would change").locator("strong")).to_have_text("1")
    expect(preview.get_by_role("row", name="title").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("button", name="Close the preview").click()
    expect(preview).to_have_count(0)
    assert inside.plex.count("PUT") == 0
    assert page.evaluate("window.hurt") is None
    assert faults == []


def test_the_link_on_a_page_with_several_sections_of_tools_is_drawn_once(page, inside, faults):
    go(page, inside, "/settings")
    expect(page.get_by_text("Tools")).to_have_count(2)
    expect(page.locator("section").get_by_role("link", name="PlexSync")).to_have_count(1)
    assert faults == []


def test_a_wrong_path_mapping_is_told_on_the_page_and_the_tab_in_the_form_of_its_field(page, inside, faults):
    inside.task("Show status")
    inside.stash.plugin_settings["StashPlexSync"]["path_map"] = 'path_map = ["/a => /b"]'
    for where in ("/plugins/plexsync", "/scenes/1"):
        go(page, inside, where)
        if where == "/scenes/1":
            page.get_by_role("button", name="Plex", exact=True).click()
        expect(
            page.get_by_text("The field Plex: path mapping takes: Plex folders for Stash folders, as in")
        ).to_be_visible()
    assert faults == []


def test_another_plex_server_is_a_question_with_a_button(page, inside, faults):
    inside.stash.plugin_settings["StashPlexSync"]["approve_bulk"] = True
    inside.ask("page_sync", scene=1)
    until(lambda: inside.title() == "One")
    inside.plex.reinstall(Random(1))
    inside.stash.quiet_edit(1, title="Edited while another server answers")
    inside.ask("page_sync", scene=1)
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_text("PlexSync needs you: this is another Plex server")).to_be_visible()
    page.get_by_role("button", name="Accept the change").click()
    expect(page.get_by_text("Accepted: ")).to_be_visible()
    expect(page.get_by_text("PlexSync needs you: this is another Plex server")).to_have_count(0)
    inside.ask("page_sync", scene=1)
    until(lambda: inside.title() == "Edited while another server answers")
    assert faults == []


def test_the_tab_of_a_scene_tells_what_would_change_and_brings_it_in_step(page, inside, faults):
    inside.stash.quiet_edit(1, title="Changed", details="Something new")
    go(page, inside, "/scenes/1")
    expect(page.get_by_text("Details")).to_be_visible()
    asked = len(inside.runner.runs)
    page.get_by_role("button", name="Plex", exact=True).click()
    expect(page.get_by_text("2 fields would be changed")).to_be_visible()
    assert len(inside.runner.runs) == asked + 1, "nothing is asked before the tab is opened"
    row = page.get_by_role("row", name=re.compile("^title"))
    expect(row).to_contain_text("Changed")
    expect(row).to_contain_text("one")
    page.get_by_role("button", name="Sync now").click()
    verdict = page.locator(".plexsync-verdict span")
    expect(verdict).to_have_text("in sync")
    expect(verdict).to_have_class(re.compile("plexsync-good"))
    assert inside.title() == "Changed"
    inside.plex.hand_edit(inside.item, title="By hand", locked=True)
    page.get_by_role("button", name="Refresh").click()
    expect(verdict).to_contain_text("in sync but for 1 field kept in Plex")
    expect(verdict).to_have_class(re.compile("plexsync-unsure"))
    expect(row).to_contain_text("By hand")
    assert faults == []


def test_the_tab_of_an_undone_scene_does_not_say_that_plex_shows_what_stash_says_and_redoes_it(page, inside, faults):
    inside.ask("page_sync", scene="1")
    key = {
        "PLEXSYNC_STASH_URL": inside.stash.url,
        "PLEXSYNC_STASH_API_KEY": KEY,
        "PLEXSYNC_DATA_DIR": str(inside.folder),
    }
    assert in_a_terminal(ROOT, "undo", "1", "--wait", **key).stdout == "1 taken back\n"
    go(page, inside, "/scenes/1")
    page.get_by_role("button", name="Plex", exact=True).click()
    expect(page.get_by_text("or click Redo in the tab Plex of the scene")).to_be_visible()
    expect(page.get_by_text("is left as it is in Plex.")).to_be_visible()
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_text("shows what Stash says.")).to_be_visible()
    assert inside.title() == "One"
    assert faults == []


def test_the_tab_of_a_scene_leads_to_each_of_its_items_in_plex(page, inside, faults):
    clips = inside.plex.add_section("Clips", locations=("/media/clips",), agent="com.plexapp.agents.none")
    other = inside.plex.add_movie(clips, files=[FILE], title="the same")
    go(page, inside, "/scenes/1")
    page.get_by_role("button", name="Plex", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("^title"))).to_have_count(2)
    links = page.get_by_role("link", name="Open in Plex")
    expect(links).to_have_count(0)  # no Plex server is known before the first sync
    page.get_by_role("button", name="Sync now").click()
    expect(links).to_have_count(2)
    machine = inside.plex.machine
    for key, library in zip((inside.item, other), ("Movies", "Clips"), strict=True):
        link = page.get_by_role("link", name=f"Open in Plex: {library}")
        address = f"https://app.plex.tv/desktop/#!/server/{machine}/details?key=%2Flibrary%2Fmetadata%2F{key}"
        expect(link).to_have_attribute("href", address)
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        expect(link).to_have_attribute("target", "_blank")
    assert TOKEN not in page.content()
    assert faults == []


def test_the_tab_of_a_scene_tells_what_was_watched_of_it_in_plex(page, inside, faults):
    inside.ask("page_sync", scene="1")
    until(lambda: inside.title() == "One")
    inside.stash.plugin_settings["StashPlexSync"]["watch_back"] = "plays"
    with closing(Database(inside.folder / "plexsync.db")) as store, store.writing() as tx:
        player, pieces = "<i>living</i> room", ((1_700_000_000, 61_000),)
        tx.viewings.save(
            [Viewing(1, inside.item, 1_700_000_000, "1", "", player, 60_000, 1_700_000_070, pieces=pieces)]
        )
        tx.notes.save(f"{READ_SINCE}1", "machine 0")
    go(page, inside, "/scenes/1")
    page.get_by_role("button", name="Plex", exact=True).click()
    lines = page.locator(".plexsync-viewings li")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text("watched 1 min 1 s of 1 min on ")
    expect(lines.first).to_contain_text("in Plex by <i>living</i> room: no play yet by Stash's rule")
    expect(lines.last).to_have_text("play time in Stash: 1 min 1 s on its way")
    assert faults == []


def test_the_tab_of_a_scene_offers_no_item_that_is_bound_to_another_scene(page, inside, faults):
    other = inside.stash.add_scene(title="The same file", files=inside.stash.scene(1).files)
    assert inside.ask("page_bind", scene=str(other), item=inside.item).get("error") is None
    go(page, inside, "/scenes/1")
    page.get_by_role("button", name="Plex", exact=True).click()
    expect(page.get_by_text(f"bound to scene {other} by hand")).to_be_visible()
    expect(page.get_by_role("button", name="Use this item")).to_have_count(0)
    assert faults == []


def test_what_was_given_up_is_listed_with_its_cure_and_can_be_dropped(page, inside, faults):
    inside.stash.plugin_settings["StashPlexSync"]["strict_mode"] = True
    inside.stash.quiet_edit(1, title="x" * 5000)
    inside.post(TASK, name="Drain")
    assert inside.stash.wait_for_jobs(60)
    go(page, inside, "/plugins/plexsync")
    expect(page.get_by_role("heading", name="Dead letters: 1")).to_be_visible()
    page.get_by_role("button", name="→ fix").click()
    expect(page.locator(".plexsync-mend").first).to_be_focused()
    expect(page.get_by_text("shorten or fix the value in Stash")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("^scene 1"))
    expect(row).to_contain_text("strict")
    row.get_by_role("button", name="Drop").click()
    expect(page.get_by_text("scene 1 was dropped")).to_be_visible()
    expect(page.get_by_role("heading", name="Dead letters: 1")).to_be_hidden()
    assert inside.ask("page_letters")["dead"] == 0
    assert faults == []


def test_hostile_texts_stay_texts(page, inside, faults):
    inside.stash.quiet_edit(1, title=HOSTILE, details=HOSTILE)
    go(page, inside, "/scenes/1")
    page.get_by_role("button", name="Plex", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("^title"))).to_contain_text("<img src=x")
    assert page.evaluate("document.querySelectorAll('#root img, #root script').length") == 0
    assert page.evaluate("window.hurt") is None
    assert faults == []


def test_a_wrong_setting_is_told_on_the_page_in_one_message(page, inside, faults):
    inside.stash.plugin_settings["StashPlexSync"]["max_retries"] = 99
    go(page, inside, "/plugins/plexsync")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("max_retries in the plugin settings in Stash must be a whole number from 1 to 20")
    assert alert.count() == 1
    assert faults == []


def test_a_stash_without_python_is_told_what_plexsync_needs(page, inside, faults):
    def start(_command, **_more):
        raise FileNotFoundError('exec: "python": executable file not found in $PATH')

    inside.runner.start = start
    go(page, inside, "/plugins/plexsync")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(
        "Stash can't start PlexSync: it needs Python 3.11 or newer, with pip, where Stash runs."
    )
    expect(alert).to_contain_text("name it under Settings, System, Python path")
    lines = yaml.safe_load(alert.locator("pre").inner_text())["services"]["plexsync"]
    names = {name.removesuffix("_FILE") for name in lines["environment"]}
    assert names <= {setting.variable for setting in describe()}
    assert lines["environment"]["PLEXSYNC_STASH_URL"] == inside.stash.url
    expect(alert.get_by_role("button", name="Copy these lines")).to_be_visible()
    assert alert.count() == 1
    assert faults == []


# What a Stash may lack, and the parts that are missing then.
LACKS = {
    "ScenePage.Tabs": {"tab", "content"},
    "ScenePage.TabContent": {"content"},
    "MainNavBar.UtilityItems": {"link"},
    "Bootstrap": {"tab", "content"},
    "register": {"page"},
}


@pytest.mark.parametrize("lacks", LACKS)
def test_what_a_stash_lacks_costs_that_part_only(page, inside, faults, lacks):
    def shown(part: str, what: Locator) -> None:
        expect(what).to_be_visible(visible=part not in LACKS[lacks])

    go(page, inside, "/scenes/1", lacks)
    expect(page.get_by_text("Stash is whole")).to_be_visible()
    shown("link", page.get_by_role("link", name="PlexSync"))
    tab = page.get_by_role("button", name="Plex", exact=True)
    shown("tab", tab)
    if tab.is_visible():
        tab.click()
    shown("content", page.get_by_role("button", name="Sync now"))
    go(page, inside, "/plugins/plexsync", lacks)
    expect(page.get_by_text("Stash is whole")).to_be_visible()
    shown("page", page.get_by_role("heading", name="PlexSync"))
    assert faults == []


def test_a_field_is_called_the_same_as_in_the_terminal_and_the_dashboard():
    """No door shows the name that Plex has for it."""
    script = (ROOT / "plexsync/stash_plugin/ui/plexsync.js").read_text(encoding="utf-8")
    (names,) = re.findall(r"const FIELDS = {(.*?)}", script, re.DOTALL)
    assert {*SHORT.items()} <= {*re.findall(r'(\w+): "([^"]*)"', names)}
    assert {"thumb", "art"} <= {*SHORT}
