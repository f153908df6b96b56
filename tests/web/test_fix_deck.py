"""The deck of problems: one a page, decided by a key or a button, for one or for all alike, with or without script."""

import html
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from plexsync.rules.queue.note_keys import INSIDE
from plexsync.simulator.drawings import TALL, drawn
from plexsync.store import intake
from tests.cli.test_cli_fix import states, trouble, troubled, twins  # noqa: F401 - fixtures
from tests.journey.world import World, world_in
from tests.web.conftest import Dash, Look, dashboard
from tests.web.stage import work
from tests.web.test_accessibility import nothing_is_found
from tests.web.test_pages import plain


def press(page: Page, key: str) -> None:
    """Press a key when the page hears it."""
    expect(page.get_by_label("Keys on this page")).to_be_visible()
    page.keyboard.press(key)


@pytest.fixture
def deck(troubled: list[int], world: World) -> Iterator[Dash]:  # noqa: F811
    with dashboard(world) as dash:
        yield dash


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """A deck with pictures, for tests that decide nothing."""
    with world_in(tmp_path_factory.mktemp("still") / "data") as world:
        picture(world, trouble(world))
        with dashboard(world) as dash:
            yield dash


@pytest.fixture(scope="module")
def taken_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """A deck whose scenes in sync were all taken back, for tests that only look."""
    with world_in(tmp_path_factory.mktemp("taken") / "data") as world:
        trouble(world)
        with dashboard(world) as dash:
            dash.post("/act/scenes/undo", all="1")
            work(world)
            yield dash


def test_the_whole_deck_is_decided_by_keys(deck: Dash, troubled: list[int], world: World, look: Look) -> None:  # noqa: F811
    first, second, refused = troubled
    page = look().page
    page.goto(f"{deck.url}/fix")
    expect(page.locator("#lead")).to_contain_text("Problem 1 of 4")
    assert page.locator(".deck").get_attribute("id") == "fix-idle"
    press(page, "s")
    expect(page.locator("#lead")).to_contain_text("Problem 2 of 4 · 1 skipped")
    expect(page.locator(f"#fix-{refused} h2")).to_contain_text("Refused by Plex")
    press(page, "1")
    expect(page.locator(".notice")).to_contain_text(f"Scene {refused} will be tried again.")
    expect(page.locator("#lead")).to_contain_text("Problem 3 of 4 · 1 mended · 1 skipped")
    expect(page.locator(f"#fix-{first} h2")).to_contain_text("The scene 0")
    pictures = page.locator(".deck .picture")
    assert [picture.get_attribute("alt") for picture in pictures.all()] == [
        "the cover in Stash",
        "the poster in Plex",
        "the poster in Plex",
    ]
    press(page, "2")
    key = world.plex.keys(world.section)[1]
    expect(page.locator(".notice")).to_contain_text(f"Scene {first} is bound to item {key} of Movies, and is queued.")
    expect(page.locator("#lead")).to_contain_text("Problem 4 of 4 · 2 mended · 1 skipped")
    press(page, "i")
    expect(page.locator(".notice")).to_contain_text(f"Scene {second} is ignored from now on.")
    expect(page.locator("#lead")).to_have_text(
        "You have seen all of them. 1 problem still needs you. 3 mended. 1 skipped."
    )
    assert states(world) == {first: "ready", second: "ignored", refused: "ready"}
    assert world.rows("select subject, item from binding") == [(first, key)]
    page.get_by_role("link", name="From the beginning").click()
    expect(page.locator("#lead")).to_contain_text("Problem 1 of 1")


def test_no_key_acts_while_somebody_types_or_holds_it_or_has_switched_them_off(
    deck: Dash,
    troubled: list[int],  # noqa: F811
    world: World,
    look: Look,
) -> None:
    page = look().page
    page.goto(f"{deck.url}/fix?cause=ambiguous")
    before = states(world)
    for keys in ("Control+i", "Alt+i", "Meta+i", "x", "9", "Escape"):
        press(page, keys)
    page.get_by_label("Keys on this page").uncheck()
    press(page, "i")
    page.reload()
    assert not page.get_by_label("Keys on this page").is_checked(), "it is remembered"
    press(page, "i")
    expect(page.locator("#lead")).to_contain_text("Problem 1 of 4")
    assert states(world) == before
    page.get_by_label("Keys on this page").check()
    press(page, "i")
    expect(page.locator("#lead")).to_contain_text("Problem 2 of 4")
    assert states(world)[troubled[0]] == "ignored"


