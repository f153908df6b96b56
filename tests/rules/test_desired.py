import os
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.desired import (
    ALL_TAGS,
    FACE_LIMIT,
    MEMBER_FRAME,
    MEMBER_LIMIT,
    SENT_LIMIT,
    Profile,
    desired_values,
    digest,
    sent_size,
)
from plexsync.rules.merge.template import FACE_NAMES, NAMES, ROLE_NAMES
from plexsync.rules.scene import Performer, Scene, SceneFile
from tests.tables import table

CASES = 20_000 if os.environ.get("PLEXSYNC_TORTURE") else 100
ALL = Profile(frozenset(FIELDS))
# What is empty unless a setting fills it, and what a scene may not have.
NOT_SET = {
    **dict.fromkeys(("titleSort", "originalTitle", "tagline", "addedAt", "contentRating"), ""),
    **dict.fromkeys(("director", "label"), ()),
}


def values_of(**fields):
    return desired_values(Scene(id=1, **fields), ALL).values


def note_of(**fields):
    return [(note.field, note.reason) for note in desired_values(Scene(id=1, **fields), ALL).notes]


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
    } | NOT_SET  # fmt: skip


def test_what_stash_does_not_have_is_empty():
    assert values_of(title="t") == {
        "title": "t", "studio": "", "summary": "", "originallyAvailableAt": "", "userRating": "",
        "actor": (), "genre": (), "collection": (),
    } | NOT_SET  # fmt: skip


def shown(scene, **profile):
    return desired_values(scene, Profile(frozenset(FIELDS), **profile)).values


def made(text):
    return template.parse_template(text, NAMES)


SCENE = Scene(
    id=1,
    title="The Title",
    date="2021-03",
    studio="Label",
    parents=("Network", "Holding"),
    code="C-7",
    director="Dee; Em,  Dee ",
    performers=("Ann", "Bea"),
    groups=("First", "Second"),
    tags=("Boots", "Blue", "meta: cut"),
    tags_above=(("Shoes", "Wear"), (), ("Meta",)),
    files=(SceneFile("/v/file name.mkv"),),
)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("{title}", "The Title"),
        ("[{studio} - ]{title}", "Label - The Title"),
        ("{title}[ ({year})]", "The Title (2021)"),
        ("{date} {code} {file}", "2021-03-01 C-7 file name"),
        ("{parent}/{group}: {performers} by {director}", "Network/First: Ann, Bea by Dee; Em,  Dee"),
        ("{{{title}}} [[x]]", "{The Title} [x]"),
    ],
)
def test_a_title_is_made_of_what_its_template_names(text, title):
    assert shown(SCENE, title=made(text))["title"] == title


def test_an_optional_part_is_left_out_when_a_value_in_it_is_empty():
    bare = Scene(id=1, files=SCENE.files)
    assert shown(bare, title=made("[{studio} - ]{title}[ ({year})]"))["title"] == "file name"
    assert shown(bare, title=made("[{studio}]"))["title"] == "file name", "a title is never empty"
    assert "title" not in shown(Scene(id=1, studio="Label"), title=made("{studio}: {title}"))


def test_other_titles_and_the_content_rating_are_what_settings_say():
    values = shown(SCENE, sort_title=made("{studio} {date}"), original_title=made("{code}"), content_rating="XXX")
    assert (values["titleSort"], values["originalTitle"], values["contentRating"]) == ("Label 2021-03-01", "C-7", "XXX")


def test_one_text_names_several_directors():
    assert shown(SCENE)["director"] == ("Dee", "Em")


@table(
    ("patterns", "genres"),
    [
        (["*"], ("Boots", "Blue", "meta: cut")),
        (["-meta*"], ("Boots", "Blue")),
        (["B*"], ("Boots", "Blue")),
        (["b?ue"], ("Blue",)),
        (["Shoes/*"], ("Boots",)),
        (["WEAR/*", "blue"], ("Boots", "Blue")),
        (["*", "-Shoes/*"], ("Blue", "meta: cut")),
        (["boots", "-boots"], ()),
        ([], ()),
    ],
)
def test_tags_become_genres_by_name_pattern_or_what_is_above_them(patterns, genres):
    assert shown(SCENE, genres=choice.parse_patterns(patterns))["genre"] == genres


