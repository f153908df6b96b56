"""The settings that Stash shows are settings of PlexSync."""

import re
from typing import Literal, get_args, get_origin

from plexsync.simulator.stash_manifest import read_manifest
from tests.journey.world import ROOT
from tests.tables import table
from validation.config import PlexSyncConfig, describe
from validation.sources import NOT_FROM_STASH, load

MANIFEST = read_manifest(ROOT / "StashPlexSync.yml")
TYPES = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER"}
VALUES = {"plex_url": "http://plex:32400", "plex_token": "x" * 20, "path_map": "/data => /media; /b => /c"}
VALUES |= {"plex_libraries": "Movies, Clips", "conflict_policy": "plex", "first_push": "stash"}
VALUES |= {"title_template": "[{studio} - ]{title}", "genre_tags": "Boots, -meta*", "label_tags": "Boots"}
VALUES |= {"collections": "parents", "collection_name": "Studio: {name}", "collection_parts": "summary"}
VALUES |= {"when_gone": "undo", "poster": "cover", "background": "studio"}
VALUES |= {"watch_back": "plays", "watch_account": "2", "watch_since": "2026-01-31"}
VALUES |= {"watch_minimum": "10%"}
VALUES |= {"rating_direction": "both", "rating_wins": "plex"}
VALUES |= {"scope": "organized; not tag: Private", "scope_match": "any", "look": "rich"}


def test_the_settings_that_most_people_need_are_there() -> None:
    needed = {"plex_url", "plex_token", "plex_libraries", "path_map", "strict_mode", "conflict_policy", "first_push"}
    switches = {name for name in PlexSyncConfig.model_fields if name.startswith("sync_")}
    assert set(MANIFEST.settings) >= needed | switches | {"dlq_retention_days", "max_retries"}
    assert not set(MANIFEST.settings) & set(NOT_FROM_STASH)


@table("name", MANIFEST.settings)
def test_each_is_known_and_of_the_type_that_stash_asks_for(name: str) -> None:
    setting = MANIFEST.settings[name]
    annotation = PlexSyncConfig.model_fields[name].annotation
    assert setting["type"] == TYPES.get(annotation, "STRING")
    assert setting["displayName"]
    assert setting["description"].endswith(".")
    value = {"BOOLEAN": True, "NUMBER": 8, "STRING": VALUES.get(name)}[setting["type"]]
    given = {"plex_url": "http://plex", "plex_token": "x" * 20, name: value}
    loaded = load(environ={}, toml_path=None, plugin_settings=given)
    assert loaded.origin[name] == "Stash"
    assert loaded.warnings == ()


def rows(heading: str) -> list[list[str]]:
    """The table below a heading of docs/stash-plugin.md, without its head."""
    text = (ROOT / "docs" / "stash-plugin.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_page_of_the_plugin_names_the_settings_and_tasks_of_the_manifest_and_no_other() -> None:
    settings = [[one["displayName"], f"`{name}`"] for name, one in MANIFEST.settings.items()]
    assert rows("Settings") == settings
    assert [name for name, _ in rows("Tasks")] == [task.name for task in MANIFEST.tasks]


def test_the_files_of_the_page_are_there() -> None:
    assert MANIFEST.ui["javascript"]
    assert all((ROOT / name).is_file() for names in MANIFEST.ui.values() for name in names)


def test_every_word_of_a_choice_stands_in_its_description() -> None:
    annotations = {name: PlexSyncConfig.model_fields[name].annotation for name in MANIFEST.settings}
    words = [(name, word) for name, kind in annotations.items() if is_choice(name) for word in get_args(kind)]
    assert len(words) > 10
    descriptions = {name: setting["description"] for name, setting in MANIFEST.settings.items()}
    assert [(name, word) for name, word in words if not re.search(rf"\b{re.escape(word)}\b", descriptions[name])] == []


def is_choice(name: str) -> bool:
    return get_origin(PlexSyncConfig.model_fields[name].annotation) is Literal


def test_what_is_told_of_defaults_is_so() -> None:
    defaults = {setting.name: setting.default for setting in describe()}
    expected = {}
    for name, setting in MANIFEST.settings.items():
        if setting["type"] == "NUMBER":
            expected[name] = f"Empty or 0 for {float(defaults[name] or 0):g}."
        elif is_choice(name):
            expected[name] = f"empty for {str(defaults[name]).strip(chr(34))}."
        elif setting["type"] == "BOOLEAN" and defaults[name] == "true":
            expected[name] = "On by default."
    assert len(expected) > 15
    described = {name: MANIFEST.settings[name]["description"] for name in expected}
    assert {name: words for name, words in expected.items() if words not in described[name]} == {}
    begun = {name for name, words in expected.items() if words == "On by default."}
    assert {name for name in begun if not described[name].startswith("On by default.")} == set()
