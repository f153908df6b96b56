"""plexsync.toml changed in place: what was not asked for stays, letter by letter, and a file is whole or as it was."""

import os
import re
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tests.tables import table
from validation.writing import UnclearFile, change_text, save

CASES = {
    "nothing yet": ("", {"plex_url": "http://nas"}, 'plex_url = "http://nas"\n'),
    "in its place": ('a = 1\nplex_url = "x" # old\nb = 2\n', {"plex_url": "y"}, 'a = 1\nplex_url = "y"\nb = 2\n'),
    "before the first table": (
        "a = 1\n\n[t]\nplex_url = 2\n",
        {"plex_url": "y"},
        'a = 1\n\nplex_url = "y"\n[t]\nplex_url = 2\n',
    ),
    "a list over lines": ("path_map = [\n 'a', # x\n]\nb = 2\n", {"path_map": ["c"]}, 'path_map = ["c"]\nb = 2\n'),
    "a text over lines": ('plex_url = """\n[t]\n"""\nb = 2\n', {"plex_url": "y"}, 'plex_url = "y"\nb = 2\n'),
    "taken out": ('# why\nplex_url = "x"\nb = 2\n', {"plex_url": None}, "# why\nb = 2\n"),
    "not there to be taken out": ("b = 2\n", {"plex_url": None}, "b = 2\n"),
    "a name in quotes": ('"plex_url" = "x"\n', {"plex_url": "y"}, 'plex_url = "y"\n'),
    "a remark with an odd line end": ("# a\u2028b\n", {"plex_url": "y"}, '# a\u2028b\nplex_url = "y"\n'),
    "no line end at the end": ("b = 2", {"plex_url": "y"}, 'b = 2\nplex_url = "y"\n'),
    "line ends of Windows, a mark at its start": ("\ufeffb = 2\r\n", {"plex_url": "y"}, 'b = 2\nplex_url = "y"\n'),
    "odd letters": ("", {"path_map": ['E:\\"x" => /ü\u2028']}, 'path_map = ["E:\\\\\\"x\\" => /ü\u2028"]\n'),
}


@table(("before", "settings", "after"), CASES.values())
def test_settings_are_changed_and_the_rest_stays(before: str, settings: dict, after: str) -> None:
    assert change_text(before, settings) == after


@pytest.mark.parametrize("text", ["plex_url = ", "a = [", "a = 1\na = 2\n", "\0"])
def test_what_is_not_understood_is_left_alone(text: str) -> None:
    with pytest.raises(UnclearFile):
        change_text(text, {"plex_url": "y"})


VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(["true", '"text # with = [signs]"', "'''\n[no table]\nplex_url = 1\n'''"]),
    st.sampled_from(["[\n  1, # one\n  2,\n]", "{ x = 1 }"]),
)
NEW = st.one_of(st.none(), st.text(max_size=8), st.lists(st.text(max_size=4), max_size=3))
NAMES = ["max_retries", "plex_url", "plex_token", "path_map", "other"]


@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.lists(st.sampled_from(["", "# a remark", "  # plex_url = 3"]), max_size=4),
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES[1:4]), NEW),
)
def test_whatever_stands_there_only_what_is_asked_for_changes(
    there: dict[str, str], remarks: list[str], table: bool, settings: dict
) -> None:
    lines = [f"{name} = {value}" for name, value in there.items()]
    for place, remark in enumerate(remarks):
        lines.insert(place * 2, remark)
    text = "\n".join([*lines, *(["[libraries.X]", 'plex_url = "mine"'] if table else [])]) + "\n"
    made = change_text(text, settings)
    expected = {**tomllib.loads(text), **settings}
    assert tomllib.loads(made) == {name: value for name, value in expected.items() if value is not None}
    assert [line for line in made.split("\n") if line.lstrip().startswith("#")] == [
        remark for remark in remarks if remark
    ]


def test_a_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        save(tmp_path / "new" / "p.toml", "a = 1\n")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new" / "p.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_what_was_there_is_kept_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "p.toml"
    real.write_text("a = 1\n")
    real.chmod(0o644)
    link.symlink_to(real)
    save(link, "a = 2\n", kept=tmp_path / "p.bak")
    assert link.is_symlink()
    assert real.read_text() == "a = 2\n"
    assert (tmp_path / "p.bak").read_text() == "a = 1\n"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (real, tmp_path / "p.bak")} == {0o600}


def test_a_save_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.toml"
    file.write_text("a = 1\n")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(file, "a = 2\n", kept=tmp_path / "p.bak")
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]
    assert file.read_text() == "a = 1\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_saves_stays_its_owners_and_is_else_the_folders(tmp_path: Path) -> None:
    file, kept, fresh = tmp_path / "p.toml", tmp_path / "p.bak", tmp_path / "fresh.toml"
    file.write_text("a = 1\n")
    os.chown(file, 1234, 1235)
    os.chown(tmp_path, 4321, 4322)
    save(file, "a = 2\n", kept=kept)
    save(fresh, "a = 3\n", new=True)
    found = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in (file, kept, fresh)}
    assert found == {"p.toml": (1234, 1235), "p.bak": (1234, 1235), "fresh.toml": (4321, 4322)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, kept, fresh)} == {0o600}


def test_a_new_file_takes_nobodys_place_and_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "p.toml"
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            save(file, "a = 1\n", new=True)
    assert list(tmp_path.iterdir()) == []
    save(file, "a = 1\n", new=True)
    with pytest.raises(FileExistsError):
        save(file, "a = 2\n", new=True)
    assert file.read_text() == "a = 1\n"


def test_new_settings_stand_in_the_order_of_the_page_about_settings():
    text = change_text(
        "", {"poster": "cover", "collection_parts": ["poster"], "collections": ["studio"], "plex_url": "http://plex"}
    )
    assert re.findall(r"^\w+", text, re.MULTILINE) == ["plex_url", "collections", "collection_parts", "poster"]
