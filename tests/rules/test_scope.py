"""Which scenes are in scope, and what is said of those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexsync.rules.scene import Scene, SceneFile
from plexsync.rules.scope import Scope, Term, outside

SCENE = Scene(
    id=7,
    studio="Café  Noir",
    tags=("Rain", "Long Shot"),
    organized=True,
    parents=("Noir House", "The Group"),
    tags_above=(("Weather",), ("Camera", "Craft")),
    files=(SceneFile("/films/a/one.mp4"), SceneFile("D:\\Films\\Two.mp4")),
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
    pytest.param(
        (*only("tag", "Rain"), *only("studio", "X")), "it is of none of the studios X", "it has none of the tags Rain",
        id="one of each kind",
    ),
    pytest.param(
        (*only("tag", "Rain"), *but("tag", "Long Shot")), "it has the tag Long Shot", "it has none of the tags Rain",
        id="what is left out wins",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "scene", "bare"), TABLE)
def test_a_scene_is_in_scope_or_it_is_said_why_not(terms, scene, bare):
    assert outside(SCENE, Scope(terms)) == (scene and f"out of scope: {scene}")
    assert outside(BARE, Scope(terms)) == (bare and f"out of scope: {bare}")


def test_of_many_names_the_reason_tells_the_first_and_how_many_more():
    assert outside(BARE, Scope(only("tag", *"abcde"))) == "out of scope: it has none of the tags a, b, c and 2 more"


names = st.sampled_from(["a", "b", "c"])
terms = st.one_of(
    st.builds(Term, st.just("organized"), st.just(""), st.booleans()),
    st.builds(Term, st.sampled_from(["tag", "studio"]), names, st.booleans()),
    st.builds(Term, st.just("path"), st.sampled_from(["/a", "/a/b", "/"]), st.booleans()),
)
scenes = st.builds(
    Scene,
    id=st.just(1),
    studio=st.sampled_from(["", "A", "b"]),
    tags=st.lists(names, max_size=3).map(tuple),
    organized=st.booleans(),
    files=st.lists(st.builds(SceneFile, st.sampled_from(["/a/x", "/a/b/x", "/c"])), max_size=2).map(tuple),
)


@given(scenes, st.lists(terms, max_size=6))
def test_it_is_the_rule_that_is_written_down(scene, chosen):
    def fits(term):
        inside = [file.path == term.name or file.path.startswith(term.name.rstrip("/") + "/") for file in scene.files]
        return {
            "organized": scene.organized,
            "tag": term.name in scene.tags,
            "studio": term.name == scene.studio.lower(),
            "path": any(inside),
        }[term.kind]

    left_out = any(fits(term) for term in chosen if term.leaves_out)
    asked = [[fits(term) for term in chosen if term.kind == kind and not term.leaves_out] for kind in KINDS]
    within = not left_out and all(any(found) for found in asked if found)
    reason = outside(scene, Scope(tuple(chosen)))
    assert (reason == "") == within
    assert "\n" not in reason


KINDS = ("organized", "tag", "studio", "path")
