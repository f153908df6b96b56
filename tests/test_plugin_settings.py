"""The settings of the plugin in Stash: switches under the name of their opposite, and those of earlier versions."""

import pytest

from tests.tables import table
from validation.sources import OPPOSITES, STAND_INS, ConfigError, Loaded, as_in_stash, as_settings, load


def loaded(**stored: object) -> Loaded:
    return load(environ={}, toml_path=None, plugin_settings={**STAND_INS, **stored})


@table(
    ("stored", "syncs"),
    [
        ({}, True),
        ({"titles_left_alone": True}, False),
        ({"titles_left_alone": False}, True),
        ({"titles_left_alone": None}, True),
        ({"sync_title": False}, False),
        ({"sync_title": True}, True),
        ({"sync_title": False, "titles_left_alone": False}, True),
        ({"sync_title": True, "titles_left_alone": True}, False),
    ],
)
def test_a_switch_turns_its_setting_off_and_wins_over_the_name_of_before(stored: dict, syncs: bool) -> None:
    assert loaded(**stored).config.sync_title is syncs


def test_a_choice_under_the_name_of_before_is_kept_and_the_new_name_is_said() -> None:
    assert [line for line in loaded(enabled=False, sync_studio=False).warnings if "switch" in line] == [
        "enabled in the plugin settings in Stash is the switch pause now: turn that on"
    ]
    assert loaded(enabled=False, sync_studio=False).config.enabled is False
    assert loaded(enabled=False, pause=True).warnings == ()


def test_a_switch_that_is_no_switch_is_a_problem_that_names_it() -> None:
    with pytest.raises(ConfigError, match="pause in the plugin settings in Stash must be true or false"):
        loaded(pause="perhaps")


@table("value", ["true", "false"])
def test_what_is_stored_reads_back_as_what_was_meant(value: str) -> None:
    for switch, setting in OPPOSITES.items():
        stored = as_in_stash({setting: value != "true", "look": "rich"}, {setting: value})
        assert stored == {switch: value == "false", "look": "rich"}
        assert as_settings(stored) == ({setting: value == "true", "look": "rich"}, [], [])


def test_what_is_removed_is_gone_under_both_names() -> None:
    assert as_in_stash({"sync_title": False, "titles_left_alone": True, "look": "rich"}, {"sync_title": ""}) == {
        "look": "rich"
    }
    assert as_in_stash({"look": "rich"}, {"look": None}) == {}
