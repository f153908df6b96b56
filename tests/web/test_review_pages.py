"""The review: every planned change on pages, scenes that are ignored, and one yes to all others."""

import html
import stat
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from plexsync.app.switches import bulk_approved
from plexsync.rules.queue.job import State
from tests.journey.world import World, until
from tests.web.conftest import Dash, Look, dashboard
from tests.web.crawl import Crawl, Form, Reader
from tests.web.stage import HOSTILE, state_of, work
from tests.web.test_fix_pages import press
from tests.web.test_pages import plain


@pytest.fixture
def changed(world: World) -> Iterator[Dash]:
    """Three scenes in sync, of which the first two were edited since; nobody has approved the first write."""
    world.unset = ("approve_bulk",)
    ids = world.add(3)
    work(world, ids)
    world.stash.quiet_edit(1, title=HOSTILE[0], tags=["Fresh"])
    world.stash.quiet_edit(2, title="Second", tags=["Tag 1", "Fresh"])
    with dashboard(world) as dash:
        yield dash


def shown(dash: Dash, path: str = "/review") -> str:
    return plain(html.unescape(dash.get(path).text))


def done(dash: Dash, count: int) -> None:
    until(lambda: len(dash.get("/api/reconcile").json()["past"]) == count)


def buttons(dash: Dash, action: str, path: str = "/review", **fields: str) -> list[Form]:
    """The buttons of a page that lead there and send these fields."""
    reader = Reader(f"{dash.url}{path}")
    reader.feed(dash.get(path).text)
    here = [form for form in reader.forms if form.action.endswith(action)]
    return [form for form in here if fields.items() <= dict(form.fields).items()]


def reviewed(dash: Dash) -> str:
    (begin,) = buttons(dash, "/review/start")
    press(dash, begin)
    done(dash, 1)
    return shown(dash)


def in_plex(world: World) -> list[tuple[object, list[str]]]:
    items = [world.plex.item(key) for key in world.plex.keys(world.section)]
    return [(item.scalars.get("title"), list(item.lists["genre"])) for item in items]


def test_all_changes_are_listed_by_kind_and_by_scene(changed: Dash) -> None:
    assert "There is no review yet" in shown(changed)
    told = reviewed(changed)
    assert "4 changes Compared" in told
    assert "genres replaced 1" in told
    assert "genres added 1" in told
    assert "title replaced 2" in told
    assert "Title 1 Second" in told
    assert HOSTILE[0] not in changed.get("/review").text
    assert "Second" not in shown(changed, "/review?kind=replaced&field=genre")
    assert "Second" in shown(changed, "/review?kind=added&field=genre")
    assert "There is no change with this filter" in shown(changed, "/review?studio=Nobody")
    assert "4 changes" in shown(changed, "/review?studio=Studio+0&library=Movies")
    assert changed.get("/review?after=x").status_code == 400
    if sys.platform != "win32":
        assert stat.S_IMODE((changed.world.folder / "review.db").stat().st_mode) == 0o600


def test_an_open_page_shows_the_changes_as_soon_as_they_are_found(changed: Dash, look: Look) -> None:
    page = look().page
    page.goto(f"{changed.url}/review")
    page.get_by_role("button", name="Compare every scene").click()
    expect(page.get_by_role("heading", name="By kind")).to_be_visible()
    page.locator("#scene-2").get_by_role("button", name="Ignore").click()
    expect(page.get_by_role("heading", name="2 changes")).to_be_visible()
    expect(page.locator("#scene-2")).to_have_count(0)
    page.close()


def test_the_api_reads_the_review_as_the_page_shows_it(changed: Dash) -> None:
    empty = changed.get("/api/review").json()
    assert (empty["at"], empty["scenes"], empty["kinds"], empty["after"]) == (None, [], [], None)
    reviewed(changed)
    report = changed.get("/api/review").json()
    assert (report["changes"], report["ignored"]) == (4, 0)
    assert report["kinds"] == [
        {"field": "genre", "kind": "added", "changes": 1},
        {"field": "genre", "kind": "replaced", "changes": 1},
        {"field": "title", "kind": "replaced", "changes": 2},
    ]
    assert (report["libraries"], report["after"]) == (["Movies"], None)
    first, second = report["scenes"]
    assert [(scene["id"], scene["title"]) for scene in (first, second)] == [(1, HOSTILE[0]), (2, "Second")]
    title = next(change for change in second["changes"] if change["field"] == "title")
    assert (title["old"], title["new"], title["kind"], title["library"]) == ("Title 1", "Second", "replaced", "Movies")
    assert [scene["id"] for scene in changed.get("/api/review?field=genre&kind=added").json()["scenes"]] == [2]
    assert changed.get("/api/review?studio=Nobody").json()["scenes"] == []
    page = changed.get("/api/review?limit=1").json()
    assert ([scene["id"] for scene in page["scenes"]], page["after"]) == ([1], 1)
    page = changed.get("/api/review?limit=1&after=1").json()
    assert ([scene["id"] for scene in page["scenes"]], page["after"]) == ([2], None)
    for wrong in ("after=x", "limit=0", "limit=501"):
        assert changed.get(f"/api/review?{wrong}").status_code == 400


