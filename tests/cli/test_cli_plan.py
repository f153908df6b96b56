"""A plan as a file: `sync --dry-run --out` makes it, and `sync --apply` writes what is in it and still true."""

import json
import stat
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from plexsync.app import plan_file
from plexsync.rules.servers.errors import Unusable
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World
from tests.tables import table


@pytest.fixture
def edited(world: World, door: Door) -> World:
    """Scenes 1 to 4 in sync; 1 and 2 were edited since."""
    world.add(4)
    assert door("sync", "--all", "--wait").code == 0
    for id in (1, 2):
        world.stash.quiet_edit(id, title=f"New {id}", tags=["Fresh"])
    return world


def shown(world: World, id: int) -> tuple[object, list[str]]:
    item = world.plex.item(world.plex.keys(world.section)[id - 1])
    return item.scalars["title"], list(item.lists["genre"])


def write_plan(door: Door) -> dict:
    assert door("sync", "--all", "--dry-run", "--out", "plan.json").code == 0
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def rewrite(plan: dict) -> None:
    Path("plan.json").write_text(json.dumps(plan, sort_keys=True), encoding="utf-8")


def test_a_plan_lists_each_change_and_holds_no_secret(edited: World, door: Door, tmp_path) -> None:
    done = door("sync", "--all", "--dry-run", "--out", "plan.json")
    assert done.code == 0
    assert "the plan is in plan.json: plexsync sync --apply plan.json writes it" in done.out
    text = (tmp_path / "plan.json").read_text()
    plan = json.loads(text)
    assert (plan["plexsync_plan"], plan["take_over"], [scene["id"] for scene in plan["scenes"]]) == (1, False, [1, 2])
    changes = {field["field"]: field for field in plan["scenes"][0]["items"][0]["fields"]}
    assert changes["title"] == {
        "field": "title", "old": "Title 0", "new": "New 1", "adds": [], "removes": [], "was_locked": True, "locked": True
    }  # fmt: skip
    assert not any(secret in text for secret in (TOKEN, KEY, edited.plex.url, edited.stash.url))
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert "exists already" in door("sync", "--all", "--dry-run", "--out", "plan.json").err
    assert door("sync", "--all", "--dry-run", "--out", "plan.json", "--force", "--json").facts["file"] == "plan.json"
    assert edited.plex.count("PUT") > 0


def test_a_plan_is_applied_as_it_is(edited: World, door: Door) -> None:
    write_plan(door)
    done = door("sync", "--apply", "plan.json", "--wait")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == ["2 scenes queued with 4 approved changes", "2 in sync"]
    assert [shown(edited, id) for id in (1, 2)] == [("New 1", ["Fresh"]), ("New 2", ["Fresh"])]
    again = door("sync", "--apply", "plan.json", "--json")
    assert (again.code, again.facts) == (0, {"wanted": 0, "changes": 0, "already": 2, "refused": []})


def test_only_what_was_left_in_the_plan_is_written(edited: World, door: Door) -> None:
    plan = write_plan(door)
    del plan["scenes"][1]
    (item,) = plan["scenes"][0]["items"]
    item["fields"] = [field for field in item["fields"] if field["field"] == "title"]
    rewrite(plan)
    done = door("sync", "--apply", "plan.json", "--wait")
    assert (done.code, done.out.splitlines()[:2]) == (0, ["1 scene queued with 1 approved change", "1 skipped"])
    assert [shown(edited, id) for id in (1, 2)] == [("New 1", ["Tag 0"]), ("Title 1", ["Tag 1"])]
    told = door("explain", "1").out
    assert "skipped: you approved only a part of its changes" in told
    assert "dropped, since" not in told
    assert door("reconcile", "--wait").code == 0
    assert [shown(edited, id) for id in (1, 2)] == [("New 1", ["Fresh"]), ("New 2", ["Fresh"])]


