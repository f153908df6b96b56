"""The wake-up: a script that Stash runs in its own process, and one log line for each change."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plexsync.rules.queue.events import Edited
from plexsync.rules.queue.job import Kind
from plexsync.simulator import stash_scripts
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_manifest import read_manifest
from plexsync.simulator.stash_server import StashSim
from plexsync.stash import log_lines
from plexsync.stash_plugin import hook
from release import build
from tests.tables import table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "plexsync" / "stash_plugin" / "wake_up"
SCRIPT = FOLDER / "wake_up.js"
MANIFEST = read_manifest(FOLDER / "PlexSyncWakeUp.yml")
START = MANIFEST.hooks[0].default_args["start"]
# What Stash puts before each line of this plugin.
BEFORE = "[Plugin / PlexSync wake-up] "


def lines_of(change: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines that the script writes for a change. The stand-in of the demo must write the same."""
    real: list[tuple[str, str]] = []
    other: list[tuple[str, str]] = []
    given = {"ServerConnection": {}, "Args": {"start": START, "hookContext": {"input": None, **change}}}
    nowhere = {"data": {"directory": {"directories": []}, "plugins": []}}
    done = stash_scripts.run_in_engine(SCRIPT, given, lambda *line: real.append(line), lambda *_: nowhere)
    assert done == stash_scripts.stand_in(given, lambda *line: other.append(line)) == (None, None)
    assert real == other
    return real


@table("type_", hook.EVENTS)
def test_a_change_is_one_line_at_the_level_trace(type_: str) -> None:
    assert lines_of({"id": 12, "type": type_}) == [("trace", f"PlexSync edit {type_} 12")]


@table(("type_", "kind"), hook.EVENTS.items())
def test_the_worker_understands_the_line_of_each_event(type_: str, kind: str) -> None:
    ((_, text),) = lines_of({"id": 12, "type": type_})
    told = {"type": "next", "payload": {"data": {"loggingSubscribe": [{"message": BEFORE + text}]}}}
    assert log_lines.read_batch(json.dumps(told).encode()).edits == [Edited(Kind(kind), 12)]


@table(
    "cause",
    [
        None,
        "7",
        ["7", "8"],
        [],
        {"ids": ["1", "2"], "tag_ids": {"ids": ["1"], "mode": "ADD"}},
        {"id": "7", "title": 'a "quoted" {title}', "clientMutationId": None},
        {"id": "7", "clientMutationId": "another plugin"},
        [{"id": "7"}, {"id": "8", "clientMutationId": "plexsync"}],
    ],
)
def test_whatever_the_request_said_the_line_names_the_scene_of_the_event(cause: Any) -> None:
    line = ("trace", "PlexSync edit Scene.Update.Post 7")
    assert lines_of({"id": 7, "type": "Scene.Update.Post", "input": cause}) == [line]


@pytest.mark.parametrize(
    "cause",
    [
        {"id": "7", "clientMutationId": "plexsync"},
        {"ids": ["7"], "clientMutationId": "plexsync"},
        [{"id": "7", "clientMutationId": "plexsync"}, {"id": "8", "clientMutationId": "plexsync"}],
    ],
)
def test_what_plexsync_wrote_itself_wakes_nobody(cause: Any) -> None:
    assert lines_of({"id": 7, "type": "Scene.Update.Post", "input": cause}) == []


def looked(
    change: dict[str, Any], *listed: str, plugins: tuple[tuple[str, bool], ...] = (("StashPlexSync", True),)
) -> list[str]:
    """What the script asks Stash for a change, while Stash lists these directories."""
    asked: list[str] = []

    def ask(query: str, variables: dict[str, Any]) -> dict[str, Any]:
        asked.append(str(re.findall(r"PlexSync(\w+)", query)[0]))
        told = {
            "directory": {"directories": [f"/config/{name}" for name in listed]},
            "plugins": [{"id": id, "enabled": enabled} for id, enabled in plugins],
        }
        return {"data": told}

    server = {"Scheme": "http", "Host": "0.0.0.0", "Port": 9999, "Dir": "/config"}
    given = {
        "ServerConnection": server,
        "Args": {"start": START, "hookContext": {"type": "Scene.Update.Post", "input": None, **change}},
    }
    assert stash_scripts.run_in_engine(SCRIPT, given, lambda *_: None, ask) == (None, None)
    return asked


WANTED = "plexsync-worker-wanted"
WOKEN = ["Signs", "There", "Wake"]


@table(
    ("listed", "asked"),
    [
        ((), WOKEN),
        (("plexsync-worker-off",), ["Signs"]),
        ((WANTED,), WOKEN),
        (("http_0.0.0.0_9999",), ["Signs"]),
        (("http_0.0.0.0_9998",), WOKEN),
        ((WANTED, "plexsync-worker-until-99999999999999-"), ["Signs"]),
        ((WANTED, "plexsync-worker-until-1-"), WOKEN),
        ((WANTED, "plexsync-worker-until-99999999999999-refused"), WOKEN),
        ((WANTED, "plexsync-worker-until-99999999999999-http_0.0.0.0_9999"), ["Signs"]),
        ((WANTED, "plexsync-worker-until-99999999999999-http_0.0.0.0_9998"), WOKEN),
    ],
)
def test_a_worker_is_started_if_it_shows_no_sign_of_life_and_none_that_it_is_switched_off(
    listed: tuple[str, ...], asked: list[str]
) -> None:
    assert looked({"id": 7}, *listed) == asked


