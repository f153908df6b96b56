"""The dashboard in Debian's chromium: every page opened, every button pressed, and nothing of it complains."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.web import live
from tests.journey.world import World, until, world_in
from tests.patience import HANG
from tests.web.conftest import Dash, Look, Seen, dashboard
from tests.web.stage import work
from tests.web.test_guard import routes

# Texts that would do something where they are taken for more than text, each with `pwned` in it.
HOSTILE = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=pwned=1>",
    "<svg onload=pwned=1>",
    "</title><script>pwned=1</script>",
    "</td></tr></table><script>pwned=1</script>",
    "\"><img src=x onerror='pwned=1'>",
    "' autofocus onfocus=pwned=1 x='",
    '" onmouseover="pwned=1" x="',
    "javascript:pwned=1",
    "{{ 7 * 7 }}{% set pwned = 1 %}",
    "${pwned=1}",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<a href='javascript:pwned=1'>click</a>",
    "<math><mtext><style><img src=x onerror=pwned=1></style></mtext></math>",
    "<!--<img src=--><img src=x onerror=pwned=1>//",
    "&lt;script&gt;pwned=1&lt;/script&gt;",
    "\u202e<b>pwned</b>",
    "<base href=//evil.example/>pwned",
    "<form action=//evil.example><button>pwned</button></form>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>pwned",
]
TAGS = "script, img, svg, iframe, base, meta, form, style, math, a, b, button"


def plain_pages() -> list[str]:
    """Every page that is seen without a number in its address."""
    machines = ("/api/", "/metrics", "/health", "/live", "/login")
    return [
        route.path
        for route in routes()
        if "GET" in (route.methods or ())
        and "{" not in route.path
        and not route.path.startswith(machines)
        and not re.search(r"\.\w+$", route.path)
    ]


def synced(world: World, count: int = 3) -> None:
    world.add(count)
    assert world.run("sync", "--all", "--wait").returncode == 0


# More scenes with changes than a page of the review has.
REVIEWED = 23


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """A review: long, hostile and plain titles, lists, posters, and a scene that was ignored since."""
    with world_in(tmp_path_factory.mktemp("review") / "data") as world:
        world.settings["poster"] = "cover"
        world.add(REVIEWED)
        for id in (1, 2):
            world.stash.set_cover(id, png(200, 0, id))
        assert world.run("sync", "--all", "--wait").returncode == 0
        for id in range(1, REVIEWED + 1):
            title = HOSTILE[id] if id < len(HOSTILE) else "A title " + "w" * 300
            world.stash.quiet_edit(id, title=title, tags=["Tag 1", f"Fresh {id}"], performers=["Somebody Else"])
        for id in (1, 2):
            world.stash.set_cover(id, png(0, 200, id))
        with dashboard(world) as dash:
            assert dash.post("/review/start").status_code == 200
            until(lambda: dash.get("/api/review").json()["at"] is not None)
            dash.post("/review/ignore", scene="5")
            yield dash


@pytest.fixture(scope="module")
def in_step(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """Three scenes in sync, for tests that only look."""
    with world_in(tmp_path_factory.mktemp("synced") / "data") as world:
        synced(world)
        with dashboard(world) as dash:
            yield dash


@pytest.mark.parametrize("path", ["/review", "/review?after=20", "/review?studio=Nobody", "/review?field=title"])
def test_a_review_with_changes_opens_at_every_width_in_light_and_dark(changed: Dash, look: Look, path: str) -> None:
    opens_well_everywhere(look(), changed, path)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_review_with_changes_shows_its_posters_and_leads_to_its_next_page(
    changed: Dash, look: Look, width: int
) -> None:
    seen = look(width=width)
    seen.page.goto(f"{changed.url}/review")
    expect(seen.page.locator("main section[id^=scene-]")).to_have_count(20)
    posters = seen.page.locator("img.picture")
    expect(posters).not_to_have_count(0)
    for poster in posters.all():
        poster.scroll_into_view_if_needed()
        expect(poster).to_have_js_property("complete", True)
        assert poster.evaluate("image => image.naturalWidth") > 0, "the picture was loaded"
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    seen.page.get_by_role("link", name="Next page").click()
    expect(seen.page.locator("main section[id^=scene-]")).to_have_count(REVIEWED - 20 - 1)
    seen.page.close()


def opens_well(seen: Seen, dash: Dash, path: str, name: str) -> None:
    """The page opens, nothing stands out at its side, and all of it can be read and touched."""
    opens(seen, dash, path)
    looks_well(seen, path, name)


def opens_well_everywhere(seen: Seen, dash: Dash, path: str) -> None:
    """The same at every width, in light and dark: the page is opened once."""
    opens(seen, dash, path)
    for width, dark in ((1280, False), (1280, True), (390, True), (390, False)):
        seen.page.set_viewport_size({"width": width, "height": 900})
        # Colours change at once, and not over some time.
        seen.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        looks_well(seen, path, f"{width}-{'dark' if dark else 'light'}")


def opens(seen: Seen, dash: Dash, path: str) -> None:
    answer = seen.page.goto(dash.url + path)
    assert answer is not None
    assert answer.status == 200, path


def looks_well(seen: Seen, path: str, name: str) -> None:
    """Nothing of the page stands out at its side, and all of it can be read and touched."""
    seen.shoot(f"{name}-{re.sub('[^a-z0-9]+', '-', path.strip('/')) or 'overview'}")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= seen.page.viewport_size["width"], path
    assert contrast(seen) >= 4.5, path
    assert small_targets(seen) == [], path


def small_targets(seen: Seen) -> list[str]:
    """What can be clicked and is less than 24 px high or wide, apart from links within a sentence."""
    return list(
        seen.page.evaluate(
            """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
              .filter((node) => {
                const { width, height } = node.getBoundingClientRect();
                if (!width || node.closest(".skip")) return false;
                const beside = [...node.parentElement.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
                return !(node.tagName === "A" && beside) && (width < 23.5 || height < 23.5);
              })
              .map((node) => node.outerHTML.slice(0, 120))"""
        )
    )


def contrast(seen: Seen) -> float:
    """Of the text of the page to what is behind it, as WCAG counts it; large enough is 4.5."""
    return float(
        seen.page.evaluate(
            """() => {
              const part = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((one) => {
                const share = one / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
              });
              const light = (text) => { const [r, g, b] = part(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
              const back = (node) => {
                for (; node; node = node.parentElement) {
                  const found = getComputedStyle(node).backgroundColor;
                  if (!found.startsWith("rgba(0, 0, 0, 0")) return found;
                }
                return "rgb(255, 255, 255)";
              };
              let least = 21;
              for (const node of document.querySelectorAll("body, body *")) {
                const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
                if (!own || !node.getClientRects().length || node.closest(":disabled, title, script, option")) continue;
                const style = getComputedStyle(node);
                const ink = node instanceof SVGElement ? style.fill : style.color;
                const [a, b] = [light(ink), light(back(node))].sort((x, y) => y - x);
                for (let at = node; at; at = at.parentElement) {
                  if (Number(getComputedStyle(at).opacity) < 1) least = 0;
                }
                least = Math.min(least, (a + 0.05) / (b + 0.05));
              }
              return least;
            }"""
        )
    )


def test_the_switch_between_light_and_dark_is_remembered(calm: Dash, look: Look) -> None:
    page = look(dark=False).page
    page.goto(calm.url)

    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = paper()
    page.get_by_role("button", name="Dark mode").click()
    expect(page.get_by_role("button", name="Light mode")).to_be_visible()
    dark = paper()
    assert dark != light
    for path in ("/scenes", "/settings"):
        page.goto(calm.url + path)
        assert paper() == dark
    # What the browser prefers is no longer asked.
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light mode").click()
    assert paper() == light
    expect(page.get_by_role("button", name="Dark mode")).to_be_visible()


def test_dark_is_the_same_whether_the_browser_or_the_switch_chooses_it(calm: Dash, look: Look) -> None:
    def colours(page: Page) -> list[str]:
        """The colours of everything on the settings page."""
        page.goto(f"{calm.url}/settings")
        return page.evaluate(  # type: ignore[no-any-return]
            """() => [...document.querySelectorAll("body, body *")].map((node) => {
              const style = getComputedStyle(node);
              return [style.color, style.backgroundColor, style.borderColor, style.fill].join();
            })"""
        )

    preferred, switched = look(dark=True).page, look(dark=False).page
    light = colours(switched)
    switched.get_by_role("button", name="Dark mode").click()
    assert light != colours(switched) == colours(preferred)


def test_every_button_of_these_pages_does_what_it_says(world: World, look: Look, tmp_path: Path) -> None:
    synced(world)
    with dashboard(world, switch=tmp_path / "away", web_password="correct horse battery") as dash:
        seen = look()
        page = seen.page
        page.goto(f"{dash.url}/reconcile")
        page.get_by_label("Password").fill("not the right one")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the password.")
        # That the answer was a refusal is what chromium itself writes down.
        assert [line for line in seen.complaints if "401" not in line] == []
        seen.complaints.clear()
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Reconcile")
        ends = {
            "Full comparison": "3 scenes compared, 0 queued",
            "From the first scene": "Full comparison, from the first scene",
            "Poll Stash": "changed in Stash:",
            "Show what a sync would change": "3 scenes compared, 0 would change",
            "Sync everything": "3 scenes queued; the worker does the rest",
        }
        assert {one.inner_text() for one in page.locator("#task button").all()} == set(ends)
        for name, told in ends.items():
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.locator(".notice")).to_contain_text("Begun")
            # Without a reload: the page learns of it.
            expect(page.locator("#task")).to_contain_text(told)
            expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
        page.goto(f"{dash.url}/demo")
        page.get_by_role("button", name="Take Plex down").click()
        expect(page.get_by_role("button", name="Bring Plex back")).to_be_visible()
        page.get_by_role("button", name="Bring Plex back").click()
        expect(page.get_by_role("button", name="Take Plex down")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        # The page's own connection ends as well, and may lead there first: then back to the page after the sign-in.
        expect(page).to_have_url(re.compile(rf"{dash.url}/login(\?to=%2Fdemo)?$"))


def test_an_undone_scene_is_redone_by_its_button(world: World, look: Look) -> None:
    synced(world)
    with dashboard(world) as dash:
        page = look().page
        page.goto(f"{dash.url}/scenes/1")
        expect(page.get_by_role("button", name="Redo")).to_have_count(0)
        page.get_by_role("link", name="Undo…").click()
        page.get_by_role("button", name="Take it back").click()
        expect(page.locator(".notice")).to_contain_text("1 scene to be taken back; ")
        work(world)
        page.reload()
        assert world.plex.item("1").scalars["title"] != "Title 0"
        expect(page.get_by_role("button", name="Sync now")).to_have_count(0)
        page.goto(f"{dash.url}/state")
        expect(page.locator("#verdict")).to_contain_text("2 of 3 were in sync · 1 undone")
        page.locator("#scenes").get_by_role("link", name="undone").click()
        page.get_by_role("link", name="Title 0").click()
        page.get_by_role("button", name="Redo", exact=True).click()
        expect(page.locator(".notice")).to_contain_text("1 scene to be synced again; ")
        expect(page.get_by_role("button", name="Sync now")).to_be_visible()
        work(world)
        page.reload()
        assert world.plex.item("1").scalars["title"] == "Title 0"
        expect(page.locator("#now")).to_contain_text("in sync")


def test_an_open_page_learns_of_what_changes(dash: Dash, look: Look) -> None:
    page = look().page
    page.goto(f"{dash.url}/state")
    expect(page.locator("#live-state")).to_have_text("Live: this page keeps itself up to date.")
    page.locator("#worker").evaluate("node => { node.dataset.old = 'yes' }")
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.USER, dash.parts.clock.now())
    expect(page.locator("#scenes .figure", has_text="queued")).to_contain_text("1")
    now = dash.parts.clock.now()
    with dash.parts.store.writing() as tx:
        tx.breakers.save(
            Neighbour.PLEX, BreakerRow(state="open", failures=5, opened_at=now / 1000, wait=60.0, error="Plex is away")
        )
    expect(page.locator("#server-plex")).to_contain_text("open, since")
    # The rest of the page is the one that was there.
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


# Whether the page is seen is for the test to say: chromium without a screen takes every page for seen.
SEEN = """Object.defineProperty(document, "hidden", { get: () => window.unseen === true })"""
LIVE = "Live: this page keeps itself up to date."


def turn(page: Page, *, seen: bool) -> None:
    """To this page, or away from it."""
    page.evaluate(
        "(unseen) => { window.unseen = unseen; document.dispatchEvent(new Event('visibilitychange')) }", not seen
    )


def test_open_pages_that_nobody_sees_leave_the_browser_its_connections(dash: Dash, look: Look) -> None:
    """It has six for a server, and each line takes one for as long as its page is open."""
    first = look().page
    context = first.context
    context.add_init_script(SEEN)
    tabs = [first, *(context.new_page() for _ in range(6))]
    for tab in tabs:
        tab.set_default_timeout(1000 * HANG)
        tab.goto(f"{dash.url}/state")
        expect(tab.locator("#live-state")).to_have_text(LIVE)
        turn(tab, seen=False)
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.USER, dash.parts.clock.now())
    turn(first, seen=True)
    waiting = first.locator("#scenes .figure", has_text="queued")
    expect(waiting).to_contain_text("1")
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 8, Why.USER, dash.parts.clock.now())
    expect(waiting).to_contain_text("2")


def test_a_page_that_is_left_and_come_back_to_is_live_again(dash: Dash, look: Look) -> None:
    page = look().page
    page.goto(f"{dash.url}/state")
    expect(page.locator("#live-state")).to_have_text(LIVE)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/live")):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    with page.expect_request("**/live"):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.USER, dash.parts.clock.now())
    expect(page.locator("#scenes .figure", has_text="queued")).to_contain_text("1", timeout=1000 * HANG)


def test_a_page_whose_line_was_refused_asks_for_it_again(
    dash: Dash, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = look()
    monkeypatch.setattr(live, "MOST", 0)
    seen.page.goto(dash.url)
    expect(seen.page.locator("#live-state")).to_have_text("The connection to PlexSync is lost. Trying again.")
    monkeypatch.undo()
    expect(seen.page.locator("#live-state")).to_have_text(LIVE)
    # That the answer was a refusal is what chromium itself writes down.
    assert [line for line in seen.complaints if "503" not in line] == []
    seen.complaints.clear()


def stale(page: Page, seconds: int) -> None:
    """After this long the page says how old it is, and nothing on it is good any more."""
    page.clock.fast_forward(1000 * seconds)
    expect(page.locator("#stale")).to_have_text(
        re.compile(r"PlexSync does not answer\. What you see here is \d+ (s|min) old\.")
    )
    expect(page.locator("#verdict")).to_be_hidden()
    expect(page.locator("#live-state")).to_have_text("The connection to PlexSync is lost. Trying again.")
    expect(page.locator("#scenes")).to_have_css("filter", "grayscale(1)")


def test_a_page_that_has_lost_its_server_says_so_and_how_old_it_is(world: World, look: Look) -> None:
    synced(world)
    with dashboard(world) as dash:
        seen = look()
        page = seen.page
        page.clock.install()
        page.goto(f"{dash.url}/state")
        expect(page.locator("#live-state")).to_have_text(LIVE)
        expect(page.locator("#verdict")).to_be_visible()
        expect(page.locator("#stale")).to_be_hidden()
        page.context.set_offline(True)
        stale(page, 16)
        page.clock.fast_forward(300_000)
        expect(page.locator("#stale")).to_contain_text("5 min old")
        seen.shoot("stale")
        page.context.set_offline(False)
        page.clock.run_for(5_000)
        expect(page.locator("#stale")).to_be_hidden()
        expect(page.locator("#live-state")).to_have_text(LIVE)
        expect(page.locator("#verdict")).to_be_visible()
        seen.complaints.clear()


def test_a_page_whose_server_answers_with_errors_alone_says_so(dash: Dash, look: Look) -> None:
    seen = look()
    page = seen.page
    page.clock.install()
    page.goto(f"{dash.url}/state")
    expect(page.locator("#live-state")).to_have_text(LIVE)
    page.route(f"{dash.url}/state", lambda route: route.fulfill(status=503, body="{}"))
    stale(page, 16)
    page.unroute(f"{dash.url}/state")
    expect(page.locator("#stale")).to_be_hidden()
    seen.complaints.clear()


def test_a_page_whose_session_is_over_leads_to_the_login(world: World, look: Look) -> None:
    with dashboard(world, web_password="correct horse battery") as dash:
        seen = look()
        page = seen.page
        page.goto(dash.url)
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#live-state")).to_have_text(LIVE)
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
        page.context.clear_cookies()
        # Later, since the page is left for it before the call would return.
        page.evaluate("setTimeout(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))")
        expect(page).to_have_url(re.compile("/login"))
        # That the line was answered with a page is what chromium itself writes down.
        assert [line for line in seen.complaints if "text/event-stream" not in line and "MIME" not in line] == []
        seen.complaints.clear()


def fresh(page: Page, id: str) -> None:
    """Wait until this part of the page was replaced, once more than it was."""
    page.locator(f"#{id}").evaluate("node => { node.dataset.old = 'yes' }")
    expect(page.locator(f"#{id}:not([data-old])")).to_have_count(1)


def test_whoever_uses_the_keyboard_stays_where_they_are_when_the_page_keeps_itself_up_to_date(
    dash: Dash, look: Look
) -> None:
    page = look().page
    page.goto(f"{dash.url}/reconcile")
    expect(page.locator("#live-state")).to_have_text(LIVE)
    button = page.get_by_role("button", name="Poll Stash")
    button.focus()
    fresh(page, "task")
    expect(button).to_be_focused()


def test_a_control_that_is_gone_leaves_the_keyboard_in_its_section_and_at_no_other_control(
    world: World, look: Look
) -> None:
    world.add(3)
    world.plex.faults.set(Fault("status", status=414, when=lambda request: request.method == "PUT"))
    assert world.run("sync", "--all", "--wait").returncode == 1
    with dashboard(world) as dash:
        page = look().page
        page.goto(f"{dash.url}/dead")
        expect(page.locator("#live-state")).to_have_text(LIVE)
        again = page.locator("#rows").get_by_role("button", name="Retry", exact=True)
        again.nth(1).focus()
        dash.post("/dead/retry", key="1")
        expect(again).to_have_count(2)
        # The first row is gone, and the button of the second is the first.
        expect(again.nth(0)).to_be_focused()
        dash.post("/dead/retry", key="2")
        expect(again).to_have_count(1)
        expect(page.locator("#rows")).to_be_focused()
        fresh(page, "rows")
        expect(page.locator("#rows")).to_be_focused()


def test_the_first_write_is_agreed_to_on_an_open_page_and_what_was_unfolded_stays_so(world: World, look: Look) -> None:
    world.add(3)
    world.settings["approve_bulk"] = "false"
    with dashboard(world) as dash:
        page = look().page
        page.goto(f"{dash.url}/reconcile")
        expect(page.locator("#live-state")).to_have_text(LIVE)
        page.evaluate("window.same = true")
        agree = page.get_by_role("button", name="I agree: write it to Plex")
        expect(agree).to_have_count(0)
        dash.post("/reconcile", what="preview")
        expect(agree).to_be_visible()
        page.get_by_text("The first 3 changes").click()
        expect(page.get_by_role("cell", name="Title 1", exact=True).first).to_be_visible()
        fresh(page, "preview")
        expect(page.get_by_role("cell", name="Title 1", exact=True).first).to_be_visible()
        dash.post("/reconcile", what="sync all", agreed="yes")
        expect(page.locator("#approve")).to_be_hidden()
        expect(page.get_by_role("button", name="Sync everything")).to_be_visible()
        assert page.evaluate("window.same"), "it was the same page all the time"


def test_without_script_the_pages_are_as_good(dash: Dash, look: Look) -> None:
    page = look(script=False).page
    page.goto(f"{dash.url}/reconcile")
    page.get_by_role("button", name="Poll Stash").click()
    expect(page.locator(".notice")).to_contain_text("Begun")
    expect(page.locator("#live-state")).to_be_empty()


def test_titles_are_shown_as_they_are_and_do_nothing(world: World, look: Look) -> None:
    for number, title in enumerate(HOSTILE):
        path = f"/media/scenes/{number}.mp4"
        world.plex.add_movie(world.section, files=[(path, 1000 + number, 60_000)], title="x")
        world.stash.add_scene(title=title, studio=title, tags=[title], files=[(path, 1000 + number, 60.0)])
    assert world.run("sync", "--all", "--wait").returncode == 0
    with dashboard(world) as dash:
        seen = look()
        seen.page.goto(dash.url)
        shown = {link.inner_text() for link in seen.page.locator("#latest h3 a").all()}
        assert {HOSTILE[19], HOSTILE[18], HOSTILE[15]} <= shown
        for path in plain_pages():
            seen.page.goto(dash.url + path)
            seen.page.mouse.move(300, 300)
            assert seen.page.evaluate("typeof window.pwned") == "undefined", path
            handlers = (
                "[...document.querySelectorAll('*')].some(n => n.getAttributeNames().some(a => a.startsWith('on')))"
            )
            assert seen.page.evaluate(handlers) is False, path
            ours = "[...document.scripts].every(s => s.src.startsWith(location.origin + '/static/') && !s.text)"
            assert seen.page.evaluate(ours), path
            assert seen.page.locator("main iframe, main base, main math, main meta, main style").count() == 0
            origins = set(seen.page.evaluate("[...document.links].map(a => a.origin)"))
            assert origins <= {dash.url, world.stash.url, world.plex.url}, path


def test_the_keyboard_leads_past_the_navigation(dash: Dash, look: Look) -> None:
    page = look().page
    page.goto(dash.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Shift+Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def can_be_heard(page: Page, path: str) -> None:
    """A screen reader finds its way on the page that is open."""
    assert page.locator("h1").count() == 1, path
    assert page.get_by_role("navigation", name="Pages", exact=True).count() == 1, path
    for role in ("banner", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, (path, role)
    assert page.locator("[aria-current=page]").count() == 1, path
    assert page.locator("table").count() == page.locator("table:has(caption)").count(), path
    assert page.locator("table:has(caption ~ caption)").count() == 0, path
    assert page.locator("thead th:not([scope=col])").count() == 0, path
    fields = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
    assert page.evaluate(f"{fields}.filter(n => !n.labels.length && !n.ariaLabel).length") == 0, path
    assert page.locator("html").get_attribute("lang") == "en"
