"""Which objects of a scene have collections, and what their names are."""

from dataclasses import replace

import pytest

from plexsync.rules.collections.collections import (
    TEMPLATE_NAMES,
    CollectionObject,
    Dressing,
    ObjectText,
    Source,
    objects_of,
    rating_tenths,
)
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.desired import Profile, desired_values
from plexsync.rules.scene import Performer, Scene
from tests.tables import table

ALL = frozenset({"studio", "parents", "groups", "performers", "rating", "organized"})
PROFILE = Profile(frozenset({"collection"}), collections=ALL, tag_collections=choice.parse_patterns(["*", "-hidden"]))
SCENE = Scene(
    1,
    rating100=85,
    organized=True,
    studio="Blue",
    studio_id=11,
    parents=("Network", "World"),
    parent_ids=(12, 13),
    groups=("Trilogy",),
    group_ids=(21,),
    tags=("Boots", "hidden"),
    tag_ids=(31, 32),
    tags_above=(("Shoes", "hidden"), ()),
    tag_ids_above=((33, 32), ()),
    performers=("Ann", "Bo"),
    performer_ids=(41, 42),
    people=(Performer(41, "Ann", "the painter"), Performer(42, "Bo")),
)


def named(scene: Scene = SCENE, profile: Profile = PROFILE, **templates: str) -> list[tuple[Source, int, str]]:
    texts = {source: template.parse_template(text, TEMPLATE_NAMES) for source, text in templates.items()}
    profile = replace(profile, dressing=Dressing(names=texts))
    return [(one.object.source, one.object.id, one.name) for one in objects_of(scene, profile)]


def test_the_objects_stand_in_the_order_of_their_sources_each_with_its_id():
    assert named(profile=replace(PROFILE, tag_parents=True)) == [
        ("studio", 11, "Blue"),
        ("studio", 12, "Network"),
        ("studio", 13, "World"),
        ("group", 21, "Trilogy"),
        ("tag", 31, "Boots"),
        ("tag", 33, "Shoes"),
        ("performer", 41, "Ann"),
        ("performer", 42, "Bo"),
        ("rating", 9, "Rated 9"),
        ("organized", 1, "Organized"),
    ]


@pytest.mark.parametrize("source", sorted(ALL))
def test_a_source_that_is_off_has_no_collections(source):
    off = named(profile=replace(PROFILE, collections=ALL - {source}))
    assert set(off) < set(named())
    alone = replace(PROFILE, collections=frozenset({source}), tag_collections=choice.Patterns())
    assert [entry for entry in named() if entry not in off] == named(profile=alone)


def test_each_source_has_a_template_and_parent_studios_have_that_of_studios():
    assert named(
        studio="[{parent}: ]{name}",
        group="Series {name}",
        tag="#{name}",
        performer="{name}[ ({disambiguation})]",
        rating="{stars} stars, {rating} of 10",
        organized="Done",
    ) == [
        ("studio", 11, "Network: Blue"),
        ("studio", 12, "World: Network"),
        ("studio", 13, "World"),
        ("group", 21, "Series Trilogy"),
        ("tag", 31, "#Boots"),
        ("performer", 41, "Ann (the painter)"),
        ("performer", 42, "Bo"),
        ("rating", 9, "4.5 stars, 9 of 10"),
        ("organized", 1, "Done"),
    ]


def test_an_object_whose_template_makes_no_name_has_no_collection():
    assert named(replace(SCENE, studio=" \x00", parents=("",)), studio="All of {name}", rating="{disambiguation}")[
        0
    ] == (("group", 21, "Trilogy"))
    assert "rating" not in {source for source, _, _ in named(rating="{disambiguation}")}


@pytest.mark.parametrize(
    ("collections", "fields", "text", "asks"),
    [
        ({"performers"}, {"collection"}, "{name}[ ({disambiguation})]", True),
        ({"performers"}, {"collection"}, "{name}", False),
        ({"studio"}, {"collection"}, "{name}[ ({disambiguation})]", False),
        ({"performers"}, {"actor"}, "{name}[ ({disambiguation})]", False),
    ],
)
def test_more_than_the_names_of_performers_is_read_only_if_a_name_needs_it(collections, fields, text, asks):
    dressing = Dressing(names={"performer": template.parse_template(text, TEMPLATE_NAMES)})
    assert Profile(frozenset(fields), collections=frozenset(collections), dressing=dressing).asks_people is asks


def test_a_name_is_cut_to_what_plex_takes_and_a_scene_says_so():
    scene = replace(SCENE, studio="B" * 300)
    profile = replace(PROFILE, collections=frozenset({"studio"}), tag_collections=choice.Patterns())
    shown = desired_values(scene, profile)
    assert named(scene, profile) == [("studio", 11, "B" * 255)]
    assert shown.values == {"collection": ("B" * 255,)}
    assert [note.text for note in shown.notes] == ["a text of 300 characters was cut to 255"]


def test_names_without_an_id_are_those_that_an_import_is_about_to_create():
    scene = replace(SCENE, groups=("Trilogy", "New"), tags=("Boots", "x", "Tag"), tags_above=(), performer_ids=())
    assert [(source, name) for source, id, name in named(scene) if not id] == [
        ("group", "New"),
        ("tag", "Tag"),
        ("performer", "Ann"),
        ("performer", "Bo"),
    ]


@table(
    ("rating", "tenths"),
    [(None, 0), (0, 0), (-5, 0), (1, 1), (4, 1), (14, 1), (15, 2), (84, 8), (85, 9), (95, 10), (100, 10), (120, 10)],
)
def test_a_rating_is_rounded_to_tenths_half_up(rating, tenths):
    assert rating_tenths(rating) == tenths


def test_a_sort_title_has_a_template_of_its_own_and_is_left_to_plex_without_one():
    dressing = Dressing(sorts={"studio": template.parse_template("~{name}", TEMPLATE_NAMES)})
    blue = ObjectText("Blue\n")
    assert dressing.sort_title_of(CollectionObject("studio", 1), blue) == "~Blue"
    assert dressing.sort_title_of(CollectionObject("tag", 1), blue) == ""
    assert dressing.sort_title_of(CollectionObject("studio", 1), ObjectText(" ")) == ""


@pytest.mark.parametrize(
    "dressing",
    [
        Dressing(parts=frozenset({"name"})),
        Dressing(sorts={"tag": template.parse_template("{name}", TEMPLATE_NAMES)}),
        Dressing(mode="hidden"),
        Dressing(home=choice.parse_patterns(["Best *"])),
    ],
    ids=["parts", "sort", "mode", "home"],
)
def test_dressing_is_on_with_any_of_its_parts_and_off_without(dressing):
    assert dressing.is_on
    assert not Dressing(names={"tag": template.parse_template("#{name}", TEMPLATE_NAMES)}, minimum=5).is_on
