"""A changed setting `playlists` asks you before it deletes a playlist."""

import threading

import pytest

from plexsync.app.draft import count_change
from plexsync.app.parts import at_work
from plexsync.app.run import drain
from plexsync.app.switches import approve_settings
from plexsync.reports.status import facts
from tests.cli.conftest import Door
from tests.cli.test_cli_setting_changes import started, synced
from tests.journey.world import World, until
from tests.web.conftest import dashboard
from tests.web.stage import config_of, work

CHANGE = "playlists is children of: Others now: 2 playlists would be deleted, 1 playlist would be created"


@pytest.fixture
def listed(world: World) -> World:
    """Three scenes: two in the playlists of the children of one tag, and one that has a child of another."""
    world.settings["playlists"] = "children of: Playlists"
    ids = synced(world, 3)
    for id, (tag, parent) in zip(
        ids, (("Evening", "Playlists"), ("Night", "Playlists"), ("Morning", "Others")), strict=True
    ):
        world.stash.set_tag_parents(tag, [parent])
        world.stash.edit_scene(id, tags=[tag])
    work(world, ids)
    drained(world, 2)
    return world


def drained(world: World, playlists: int) -> None:
    """Worked until Plex has so many playlists."""
    with at_work(config_of(world), world.folder) as (parts, _):
        drain(parts, threading.Event(), lambda _step: None, wait_for=lambda: len(world.plex.playlists()) == playlists)


def test_another_parent_waits_for_one_yes(listed: World) -> None:
    before = listed.plex.playlists()
    with started(listed, playlists="children of: Others") as (parts, schedule):
        assert not schedule()
        change = facts(parts)["setting_change"]
        assert change is not None
        assert change["text"] == CHANGE
    work(listed, [1])
    assert listed.plex.playlists() == before
    with started(listed) as (parts, schedule):
        assert approve_settings(parts) == ""
    with started(listed) as (parts, schedule):
        assert schedule()
        assert facts(parts)["setting_change"] is None
    drained(listed, 1)
    assert [one.item.scalars["title"] for one in listed.plex.playlists().values()] == ["Morning"]


def test_while_the_new_parent_is_unclear_nothing_is_asked_or_deleted(listed: World) -> None:
    before = listed.plex.playlists()
    with started(listed, playlists="children of: Wrong") as (parts, schedule):
        assert not schedule()
        status = facts(parts)
        assert status["setting_change"] is None
        with parts.store.reading() as db:
            assert "no tag 'Wrong'" in db.notes.text("playlists:problem")
    work(listed, [1])
    with started(listed, playlists="children of: Playlists") as (parts, schedule):
        assert schedule()
        assert facts(parts)["setting_change"] is None
    assert listed.plex.playlists() == before


def test_another_order_is_counted_and_shown_before_it_moves_an_item(listed: World, door: Door) -> None:
    for id, date in ((1, "2001-01-01"), (2, "2002-02-02")):
        listed.stash.edit_scene(id, tags=["Evening"], date=date)
    work(listed, [1, 2])
    drained(listed, 1)
    with at_work(config_of(listed), listed.folder) as (parts, _):
        drain(parts, threading.Event(), lambda _step: None)
    shown = door("config", "set", "playlist_order", "newest", "--dry-run")
    assert "puts 1 playlist in another order" in shown.out
    with started(listed, playlist_order="newest") as (parts, _):
        assert parts.config.playlist_order == "date"
        count = count_change(parts, lambda: False)
        question = count.question("", "playlist_order is newest now")
    assert question is not None
    assert question.text == "playlist_order is newest now: 1 playlist would be put in another order"
    with dashboard(listed) as dash:
        order = {"name": "playlist_order", "value": "newest"}
        dash.post("/settings/change", do="preview", **order)
        until(lambda: "would be put in another order" in dash.post("/settings/change", do="count", **order).text)


@pytest.mark.parametrize("way", [("sync", "--all", "--yes"), ("reconcile",), ("page",)])
def test_while_the_new_parent_is_unclear_nothing_counts_as_the_yes_to_delete(
    listed: World, door: Door, way: tuple[str, ...]
) -> None:
    before = listed.plex.playlists()
    listed.settings |= {"approve_bulk": "false", "playlists": "children of: Later"}
    if way == ("page",):
        with dashboard(listed) as dash:
            dash.post("/reconcile", what="compare")
            until(lambda: dash.get("/api/reconcile").json()["past"])
            assert "Stash has no tag &#39;Later&#39;" in dash.get("/reconcile").text
    else:
        assert "Stash has no tag 'Later'" in door(*way).err
    listed.stash.set_tag_parents("Morning", ["Later"])
    door("drain")
    door("drain")
    assert listed.plex.playlists() == before, "it is clear by now, and nobody has seen what it deletes"
    assert "2 playlists would be deleted" in door("status").out
    assert door("sync", "--all", "--yes").code == 0
    door("drain")
    door("drain")
    assert [one.item.scalars["title"] for one in listed.plex.playlists().values()] == ["Morning"]


def test_a_drain_asks_before_it_deletes_a_playlist_too(listed: World, door: Door) -> None:
    before = listed.plex.playlists()
    listed.settings |= {"approve_bulk": "false", "playlists": "children of: Others"}
    assert f"{CHANGE}: they wait for your yes (plexsync sync --all)" in door("drain").out
    assert listed.plex.playlists() == before
    door("drain")
    assert listed.plex.playlists() == before
    assert door("sync", "--all", "--yes").code == 0
    door("drain")
    door("drain")
    assert [one.item.scalars["title"] for one in listed.plex.playlists().values()] == ["Morning"]
