"""Several Plex servers on one dashboard: a switch, addresses that say which one is meant, and a verdict for all."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from plexsync.flows.scenes.verbs import want_scenes
from plexsync.reports.shapes.status import VerdictPart
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import HoldRow
from plexsync.rules.servers.errors import LocalFault, Neighbour
from plexsync.simulator.plex_server import PlexSim
from plexsync.web import entry_desks
from plexsync.web.addresses import at_prefix
from plexsync.web.context import Desk, Origins
from plexsync.web.entry_desks import AGAIN, DatabaseAway, EntryDesk, EntryDesks
from tests.journey.world import TOKEN, World, until
from tests.patience import HANG
from tests.web.conftest import TOKEN_FIELD, Dash, Look, dashboard, desk_of
from tests.web.crawl import Crawl
from tests.web.stage import config_of, furnish
from tests.web.test_accessibility import ALL, COLOURS
from tests.web.test_api import post
from tests.web.test_guard import raw, sign_in
from tests.web.test_serving import free_port, get

PASSWORD = "correct horse battery"
FIRST, SECOND = "cinema", "kids"


@dataclass
class Pair:
    """Two Plex servers with one Stash, each with its folder."""

    first: World
    second: World

    def dashboard(self, **settings: object):
        return dashboard(self.first, name=FIRST, further={SECOND: self.second}, **settings)


@pytest.fixture
def pair(world: World) -> Iterator[Pair]:
    folder = world.folder / f"plex-{SECOND}"
    folder.mkdir(mode=0o700)
    with PlexSim(token=TOKEN) as plex, World(world.stash, plex, folder) as second:
        second.section = plex.add_section("For kids", locations=("/media/scenes",))
        yield Pair(world, second)


@pytest.fixture
def both(pair: Pair) -> Iterator[Dash]:
    with pair.dashboard() as dash:
        yield dash


def parts_of(dash: Dash, name: str):
    return dash.entries.by_name(name).desk.parts


def needs_you(dash: Dash, name: str) -> None:
    """Plex does not let PlexSync in: the server is on hold."""
    parts = parts_of(dash, name)
    now = parts.clock.now()
    row = HoldRow("plex_token", "Plex refuses the token", now, now + 60_000, "")
    with parts.store.writing() as tx:
        tx.holds.save(Neighbour.PLEX, row)
    dash.entries.by_name(name).desk.stale()


def headed(text: str) -> tuple[str, str]:
    """The title of a page, and the server that its switch shows as chosen."""
    title = re.search(r"<title>(.*?)</title>", text)
    chosen = re.search(r'aria-current="true">(\w+)', text)
    assert title
    return title[1], chosen[1] if chosen else ""


# --- addresses -------------------------------------------------------------------------------------------------------


def test_every_page_names_its_server_and_links_only_to_it(both: Dash) -> None:
    for path in ("/", "/fix", "/scenes", "/settings", "/state", "/outages", "/charts", "/reconcile", "/dead"):
        title, chosen = headed(both.get(path).text)
        assert (title.split(" - ")[1], chosen) == (FIRST, FIRST)
        page = both.get(f"/plex/{SECOND}{path}").text
        title, chosen = headed(page)
        assert (title.split(" - ")[1], chosen) == (SECOND, SECOND)
        inside = re.findall(r'(?:href|src|action|data-line)="(/[^"]*)"', page)
        assert {link for link in inside if not link.startswith((f"/plex/{SECOND}/", "/static/"))} == {
            link for link in inside if link.startswith(f"/plex/{FIRST}/")
        }


def test_the_first_server_keeps_its_addresses_and_answers_to_its_name_as_well(both: Dash) -> None:
    assert both.get(f"/plex/{FIRST}/scenes").text.count("<h1>") == 1
    for path in ("/scenes", f"/plex/{FIRST}/scenes"):
        assert 'href="/scenes?stands=' in both.get(path).text
    assert headed(both.get(f"/plex/{SECOND}").text)[0] == f"Overview - {SECOND} - PlexSync"


def test_nothing_of_several_servers_is_on_the_pages_of_a_single_one(calm: Dash) -> None:
    for path in ("/", "/settings", "/fix"):
        page = calm.get(path).text
        assert "/plex/" not in page.replace("/settings/plex", "")
        assert "Plex servers" not in page
    assert "There is no such page." in calm.get(f"/plex/{FIRST}/").text


def test_an_unknown_server_is_a_page_that_leads_to_those_there_are(both: Dash) -> None:
    answer = both.get("/plex/attic/scenes")
    assert answer.status_code == 404
    assert f"PlexSync knows these: {FIRST}, {SECOND}." in answer.text
    assert headed(answer.text)[1] == ""
    assert f'href="/plex/{SECOND}/"' in answer.text
    assert 'aria-label="Pages"' not in answer.text


@pytest.mark.parametrize(
    "path", ["/plex/", "/plex//", "/plex/KIDS/", "/plex/../kids", "/plex/kids%2f..%2ffix", "/plexkids"]
)
def test_an_address_that_is_nearly_one_is_no_page(both: Dash, path: str) -> None:
    assert raw(both, "GET", path, ("Host", "localhost")).status == 404


def test_a_form_acts_on_its_own_server_and_leads_back_to_it(pair: Pair) -> None:
    ids = pair.first.add(1)
    with pair.dashboard() as both:
        for name in (FIRST, SECOND):
            with parts_of(both, name).store.writing() as tx:
                tx.jobs.want(Kind.SCENE, ids[0], Why.USER, parts_of(both, name).clock.now())
        token = TOKEN_FIELD.search(both.get(f"/plex/{SECOND}/reconcile").text)
        assert token
        sent = both.client.post(
            f"/plex/{SECOND}/scenes/{ids[0]}/ignore", data={"token": token[1]}, follow_redirects=False
        )
        assert sent.status_code == 303
        assert sent.headers["location"].startswith(f"/plex/{SECOND}/scenes/{ids[0]}")
        states = {}
        for name in (FIRST, SECOND):
            with parts_of(both, name).store.reading() as db:
                states[name] = db.jobs.find(Kind.SCENE, ids[0]).state
        assert states == {FIRST: "ready", SECOND: "ignored"}


def test_every_link_and_form_of_the_second_server_is_a_page_of_it(pair: Pair) -> None:
    scenes = furnish(pair.second)
    with pair.dashboard() as both:
        crawl = Crawl(both, set(scenes.values()))
        crawl.links(f"/plex/{SECOND}/")
        seen = {url.removeprefix(both.url) for url in crawl.seen}
        assert f"/plex/{SECOND}/scenes/{scenes['failed']}" in {url.partition("?")[0] for url in seen}
        # The switch alone leads to the first, and it leads to every page of its navigation.
        assert f"/plex/{FIRST}/settings" in seen


# --- the guard -------------------------------------------------------------------------------------------------------


def test_a_login_leads_back_to_the_page_of_the_server_that_was_asked_for(pair: Pair) -> None:
    with pair.dashboard(web_password=PASSWORD) as both:
        asked = both.get(f"/plex/{SECOND}/scenes?stands=queued")
        assert asked.url.path == "/login"
        # Before the login no page tells which servers there are.
        for path in ("/", f"/plex/{SECOND}/", "/plex/attic/", "/login", f"/plex/{SECOND}/login"):
            page = both.get(path).text
            assert SECOND not in page.replace(f"%2Fplex%2F{SECOND}", "").replace(f"/plex/{SECOND}/", "")
            assert FIRST not in page
        sign_in(both, PASSWORD, to=asked.url.params["to"])
        page = both.get(f"/plex/{SECOND}/scenes").text
        assert headed(page) == (f"Scenes - {SECOND} - PlexSync", SECOND)


@pytest.mark.parametrize("path", ["/", "/api/status", "/metrics", "/live", "/settings", "/pictures/scene/1"])
def test_a_prefix_opens_no_door(pair: Pair, path: str) -> None:
    with pair.dashboard(web_password=PASSWORD) as both:
        plain, prefixed = (
            raw(both, "GET", f"{prefix}{path}", ("Host", "localhost")) for prefix in ("", f"/plex/{SECOND}")
        )
        assert (plain.status, prefixed.status) in ((303, 303), (401, 401))
        assert raw(both, "POST", f"/plex/{SECOND}/dead/drop", ("Host", "localhost")).status == 303


def test_a_form_of_the_second_server_needs_the_token_as_well(both: Dash) -> None:
    assert both.client.post(f"/plex/{SECOND}/dead/retry", data={"token": "0" * 64}).status_code == 403
    assert both.client.post(f"/plex/{SECOND}/api/sync", json={"scenes": [1]}).status_code == 403


# --- the verdict -----------------------------------------------------------------------------------------------------


def verdict_of(page: str) -> tuple[str, str]:
    """The tone and the text of the verdict, with the addresses of its links."""
    line = re.search(r'class="banner verdict (\w+)">(.*?)</p>', page, re.DOTALL)
    assert line
    return line[1], re.sub(r"<(?!a |/a)[^>]*>", "", line[2])


def test_another_server_that_needs_you_is_named_with_a_link(both: Dash) -> None:
    needs_you(both, SECOND)
    tone, text = verdict_of(both.get("/").text)
    assert tone == "bad"
    assert f'<a href="/plex/{SECOND}/fix">{SECOND}: Plex does not let PlexSync in' in text
    # Its own page says it as its own. The first one has no worker.
    tone, text = verdict_of(both.get(f"/plex/{SECOND}/").text)
    assert tone == "bad"
    assert f"{SECOND}:" not in text
    assert f'<a href="/plex/{FIRST}/fix">{FIRST}: No worker runs.</a>' in text


def test_the_verdict_has_the_worst_tone_and_the_worst_server_first(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (third := tmp_path / "third").mkdir(mode=0o700)
    others = {SECOND: pair.second, "attic": World(pair.first.stash, pair.second.plex, third)}
    with dashboard(pair.first, name=FIRST, further=others) as dash:

        def part(how: str, text: str) -> VerdictPart:
            return {"tone": how, "text": text, "yours": "need" in text}

        def stands(name: str, tone: str, *parts: tuple[str, str]) -> None:
            desk = dash.entries.by_name(name).desk
            verdict = {"tone": tone, "text": "", "parts": [part(*each) for each in parts]}
            facts = {**desk.facts(), "verdict": {**verdict, "next_check": None}}
            monkeypatch.setattr(desk, "facts", lambda: facts)

        def line() -> tuple[str, str]:
            tone, text = verdict_of(dash.get("/state").text)
            return tone, text.strip()

        for name in (FIRST, SECOND, "attic"):
            stands(name, "well", ("well", f"9 of 9 in {name}"))
        assert line() == ("well", f"9 of 9 in {FIRST}")
        stands(SECOND, "wait", ("wait", "Plex is down"), ("well", "8 of 9 in sync"), ("wait", "1 queued"))
        down = f'<a href="/plex/{SECOND}/">{SECOND}: Plex is down, 1 queued</a>'
        assert line() == ("wait", f"9 of 9 in {FIRST} · {down}")
        stands("attic", "bad", ("bad", "2 scenes need you"), ("wait", "1 queued"))
        bad = '<a href="/plex/attic/fix">attic: 2 scenes need you</a>'
        assert line() == ("bad", f"9 of 9 in {FIRST} · {bad} · {down}")


def test_the_switch_counts_what_needs_you_at_each_server(both: Dash) -> None:
    needs_you(both, SECOND)
    count = both.entries.by_name(SECOND).desk.problems()
    assert count
    words = f'{count}<span class="unseen"> {"problem needs" if count == 1 else "problems need"} you</span>'
    assert f'href="/plex/{SECOND}/scenes">{SECOND} <span class="count wait">{words}' in both.get("/scenes").text


def test_a_database_that_cant_be_opened_stops_its_own_pages_alone(pair: Pair) -> None:
    (pair.second.folder / "plexsync.db").write_bytes(b"no database at all, and longer than its header" * 100)
    with pair.dashboard() as both:
        away = both.get(f"/plex/{SECOND}/scenes")
        assert away.status_code == 503
        assert f"The database of {SECOND} can&#39;t be used</h1>" in away.text
        assert "is damaged, or not a database" in away.text
        assert headed(away.text)[1] == SECOND
        assert both.get("/scenes").status_code == 200
        tone, text = verdict_of(both.get("/").text)
        assert tone == "bad"
        assert f'<a href="/plex/{SECOND}/">{SECOND}: its database can\'t be used.</a>' in text.replace("&#39;", "'")
        assert "its database can't be used" in both.get("/scenes").text
        assert both.get("/api/status").status_code == 200
        answer = both.get(f"/api/status?plex={SECOND}")
        assert (answer.status_code, list(answer.json())) == (503, ["error"])
        entries = {entry["name"]: entry for entry in both.get("/api/plex").json()["plex"]}
        assert entries[FIRST]["error"] == ""
        assert entries[SECOND]["verdict"] is None
        assert entries[SECOND]["error"]
        assert both.get(f"/plex/{SECOND}/health").json() == {
            "status": "failing",
            "worker": False,
            "database": False,
            "needs": [],
        }
        assert f'plexsync_database_readable{{plex="{SECOND}"}} 0.0' in both.get("/metrics").text
        # It is opened as soon as it can be.
        (pair.second.folder / "plexsync.db").unlink()
        both.pass_time(AGAIN)
        until(lambda: both.get(f"/plex/{SECOND}/scenes").status_code == 200)
        assert "its database" not in both.get("/scenes").text


def test_a_database_that_hangs_while_it_is_opened_keeps_no_other_waiting(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(entry_desks, "PATIENCE", 0.0)
    let_go, tries = threading.Event(), []

    @contextmanager
    def hanging() -> Iterator[Desk]:
        tries.append(len(tries))
        assert let_go.wait(HANG)
        raise LocalFault(f"the disk is away, try {min(len(tries), 2)}")
        yield

    config = config_of(pair.second)
    well = EntryDesk(FIRST, partial(desk_of, config, pair.second.folder, Origins({}, pair.second.folder)))
    ill = EntryDesk(SECOND, hanging)
    with closing(EntryDesks([well, ill])) as entries:
        entries.open()
        until(lambda: well.open_desk is not None and tries)
        # While one thread tries, another does not wait for it.
        ill.try_open()
        assert (ill.open_desk, ill.fault, tries) == (None, entry_desks.BEING_OPENED, [0])
        let_go.set()
        until(lambda: "try 1" in ill.fault)
        for _ in range(3):
            ill.try_open()
        with pytest.raises(DatabaseAway, match="the database of kids can't be used: the disk is away, try 2"):
            _ = ill.desk
    # The first fault may be over at the second try, and one that stays is logged once.
    assert [record.message for record in caplog.records if record.name == "PlexSync.web"] == [
        "the dashboard can't use the database of kids: the disk is away, try 2"
    ]


def test_a_login_needs_no_database(pair: Pair) -> None:
    (pair.first.folder / "plexsync.db").write_bytes(b"no database at all, and longer than its header" * 100)
    with pair.dashboard(web_password=PASSWORD) as both:
        sign_in(both)
        assert both.get("/").status_code == 503
        assert both.get(f"/plex/{SECOND}/").status_code == 200


# --- for programs ----------------------------------------------------------------------------------------------------


def test_the_api_takes_the_server_as_a_parameter(both: Dash, pair: Pair) -> None:
    ids = pair.first.add(1)
    want_scenes(parts_of(both, SECOND).store, ids, Why.USER, parts_of(both, SECOND).clock)
    both.entries.by_name(SECOND).desk.stale()
    ready = [
        both.get(path).json()["jobs"]["ready"]
        for path in (
            "/api/status",
            f"/api/status?plex={FIRST}",
            f"/api/status?plex={SECOND}",
            f"/plex/{SECOND}/api/status",
        )
    ]
    assert ready == [0, 0, 1, 1]
    assert post(both, f"/api/scenes/{ids[0]}/ignore?plex={SECOND}", {})[0] == 200
    both.entries.by_name(SECOND).desk.stale()
    assert both.get(f"/api/status?plex={SECOND}").json()["jobs"]["ignored"] == 1
    assert both.get("/api/status").json()["jobs"]["ignored"] == 0


def test_the_api_refuses_an_unknown_server_without_repeating_its_name(both: Dash, calm: Dash) -> None:
    secret = "plex-token-pasted-here"
    for answer in (both.get(f"/api/status?plex={secret}"), calm.get(f"/api/status?plex={secret}")):
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("There is no Plex server of this name.")
        assert secret not in answer.text
    assert post(both, f"/api/sync?plex={secret}", {"all": True})[0] == 404


def test_the_api_lists_the_servers(both: Dash, calm: Dash) -> None:
    needs_you(both, SECOND)
    listed = both.get("/api/plex").json()["plex"]
    assert [(entry["name"], entry["path"], entry["error"]) for entry in listed] == [
        (FIRST, f"/plex/{FIRST}/", ""),
        (SECOND, f"/plex/{SECOND}/", ""),
    ]
    assert listed[1]["verdict"] == both.get(f"/api/status?plex={SECOND}").json()["verdict"]
    (alone,) = calm.get("/api/plex").json()["plex"]
    assert (alone["name"], alone["path"]) == ("", "/")


def test_metrics_have_a_label_for_the_server_only_if_there_are_several(both: Dash, calm: Dash) -> None:
    several, single = both.get("/metrics").text, calm.get("/metrics").text
    for line in several.splitlines():
        assert line.startswith("#") or 'plex="' in line
    assert "plex=" not in single
    assert "plexsync_database_readable" not in single

    def families(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("# TYPE")]

    assert families(several) == [*families(single), "# TYPE plexsync_database_readable gauge"]
    for name in (FIRST, SECOND):
        assert f'plexsync_jobs{{plex="{name}",state="ready"}}' in several
        assert f'plexsync_books_total{{entry="accepted",plex="{name}"}}' in several


# --- settings --------------------------------------------------------------------------------------------------------

FILE = """
plex_read_timeout = 50

