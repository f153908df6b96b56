"""undo --all and release --all: one question about every kind, and what was there before comes back, of every kind."""

import html
import re

import pytest

from plexsync.app.parts import open_parts
from plexsync.app.way_back import way_back_of
from plexsync.rules.plays.first_plays import approval_text
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.simulator.stash_images import png
from tests.cli.conftest import Door
from tests.flows.import_stage import KNOWN
from tests.journey.world import World, until
from tests.web.conftest import dashboard
from tests.web.stage import config_of
from tests.web.test_api import post
from tests.web.test_pages import plain

AT = 1_700_000_000
SCENES = (1, 2, 3, 4)
# A playlist of a person's own.
HERS = "Her list"


@pytest.fixture
def full(world: World, door: Door) -> World:
    """Scenes, a tag of a playlist, and an item with values that Stash lacks; every kind of writing is on."""
    world.settings |= {
        "collections": "studio",
        "collection_parts": "name,summary",
        "labels": "Synced",
        "playlists": "children of: Playlists",
        "watch_back": "plays+resume",
        "rating_direction": "both",
    }
    world.add(3)
    for n in range(3):
        world.stash.edit_object("studio", f"Studio {n}", details=f"Films of {n}.")
    path = "/media/scenes/film.mp4"
    world.plex.add_movie(world.section, files=[(path, 1, 60_000)], **{**KNOWN, "userRating": None})
    world.stash.add_scene(files=[(path, 1, 60.0)])
    world.stash.set_tag_parents("Evening", ["Playlists"])
    world.stash.edit_object("tag", "Evening", description="After work.", image=png(1, 2, 3))
    for id in SCENES[:2]:
        world.stash.edit_scene(id, tags=["Evening"])
    world.plex.add_playlist(HERS, world.plex.keys(world.section)[0])
    return world


def write_all(world: World, door: Door) -> None:
    keys = world.plex.keys(world.section)
    assert door("import", "--yes").code == 0
    for _ in range(2):
        assert door("sync", "--all", "--yes", "--wait").code == 0
        assert door("drain").code == 0
    world.plex.play(keys[1], at=AT)
    world.plex.pause(keys[2], 31_000)
    world.plex.hand_edit(keys[0], locked=False, userRating=6)
    with open_parts(config_of(world), world.folder) as parts:
        with parts.store.writing() as tx:
            approved = approval_text(world.plex.machine, 1, watch_since=0, since=0, at=0, minimum="stash")
            tx.notes.save(PLAYS_APPROVED, approved)
        back = way_back_of(parts)
        assert back
        assert back.resume
        assert (back.history.poll(), back.resume.poll()) == ("", "")
    assert door("sync", "1", "--wait").code == 0
    until(lambda: door("drain").code == 0 and not door("plays", "status", "--json").facts["waiting"])
    assert world.stash.plays.of(2)
    assert world.stash.scene(1).rating100 == 60
    assert world.stash.scene(3).resume_time == 31
    assert world.stash.scene(4).title == "The film"
    assert len(world.plex.playlists()) == 2


def in_plex(world: World) -> object:
    """Everything that people see in Plex, but plays."""
    items = [world.plex.item(key) for key in world.plex.keys(world.section)]
    lists = world.plex.playlists()
    own = ("viewCount", "viewOffset", "lastViewedAt")
    return (
        [
            (
                {name: value for name, value in item.scalars.items() if name not in own},
                {name: sorted(names) for name, names in item.lists.items() if names},
                item.locks,
            )
            for item in items
        ],
        {key: (world.plex.item(key).scalars, world.plex.item(key).locks) for key in collections(world).values()},
        {one.item.scalars["title"]: one.members for one in lists.values()},
    )


def collections(world: World) -> dict[str, str]:
    return world.plex.collection_keys(world.section)


def in_stash(world: World) -> object:
    scenes = [world.stash.scene(id) for id in SCENES]
    return [
        (
            *(scene.title, scene.details, scene.rating100, scene.tags, scene.performers, scene.resume_time),
            world.stash.plays.of(scene.id),
        )
        for scene in scenes
    ]


