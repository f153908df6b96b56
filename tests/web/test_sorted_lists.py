"""A list is sorted as a whole, by its address: by links, with or without script, page by page, whatever the filter."""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from plexsync.app.parts import open_parts
from plexsync.reports.scenes import FEW
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.scene import Scene, SceneFile
from plexsync.rules.servers.errors import Neighbour
from tests.journey.world import World, world_in
from tests.web.conftest import Dash, Look, dashboard
from tests.web.stage import config_of, furnish
from tests.web.test_dead_pages import die, sqlite
from tests.web.test_outage_pages import shut
from tests.web.test_scene_pages import listed, plain

SOME, MANY = 130, FEW + 150


def fill(world: World, count: int) -> None:
    """Scenes with titles that are in no order; every third is ignored, every seventh has a file and no title."""
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        now = parts.clock.now()
        for id in range(1, count + 1):
            if id % 3:
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now + 1000 * (id * 37 % 101))
            else:
                tx.jobs.ignore(Kind.SCENE, id, now=now + 1000 * (id * 37 % 101))
            title = "" if id % 7 == 0 else title_of(id)
            tx.scene_names.save([Scene(id, title=title, files=(SceneFile(f"/media/{id:05}.mp4"),))])


def title_of(id: int) -> str:
    text = f"Title {id * 7919 % 1009} of all"
    return text.upper() if id % 2 else text


def name_of(id: int) -> tuple[str, int]:
    """What a scene is sorted by."""
    return (f"/media/{id:05}.mp4" if id % 7 == 0 else title_of(id).lower()), id


def walk(dash: Dash, path: str, read: Callable[[str], list[str]]) -> list[str]:
    """What all pages of a list show, from this one on."""
    rows: list[str] = []
    while path:
        page = dash.get(path).text
        rows += read(page)
        more = re.search(r'<a id="next" href="([^"]+)"', page)
        path = html.unescape(more[1]) if more else ""
    return rows


def scenes_of(page: str) -> list[str]:
    return list(map(str, listed(page)))


def keys_of(page: str) -> list[str]:
    return re.findall(r'id="export-((?:tag:)?\d+)"', page)


def heads(page: str) -> dict[str, str]:
    """Where the headings of a page lead."""
    links = re.findall(r'<a class="sort" data-sorted="[a-z]*" href="([^"]+)">([^<]+)</a>', page)
    return {label: html.unescape(href) for href, label in links}


@contextmanager
def filled(folder: Path, count: int) -> Iterator[Dash]:
    with world_in(folder / "data") as world:
        fill(world, count)
        with dashboard(world) as dash:
            yield dash


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """For tests that change nothing."""
    with filled(tmp_path_factory.mktemp("many"), MANY) as dash:
        yield dash


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """For tests that change nothing."""
    with filled(tmp_path_factory.mktemp("some"), SOME) as dash:
        yield dash


# --- scenes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["", "stands=queued&", "stands=ignored&", "q=all&", "q=MEDIA&"])
@pytest.mark.parametrize("sort", ["title", "-title", "-number"])
def test_every_page_of_a_long_list_goes_on_in_the_order_of_its_address(many: Dash, which: str, sort: str) -> None:
    ids = [int(id) for id in walk(many, f"/scenes?{which}sort={sort}", scenes_of)]
    belongs = {
        "stands=queued&": lambda id: id % 3,
        "stands=ignored&": lambda id: not id % 3,
        "q=all&": lambda id: id % 7,
    }.get(which, lambda _id: True)
    key: Callable[[int], object] = name_of if "title" in sort else int
    expected = sorted(filter(belongs, range(1, MANY + 1)), key=key, reverse=sort.startswith("-"))  # type: ignore[arg-type]
    assert ids == expected


@pytest.mark.parametrize("sort", ["status", "-status"])
def test_by_status_scenes_come_in_the_order_of_the_tabs(some: Dash, many: Dash, sort: str) -> None:
    for dash, count in ((some, SOME), (many, MANY)):
        ids = [int(id) for id in walk(dash, f"/scenes?sort={sort}", scenes_of)]
        assert ids == sorted(range(1, count + 1), key=lambda id: (id % 3 == 0, id), reverse=sort == "-status")


@pytest.mark.parametrize("sort", ["since", "-since"])
def test_a_list_that_is_not_long_is_sorted_by_the_time_of_its_rows(some: Dash, sort: str) -> None:
    ids = [int(id) for id in walk(some, f"/scenes?sort={sort}", scenes_of)]
    assert ids == sorted(range(1, SOME + 1), key=lambda id: (id * 37 % 101, id), reverse=sort == "-since")