@pytest.mark.parametrize("words", [("dlq", "retry", "--all"), ("redo", "--all", "--yes"), ("redo", "1")])
def test_what_was_skipped_is_taken_up_by_each_command_for_everything(
    words: tuple[str, ...], edited: World, door: Door
) -> None:
    plan = write_plan(door)
    del plan["scenes"][1]
    (item,) = plan["scenes"][0]["items"]
    item["fields"] = [field for field in item["fields"] if field["field"] == "title"]
    rewrite(plan)
    assert door("sync", "--apply", "plan.json", "--wait").out.splitlines()[1] == "1 skipped"
    done = door(*words)
    assert (done.code, done.out.split()[:2]) == (0, ["1", "scene"])
    door("drain")
    assert [shown(edited, id) for id in (1, 2)] == [("New 1", ["Fresh"]), ("Title 1", ["Tag 1"])]


def test_a_scene_that_changed_since_is_refused_and_the_others_are_written(edited: World, door: Door) -> None:
    write_plan(door)
    edited.stash.quiet_edit(1, title="Newer")
    done = door("sync", "--apply", "plan.json", "--wait")
    assert done.code == 1
    assert "scene 1: nothing was written: its title would become something else now" in done.err
    assert [shown(edited, id)[0] for id in (1, 2)] == ["Title 0", "New 2"]
    key = edited.plex.keys(edited.section)[0]
    edited.plex.hand_edit(key, title="By hand", locked=False)
    facts = door("sync", "--apply", "plan.json", "--json").facts
    assert facts["refused"] == [{"scene": 1, "why": "its title has changed in Plex"}]
    assert shown(edited, 1)[0] == "By hand"


def test_a_value_that_was_put_into_the_plan_is_never_written(edited: World, door: Door) -> None:
    plan = write_plan(door)
    for field in plan["scenes"][0]["items"][0]["fields"]:
        if field["field"] == "title":
            field["new"] = "Forged"
    rewrite(plan)
    assert door("sync", "--apply", "plan.json", "--wait").code == 1
    assert shown(edited, 1) == ("Title 0", ["Tag 0"])


def test_a_plan_for_other_settings_is_refused_as_a_whole(edited: World, door: Door) -> None:
    write_plan(door)
    edited.settings["sync_genres"] = "false"
    edited.plex.clear_log()
    done = door("sync", "--apply", "plan.json", "--wait")
    assert done.code == 1
    assert "plan.json is no longer true: the settings that decide what Plex shows have changed" in done.err
    assert edited.plex.count("PUT") == 0
    assert "error" in door("sync", "--apply", "plan.json", "--json").facts


