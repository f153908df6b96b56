"""Playlists at the command line: listed, explained, previewed, taken back; and what doctor and the overview say."""

import html

import pytest

from plexsync.simulator.stash_images import png
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.test_pages import plain


@pytest.fixture
def listed(world: World, door: Door) -> World:
    """Three scenes, two of them in the playlist of an evening."""
    world.settings["playlists"] = "children of: Playlists"
    world.stash.set_tag_parents("Evening", ["Playlists"])
    world.stash.edit_object("tag", "Evening", description="After work.", image=png(1, 2, 3))
    ids = world.add(3)
    for id in ids[:2]:
        world.stash.edit_scene(id, tags=["Evening"], date=f"2020-01-{9 - id:02}")
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain").code == 0
    return world


def shown(world: World) -> dict[str, list[str]]:
    return {str(one.item.scalars["title"]): one.members for one in world.plex.playlists().values()}


def checks(door: Door) -> dict[str, dict]:
    return {row["name"]: row for row in door("doctor", "--json").facts["checks"]}


def test_a_playlist_is_listed_explained_and_taken_back(listed: World, door: Door) -> None:
    before = shown(listed)
    assert [len(members) for members in before.values()] == [2]
    out = door("collections", "list").out
    assert all(word in out for word in ("Evening", "playlist of tag", "in sync"))
    told = door("collections", "explain", "Evening")
    assert (told.code, "2 items" in told.out, "After work." in told.out) == (0, True, True)
    preview = door("collections", "undo", "Evening", "--dry-run")
    assert (preview.code, "items" in preview.out, shown(listed)) == (0, True, before)
    assert door("collections", "undo", "Evening", "--wait").code == 0
    assert shown(listed) == {}
    assert "undone" in door("collections", "list").out
    assert door("undo", "--of", "collections", "Evening", "--wait").code == 0
    assert door("collections", "redo", "Evening", "--wait").code == 0
    assert door("drain").code == 0
    assert shown(listed) == before
    listed.settings["playlists"] = ""
    assert door("collections", "sync").code != 0
    assert door("collections", "undo", "--all", "--wait", "--yes").code == 0
    assert shown(listed) == {}


def test_a_wait_and_a_drain_end_only_when_the_order_stands(world: World, door: Door) -> None:
    world.settings |= {"playlists": "children of: Playlists", "playlist_order": "title"}
    world.stash.set_tag_parents("Evening", ["Playlists"])
    ids = world.add(50)
    for number, id in enumerate(ids):
        world.stash.quiet_edit(id, tags=["Evening"], title=f"Title {number:02}")
    assert door("sync", "--all", "--wait").code == 0
    [before] = shown(world).values()
    assert len(before) == 50
    for number, id in enumerate(ids):
        world.stash.quiet_edit(id, title=f"Title {99 - number:02}")
    assert door("sync", "--all", "--wait").code == 0
    assert list(shown(world).values()) == [before[::-1]]
    for number, id in enumerate(ids):
        world.stash.quiet_edit(id, title=f"Title {number:02}")
    assert door("sync", "--all").code == 0
    assert door("drain").code == 0
    assert list(shown(world).values()) == [before]


def test_doctor_and_the_overview_say_that_the_tag_is_unclear(listed: World, door: Door) -> None:
    assert checks(door)["playlists"]["told"] == "1 tag below Playlists; Plex lists 1 playlist of yours"
    before = shown(listed)
    listed.stash.rename_tag("Playlists", "Lists")
    assert door("reconcile").code == 0
    assert door("collections", "sync", "--wait").code == 0
    check = checks(door)["playlists"]
    assert (check["state"], "no tag 'Playlists'" in check["told"]) == ("warning", True)
    assert "tag unclear" in door("status").out
    with dashboard(listed, playlists="children of: Playlists") as dash:
        assert "Playlists wait for their tag" in plain(html.unescape(dash.get("/").text))
        page = plain(html.unescape(dash.get("/collections").text))
        assert "Evening playlist of tag" in page
        (number,) = [row["id"] for row in door("collections", "list", "--json").facts["collections"]]
        page = dash.get(f"/collections/{number}").text
        (key,) = listed.plex.playlists()
        assert f"/playlist?key=%2Fplaylists%2F{key}" in page
        assert "/tags/" in page
    assert shown(listed) == before
