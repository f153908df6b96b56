"""The page Plays: what waits for your approval, and the button that approves exactly what it shows."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from plexsync.app.way_back import way_back_of
from plexsync.flows.plays.first_run import PAGE
from plexsync.flows.plays.viewings import PERCENT
from plexsync.rules.plays.first_plays import approval_text
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_COUNTED
from plexsync.simulator.http import Fault
from tests.journey.world import World
from tests.web.conftest import Dash, Look, dashboard
from tests.web.crawl import Crawl
from tests.web.stage import HOSTILE
from tests.web.test_browser import opens_well
from tests.web.test_fix_pages import button, press
from tests.web.test_pages import plain

AT = 1_769_860_800


def played(world: World, count: int) -> None:
    """Scenes in sync, each with a play in Plex and a hostile title."""
    world.add(count)
    assert world.run("sync", "--all", "--wait").returncode == 0
    for n, key in enumerate(world.plex.keys(world.section)):
        world.plex.play(key, at=AT + n)
        world.stash.quiet_edit(n + 1, title=HOSTILE[n % len(HOSTILE)])
    world.settings["watch_back"] = "plays"


@contextmanager
def asking(world: World) -> Iterator[Dash]:
    """A dashboard beside a worker that has counted the plays."""
    with dashboard(world) as dash:
        count(dash)
        yield dash


def count(dash: Dash) -> None:
    back = way_back_of(dash.parts)
    assert back is not None
    assert back.poll() == ""


def shown(dash: Dash, path: str = "/plays") -> str:
    return plain(html.unescape(dash.get(path).text))


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ({}, []),
        ({"rating_direction": "both"}, ["ratings"]),
        ({"watch_back": "plays"}, ["plays"]),
        ({"watch_back": "plays+resume"}, ["plays", "resume points"]),
    ],
)
def test_the_page_says_what_comes_back(world: World, settings: dict[str, object], on: list[str]) -> None:
    with dashboard(world, **settings) as dash:
        rows = re.findall(r'<dt>([^<]+)</dt>\s*<dd><span class="badge \w+">(on|off)</span>', dash.get("/plays").text)
    assert [name for name, state in rows if state == "on"] == on
    assert [name for name, _ in rows] == ["plays", "resume points", "ratings"]


def test_every_entry_point_leads_to_the_page_and_its_numbers_are_the_same(world: World) -> None:
    played(world, 3)
    world.stash.plays.add(3, [AT + 2])
    with asking(world) as dash:
        words = "3 plays of someone in Plex, 2 of them not in Stash, oldest 2026-01-31"
        assert f"{words}: wait for your yes (plexsync plays sync)" in dash.get("/api/status").json()["verdict"]["text"]
        assert f"{words}: wait for your yes" in shown(dash, "/")
        (need,) = [need for need in dash.get("/api/needs").json()["needs"] if need["key"] == "plays"]
        assert (need["kind"], words in need["text"]) == ("person", True)
        fix = shown(dash, "/fix?view=list")
        assert f"The first plays for Stash need your approval {words}" in fix
        assert '<a class="as-button second" href="/plays">Look at the plays…</a>' in dash.get("/fix?view=list").text
        page = shown(dash)
        assert words in page
        assert "2 plays would be added to 2 scenes, 2026-01-31" in page
        assert "1 play is in Stash already" in page
        assert HOSTILE[0] not in dash.get("/plays").text
        assert page.count("1 play, 2026-01-31") == 2
        told = world.run("status").stdout
        assert words in told.splitlines()[0]
        assert "3 in Plex, 2 wait for your yes" in told
        assert f"{words}: wait for your yes (plexsync plays sync)" in world.run("plays", "status").stdout
        assert "Plays so far wait for your yes" in page


NAMES = {
    "in Plex": "in_plex",
    "of them not in Stash, or without a scene": "unsent",
    "added to Stash": "sent",
    "in Stash already": "present",
}


def figures_of(dash: Dash) -> dict[str, int]:
    """The figures of plays, after every screen, command and answer that has them was found to have the same."""
    world = dash.world
    status = json.loads(world.run("status", "--json").stdout)["plays"]
    command = json.loads(world.run("plays", "status", "--json").stdout)
    text = world.run("plays", "status").stdout
    rows = dict(re.findall(r"^(\S.*?)  +(\S.*)$", text, re.MULTILINE))
    page = shown(dash)
    card = page[page.index("Plays so far") :]
    figures = {**command["plays"], "waiting": command["waiting"]}
    assert {name: int(rows.get(words, "0")) for words, name in NAMES.items()} == {
        name: figures[name] or 0 for name in NAMES.values()
    }
    for facts in (dash.get("/api/status").json()["plays"], status, {**figures, "first": command["first"]}):
        assert {name: facts[name] for name in ("in_plex", "sent", "present", "waiting")} == {
            name: figures[name] for name in ("in_plex", "sent", "present", "waiting")
        }
        assert facts["first"] == command["first"]
    for name, words in (("in_plex", "in Plex"), ("sent", "added to Stash"), ("present", "in Stash already")):
        assert (f"{words} {figures[name]}" in card) == bool(figures[name])
    needs = [need for need in dash.get("/api/needs").json()["needs"] if need["key"] == "plays"]
    assert len(needs) == bool(command["first"])
    for need in needs:
        sentence = need["text"].partition(". ")[0]
        assert rows["approval"].startswith(f"{sentence}: wait for your yes")
        assert sentence in page
        assert sentence in shown(dash, "/fix?view=list")
        assert sentence in world.run("status").stdout
        assert f"{figures['in_plex']} plays of someone in Plex" in sentence
        figures |= {"missing": command["first"]["missing"], "uncompared": command["first"]["uncompared"]}
        figures |= {"listed": len(re.findall(r"#\d+ 1 play,", page))}
    return {name: count for name, count in figures.items() if count and name != "play_time"}


def test_every_screen_has_the_same_figures_at_any_time(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(20)
    assert world.run("sync", "--all", "--wait").returncode == 0
    world.settings["watch_back"] = "plays"
    with dashboard(world) as dash:
        # The dashboard reads the figures at each request.
        monkeypatch.setattr("plexsync.web.context.FRESH", 0.0)
        back = way_back_of(dash.parts)
        assert back is not None
        assert back.poll() == ""
        assert figures_of(dash) == {}
        for n, key in enumerate(world.plex.keys(world.section)):
            world.plex.play(key, at=AT + n)
        world.stash.plays.add(1, [AT])
        with caplog.at_level("INFO"):
            assert back.listener.poll() == ""
        assert "20 new plays in Plex" in caplog.messages
        assert figures_of(dash) == {"in_plex": 20, "uncompared": 20, "listed": 19}
        # The worker does this next.
        assert back.poll() == ""
        assert figures_of(dash) == {"in_plex": 20, "missing": 19, "listed": 19}
        press(dash, button(dash, "/plays"))
        assert figures_of(dash) == {"in_plex": 20, "unsent": 20}
        assert back.first_run.begin() == 20
        assert figures_of(dash) == {"in_plex": 20, "unsent": 20, "waiting": 20}
        assert world.run("drain").returncode == 0
        assert figures_of(dash) == {"in_plex": 20, "sent": 19, "present": 1}
        assert world.run("plays", "undo", "--all", "--yes").returncode == 0
        assert figures_of(dash) == {"in_plex": 20, "undoing": 19, "present": 1, "waiting": 19}


def test_the_button_approves_what_the_page_shows(world: World) -> None:
    played(world, 2)
    with asking(world) as dash:
        agree = button(dash, "/plays")
        told = press(dash, agree)
        assert "Approved: the worker adds these plays to Stash, and new ones from now on." in told
        assert "wait for your yes" not in shown(dash, "/")
        page = shown(dash)
        assert "No plays wait for your approval You have approved them: the worker adds new ones as you watch." in page
        back = way_back_of(dash.parts)
        assert back is not None
        with dash.parts.store.reading() as db:
            assert back.history.approved_since(db) == 0
        assert back.first_run.begin() == 2
        assert "No plays wait for your approval." in plain(dash.post("/plays", at="1").text)


def test_the_button_approves_another_rule_with_what_it_adds_since_the_day_that_was_approved(world: World) -> None:
    played(world, 2)
    with asking(world) as dash:
        one, two = world.plex.keys(world.section)
        with dash.parts.store.writing() as tx:
            limits = {"watch_since": 0, "since": AT - 3600, "minimum": "plex", "at": 1}
            tx.notes.save(PLAYS_APPROVED, approval_text(world.plex.machine, 1, **limits))
            for key, at in ((one, AT - 9000), (two, AT - 2000)):
                viewing = Viewing(1, key, at, "1", length=60_000, ended=at + 40, pieces=((at, 40_000),))
                tx.viewings.save([replace(viewing, state=SessionState.STOPPED)])
            tx.notes.save(PERCENT, "10.0")
        count(dash)
        words = "1 play of someone by Stash's rule (10 %) is not in Stash"
        assert f"{words}: wait for your yes (plexsync plays sync); PlexSync goes on by Plex's rule" in shown(dash, "/")
        assert f'{words}. These wait for your approval; to leave them out, set watch_minimum = "plex".' in shown(
            dash, "/fix?view=list"
        )
        page = shown(dash)
        assert "More plays for Stash need your approval" in page
        assert "until then by Plex's rule" in page
        assert ("#2" in page, "#1" in page) == (True, False)
        press(dash, button(dash, "/plays"))
        assert "wait for your yes" not in shown(dash, "/")
        back = way_back_of(dash.parts)
        assert back is not None
        with dash.parts.store.reading() as db:
            assert (back.history.minimum_in_force(db), back.history.approved_since(db)) == ("stash", AT - 3600)


def test_plays_that_were_not_counted_yet_are_not_called_approved(world: World) -> None:
    played(world, 1)
    with dashboard(world) as dash:
        assert "No plays wait for your approval The worker has not counted them yet." in shown(dash)


def test_numbers_that_were_counted_anew_are_looked_at_again(world: World) -> None:
    played(world, 2)
    with asking(world) as dash:
        agree = button(dash, "/plays")
        with dash.parts.store.writing() as tx:
            number, since, at, rest = tx.notes.text(PLAYS_COUNTED).split(" ", 3)
            tx.notes.save(PLAYS_COUNTED, f"{number} {since} {int(at) + 1000} {rest}")
        assert "The plays were counted anew meanwhile" in press(dash, agree)
        assert "The first plays for Stash need your approval" in shown(dash)


def test_the_list_has_pages_and_says_why_it_can_not_be_read(world: World) -> None:
    played(world, PAGE + 1)
    keys = world.plex.keys(world.section)
    *_, before, last = sorted(keys)
    with asking(world) as dash:
        first = shown(dash)
        assert (first.count("#"), "Next page" in first) == (PAGE, True)
        second = shown(dash, f"/plays?after={before}")
        assert (second.count("#"), f"#{keys.index(last) + 1} " in second, "Next page" in second) == (1, True, False)
        world.stash.faults.set(Fault("status", status=503))
        away = shown(dash)
        assert "The list can't be read now" in away
        assert f"{PAGE + 1} plays of someone in Plex" in away


def test_an_open_page_asks_no_server_again_and_again(world: World) -> None:
    played(world, 1)
    with asking(world) as dash:
        assert dash.get("/plays").status_code == 200
        world.stash.clear_log()
        world.plex.clear_log()
        assert dash.get("/plays", **{"X-Live": "1"}).status_code == 200
        assert (list(world.stash.log), list(world.plex.log)) == ([], [])


def test_a_page_without_a_question_says_so(world: World) -> None:
    with dashboard(world) as dash:
        assert "Plays are not brought to Stash" in shown(dash)
    world.settings["watch_back"] = "plays"
    with dashboard(world) as dash:
        assert "No plays wait for your approval" in shown(dash)


def test_every_link_and_form_of_the_page_leads_somewhere(world: World) -> None:
    played(world, 2)
    with asking(world) as dash:
        crawl = Crawl(dash, {1, 2})
        crawl.links("/plays")
        crawl.forms = {name: form for name, form in crawl.forms.items() if form.action.endswith("/plays")}
        assert len(crawl.forms) == 1
        crawl.send()
        assert crawl.bad == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_opens_at_every_width(world: World, look: Look, width: int, dark: bool) -> None:
    played(world, 3)
    with asking(world) as dash:
        seen = look(width=width, dark=dark)
        opens_well(seen, dash, "/plays", f"{width}-{'dark' if dark else 'light'}")
        expect(seen.page.get_by_role("button", name="I agree: add these plays to Stash")).to_be_visible()
        seen.page.close()