@pytest.mark.parametrize("which", ["plex", "stash"])
def test_a_plan_for_another_server_is_refused_as_a_whole(edited: World, door: Door, which: str) -> None:
    plan = write_plan(door)
    rewrite({**plan, which: "0" * 16})
    done = door("sync", "--apply", "plan.json")
    assert done.code == 1
    assert "plan.json is no longer true: " in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is not valid JSON"),
        ("[]", "it is not valid JSON"),
        ('{"plexsync_plan": 1', "it is not valid JSON"),
        ("{} {}", "it is not valid JSON"),
        ("{}", "plexsync_plan is missing"),
        ('{"plexsync_plan": true}', "plexsync_plan is missing"),
        ('{"plexsync_plan": 2}', "it has version 2, and this PlexSync reads version 1"),
        ('{"plexsync_plan": 1, "scenes": []}', "plex must be a text"),
        ('{"plexsync_plan": 1, "scenes": {}}', "it is not valid JSON"),
        ('{"plexsync_plan": 1, "scenes": [3]}', "a scene must be an object"),
        ('{"scenes": [{"id": 7, "items": []}, {"id": 7, "items": []}]}', "scene 7 is in it twice"),
        ("[" * 100_000, "it is not valid JSON"),
        ('{"a": ' + "[" * 100_000, "it is not valid JSON"),
    ],
    ids=range(13),
)
def test_a_bad_file_is_refused_in_one_line(door: Door, tmp_path, text: str, words: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    done = door("sync", "--apply", "plan.json")
    assert (done.code, done.err) == (2, f"plexsync: plan.json is no plan: {words}\n")


def test_a_file_that_is_not_there_or_not_text_is_refused_in_one_line(door: Door, tmp_path) -> None:
    assert door("sync", "--apply", "no.json").err == "plexsync: no.json can't be read: No such file or directory\n"
    (tmp_path / "plan.json").write_bytes(b'{"a": "\xff"}')
    assert door("sync", "--apply", "plan.json").err == "plexsync: plan.json is no plan: it is not valid JSON\n"


def test_a_dry_run_that_did_not_end_leaves_no_plan(world: World, door: Door, tmp_path) -> None:
    world.add(120)
    door("sync", "1", "--wait")
    asked = []

    def later(request) -> bool:
        details = request.path.startswith("/library/metadata/")
        asked.extend([request] * details)
        return details and len(asked) > 1

    world.plex.faults.set(Fault("status", status=500, when=later))
    done = door("sync", "--all", "--dry-run", "--out", "plan.json")
    assert (done.code, list(tmp_path.glob("*plan*"))) == (2, [])
    assert "no plan was written: Plex" in done.err


@table("size", [*range(1, 40), 1_000, plan_file.CHUNK])
def test_a_plan_is_read_alike_whatever_pieces_it_comes_in(tmp_path, monkeypatch, size: int) -> None:
    path, head = tmp_path / "plan.json", plan_file.PlanHead("plex", "stash", "settings", take_over=True, made_at="now")
    with path.open("w", encoding="utf-8") as out:
        out.write(json.dumps({"plexsync_plan": plan_file.VERSION, **asdict(head)})[:-1] + ', "scenes": [')
        for id in (7, 12_345, 678_901):
            out.write("," * (id != 7) + json.dumps({"id": id, "title": "[}, " * 9, "items": []}))
        out.write("]}")
    path.write_text(f' {{ "later": 1234567890 , {path.read_text(encoding="utf-8")[1:]} \n\t\r\n', encoding="utf-8")
    monkeypatch.setattr(plan_file, "CHUNK", size)
    assert plan_file.head_in(path) == (head, 3)
    assert [scene.id for scene in plan_file.scenes_in(path)] == [7, 12_345, 678_901]


def test_a_value_that_is_longer_than_any_of_a_plan_is_not_read_to_its_end(tmp_path, monkeypatch) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"plex": "' + "x" * 1_000 + '"}', encoding="utf-8")
    monkeypatch.setattr(plan_file, "CHUNK", 10)
    monkeypatch.setattr(plan_file, "LONGEST", 500)
    with pytest.raises(Unusable, match="it is not valid JSON"):
        plan_file.head_in(path)
    monkeypatch.setattr(plan_file, "LONGEST", 2_000)
    with pytest.raises(Unusable, match="plexsync_plan is missing"):
        plan_file.head_in(path)


def test_a_long_plan_is_read_piece_by_piece(world: World, door: Door) -> None:
    world.add(60)
    world.unset = ("approve_bulk",)
    assert door("sync", "1", "--wait").code == 0
    plan = write_plan(door)
    assert len(plan["scenes"]) == 59
    Path("plan.json").write_text(json.dumps(plan, indent=8), encoding="utf-8")
    done = door("sync", "--apply", "plan.json", "--wait")
    assert (done.code, done.out.splitlines()[1]) == (0, "59 in sync")
    assert "the first write of the whole library still waits for your approval" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ("--apply", "p", "7"),
        ("--apply", "p", "--all"),
        ("--apply", "p", "--dry-run"),
        ("--all", "--out", "p"),
        ("--all", "--dry-run", "--out", "-"),
        ("--all", "--dry-run", "--force"),
    ],
)
def test_options_that_contradict_each_other_are_refused(door: Door, words: tuple[str, ...]) -> None:
    assert door("sync", *words).code == 2
