"""Undone scenes in every command, and redo, which ends an undo."""

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World

FOUND = ["scene 00000", "scene 00001", "scene 00002"]
TITLES = ["Title 0", "Title 1", "Title 2"]


@pytest.fixture
def undone(world: World, door: Door) -> World:
    """Three scenes: 1 is undone, 2 released, 3 in sync."""
    world.add(3)
    assert door("sync", "1", "2", "3", "--wait").code == 0
    assert door("undo", "1", "--wait").code == 0
    assert door("release", "2", "--wait").code == 0
    return world


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars.get("title") for key in world.plex.keys(world.section)]


def counts(door: Door) -> dict[str, int]:
    scenes = door("status", "--json").facts["scenes"]
    return {name: entry["count"] for name, entry in scenes.items() if entry["count"]}


def test_undone_and_released_scenes_are_not_counted_as_in_sync(undone: World, door: Door) -> None:
    assert counts(door) == {"in_step": 1, "undone": 1, "released": 1}
    text = door("status").out.split()
    scenes, queue = text[text.index("Scenes") : text.index("Queue")], text[text.index("Queue") : text.index("Servers")]
    for words in (scenes, queue):
        assert words[words.index("sync") + 1] == "1", "in sync"
        assert (words[words.index("undone") + 1], words[words.index("released") + 1]) == ("1", "1")
    assert "plexsync redo" in door("status").out
    assert door("status", "--json").facts["jobs"]["idle"] == 3, "in the books nothing has changed"


def test_status_and_explain_of_a_scene_name_its_status(undone: World, door: Door) -> None:
    assert [door("status", id, "--json").facts["stands"] for id in (1, 2, 3)] == ["undone", "released", "in_step"]
    assert [door("explain", id, "--json").facts["stands"] for id in (1, 2, 3)] == ["undone", "released", "in_step"]
    assert "is released since" in door("status", "2").out
    assert "plexsync redo 1" in door("explain", "1").out
    assert "in sync" not in door("explain", "1").out


def test_a_sync_of_everything_counts_undone_scenes_as_undone(undone: World, door: Door) -> None:
    done = door("sync", "--all", "--wait")
    assert (done.code, done.out) == (0, "1 in sync, 1 undone, 1 released\n")
    assert door("undo", "--all", "--yes", "--wait").out == "3 taken back\n"
    assert door("sync", "--all", "--wait", "--json").facts["outcomes"] == {"undone": 3}
    assert titles(undone) == [FOUND[0], TITLES[1], FOUND[2]], "released values are Plex's own"


def test_a_drain_tells_how_many_were_undone(undone: World, door: Door) -> None:
    door("undo", "3")
    assert door("drain").out == "1 undone\n"


def test_a_sync_of_an_undone_scene_says_how_to_redo_and_changes_nothing(undone: World, door: Door) -> None:
    before, writes = undone.rows("select id, state, wanted_rev from job"), undone.plex.count("PUT")
    done = door("sync", "1", "2")
    assert done.code == 1
    assert done.err.splitlines() == [
        "plexsync: Scene 1 is undone, so it was not queued: an edit in Stash ends that by itself, plexsync redo 1 at once",
        "plexsync: Scene 2 is released, so it was not queued: an edit in Stash ends that by itself, plexsync redo 2 at once",
    ]
    assert done.out == ""
    assert door("sync", "1", "3", "--json").facts == {"wanted": 1, "undone": [1]}
    assert undone.rows("select id, state, wanted_rev from job where id < 3") == before[:2]
    waited = door("sync", "1", "3", "--wait")
    assert (waited.code, waited.out) == (1, "1 in sync, 1 undone\n")
    assert "Scene 1 is undone: nothing is written until you edit it in Stash, or plexsync redo 1" in waited.err
    assert undone.plex.count("PUT") == writes
    assert counts(door) == {"in_step": 1, "undone": 1, "released": 1}


def test_a_sync_that_waits_syncs_an_undone_scene_that_was_edited_just_now(undone: World, door: Door) -> None:
    undone.stash.edit_scene(1, title="Edited")
    done = door("sync", "1", "--wait")
    assert (done.code, done.out) == (0, "1 in sync\n")
    assert titles(undone)[0] == "Edited"


