"""What an edit becomes on its way to Plex."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, strategies as st

from plexsync.plex.edits import LINE_LIMIT, targets
from plexsync.rules.item import FIELDS, LISTS, Cast, moment_text
from plexsync.rules.merge.plan_records import Change


def asked(target):
    """(name, value) pairs of a target, decoded once."""
    return parse_qsl(urlsplit(target).query, keep_blank_values=True)


def only(edit, **more):
    (target,) = targets("2", "41", edit, **more)
    assert target.startswith("/library/sections/2/all?type=1&id=41&")
    return asked(target)[2:]


@pytest.mark.parametrize("section", ["", " ", "all", "1/2", "١", "-1"])
def test_no_request_is_made_without_a_library(section):
    with pytest.raises(ValueError, match="library"):
        targets(section, "41", {"title": Change("x")})


@pytest.mark.parametrize("key", ["", " ", "1,2", "x", "1&id=2", "²", "-1"])
def test_no_request_is_made_without_exactly_one_item(key):
    with pytest.raises(ValueError, match="item"):
        targets("2", key, {"title": Change("x")})


@pytest.mark.parametrize(
    "edit",
    [{"year": Change("2024")}, {"title": Change(("a",))}, {"genre": Change("a")}, {"actor[0]": Change(("a",))}],
)
def test_only_what_plex_takes_can_be_asked(edit):
    with pytest.raises(ValueError, match="take"):
        targets("2", "41", edit)


def test_a_text_and_its_lock():
    assert only({"title": Change("A & B=c?#%", lock=True)}) == [("title.value", "A & B=c?#%"), ("title.locked", "1")]


def test_a_lock_alone_leaves_the_value():
    assert only({"summary": Change(None, lock=False)}) == [("summary.locked", "0")]
    assert only({"genre": Change(None, lock=True)}) == [("genre.locked", "1")]


def test_a_value_alone_leaves_the_lock():
    assert only({"studio": Change("S")}) == [("studio.value", "S")]


def test_a_rating_is_never_left_locked():
    assert only({"userRating": Change("8.5")}) == [("userRating.value", "8.5"), ("userRating.locked", "0")]


def test_an_empty_text_clears():
    assert only({"studio": Change("")}) == [("studio.value", "")]


def test_a_list_travels_whole():
    assert only({"genre": Change(("B", "A"), lock=True, adds=("A",))}) == [
        ("genre[0].tag.tag", "B"),
        ("genre[1].tag.tag", "A"),
        ("genre.locked", "1"),
    ]


def test_an_empty_list_clears_nothing_by_itself():
    assert targets("2", "41", {"genre": Change(())}) == []


def test_the_cast_keeps_its_roles():
    edit = {"actor": Change(("Ann", "Bo"), lock=True)}
    assert only(edit, cast=Cast(roles={"Ann": "The queen", "Cy": "no more"})) == [
        ("actor[0].tag.tag", "Ann"),
        ("actor[0].tagging.text", "The queen"),
        ("actor[1].tag.tag", "Bo"),
        ("actor.locked", "1"),
    ]


def test_what_is_shown_beside_the_cast_travels_with_the_whole_list():
    cast = Cast(("Ann", "Bo"), {"Ann": "The queen"}, locked=True)
    edit = {"role:Bo": Change("The king"), "face:ann": Change("https://example.org/1.jpg?a=b")}
    assert only(edit, cast=cast) == [
        ("actor[0].tag.tag", "Ann"),
        ("actor[0].tagging.text", "The queen"),
        ("actor[0].tag.thumb", "https://example.org/1.jpg?a=b"),
        ("actor[1].tag.tag", "Bo"),
        ("actor[1].tagging.text", "The king"),
        ("actor.locked", "1"),
    ]


def test_what_is_shown_beside_new_members_goes_with_them_and_is_emptied_with_an_empty_text():
    edit = {
        "actor": Change(("Cy", "Ann"), lock=True, removes=("Bo",)),
        "role:Cy": Change("New"),
        "role:Ann": Change(""),
    }
    assert only(edit, cast=Cast(("Ann", "Bo"), {"Ann": "The queen"})) == [
        ("actor[0].tag.tag", "Cy"),
        ("actor[0].tagging.text", "New"),
        ("actor[1].tag.tag", "Ann"),
        ("actor[1].tagging.text", ""),
        ("actor.locked", "1"),
        ("actor[].tag.tag-", "Bo"),
    ]


def test_only_texts_are_shown_beside_the_cast():
    with pytest.raises(ValueError, match="text"):
        targets("2", "41", {"role:Ann": Change(("A",))}, cast=Cast(("Ann",)))


def test_names_to_take_away_are_encoded_twice():
    pairs = only({"genre": Change(("C",), lock=True, removes=("a,b", "50% & more"))})
    assert pairs == [
        ("genre[0].tag.tag", "C"),
        ("genre.locked", "1"),
        ("genre[].tag.tag-", "a%2Cb,50%25%20%26%20more"),
    ]


def test_names_to_take_away_alone():
    assert only({"actor": Change(None, removes=("Ann",))}) == [("actor[].tag.tag-", "Ann")]
    assert only({"actor": Change((), lock=False, removes=("Ann",))}) == [
        ("actor[].tag.tag-", "Ann"),
        ("actor.locked", "0"),
    ]


def test_everything_fits_into_one_request():
    values = {name: ("x",) if name in LISTS else "x" for name in FIELDS} | {"addedAt": "2001-02-03T04:05:06Z"}
    edit = {name: Change(value, lock=True) for name, value in values.items()}
    assert len(only(edit)) == 2 * len(FIELDS)


def test_a_date_added_is_sent_in_seconds_and_is_never_empty():
    edit = {"addedAt": Change("2023-11-14T22:13:20Z", lock=True)}
    assert only(edit) == [("addedAt.value", "1700000000"), ("addedAt.locked", "1")]
    for text in ("", "soon", "2023-11-14T25:13:20Z"):
        with pytest.raises(ValueError, match=r"isoformat|hour"):
            only({"addedAt": Change(text)})


def test_a_lone_surrogate_does_not_stop_an_edit():
    assert only({"title": Change("a\ud800b")}) == [("title.value", "a?b")]


def test_a_long_edit_is_parted_by_field():
    edit = {"title": Change("t", True), "summary": Change("s" * 5000, True), "genre": Change(("g" * 200,) * 20, True)}
    first, second = targets("2", "41", edit)
    assert [name for name, _ in asked(first)] == [
        "type",
        "id",
        "title.value",
        "title.locked",
        "summary.value",
        "summary.locked",
    ]
    assert {name.split("[")[0].split(".")[0] for name, _ in asked(second)[2:]} == {"genre"}


def test_a_list_is_never_parted_but_what_it_loses_is():
    names = tuple(f"{n:03}" + "x" * 100 for n in range(100))
    edit = {"genre": Change(names, lock=True, removes=tuple(f"old {name}" for name in names))}
    first, *rest = targets("2", "41", edit)
    assert [value for name, value in asked(first) if name.startswith("genre[")] == list(names)
    assert len(rest) > 1
    assert all(len(target) < LINE_LIMIT for target in rest)
    assert all(("genre.locked", "1") in asked(target) for target in rest)
    gone = [
        unquote(one)
        for target in rest
        for name, value in asked(target)
        if name == "genre[].tag.tag-"
        for one in value.split(",")
    ]
    assert gone == [f"old {name}" for name in names]


texts = st.text(st.characters(codec="utf-8"), max_size=40)
moments = st.integers(1, 4_000_000_000).map(moment_text)
changes = {
    name: st.builds(
        Change,
        st.none()
        | (st.lists(texts, max_size=6).map(tuple) if name in LISTS else moments if name == "addedAt" else texts),
        lock=st.none() | st.booleans(),
        removes=st.lists(texts.filter(bool), max_size=6).map(tuple) if name in LISTS else st.just(()),
    )
    for name in FIELDS
}


@given(st.fixed_dictionaries({}, optional=changes), st.integers(0, 1000))
def test_however_an_edit_is_parted_it_says_the_same(edit, limit):
    whole = {pair for target in targets("2", "41", edit, limit=10**9) for pair in asked(target)}
    parted = [pair for target in targets("2", "41", edit, limit=limit) for pair in asked(target)]

    def plain(pairs):
        return {pair for pair in pairs if not pair[0].endswith("tag-")}

    def removed(pairs):
        return {(name, unquote(one)) for name, value in pairs if name.endswith("tag-") for one in value.split(",")}

    assert plain(parted) == plain(whole)
    assert removed(parted) == removed(whole)
    assert all(
        target.startswith("/library/sections/2/all?type=1&id=41&") for target in targets("2", "41", edit, limit=limit)
    )
