"""The settings of Stash2Plex lead to those of PlexSync that mean the same."""

import pytest

from validation.config import PlexSyncConfig
from validation.imported import HOURS, NEEDLESS, SAME, import_settings

# On by default there.
PICTURES = {"poster": "cover", "background": "cover"}
OFF = {name: False for name in PlexSyncConfig.model_fields if name.startswith("sync_")}
LEADS = {
    **{name: name for name in ("plex_url", "plex_token", "enabled", "max_retries", "strict_mode")},
    **{name: name for name in ("dlq_retention_days", "plex_connect_timeout", "plex_read_timeout")},
    **{name: name for name in ("sync_studio", "sync_summary", "sync_date", "sync_collection")},
    "plex_library": "plex_libraries",
    "connect_timeout": "plex_connect_timeout",
    "read_timeout": "plex_read_timeout",
    "sync_performers": "sync_cast",
    "sync_tags": "sync_genres",
}


def test_every_setting_with_the_same_meaning_leads_to_one_of_ours() -> None:
    assert SAME == LEADS
    assert set(SAME.values()) <= set(PlexSyncConfig.model_fields)


@pytest.mark.parametrize("name", LEADS)
def test_a_value_is_taken_over_as_it_is(name: str) -> None:
    assert import_settings({name: "kept"}).settings == {LEADS[name]: "kept", **PICTURES}
    assert import_settings({name: "kept"}).unsupported == ()


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_not_filled_in_is_not_taken_over(nothing: object) -> None:
    assert import_settings({"plex_url": nothing, "debug_logging": nothing}) == import_settings({})


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ({"sync_master": True}, PICTURES),
        ({"sync_master": False}, {**OFF, "poster": "none", "background": "none"}),
        ({"sync_poster": False}, {"poster": "none", "background": "cover"}),
        ({"sync_background": False}, {"poster": "cover", "background": "none"}),
        ({"preserve_plex_edits": True}, {**PICTURES, "conflict_policy": "plex", "first_push": "keep"}),
        ({"preserve_plex_edits": False}, PICTURES),
        ({"reconcile_interval": "Never"}, {**PICTURES, "reconcile_interval_hours": 0.0}),
        ({"reconcile_interval": "hourly"}, {**PICTURES, "reconcile_interval_hours": 1.0}),
        ({"reconcile_interval": "daily"}, {**PICTURES, "reconcile_interval_hours": 24.0}),
        ({"reconcile_interval": "weekly"}, {**PICTURES, "reconcile_interval_hours": 168.0}),
        ({"reconcile_interval": "sometimes"}, PICTURES),
    ],
)
def test_what_means_something_else_there_is_translated(given: dict, own: dict) -> None:
    assert import_settings(given).settings == own
    assert import_settings(given).unsupported == ()


def test_what_has_no_counterpart_is_told_with_the_reason() -> None:
    needless = ["debug_logging", "obfuscate_paths", "poll_interval", "reconcile_missing", "reconcile_scope"]
    assert sorted(NEEDLESS) == [*needless, "strict_matching"]
    told = import_settings({**dict.fromkeys(NEEDLESS, "x"), "colour": "red"}).unsupported
    assert [line.partition(": ")[0] for line in told] == sorted({*NEEDLESS, "colour"})
    assert "colour: PlexSync has no such setting" in told
    assert len(HOURS) == 4
