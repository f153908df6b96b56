"""The review: every planned change on pages, decisions about it, and nothing written but what was approved."""

import html
import stat
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from plexsync.app.switches import bulk_approved
from tests.journey.world import World, until
from tests.web.conftest import Dash, Look, dashboard
from tests.web.crawl import Crawl, Reader
from tests.web.stage import HOSTILE, work
from tests.web.test_fix_pages import button, press
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


def reviewed(dash: Dash) -> str:
    assert "There is no review yet" in shown(dash)
    press(dash, button(dash, "/review", what="review"))
    done(dash, 1)
    return shown(dash)


def in_plex(world: World) -> list[tuple[object, list[str]]]:
    items = [world.plex.item(key) for key in world.plex.keys(world.section)]
    return [(item.scalars.get("title"), list(item.lists["genre"])) for item in items]


def test_all_changes_are_listed_by_kind_and_by_scene(changed: Dash) -> None:
    told = reviewed(changed)
    assert "4 changes open, 0 approved" in told
    assert "genres replaced 1" in told
    assert "genres added 1" in told
    assert "title replaced 2" in told
    assert "Title 1 Second" in told
    assert HOSTILE[0] not in changed.get("/review").text
    assert "Second" not in shown(changed, "/review?kind=replaced&field=genre")
    assert "Second" in shown(changed, "/review?kind=added&field=genre")
    assert "No change is open with this filter" in shown(changed, "/review?studio=Nobody")
    assert "4 changes open" in shown(changed, "/review?studio=Studio+0&library=Movies")
    for wrong in ("which=no", "after=x"):
        assert changed.get(f"/review?{wrong}").status_code == 400
    if sys.platform != "win32":
        assert stat.S_IMODE((changed.world.folder / "review.db").stat().st_mode) == 0o600


def test_an_open_page_shows_the_changes_as_soon_as_they_are_found(changed: Dash, look: Look) -> None:
    page = look().page
    page.goto(f"{changed.url}/review")
    page.get_by_role("button", name="Compare every scene").click()
    expect(page.get_by_role("heading", name="By kind")).to_be_visible()
    page.get_by_role("button", name="Approve everything listed").click()
    expect(page.get_by_role("heading", name="4 approved")).to_be_visible()
    page.close()


def test_the_api_reads_the_review_as_the_page_shows_it(changed: Dash) -> None:
    empty = changed.get("/api/review").json()
    assert (empty["at"], empty["scenes"], empty["kinds"], empty["after"]) == (None, [], [], None)
    reviewed(changed)
    changed.post("/review", answer="approved", scene="1", one="title")
    report = changed.get("/api/review").json()
    assert report["changes"] == {"open": 3, "approved": 1, "skipped": 0, "queued": 0, "refused": 0}
    assert report["kinds"] == [
        {"field": "genre", "kind": "added", "changes": 1},
        {"field": "genre", "kind": "replaced", "changes": 1},
        {"field": "title", "kind": "replaced", "changes": 1},
    ]
    assert (report["libraries"], report["after"]) == (["Movies"], None)
    second = report["scenes"][1]
    assert (second["id"], second["title"], second["reason"]) == (2, "Second", "")
    title = next(change for change in second["changes"] if change["field"] == "title")
    assert (title["old"], title["new"], title["decision"]) == ("Title 1", "Second", "open")
    approved = changed.get("/api/review?which=approved").json()
    assert [(scene["id"], scene["title"]) for scene in approved["scenes"]] == [(1, HOSTILE[0])]
    assert [scene["id"] for scene in changed.get("/api/review?field=genre&kind=added").json()["scenes"]] == [2]
    assert changed.get("/api/review?studio=Nobody").json()["scenes"] == []
    page = changed.get("/api/review?limit=1").json()
    assert ([scene["id"] for scene in page["scenes"]], page["after"]) == ([1], 1)
    page = changed.get("/api/review?limit=1&after=1").json()
    assert ([scene["id"] for scene in page["scenes"]], page["after"]) == ([2], None)
    for wrong in ("which=no", "after=x", "limit=0", "limit=501"):
        assert changed.get(f"/api/review?{wrong}").status_code == 400


def test_only_what_was_approved_is_written(changed: Dash) -> None:
    reviewed(changed)
    told = press(changed, button(changed, "/review", answer="approved", scene="2", one="genre"))
    assert "1 change approved. Nothing is written yet." in told
    press(changed, button(changed, "/review", answer="skipped", scene="1", one="title"))
    before = in_plex(changed.world)
    assert "1 skipped" in shown(changed)
    told = press(changed, button(changed, "/review", what="write approved"))
    assert "What you approved is compared once more and queued." in told
    done(changed, 2)
    assert in_plex(changed.world) == before
    work(changed.world)
    after = in_plex(changed.world)
    assert (after[0], after[1]) == (before[0], ("Title 1", ["Tag 1", "Fresh"]))
    assert "Sent 1" in shown(changed)
    assert not bulk_approved(changed.parts)


