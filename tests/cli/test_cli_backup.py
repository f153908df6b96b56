"""backup and restore as a person calls them, with and without a worker."""

import stat
from pathlib import Path

import pytest

from plexsync.store.files.lock import try_lock
from tests.cli.conftest import Door
from tests.inspections import out_of_inspection
from tests.journey.world import World, until


@pytest.fixture
def synced(world: World, door: Door) -> World:
    ids = world.add(3)
    assert door("sync", *ids, "--wait").code == 0
    return world


def test_a_backup_is_written_and_told(synced: World, door: Door, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    done = door("backup", target)
    assert done.code == 0
    assert f"{target}: 3 rows" in done.out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    facts = door("backup", target, "--force", "--json").facts
    assert (facts["rows"], facts["bytes"]) == (3, target.stat().st_size)
    again = door("backup", target)
    assert again.code == 2
    assert "--force" in again.err


@pytest.mark.sqlite_only
def test_no_force_replaces_a_file_that_plexsync_works_with(synced: World, door: Door, tmp_path: Path) -> None:
    with synced.serving():
        until(lambda: synced.count("idle") == 3)
    settings = tmp_path / "plexsync.toml"
    settings.write_text("max_retries = 5\n")
    (tmp_path / "link").symlink_to(synced.folder / "plexsync.db")
    own = [path for path in synced.folder.rglob("*") if path.is_file()]
    assert {"plexsync.db", "journal", "worker.lock"} <= {path.name for path in own}
    for target in (*own, settings, tmp_path / "link"):
        before = target.read_bytes() if target.exists() else b""
        for words in (("backup", target), ("report", target), ("dlq", "export", target)):
            done = door(*words, "--force")
            assert done.code == 2, (words, done.out)
            assert "is a file that PlexSync works with: name another file" in done.err
        # SQLite itself removes those beside the database.
        if not target.name.endswith(("-shm", "-wal")):
            assert target.read_bytes() == before
    copy = synced.folder / "copy.db"
    assert [door("backup", copy, "--force").code for _ in range(2)] == [0, 0], "your own copy there can be replaced"


def test_a_backup_into_a_folder_is_named_by_the_time(synced: World, door: Door, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    assert door("backup", folder).code == 0
    (made,) = folder.iterdir()
    assert made.name.startswith("plexsync-2")


def test_a_backup_holds_no_secret(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    content = (tmp_path / "copy.db").read_bytes()
    for name in ("PLEXSYNC_PLEX_TOKEN", "PLEXSYNC_STASH_API_KEY"):
        assert synced.environ[name].encode() not in content


def test_what_is_no_file_is_told_before_anybody_is_asked(synced: World, door: Door, tmp_path: Path) -> None:
    done = door("restore", tmp_path / "nowhere.db", answer="y\n")
    assert done.code == 2
    assert done.err == f"plexsync: {tmp_path / 'nowhere.db'} is not a file\n"


def test_without_a_database_there_is_nothing_to_back_up(world: World, door: Door, tmp_path: Path) -> None:
    done = door("backup", tmp_path / "copy.db")
    assert done.code == 2
    assert "nothing to back up" in done.err


def test_a_restore_brings_back_what_was_and_the_next_comparison_what_came_after(
    synced: World, door: Door, tmp_path: Path
) -> None:
    door("reconcile")
    door("backup", tmp_path / "copy.db")
    later = synced.add(2, start=3)
    door("sync", *later, "--wait")
    synced.stash.edit_scene(1, title="Edited later")
    done = door("restore", tmp_path / "copy.db", answer="y\n")
    assert done.code == 0
    assert "3 rows restored" in done.out
    assert synced.rows("select count(*) from job") == [(3,)]
    (kept,) = synced.folder.glob("plexsync.before-*.db")
    assert str(kept) in done.out
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert door("status", "--json").facts["last_reconcile"] is None
    assert door("reconcile", "--wait").code == 0
    assert synced.in_step([1, 2, 3, *later])
    facts = door("status", "--json").facts
    assert (facts["jobs"]["idle"], facts["books"]["balanced"]) == (5, True)


def test_a_worker_that_starts_after_a_restore_compares_everything(synced: World, door: Door, tmp_path: Path) -> None:
    door("reconcile")
    door("backup", tmp_path / "copy.db")
    synced.stash.edit_scene(2, title="Edited, and no hook told")
    assert door("restore", tmp_path / "copy.db", "--yes", "--json").facts["restored"] is True
    with synced.serving():
        until(lambda: synced.in_step([1, 2, 3]))


def test_a_drain_after_a_restore_compares_everything(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    synced.stash.edit_scene(2, title="Edited, and no hook told")
    assert door("restore", tmp_path / "copy.db", "--yes").code == 0
    done = door("drain", "--json")
    assert (done.code, done.facts["comparison_due"]) == (0, False)
    assert synced.in_step([1, 2, 3])


def test_a_restore_does_not_disturb_a_worker(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    synced.add(1)
    assert door("sync", "4").code == 0
    lock = try_lock(synced.folder)
    assert lock is not None
    with lock:
        done = door("restore", tmp_path / "copy.db", "--yes", "--json")
        assert done.code == 1
        assert "stop it first" in done.facts["error"]
        assert door("backup", tmp_path / "another.db").code == 0, "a backup does not mind"
    assert synced.rows("select count(*) from job") == [(4,)]
    assert not list(synced.folder.glob("plexsync.before-*"))


def test_a_restore_asks_first(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    done = door("restore", tmp_path / "copy.db", answer="n\n")
    assert done.code == 1
    assert "nothing was restored" in done.err
    done = door("restore", tmp_path / "copy.db")
    assert done.code == 2
    assert "--yes" in done.err


@pytest.mark.parametrize(("content", "words"), [(b"a letter", "not a database"), (b"", "not a database of PlexSync")])
def test_what_is_no_backup_is_refused(content: bytes, words: str, synced: World, door: Door, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(content)
    done = door("restore", tmp_path / "copy.db", "--yes")
    assert done.code == 2
    assert words in done.err
    assert synced.rows("select count(*) from job") == [(3,)]


def test_a_newer_backup_ends_with_3(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[60:64] = (1000).to_bytes(4, "big")
    (tmp_path / "copy.db").write_bytes(content)
    done = door("restore", tmp_path / "copy.db", "--yes")
    assert done.code == 3
    assert "1000" in done.err


def test_a_restore_into_an_empty_folder(synced: World, door: Door, tmp_path: Path) -> None:
    door("backup", tmp_path / "copy.db")
    fresh = tmp_path / "fresh" / "data"
    assert door("restore", tmp_path / "copy.db", "--yes", "--data-dir", fresh, "--json").facts["kept"] is None
    assert door("status", "--data-dir", fresh, "--json").facts["jobs"]["idle"] == 3


UNSEEN = {
    "backup theirs/copy.db": "theirs/copy.db can't be written: Permission denied",
    "backup theirs/folder": "theirs/folder can't be written: Permission denied",
    "restore theirs/copy.db --yes": "theirs/copy.db is not a file",
    "dlq export theirs/copy.json": "theirs/copy.json can't be written: Permission denied",
}


@pytest.mark.parametrize(("words", "told"), UNSEEN.items(), ids=UNSEEN)
def test_a_folder_that_this_user_may_not_look_into_is_one_line(
    words: str, told: str, synced: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs" / "folder").mkdir(parents=True)
    (tmp_path / "theirs" / "copy.db").touch()
    out_of_inspection(monkeypatch, tmp_path / "theirs")
    done = door(*words.split())
    assert (done.code, done.err) == (2, f"plexsync: {told}\n")
