"""Path rules that are regular expressions: they lead there and back, never out of their root, and never take long."""

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plexsync.rules.paths import is_mapped, is_target, map_path, path_key, unmap_path
from plexsync.rules.patterns import BadPattern, is_pattern, pattern
from tests.tables import table

E_NFC, E_NFD = "\u00e9", "e\u0301"


@table(
    ("ours", "theirs", "path", "there"),
    [
        (r"re:^/data/(.*)$", r"/media/\1", "/data/a/b.mkv", "/media/a/b.mkv"),
        (r"re:/data/(.*)", r"/media/\1", "/data//a/b.mkv", "/media/a/b.mkv"),
        (r"re:/mnt/disk(\d)/(.*)", r"/pool\1/\2", "/mnt/disk3/a/b.mkv", "/pool3/a/b.mkv"),
        (r"re:/(films|clips)/(.*)", r"/media/\1/\2", "/clips/a.mkv", "/media/clips/a.mkv"),
        (r"re:/v/(\d{4})-([^/]+)/(.*)\.mkv", r"/m/\2/\1/\3.mp4", "/v/2020-x y/a/b.mkv", "/m/x y/2020/a/b.mp4"),
        (r"re:/v/(\d{4})(\d\d)/(.*)", r"/m/\1/\2/\3", "/v/202012/a", None),
        (r"re:/v/(\d{4})(\d{2})/(.*)", r"/m/\1/\2/\3", "/v/202012/a", "/m/2020/12/a"),
        (r"re:/v/([a-f_-]+)/(.*)", r"/m/\1/\2", "/v/a-f_/x", "/m/a-f_/x"),
        (r"re:/v/([]x]+)/(.*)", r"/m/\1/\2", "/v/]x]/x", "/m/]x]/x"),
        (r"re:/v/([^]/]+)/(.*)", r"/m/\1/\2", "/v/a [b/x", "/m/a [b/x"),
        (r"re:/a\.b\(c\)/(.*)", r"/m (c)/\1", "/a.b(c)/x", "/m (c)/x"),
        (r"re:D:/Media/(.*)", r"/media/\1", r"d:\MEDIA\A b\x.mkv", "/media/A b/x.mkv"),
        (r"re:D:/Media/(.*)", r"/media/\1", r"\\?\D:\Media\x.mkv", "/media/x.mkv"),
        (r"re:/media/(.*)", r"D:/Media/\1", "/media/a/x.mkv", r"D:\Media\a\x.mkv"),
        (r"re:/v/([^/]+)/(.*)", r"//nas/\1/\2", "/v/share/x.mkv", None),
        (r"re:/v/([^/]+)/(.*)", r"//nas/all/\1/\2", "/v/s/x.mkv", r"\\nas\all\s\x.mkv"),
        (r"re://nas/all/(.*)", r"/v/\1", r"\\NAS\all\a\x.mkv", "/v/a/x.mkv"),
        (f"re:/{E_NFC}/(.*)", r"/x/\1", f"/{E_NFD}/a.mkv", "/x/a.mkv"),
        (r"re:/data/(.*)", r"/m/\1", f"/data/{E_NFD}.mkv", f"/m/{E_NFD}.mkv"),
    ],
)
def test_a_pattern_leads_there_and_back(ours, theirs, path, there):
    if there is None:
        with pytest.raises(BadPattern):
            pattern(ours, theirs)
        return
    rules = [(ours, theirs)]
    assert map_path(path, rules) == (there,)
    (back,) = unmap_path(there, rules)
    assert path_key(back) == path_key(path)
    assert is_mapped(path, rules)
    assert is_target(there, rules)
    assert map_path("/else/where.mkv", rules) == ("/else/where.mkv",)
    assert unmap_path("/else/where.mkv", rules) == ()


