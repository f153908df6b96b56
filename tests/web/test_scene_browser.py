"""Scenes, dead letters, outages and charts in Debian's chromium: every page, every button, and no title becomes a node."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from plexsync.app.parts import open_parts
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.job import State, Why
from plexsync.rules.queue.samples import MINUTE, Sample
from tests.journey.world import World
from tests.web.conftest import Dash, Look, dashboard
from tests.web.stage import HOSTILE, config_of, furnish, state_of, work

Staged = tuple[Dash, dict[str, int]]
# Nothing of these stands on any of the pages but what their templates put there: a title could only add to it.
NODES = "script, img, svg, iframe, object, embed, base, meta, link, style, math, form, input, textarea, title"

# Of the pages that are only looked at, so that no test takes long.
PARTS = 4


@pytest.fixture
def staged(world: World) -> Iterator[Staged]:
    found = furnish(world)
    # What a person edited in Plex, for the page of drift.
    (key,) = (key for key in world.plex.keys(world.section) if "hostile 0.mp4" in world.plex.item(key).files[0][0])
    world.plex.hand_edit(key, title=HOSTILE[0], summary="By hand " * 40, locked=True)
    work(world, [found["hostile"]])
    world.stash.edit_scene(found["waiting"], title="Not pushed yet either")
    with open_parts(config_of(world), world.folder) as parts:
        want_scenes(parts.store, [found["waiting"]], Why.USER, parts.clock)
    with dashboard(world) as dash:
        yield dash, found


def paths(found: dict[str, int]) -> list[str]:
    """Every page, with a scene that stands in each way."""
    scenes = [f"/scenes/{id}" for id in found.values()]
    undo = [f"/act/scenes/{verb}?pick={found['in_step']}" for verb in ("undo", "release")] + ["/runs"]
    lists = ["/scenes", "/scenes?stands=absent", "/scenes?q=title", "/scenes?q=nothing-like-this"]
    dead = ["/dead", "/dead?cause=refused", "/dead/drop?all=1"]
    return [*lists, *scenes, *undo, *dead, "/outages", "/outages?days=1", "/charts", "/drift", "/drift?kept=1"]


def test_an_open_page_of_a_scene_shows_what_is_true_after_it_was_synced(world: World, look: Look) -> None:
    (id,) = world.add(1)
    work(world, [id])
    world.stash.quiet_edit(id, title="Edited")
    with dashboard(world) as dash:
        seen = look()
        seen.page.goto(f"{dash.url}/scenes/{id}")
        expect(seen.page.locator("#now")).to_contain_text("1 field would be changed")
        work(world, [id])
        expect(seen.page.locator("#now .verdict-now")).to_have_text("in sync")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_opens_and_nothing_of_it_is_wider_than_the_window_and_it_is_made_for_those_who_do_not_see_it(
    staged: Staged, look: Look, part: int
) -> None:
    dash, found = staged
    seen = look()
    mine = paths(found)[part::PARTS]
    assert mine
    for path in mine:
        answer = seen.page.goto(dash.url + path)
        assert answer is not None
        assert answer.status == 200, path
        for name, width, dark in (("dark", 1280, True), ("phone", 390, False), ("light", 1280, False)):
            seen.page.set_viewport_size({"width": width, "height": 900})
            seen.page.emulate_media(color_scheme="dark" if dark else "light")
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, path
            pictures = seen.page.evaluate("[...document.images].map((one) => one.complete && one.naturalWidth)")
            assert all(pictures), path
            seen.shoot(f"{name}-" + re.sub(r"\W+", "-", path.strip("/")))
        can_be_heard(seen.page, path)


def can_be_heard(page: Page, path: str) -> None:
    """The page that is open is made for those who do not see it."""
    lacks = page.evaluate(
        """() => [
          ...[...document.querySelectorAll("button, a")].filter((one) => !one.textContent.trim()),
          ...[...document.querySelectorAll("input:not([type=hidden])")]
            .filter((one) => !one.labels.length && !one.ariaLabel),
          ...[...document.images].filter((one) => !one.hasAttribute("alt") || (one.matches("main img") && !one.alt)),
          ...[...document.querySelectorAll("[aria-labelledby]")]
            .filter((one) => !document.getElementById(one.getAttribute("aria-labelledby"))),
          ...[...document.querySelectorAll("table")].filter((one) => !one.querySelector("th[scope]")),
        ].map((one) => one.outerHTML)"""
    )
    assert lacks == [], path
    assert page.locator("h1").count() == 1, path
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids)), path


def test_an_item_opens_in_plex_in_a_tab_of_its_own_that_knows_nothing_of_the_dashboard(
    staged: Staged, look: Look
) -> None:
    dash, found = staged
    seen = look()
    sent: list[Request] = []

    def answer(route: Route) -> None:
        sent.append(route.request)
        route.fulfill(body="<title>Plex</title>", content_type="text/html")

    seen.page.context.route("https://app.plex.tv/**", answer)
    seen.page.goto(f"{dash.url}/scenes/{found['in_step']}")
    with seen.page.context.expect_page() as opened_page:
        seen.page.get_by_role("link", name="Open in Plex: Movies").click()
    plex = opened_page.value
    expect(plex).to_have_title("Plex")
    assert "/details?key=%2Flibrary%2Fmetadata%2F" in plex.url
    assert plex.evaluate("[window.opener, document.referrer]") == [None, ""]
    assert [request.url for request in sent] == ["https://app.plex.tv/desktop/"]
    plex.close()


def nodes(page: Page) -> dict[str, int]:
    return page.evaluate(
        "(which) => Object.fromEntries(which.split(', ').map((name) => [name, document.querySelectorAll(name).length]))",
        NODES,
    )


def test_a_title_that_means_harm_is_a_text_and_nothing_else(staged: Staged, look: Look) -> None:
    dash, found = staged
    seen = look()
    page = seen.page
    page.goto(f"{dash.url}/scenes/{found['in_step']}")
    harmless = nodes(page)
    first = found["hostile"]
    for number, title in enumerate(HOSTILE):
        page.goto(f"{dash.url}/scenes/{first + number}")
        assert nodes(page) == harmless, title
        assert page.evaluate("Object.keys(window).filter((name) => name.includes('pwned'))") == []
        heading = page.locator("h1").inner_text()
        # A sign that would turn the text around is written out.
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", heading), title
        assert heading.endswith(f"#{first + number}")
    page.goto(f"{dash.url}/scenes?q=nothing-like-this")
    empty = nodes(page)
    page.goto(f"{dash.url}/scenes")
    # Beside the boxes that tick its rows, and their form.
    ours = {"input": page.locator("#list input").count(), "form": 1}
    counts = {name: count - ours.get(name, 0) for name, count in nodes(page).items()}
    assert counts == empty, "a list of hostile titles has the nodes of an empty one"
    assert page.locator("#list input:not([type=checkbox], [type=hidden])").count() == 0
    text = page.locator("#list").inner_text()
    assert HOSTILE[0] in text
    page.get_by_role("searchbox").fill('"><script>window.pwned=1</script>')
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("searchbox")).to_have_value('"><script>window.pwned=1</script>')
    assert page.evaluate("window.pwned") is None


def test_every_button_of_a_scene_does_what_it_says(staged: Staged, look: Look) -> None:
    dash, found = staged
    world, page = dash.world, look().page
    id = found["in_step"]
    page.goto(f"{dash.url}/scenes/{id}")
    notice = page.get_by_role("status").first

    page.get_by_role("button", name="Sync now").click()
    expect(notice).to_contain_text(f"Scene {id} is queued")
    assert state_of(world, id) is State.READY

    page.get_by_role("button", name="Ignore").click()
    expect(notice).to_contain_text("is ignored from now on")
    assert state_of(world, id) is State.IGNORED
    page.get_by_role("button", name="Stop ignoring").click()
    expect(notice).to_contain_text("is synced again")

    page.get_by_label("Rating key of an item in Plex").fill("1")
    page.get_by_role("button", name="Bind to it").click()
    expect(notice).to_contain_text("is bound to item 1 of Movies")
    page.get_by_role("button", name="Unbind 1").click()
    expect(notice).to_contain_text("found by its files again")

    page.get_by_role("link", name="Dry run").click()
    expect(page.locator("#now")).to_contain_text("in sync")

    page.get_by_role("link", name="Undo…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Take back what was pushed for")
    page.get_by_role("link", name="Keep it as it is").click()
    expect(page).to_have_url(f"{dash.url}/scenes/{id}")
    page.get_by_role("link", name="Undo…").click()
    page.get_by_role("button", name="Take it back").click()
    expect(notice).to_contain_text("1 scene to be taken back")
    work(world)
    assert world.plex.item("1").scalars["title"] == "scene 00000"

    other = found["waiting"]
    page.goto(f"{dash.url}/scenes/{other}")
    page.get_by_role("link", name="Release…").click()
    page.get_by_role("button", name="Take the locks off").click()
    expect(notice).to_contain_text("1 scene to be released")


def test_a_candidate_is_bound_by_its_button(staged: Staged, look: Look) -> None:
    dash, found = staged
    page = look(width=390).page
    page.goto(f"{dash.url}/scenes/{found['ambiguous']}")
    page.get_by_role("button", name=re.compile(r"^Bind \d+$")).first.click()
    expect(page.get_by_role("status").first).to_contain_text("is bound to item")
    assert dash.world.rows("select subject from binding where off = 0") == [(found["ambiguous"],)]


def test_scenes_are_found_and_opened_by_keyboard_alone(staged: Staged, look: Look) -> None:
    dash, found = staged
    page = look().page
    page.goto(f"{dash.url}/scenes")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#list tbody a")).to_have_count(1)
    link = page.locator(f"#scene-{found['absent']}")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"scene-{found['absent']}":
            break
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Not in Plex")


def test_every_button_of_the_dead_letters_does_what_it_says(staged: Staged, look: Look, tmp_path: Path) -> None:
    dash, found = staged
    world, page = dash.world, look().page
    page.goto(f"{dash.url}/dead")
    notice = page.get_by_role("status").first

    for name, check in (("#export-json", '"rows"'), ("#export-csv", '"cause"'), ("#export-refused", '"refused"')):
        with page.expect_download() as waiting:
            page.locator(name).click()
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        assert check in file.read_text()
    assert len(json.loads((tmp_path / "dead-letters-refused.json").read_text())["rows"]) == 1

    page.locator("#show-refused").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.locator("#show-all").click()
    expect(page.locator("#rows tbody tr")).to_have_count(2)

    page.locator("#drop-ambiguous").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Drop 1 dead letter of the cause")
    page.get_by_role("link", name="Keep it").click()
    page.locator("#drop-ambiguous").click()
    page.get_by_role("button", name="Drop it").click()
    expect(notice).to_contain_text("1 dead letter dropped")
    assert state_of(world, found["ambiguous"]) is State.DROPPED

    page.get_by_role("button", name="Retry", exact=True).click()
    expect(notice).to_contain_text("1 dead letter will be tried again")
    assert state_of(world, found["failed"]) is State.READY
    expect(page.locator("#bench")).to_contain_text("No dead letters")


def test_an_outage_shows_up_on_an_open_page_by_itself(staged: Staged, look: Look) -> None:
    dash, _ = staged
    page = look().page
    page.goto(f"{dash.url}/outages?days=1")
    before = page.locator("rect.away").count()
    expect(page.locator("#live-state")).to_contain_text("Live")
    with dash.parts.store.writing() as tx:
        tx.transitions.log(
            "plex", at=dash.parts.clock.now(), old="closed", new="open", cause="read", error="Plex fell over"
        )
    expect(page.locator("rect.away")).to_have_count(before + 1)
    expect(page.locator("#found")).to_contain_text("Plex fell over")
    expect(page.locator("#found")).to_contain_text("goes on")


def test_a_scene_that_comes_in_step_leaves_its_tab_on_an_open_page(staged: Staged, look: Look) -> None:
    dash, found = staged
    page = look().page
    page.goto(f"{dash.url}/scenes?stands=waiting")
    expect(page.locator(f"#scene-{found['waiting']}")).to_have_count(1)
    expect(page.locator("#live-state")).to_contain_text("Live")
    work(dash.world)
    expect(page.locator(f"#scene-{found['waiting']}")).to_have_count(0)


def test_the_figures_of_a_chart_can_be_read_without_the_picture(staged: Staged, look: Look) -> None:
    dash, _ = staged
    page = look().page
    page.goto(f"{dash.url}/charts")
    page.locator("#table-queue-day").focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("region", name="The queue of the last 24 hours").get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["From", "queued", "not in Plex yet", "needs you"])
    assert table.get_by_role("row").count() > 20
    # It stays open while the page keeps itself up to date.
    with dash.parts.store.writing() as tx:
        tx.samples.add(Sample(dash.parts.clock.now() // MINUTE * MINUTE, waiting=77_777))
    expect(table).to_contain_text("77,777")


def test_the_pages_do_without_script(staged: Staged, look: Look) -> None:
    dash, found = staged
    page = look(script=False).page
    page.goto(f"{dash.url}/scenes/{found['in_step']}")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("status").first).to_contain_text("is queued")
    page.goto(f"{dash.url}/charts")
    expect(page.locator("svg.chart").first).to_be_visible()


def test_a_picture_opened_alone_is_shown_as_it_is_meant(staged: Staged, look: Look) -> None:
    """It takes its colours from the style sheets of the pages: chromium would complain if its policy forbade them."""
    dash, _ = staged
    page = look(dark=True).page
    page.goto(f"{dash.url}/charts/queue-day.svg")
    stroke = page.evaluate("getComputedStyle(document.querySelector('.trace.wait .stroke')).stroke")
    assert stroke == "rgb(242, 187, 92)"