def test_a_tag_can_become_several_things_or_none():
    values = shown(
        SCENE, genres=choice.parse_patterns(["Blue"]), labels=choice.parse_patterns(["meta*"]), tag_collections=ALL_TAGS
    )
    assert (values["genre"], values["label"]) == (("Blue",), ("meta: cut",))
    assert values["collection"] == ("Label", "First", "Second", "Boots", "Blue", "meta: cut")


def test_what_is_above_a_tag_is_shown_with_it_unless_it_is_left_out():
    assert shown(SCENE, genres=choice.parse_patterns(["Boots"]), tag_parents=True)["genre"] == (
        "Boots",
        "Shoes",
        "Wear",
    )
    assert shown(SCENE, genres=choice.parse_patterns(["Boots", "-wear"]), tag_parents=True)["genre"] == (
        "Boots",
        "Shoes",
    )


def test_square_brackets_in_a_pattern_are_letters():
    tagged = Scene(id=1, title="t", tags=("[a] x", "a x"))
    assert shown(tagged, genres=choice.parse_patterns(["[a]*"]))["genre"] == ("[a] x",)


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        ({"studio"}, ("Label",)),
        ({"parents"}, ("Network", "Holding")),
        ({"studio", "parents", "groups"}, ("Label", "Network", "Holding", "First", "Second")),
        (set(), ()),
    ],
)
def test_collections_come_from_the_sources_that_are_named(sources, names):
    assert shown(SCENE, collections=frozenset(sources))["collection"] == names


def test_what_is_above_tags_is_asked_for_only_where_it_matters():
    assert not ALL.asks_above
    assert not Profile(frozenset(FIELDS), tag_parents=True, genres=choice.parse_patterns([])).asks_above
    assert Profile(frozenset(FIELDS), tag_parents=True).asks_above
    assert Profile(frozenset(FIELDS), labels=choice.parse_patterns(["Shoes/*"])).asks_above


@table("bad", ["{", "}", "{titel}", "{}", "[a", "a]", "[[[a", "[a[b]]", "{title", "x" * 501])
def test_a_template_that_can_not_be_read_is_refused(bad):
    with pytest.raises(ValueError, match="must "):
        made(bad)


@given(st.text(max_size=60))
def test_any_text_is_a_template_or_refused_and_doubled_signs_are_themselves(text):
    with suppress(ValueError):
        made(text)
    doubled = re.sub(r"[\[\]{}]", lambda sign: sign[0] * 2, text)
    assert made(doubled).fill(dict.fromkeys(NAMES, "")) == text


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12), max_size=6))
def test_a_tag_that_is_named_as_it_is_is_chosen(tags):
    named = [tag for tag in tags if tag.strip() and not tag.startswith("-")]
    for tag in named:
        assert choice.parse_patterns(named).choose(tag)


def test_only_fields_that_are_switched_on_are_wanted():
    only = desired_values(Scene(id=1, title="t", studio="s"), Profile(frozenset({"studio"})))
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