@table(
    ("ours", "theirs", "why"),
    [
        # bad by itself
        (r"re:", "", "nothing in it stands in brackets"),
        (r"re:^/data$", "/media", "nothing in it stands in brackets"),
        (r"re:/data/(.*", r"/m/\1", "a bracket is not closed"),
        (r"re:/data/([a", r"/m/\1", "a bracket is not closed"),
        (r"re:/data/([a)", r"/m/\1", "a bracket is not closed"),
        (r"re:/data/.*", r"/m/\1", ". stands outside brackets"),
        (r"re:/data.x/(.*)", r"/m/\1", ". stands outside brackets"),
        (r"re:/data|/x/(.*)", r"/m/\1", "| stands outside brackets"),
        (r"re:/data/x)(.*)", r"/m/\1", ") stands outside brackets"),
        (r"re:/data/\d/(.*)", r"/m/\1", "a \\ outside brackets"),
        (r"re:/data\\x/(.*)", r"/m/\1", "a \\ outside brackets"),
        ("re:/data/(.*)\\", r"/m/\1", "a \\ outside brackets"),
        (r"re:/data/(?:a|b)/(.*)", r"/m/\1", "group 1 begins with ?"),
        (r"re:/data/(?P<x>.*)", r"/m/\1", "group 1 begins with ?"),
        (r"re:/data/()/(.*)", r"/m/\1/\2", "group 1 is empty"),
        (r"re:/data/([z-a]+)", r"/m/\1", "a range that is none"),
        (r"re:/data/([\d-z]+)", r"/m/\1", None),
        (r"re:/data/([a-\d]+)", r"/m/\1", "a range that is none"),
        (r"re:/data/([\s]+)", r"/m/\1", "only \\d and \\w"),
        (r"re:/data/([^/]{4,2})", r"/m/\1", "its larger number first"),
        (r"re:/data/([^/]{2000})", r"/m/\1", "must hold one kind of character"),
        ("re:/" + "x" * 500 + "/(.*)", r"/m/\1", "more than 500 characters"),
        ("re:/" + "([^/])/" * 10 + "x", "/m/" + "/".join(rf"\{n}" for n in range(1, 10)), "more than 9 pairs"),
        # what could take for ever
        (r"re:/data/((a*)*)", r"/m/\1", "brackets stand in brackets"),
        (r"re:/data/(a*)*", r"/m/\1", "* stands outside brackets"),
        (r"re:/data/([^/]*)*", r"/m/\1", "group 1 is repeated as a whole"),
        (r"re:/data/([^/]*){9}", r"/m/\1", "group 1 is repeated as a whole"),
        (r"re:/data/(.*.*.*)", r"/m/\1", "must hold one kind of character"),
        (r"re:/data/(.*?)x", r"/m/\1", "must hold one kind of character"),
        (r"re:/data/(\w+)(\w+)", r"/m/\1/\2", "groups 1 and 2 touch"),
        # out of its root
        (r"re:/data/(.*)", r"\1/x", "the Plex side must begin with a fixed root"),
        (r"re:/data/(.*)", r"media/\1", "the Plex side must begin with a fixed root"),
        (r"re:/([a-z])/(.*)", r"\1:/x/\2", "the Plex side must begin with a fixed root"),
        (r"re:(/data|/x)/(.*)", r"/m/\1/\2", "the Stash side must begin with a fixed root"),
        (r"re:/data/(.*)", r"/m/../\1", "leads out of its folder"),
        (r"re:/data/(.*)", r"/m/./\1", "leads out of its folder"),
        (r"re:/data/\.\./(.*)", r"/m/\1", "leads out of its folder"),
        (r"re:/data(.*)", r"/m/\1", "leads out of the folder before it"),
        (r"re:/data/(.*)", r"/m\1", "leads out of the folder before it"),
        (r"re:/data/(.*)", r"D:\m\1", "a \\ on the Plex side"),
        # not back again
        (r"re:/data/(.*)", r"/m/x", "group 1 stands never on the Plex side"),
        (r"re:/data/(.*)", r"/m/\1/\1", "group 1 stands twice on the Plex side"),
        (r"re:/data/(.*)", r"/m/\1/\2", "uses group 2, which the Stash side has not"),
        (r"re:/data/(.*)", r"/m/\0", "uses group 0"),
        (r"re:/data/(.*)/(.*)", r"/m/\1/\2", "on the Stash side group 1 can hold the /"),
        (r"re:/data/([^/]+)/(.*)", r"/m/\2/\1", "on the Plex side group 2 can hold the /"),
        (r"re:/data/([^/]*)-([^/]*)", r"/m/\1/\2", "on the Stash side group 1 can hold the -"),
        (r"re:/data/([^x]*)X(\d)", r"/m/\1/\2", "can hold the X"),
        (r"re:/data/(a|ab)b(\d)", r"/m/\1/\2", "can hold the b"),
        (r"re:/data/(\d{0})(\d)", r"/m/\1\2", None),
    ],
)
def test_a_pattern_that_is_bad_or_leads_out_or_not_back_is_refused(ours, theirs, why):
    if why is None:
        assert is_pattern(ours)
        pattern(ours, theirs)
        return
    with pytest.raises(BadPattern) as caught:
        pattern(ours, theirs)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("ours", "theirs", "path"),
    [
        (r"re:/data/([^/-]*)-([^/]*)", r"/m/\1/\2", "/data/-x"),
        (r"re:/data/([^/-]*)-([^/]*)", r"/m/\1/\2", "/data/..-x"),
        (r"re:/data/([^/-]*)-([^/]*)", r"/m/\1/\2", "/data/.-x"),
        (r"re:/data/([^/-]*)-([^/]*)", r"/m/\1/\2", "/data/a-"),
        (r"re:/data/([^/]*)/(.*)", r"D:/m/\1/\2", "/data/a\\b/c"),
        (r"re:/data/([^/]*)/(.*)", r"/m/\1/\2", "/data/../c"),
    ],
)
def test_a_path_that_would_be_led_out_or_not_back_leads_nowhere(ours, theirs, path):
    assert map_path(path, [(ours, theirs)]) == ()


