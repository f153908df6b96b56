import pytest
from hypothesis import given, strategies as st

from plexsync.rules.match.paths import (
    base_name,
    folder_name,
    is_mapped,
    is_target,
    lies_in,
    map_path,
    name_key,
    path_key,
    raw_equal,
    telling_folders,
    unmap_path,
)
from tests.tables import table

E_NFC, E_NFD = "\u00e9", "e\u0301"


@table(
    ("a", "b"),
    [
        ("/data//a/b.mkv", "/data/a/b.mkv"),
        (f"/data/{E_NFC}.mkv", f"/data/{E_NFD}.mkv"),
        (r"D:\Media\a.mkv", "d:/media/A.MKV"),
        (r"\\?\D:\Media\a.mkv", r"D:\Media\a.mkv"),
        (r"\\?\UNC\NAS\share\a.mkv", r"\\nas\share\a.mkv"),
        (rf"D:\{E_NFC.upper()}.mkv", rf"D:\{E_NFD}.mkv"),
        ("//nas/share/a.mkv", r"\\nas\share\a.mkv"),
        ("//NAS/Share//a.mkv", r"\\nas\share\A.mkv"),
        ("//?/UNC/nas/share/a.mkv", r"\\?\UNC\nas\share\a.mkv"),
        ("///data/a.mkv", "/data/a.mkv"),
        ("//a.mkv", "/a.mkv"),
    ],
)
def test_two_spellings_of_one_place_share_a_key(a, b):
    assert path_key(a) == path_key(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("/data/A.mkv", "/data/a.mkv"),
        (r"/data/a\b.mkv", "/data/a/b.mkv"),
        ("data/a.mkv", "/data/a.mkv"),
        (r"D:\a.mkv", r"E:\a.mkv"),
        (r"\\nas\share\a.mkv", "/nas/share/a.mkv"),
        ("//nas/share/a.mkv", "/nas/share/a.mkv"),
        ("/data/a.mkv", "/data/a.mkv "),
    ],
)
def test_different_places_have_different_keys(a, b):
    assert path_key(a) != path_key(b)


def test_a_name_key_is_blind_to_folder_case_and_form():
    assert name_key(f"/a/Caf{E_NFC}.MKV") == name_key(rf"D:\b\caf{E_NFD}.mkv")
    assert name_key("/a/x.mkv") != name_key("/a/y.mkv")


@table(
    ("path", "name"),
    [
        ("/a/b.mkv", "b.mkv"),
        (r"D:\a\b.mkv", "b.mkv"),
        ("D:/a/b.mkv", "b.mkv"),
        (r"\\nas\s\b.mkv", "b.mkv"),
        (r"//nas/s\b.mkv", "b.mkv"),
        (r"/a/b\c.mkv", r"b\c.mkv"),
        ("b.mkv", "b.mkv"),
        ("/", ""),
        ("", ""),
    ],
)
def test_the_base_name_is_what_stands_after_the_last_separator(path, name):
    assert base_name(path) == name


def test_raw_equality_forgives_slashes_only():
    assert raw_equal(r"\\?\D:\a\b.mkv", "D:/a//b.mkv")
    assert raw_equal(r"\\nas\v\b.mkv", "//nas/v/b.mkv")
    assert not raw_equal(r"D:\a\b.mkv", r"d:\a\b.mkv")
    assert not raw_equal(f"/{E_NFC}", f"/{E_NFD}")


RULES = (("/data", "/media/all"), ("/data/films/", "D:\\Films"), ("/data/films", "E:/more/"), ("/", "/rest"))


@table(
    ("path", "rules", "mapped"),
    [
        ("/data/a/b.mkv", (), ("/data/a/b.mkv",)),
        ("/data/a/b.mkv", RULES, ("/media/all/a/b.mkv",)),
        ("/data/films/a/b.mkv", RULES, ("D:\\Films\\a\\b.mkv", "E:/more/a/b.mkv")),
        ("/data2/b.mkv", RULES, ("/rest/data2/b.mkv",)),
        ("/data2/b.mkv", RULES[:1], ("/data2/b.mkv",)),
        (r"d:\VIDEOS\x\y.mkv", (("D:/Videos", "/mnt/v"),), ("/mnt/v/x/y.mkv",)),
        ("D:\\a.mkv", (("D:\\", "/mnt"),), ("/mnt/a.mkv",)),
        (r"\\?\UNC\nas\v\a.mkv", ((r"\\nas\v", "/v"),), ("/v/a.mkv",)),
        ("/v/a.mkv", (("/v", r"\\nas\v"),), (r"\\nas\v\a.mkv",)),
        ("/v/a.mkv", (("/v", "//nas/v"),), ("//nas/v/a.mkv",)),
        ("//NAS/v/a.mkv", ((r"\\nas\v", "/v"),), ("/v/a.mkv",)),
        (r"\\nas\v\a.mkv", (("//nas/v", "/v"),), ("/v/a.mkv",)),
        ("/v/a.mkv", (("/v", "/"),), ("/a.mkv",)),
        (f"/{E_NFD}/a.mkv", ((f"/{E_NFC}", "/x"),), ("/x/a.mkv",)),
        ("/data/../etc/a.mkv", RULES, ()),
        ("/data/../etc/a.mkv", (), ()),
        ("/v/a\\b.mkv", (("/v", "D:\\v"),), ()),
        ("/v/a.mkv", (("/v", "/w"), ("/v/", "/w/")), ("/w/a.mkv",)),
        ("/v/a.mkv", (("", "/w"),), ("/v/a.mkv",)),
    ],
)
def test_rules_map_whole_components_and_the_longest_prefix_wins(path, rules, mapped):
    assert map_path(path, rules) == mapped


