"""The page of what was edited in Plex: both values side by side, and a button for each decision; the same in the API."""

import html
from collections.abc import Iterator

import pytest

from plexsync.reports.drift import DriftDecision, DriftReport
from plexsync.simulator.http import Fault
from tests.conformity import Conformity, reachable
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.crawl import Crawl
from tests.web.stage import HOSTILE, work
from tests.web.test_api import post
from tests.web.test_fix_pages import button, press
from tests.web.test_pages import plain


@pytest.fixture
def edited(world: World) -> Iterator[Dash]:
    """Two scenes with titles, and one with genres, that were edited in Plex."""
    ids = world.add(2)
    work(world, ids)
    first, second = world.plex.keys(world.section)
    world.plex.hand_edit(first, title=HOSTILE[0], locked=True)
    world.plex.hand_edit(second, title="By hand", genre=["Mine"], locked=True)
    work(world, ids)
    with dashboard(world) as dash:
        yield dash


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars.get("title") for key in world.plex.keys(world.section)]


def shown(dash: Dash, path: str = "/drift") -> str:
    return plain(html.unescape(dash.get(path).text))


def test_both_values_are_shown_and_keep_outlives_an_edit_in_stash(edited: Dash) -> None:
    told = shown(edited)
    assert "title By hand Title 1" in told
    assert "would add Tag 1" in told
    assert "would remove Mine" in told
    assert HOSTILE[0] not in edited.get("/drift").text
    told = press(edited, button(edited, "/drift", answer="keep", scene="2", field="title"))
    assert "1 field of 1 scene kept as it is in Plex." in told
    edited.world.stash.edit_scene(2, title="Later")
    work(edited.world, [2])
    assert titles(edited.world)[1] == "By hand"
    assert "kept" in shown(edited, "/drift?kept=1")
    told = press(edited, button(edited, "/drift?kept=1", answer="unkeep", scene="2"))
    assert "1 field of 1 scene no longer kept." in told
    assert "You keep no field" in told


def test_every_page_counts_the_fields_that_plex_keeps(edited: Dash) -> None:
    overview = shown(edited, "/state")
    assert "2 of 2 were in sync but for 3 fields kept in Plex (plexsync drift)" in overview
    assert "2 were in sync but for 3 fields kept in Plex" in shown(edited, "/state"), "the figure"
    assert shown(edited, "/scenes").count("in sync but for 1 field kept in Plex") == 1
    scene = shown(edited, "/scenes/2")
    assert "in sync but for 2 fields kept in Plex Decide" in scene
    assert "in sync but for 2 fields kept in Plex (plexsync drift)" in scene
    assert "edited in Plex: stays until Stash changes it" in shown(edited)
    assert "every field in this library that Plex keeps, also those that were locked before the first sync" in shown(
        edited
    )
    assert '<a href="/drift">2 of 2 were in sync but for 3 fields' in edited.get("/state").text
    assert '<a href="/drift">2 of 2 were in sync but for 3 fields kept in Plex.</a>' in edited.get("/").text
    rows = edited.get("/api/scenes").json()["scenes"]
    assert [row["kept_fields"] for row in rows] == [1, 2]
    assert "in sync but for 3 fields kept in Plex" in shown(edited, "/charts")
    edited.parts.reconciler.reconcile()
    assert "2 in sync but for 3 fields kept in Plex (plexsync drift)" in shown(edited, "/reconcile")
    press(edited, button(edited, "/drift", answer="keep", scene="2", field=""))
    assert "All were in sync but for 1 field kept in Plex." in shown(edited, "/")


def test_taking_stashs_values_of_a_scene_and_of_a_library(edited: Dash) -> None:
    told = press(edited, button(edited, "/drift", answer="take", scene="2", field=""))
    assert "2 fields of 1 scene to be replaced by what Stash says." in told
    work(edited.world, [2])
    assert titles(edited.world)[1] == "Title 1"
    refused = edited.post("/drift", answer="take", library="Movies")
    assert "Tick the box first" in refused.text
    assert "1 field of 1 scene" in edited.post("/drift", answer="take", library="Movies", sure="yes").text
    work(edited.world, [1])
    assert titles(edited.world) == ["Title 0", "Title 1"]
    assert "Nothing is listed" in shown(edited)


def test_a_scene_alone_and_a_page_after_another(edited: Dash) -> None:
    assert 'href="/drift?scene=2">Decide</a>' in edited.get("/scenes/2").text
    assert "By hand" not in shown(edited, "/drift?scene=1")
    assert "By hand" in shown(edited, "/drift?scene=2")
    assert "Nothing is listed on this page" in shown(edited, "/drift?after=2")
    assert edited.get("/drift?after=x").status_code == 400
    assert edited.post("/drift", answer="nonsense").status_code == 400


def test_what_you_keep_is_shown_while_a_server_is_down(edited: Dash) -> None:
    press(edited, button(edited, "/drift", answer="keep", scene="2", field="title"))
    edited.world.plex.faults.set(Fault("status", status=503))
    told = shown(edited)
    assert "so you see what you keep" in told
    assert "not known now" in told
    assert "Nothing was decided" in edited.post("/drift", answer="take", scene="2").text


def test_while_a_server_is_down_the_page_does_not_say_that_nothing_is_kept(edited: Dash) -> None:
    edited.world.plex.faults.set(Fault("status", status=503))
    told = shown(edited)
    assert "Nothing is listed" not in told
    assert "What Plex keeps without a decision is listed when both servers answer." in told


def test_the_api_lists_and_decides(edited: Dash) -> None:
    facts = edited.get("/api/drift").json()
    conformity = Conformity()
    assert conformity.problems(facts, DriftReport, "drift") == []
    assert reachable(DriftReport) <= conformity.checked
    assert edited.get("/api/drift?limit=1").json()["after"] == 1
    status, answer = post(edited, "/api/drift", {"decision": "keep", "scenes": [1, 2], "fields": ["title"]})
    assert (status, answer) == (200, {"decision": "keep", "fields": 2, "scenes": [1, 2]})
    assert Conformity().problems(answer, DriftDecision, "decision") == []
    library = {"decision": "take", "library": "Movies"}
    assert post(edited, "/api/drift", library)[1]["fields"] == 1, "kept ones stay"
    assert post(edited, "/api/drift", {"decision": "take", "scenes": [1], "fields": ["title"]})[1]["fields"] == 1
    no_fields = {"decision": "keep", "scenes": [1], "fields": [1]}
    for wrong in ({"decision": "no", "scenes": [1]}, {"decision": "keep"}, no_fields):
        assert post(edited, "/api/drift", wrong)[0] == 400


def test_every_link_and_form_of_the_page_leads_somewhere(edited: Dash) -> None:
    press(edited, button(edited, "/drift", answer="keep", scene="2", field="title"))
    crawl = Crawl(edited, {1, 2})
    crawl.links("/drift")
    crawl.forms = {name: form for name, form in crawl.forms.items() if form.action.endswith("/drift")}
    assert len(crawl.forms) >= 6
    crawl.send()
    assert crawl.bad == []
