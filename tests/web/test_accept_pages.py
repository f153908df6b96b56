"""Another Plex server behind the address: the pages and the API ask, and a button accepts."""

import html
from random import Random

import pytest

from plexsync.reports.shapes import status
from plexsync.rules.queue.choices import Choice
from plexsync.rules.records import HoldRow
from plexsync.rules.servers.errors import Neighbour
from tests.conformity import Conformity
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.stage import work
from tests.web.test_api import post
from tests.web.test_pages import plain

QUESTION = "this is another Plex server"
REMEDY = "plexsync accept plex-server"
SUMMARY = "Written by a person on the new server."


@pytest.fixture
def reinstalled(world: World) -> World:
    """Three scenes in sync, then Plex is reinstalled, a person edits every item there, and a scene is edited in Stash."""
    world.add(3)
    work(world, [1, 2, 3])
    world.plex.reinstall(Random(1))
    for key in world.plex.keys(world.section):
        world.plex.hand_edit(key, summary=SUMMARY)
    world.stash.edit_scene(1, title="Edited while another server answers")
    assert world.run("sync", "1", "--wait").returncode == 1
    return world


def goes_on(world: World) -> bool:
    """Whether work goes on there: everything is synced but what people wrote."""
    assert world.run("reconcile").returncode == 0
    assert world.run("drain").returncode == 0
    return {name for _, name, _, _ in world.out_of_step([1, 2, 3])} == {"summary"}


def test_the_overview_begins_with_the_question_and_leads_to_the_button(reinstalled: World) -> None:
    with dashboard(reinstalled) as dash:
        assert '<a href="/fix">Another Plex server answers.</a>' in dash.get("/").text
        assert "Another Plex server answers" in plain(dash.get("/fix").text)
        page = dash.get("/state").text
        told = plain(html.unescape(page))
        assert "Health Another Plex server answers" in told
        assert QUESTION in told
        assert REMEDY in told
        assert "plex_url right" not in told
        assert 'href="/accept"' in page
        asked = plain(html.unescape(dash.get("/accept").text))
        assert "Another Plex server answers" in asked
        assert QUESTION in asked
        assert "on hold: another Plex server answers" in plain(dash.get("/outages").text)


def test_the_button_accepts_and_work_goes_on(reinstalled: World) -> None:
    with dashboard(reinstalled) as dash:
        told = plain(dash.post("/accept", choice="plex-server").text)
        assert "Accepted: another Plex server answers. Work goes on." in told
        assert "Plex up" in plain(dash.get("/state").text)
        assert "Nothing is asked" in plain(dash.get("/accept").text)
        assert "Nobody asks for that any more" in plain(dash.post("/accept", choice="plex-server").text)
    assert goes_on(reinstalled)
    assert {reinstalled.plex.item(key).scalars["summary"] for key in reinstalled.plex.keys(reinstalled.section)} == {
        SUMMARY
    }


def test_the_api_asks_and_accepts(reinstalled: World) -> None:
    with dashboard(reinstalled) as dash:
        facts = dash.get("/api/accept").json()
        assert Conformity().problems(facts, status.QuestionList, "/api/accept") == []
        (question,) = facts["asked"]
        assert question["choice"] == "plex-server"
        assert QUESTION in question["message"]
        assert facts == reinstalled.json("accept")
        assert dash.get("/api/status").json()["holds"]["plex"]["choice"] == "plex-server"
        need = dash.get("/api/needs").json()["needs"][0]
        assert need["key"] == "hold:plex"
        assert REMEDY in need["text"]
        assert post(dash, "/api/accept", {"choice": "stash"})[0] == 409
        assert post(dash, "/api/accept", {"choice": "plex-server"}) == (200, {"accepted": "plex-server"})
        assert dash.get("/api/accept").json() == {"asked": []}
    assert goes_on(reinstalled)


def test_two_questions_at_once_are_both_asked_and_the_name_of_a_server_stays_text(dash: Dash) -> None:
    now = dash.parts.clock.now()
    with dash.parts.store.writing() as tx:
        for server, choice in ((Neighbour.PLEX, Choice.ITEMS_GONE), (Neighbour.STASH, Choice.STASH)):
            tx.holds.save(server, HoldRow("url", "<script>x</script> has changed", now, now + 60_000, "", choice))
    page = dash.get("/accept").text
    assert "<script>x" not in page
    told = plain(page)
    assert "Many items are gone from Plex" in told
    assert "Another Stash answers" in told
    assert page.count('name="choice"') == 2


def test_a_choice_that_does_not_exist_is_refused(dash: Dash) -> None:
    assert dash.post("/accept", choice="everything").status_code == 400
    assert post(dash, "/api/accept", {"choice": "everything"})[0] == 400
    assert post(dash, "/api/accept", {})[0] == 400
    assert post(dash, "/api/accept", {"choice": "stash", "more": 1})[0] == 400