def test_a_list_that_is_not_long_is_sorted_by_title_and_number_as_a_long_one(some: Dash) -> None:
    for sort, key in (("title", name_of), ("number", int)):
        ids = [int(id) for id in walk(some, f"/scenes?sort={sort}", scenes_of)]
        assert ids == sorted(range(1, SOME + 1), key=key)  # type: ignore[arg-type]
        assert [int(id) for id in walk(some, f"/scenes?sort=-{sort}", scenes_of)] == ids[::-1]


def test_a_column_that_a_long_list_can_not_be_sorted_by_has_no_link_and_says_so_when_asked(many: Dash) -> None:
    page = many.get("/scenes?sort=since").text
    assert heads(page).keys() == {"Title", "Number", "Status"}
    assert listed(page) == list(range(1, 51))
    assert "Every known scene, by number. So long a list is not sorted oldest first" in plain(page)
    short = many.get("/scenes?stands=ignored&sort=-since").text
    assert heads(short).keys() == {"Title", "Number", "Since", "Why"}
    assert "Scenes with the status ignored, newest first" in plain(short)


def test_scenes_without_any_name_come_last_either_way_and_each_once(world: World) -> None:
    fill(world, MANY)
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        for id in range(MANY + 1, MANY + 71):
            tx.jobs.want(Kind.SCENE, id, Why.SWEEP, parts.clock.now())
    with dashboard(world) as dash:
        # An open page that updates itself does not ask Stash for the titles.
        dash.client.headers["X-Live"] = "1"
        for sort in ("title", "-title"):
            ids = [int(id) for id in walk(dash, f"/scenes?sort={sort}", scenes_of)]
            assert ids[-70:] == list(range(MANY + 1, MANY + 71))
            assert sorted(ids) == list(range(1, MANY + 71))


def test_filters_keep_the_order_and_a_heading_keeps_the_filter(many: Dash) -> None:
    page = many.get("/scenes?stands=ignored&sort=-title").text
    tabs = re.findall(r'<a id="tab-\d+" href="([^"]+)"', page)
    assert len(tabs) > 3
    assert all("sort=-title" in tab for tab in tabs)
    assert '<input type="hidden" name="sort" value="-title">' in page.split("</form>")[0], "the search"
    links = heads(page)
    assert links["Title"] == "/scenes?stands=ignored&sort=title#list"
    assert links["Number"] == "/scenes?stands=ignored#list"
    assert links["Since"] == "/scenes?stands=ignored&sort=-since#list", "the newest first"
    answer = many.post("/scenes/picked", shown="ignored", sort="-title", do="unignore")
    assert str(answer.url).endswith("/scenes?stands=ignored&sort=-title")
    assert heads(many.get("/scenes?q=all&sort=title").text)["Title"] == "/scenes?q=all&sort=-title#list"


def test_a_page_goes_on_after_a_row_that_has_gone(tmp_path: Path) -> None:
    with filled(tmp_path, MANY) as dash:
        first = dash.get("/scenes?stands=ignored&sort=title").text
        last = listed(first)[-1]
        more = re.search(r'<a id="next" href="([^"]+)"', first)
        assert more
        with dash.parts.store.writing() as tx:
            tx.jobs.unignore(Kind.SCENE, last, now=dash.parts.clock.now())
        second = listed(dash.get(html.unescape(more[1])).text)
    order = sorted((id for id in range(1, MANY + 1) if id % 3 == 0), key=name_of)
    assert second == order[50:100]


@pytest.mark.parametrize("path", ["/scenes?sort=x", "/scenes?sort=--title", "/dead?sort=why", "/outages?sort=number"])
def test_an_order_that_a_list_does_not_have_is_answered_with_a_line(calm: Dash, path: str) -> None:
    answer = calm.get(path)
    assert answer.status_code == 400
    assert "A list is sorted by one of these" in plain(answer.text)


# --- dead letters and outages ----------------------------------------------------------------------------------------


