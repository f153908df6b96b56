"""plexsync import: what it shows, that it asks, what it writes beside a worker, and how it is taken back."""

import subprocess
import sys

import pytest

from plexsync.reports.imports import ImportFacts, ImportUndoFacts
from plexsync.simulator.http import Fault, Request
from plexsync.store.files.lock import IMPORT, is_locked, try_lock
from tests.cli.conftest import Door
from tests.conformity import Conformity
from tests.flows.import_stage import KNOWN, value_writes
from tests.journey.world import ROOT, World, until
from tests.patience import HANG
from tests.web.conftest import dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain

FIELDS = {"title": 1, "date": 1, "details": 1, "rating": 1, "performers": 1, "tags": 1}


@pytest.fixture
def ids(world: World) -> list[int]:
    """A scene without values whose item has all, with names that Stash lacks; and one in step."""
    world.settings["collections"] = "groups"
    path = "/media/scenes/film.mp4"
    world.plex.add_movie(world.section, files=[(path, 1, 60_000)], **KNOWN)
    return [world.stash.add_scene(files=[(path, 1, 60.0)]), *world.add(1)]


def writes(world: World) -> list[Request]:
    """The writes that Stash got."""
    return [request for request in world.stash.log if b"mutation" in request.body]


def test_a_dry_run_shows_each_field_and_writes_nothing(world: World, door: Door, ids: list[int]) -> None:
    done = door("import", "--dry-run", "--scene", ids[0])
    assert done.code == 0, done.err
    for line in (
        f"Scene {ids[0]}",
        "  title: The film",
        "  date: 2020-05-06",
        "  details: What happens.\\nAnd then.",
        "  rating: 83",
        "  studio left out: Big Studio: Stash does not have it (--create)",
        "1 scene: 1 to fill",
        "Not in Stash, so left out (--create creates them):",
        "  performer: Ann, Bo",
        "Covers are not part of it",
    ):
        assert line in done.out, done.out
    assert (writes(world), world.rows("select count(*) from import_change")) == ([], [(0,)])
    assert "(new)" in door("import", "--dry-run", "--create").out


def test_it_asks_once_and_a_no_changes_nothing(world: World, door: Door, ids: list[int]) -> None:
    done = door("import", "--create", answer="n\n")
    assert done.code == 1
    assert "Fill 7 fields of 1 scene in Stash, after creating 5 names?" in done.err
    assert "nothing was changed" in done.err
    assert writes(world) == []
    assert "give --yes" in door("import").err


def test_it_fills_the_fields_and_takes_them_back(world: World, door: Door, ids: list[int]) -> None:
    before = world.stash.scene(ids[0])
    done = door("import", "--create", answer="y\n")
    assert done.code == 0, done.err
    assert "7 fields of 1 scene filled" in done.out
    assert "This was import 1: plexsync import --undo 1 takes it back" in done.out
    assert world.stash.scene(ids[0]).performers == ("Ann", "Bo")
    assert door("import", "--create", "--yes").out.startswith("2 scenes: 0 to fill")

    assert door("sync", ids[0], "--wait").code == 0
    assert value_writes(world.plex.log) == []

    done = door("import", "--undo", "1", answer="y\n")
    assert done.code == 0, done.err
    assert "Take back 12 changes of import 1 in Stash?" in done.err
    assert "7 fields of 1 scene taken back" in done.out
    after = world.stash.scene(ids[0])
    assert (after.title, after.studio, after.performers, after.tags) == (before.title, None, (), ())
    assert door("import", "--undo", "9", "--yes").err == "plexsync: there is no import 9: the last one is 1\n"


def test_an_import_is_taken_back_by_every_door(world: World, door: Door, ids: list[int]) -> None:
    def fill() -> None:
        assert door("import", "--create", "--yes").code == 0
        assert world.stash.scene(ids[0]).title == "The film"

    before = world.stash.scene(ids[0]).title
    fill()
    shown = door("undo", "--of", "imports", "--all", "--dry-run")
    assert (shown.code, "12 changes of 1 import; nothing was changed" in shown.out) == (0, True)
    assert "The film" in shown.out
    done = door("undo", "--of", "imports", "1", "--yes")
    assert (done.code, "7 fields of 1 scene taken back" in done.out) == (0, True)
    assert world.stash.scene(ids[0]).title == before
    fill()
    with dashboard(world) as dash:
        code, facts = post(dash, "/api/imports/undo", {"run": 2})
        assert (code, Conformity().problems(facts, ImportUndoFacts, "undo")) == (200, [])
        assert world.stash.scene(ids[0]).title == before
        assert post(dash, "/api/imports/undo", {"imports": [9]}) == (
            409,
            {"error": "there is no import 9: the last one is 2"},
        )
        fill()
        assert "/act/imports/undo?pick=3" in dash.get("/runs").text
        assert "Take back 12 changes of import 3 in Stash?" in plain(dash.get("/act/imports/undo?pick=3").text)
        assert "7 fields of 1 scene taken back" in plain(dash.post("/act/imports/undo", pick="3").text)
    assert world.stash.scene(ids[0]).title == before
    assert "there is no import 9" in door("undo", "--of", "imports", "9").err


