"""`plexsync history` without a scene: the commands that it names do what they say, and the page leads to the same."""

import html
import re

from plexsync.app.switches import approve_settings
from plexsync.store.intake import store
from tests.cli.conftest import Door
from tests.cli.test_cli_setting_changes import started
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.stage import work
from tests.web.test_pages import plain


def runs(door: Door) -> list[tuple[str, list[str]]]:
    """What each run did, and the commands about it."""
    listed = door("history", "--json").facts["runs"]
    return [(run["words"].partition(":")[0], [step["command"] for step in run["steps"]]) for run in listed]


def call(door: Door, command: str) -> None:
    _, *words = command.split()
    assert door(*words, "--yes", "--wait").code == 0, command


def test_a_run_is_taken_back_and_redone_by_the_commands_that_it_names(world: World, door: Door) -> None:
    assert runs(door) == []
    world.add(3)
    assert door("sync", 1, 2, 3, "--wait").code == 0
    wrote, undo = "3 scenes written to Plex", "plexsync undo --run 1"
    assert runs(door) == [(wrote, [undo])]
    call(door, undo)
    back, redo = "3 scenes taken back in Plex", "plexsync redo --run 1"
    (again, [since]), (first, steps) = runs(door)
    assert (again, first, steps) == (back, wrote, [redo])
    assert since.startswith("plexsync redo --since 2")
    call(door, since)
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}
    # Its writes belong to the same ten minutes as the first ones.
    assert dict(runs(door)) == {back: [], wrote: [undo]}
    told = door("history").out
    assert "3 scenes written to Plex: title" in told
    assert undo in told
    assert len(door("history", "--json", "--limit", "1").facts["runs"]) == 2, "they overlap"


def follow(dash: Dash, path: str) -> list[str]:
    """The pages that the links of the list lead to."""
    return [
        html.unescape(href)
        for href in re.findall(r'href="(/act/[^"]+)"', dash.get(path).text.split('id="all-title"', maxsplit=1)[0])
    ]


def test_the_page_leads_to_the_pages_of_these_actions(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", 1, 2, "--wait").code == 0
    with dashboard(world) as dash:
        assert str(dash.get("/undo").url).endswith("/runs")
        assert follow(dash, "/runs") == ["/act/scenes/undo?run=1"]
        assert "2 scenes written to Plex: title" in plain(dash.get("/runs").text)
        assert "Take back what was pushed for 2 scenes in run 1?" in plain(dash.get("/act/scenes/undo?run=1").text)
        answer = dash.post("/act/scenes/undo", run="1")
        assert str(answer.url).endswith("/runs")
        assert "2 scenes to be taken back" in plain(answer.text)
    assert door("drain").code == 0
    with dashboard(world) as dash:
        newest, *_ = follow(dash, "/runs")
        assert "Sync 2 scenes again?" in plain(dash.get(newest).text)
        assert dash.get("/api/runs").json() == door("history", "--json").facts
        assert dash.get("/runs?before=1").text.count("Nothing was written") == 1
        assert dash.get("/runs?before=x").status_code == 400
        assert dash.get("/api/runs?before=x").json() == {"error": "before must be a whole number"}


def test_your_yes_to_changed_settings_is_said_of_what_it_wrote(world: World, door: Door) -> None:
    world.settings["approve_bulk"] = "false"
    world.add(25)
    assert door("sync", "--all", "--yes", "--wait").code == 0
    (run,) = door("history", "--json").facts["runs"]
    assert (run["by"], run["reason"]) == ("you", "you asked: sync --all")
    with started(world, title_template="New {title}") as (parts, schedule):
        schedule()
        assert approve_settings(parts) == ""
    with started(world) as (_, schedule):
        assert schedule()
    work(world)
    (run, _) = door("history", "--json").facts["runs"]
    reason = "you changed the settings: title_template is New {title} now"
    assert (run["by"], run["reason"], run["scenes"]) == ("you", reason, 25)
    # What is edited in the same minutes has a run of its own, and an undo of that leaves the other one alone.
    world.stash.quiet_edit(1, title="Edited")
    store(str(world.folder), "scene", 1)
    work(world)
    (edit, _, _) = door("history", "--json").facts["runs"]
    assert (edit["by"], edit["reason"], edit["scenes"]) == ("PlexSync", "edited in Stash", 1)
    call(door, edit["steps"][0]["command"])
    titles = [world.plex.item(key).scalars["title"] for key in world.plex.keys(world.section)]
    assert titles == [f"New Title {number}" for number in range(25)], "as the run before had left it"
    assert "found by the comparison" in door("undo", "--runs").out