def test_undo_of_everything_leaves_both_servers_as_they_were(full: World, door: Door) -> None:
    before = in_plex(full), in_stash(full)
    write_all(full, door)
    asked = door("undo", "--all", answer="n\n")
    assert asked.code == 1
    words = " ".join(asked.err.split())
    for kind in (
        r"everything that PlexSync wrote: 4 scenes; ",
        r"\d collections? and 1 playlist",
        r"1 play and 1 resume point of 2 scenes",
        r"the ratings of \d scenes?",
        r"\d+ changes of import 1",
    ):
        assert re.search(kind, words), words
    assert len(full.plex.playlists()) == 2
    done = door("undo", "--all", "--wait", "--json", "--yes")
    assert done.code == 0, (done.out, done.err)
    assert {"undone", "collections", "plays", "ratings", "imports", "outcomes"} <= done.facts.keys()
    # What a person has rated since stays.
    assert full.plex.item(full.plex.keys(full.section)[0]).scalars["userRating"] == 6
    full.plex.hand_edit(full.plex.keys(full.section)[0], locked=False, userRating=None)
    plex, stash = before
    assert in_stash(full) == stash
    assert in_plex(full) == plex
    writes = full.plex.count("PUT")
    assert door("reconcile", "--wait").code == 0
    assert door("sync", "--all", "--yes", "--wait").code == 0
    assert door("drain").code == 0
    assert (full.plex.count("PUT"), in_stash(full), in_plex(full)) == (writes, stash, plex)


def locks(world: World) -> dict[str, frozenset[str]]:
    """The locks in Plex, by item and by collection."""
    keys = [*world.plex.keys(world.section), *collections(world).values()]
    return {key: found for key in keys if (found := world.plex.item(key).locks)}


def test_release_of_everything_gives_back_each_lock_of_each_kind(full: World, door: Door) -> None:
    full.settings |= {"collection_parts": "name,summary,poster,background,order", "poster": "cover"}
    full.stash.edit_object("studio", "Studio 2", image=png(4, 5, 6))
    first = full.plex.keys(full.section)[0]
    full.plex.hand_edit(first, tagline="Hers")
    write_all(full, door)
    key = collections(full)["Studio 1"]
    full.plex.hand_edit(key, contentRating="Hers")
    texts = {title: full.plex.item(key).scalars.get("summary") for title, key in collections(full).items()}
    assert {"summary", "title"} <= locks(full)[key]
    asked = door("release", "--all", answer="n\n")
    assert re.search(r"locks off everything: 4 scenes; \d collections and 1 playlist\?", " ".join(asked.err.split()))
    done = door("release", "--all", "--yes", "--wait")
    assert done.code == 0, (done.out, done.err)
    assert locks(full) == {first: {"tagline"}, key: {"contentRating"}}
    assert {title: full.plex.item(key).scalars.get("summary") for title, key in collections(full).items()} == texts
    assert len(full.plex.playlists()) == 2
    assert door("reconcile", "--wait").code == 0
    assert door("drain").code == 0
    assert locks(full) == {first: {"tagline"}, key: {"contentRating"}}


def test_the_page_the_api_and_the_command_take_everything_back(full: World, door: Door) -> None:
    before = in_plex(full), in_stash(full)
    write_all(full, door)
    with dashboard(full) as dash:
        assert "/act/everything/undo?all=1" in dash.get("/runs").text
        page = plain(html.unescape(dash.get("/act/everything/undo?all=1").text))
        assert re.search(
            r"Take back everything that PlexSync wrote: 4 scenes; \d collections and 1 playlist; 1 play", page
        )
        assert "Scene 1" in page
        code, facts = post(dash, "/api/everything/undo", {"all": True})
        assert (code, facts["undone"], facts["plays"]["plays"]) == (200, 4, 1)
    until(lambda: door("drain").code == 0 and full.count("ready") == 0)
    full.plex.hand_edit(full.plex.keys(full.section)[0], locked=False, userRating=None)
    assert (in_plex(full), in_stash(full)) == before


def test_what_waits_for_its_first_write_is_not_written_after_all(full: World, door: Door) -> None:
    assert door("sync", "3", "--wait").code == 0
    before = in_plex(full)
    assert door("sync", "1", "2").code == 0
    assert door("undo", "--all", "--yes", "--wait").code == 0
    with open_parts(config_of(full), full.folder) as parts, parts.store.reading() as db:
        assert {row.undone.value for row in db.collections.every()} == {"undo"}
    assert door("reconcile").code == 0
    assert door("drain").code == 0
    assert before != in_plex(full)
    assert [one.item.scalars["title"] for one in full.plex.playlists().values()] == [HERS]