[[plex]]
name = "cinema"

[[plex]]
name = "kids"
plex_url = "http://kids.invalid:32400"
sync_title = false
"""


@contextmanager
def with_entries(pair: Pair) -> Iterator[tuple[Dash, Path]]:
    """The dashboard, with the entries in its settings file."""
    file = pair.first.folder.parent / "plexsync.toml"
    file.write_text(f'plex_url = "{pair.first.plex.url}"\nplex_token = "{TOKEN}"\n{FILE}')
    file.chmod(0o600)
    origins = {"plex_url": "[[plex]] entry", "sync_title": "[[plex]] entry", "plex_read_timeout": "plexsync.toml"}
    with pair.dashboard(origins=origins, plex_read_timeout=50) as dash:
        yield dash, file


def test_settings_of_an_entry_are_shown_and_changed_in_the_file_alone(pair: Pair) -> None:
    with with_entries(pair) as (both, file):
        listed = both.get(f"/plex/{SECOND}/settings").text
        assert f"These are the settings of <strong>{SECOND}</strong>." in listed
        assert "[[plex]] entry in plexsync.toml" in listed
        assert f"/plex/{SECOND}/settings/change?name=sync_title" not in listed
        form = both.get(f"/plex/{SECOND}/settings/change?name=sync_title").text
        assert "It is set in the [[plex]] entry of this server in plexsync.toml: change it there." in form
        before = file.read_text()
        both.post(f"/plex/{SECOND}/settings/change", name="sync_title", value="true", do="set")
        assert file.read_text() == before


def test_a_setting_of_all_servers_says_so_and_is_written_before_the_entries(pair: Pair) -> None:
    with with_entries(pair) as (both, file):
        form = both.get(f"/plex/{SECOND}/settings/change?name=max_retries").text
        assert "A change here is for all Plex servers whose [[plex]] entry does not have this setting itself" in form
        assert (
            f"All Plex servers share this setting: {FIRST} and {SECOND}."
            in both.get("/settings/change?name=stash_poll_interval").text
        )
        answer = both.post(f"/plex/{SECOND}/settings/change", name="max_retries", value="7", do="set")
        assert "max_retries is saved in plexsync.toml" in answer.text
        assert answer.url.path == f"/plex/{SECOND}/settings"
        top, _, entries = file.read_text().partition("[[plex]]")
        assert "max_retries = 7" in top
        assert "max_retries" not in entries
        # What is saved is shown as not in use yet, by the pages of both.
        for prefix in ("", f"/plex/{SECOND}"):
            assert "saved: 7" in both.get(f"{prefix}/settings").text


# --- as serve runs it ------------------------------------------------------------------------------------------------


def test_serve_shows_all_servers_and_takes_over_the_settings_of_each(pair: Pair, tmp_path: Path) -> None:
    world, port, file = pair.first, free_port(), tmp_path / "plexsync.toml"
    world.unset = ("web_bind", "plex_url")

    def write(more: str) -> None:
        fresh = tmp_path / "fresh.toml"
        fresh.write_text(
            f'web_bind = "127.0.0.1:{port}"\n'
            f'[[plex]]\nname = "{FIRST}"\nplex_url = "{world.plex.url}"\n'
            f'[[plex]]\nname = "{SECOND}"\nplex_url = "{pair.second.plex.url}"\n{more}'
        )
        fresh.chmod(0o600)
        fresh.replace(file)

    def facts(path: str) -> dict[str, Any]:
        answer = get(port, path)
        return answer.json() if answer is not None and answer.status_code == 200 else {}

    def value(name: str) -> str:
        settings = facts(f"/api/settings?plex={SECOND}").get("settings", ())
        return next((one["value"] for one in settings if one["name"] == name), "")

    write("max_retries = 6\n")
    process = world.start("--config", str(file), "serve")
    try:
        until(lambda: [one["error"] for one in facts("/api/plex").get("plex", ())] == ["", ""])
        assert [one["name"] for one in facts("/api/plex")["plex"]] == [FIRST, SECOND]
        until(lambda: value("max_retries") == "6")
        for name in (FIRST, SECOND):
            until(lambda name=name: facts(f"/api/status?plex={name}").get("dashboard"))
        assert facts(f"/api/status?plex={SECOND}")["dashboard"]["url"] == f"http://127.0.0.1:{port}/plex/{SECOND}"
        assert facts("/api/status")["dashboard"]["url"] == f"http://127.0.0.1:{port}"
        write("max_retries = 8\n")
        until(lambda: value("max_retries") == "8")
        # The first server's worker goes on: nothing has changed for it.
        ours = [line for line in world.log().splitlines() if f"{SECOND}:" not in line]
        assert [line for line in ours if "settings changed" in line] == []
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0
    assert TOKEN not in world.log()


# --- in the browser --------------------------------------------------------------------------------------------------


def test_the_switch_works_by_keyboard_and_leads_to_the_same_page(both: Dash, look: Look) -> None:
    page = look().page
    page.goto(f"{both.url}/outages")
    switch = page.get_by_role("navigation", name="Plex servers")
    expect(switch.get_by_role("link", name=FIRST)).to_have_attribute("aria-current", "true")
    switch.get_by_role("link", name=SECOND).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{both.url}/plex/{SECOND}/outages")
    expect(page).to_have_title(f"Outages - {SECOND} - PlexSync")
    expect(switch.get_by_role("link", name=SECOND)).to_have_attribute("aria-current", "true")


def test_an_open_page_learns_of_its_own_server_and_of_the_others(both: Dash, look: Look, pair: Pair) -> None:
    page = look().page
    page.goto(f"{both.url}/plex/{SECOND}/state")
    expect(page.locator("#live-state")).to_contain_text("Live")
    ids = pair.first.add(3)
    want_scenes(parts_of(both, SECOND).store, ids, Why.USER, parts_of(both, SECOND).clock)
    expect(page.locator("#scenes .figure", has_text="queued")).to_contain_text("3")
    needs_you(both, FIRST)
    expect(page.locator("#verdict").get_by_role("link", name=re.compile(f"^{FIRST}: Plex does not"))).to_be_visible()
    expect(page.locator("#plexes")).to_contain_text(f"{FIRST} 2")


PAGES = ("/", "/plex/kids/", "/plex/kids/fix", "/plex/kids/settings", "/settings/change?name=max_retries")


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_on_pages_of_several_servers(pair: Pair, look: Look, path: str) -> None:
    furnish(pair.second)
    (third := pair.first.folder / "plex-a-rather-long-name").mkdir(mode=0o700)
    (third / "plexsync.db").write_bytes(b"no database at all, and longer than its header" * 100)
    broken = World(pair.first.stash, pair.first.plex, third)
    further = {SECOND: pair.second, "a-rather-long-name-0": broken}
    with dashboard(pair.first, name=FIRST, further=further) as dash:
        needs_you(dash, FIRST)
        window = look()
        page = window.page
        page.add_init_script(AXE_SCRIPT)
        page.goto(dash.url + path)
        for width, dark in product((390, 820, 1280), (False, True)):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
            said = Axe("").run(page, options=COLOURS if dark else ALL)
            assert not said.violations_count, f"{path} at {width}\n{said.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} at {width}"
            current = page.get_by_role("navigation", name="Plex servers").locator("[aria-current]")
            assert current.bounding_box()["height"] >= 24
            window.shoot(f"several-{PAGES.index(path)}-{width}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("path", ["/plex/a-rather-long-name-0/scenes", "/plex/attic/scenes"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_where_a_server_is_not_there(pair: Pair, chromium, path: str, dark: bool) -> None:
    (third := pair.first.folder / "plex-a-rather-long-name").mkdir(mode=0o700)
    (third / "plexsync.db").write_bytes(b"no database at all, and longer than its header" * 100)
    broken = World(pair.first.stash, pair.first.plex, third)
    with dashboard(pair.first, name=FIRST, further={SECOND: pair.second, "a-rather-long-name-0": broken}) as dash:
        # Not by `look`: the status of these pages is an error, of which a browser complains.
        page = chromium.new_page(color_scheme="dark" if dark else "light")
        page.goto(dash.url + path)
        for width in (390, 820, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            said = Axe().run(page)
            assert not said.violations_count, said.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if folder := os.environ.get("SHOTS"):
                kind = path.split("/")[2][:5]
                page.screenshot(path=f"{folder}/gone-{kind}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
        page.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('<code class="command">plexsync fix</code>', '<code class="command">plexsync fix --plex kids</code>'),
        ('<code class="command">plexsync serve</code>', '<code class="command">plexsync serve</code>'),
        ("<code>plexsync fix</code>", "<code>plexsync fix</code>"),
    ],
)
def test_a_command_on_a_page_names_the_server_of_the_page(text, shown):
    assert at_prefix(text, "/plex/kids") == shown
    assert at_prefix(text, "") == text


def test_the_page_fix_of_another_server_names_it_in_its_commands(both):
    with parts_of(both, SECOND).store.writing() as tx:
        tx.holds.save("plex", HoldRow("plex_token", "Plex does not accept plex_token", 1, 2, ""))
    assert "plexsync fix --plex kids</code>" in both.get(f"/plex/{SECOND}/fix").text
