"""Plays, resume points and watched times of a simulated Stash: each effect that was measured on a real one."""

import json
import sys
import urllib.request
from random import Random

import pytest

from plexsync.simulator.stash_graphql import StashError
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim

NOW = "2023-11-14T22:13:20Z"
NOW_SECONDS = 1_700_000_000
OLD, NEW = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"

ADD = "mutation ($id: ID!, $times: [Timestamp!]) { plays: sceneAddPlay(id: $id, times: $times) { count history } }"
DELETE = (
    "mutation ($id: ID!, $times: [Timestamp!]) { plays: sceneDeletePlay(id: $id, times: $times) { count history } }"
)
SAVE = """mutation ($id: ID!, $resume: Float, $duration: Float) {
  done: sceneSaveActivity(id: $id, resume_time: $resume, playDuration: $duration) }"""
RESET = """mutation ($id: ID!, $resume: Boolean, $duration: Boolean) {
  done: sceneResetActivity(id: $id, reset_resume: $resume, reset_duration: $duration) }"""
UPDATE = "mutation ($in: SceneUpdateInput!) { sceneUpdate(input: $in) { id } }"


@pytest.fixture
def stash():
    with StashSim() as sim:
        sim.now = lambda: NOW_SECONDS
        yield sim


@pytest.fixture
def scene(stash):
    return stash.add_scene(title="a")


