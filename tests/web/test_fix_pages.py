"""The page of everything that needs a person: each problem with its buttons, and the way to it from every page."""

import html
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from plexsync.app.database_files import DATABASE
from plexsync.app.fixes import FixAction
from plexsync.reports.fixes import FixReport, order_of
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import HoldRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.web.context import COUNTED
from tests.conformity import Conformity, reachable
from tests.journey.world import World
from tests.web.conftest import TOKEN_FIELD, Dash, Look, dashboard
from tests.web.crawl import Form, Reader
from tests.web.stage import HOSTILE, furnish, state_of, work
from tests.web.test_dead_pages import look_alikes
from tests.web.test_pages import plain

Furnished = tuple[Dash, dict[str, int]]


@pytest.fixture
def furnished(world: World) -> Iterator[Furnished]:
    ids = furnish(world)
    with dashboard(world) as dash:
        yield dash, ids


def count(page: str) -> int:
    """The number beside the first entry of the navigation."""
    matched = re.search(r'<a href="/fix"[^>]*>Fix <span id="fix-count"[^>]*>([\d,]+)<', page)
    assert matched
    return int(matched[1].replace(",", ""))


def button(dash: Dash, path: str, **fields: str) -> Form:
    """The button of a page that sends these fields."""
    reader = Reader(f"{dash.url}{path}")
    reader.feed(dash.get(path).text)
    (form,) = (form for form in reader.forms if fields.items() <= dict(form.fields).items())
    return form


def press(dash: Dash, form: Form) -> str:
    return plain(html.unescape(dash.client.post(form.action, data=dict(form.fields)).text))


def test_every_page_leads_there_and_says_how_much_needs_you(furnished: Furnished) -> None:
    dash, _ = furnished
    report = dash.get("/api/fix").json()
    assert report["count"] == sum(group["count"] for group in report["groups"]) == 3
    for path in ("/", "/fix", "/scenes", "/settings", "/charts"):
        page = dash.get(path).text
        assert count(page) == 3
        assert re.findall(r'<li><a href="([^"]+)"', page)[:2] == ["/", "/fix"]
    assert re.search(r'id="verdict".*<a href="/fix">2 need you → fix</a>', dash.get("/state").text)
    assert '<a href="/fix">2 small decisions when you have time.</a>' in dash.get("/").text
    assert "There is no such page" in dash.get("/nowhere").text