@table(
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


@table(
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
    one = desired_values(Scene(id=1, title="t", tags=("a", "b")), ALL)
    same = desired_values(Scene(id=2, title="t ", tags=("b", "a"), updated_at="later"), ALL)
    other = desired_values(Scene(id=1, title="t", tags=("a",)), ALL)
    assert digest(one) == digest(same) != digest(other)
    assert len(digest(one)) == 16


TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None)
@given(TEXT, TEXT, st.lists(TEXT, max_size=6), TEXT)
def test_what_is_wanted_of_any_text_is_wanted_of_itself_again(title, details, tags, date):
    scene = Scene(id=1, title=title, details=details, tags=tuple(tags), date=date, files=(SceneFile("/v/file.mkv"),))
    once = desired_values(scene, ALL).values
    again = Scene(
        id=1, title=once["title"], details=once["summary"], tags=once["genre"], date=once["originallyAvailableAt"]
    )
    assert desired_values(again, ALL).values == once
    assert once["title"]
    digest(desired_values(scene, ALL))


PEOPLE = (
    Performer(1, "Ann  B", "the painter", ("Annie", "A."), "female"),
    Performer(2, "Bo/1 ü"),
    Performer(3, "ann b", "another"),
)
PEOPLED = Scene(id=1, title="t", performers=tuple(one.name for one in PEOPLE), people=PEOPLE)


def beside(**profile):
    values = shown(PEOPLED, **profile)
    return {name: value for name, value in values.items() if ":" in name}


def test_nothing_is_shown_beside_the_cast_unless_it_is_set():
    assert beside() == {}


def test_a_role_text_is_made_of_what_stash_knows_of_the_performer():
    role = template.parse_template("{disambiguation}[ aka {alias}]", ROLE_NAMES)
    assert beside(role=role) == {"role:Ann  B": "the painter aka Annie", "role:Bo/1 ü": ""}
    every = template.parse_template("{name}: {aliases} ({gender})", ROLE_NAMES)
    assert beside(role=every)["role:Ann  B"] == "Ann  B: Annie, A. (female)"


def test_the_address_of_a_picture_is_made_of_the_performer_and_safe_in_an_address():
    face = template.parse_template("https://example.org/{id}/{name}.jpg", FACE_NAMES)
    assert beside(face=face) == {
        "face:Ann  B": "https://example.org/1/Ann%20%20B.jpg",
        "face:Bo/1 ü": "https://example.org/2/Bo%2F1%20%C3%BC.jpg",
    }


@pytest.mark.parametrize(("size", "kept"), [(FACE_LIMIT, True), (FACE_LIMIT + 1, False)])
def test_an_address_that_is_too_long_is_none(size, kept):
    name, start = "x" * 100, "https://example.org/"
    end = "y" * (size - len(start) - 19 * len(name))
    scene = Scene(id=1, performers=(name,), people=(Performer(1, name),))
    face = template.parse_template(start + "{name}" * 19 + end, FACE_NAMES)
    assert shown(scene, face=face)[f"face:{name}"] == (start + name * 19 + end if kept else "")


def test_a_cast_that_is_switched_off_has_nothing_beside_it():
    role = template.parse_template("{name}", ROLE_NAMES)
    off = Profile(frozenset(FIELDS) - {"actor"}, role=role)
    assert [name for name in desired_values(PEOPLED, off).values if ":" in name] == []
    assert not off.asks_people
    assert Profile(frozenset(FIELDS), role=role).asks_people


def test_what_is_shown_beside_a_long_cast_fits_and_is_reported():
    people = tuple(Performer(n, f"Somebody {n}") for n in range(500))
    scene = Scene(id=1, title="t", performers=tuple(one.name for one in people), people=people)
    face = template.parse_template("https://example.org/" + "x" * 400 + "/{id}", FACE_NAMES)
    made = desired_values(scene, Profile(frozenset(FIELDS), face=face))
    assert 10 < len([name for name in made.values if name.startswith("face:")]) < 500
    assert ("actor", "dropped") in [(note.field, note.reason) for note in made.notes]


@pytest.mark.parametrize(("more", "shown_beside"), [(0, 50), (1, 49)])
def test_what_is_shown_beside_a_cast_may_fill_an_edit_to_its_last_byte(more, shown_beside):
    face = template.parse_template("https://example.org/" + "x" * 440 + "/{id}", FACE_NAMES)
    names = [f"Somebody{n}" for n in range(10, 60)]
    used = sum(sent_size(name) + sent_size(face.fill({"id": name[-2:]})) + 2 * MEMBER_FRAME for name in names)
    for n in range(SENT_LIMIT - used + more):
        names[n % 50] += "y"
    people = tuple(Performer(10 + n, name) for n, name in enumerate(names))
    made = desired_values(Scene(id=1, performers=tuple(names), people=people), Profile(frozenset(FIELDS), face=face))
    assert made.values["actor"] == tuple(names)
    assert len([name for name in made.values if name.startswith("face:")]) == shown_beside
    assert ("actor" in [note.field for note in made.notes]) is bool(more)
