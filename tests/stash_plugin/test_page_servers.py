"""The page inside Stash with several Plex servers: its first line is true for all of them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from plexsync.simulator.plex_server import PlexSim
from release.check import FILE, TOKEN
from tests.browser import CHROMIUM, NO_CHROMIUM
from tests.patience import until
from tests.stash_plugin.conftest import go

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), pytest.mark.usefixtures("warm")]


@pytest.fixture
def attic(inside, tmp_path, monkeypatch):
    """The second of two Plex servers that plexsync.toml names."""
    with PlexSim(token=TOKEN) as plex:
        plex.machine = next_machine(inside.plex.machine)
        plex.add_movie(plex.add_section("Films", locations=("/media",)), files=[FILE], title="one")
        file = tmp_path / "plexsync.toml"
        entry = f'[[plex]]\nname = "attic"\nplex_url = "{plex.url}"\n'
        file.write_text(f'[[plex]]\nname = "living"\n{entry}')
        monkeypatch.setenv("PLEXSYNC_CONFIG", str(file))
        inside.stash.plugin_settings["StashPlexSync"]["approve_bulk"] = True
        yield plex


def test_the_first_line_names_another_server_that_needs_you(page, inside, attic, faults):
    served = Path(inside.runner.plugin_dir) / "served" / "status.json"
    attic.faults.set(Fault("status", status=401))
    inside.task("Start the worker")

    def told() -> list[str]:
        facts = json.loads(served.read_text()) if served.exists() else {}
        return [part["text"] for one in facts.get("servers", [])[1:] for part in one["verdict"]["parts"]]

    until(lambda: "Plex does not let PlexSync in" in told())
    go(page, inside, "/plugins/plexsync")
    note = page.locator(".plexsync-note").first
    expect(note).to_contain_text("living: ")
    expect(note).to_contain_text("attic: Plex does not let PlexSync in")
    expect(note).to_contain_text("→ plexsync fix --plex attic in a terminal")
    expect(note).to_have_class("alert alert-danger plexsync-note")
    expect(page.get_by_role("heading", name="living")).to_be_visible()
    inside.task("Stop the worker")
    # Now the page asks by itself.
    expect(page.get_by_text("No worker answers.")).to_be_visible()
    expect(note).to_contain_text("attic: Plex does not let PlexSync in")
    assert faults == []


def test_another_server_leads_to_its_page_of_the_dashboard(page, inside, attic, faults):
    inside.task("Show status")
    facts = inside.ask("page_status")
    facts["dashboard"] = {"url": "http://127.0.0.1:9797", "reach": "machine", "names": []}
    facts["problem"] = "cellar: its database can't be read"
    attic_verdict = facts["servers"][1]["verdict"]
    attic_verdict["tone"], attic_verdict["parts"] = "wait", [{"tone": "wait", "text": "Plex is down"}]

    def fulfil(route) -> None:
        route.fulfill(json={**facts, "at": datetime.now(UTC).isoformat()})

    page.route("**/assets/status.json", fulfil)
    go(page, inside, "/plugins/plexsync")
    note = page.locator(".plexsync-note").first
    expect(note).to_contain_text("attic: Plex is down → attic")
    expect(note).to_contain_text("cellar: its database can't be read")
    expect(note).to_have_class("alert alert-danger plexsync-note")
    link = page.get_by_role("link", name="→ attic")
    expect(link).to_have_attribute("href", "http://127.0.0.1:9797/plex/attic/")
    attic_verdict["tone"], attic_verdict["parts"] = "bad", [{"tone": "bad", "text": "no worker runs"}]
    expect(link).to_have_attribute("href", "http://127.0.0.1:9797/plex/attic/fix")
    assert faults == []


def test_while_the_worker_inside_stash_rests_none_is_missed_at_any_server(inside, attic):
    inside.task("Start the worker")
    answer = inside.ask("page_status")
    assert [one["plex"] for one in answer["servers"]] == ["living", "attic"]
    assert all(one["worker"]["inside"] for one in answer["servers"])


def test_doctor_names_the_server_of_each_check(inside, attic):
    inside.task("Run the doctor")
    log = [text for _, text in inside.runner.runs[-1].outcome.log]
    assert any(text.startswith("living: Plex: ") for text in log)
    assert any(text.startswith("attic: Plex: ") for text in log)


def test_a_database_that_can_not_be_used_is_told(inside, attic):
    inside.task("Show status")
    (inside.folder / "plexsync.db").unlink()
    (inside.folder / "plexsync.db").mkdir()
    assert inside.ask("page_status")["error"].startswith("living: ")
