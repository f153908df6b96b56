"""Which places are shares, where a write-ahead log is not safe."""

from pathlib import Path, PureWindowsPath

import pytest

from plexsync.store.db import on_network
from tests.tables import table

# About files.
pytestmark = pytest.mark.sqlite_only

SHARED = ["ceph", "glusterfs", "lustre", "afs", "davfs", "gfs2", "ocfs2", "vboxsf", "prl_fs", "virtiofs", "nfs4", "9p"]
LOCAL = ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "f2fs", "bcachefs"]


@table(("kind", "shared"), [*((one, True) for one in SHARED), *((one, False) for one in LOCAL)])
def test_file_systems_that_machines_share_are_known(tmp_path, kind, shared):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 2 0:1 / / rw - {kind} x rw\n")
    assert on_network(Path("/data/plexsync.db"), mounts) is shared


@pytest.mark.parametrize("path", [r"\\nas\share\plexsync.db", r"\\?\UNC\nas\share\plexsync.db"])
def test_a_path_of_windows_that_names_a_server_is_a_share(path):
    assert on_network(PureWindowsPath(path))


@pytest.mark.parametrize("path", [r"C:\data\plexsync.db", r"\\?\C:\data\plexsync.db"])
def test_a_path_of_windows_with_a_letter_is_none(path, monkeypatch):
    monkeypatch.setattr("plexsync.store.db.file_system", lambda *_: "")
    assert not on_network(PureWindowsPath(path))


@pytest.mark.parametrize("path", [r"Z:\data\plexsync.db", r"\\?\Z:\data\plexsync.db"])
def test_a_letter_that_windows_has_mapped_to_a_share_is_one(path, monkeypatch):
    monkeypatch.setattr("plexsync.store.db.file_system", lambda *_: "")
    monkeypatch.setattr("plexsync.store.db.drive_type", {"C:": 3, "Z:": 4, "\\\\?\\Z:": 4}.__getitem__)
    assert on_network(PureWindowsPath(path))
    assert not on_network(PureWindowsPath(r"C:\data\plexsync.db"))
