"""The rows that are ticked in a list are synced, ignored, retried or dropped together."""

from collections.abc import Iterator

import pytest

from plexsync.rules.job import State
from tests.journey.world import World
from tests.web.conftest import Dash, Look, dashboard
from tests.web.stage import furnish, state_of
from tests.web.test_pages import plain


@pytest.fixture
def staged(world: World) -> Iterator[tuple[Dash, dict[str, int]]]:
    scenes = furnish(world)
    with dashboard(world) as dash:
        yield dash, scenes


def tick(dash: Dash, path: str, ids: list[object], **fields: str) -> str:
    sent = {"token": dash.token(), "pick": list(map(str, ids)), **fields}
    return plain(dash.client.post(path, data=sent).text)


def test_ticked_scenes_are_ignored_synced_again_and_queued(staged: tuple[Dash, dict[str, int]]) -> None:
    dash, scenes = staged
    ids = [scenes["in_step"], scenes["absent"]]
    assert all(f'name="pick" value="{id}"' in dash.get("/scenes").text for id in ids)
    assert "2 scenes ignored." in tick(dash, "/scenes/picked", [*ids, ids[0]], do="ignore")
    assert {state_of(dash.world, id) for id in ids} == {State.IGNORED}
    told = tick(dash, "/scenes/picked", ids, do="sync")
    assert f"0 scenes queued. Scenes {ids[0]}, {ids[1]} are ignored." in told
    assert "2 scenes synced again." in tick(dash, "/scenes/picked", ids, do="unignore", shown="ignored")
    assert "1 scene queued. Stash has no scene 99999." in tick(dash, "/scenes/picked", [ids[0], 99999], do="sync")
    assert "Tick the rows first." in tick(dash, "/scenes/picked", [], do="sync")
    assert (
        dash.client.post("/scenes/picked", data={"token": dash.token(), "pick": "x", "do": "sync"}).status_code == 400
    )
    assert dash.client.post("/scenes/picked", data={"token": dash.token(), "pick": "1"}).status_code == 400


def test_ticked_dead_letters_are_retried_ignored_and_after_a_question_dropped(
    staged: tuple[Dash, dict[str, int]],
) -> None:
    dash, scenes = staged
    failed, twice = scenes["failed"], scenes["ambiguous"]
    told = tick(dash, "/dead/picked", [failed, twice], do="drop")
    assert "Drop the 2 scenes that you ticked?" in told
    assert state_of(dash.world, failed) is State.DEAD
    assert "1 scene dropped" in tick(dash, "/dead/picked", [failed], do="drop", sure="yes")
    assert state_of(dash.world, failed) is State.DROPPED
    assert "1 scene will be tried again." in tick(dash, "/dead/picked", [twice], do="retry", shown="ambiguous")
    assert "1 scene ignored." in tick(dash, "/dead/picked", [twice], do="ignore")
    assert state_of(dash.world, twice) is State.IGNORED


def test_a_heading_sorts_the_page_and_one_box_ticks_all(staged: tuple[Dash, dict[str, int]], look: Look) -> None:
    dash, _scenes = staged
    page = look().page
    page.goto(f"{dash.url}/scenes")
    rows = page.locator("#list tbody tr")
    numbers = page.locator("#list tbody input")

    def shown() -> list[str]:
        return [box.get_attribute("value") or "" for box in numbers.all()]

    by_number = shown()
    assert by_number == sorted(by_number, key=int)
    page.get_by_role("button", name="Status").click()
    words = [row.locator(".badge").inner_text() for row in rows.all()]
    assert words == sorted(words, key=str.casefold)
    page.get_by_role("button", name="Status").click()
    assert [row.locator(".badge").inner_text() for row in rows.all()] == sorted(words, key=str.casefold, reverse=True)
    assert page.locator("th[aria-sort=descending]").count() == 1
    page.get_by_label("Tick all rows").check()
    assert page.locator("#list tbody input:checked").count() == len(by_number)
    page.goto(f"{dash.url}/")
    # In the queue, 10 is more than 9.
    page.get_by_role("button", name="Scenes").click()
    counts = [int(cell.inner_text().replace(",", "")) for cell in page.locator("#queue tbody td.right").all()]
    assert counts == sorted(counts)