def test_two_quick_presses_decide_one_problem(deck: Dash, troubled: list[int], world: World, look: Look) -> None:  # noqa: F811
    page = look().page
    page.goto(f"{deck.url}/fix?cause=ambiguous")
    expect(page.get_by_label("Keys on this page")).to_be_visible()
    page.evaluate(
        "for (const key of 'ii') document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    )
    expect(page.locator("#lead")).to_contain_text("Problem 2 of 4 · 1 mended")
    assert states(world)[troubled[1]] == "dead"


def test_without_script_the_buttons_work(deck: Dash, troubled: list[int], world: World, look: Look) -> None:  # noqa: F811
    page = look(script=False).page
    page.goto(f"{deck.url}/fix?cause=ambiguous")
    assert not page.get_by_text("Keys on this page").is_visible()
    page.get_by_role("link", name="Skip", exact=True).click()
    expect(page.locator("#lead")).to_contain_text("Problem 2 of 4 · 1 skipped")
    page.get_by_role("button", name="Ignore").click()
    expect(page.locator(".notice")).to_contain_text(f"Scene {troubled[1]} is ignored from now on.")
    expect(page.locator("#lead")).to_contain_text("You have seen all of them. 3 problems still need you. 1 mended.")
    page.get_by_role("link", name="All as a list").click()
    expect(page.locator("#lead")).to_contain_text("3 problems need you.")
    page.get_by_role("link", name="One at a time").click()
    expect(page.locator("#lead")).to_contain_text("Problem 1 of 3")


def test_the_same_is_done_for_all_alike_by_a_key(world: World, look: Look) -> None:
    ids = twins(world, 8)
    work(world, ids)
    with dashboard(world) as dash:
        page = look().page
        page.goto(f"{dash.url}/fix?cause=ambiguous")
        box = page.get_by_label("The same for the other 7 like this")
        press(page, "a")
        assert box.is_checked()
        press(page, "1")
        keys = world.plex.keys(world.section)
        expect(page.locator(".notice")).to_contain_text(f"Scene {ids[0]} is bound to item {keys[0]}")
        expect(page.locator(".notice")).to_contain_text("The same was done for 7 others.")
        expect(page.locator("#lead")).to_contain_text("8 mended")
    # The first choice of the first scene is its item in the folder a: so it is of the others.
    assert sorted(world.rows("select subject, item from binding")) == list(zip(ids, keys[::2], strict=True))


def test_others_that_a_choice_does_not_fit_are_left_and_it_says_so(world: World) -> None:
    ids = twins(world, 3)
    # Of the third, both items are elsewhere.
    for place in ("c", "d"):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{place}/odd.mp4", 77, 60_000)], title="odd")
    ids.append(world.stash.add_scene(title="Odd", files=[("/elsewhere/odd.mp4", 77, 60.0)]))
    work(world, ids)
    key = world.plex.keys(world.section)[0]
    with dashboard(world) as dash:
        answer = dash.post(
            "/fix", step=f"bind {ids[0]} {key}", same="1", problem=f"{ids[0]}", deck="1", cause="ambiguous"
        )
        told = plain(html.unescape(answer.text))
        assert "The same was done for 2 others; 1 left, which it does not fit." in told
        assert "Problem 4 of 5 · 3 mended" in told
        assert f'id="fix-{ids[3]}"' in answer.text


def test_of_two_scenes_with_one_file_only_you_can_tell(world: World) -> None:
    ids = []
    for n in range(2):
        files = [(f"/media/scenes/{n}.mp4", 1_423_000_000, 5_530_000)]
        world.plex.add_movie(world.section, files=files, title="One")
        twice = [(f"/elsewhere/{place}/{n}.mp4", 1_423_000_000, 5530.0) for place in "ab"]
        ids += [world.stash.add_scene(title=f"Scene {n}", files=[file]) for file in twice]
    work(world, ids)
    key = world.plex.keys(world.section)[0]
    with dashboard(world) as dash:
        answer = dash.post("/fix", step=f"bind {ids[0]} {key}", same="1", problem=f"{ids[1]}", deck="1")
        told = plain(html.unescape(answer.text))
    assert f"Scene {ids[0]} is bound to item {key} of Movies" in told
    assert "Nothing was done for the others: that is a choice about this one alone." in told
    assert world.rows("select subject, item from binding") == [(ids[0], key)]


@pytest.mark.parametrize(("action", "state"), [("ignore", "ignored"), ("retry", "ready")])
def test_ignoring_and_retrying_can_be_for_all_alike(world: World, action: str, state: str) -> None:
    ids = twins(world, 3)
    work(world, ids)
    with dashboard(world) as dash:
        answer = dash.post(
            "/fix", step=f"{action} {ids[1]} ", same="1", problem=f"{ids[1]}", deck="1", cause="ambiguous"
        )
        assert "The same was done for 2 others." in plain(answer.text)
    assert set(states(world).values()) == {state}


def test_a_choice_that_fails_says_why_and_the_problem_stays(
    deck: Dash,
    troubled: list[int],  # noqa: F811
    world: World,
    look: Look,
) -> None:
    page = look().page
    page.goto(f"{deck.url}/fix?cause=ambiguous&skipped=1")
    world.plex.remove(world.plex.keys(world.section)[0])
    press(page, "1")
    expect(page.locator(".notice.bad")).to_contain_text("Nothing was bound: Plex has no item")
    expect(page.locator(f"#fix-{troubled[0]} h2")).to_contain_text("The scene 0")
    expect(page.locator("#lead")).to_contain_text("Problem 2 of 4 · 1 skipped")
    assert world.rows("select subject, item from binding") == []


def test_what_was_decided_elsewhere_meanwhile_is_said_and_the_next_one_comes(
    deck: Dash,
    troubled: list[int],  # noqa: F811
    world: World,
) -> None:
    deck.post("/fix", step=f"ignore {troubled[0]} ", deck="1", cause="ambiguous")
    answer = deck.post("/fix", step=f"ignore {troubled[0]} ", deck="1", cause="ambiguous")
    assert f"Scene {troubled[0]} was ignored already." in plain(answer.text)
    assert f'id="fix-{troubled[1]}"' in answer.text


def test_while_a_server_is_down_what_the_database_knows_is_shown(deck: Dash, world: World) -> None:
    world.plex.stop()
    told = plain(html.unescape(deck.get("/fix?cause=ambiguous").text))
    assert "The candidates can't be read from both servers now" in told
    assert "/media/scenes/a/twin 0.mp4" in told


@pytest.mark.parametrize(
    "values",
    ["cause=nonsense", "cause=ambiguous&after=x", "mended=-1&skipped=x", "mended=9999999999", "after=7", "view=odd"],
)
def test_an_address_that_somebody_has_changed_shows_a_problem_or_the_end(still: Dash, values: str) -> None:
    answer = still.get(f"/fix?{values}")
    assert answer.status_code == 200
    assert re.search("Problem [0-9]+ of 4|You have seen all of them", plain(answer.text))


@pytest.mark.parametrize("step", ["", "bind 1", "bind 1 2 3", "ignore", "nothing 1 ", "ignore 1 2 3 4"])
def test_a_step_that_does_not_exist_is_refused(still: Dash, step: str) -> None:
    before = states(still.world)
    assert still.post("/fix", step=step, deck="1").status_code == 400
    assert states(still.world) == before


def test_when_nothing_needs_you_it_says_so(calm: Dash) -> None:
    with calm.parts.store.writing() as tx:
        tx.notes.save(INSIDE, intake.ON)
    assert "Nothing needs you." in plain(calm.get("/fix").text)


def picture(world: World, ids: list[int]) -> None:
    """Wide covers of the scenes, and posters of their items."""
    for id in ids:
        world.stash.set_cover(id, drawn(f"scene {id}"))
    for key in world.plex.keys(world.section):
        world.plex.hand_edit(key, thumb=drawn(f"item {key}", TALL))


@pytest.mark.parametrize("width", [1440, 820, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_on_every_screen_nothing_is_too_wide_and_the_pictures_are_large(
    still: Dash, look: Look, width: int, dark: bool
) -> None:
    seen = look(width=width, dark=dark)
    page = seen.page
    page.goto(f"{still.url}/fix?cause=ambiguous")
    for image in page.locator(".deck .picture").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", value=True)
        box = image.bounding_box()
        assert box
        assert min(box["width"], box["height"]) > 150
    seen.shoot(f"deck-{width}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = "e => { const at = e.getBoundingClientRect(); return at.height < 24 || at.width < 24; }"
    controls = "a:not(.skip), button:not([hidden])"
    assert page.evaluate(f"[...document.querySelectorAll('{controls}')].filter({small}).length") == 0


def test_axe_finds_nothing_on_any_card_nor_on_the_runs(still: Dash, look: Look) -> None:
    paths = ("/fix", "/fix?cause=ambiguous", "/fix?cause=comparison", "/fix?view=list", "/runs")
    nothing_is_found(look(), [f"{still.url}{path}" for path in paths])


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (820, True), (390, False), (390, True)])
def test_the_runs_are_listed_on_every_screen(taken_back: Dash, look: Look, width: int, dark: bool) -> None:
    seen = look(width=width, dark=dark)
    seen.page.goto(f"{taken_back.url}/runs")
    seen.shoot(f"runs-{width}-{'dark' if dark else 'light'}")
    rows = seen.page.locator("table.runs tbody tr:has(td)")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("3 scenes taken back in Plex")
    expect(rows.nth(1)).to_contain_text("1 scene written to Plex: studio")
    expect(rows.last).to_contain_text("2 scenes written to Plex: title")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    rows.first.get_by_role("link", name="Redo").click()
    expect(seen.page.get_by_role("heading", level=1)).to_have_text("Sync 3 scenes again?")


def test_a_step_about_another_scene_is_taken_for_that_one_alone(world: World) -> None:
    ids = twins(world, 3)
    work(world, ids)
    with dashboard(world) as dash:
        key = world.plex.keys(world.section)[0]
        dash.post("/fix", step=f"bind {ids[0]} {key}", problem=str(ids[1]), same="1", deck="1")
        assert world.rows("select subject, item from binding") == [(ids[0], key)]