@pytest.mark.parametrize("way", ["write what was skipped", "compare", "compare anew"])
def test_a_scene_of_which_something_was_skipped_is_listed_and_buttons_write_the_rest(changed: Dash, way: str) -> None:
    changed.world.stash.quiet_edit(2, title="New too")
    reviewed(changed)
    press(changed, button(changed, "/review", answer="approved", scene="2", one="genre"))
    press(changed, button(changed, "/review", what="write approved"))
    done(changed, 2)
    work(changed.world)
    assert "1 scene written only in part" in shown(changed)
    assert "Latest trouble None lately." in shown(changed, "/state")
    assert "Job: skipped." in shown(changed, "/scenes/2")
    listed = plain(changed.get("/scenes?stands=skipped").text)
    assert "Scenes with the status skipped" in listed
    assert "New too" in listed
    assert changed.get("/api/status").json()["scenes"]["skipped"]["count"] == 1
    if way == "write what was skipped":
        reader = Reader(f"{changed.url}/review")
        reader.feed(changed.get("/review").text)
        (form,) = (form for form in reader.forms if form.action.endswith("/review/skipped"))
        assert "1 scene queued: what you skipped is written too." in press(changed, form)
    else:
        press(changed, button(changed, "/reconcile", what=way))
        until(lambda: changed.get("/api/reconcile").json()["past"])
    work(changed.world)
    assert in_plex(changed.world)[1] == ("New too", ["Tag 1", "Fresh"])


def test_a_kind_and_all_are_approved_at_once_and_can_be_reopened(changed: Dash) -> None:
    reviewed(changed)
    press(changed, button(changed, "/review", answer="approved", only_field="title", only_kind="replaced"))
    assert "2 changes open, 2 approved" in shown(changed)
    press(changed, button(changed, "/review?which=approved", answer="open", scene="1", one="title"))
    assert "3 changes open, 1 approved" in shown(changed)
    changed.post("/review", answer="approved", which="open")
    assert "0 changes open, 4 approved" in shown(changed)
    press(changed, button(changed, "/review", what="write approved"))
    done(changed, 2)
    work(changed.world)
    assert in_plex(changed.world)[1] == ("Second", ["Tag 1", "Fresh"])
    assert changed.get("/api/status").json()["scenes"]["in_step"]["count"] == 3


def test_what_is_no_longer_true_is_refused_and_can_be_seen(changed: Dash) -> None:
    reviewed(changed)
    changed.post("/review", answer="approved", which="open")
    changed.world.stash.quiet_edit(2, title="Third")
    press(changed, button(changed, "/review", what="write approved"))
    done(changed, 2)
    told = shown(changed, "/review?which=refused")
    assert "1 scene not queued" in told
    assert "Nothing was written: its title would become something else now" in told
    work(changed.world)
    assert in_plex(changed.world)[1] == ("Title 1", ["Tag 1"])


def test_the_first_write_of_everything_can_be_approved_here(changed: Dash) -> None:
    reviewed(changed)
    assert "The first write of the whole library needs your approval" in shown(changed)
    press(changed, button(changed, "/review", what="sync all", agreed="yes"))
    until(lambda: bulk_approved(changed.parts))
    work(changed.world)
    assert in_plex(changed.world)[1][0] == "Second"
    until(lambda: "needs your approval" not in shown(changed))


def test_pages_follow_each_other(changed: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexsync.web.review_pages.MOST_LISTED", 1)
    reviewed(changed)
    assert "/review?after=1" in changed.get("/review").text
    assert "Second" not in shown(changed)
    told = shown(changed, "/review?after=1")
    assert "Second" in told
    assert "First page" in told


def test_nothing_can_be_written_that_nobody_approved(changed: Dash) -> None:
    reviewed(changed)
    assert "Nothing is approved yet" in changed.post("/review/start", what="write approved").text
    assert changed.post("/review/start", what="nonsense").status_code == 400
    assert changed.post("/review", answer="queued").status_code == 400


def test_every_link_and_form_of_the_page_leads_somewhere(changed: Dash) -> None:
    reviewed(changed)
    press(changed, button(changed, "/review", answer="approved", scene="2", one="genre"))
    crawl = Crawl(changed, {1, 2, 3})
    crawl.links("/review")
