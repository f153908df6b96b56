"""Which scenes are in scope, and what is said of those that are not."""

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.match.scope import Scope, Term, outside
from plexsync.rules.scene import Scene, SceneFile
from tests.tables import table

SCENE = Scene(
    id=7,
    studio="Café  Noir",
    tags=("Rain", "Long Shot"),
    organized=True,
    parents=("Noir House", "The Group"),
    tags_above=(("Weather",), ("Camera", "Craft")),
    files=(SceneFile("/films/a/one.mp4"), SceneFile("D:\\Films\\Two.mp4")),
    performers=("Ann Lee", "Bo"),
    rating100=60,
    stash_ids=("https://stashdb.org/graphql", "https://fansdb.cc/graphql"),
    urls=("https://Example.org/a/1",),
)
BARE = Scene(id=8)


def only(kind, *names):
    return tuple(Term(kind, name) for name in names)


def but(kind, *names):
    return tuple(Term(kind, name, leaves_out=True) for name in names)


TABLE = [
    pytest.param((), "", "", id="everything"),
    pytest.param(only("organized", ""), "", "it is not organized", id="organized"),
    pytest.param(but("organized", ""), "it is organized", "", id="not organized"),
    pytest.param(only("tag", "rain"), "", "it has none of the tags rain", id="a tag, in any case"),
    pytest.param(only("tag", "Snow", " long   SHOT "), "", "it has none of the tags Snow,  long   SHOT ", id="one of two"),
    pytest.param(only("tag", "Snow"), "it has none of the tags Snow", "it has none of the tags Snow", id="no such tag"),
    pytest.param(but("tag", "RAIN"), "it has the tag RAIN", "", id="not a tag"),
    pytest.param(only("studio", "cafe\u0301 noir"), "", "it is of none of the studios cafe\u0301 noir", id="a studio"),
    pytest.param(only("studio", "the group"), "", "it is of none of the studios the group", id="a studio above"),
    pytest.param(but("tag", "Craft"), "it has the tag Craft", "", id="a tag above"),
    pytest.param(but("studio", "café noir"), "it is of the studio café noir", "", id="not a studio"),
    pytest.param(only("path", "/films"), "", "it lies in none of /films", id="a folder"),
    pytest.param(only("path", "d:/films"), "", "it lies in none of d:/films", id="a folder on Windows, for the second file"),
    pytest.param(only("path", "/film"), "it lies in none of /film", "it lies in none of /film", id="whole names of folders"),
    pytest.param(only("path", "/Films"), "it lies in none of /Films", "it lies in none of /Films", id="case counts"),
    pytest.param(but("path", "/films/a"), "it lies in /films/a", "", id="not a folder"),
    pytest.param(only("performer", " ann  LEE"), "", "it has none of the performers  ann  LEE", id="a performer"),
    pytest.param(only("performer", "Ann"), "it has none of the performers Ann", "it has none of the performers Ann",
                 id="whole names of performers"),
    pytest.param(but("performer", "bo"), "it has the performer bo", "", id="not a performer"),
    pytest.param(only("rating", "60+"), "", "its rating is none of 60+", id="a rating and more"),
    pytest.param(only("rating", "61+"), "its rating is none of 61+", "its rating is none of 61+", id="a higher rating"),
    pytest.param(only("rating", "none", "80+"), "its rating is none of none, 80+", "", id="no rating or a high one"),
    pytest.param(but("rating", "50+"), "its rating is 50+", "", id="not a high rating"),
    pytest.param(but("rating", "none"), "", "its rating is none", id="not without a rating"),
    pytest.param(only("stash_id", ""), "", "it has no stash ID", id="any stash ID"),
    pytest.param(only("stash_id", "FansDB"), "", "it has no stash ID of FansDB", id="a part of the second endpoint"),
    pytest.param(but("stash_id", "stashdb.org"), "it has a stash ID of stashdb.org", "", id="not a stash ID of there"),
    pytest.param(but("stash_id", ""), "it has a stash ID", "", id="no stash ID at all"),
    pytest.param(only("url", "example.org/A/"), "", "it has no URL with example.org/A/", id="a part of a URL"),
    pytest.param(only("url", "nowhere", ""), "", "it has no URL", id="any URL, whatever else is named"),
    pytest.param(but("url", ""), "it has a URL", "", id="no URL at all"),
    pytest.param(
        (*only("tag", "Rain"), *only("studio", "X")), "it is of none of the studios X", "it has none of the tags Rain",
        id="one of each kind",
    ),
    pytest.param(
        (*only("tag", "Rain"), *but("tag", "Long Shot")), "it has the tag Long Shot", "it has none of the tags Rain",
        id="what is left out wins",
    ),
]  # fmt: skip


@table(("terms", "scene", "bare"), TABLE)
def test_a_scene_is_in_scope_or_it_is_said_why_not(terms, scene, bare):
    assert outside(SCENE, Scope(terms)) == (scene and f"out of scope: {scene}")
    assert outside(BARE, Scope(terms)) == (bare and f"out of scope: {bare}")


