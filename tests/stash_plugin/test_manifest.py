"""The settings that Stash shows are settings of PlexSync."""

import re
from itertools import groupby
from typing import Literal, get_args, get_origin

from plexsync.reports.settings import BASIC
from plexsync.simulator.stash_manifest import read_manifest
from tests.journey.world import ROOT
from tests.tables import table
from validation.config import PlexSyncConfig, describe
from validation.sources import NOT_FROM_STASH, OPPOSITES, STAND_INS, load

MANIFEST = read_manifest(ROOT / "StashPlexSync.yml")
# Those that have their own name in Stash.
SHOWN = {name: one for name, one in MANIFEST.settings.items() if name not in OPPOSITES}
TYPES = {bool: "BOOLEAN"}
VALUES = {"plex_url": "http://plex:32400", "plex_token": "x" * 20, "path_map": "/data => /media; /b => /c"}
VALUES |= {"plex_libraries": "Movies, Clips", "title_template": "[{studio} - ]{title}", "collections": "parents"}
VALUES |= {"poster": "cover", "watch_back": "plays", "scope": "organized; not tag: Private", "look": "rich"}


def test_the_settings_that_most_people_need_are_there_and_no_others() -> None:
    assert set(MANIFEST.settings) == set(BASIC) - set(NOT_FROM_STASH) | set(OPPOSITES)


def test_stash_which_sorts_by_their_keys_shows_each_group_together() -> None:
    groups = [MANIFEST.settings[name]["displayName"].partition(": ")[0] for name in sorted(MANIFEST.settings)]
    runs = [group for group, _ in groupby(groups)]
    assert len(runs) == len(set(groups)), groups
    assert list(MANIFEST.settings) == sorted(MANIFEST.settings)
    assert runs == sorted(runs)


def test_a_switch_that_stash_shows_as_off_changes_nothing() -> None:
    switches = [name for name, one in MANIFEST.settings.items() if one["type"] == "BOOLEAN"]
    before = load(environ={}, toml_path=None, plugin_settings=STAND_INS).config
    after = load(environ={}, toml_path=None, plugin_settings={**STAND_INS, **dict.fromkeys(switches, False)}).config
    assert after == before
    assert len(switches) >= 2


@table("name", MANIFEST.settings)
def test_each_is_known_and_of_the_type_that_stash_asks_for(name: str) -> None:
    setting = MANIFEST.settings[name]
    meant = OPPOSITES.get(name, name)
    annotation = PlexSyncConfig.model_fields[meant].annotation
    assert setting["type"] == TYPES.get(annotation, "STRING")
    assert setting["displayName"]
    assert setting["description"].endswith(".")
    value = {"BOOLEAN": True, "STRING": VALUES.get(name)}[setting["type"]]
    given = {"plex_url": "http://plex", "plex_token": "x" * 20, name: value}
    loaded = load(environ={}, toml_path=None, plugin_settings=given)
    assert loaded.origin[meant] == "Stash"
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
    annotations = {name: field.annotation for name, field in PlexSyncConfig.model_fields.items() if name in SHOWN}
    words = [(name, word) for name, kind in annotations.items() if is_choice(name) for word in get_args(kind)]
    assert len(words) > 3
    descriptions = {name: setting["description"] for name, setting in MANIFEST.settings.items()}
    assert [(name, word) for name, word in words if not re.search(rf"\b{re.escape(word)}\b", descriptions[name])] == []


def is_choice(name: str) -> bool:
    return get_origin(PlexSyncConfig.model_fields[name].annotation) is Literal


def test_what_is_told_of_defaults_is_so() -> None:
    defaults = {setting.name: setting.default for setting in describe()}
    choices = [name for name in SHOWN if is_choice(name)]
    assert len(choices) >= 2
    expected = {name: f"empty for {str(defaults[name]).strip(chr(34))}." for name in choices}
    assert [name for name, words in expected.items() if words not in SHOWN[name]["description"]] == []