def test_a_pattern_may_lead_to_the_root_itself():
    rules = [(r"re:/data/(.*)", r"/\1")]
    assert map_path("/data/a.mkv", rules) == ("/a.mkv",)
    assert unmap_path("/a.mkv", rules) == ("/data/a.mkv",)


def test_patterns_go_before_folders_and_the_first_that_fits_wins():
    rules = [
        ("/data", "/all"),
        (r"re:/data/(\d+)/(.*)", r"/numbered/\1/\2"),
        (r"re:/data/(\w+)/(.*)", r"/named/\1/\2"),
        (r"re:/data/(\d+)/(.*)", r"D:/copy/\1/\2"),
    ]
    assert map_path("/data/12/a.mkv", rules) == ("/numbered/12/a.mkv", r"D:\copy\12\a.mkv")
    assert map_path("/data/x/a.mkv", rules) == ("/named/x/a.mkv",)
    assert map_path("/data/x y/a.mkv", rules) == ("/all/x y/a.mkv",)
    assert unmap_path("/numbered/12/a.mkv", rules) == ("/data/12/a.mkv",)
    assert unmap_path("/named/12/a.mkv", rules) == (), "from there the first rule leads elsewhere"
    assert unmap_path("/all/12/a.mkv", rules) == ()
    pool = [("/disk1", "/pool"), (r"re:/disk2/(.*)", r"/pool/\1")]
    assert unmap_path("/pool/a.mkv", pool) == ("/disk1/a.mkv", "/disk2/a.mkv")


# --- whatever a person writes ----------------------------------------------------------------------------------------

NAMES = st.text(st.sampled_from("abAB01-_. x" + E_NFC), min_size=1, max_size=6)
BODIES = st.sampled_from(
    [
        ".*",
        ".+",
        "[^/]+",
        "[^/-]*",
        r"\d+",
        r"\w{2}",
        "[a-f]+",
        r"[\d_]?",
        "a|b",
        "ab|cd",
        "abc|x",
        "[^a]{1,3}",
        ".",
        "[^x/]{3}",
    ]
)
FIXED = st.sampled_from(["/", "/x/", "-", "_", "/a-", "b", "/.-", " "])