def test_redo_of_a_scene_queues_it_and_it_is_synced_again(undone: World, door: Door) -> None:
    done = door("redo", "1")
    assert done.code == 0
    assert done.out == "1 scene to be synced again; no worker runs: start plexsync serve, or run plexsync drain\n"
    assert counts(door) == {"waiting": 1, "in_step": 1, "released": 1}
    assert door("drain").out == "1 in sync\n"
    assert titles(undone)[0] == TITLES[0]
    assert counts(door) == {"in_step": 2, "released": 1}


def test_redo_of_everything_asks_once_and_sees_it_through(undone: World, door: Door) -> None:
    refused = door("redo", "--all", answer="n\n")
    assert refused.code == 1
    assert "Sync 2 scenes again?" in refused.err
    assert counts(door) == {"in_step": 1, "undone": 1, "released": 1}
    done = door("redo", "--all", "--yes", "--wait", "--json")
    assert done.code == 0
    assert done.facts == {"redone": 2, "outcomes": {"in_step": 2}, "causes": {}, "why": ""}
    assert titles(undone) == TITLES
    assert counts(door) == {"in_step": 3}
    assert door("redo", "--all", "--wait").out == "nothing to do\n"


def test_a_run_that_was_undone_is_redone_by_its_number(world: World, door: Door) -> None:
    world.add(3)
    door("sync", "--all", "--wait")
    (run,) = door("undo", "--runs", "--json").facts["runs"]
    assert door("undo", "--run", run["run"], "--yes", "--wait").code == 0
    assert door("redo", "--runs", "--json").facts["runs"] == [run]
    assert door("redo", "--run", "999").code == 2
    assert door("redo", "--run", run["run"], "--yes", "--wait").out == "3 in sync\n"
    redone, first = door("undo", "--runs", "--json").facts["runs"]
    assert (redone["scenes"], first) == (3, run)
    assert "you asked for it" in door("undo", "--runs").out
    assert titles(world) == TITLES


def test_redo_since_takes_the_scenes_undone_since_then(undone: World, door: Door) -> None:
    assert door("redo", "--since", "2999-12-31", "--json").facts == {"redone": 0}
    assert door("redo", "--since", "1h", "--yes", "--json").facts == {"redone": 2}


def test_a_dry_run_of_a_redo_tells_each_field_and_changes_nothing(undone: World, door: Door) -> None:
    rows, writes = undone.rows("select id, state, wanted_rev from job"), undone.plex.count("PUT")
    facts = door("redo", "--all", "--dry-run", "--json").facts
    assert (facts["dry_run"], facts["total"], facts["counts"]["would_change"]) == (True, 2, 2)
    first = {field["field"]: field for field in facts["scenes"][0]["items"][0]["fields"]}
    assert (first["title"]["old"], first["title"]["new"]) == (FOUND[0], TITLES[0])
    assert "Title 0" in door("redo", "1", "--dry-run").out
    assert undone.rows("select id, state, wanted_rev from job") == rows
    assert undone.plex.count("PUT") == writes
    assert counts(door) == {"in_step": 1, "undone": 1, "released": 1}
    door("redo", "--all", "--yes", "--wait")
    assert door("redo", "--all", "--dry-run", "--json").facts["total"] == 0, "nothing is undone, so nothing is compared"


def test_what_is_not_undone_ignored_or_gone_is_named_and_left_alone(undone: World, door: Door) -> None:
    door("ignore", "2")
    undone.stash.destroy_scene(1)
    assert door("sync", "1", "--wait").code == 1
    door("reconcile", "--wait")
    done = door("redo", "1", "2", "3", "77", "--yes", "--json")
    assert done.code == 1
    assert done.facts == {"redone": 0, "not_undone": [3, 77], "ignored": [2], "gone": [1]}
    for words in ("not undone: scenes 3, 77", "ignored, so left alone (plexsync unignore): scene 2", "gone from Stash"):
        assert words in done.err
    assert counts(door)["ignored"] == 1


@pytest.mark.parametrize("words", [(), ("--all", "1"), ("--since", "2h", "--all"), ("--runs", "1")])
def test_redo_wants_to_know_which(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door("redo", *words)
    assert done.code == 2
    assert "say which scenes" in done.err


def test_a_comparison_counts_undone_and_released_scenes_apart(undone: World, door: Door) -> None:
    report = door("reconcile", "--json").facts
    assert (report["undone"], report["released"], report["in_step"], report["wanted"]) == (1, 1, 1, 0)
    assert counts(door) == {"in_step": 1, "undone": 1, "released": 1}
