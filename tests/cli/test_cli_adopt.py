"""`plexsync adopt` against a simulated Stash that holds the settings of Stash2Plex."""

import json
import os
import stat
import tomllib

import pytest

from plexsync.cli.main import run
from plexsync.simulator.stash_server import StashSim
from tests.journey.world import forget_settings
from validation.config import PlexSyncConfig
from validation.imported import STASH2PLEX, import_settings

KEY, TOKEN = "stash-key-0123456789", "sN4xT7qLw2Vb9KcR5hJd"
THEIRS = {
    "plex_url": "http://nas:32400",
    "plex_token": TOKEN,
    "plex_library": "Movies, Clips",
    "max_retries": 7,
    "read_timeout": 0,
    "sync_tags": False,
    "sync_background": False,
    "preserve_plex_edits": True,
    "reconcile_interval": "weekly",
    "max_tags": 50,
    "strict_matching": True,
}
OURS = {
    "plex_url": "http://nas:32400",
    "plex_token": TOKEN,
    "plex_libraries": "Movies, Clips",
    "max_retries": 7,
    "sync_genres": False,
    "poster": "cover",
    "background": "none",
    "conflict_policy": "plex",
    "first_push": "keep",
    "reconcile_interval_hours": 168.0,
}


@pytest.fixture
def stash(tmp_path, monkeypatch):
    forget_settings(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with StashSim(api_key=KEY) as sim:
        monkeypatch.setenv("PLEXSYNC_STASH_URL", sim.url)
        monkeypatch.setenv("PLEXSYNC_STASH_API_KEY", KEY)
        yield sim


def test_what_is_set_there_means_the_same_here():
    found = import_settings(THEIRS)
    assert found.settings == OURS
    assert found.unsupported == (
        "max_tags: PlexSync has no such setting",
        "strict_matching: nothing is written where it is not certain which item is meant",
    )


def test_everything_can_be_switched_off_at_once():
    config = PlexSyncConfig(
        plex_url="http://x", plex_token="x" * 20, **import_settings({"sync_master": False}).settings
    )
    assert not any(getattr(config, name) for name in PlexSyncConfig.model_fields if name.startswith("sync_"))
    assert config.poster == config.background == "none"


def test_a_new_file_holds_them_for_its_owner_alone(stash, tmp_path, capsys):
    stash.plugin_settings[STASH2PLEX] = THEIRS
    assert run(["adopt", "plexsync.toml"]) == 0
    told = capsys.readouterr()
    path = tmp_path / "plexsync.toml"
    assert tomllib.loads(path.read_text(encoding="utf-8")) == OURS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in told.out + told.err
    assert "max_tags" in told.out
    assert run(["adopt", "plexsync.toml"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_on_the_screen_the_token_is_hidden(stash, capsys):
    stash.plugin_settings[STASH2PLEX] = THEIRS
    assert run(["adopt"]) == 0
    shown = capsys.readouterr().out
    assert tomllib.loads(shown.partition("left out")[0]) == {**OURS, "plex_token": "***"}
    assert TOKEN not in shown
    assert run(["--json", "adopt"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["settings"] == {**OURS, "plex_token": "***"}
    assert facts["file"] is None


def test_a_value_that_does_not_fit_is_one_line_and_nothing_is_written(stash, tmp_path, capsys):
    stash.plugin_settings[STASH2PLEX] = {**THEIRS, "max_retries": 99}
    assert run(["adopt", "plexsync.toml"]) == 2
    told = capsys.readouterr().err
    assert "Stash2Plex: max_retries in the plugin settings in Stash must be a whole number from 1 to 20" in told
    assert not (tmp_path / "plexsync.toml").exists()


def test_without_such_settings_or_without_stash_it_says_so(stash, capsys):
    assert run(["adopt"]) == 1
    assert "no settings of Stash2Plex" in capsys.readouterr().err
    assert run(["--json", "adopt"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": "Stash has no settings of Stash2Plex"}
    assert told.err == "plexsync: Stash has no settings of Stash2Plex\n"
    stash.stop()
    assert run(["adopt"]) == 1
    assert "can't be asked" in capsys.readouterr().err


def test_a_file_that_can_not_be_written_whole_is_not_there(stash, tmp_path, capsys, monkeypatch):
    stash.plugin_settings[STASH2PLEX] = THEIRS

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(["adopt", "plexsync.toml"]) == 2
    assert capsys.readouterr().err == "plexsync: plexsync.toml can't be written: No space left on device\n"
    assert [path.name for path in tmp_path.glob("*plexsync*")] == []


def test_a_place_below_a_file_is_one_line(stash, tmp_path, capsys):
    stash.plugin_settings[STASH2PLEX] = THEIRS
    (tmp_path / "file").touch()
    assert run(["adopt", "file/plexsync.toml"]) == 2
    assert "file/plexsync.toml can't be written" in capsys.readouterr().err
