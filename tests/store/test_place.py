"""Which folder the database is in when no setting names one."""

import os
import stat
from pathlib import Path

import pytest

from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.place import POINTER, DataFolder, choose_folder, events_in, known_folder, theirs

# About files.
pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".local" / "share" / "plexsync"


@pytest.fixture
def settings_file(tmp_path: Path) -> str:
    (tmp_path / "stash").mkdir()
    (tmp_path / "stash" / "config.yml").write_text("")
    return str(tmp_path / "stash" / "config.yml")


def test_beside_stash_and_found_again_without_it(usual: Path, settings_file: str, tmp_path: Path) -> None:
    assert known_folder(usual) is None
    beside = tmp_path / "stash" / "plexsync"
    assert choose_folder(usual, settings_file).path == beside
    assert known_folder(usual) == DataFolder(
        beside, f"it lies beside Stash's settings file, as noted in {usual / POINTER}"
    )
    assert stat.S_IMODE(usual.stat().st_mode) == 0o700
    assert stat.S_IMODE((usual / POINTER).stat().st_mode) == 0o600
    assert [path.name for path in usual.iterdir()] == [POINTER]


def test_a_database_in_the_usual_folder_stays_in_use(usual: Path, settings_file: str) -> None:
    choose_folder(usual, settings_file)
    (usual / "plexsync.db").write_bytes(b"")
    assert known_folder(usual) == DataFolder(usual, "it holds the database")


@pytest.mark.parametrize("file", ["", "config.yml", "/nowhere/config.yml", "C:\\stash\\config.yml", "/a\0b"])
def test_a_stash_on_another_machine_leaves_the_usual_folder(file: str, usual: Path) -> None:
    assert choose_folder(usual, file) == DataFolder(
        usual, "it is the usual one: Stash's settings file is not on this machine"
    )
    assert not usual.exists()


def test_without_a_home_folder_there_is_only_the_one_beside_stash(settings_file: str) -> None:
    assert known_folder(None) is None
    assert choose_folder(None, settings_file).path.name == "plexsync"
    with pytest.raises(Unusable, match="PLEXSYNC_DATA_DIR"):
        choose_folder(None, "")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_is_not_ours_is_left_to_others(usual: Path, settings_file: str, tmp_path: Path) -> None:
    (tmp_path / "stash").chmod(0o500)
    assert "is not ours to write to" in choose_folder(usual, settings_file).reason
    (tmp_path / "stash").chmod(0o700)
    (tmp_path / "stash" / "plexsync").mkdir(mode=0o500)
    assert choose_folder(usual, settings_file).path == usual


@pytest.mark.skipif(os.name != "posix", reason="owners as Unix has them")
def test_a_folder_for_a_stash_of_another_user_is_not_made(
    usual: Path, settings_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    assert "Stash runs as another user" in choose_folder(usual, settings_file).reason
    (tmp_path / "stash" / "plexsync").mkdir()
    assert choose_folder(usual, settings_file).path == tmp_path / "stash" / "plexsync"


def test_a_folder_that_was_in_use_and_is_gone_is_not_replaced_in_silence(
    usual: Path, settings_file: str, tmp_path: Path
) -> None:
    choose_folder(usual, settings_file)
    (tmp_path / "stash").rename(tmp_path / "moved")
    assert known_folder(usual) is None
    with pytest.raises(Unusable, match="bring it back"):
        choose_folder(usual, settings_file)
    moved = tmp_path / "moved" / "plexsync"
    assert choose_folder(usual, str(tmp_path / "moved" / "config.yml")).path == moved
    assert known_folder(usual) == DataFolder(
        moved, f"it lies beside Stash's settings file, as noted in {usual / POINTER}"
    )


@pytest.mark.parametrize("content", [b"", b"relative\n", b"/a\0b\n", b"\xff\xfe"])
def test_a_note_that_names_no_folder_is_none(content: bytes, usual: Path) -> None:
    usual.mkdir(parents=True)
    (usual / POINTER).write_bytes(content)
    assert known_folder(usual) is None


def test_what_a_hook_has_left(tmp_path: Path) -> None:
    folder = tmp_path / "plexsync"
    assert events_in(folder) == ""
    (folder / "spool").mkdir(parents=True)
    (folder / "spool" / ".half.tmp").write_bytes(b"")
    assert events_in(folder) == ""
    (folder / "spool" / "1.json").write_bytes(b"{}")
    assert events_in(folder) == "an event"
    (folder / "plexsync.db").write_bytes(b"")
    assert events_in(folder) == "a database"
    assert theirs(str(tmp_path / "config.yml")) == folder
    assert theirs("config.yml") is None