def test_dead_letters_are_sorted_by_every_column_page_by_page(world: World) -> None:
    die(world, each=40)
    with sqlite(world) as db:
        db.execute("update job set since = since + 1000 * (id * 37 % 101)")
    db.close()
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        tx.scene_names.save([Scene(id, title=title_of(id)) for id in range(1, 121)])
    rows: dict[str, tuple[str, int, str, str]] = {
        str(id) if kind == "scene" else f"{kind}:{id}": (cls, since, error.lower()[:80], kind)
        for kind, id, cls, since, error in world.rows("select kind, id, cls, since, error from job")
    }

    def number(key: str) -> tuple[str, int]:
        return rows[key][3], int(key.rpartition(":")[2])

    keys: dict[str, Callable[[str], object]] = {
        "number": number,
        "title": lambda key: ("" if ":" in key else title_of(int(key)).lower(), number(key)),
        "cause": lambda key: (rows[key][0], number(key)),
        "since": lambda key: (rows[key][1], number(key)),
        "error": lambda key: (rows[key][2], number(key)),
    }
    with dashboard(world) as dash:
        assert set(heads(dash.get("/dead").text)) == {"Number", "Title", "Cause", "Since", "What happened"}
        for column, key in keys.items():
            up = walk(dash, f"/dead?sort={column}", keys_of)
            assert up == sorted(rows, key=key), column  # type: ignore[arg-type]
            assert walk(dash, f"/dead?sort=-{column}", keys_of) == up[::-1], column
        of_one = walk(dash, "/dead?cause=strict&sort=-title", keys_of)
        assert of_one == sorted((str(id) for id in range(3, 121, 3)), key=keys["title"], reverse=True)  # type: ignore[arg-type]
        page = dash.get("/dead?cause=strict&sort=-title").text
        assert heads(page)["Cause"] == "/dead?cause=strict&sort=cause#rows"
        assert '<a id="show-all" href="/dead?sort=-title">' in page
        assert 'href="/dead?cause=refused&amp;sort=-title"' in page
        answer = dash.post("/dead/retry", key="3", shown="strict", sort="-title")
        assert str(answer.url).endswith("/dead?cause=strict&sort=-title")
        assert dash.get("/dead?sort=since&after=3&value=x").status_code == 400


def test_outages_are_sorted_by_their_length_as_numbers(dash: Dash) -> None:
    lengths = [9, 50, 30]
    for number, seconds in enumerate(lengths):
        shut(dash, Neighbour.PLEX, ago=3_600_000 - 600_000 * number, length=1000 * seconds)
    for sort, order in (("", lengths[::-1]), ("&sort=since", lengths), ("&sort=lasted", sorted(lengths))):
        page = dash.get(f"/outages?days=1{sort}").text
        assert [int(text) for text in re.findall(r'"Lasted" class="whole">(\d+) s', page)] == order
    assert heads(page)["Lasted"] == "/outages?days=1&sort=-lasted#found"
    assert 'href="/outages?days=7&amp;sort=lasted"' in page


# --- in a browser ----------------------------------------------------------------------------------------------------


def shown(page: Page) -> list[int]:
    return [int(box.get_attribute("value") or "") for box in page.locator("#list tbody input").all()]


def sort_by(page: Page, name: str, state: str) -> None:
    """Click a heading, and see the list that it leads to."""
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator(f"#list a.sort[data-sorted={state}]")).to_have_text(name)
    expect(page.locator("main + footer")).to_have_count(1)


@pytest.mark.parametrize(("width", "script"), [(1280, True), (1280, False), (390, False)])
def test_headings_are_links_that_sort(world: World, look: Look, width: int, script: bool) -> None:
    scenes = furnish(world)
    with dashboard(world) as dash:
        page = look(width=width, script=script).page
        page.goto(f"{dash.url}/scenes")
        by_number = shown(page)
        assert by_number == sorted(by_number)
        sort_by(page, "Status", "ascending")
        words = [badge.inner_text() for badge in page.locator("#list tbody .badge").all()]
        tabs = [tab.inner_text().rpartition(" ")[0] for tab in page.locator("#tabs a").all()]
        assert words == sorted(words, key=tabs.index)
        sort_by(page, "Status", "descending")
        assert [badge.inner_text() for badge in page.locator("#list tbody .badge").all()] == words[::-1]
        expect(page.locator("th[aria-sort=descending]")).to_have_text("Status")
        sort_by(page, "Number", "ascending")
        assert shown(page) == by_number
        sort_by(page, "Number", "descending")
        assert shown(page) == by_number[::-1]
        page.locator("#tabs").get_by_role("link", name="needs you").click()
        expect(page.locator("#tabs [aria-current]")).to_contain_text("needs you")
        assert set(shown(page)) >= {scenes["failed"], scenes["ambiguous"]}
        assert shown(page) == sorted(shown(page), reverse=True), "the filter keeps the order"


def test_one_box_ticks_all_rows_of_a_sorted_list(world: World, look: Look) -> None:
    furnish(world)
    with dashboard(world) as dash:
        page = look().page
        page.goto(f"{dash.url}/scenes?sort=-title")
        rows = shown(page)
        page.get_by_label("Tick all rows").check()
        assert page.locator("#list tbody input:checked").count() == len(rows)
