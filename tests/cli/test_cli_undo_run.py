"""undo --run: the command, the API and the page take back what one run wrote, and name what later runs wrote on top."""

import html

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain


@pytest.fixture
def twice(world: World, door: Door) -> World:
    """Two scenes, written by three runs: of all, of an edit that you asked for, and of one that the comparison found."""
    world.settings["collection_parts"] = "name,summary"
    world.add(2)
    world.stash.edit_object("studio", "Studio 0", details="First.")
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain").code == 0
    world.stash.edit_scene(1, title="Second", details="Second")
    world.stash.edit_object("studio", "Studio 0", details="Second.")
    assert door("sync", "1", "--wait").code == 0
    assert door("collections", "sync", "Studio 0", "--wait").code == 0
    world.stash.edit_scene(1, title="Third", date="2020-02-02")
    assert door("reconcile", "--wait").code == 0
    assert shown(world) == ("Third", "Second")
    return world


def shown(world: World) -> tuple[object, object]:
    scalars = world.plex.item(world.plex.keys(world.section)[0]).scalars
    return scalars["title"], scalars.get("summary")


def number_of(door: Door, cause: str, *of: str) -> str:
    lines = door("undo", *of, "--runs").out.splitlines()
    (line,) = [line for line in lines if cause in line]
    return line.split()[0]


def test_the_undo_of_a_run_is_shown_asked_for_and_done(twice: World, door: Door) -> None:
    number, last = number_of(door, "you asked for it"), number_of(door, "found by the comparison")
    shows = door("undo", "--run", number, "--dry-run").out
    assert f"written again by run {last}; it stays (--and-later)" in shows
    assert "What happens in 0." in shows
    facts = door("undo", "--run", number, "--dry-run", "--json").facts
    fields = {one["field"]: one for scene in facts["scenes"] for item in scene["items"] for one in item["fields"]}
    assert {name: one["action"] for name, one in fields.items()} == {"title": "leave", "summary": "restore"}
    done = door("undo", "--run", number, "--wait")
    assert done.code == 0
    assert (
        f"1 field left, written again by later runs (--and-later takes that back too): title of scene 1 (run {last})"
        in done.err
    )
    assert shown(twice) == ("Third", "What happens in 0.")
    assert door("sync", "--all", "--wait").code == 0
    assert shown(twice) == ("Third", "What happens in 0.")
    assert door("undo", "--run", number, "--and-later", "--wait").code == 0
    assert shown(twice) == ("Title 0", "What happens in 0.")
    assert door("redo", "1", "--wait").code == 0
    assert shown(twice) == ("Third", "Second")
    assert door("undo", "1", "--and-later").code == 2
    assert door("release", "--run", number, "--and-later").code == 2


def test_the_api_and_the_page_say_the_same(twice: World, door: Door) -> None:
    number, last = number_of(door, "you asked for it"), number_of(door, "found by the comparison")
    with dashboard(twice) as dash:
        page = dash.get(f"/act/scenes/undo?run={number}")
        words = plain(html.unescape(page.text))
        assert f"Take back what was pushed for 1 scene in run {number}?" in words
        assert f"title of scene 1 (run {last})" in words
        assert f"written again by run {last}" in words
        assert f"/act/scenes/undo?run={number}&and_later=1" in html.unescape(page.text)
        further = plain(html.unescape(dash.get(f"/act/scenes/undo?run={number}&and_later=1").text))
        assert "Also take back what later runs wrote" not in further
        assert post(dash, "/api/scenes/undo", {"run": int(number)}) == (
            200,
            {"undone": 1, "written_again": {"1": {"title": int(last)}}},
        )
        assert door("drain").code == 0
        assert shown(twice) == ("Third", "What happens in 0.")
        told = plain(html.unescape(dash.post("/act/scenes/undo", run=number, and_later="1").text))
        assert "1 scene to be taken back" in told
        assert post(dash, "/api/scenes/undo", {"all": True, "and_later": True})[0] == 400
    assert door("drain").code == 0
    assert shown(twice) == ("Title 0", "What happens in 0.")


def test_a_run_of_collections_is_taken_back_alone(twice: World, door: Door) -> None:
    key = twice.plex.collection_keys(twice.section)["Studio 0"]
    number = number_of(door, "you asked for it", "--of", "collections")
    assert "First." in door("undo", "--of", "collections", "--run", number, "--dry-run").out
    assert door("collections", "undo", "--run", number, "--yes", "--wait").code == 0
    assert twice.plex.item(key).scalars["summary"] == "First."
    assert "summary" in twice.plex.item(key).locks
    assert door("collections", "redo", "Studio 0", "--wait").code == 0
    assert twice.plex.item(key).scalars["summary"] == "Second."
    assert door("collections", "undo", "--all", "--yes", "--wait").code == 0
    assert not twice.plex.item(key).scalars.get("summary")
