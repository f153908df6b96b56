"""A scene in sync whose picture could not be written: sync, status, history and explain name it."""

from urllib.parse import urlsplit

import pytest

from plexsync.plex.artwork import key_of
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.cli.conftest import Answer, Door
from tests.journey.world import World

NO_PICTURE = "its poster could not be written: the picture is no JPEG, PNG or WebP"


def why(world: World) -> str:
    return f"Plex at {urlsplit(world.plex.url).netloc} refuses the request (400)"


def refused(world: World) -> str:
    return f"its poster could not be written: {why(world)}"


def facts_of(world: World) -> list[dict[str, str]]:
    return [{"field": "thumb", "reason": why(world)}]


@pytest.fixture
def synced(world: World, door: Door) -> Answer:
    """What `sync` said: Plex refused the poster of scene 1, scene 2 is in sync as a whole, scene 3 has a video as cover."""
    world.settings["poster"] = "cover"
    world.add(3)
    world.stash.set_cover(1, png(200, 0, 0))
    world.stash.set_cover(3, b"a video")
    world.plex.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    return door("sync", "1", "2", "3", "--wait")


def test_sync_names_the_scene_and_its_picture(synced: Answer, world: World, door: Door) -> None:
    assert synced.code == 0
    assert synced.out == f"3 in sync\nscene 1 is in sync, but {refused(world)}\nscene 3 is in sync, but {NO_PICTURE}\n"
    facts = door("sync", "1", "2", "--wait", "--json").facts
    assert facts["outcomes"] == {"in_step": 2}
    assert facts["left_out"] == [{"scene": 1, **facts_of(world)[0]}]
    world.plex.faults.clear()
    facts = door("sync", "1", "2", "--wait", "--json").facts
    assert "left_out" not in facts


def test_status_says_in_sync_but(synced: Answer, world: World, door: Door) -> None:
    assert door("status", "1").out.endswith(f", but {refused(world)}\n")
    assert door("status", "1").out.startswith("scene 1 (Title 0) is in sync since ")
    assert door("status", "1", "--json").facts["left_out"] == facts_of(world)
    assert "but" not in door("status", "2").out
    assert door("status", "2", "--json").facts["left_out"] == []


def test_history_has_the_refusal(synced: Answer, world: World, door: Door) -> None:
    assert refused(world) in " ".join(door("history", "1").out.split())
    entries = door("history", "1", "--json").facts["entries"]
    (refusal,) = [entry for entry in entries if entry["what"] == "attempt"]
    assert (refusal["cause"], refusal["error"], refusal["then"]) == ("refused", refused(world), "idle")
    assert all(entry["what"] == "push" for entry in door("history", "2", "--json").facts["entries"])


def test_explain_names_the_picture(synced: Answer, world: World, door: Door) -> None:
    told = " ".join(door("explain", "1").out.split())
    assert f"poster refused {why(world)}" in told
    assert "1 field would be changed" in told
    assert f"in sync, but {NO_PICTURE}" in " ".join(door("explain", "3").out.split())


def test_with_posters_switched_off_nothing_is_missing(synced: Answer, world: World, door: Door) -> None:
    world.settings["poster"] = "none"
    assert "but" not in door("status", "1").out


def test_the_settings_choose_the_sources_and_the_logo(world: World, door: Door) -> None:
    world.settings |= {"poster": "gallery, cover", "background": "gallery", "poster_logo": "top_left"}
    gallery = png(0, 0, 200, width=20, height=30)
    ids = world.add(2)
    for id in ids:
        world.stash.set_cover(id, png(200, 0, 0))
    world.stash.add_gallery(1, gallery)
    assert door("sync", "1", "2", "--wait").code == 0
    items = [world.plex.item(key) for key in world.plex.keys(world.section)]
    assert [item.poster for item in items] == [key_of("thumb", gallery), key_of("thumb", png(200, 0, 0))]
    assert [item.art for item in items] == [key_of("art", gallery), None]