def ask(sim, query, **variables):
    """The whole answer to one GraphQL request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{sim.url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def change(sim, mutation, id, **variables):
    """What a mutation that works returns."""
    answer = ask(sim, mutation, id=str(id), **variables)
    assert "errors" not in answer, answer
    (result,) = answer["data"].values()
    return result


def add(sim, id, *times):
    return change(sim, ADD, id, times=list(times))["history"]


def delete(sim, id, *times):
    return change(sim, DELETE, id, times=list(times))["history"]


def shown(sim, id):
    fields = "play_history play_count last_played_at resume_time play_duration"
    return ask(sim, f"{{ findScene(id: {id}) {{ {fields} }} }}")["data"]["findScene"]


# plays


def test_a_scene_that_was_never_played_shows_no_play_and_zeros(stash, scene):
    assert shown(stash, scene) == {
        "play_history": [],
        "play_count": 0,
        "last_played_at": None,
        "resume_time": 0,
        "play_duration": 0,
    }


def test_a_play_is_one_row_and_the_answer_is_the_history_after_it(stash, scene):
    assert change(stash, ADD, scene, times=[OLD]) == {"count": 1, "history": [OLD]}
    assert change(stash, ADD, scene, times=[NEW]) == {"count": 2, "history": [NEW, OLD]}
    played = shown(stash, scene)
    assert (played["play_history"], played["play_count"], played["last_played_at"]) == ([NEW, OLD], 2, NEW)


def test_the_history_is_newest_first_whatever_the_order_of_adding(stash, scene):
    assert add(stash, scene, NEW, OLD, NOW) == [NEW, OLD, NOW]
    assert add(stash, scene, "2024-05-05T05:05:05Z") == [NEW, OLD, "2024-05-05T05:05:05Z", NOW]


def test_the_same_time_again_makes_a_second_row(stash, scene):
    add(stash, scene, OLD)
    assert add(stash, scene, OLD) == [OLD, OLD]
    assert add(stash, scene, NEW, NEW) == [NEW, NEW, OLD, OLD]


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05.4Z", "2026-01-02T03:04:05.999999Z", "2026-01-02T03:04:05.999999999Z"]
)
def test_fractions_of_a_second_are_cut(stash, scene, text):
    assert add(stash, scene, text) == [OLD]
    assert delete(stash, scene, text) == []


@pytest.mark.parametrize(
    "text", ["2026-01-02T05:34:05+02:30", "2026-01-01T22:04:05-05:00", "2026-01-02T03:04:05+00:00"]
)
def test_an_offset_is_converted_to_utc(stash, scene, text):
    assert add(stash, scene, text) == [OLD]
    assert delete(stash, scene, text) == []


@pytest.mark.parametrize("variables", [{"times": []}, {"times": None}, {}], ids=["empty", "null", "missing"])
def test_no_times_add_a_play_now_and_remove_the_newest_one(stash, scene, variables):
    add(stash, scene, OLD, "2020-01-01T00:00:00Z")
    assert change(stash, ADD, scene, **variables)["history"] == [OLD, NOW, "2020-01-01T00:00:00Z"]
    assert change(stash, DELETE, scene, **variables)["history"] == [NOW, "2020-01-01T00:00:00Z"]
    assert change(stash, DELETE, scene, **variables)["history"] == ["2020-01-01T00:00:00Z"]
    assert change(stash, DELETE, scene, **variables)["history"] == []
    assert change(stash, DELETE, scene, **variables) == {"count": 0, "history": []}


def test_now_and_the_history_are_in_utc_on_a_server_with_an_offset():
    with StashSim(utc_offset_minutes=120) as stash:
        stash.now = lambda: NOW_SECONDS
        id = stash.add_scene()
        assert add(stash, id) == [NOW]
        assert add(stash, id, OLD) == [OLD, NOW]
        assert shown(stash, id)["last_played_at"] == OLD


def test_removing_a_time_removes_one_row_of_exactly_that_second(stash, scene):
    add(stash, scene, OLD, OLD, NEW)
    assert delete(stash, scene, OLD) == [NEW, OLD]
    assert delete(stash, scene, OLD, NEW) == []


def test_the_same_time_twice_removes_two_rows(stash, scene):
    add(stash, scene, OLD, OLD, NEW)
    assert delete(stash, scene, OLD, OLD) == [NEW]


def test_removing_a_time_that_is_not_there_changes_nothing(stash, scene):
    add(stash, scene, OLD)
    assert change(stash, DELETE, scene, times=[NEW]) == {"count": 1, "history": [OLD]}


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "yesterday", "<4h", 7])
@pytest.mark.parametrize("mutation", [ADD, DELETE])
def test_a_time_that_is_no_time_with_an_offset_is_an_error_and_changes_nothing(stash, scene, mutation, text):
    add(stash, scene, OLD)
    answer = ask(stash, mutation, id=scene, times=[OLD, text])
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["plays"]
    assert shown(stash, scene)["play_history"] == [OLD]


def test_a_play_of_a_scene_that_is_not_there_is_an_error_and_removing_one_is_none(stash):
    assert ask(stash, ADD, id="99", times=[OLD])["data"] is None
    assert change(stash, DELETE, 99, times=[OLD]) == {"count": 0, "history": []}
    assert ask(stash, DELETE, id="x", times=[OLD])["data"] is None


# resume points and watched times


def test_the_resume_point_is_set_and_the_watched_time_added(stash, scene):
    assert change(stash, SAVE, scene, resume=12.5, duration=30.0) is True
    assert change(stash, SAVE, scene, resume=7.25, duration=30.0) is True
    assert (shown(stash, scene)["resume_time"], shown(stash, scene)["play_duration"]) == (7.25, 60.0)


def test_what_is_not_named_stays(stash, scene):
    change(stash, SAVE, scene, resume=12.5, duration=30.0)
    change(stash, SAVE, scene, duration=1.0)
    change(stash, SAVE, scene, resume=3.0)
    assert (shown(stash, scene)["resume_time"], shown(stash, scene)["play_duration"]) == (3.0, 31.0)
    change(stash, SAVE, scene, resume=0.0)
    assert shown(stash, scene)["resume_time"] == 0


@pytest.mark.parametrize(
    ("switches", "left"),
    [
        ({"resume": True}, (0, 30)),
        ({"duration": True}, (12, 0)),
        ({"resume": True, "duration": True}, (0, 0)),
        ({"resume": False, "duration": False}, (12, 30)),
        ({}, (12, 30)),
    ],
)
def test_a_reset_sets_to_zero_what_it_names(stash, scene, switches, left):
    change(stash, SAVE, scene, resume=12.0, duration=30.0)
    assert change(stash, RESET, scene, **switches) is True
    assert (shown(stash, scene)["resume_time"], shown(stash, scene)["play_duration"]) == left


def test_an_update_sets_the_total_and_has_no_effect_on_the_resume_point(stash, scene):
    change(stash, SAVE, scene, resume=12.0, duration=30.0)
    ask(stash, UPDATE, **{"in": {"id": str(scene), "play_duration": 5.0, "resume_time": 99.0}})
    assert (shown(stash, scene)["resume_time"], shown(stash, scene)["play_duration"]) == (12.0, 5.0)
    ask(stash, UPDATE, **{"in": {"id": str(scene), "play_duration": None}})
    assert shown(stash, scene)["play_duration"] == 5.0


@pytest.mark.parametrize("mutation", [SAVE, RESET])
def test_activity_of_a_scene_that_is_not_there_is_an_error(stash, mutation):
    answer = ask(stash, mutation, id="99")
    assert (answer["data"], answer["errors"][0]["path"]) == (None, ["done"])


def test_the_parts_of_a_mutation_are_carried_out_in_their_order_each_by_itself(stash, scene):
    """As gqlgen does, which Stash is built with: a part that fails does not keep the next one from being tried."""
    both = """mutation ($id: ID!) { reset: sceneResetActivity(id: $id, reset_duration: true)
      done: sceneSaveActivity(id: $id, playDuration: 0.3) }"""
    change(stash, SAVE, scene, resume=12.0, duration=30.0)
    stash.is_locked = lambda name: name == "sceneResetActivity"
    answer = ask(stash, both, id=str(scene))
    assert (answer["data"], [one["path"] for one in answer["errors"]]) == (None, [["reset"]])
    assert shown(stash, scene)["play_duration"] == 30.3
    stash.is_locked = lambda name: name == "sceneSaveActivity"
    answer = ask(stash, both, id=str(scene))
    assert (answer["data"], [one["path"] for one in answer["errors"]]) == (None, [["done"]])
    assert shown(stash, scene)["play_duration"] == 0
    stash.is_locked = lambda name: False
    assert ask(stash, both, id=str(scene)) == {"data": {"reset": True, "done": True}}
    assert shown(stash, scene)["play_duration"] == 0.3


# what they do not do


def test_nothing_of_this_moves_a_time_or_starts_a_hook_but_a_rating_does_both(stash, scene, tmp_path):
    stash.hooks = HookRunner(
        [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read()"],
        plugin_dir=tmp_path,
        dir=tmp_path,
        triggered_by=["Scene.Update.Post"],
    )
    before = stash.scene(scene).updated_at
    stash.now = lambda: NOW_SECONDS + 100
    add(stash, scene, OLD), add(stash, scene), delete(stash, scene, OLD), delete(stash, scene)
    change(stash, SAVE, scene, resume=12.0, duration=30.0)
    change(stash, RESET, scene, resume=True, duration=True)
    assert (stash.scene(scene).updated_at, stash.hooks.runs) == (before, [])
    ask(stash, UPDATE, **{"in": {"id": str(scene), "rating100": 80}})
    assert stash.scene(scene).updated_at > before
    assert [run.event.type for run in stash.hooks.runs] == ["Scene.Update.Post"]


# searching


def played(sim, modifier, value, value2=None):
    query = "query ($s: SceneFilterType) { findScenes(scene_filter: $s) { scenes { id } } }"
    wanted = {"last_played_at": {"modifier": modifier, "value": value, "value2": value2}}
    return [int(one["id"]) for one in ask(sim, query, s=wanted)["data"]["findScenes"]["scenes"]]


def test_scenes_are_found_by_their_last_play(stash):
    never, old, new = (stash.add_scene(title=title) for title in ("never", "old", "new"))
    add(stash, old, OLD, NOW), add(stash, new, NEW, OLD)
    assert played(stash, "GREATER_THAN", OLD) == [new]
    assert played(stash, "GREATER_THAN", NOW) == [old, new]
    assert played(stash, "EQUALS", OLD) == [old]
    assert played(stash, "BETWEEN", OLD, NEW) == [old, new]
    assert played(stash, "LESS_THAN", NEW) == [never, old]
    assert played(stash, "LESS_THAN", "1970-01-01T00:00:00Z") == [never]


def test_a_play_changes_no_order(stash):
    ids = [stash.add_scene(title=str(n)) for n in range(3)]
    add(stash, ids[1], NEW)
    for sort in ("id", "updated_at"):
        query = f'{{ findScenes(filter: {{sort: "{sort}"}}) {{ scenes {{ id }} }} }}'
        assert [int(one["id"]) for one in ask(stash, query)["data"]["findScenes"]["scenes"]] == ids


# what the user and the whole database do


def test_a_user_adds_and_removes_plays(stash, scene):
    stash.plays.add(scene, [NOW_SECONDS, NOW_SECONDS + 5])
    stash.plays.add(scene)
    assert stash.plays.of(scene) == stash.scene(scene).plays == (NOW_SECONDS + 5, NOW_SECONDS, NOW_SECONDS)
    stash.plays.delete(scene, [NOW_SECONDS])
    stash.plays.delete(scene)
    assert stash.plays.of(scene) == (NOW_SECONDS,)
    with pytest.raises(StashError):
        stash.plays.of(99)


def test_a_merge_keeps_the_plays_that_it_is_asked_to_keep(stash):
    kept, source, other = (stash.add_scene(title=title) for title in "abc")
    add(stash, kept, OLD), add(stash, source, NEW, OLD), add(stash, other, NOW)
    merge = "mutation ($in: SceneMergeInput!) { sceneMerge(input: $in) { play_history } }"
    answer = ask(stash, merge, **{"in": {"source": [source], "destination": kept, "play_history": True}})
    assert answer["data"]["sceneMerge"]["play_history"] == [NEW, OLD, OLD]
    answer = ask(stash, merge, **{"in": {"source": [other], "destination": kept}})
    assert answer["data"]["sceneMerge"]["play_history"] == [NEW, OLD, OLD]


@pytest.mark.parametrize(("choice", "plays"), [({}, [NEW, OLD]), ({"plays": False}, [OLD])])
def test_a_user_who_merges_takes_the_plays_along_or_leaves_them(stash, choice, plays):
    kept, source = stash.add_scene(title="a"), stash.add_scene(title="b")
    add(stash, kept, OLD), add(stash, source, NEW)
    stash.merge_scenes([source], kept, **choice)
    assert shown(stash, kept)["play_history"] == plays


def test_a_restored_stash_has_the_plays_of_then(stash, scene):
    add(stash, scene, OLD), change(stash, SAVE, scene, resume=12.0, duration=30.0)
    before, backup = stash.scene(scene), stash.backup()
    for _ in range(2):
        add(stash, scene, NEW), delete(stash, scene, OLD), change(stash, SAVE, scene, resume=1.0, duration=1.0)
        assert stash.scene(scene) != before
        stash.restore(backup)
        assert stash.scene(scene) == before
    assert (before.plays, before.resume_time, before.play_duration) == ((1_767_323_045,), 12.0, 30.0)


def test_a_rebuilt_stash_has_the_plays_under_the_new_ids(stash):
    ids = [stash.add_scene(title=str(n)) for n in range(4)]
    for n, id in enumerate(ids):
        stash.plays.add(id, [NOW_SECONDS + n])
        stash.plays.save_activity(id, n, n)
    dealt = stash.rebuild(Random(1))
    assert [dealt[id] for id in ids] != ids
    for n, id in enumerate(ids):
        scene = stash.scene(dealt[id])
        assert (scene.plays, scene.resume_time, scene.play_duration) == ((NOW_SECONDS + n,), n, n)


def test_a_scene_that_is_destroyed_takes_its_plays_along(stash, scene):
    add(stash, scene, OLD)
    stash.destroy_scene(scene)
    assert change(stash, DELETE, scene, times=[OLD]) == {"count": 0, "history": []}
    assert shown(stash, stash.add_scene())["play_history"] == []