def test_one_hook_of_a_request_looks_and_none_of_our_own_writes() -> None:
    many = {"ids": ["3", "7"]}
    assert looked({"id": 3, "input": many}, WANTED) == WOKEN
    assert looked({"id": 7, "input": many}, WANTED) == []
    assert looked({"id": 3, "input": [{"id": "3"}, {"id": "7"}]}, WANTED) == WOKEN
    assert looked({"id": 7, "input": [{"id": "3"}, {"id": "7"}]}, WANTED) == []
    assert looked({"id": 3, "input": ["3", "7"]}, WANTED) == WOKEN
    assert looked({"id": 7, "input": ["3", "7"]}, WANTED) == []
    assert looked({"id": 7, "input": {"id": "7", "title": "New"}}, WANTED) == WOKEN
    assert looked({"id": 7, "input": {"id": "7", "clientMutationId": "plexsync"}}, WANTED) == []


@pytest.mark.parametrize("plugins", [(), (("StashPlexSync", False),), (("Other", True),)])
def test_a_plugin_that_is_gone_or_disabled_is_not_asked(plugins: tuple[tuple[str, bool], ...]) -> None:
    assert looked({"id": 7}, WANTED, plugins=plugins) == ["Signs", "There"]


def test_a_start_that_fails_is_told_at_the_level_debug_and_the_save_goes_on() -> None:
    told: list[tuple[str, str]] = []
    change = {"id": 7, "type": "Scene.Update.Post", "input": None}
    given = {"ServerConnection": {}, "Args": {"start": START, "hookContext": change}}
    refused = {"errors": [{"message": "not today"}]}
    done = stash_scripts.run_in_engine(SCRIPT, given, lambda *line: told.append(line), lambda *_: refused)
    assert done == (None, None)
    assert [level for level, _ in told] == ["trace", "debug"]
    assert "not today" in told[1][1]


def test_the_manifest_asks_for_the_events_that_the_hook_follows_and_has_nothing_but_hooks() -> None:
    (one,) = MANIFEST.hooks
    assert one.triggered_by == set(hook.EVENTS)
    assert (MANIFEST.id, MANIFEST.interface, MANIFEST.command) == ("PlexSyncWakeUp", "js", ("wake_up.js",))
    assert not MANIFEST.tasks
    assert not MANIFEST.settings
    assert not MANIFEST.ui
    assert f"version: {build.number()}\n" in (FOLDER / "PlexSyncWakeUp.yml").read_text(encoding="utf-8")


def test_the_script_keeps_to_the_language_that_every_stash_runs() -> None:
    text = re.sub(r"//.*", "", SCRIPT.read_text(encoding="utf-8"))
    assert text.strip().startswith('"use strict";')
    assert not re.search(r"=>|`|\b(let|const|class|async|await|import|export)\b|\?\.|\?\?", text + START)


def test_the_script_that_stash_compiles_for_each_scene_stays_small() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text) < 550
    assert "function " not in text


def test_stash_writes_the_line_after_an_edit_and_none_after_a_merge_of_scenes(tmp_path: Path) -> None:
    with StashSim() as stash:
        scenes = [stash.add_scene(title=str(n)) for n in range(2)]
        stash.others.append(HookRunner.from_manifest(FOLDER / "PlexSyncWakeUp.yml", dir=tmp_path))
        (plugin,) = stash.others
        stash.edit_scene(scenes[0], title="New", tags=["Boots"])
        stash.rename_tag("Boots", "Shoes")
        stash.merge_scenes([scenes[0]], scenes[1])
        stash.destroy_scene(scenes[1])
        told = [text for run in plugin.runs if run.outcome for _, text in run.outcome.log]
        changes = [text.removeprefix("PlexSync edit ") for text in told]
        assert changes == ["Scene.Update.Post 1", "Tag.Update.Post 1", "Scene.Destroy.Post 2"]
        assert plugin.name == BEFORE.strip("[] ").removeprefix("Plugin / ")


def test_a_script_that_throws_is_an_error_of_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "bad.js").write_text("throw new Error('not today');")
    output, error = stash_scripts.run_in_engine(tmp_path / "bad.js", {}, lambda *_: None, lambda *_: {})
    assert (output, "not today" in str(error)) == (None, True)


def test_a_script_asks_stash_with_the_session_of_its_hook(tmp_path: Path) -> None:
    (tmp_path / "Asks.yml").write_text("name: Asks\ninterface: js\nexec:\n  - asks.js\ntasks:\n  - name: Ask\n")
    (tmp_path / "asks.js").write_text("""
        var found = gql.Do("query ($id: ID!) { findScene(id: $id) { title } }", {id: 1});
        log.Info(found.findScene.title);
        ({Output: found.findScene.title});
    """)
    with StashSim(api_key="a-key-of-this-test") as stash:
        stash.add_scene(title="Asked for")
        stash.others.append(HookRunner.from_manifest(tmp_path / "Asks.yml", dir=tmp_path))
        assert stash.plugins()[0].run_operation(stash.port, stash.session_cookie(), {}).outcome.output == "Asked for"