def test_the_answer_as_json(world: World, door: Door, ids: list[int]) -> None:
    facts = door("import", "--json", "--yes").facts
    assert Conformity().problems(facts, ImportFacts, "import") == []
    assert facts["counts"]["fields"] == {"title": 1, "date": 1, "details": 1, "rating": 1}
    assert [(name["kind"], name["name"]) for name in facts["missing"]][:1] == [("studio", "Big Studio")]
    assert (facts["outcome"]["scenes"], facts["outcome"]["fields"]) == ([ids[0]], 4)
    undone = door("import", "--undo", "1", "--yes", "--json").facts
    assert Conformity().problems(undone, ImportUndoFacts, "import --undo") == []
    assert undone["outcome"]["fields"] == 4
    assert door("import", "--json", "--dry-run").facts["outcome"] is None


def test_a_scene_that_was_named_and_cant_be_looked_at_is_an_error(world: World, door: Door, ids: list[int]) -> None:
    done = door("import", "--scene", "999", "998", "--dry-run")
    assert (done.code, "Scene 999: Stash has no such scene" in done.out) == (1, True)
    assert "Scene 998: Stash has no such scene" in done.out


@pytest.mark.parametrize("words", [("--undo", "1", "--create"), ("--undo", "1", "--dry-run"), ("--dry-run", "--yes")])
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], world: World, door: Door) -> None:
    assert door("import", *words).code == 2


def test_what_stash_refuses_is_named_and_the_next_call_says_what_is_open(
    world: World, door: Door, ids: list[int]
) -> None:
    world.stash.faults.set(Fault("status", status=500, when=lambda request: b"sceneUpdate" in request.body))
    done = door("import", "--yes")
    assert done.code == 1
    assert f"plexsync: scene {ids[0]}: " in done.err
    world.stash.faults.clear()
    done = door("import", "--undo", "1", "--yes")
    assert done.code == 1
    assert "4 changes may still be on the way to Stash" in done.err


def test_another_import_at_the_same_time_is_refused(world: World, door: Door, ids: list[int]) -> None:
    door("status")
    lock = try_lock(world.folder, IMPORT)
    assert lock is not None
    with lock:
        done = door("import", "--yes")
    assert (done.code, "another import is writing to Stash" in done.err) == (1, True)
    assert writes(world) == []


def test_beside_a_worker_it_waits_for_the_turn_and_the_worker_goes_on_after_it(
    world: World, door: Door, ids: list[int]
) -> None:
    with world.serving():
        until(lambda: world.count("idle") == 2)
        # By now the worker has written the name of the file: that title is PlexSync's own.
        one, two = world.plex.keys(world.section)
        assert world.plex.item(one).scalars["title"] == "film"
        done = door("import", "--create", "--yes")
        assert done.code == 0, done.err
        scene = world.stash.scene(ids[0])
        assert (scene.title, scene.performers) == ("", ("Ann", "Bo"))
        assert not is_locked(world.folder, IMPORT)
        world.stash.edit_scene(ids[1], title="Edited after it")
        until(lambda: world.plex.item(two).scalars["title"] == "Edited after it")


HOLDS = """
import sys
from plexsync.store.files.lock import IMPORT, try_lock
lock = try_lock(sys.argv[1], IMPORT)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_worker_stands_still_while_an_import_writes_and_goes_on_when_it_is_killed(world: World) -> None:
    (id,) = world.add(1)
    with world.serving():
        until(lambda: world.in_step([id]))
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(world.folder)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert holder.stdout.readline() == "held\n"
            until(lambda: bool(world.rows("select 1 from note where name = 'import:turn' and value <> ''")))
            world.stash.edit_scene(id, title="Edited")
            assert world.run("sync", str(id)).returncode == 0
            assert world.count("ready") == 1
            assert not world.in_step([id])
        finally:
            holder.kill()
            holder.wait(timeout=HANG)
            holder.stdin.close()
            holder.stdout.close()
        until(lambda: world.in_step([id]))
