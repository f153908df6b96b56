import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.item import FIELDS
from sync.scene import Scene, SceneFile
from sync.wanted import MEMBER_LIMIT, Profile, digest, wanted

CASES = 20_000 if os.environ.get("PLEXSYNC_TORTURE") else 100
ALL = Profile(frozenset(FIELDS))


def values_of(**fields):
    return wanted(Scene(id=1, **fields), ALL).values


def note_of(**fields):
    return [(note.field, note.reason) for note in wanted(Scene(id=1, **fields), ALL).notes]


def test_every_field_of_a_scene_has_its_place_in_plex():
    assert values_of(
        title=" A  title\n", details="one\r\ntwo", date="2021-03-04", rating100=85, studio="Studio",
        performers=("Ann", "Bea"), tags=("x", "y"),
    ) == {
        "title": "A  title",
        "studio": "Studio",
        "summary": "one\ntwo",
        "originallyAvailableAt": "2021-03-04",
        "userRating": "8.5",
        "actor": ("Ann", "Bea"),
        "genre": ("x", "y"),
        "collection": ("Studio",),
    }  # fmt: skip


def test_what_stash_does_not_have_is_empty():
    assert values_of(title="t") == {
        "title": "t", "studio": "", "summary": "", "originallyAvailableAt": "", "userRating": "",
        "actor": (), "genre": (), "collection": (),
    }  # fmt: skip


def test_only_fields_that_are_switched_on_are_wanted():
    only = wanted(Scene(id=1, title="t", studio="s"), Profile(frozenset({"studio"})))
    assert only.values == {"studio": "s"}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/v/Some Film.mkv", "Some Film"),
        (r"D:\v\Some.Film.2021.mp4", "Some.Film.2021"),
        ("/v/.mkv", ".mkv"),
        ("/v/\x01.mkv", ".mkv"),
    ],
)
def test_a_scene_without_title_is_called_like_its_primary_file(path, title):
    files = (SceneFile(path), SceneFile("/v/second.mkv"))
    assert values_of(title=" \n", files=files)["title"] == title


def test_a_title_is_never_wanted_empty():
    assert "title" not in values_of(title="\x00")


@pytest.mark.parametrize(
    ("date", "day", "notes"),
    [
        ("2021-03-04", "2021-03-04", []),
        ("2021-03", "2021-03-01", [("originallyAvailableAt", "cut")]),
        ("2021", "2021-01-01", [("originallyAvailableAt", "cut")]),
        ("", "", []),
        ("2021-02-30", "", [("originallyAvailableAt", "dropped")]),
        ("0000-01-01", "", [("originallyAvailableAt", "dropped")]),
        ("soon", "", [("originallyAvailableAt", "dropped")]),
        ("2021-03-04T00:00:00Z", "", [("originallyAvailableAt", "dropped")]),
    ],
)
def test_dates_are_whole_days(date, day, notes):
    assert values_of(title="t", date=date)["originallyAvailableAt"] == day
    assert note_of(title="t", date=date) == notes


@pytest.mark.parametrize(
    ("rating", "text"), [(None, ""), (0, ""), (1, "0.1"), (80, "8"), (85, "8.5"), (100, "10"), (250, "10"), (-5, "")]
)
def test_ratings_are_tenths(rating, text):
    assert values_of(title="t", rating100=rating)["userRating"] == text


def test_a_list_holds_each_name_once_in_its_first_spelling():
    assert values_of(title="t", tags=("Big  One", "", "big one", "\u00e9", "E\u0301", " \x00 "))["genre"] == (
        "Big  One",
        "\u00e9",
    )


def test_long_texts_are_cut_and_said_so():
    assert len(values_of(title="t" * 300)["title"]) == 255
    assert len(values_of(title="t", details="d" * 1_000_000)["summary"]) == 10_000
    assert values_of(title="t", tags=("g" * 300, "g" * 400))["genre"] == ("g" * 255,)
    assert note_of(title="t" * 300) == [("title", "cut")]
    assert note_of(title="t", studio="s" * 256) == [("studio", "cut"), ("collection", "cut")]


def test_ten_thousand_tags_are_limited_and_said_so():
    tags = tuple(f"tag {n}" for n in range(10_000))
    assert values_of(title="t", tags=tags)["genre"] == tags[:MEMBER_LIMIT]
    assert note_of(title="t", tags=tags) == [("genre", "dropped")]


def test_a_digest_stands_for_the_values():
    one = wanted(Scene(id=1, title="t", tags=("a", "b")), ALL)
    same = wanted(Scene(id=2, title="t ", tags=("b", "a"), updated_at="later"), ALL)
    other = wanted(Scene(id=1, title="t", tags=("a",)), ALL)
    assert digest(one) == digest(same) != digest(other)
    assert len(digest(one)) == 16


TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None)
@given(TEXT, TEXT, st.lists(TEXT, max_size=6), TEXT)
def test_what_is_wanted_of_any_text_is_wanted_of_itself_again(title, details, tags, date):
    scene = Scene(id=1, title=title, details=details, tags=tuple(tags), date=date, files=(SceneFile("/v/file.mkv"),))
    once = wanted(scene, ALL).values
    again = Scene(
        id=1, title=once["title"], details=once["summary"], tags=once["genre"], date=once["originallyAvailableAt"]
    )
    assert wanted(again, ALL).values == once
    assert once["title"]
    digest(wanted(scene, ALL))