@table(
    ("match", "terms", "scene", "bare"),
    [
        ("any", (), "", ""),
        ("any", (*only("tag", "Snow"), *only("rating", "50+")), "", "no term fits it: tag: Snow, rating: 50+"),
        ("any", (*only("organized", ""), *only("url", "")), "", "no term fits it: organized, url"),
        ("any", only("tag", "a", "b"), "it has none of the tags a, b", "it has none of the tags a, b"),
        ("any", (*only("tag", "Rain"), *but("performer", "Bo")), "it has the performer Bo", "it has none of the tags Rain"),
        ("any", but("performer", "Bo"), "it has the performer Bo", ""),
        ("all", (), "", ""),
        ("all", only("tag", "Rain", "Long Shot"), "", "it has none of the tags Rain"),
        ("all", only("tag", "Rain", "Snow"), "it has none of the tags Snow", "it has none of the tags Rain"),
        ("all", (*only("performer", "Bo", "Ann Lee"), *only("url", "")), "", "it has none of the performers Bo"),
        ("all", (*only("url", ""), *but("url", "example")), "it has a URL with example", "it has no URL"),
    ],
)  # fmt: skip
def test_it_meets_any_of_the_terms_or_all_of_them_as_is_set(match, terms, scene, bare):
    assert outside(SCENE, Scope(terms, match)) == (scene and f"out of scope: {scene}")
    assert outside(BARE, Scope(terms, match)) == (bare and f"out of scope: {bare}")


def test_stash_is_asked_only_for_what_a_term_is_about():
    assert Scope(only("tag", "a")).on_request == frozenset()
    assert Scope((*only("url", "a"), *but("stash_id", ""))).on_request == {"url", "stash_id"}


def test_of_many_names_the_reason_tells_the_first_and_how_many_more():
    assert outside(BARE, Scope(only("tag", *"abcde"))) == "out of scope: it has none of the tags a, b, c and 2 more"


names = st.sampled_from(["a", "b", "c"])
terms = st.one_of(
    st.builds(Term, st.just("organized"), st.just(""), st.booleans()),
    st.builds(Term, st.sampled_from(["tag", "studio"]), names, st.booleans()),
    st.builds(Term, st.just("path"), st.sampled_from(["/a", "/a/b", "/"]), st.booleans()),
    st.builds(Term, st.just("performer"), names, st.booleans()),
    st.builds(Term, st.just("rating"), st.sampled_from(["none", "1+", "60+", "100+"]), st.booleans()),
    st.builds(Term, st.sampled_from(["stash_id", "url"]), st.sampled_from(["", "a", "a/"]), st.booleans()),
)
scenes = st.builds(
    Scene,
    id=st.just(1),
    studio=st.sampled_from(["", "A", "b"]),
    tags=st.lists(names, max_size=3).map(tuple),
    organized=st.booleans(),
    performers=st.lists(names, max_size=2).map(tuple),
    rating100=st.sampled_from([None, 1, 59, 60, 100]),
    stash_ids=st.lists(st.sampled_from(["http://a/x", "http://B"]), max_size=2).map(tuple),
    urls=st.lists(st.sampled_from(["http://A/x", "http://b"]), max_size=2).map(tuple),
    files=st.lists(st.builds(SceneFile, st.sampled_from(["/a/x", "/a/b/x", "/c"])), max_size=2).map(tuple),
)


@given(scenes, st.lists(terms, max_size=6), st.sampled_from(["kinds", "all", "any"]))
def test_it_is_the_rule_that_is_written_down(scene, chosen, match):
    def fits(term):
        rating = scene.rating100 or 0
        inside = [file.path == term.name or file.path.startswith(term.name.rstrip("/") + "/") for file in scene.files]
        return {
            "organized": scene.organized,
            "tag": term.name in scene.tags,
            "studio": term.name == scene.studio.lower(),
            "path": any(inside),
            "performer": term.name in scene.performers,
            "rating": rating == 0 if term.name == "none" else f"{rating:03}+" >= term.name.zfill(4),
            "stash_id": any(term.name in endpoint.lower() for endpoint in scene.stash_ids),
            "url": any(term.name in url.lower() for url in scene.urls),
        }[term.kind]

    left_out = any(fits(term) for term in chosen if term.leaves_out)
    asked = [[fits(term) for term in chosen if term.kind == kind and not term.leaves_out] for kind in KINDS]
    flat = [fit for group in asked for fit in group]
    met = {
        "kinds": all(any(group) for group in asked if group),
        "all": all(flat),
        "any": any(flat) or not flat,
    }
    within = not left_out and met[match]
    reason = outside(scene, Scope(tuple(chosen), match))
    assert (reason == "") == within
    assert "\n" not in reason


KINDS = ("organized", "tag", "studio", "path", "performer", "rating", "stash_id", "url")