def test_one_yes_approves_the_first_write_and_writes_all_that_is_not_ignored(changed: Dash) -> None:
    told = reviewed(changed)
    assert "The first write of the whole library needs your approval." in told
    (ignore,) = buttons(changed, "/review/ignore", scene="1")
    told = press(changed, ignore)
    assert "1 scene ignored" in told
    assert "2 changes Compared" in told
    assert "1 scene left out, since you ignore it." in told
    assert (changed.get("/api/review").json()["changes"], state_of(changed.world, 1)) == (2, State.IGNORED)
    before = in_plex(changed.world)
    assert not bulk_approved(changed.parts)
    (agree,) = buttons(changed, "/reconcile", what="sync all", agreed="yes")
    press(changed, agree)
    until(lambda: bulk_approved(changed.parts))
    work(changed.world)
    assert in_plex(changed.world) == [before[0], ("Second", ["Tag 1", "Fresh"]), before[2]]
    until(lambda: "needs your approval" not in shown(changed))
    assert "Sync the whole library" in shown(changed)


def test_all_scenes_of_a_filter_are_ignored_at_once_and_come_back_when_they_no_longer_are(changed: Dash) -> None:
    reviewed(changed)
    assert not [form for form in buttons(changed, "/review/ignore") if "scene" not in dict(form.fields)]
    filtered = "/review?field=genre&kind=added"
    (both,) = (form for form in buttons(changed, "/review/ignore", filtered) if "scene" not in dict(form.fields))
    told = press(changed, both)
    assert "1 scene ignored" in told
    assert ("2 changes" in told, "Second" in told) == (True, False)
    changed.post("/scenes/picked", do="unignore", pick="2")
    assert "4 changes" in shown(changed)


def test_what_has_changed_since_can_be_compared_anew_but_an_outdated_review_gets_no_yes(changed: Dash) -> None:
    reviewed(changed)
    changed.world.settings["sync_genres"] = "false"
    with dashboard(changed.world) as later:
        assert "have changed since then: compare every scene anew." in shown(later)
        assert buttons(later, "/reconcile", what="sync all") == []
        reviewed(later)
        assert "2 changes" in shown(later)
        assert len(buttons(later, "/reconcile", what="sync all")) == 1


def test_pages_follow_each_other_and_a_scene_is_ignored_without_leaving_its_page(
    changed: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexsync.web.review_pages.MOST_LISTED", 1)
    reviewed(changed)
    assert "/review?after=1" in changed.get("/review").text
    assert "Second" not in shown(changed)
    told = shown(changed, "/review?after=1")
    assert "Second" in told
    assert "First page" in told
    (ignore,) = buttons(changed, "/review/ignore", "/review?after=1&library=Movies", scene="2")
    assert changed.client.post(ignore.action, data=dict(ignore.fields)).url.query == b"library=Movies&after=1"


def test_nothing_is_ignored_that_nobody_named(changed: Dash) -> None:
    reviewed(changed)
    assert changed.post("/review/ignore").status_code == 400
    assert changed.post("/review/ignore", scene="x").status_code == 400
    assert "No scene is listed with this filter any more." in changed.post("/review/ignore", studio="Nobody").text
    assert [state_of(changed.world, id) for id in (1, 2, 3)] == [State.IDLE] * 3


def test_every_link_and_form_of_the_page_leads_somewhere(changed: Dash) -> None:
    reviewed(changed)
    press(changed, buttons(changed, "/review/ignore", scene="2")[0])
    crawl = Crawl(changed, {1, 2, 3})
    crawl.links("/review")
    crawl.links("/review?field=title")
