"""undo and release: what they ask, tell, want and see through."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import World


@pytest.fixture
def pushed(world: World, door: Door) -> World:
    """Three scenes that are in step."""
    ids = world.add(3)
    assert door("sync", *ids, "--wait").code == 0
    return world


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars.get("title") for key in world.plex.keys(world.section)]


FOUND = ["scene 00000", "scene 00001", "scene 00002"]


def test_undo_marks_the_scenes_and_returns(pushed: World, door: Door) -> None:
    writes = pushed.plex.count("PUT")
    done = door("undo", "1")
    assert done.code == 0
    assert "1 scene to be taken back" in done.out
    assert "plexsync serve" in done.out
    assert pushed.plex.count("PUT") == writes
    assert pushed.count("ready") == 1
    assert door("drain").code == 0
    assert titles(pushed) == [FOUND[0], "Title 1", "Title 2"]


def test_undo_of_everything_asks_once_and_a_no_changes_nothing(pushed: World, door: Door) -> None:
    refused = door("undo", "--all", answer="n\n")
    assert refused.code == 1
    assert "Take back everything that PlexSync wrote: 3 scenes?" in refused.err
    assert "nothing was changed" in refused.err
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}
    assert door("undo", "--all").code == 2, "nobody is there to ask"
    assert door("undo", "--all", "--wait", answer="y\n").code == 0
    assert titles(pushed) == FOUND


def test_undo_and_wait_sees_it_through(pushed: World, door: Door) -> None:
    done = door("undo", "--all", "--yes", "--wait", "--json")
    assert done.code == 0
    assert done.facts == {"undone": 3, "outcomes": {"undone": 3}, "causes": {}, "why": ""}
    assert titles(pushed) == FOUND
    assert "3 taken back" in door("undo", "--all", "--yes", "--wait").out


def test_a_dry_run_tells_each_field_with_counts_and_changes_nothing(pushed: World, door: Door) -> None:
    key = pushed.plex.keys(pushed.section)[0]
    pushed.plex.hand_edit(key, title="By hand")
    writes, rows = pushed.plex.count("PUT"), pushed.rows("select state, wanted_rev from job")
    facts = door("undo", "--all", "--dry-run", "--json").facts
    assert facts["counts"] == {
        "scenes": 3,
        "items": 3,
        "restore": 14,
        "remove": 9,
        "unlock": 0,
        "lock": 0,
        "leave": 1,
    }
    first = {field["field"]: field for field in facts["scenes"][0]["items"][0]["fields"]}
    assert (first["title"]["action"], first["title"]["then"]) == ("leave", "By hand")
    assert (first["summary"]["now"], first["summary"]["then"]) == ("What happens in 0.", "")
    assert (first["summary"]["locked"], first["summary"]["then_locked"]) == (True, False)
    assert first["genre"]["removes"] == ["Tag 0"]
    told = door("undo", "--all", "--dry-run").out
    for words in (
        "Scene 1",
        "By hand",
        "restore",
        "remove",
        "lists without the names that PlexSync added",
        "left as they are",
        "done for 3 scenes",
    ):
        assert words in told
    assert pushed.plex.count("PUT") == writes
    assert pushed.rows("select state, wanted_rev from job") == rows
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}


def test_release_keeps_the_values_and_takes_off_the_locks(pushed: World, door: Door) -> None:
    facts = door("release", "--all", "--dry-run", "--json").facts
    assert facts["counts"]["unlock"] == 21
    assert facts["counts"]["restore"] == facts["counts"]["remove"] == 0
    done = door("release", "--all", "--yes", "--wait")
    assert "3 released" in done.out
    assert titles(pushed) == ["Title 0", "Title 1", "Title 2"]
    assert {pushed.plex.item(key).locks for key in pushed.plex.keys(pushed.section)} == {frozenset()}
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 3}
    assert "3 scenes released" in door("status").out
    assert "released" in door("explain", "1", "--json").facts["verdict"]


def test_status_explain_and_history_say_that_a_scene_is_undone(pushed: World, door: Door) -> None:
    door("undo", "1")
    assert "still to be changed" in door("explain", "1", "--json").facts["verdict"]
    door("drain")
    facts = door("explain", "1", "--json").facts
    assert facts["undone"] == "undo"
    assert facts["verdict"].startswith("undone")
    assert all(field["action"].startswith("nothing") for field in facts["targets"][0]["fields"])
    assert "1 scene undone" in door("status").out
    entries = door("history", "1", "--json").facts["entries"]
    assert [entry["what"] for entry in entries] == ["undo", "push"]
    assert "undo, item" in door("history", "1").out
    report = door("reconcile", "--json").facts
    assert (report["undone"], report["in_step"], report["wanted"]) == (1, 2, 0)


def test_undo_since_takes_the_scenes_pushed_since_then(pushed: World, door: Door) -> None:
    assert door("undo", "--since", "2999-12-31", "--json").facts == {"undone": 0}
    assert door("undo", "--since", "1h", "--yes", "--json").facts == {"undone": 3}
    door("drain")
    assert titles(pushed) == FOUND


def test_a_run_is_listed_and_taken_back_by_its_number(pushed: World, door: Door) -> None:
    (run,) = door("undo", "--runs", "--json").facts["runs"]
    assert run["scenes"] == 3
    assert f"{run['run']}" in door("undo", "--runs").out
    assert door("undo", "--run", "999").code == 2
    assert door("undo", "--run", str(run["run"]), "--yes", "--wait").code == 0
    assert titles(pushed) == FOUND
    assert door("undo", "--runs", "--json").facts["runs"] == [run], "what took something back is no run"


def test_there_is_no_run_before_anything_was_pushed(world: World, door: Door) -> None:
    assert "nothing was pushed yet" in door("undo", "--runs").out
    assert door("undo", "--runs", "--json").facts == {"runs": []}


@pytest.mark.parametrize("words", [(), ("--all", "1"), ("--since", "2h", "--all"), ("--runs", "1")])
def test_undo_wants_to_know_which(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door("undo", *words)
    assert done.code == 2
    assert "say which scenes" in done.err


def test_scenes_that_were_never_pushed_are_named(pushed: World, door: Door) -> None:
    done = door("undo", "1", "77", "78", "--yes", "--json")
    assert done.code == 1
    assert done.facts == {"undone": 1, "nothing_pushed": [77, 78]}
    assert "nothing was pushed for scenes 77, 78" in done.err


def test_an_ignored_scene_is_taken_back_and_stays_ignored(pushed: World, door: Door) -> None:
    door("ignore", "2")
    done = door("undo", "2", "--wait")
    assert (done.code, done.out, done.err) == (0, "1 taken back, still ignored\n", "")
    assert titles(pushed)[1] == FOUND[1]
    assert [scene["id"] for scene in door("ignore", "--list", "--json").facts["scenes"]] == [2]


def test_undo_while_stash_is_away_says_so_and_marks_nothing(pushed: World, door: Door) -> None:
    pushed.stash.faults.set(Fault("refuse"))
    done = door("undo", "--all", "--yes")
    assert done.code == 1
    assert "Stash" in done.err
    pushed.stash.faults.clear()
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}


def test_undo_that_plex_refuses_is_told(pushed: World, door: Door, refusing: Callable[..., None]) -> None:
    refusing(1)
    done = door("undo", "1", "2", "--yes", "--wait")
    assert done.code == 1
    assert "1 taken back, 1 needs you (refused 1)" in done.out
    pushed.plex.faults.clear()
    assert door("dlq", "retry", "1").code == 0
    assert door("drain").code == 0
    assert titles(pushed)[:2] == FOUND[:2]


def test_undo_where_nothing_was_pushed_yet_is_done_at_once(world: World, door: Door) -> None:
    assert door("undo", "--all", "--wait").out == "nothing to do\n"
    assert door("undo", "--all", "--dry-run", "--json").facts["counts"]["scenes"] == 0


def test_undo_of_everything_drops_what_waits_for_its_first_push(pushed: World, door: Door) -> None:
    waiting = pushed.add(1, start=3)
    door("sync", *waiting)
    done = door("undo", "--all", "--yes", "--wait", "--json")
    assert (done.code, done.facts["undone"], done.facts["dropped"]) == (0, 3, 1)
    assert "1 row of the queue dropped" in done.err
    assert titles(pushed) == [*FOUND, "scene 00003"]


def test_a_deleted_scene_is_taken_back_when_the_setting_says_so(pushed: World, door: Door) -> None:
    pushed.settings["when_gone"] = "undo"
    pushed.stash.destroy_scene(2)
    assert door("sync", "2", "--wait", "--json").facts["outcomes"] == {"gone": 1}
    assert titles(pushed) == ["Title 0", FOUND[1], "Title 2"]
    told = door("explain", "2", "--json")
    assert told.code == 1
    assert told.facts["verdict"].startswith("Stash has no scene 2; undone")


def test_a_dry_run_of_many_shows_the_first_twenty_and_how_much_there_is_of_each_library(
    world: World, door: Door
) -> None:
    world.add(30)
    second = world.plex.add_section("Clips", locations=("/media/clips",))
    for n in range(15):
        path = f"/media/clips/{n}.mp4"
        world.plex.add_movie(second, files=[(path, n + 1, 60_000)], title=f"clip {n}")
        world.stash.add_scene(title=f"Clip {n}", files=[(path, n + 1, 60.0)])
    assert door("sync", "--all", "--wait").code == 0
    shown = door("undo", "--all", "--dry-run").out
    assert shown.count("\nScene ") + shown.startswith("Scene ") == 20
    for words in (
        r"scenes +Movies +30 +\d+ restore, \d+ remove",
        r"scenes +Clips +15 +15 restore",
        r"These are the first 20; 25 more are not shown here: --list shows all, --json tells all",
        r"done for 45 scenes and 45 items",
    ):
        assert re.search(words, shown), shown
    whole = door("undo", "--all", "--dry-run", "--list").out
    assert whole.count("\nScene ") + whole.startswith("Scene ") == 45
    assert "not shown here" not in whole
    assert len(door("undo", "--all", "--dry-run", "--json").facts["scenes"]) == 45


def test_a_list_on_a_terminal_is_shown_in_a_pager(
    pushed: World, door: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paged = tmp_path / "paged"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("pydoc.pager", paged.write_text)
    assert door("undo", "--all", "--dry-run", "--list").code == 0
    assert all(f"Scene {id}" in paged.read_text() for id in (1, 2, 3))
