"""The rows that are ticked in a list are synced, ignored, retried or dropped together."""

from collections.abc import Iterator

import pytest

from plexsync.rules.queue.job import State
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
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


STEPS = ("sync", "ignore", "unignore")


def test_scenes_that_are_ignored_for_different_reasons_are_one_list_with_each_reason_and_the_steps_of_all(
    staged: tuple[Dash, dict[str, int]],
) -> None:
    dash, scenes = staged

    def steps(stands: str) -> list[str]:
        page = dash.get(f"/scenes?stands={stands}").text
        return [step for step in STEPS if f'name="do" value="{step}"' in page]

    assert steps("ignored") == ["unignore"]
    tick(dash, "/dead/picked", [scenes["failed"]], do="drop", sure="yes")
    page = dash.get("/scenes?stands=ignored").text
    assert "you removed it from the queue; before that: " in plain(page)
    assert all(f'id="scene-{scenes[name]}"' in page for name in ("ignored", "failed"))
    assert (steps("ignored"), steps("dropped")) == ([*STEPS], ["sync", "ignore"])


def test_ticked_dead_letters_are_retried_ignored_and_after_a_question_dropped(
    staged: tuple[Dash, dict[str, int]],
) -> None:
    dash, scenes = staged
    failed, twice = scenes["failed"], scenes["ambiguous"]
    told = tick(dash, "/dead/picked", [failed, twice], do="drop")
    assert "Drop the 2 dead letters that you ticked?" in told
    assert state_of(dash.world, failed) is State.DEAD
    assert "1 dead letter dropped" in tick(dash, "/dead/picked", [failed], do="drop", sure="yes")
    assert state_of(dash.world, failed) is State.DROPPED
    assert "1 dead letter will be tried again." in tick(dash, "/dead/picked", [twice], do="retry", shown="ambiguous")
    assert "1 scene ignored." in tick(dash, "/dead/picked", [twice], do="ignore")
    assert state_of(dash.world, twice) is State.IGNORED
