"""Paths: what lies in a folder is told by whole components, and nothing that others name leads out of a folder of ours."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.match.paths import is_mapped, is_target, map_path, raw_equal, unmap_path
from plexsync.stash_plugin import hook
from plexsync.store import intake
from tests.tables import table
from validation.sources import ConfigError, load

RULES = (
    ("/data", "/media/stash"),
    ("D:\\Films", "/media/films"),
    ("\\\\nas\\share", "/media/share"),
    ("/roots", "E:\\x"),
)
OUTSIDE = [
    "/data2/a.mp4",
    "/dat/a.mp4",
    "/dataset/data/a.mp4",
    "/other/data/a.mp4",
    "data/a.mp4",
    "/DATA/a.mp4",
    "D:\\Films2\\a.mp4",
    "D:/Filmsx/a.mp4",
    "C:\\Films\\a.mp4",
    "\\\\nas\\share2\\a.mp4",
    "\\\\nas2\\share\\a.mp4",
]
INSIDE = {
    "/data/a.mp4": "/media/stash/a.mp4",
    "/data//b/a.mp4": "/media/stash/b/a.mp4",
    "/data/data2/a.mp4": "/media/stash/data2/a.mp4",
    "/data/back\\slash.mp4": "/media/stash/back\\slash.mp4",
    "D:\\Films\\a.mp4": "/media/films/a.mp4",
    "d:/films/sub\\a.mp4": "/media/films/sub/a.mp4",
    "\\\\NAS\\Share\\a.mp4": "/media/share/a.mp4",
}
CLIMBING = [
    "/data/../etc/passwd",
    "/data/a/../../b.mp4",
    "/data/..",
    "../data/a.mp4",
    "D:\\Films\\..\\a.mp4",
    "D:/Films/..\\a.mp4",
    "\\\\nas\\share\\..\\other\\a.mp4",
    "/data/./../a.mp4",
]


@table("path", OUTSIDE)
def test_a_folder_that_only_begins_like_another_is_not_in_it(path: str) -> None:
    assert not is_mapped(path, RULES)
    assert map_path(path, RULES) == (path,)


@pytest.mark.parametrize(("path", "there"), INSIDE.items())
def test_what_is_in_a_folder_is_found_below_its_counterpart(path: str, there: str) -> None:
    assert map_path(path, RULES) == (there,)
    assert is_target(there, RULES)


@table("path", CLIMBING)
def test_a_path_that_climbs_leads_nowhere(path: str) -> None:
    assert map_path(path, RULES) == ()
    assert unmap_path(path.replace("/data", "/media/stash"), RULES) == ()


@given(st.text(alphabet="./\\aD:\0\u202e ~", max_size=20))
@settings(max_examples=500, deadline=None)
def test_nothing_below_a_folder_is_mapped_out_of_its_counterpart(rest: str) -> None:
    for found in map_path(f"/data/{rest}", RULES):
        assert found == "/media/stash" or found.startswith("/media/stash/")
        assert ".." not in found.split("/")
    if "\\" in rest:
        # A name that Windows would read as several is none there.
        assert all(raw_equal(one, one) and ".." not in one.split("\\") for one in map_path(f"/roots/{rest}", RULES))


@pytest.mark.parametrize("bad", ["data", "../data", "~/data", "./data", "/da\0ta", "/data\n", "/data\u202e"])
def test_a_data_folder_is_a_full_path_without_tricks(bad: str) -> None:
    given_ = {"PLEXSYNC_PLEX_URL": "http://plex", "PLEXSYNC_PLEX_TOKEN": "x", "PLEXSYNC_DATA_DIR": bad}
    with pytest.raises(ConfigError):
        load(environ=given_, toml_path=None)


@pytest.mark.parametrize(
    "folder", ["", "relative/../../x", "/nowhere/at/all", "/etc/passwd", "\0", "a\0b", 7, None, ["/"]]
)
def test_a_hook_takes_no_folder_that_stash_has_not(folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXSYNC_DATA_DIR", raising=False)
    event = {"server_connection": {"Dir": folder}, "args": {"hookContext": {"id": 7, "type": "Scene.Update.Post"}}}
    with pytest.raises(hook.NotAnEvent):
        hook.parse_event(json.dumps(event).encode())


@pytest.mark.parametrize("kind", ["../../etc", "scene/../x", "scene\0", "..", "", "Scene"])
def test_nothing_in_an_event_becomes_part_of_a_file_name(kind: str, tmp_path: Path) -> None:
    path = Path(
        intake.spool(str(tmp_path / "data"), json.dumps({"kind": kind, "id": 1, "why": kind}).encode(), ".json")
    )
    assert path.parent == tmp_path / "data" / intake.SPOOL
    assert all(character.isalnum() or character in "-." for character in path.name)
    assert intake.list_spooled(str(tmp_path / "data"), 10, 0) == []
    assert [one.name for one in (path.parent / intake.UNREAD).iterdir()] == [path.name]
    assert {one.name for one in tmp_path.iterdir()} == {"data"}


def test_a_database_path_is_no_query_of_its_own(tmp_path: Path) -> None:
    assert intake.uri("/a?mode=memory#b%41", "ro") == "file:/a%3fmode=memory%23b%2541?mode=ro"
    folder = tmp_path / "odd?mode=memory&x#y%41"
    intake.make_folder(str(folder))
    assert intake.store(str(folder), "scene", 1)
    assert [path.name for path in folder.iterdir()] == [intake.SPOOL]