def test_the_number_is_counted_anew_after_a_button_and_otherwise_every_few_seconds(
    furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    dash, ids = furnished
    clock, ahead = dash.parts.clock, [0.0]
    now = clock.monotonic
    monkeypatch.setattr(type(clock), "monotonic", lambda _: now() + ahead[0])
    assert count(dash.get("/settings").text) == 3
    with dash.parts.store.writing() as tx:
        tx.jobs.ignore(Kind.SCENE, ids["failed"], now=clock.now())
    ahead[0] += COUNTED
    assert count(dash.get("/settings").text) == 2
    dash.post("/fix", action="ignore", target=str(ids["ambiguous"]))
    assert count(dash.get("/settings").text) == 1


def test_one_page_says_one_number_although_another_problem_has_just_come(
    furnished: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    dash, _ = furnished
    clock = dash.parts.clock
    monkeypatch.setattr(type(clock), "monotonic", lambda _: 1000.0)
    assert count(dash.get("/settings").text) == 3
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.TAG, 9, Why.EDIT, clock.now())
    with closing(sqlite3.connect(dash.world.folder / DATABASE)) as db, db:
        db.execute("update job set state = 'dead', cls = 'refused', error = 'refused' where kind = 'tag'")
    page = dash.get("/fix?view=list").text
    listed = re.findall(r'<span class="count">(\d+)</span>', page)
    told = re.search(r'id="lead"[^>]*>(\d+) problem', page)
    assert told
    assert count(page) == int(told[1]) == sum(map(int, listed)) == 4


def test_the_candidates_are_beside_the_scene_and_a_button_binds_one(furnished: Furnished) -> None:
    dash, ids = furnished
    page = dash.get("/fix?view=list").text
    told = plain(html.unescape(page))
    assert "The scene in Stash Twice in Plex /elsewhere/twice.mp4 1:00 · 77 B" in told
    assert "twice /media/scenes/b/twice.mp4 1:00 · 77 B same length, same size" in told
    key = re.findall(r"Item (\d+) in Movies", told)[1]
    told = press(dash, button(dash, "/fix?view=list", action="bind", item=key))
    assert f"Scene {ids['ambiguous']} is bound to item {key} of Movies, and is queued." in told
    assert "Twice in Plex" not in told
    assert count(dash.get("/fix?view=list").text) == 2
    assert dash.world.rows("select subject, item from binding") == [(ids["ambiguous"], key)]


def test_a_scene_is_retried_and_another_ignored_and_the_page_shows_the_same_cause_again(furnished: Furnished) -> None:
    dash, ids = furnished
    path = "/fix?view=list&cause=refused"
    told = press(dash, button(dash, path, action="retry", shown="refused"))
    assert f"Scene {ids['failed']} will be tried again." in told
    assert "Nothing with this cause needs you." in told
    assert state_of(dash.world, ids["failed"]) == "ready"
    told = press(dash, button(dash, "/fix?view=list&cause=ambiguous", action="ignore"))
    assert f"Scene {ids['ambiguous']} is ignored from now on." in told
    assert state_of(dash.world, ids["ambiguous"]) == "ignored"
    again = dash.post("/fix", action="retry", target=str(ids["failed"]))
    assert f"Scene {ids['failed']} needs you no more." in plain(again.text)


def test_the_api_answers_with_the_same(furnished: Furnished) -> None:
    dash, ids = furnished
    report = dash.get("/api/fix").json()
    conformity = Conformity()
    assert conformity.problems(report, FixReport, "/api/fix") == []
    assert reachable(FixReport) == conformity.checked
    assert report["groups"] == dash.world.json("fix")["groups"]
    (group,) = dash.get("/api/fix?cause=ambiguous").json()["groups"]
    assert [entry["id"] for entry in group["entries"]] == [ids["ambiguous"]]
    assert dash.get(f"/api/fix?cause=ambiguous&after={ids['ambiguous']}").json()["groups"][0]["entries"] == []
    assert dash.get("/api/fix?cause=nonsense").status_code == 400
    assert dash.get("/api/fix?cause=ambiguous&after=x").status_code == 400


def test_scenes_that_fit_by_duration_lead_to_the_page_that_binds_them_all(world: World) -> None:
    keys = look_alikes(world, 2)
    with dashboard(world) as dash:
        page = dash.get("/fix?view=list&cause=ambiguous").text
        assert 'href="/dead/by-duration"' in page
        told = plain(html.unescape(page))
        assert "same length, other size" in told
        assert "Different files can share a name and a length." in told
        assert all(f"Bind {key}" in told for key in keys.values())


def shared(world: World) -> tuple[int, int, str]:
    """A scene in sync, another scene of the same file that came later, and their item in Plex."""
    (first,) = world.add(1)
    work(world, [first])
    second = world.stash.add_scene(title="The same file", files=world.stash.scene(first).files)
    work(world, [second])
    (key,) = world.plex.keys(world.section)
    return first, second, key


def test_two_scenes_of_one_file_are_a_problem_of_their_own_and_no_button_deletes_or_steals(world: World) -> None:
    first, _, key = shared(world)
    with dashboard(world) as dash:
        (entry,) = dash.get("/api/fix?cause=ambiguous").json()["groups"][0]["entries"]
        told = plain(html.unescape(dash.get("/fix?view=list").text))
        assert f"Two scenes in Stash have this file, this one and scene {first}" in told
        assert "merge them in Stash, or choose which one Plex shows" in told.replace("Merge", "merge")
        assert "remove" not in entry["next"]
        labels = [step["label"] for step in (entry["candidates"][0]["step"], *entry["steps"])]
        assert labels == [f"Show this scene, not {first}", f"Show scene {first}, not this one", "Ignore"]
        press(dash, button(dash, "/fix?view=list", action="bind", target=str(first), item=key))
    assert world.rows("select subject, item from binding") == [(first, key)]


def test_the_scene_that_you_did_not_choose_is_ignored_with_the_cause_and_asks_for_nothing(world: World) -> None:
    _, second, key = shared(world)
    with dashboard(world) as dash:
        press(dash, button(dash, "/fix?view=list", action="bind", target=str(second), item=key))
    work(world, [])
    with dashboard(world) as dash:
        assert [group["cause"] for group in dash.get("/api/fix").json()["groups"]] == ["system"]
        assert dash.get("/api/status").json()["scenes"]["not_shown"]["count"] == 1
        told = plain(html.unescape(dash.get("/scenes?stands=not_shown").text))
        assert "Scenes with the status ignored" in told
        assert f"its item is bound to another scene, {second}: this one is not shown" in told
        assert f"plexsync unbind {second} {key} takes that back" in told
        assert f"Scene {second} is found by its files again." in plain(
            dash.post(f"/scenes/{second}/unbind", item=key).text
        )
        with dash.parts.store.reading() as db:
            assert list(db.bindings.all()) == []


def test_more_than_a_page_is_shown_page_by_page(world: World) -> None:
    keys = look_alikes(world, 7)
    with dashboard(world) as dash:
        page = dash.get("/fix?view=list").text
        (more,) = re.findall(r'<a href="(/fix\?view=list&amp;cause=ambiguous&amp;after=5)">More of these</a>', page)
        rest = dash.get(html.unescape(more)).text
        assert re.findall(r'id="fix-(\d+)"', page + rest) == [str(id) for id in keys]
        form = button(dash, html.unescape(more), action="ignore", target="6")
        answer = dash.client.post(form.action, data=dict(form.fields))
        assert str(answer.url).endswith("/fix?view=list&cause=ambiguous&after=5")
        assert re.findall(r'id="fix-(\d+)"', answer.text) == ["7"]


def test_while_a_server_is_down_what_the_database_knows_is_shown(furnished: Furnished) -> None:
    dash, _ = furnished
    dash.world.plex.stop()
    told = plain(html.unescape(dash.get("/fix?view=list").text))
    assert "The candidates can't be read from both servers now" in told
    assert "/media/scenes/a/twice.mp4" in told
    assert "Bind 13" in told


def test_a_server_on_hold_is_tested_by_a_button_and_a_change_accepted_by_another(dash: Dash) -> None:
    now = dash.parts.clock.now()
    prints = dash.parts.settings.fingerprints
    with dash.parts.store.writing() as tx:
        row = HoldRow("plex_token", "Plex does not accept the token", now, now + 1_500, prints[Neighbour.PLEX], "")
        tx.holds.save(Neighbour.PLEX, row)
        choice = HoldRow("stash_url", "another Stash", now, now + 1_500, prints[Neighbour.STASH], "stash")
        tx.holds.save(Neighbour.STASH, choice)
    page = dash.get("/fix?view=list").text
    told = plain(html.unescape(page))
    assert "Plex does not let PlexSync in" in told
    assert "Sign in to Plex again, in a terminal: plexsync fix" in told
    assert 'href="/settings/change?name=plex_token">Change plex_token</a>' in page
    told = press(dash, button(dash, "/fix?view=list", action="test", target="plex"))
    assert "Plex answers, and PlexSync goes on." in told
    told = press(dash, button(dash, "/fix?view=list", action="accept", target="stash"))
    assert "Accepted: another Stash answers." in told
    assert re.findall(r'id="fix-([\w-]+)"', dash.get("/fix?view=list").text) == ["count", "idle"]


STEPS = [
    ("bind", "7", ""),
    ("bind", "7", "x"),
    ("bind", "tag:7", "12"),
    ("ignore", "tag:7", ""),
    ("retry", "", ""),
    ("retry", "7x", ""),
    ("retry-all", "", ""),
    ("accept", "everything", ""),
    ("test", "elsewhere", ""),
    ("sign-in", "plex_token", ""),
    ("open", "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("action", "target", "item"), STEPS)
def test_a_step_that_does_not_exist_is_refused(calm: Dash, action: str, target: str, item: str) -> None:
    assert order_of(action, target, item) is None
    assert calm.post("/fix", action=action, target=target, item=item).status_code == 400


def test_a_job_that_is_no_scene_can_be_retried_or_dropped() -> None:
    for action in (FixAction.RETRY, FixAction.DROP):
        order = order_of(action, "tag:7")
        assert order is not None
        assert order.key == (Kind.TAG, 7)


def test_no_form_without_its_token_mends_anything(furnished: Furnished) -> None:
    dash, ids = furnished
    assert dash.client.post("/fix", data={"action": "ignore", "target": str(ids["failed"])}).status_code == 403
    assert state_of(dash.world, ids["failed"]) == "dead"


def test_with_a_password_it_is_asked_for_first(world: World) -> None:
    with dashboard(world, web_password="correct horse battery") as dash:
        answer = dash.get("/fix")
        assert "/login" in str(answer.url)
        assert "fix-count" not in answer.text
        assert TOKEN_FIELD.search(answer.text)
        assert dash.get("/api/fix").status_code == 401


@pytest.mark.parametrize("width", [1440, 390])
def test_in_a_browser_nothing_is_wider_than_the_window_and_every_target_is_large_enough(
    furnished: Furnished, look: Look, width: int
) -> None:
    dash, ids = furnished
    dash.world.stash.edit_scene(ids["ambiguous"], title=HOSTILE[0])
    seen = look(width=width)
    seen.page.goto(f"{dash.url}/fix?view=list")
    seen.shoot(f"fix-{width}")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    small = "e => { const at = e.getBoundingClientRect(); return at.height < 24 || at.width < 24; }"
    assert seen.page.evaluate(f"[...document.querySelectorAll('a:not(.skip), button')].filter({small}).length") == 0
    assert seen.page.title() == "Fix - PlexSync"
    seen.page.get_by_role("button", name=re.compile("^Bind 14")).click()
    seen.page.get_by_text(f"Scene {ids['ambiguous']} is bound to item 14").wait_for()
