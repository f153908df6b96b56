"""Every known error is one clear line and an exit code; secrets come out of none of them."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from plexsync.app import database_files
from plexsync.app.settings import NOT_SET_UP
from plexsync.cli.call import Call
from plexsync.cli.faults import tell
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World

LOOKS = [("status",), ("sync", "7"), ("drain",), ("dlq", "list"), ("reconcile",), ("explain", "7"), ("serve",)]
looking = pytest.mark.parametrize("words", LOOKS, ids=" ".join)


@pytest.mark.parametrize("words", LOOKS[:-1], ids=" ".join)
def test_missing_settings_are_named_with_the_places_to_set_them(words: tuple[str, ...], door: Door) -> None:
    done = door(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"{NOT_SET_UP}\n"


def test_bad_settings_are_told_as_json_too(world: World, door: Door) -> None:
    world.settings["max_retries"] = "many"
    done = door("status", "--json")
    assert done.code == 2
    assert "max_retries" in done.facts["error"]
    assert "max_retries" in done.err


@pytest.mark.parametrize("words", [("--config", "nowhere.toml", "status"), ("status", "--config", "nowhere.toml")])
def test_a_settings_file_that_was_named_has_to_be_there(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door(*words)
    assert done.code == 2
    assert "nowhere.toml does not exist: create it or correct the path (--config, PLEXSYNC_CONFIG)" in done.err


@pytest.mark.parametrize("words", [("status",), ("adopt",), ("doctor", "--json")], ids=" ".join)
def test_so_has_one_with_the_usual_name(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door("--config", "plexsync.toml", *words)
    assert done.code == 2
    assert "plexsync.toml does not exist" in done.out + done.err


def test_a_settings_file_is_read(bare: None, tmp_path: Path, door: Door) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'plex_url = "http://127.0.0.1:1"\nplex_token = "{TOKEN}"\ndata_dir = "{tmp_path / "here"}"\n')
    file.chmod(0o600)
    assert door("status", "--config", str(file)).code == 0
    assert (tmp_path / "here" / "plexsync.db").exists()


def test_a_relative_data_folder_is_one_below_the_current(world: World, door: Door, tmp_path: Path) -> None:
    assert door("--data-dir", "elsewhere", "status").code == 0
    assert (tmp_path / "elsewhere" / "plexsync.db").exists()
    assert not (world.folder / "plexsync.db").exists()


def test_a_log_level_that_is_none_is_refused(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_LOG", "loud")
    done = door("status")
    assert done.code == 2
    assert "PLEXSYNC_LOG must be one of debug, info, warning, error" in done.err


# --- databases -------------------------------------------------------------------------------------------------------


@looking
def test_a_newer_database_is_left_alone_with_3(words: tuple[str, ...], world: World, door: Door) -> None:
    assert door("status").code == 0
    db = sqlite3.connect(world.folder / "plexsync.db")
    db.execute("pragma user_version = 99")
    db.commit()
    db.close()
    before = (world.folder / "plexsync.db").read_bytes()
    done = door(*words, "--json")
    assert done.code == 3
    assert "schema 99" in done.facts["error"]
    assert done.err.count("\n") == 1
    assert (world.folder / "plexsync.db").read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000], ids=["text", "torn"]
)
def test_a_corrupt_database_ends_with_2(content: bytes, world: World, door: Door) -> None:
    file = world.folder / "plexsync.db"
    file.write_bytes(content)
    file.chmod(0o600)
    done = door("status")
    assert done.code == 2
    assert "plexsync.db" in done.err
    assert file.read_bytes() == content


def test_sync_makes_a_damaged_database_anew_and_looks_for_damage_only_if_it_meets_some(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(2)
    assert door("status").code == 0
    with monkeypatch.context() as patched:
        patched.setattr(
            database_files, "repair", lambda *_, **__: pytest.fail("a sound database was checked throughout")
        )
        assert door("sync", "1").code == 0
    (world.folder / "plexsync.db").write_bytes(b"no database at all" * 100)
    assert door("sync", "2").code == 0
    assert world.rows("select id from job") == [(2,)]
    (aside,) = world.folder.glob("damaged-*")
    assert (aside / "plexsync.db").read_bytes() == b"no database at all" * 100


def test_sync_ends_a_mending_that_was_broken_off_before_it_wants_anything(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", "1").code == 0
    (world.folder / "plexsync.db").rename(world.folder / "plexsync.db.mended-20260101T000000Z")
    assert door("sync", "2").code == 0
    assert world.rows("select id from job order by id") == [(1,), (2,)]


def test_a_worker_that_starts_removes_what_killed_processes_were_making(world: World, door: Door) -> None:
    world.folder.mkdir(mode=0o700, exist_ok=True)
    hidden = world.folder / ".plexsync.db.7-00c0ffee.tmp"
    hidden.touch()
    os.utime(hidden, (0, 0))
    assert door("status").code == 0
    assert hidden.exists(), "somebody else may be at work"
    assert door("drain").code == 0
    assert not hidden.exists()


def test_a_database_of_another_program_ends_with_2(world: World, door: Door) -> None:
    db = sqlite3.connect(world.folder / "plexsync.db")
    db.execute("create table theirs (x)")
    db.close()
    done = door("status")
    assert done.code == 2
    assert "another program" in done.err


@pytest.mark.parametrize("words", [("status",), ("serve",), ("drain",)], ids=" ".join)
def test_a_data_folder_that_is_a_file_ends_with_2(
    words: tuple[str, ...], world: World, door: Door, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = door(*words, "--data-dir", str(tmp_path / "file"))
    assert done.code == 2
    assert done.err.startswith("plexsync: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_may_not_be_written_ends_with_2(world: World, door: Door) -> None:
    world.folder.chmod(0o500)
    assert door("status").code == 2


def test_a_data_folder_that_everyone_may_write_ends_with_2(world: World, door: Door) -> None:
    world.folder.chmod(0o777)
    done = door("status")
    assert done.code == 2
    assert "chmod 700" in done.err


# --- servers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("sync", "--all"), ("reconcile",), ("explain", "1")], ids=" ".join)
def test_a_wrong_stash_key_is_told_by_the_setting_to_change(words: tuple[str, ...], world: World, door: Door) -> None:
    world.add(1)
    world.settings["stash_api_key"] = "another-key-0123456789"
    done = door(*words)
    assert done.code == 1
    assert done.err.startswith("plexsync: ")
    assert "stash_api_key" in done.err
    held = door("status", "--json").facts["holds"]["stash"]
    assert held["setting"] == "stash_api_key"


@pytest.mark.parametrize("words", [("sync", "--all"), ("reconcile",), ("explain", "1")], ids=" ".join)
def test_a_stash_that_is_away_ends_with_1(words: tuple[str, ...], world: World, door: Door) -> None:
    world.add(1)
    world.stash.faults.set(Fault("refuse"))
    done = door(*words, "--json")
    assert done.code == 1
    assert done.facts["error"]


def test_an_unknown_library_is_told_with_those_that_there_are(world: World, door: Door) -> None:
    world.add(1)
    world.settings["plex_libraries"] = "Filme"
    done = door("reconcile")
    assert done.code == 1
    assert "Filme" in done.err
    assert "Movies" in done.err


def test_scenes_are_not_promised_to_a_worker_that_has_no_such_library(world: World, door: Door) -> None:
    world.add(2)
    world.settings["plex_libraries"] = "Filme"
    done = door("sync", "--all", "--json")
    assert (done.code, done.facts["wanted"]) == (0, 2)
    assert "Plex has no movie library named Filme; it has: Movies" in done.facts["why"]
    assert "no movie library named Filme" in door("sync", "--since", "1d").out


# --- faults of ours --------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_one_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(secrets=(TOKEN, KEY))
    assert tell(KeyError(f"a{TOKEN}b\nsecond line"), call) == 1
    err = capsys.readouterr().err
    assert "this is a fault of PlexSync" in err
    assert "--verbose" in err
    assert TOKEN not in err
    assert "Traceback" not in err


def test_a_fault_of_ours_shows_where_it_happened_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(secrets=(TOKEN,), verbose=True, json=True)
    try:
        raise RuntimeError(f"with {TOKEN}")
    except RuntimeError as error:
        assert tell(error, call) == 1
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert "test_cli_faults.py" in err
    assert TOKEN not in out + err
    assert "fault of PlexSync" in json.loads(out)["error"]