@st.composite
def rules_of(draw):
    """A rule as a person could write it, bad or not."""
    count = draw(st.integers(1, 4))
    gaps = st.lists(FIXED, min_size=count, max_size=count)
    roots = st.sampled_from(["/data", "/m/x", "D:/v", "//nas/s/t", "/"])
    ours = "re:" + draw(roots) + "".join(f"{gap}({draw(BODIES)})" for gap in draw(gaps)).replace(".-", r"\.-")
    order = draw(st.permutations(range(1, count + 1)))
    theirs = draw(roots) + "".join(f"{gap}\\{n}" for gap, n in zip(draw(gaps), order, strict=True))
    return ours + draw(st.sampled_from(["", r"\.mkv"])), theirs + draw(st.sampled_from(["", ".mp4"]))


@st.composite
def fitting(draw, ours):
    """A path that the pattern was made for: each group filled with what it can hold."""
    text = ours.removeprefix("re:").replace(r"\.", ".")
    fillings = st.sampled_from(["a", "b", "ab", "cd", "x", "01", "a/b", "..", ".", "", "-", "abc", "A_", "_", "x-y"])
    while "(" in text:
        before, _, rest = text.partition("(")
        text = before + draw(fillings) + rest.partition(")")[2]
    return text


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_what_a_rule_leads_to_lies_below_its_root_and_leads_back_to_that_path_alone(data):
    ours, theirs = data.draw(rules_of())
    try:
        rule = pattern(ours, theirs)
    except BadPattern:
        assume(False)
    rules = [(ours, theirs)]
    paths = data.draw(st.lists(fitting(ours), min_size=2, max_size=4))
    root = str(rule.plex_side[0]).rpartition("/")[0]
    led = {}
    for path in paths:
        for there in map_path(path, rules):
            if not is_mapped(path, rules):
                assert there == path
                continue
            plain = there.replace("\\", "/")
            assert plain.startswith(root + "/")
            assert not {"", ".", ".."} & set(plain.removeprefix(root + "/").split("/"))
            (back,) = unmap_path(there, rules)
            assert path_key(back) == path_key(path)
            led.setdefault(path_key(there), set()).add(path_key(path))
    assert all(len(sources) == 1 for sources in led.values()), "two paths never lead to one"


@given(
    st.text(st.sampled_from("/\\()[]{}|^$*+?.,-=re:dw19aA "), max_size=30),
    st.text(st.sampled_from("/\\123aD: ."), max_size=12),
)
@settings(max_examples=1000, deadline=None)
def test_any_text_is_a_rule_or_is_refused_in_a_line(ours, theirs):
    try:
        rule = pattern("re:/" + ours, "/" + theirs)
    except BadPattern as error:
        assert str(error).isprintable()
    else:
        rule.there("/a/b", caseless=False)
        rule.back("/a/b", caseless=True)


@pytest.mark.parametrize(
    ("ours", "theirs", "path"),
    [
        (r"re:/data/([^-]*)-([^_]*)_([^.]*)\.(.*)x", r"/m/\4", "/data/" + "-_." * 20_000),
        (r"re:/([^a]*)a([^b]*)b([^a]*)a([^b]*)b(.*)c", r"/m/\1-\2-\3-\4-\5", "/" + "ab" * 30_000),
        (r"re:/(.*)aaaaaaaaab", r"/m/\1", "/" + "a" * 60_000),
        (r"re:/([^/]{0,999})/([^/]{0,999})/(.*)z", r"/m/\1/\2/\3", "/" + "a/" * 30_000),
        (r"re:/(aaa|aaaa|aaaaa)/(.*)z", r"/m/\1/\2", "/" + "a" * 60_000),
    ],
)
def test_no_path_takes_long(ours, theirs, path):
    try:
        rule = pattern(ours, theirs)
    except BadPattern:
        return
    began = time.process_time()
    rule.there(path, caseless=True)
    rule.back(path, caseless=True)
    assert time.process_time() - began < 1.0