def test_a_path_is_led_back_to_every_path_that_leads_there():
    rules = (("/disk1", "/pool"), ("/disk2", "/pool"), ("/disk2/own", "/own"))
    assert unmap_path("/pool/a.mkv", rules) == ("/disk1/a.mkv", "/disk2/a.mkv")
    assert unmap_path("/pool/own/a.mkv", rules) == ("/disk1/own/a.mkv",)
    assert unmap_path("/else/a.mkv", rules) == ()
    assert is_mapped("/disk2/own/a.mkv", rules)
    assert not is_mapped("/disk3/a.mkv", rules)
    assert is_target("/pool/a.mkv", rules)
    assert not is_target("/pool2/a.mkv", rules)


@given(st.text(st.sampled_from("/\\aA:.?\u00e9\u0301 CD"), max_size=30))
def test_keys_and_equality_hold_for_any_text(path):
    assert raw_equal(path, path)
    assert base_name(path) == "" or path.endswith((base_name(path), *"/\\"))
    assert isinstance(map_path(path, RULES), tuple)


@given(
    st.text(st.sampled_from("/\\aA:.?\u00e9\u0301 C"), max_size=12),
    st.text(st.sampled_from("/\\aA:.?\u00e9\u0301 C"), max_size=12),
)
def test_raw_equal_paths_share_keys(a, b):
    if raw_equal(a, b):
        assert path_key(a) == path_key(b)
        assert name_key(a) == name_key(b)


@table(
    ("path", "folder"),
    [
        ("/media/a/b.mp4", "/media/a"),
        ("/b.mp4", "/"),
        ("/media//b.mp4", "/media"),
        ("/media/b\\c.mp4", "/media"),
        ("D:\\x\\y.mp4", "D:\\x"),
        ("D:\\y.mp4", "D:\\"),
        ("D:/x/y.mp4", "D:/x"),
        ("\\\\nas\\share\\f.mp4", "\\\\nas\\share"),
        ("b.mp4", ""),
        ("/a/a", "/a"),
    ],
)
def test_the_folder_of_a_path_is_as_it_is_written(path, folder):
    assert folder_name(path) == folder
    if folder:
        assert lies_in(path, folder)


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("/media/a", "/media", True),
        ("/media", "/media", True),
        ("/media2/a", "/media", False),
        ("/Media/a", "/media", False),
        ("d:\\Media\\a", "D:/media", True),
        ("/a", "/", True),
        ("a", "/", False),
    ],
)
def test_what_lies_in_a_folder(path, folder, inside):
    assert lies_in(path, folder) is inside


@table(
    ("paths", "folders"),
    [
        (["/m/a/x.mp4", "/m/b/x.mp4"], ["/m/a", "/m/b"]),
        (["/m/a/deep/x.mp4", "/m/b/x.mp4"], ["/m/a", "/m/b"]),
        (["/m/x.mp4", "/m/b/x.mp4"], ["/m/b"]),
        (["/m/a/x.mp4", "/m/a/y.mp4"], []),
        (["/m/a/x.mp4", "/m/a/y.mp4", "/m/b/x.mp4"], ["/m/b"]),
        (["D:\\m\\a\\x.mp4", "D:/m/b/x.mp4"], ["D:/m/a", "D:/m/b"]),
        (["D:/m/x.mp4", "/m/x.mp4"], ["D:/m", "/m"]),
        (["/m/x.mp4"], []),
        ([], []),
    ],
)
def test_folders_that_tell_paths_apart(paths, folders):
    assert telling_folders(paths) == folders
    assert all(sum(lies_in(path, folder) for path in paths) == 1 for folder in folders)
