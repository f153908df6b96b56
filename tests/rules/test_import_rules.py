"""What an import fills, what it leaves out and why, and how far a change is by what Stash has now."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest

from plexsync.rules.item import FIELDS, Item
from plexsync.rules.merge.desired import Profile, desired_values
from plexsync.rules.merge.import_records import (
    ImportChange,
    MissingName,
    NameKind,
    Names,
    StashField,
    StashFields,
    StashName,
    StashObject,
    once,
    settle_field,
    settle_object,
)
from plexsync.rules.merge.imports import (
    CUT,
    DIFFERENT_RATINGS,
    NO_RATING,
    OWN_VALUE,
    Fill,
    ImportItem,
    ImportPlan,
    fill_scene,
    is_filled,
    plan_import,
    written_values,
)
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Change, Policy
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.scene import Performer, Scene
from tests.rules.test_plan import remembered

# How far a change is: whether it is open, and whether it is taken back.
State = tuple[bool, TakenBack]
PLANNED, DONE = (True, TakenBack.NO), (False, TakenBack.NO)
UNDOING, UNDONE = (True, TakenBack.UNDO), (False, TakenBack.UNDO)
BEFORE, AFTER, OTHER = '""', '"written"', '"by a person"'
CREATED = "2024-01-01"


# --- how far a change is ---------------------------------------------------------------------------------------------


def change(state: State, *, scene: int = 7, target: str = "title", at: int = 1000) -> ImportChange:
    return ImportChange(1, 1, scene, target, 0, BEFORE, AFTER, CREATED, at, *state)


def state_of(change: ImportChange | None) -> State | None:
    return (change.is_open, change.taken_back) if change else None


def in_stash(value: str, *, created: str = CREATED) -> StashFields:
    return StashFields(7, created, {StashField.TITLE: value})


@pytest.mark.parametrize(
    ("state", "value", "while_open", "once_over"),
    [
        (PLANNED, BEFORE, PLANNED, None),
        (PLANNED, AFTER, DONE, DONE),
        (PLANNED, OTHER, DONE, DONE),
        (UNDOING, BEFORE, UNDONE, UNDONE),
        (UNDOING, AFTER, UNDOING, DONE),
        (UNDOING, OTHER, DONE, DONE),
    ],
)
def test_the_state_of_a_field_by_what_stash_has_now(
    state: State, value: str, while_open: State | None, once_over: State | None
) -> None:
    states = [state_of(settle_field(change(state), in_stash(value), is_over=is_over)) for is_over in (False, True)]
    assert states == [while_open, once_over]


@pytest.mark.parametrize("state", [PLANNED, UNDOING])
def test_nothing_was_changed_in_a_scene_that_is_gone_or_another_one_by_now(state: State) -> None:
    others = [None, in_stash(AFTER, created="2025-01-01"), in_stash(BEFORE, created="2025-01-01")]
    states = [settle_field(change(state), other, is_over=is_over) for other, is_over in product(others, (False, True))]
    assert states == [None] * 6


@pytest.mark.parametrize(
    ("state", "is_there", "while_open", "once_over"),
    [
        (PLANNED, False, PLANNED, None),
        (PLANNED, True, DONE, DONE),
        (UNDOING, False, UNDONE, UNDONE),
        (UNDOING, True, UNDOING, DONE),
    ],
)
def test_the_state_of_an_object_by_whether_it_is_there(
    state: State, is_there: bool, while_open: State | None, once_over: State | None
) -> None:
    made, there = change(state, scene=0, target="tag"), StashObject(3, "Noir", CREATED) if is_there else None
    settled = [settle_object(made, there, is_over=is_over) for is_over in (False, True)]
    assert list(map(state_of, settled)) == [while_open, once_over]


def test_a_change_is_of_a_field_or_of_an_object() -> None:
    field, made = change(PLANNED), change(PLANNED, scene=0, target="performer")
    assert (field.field, field.kind, made.field, made.kind) == (StashField.TITLE, None, None, NameKind.PERFORMER)


def test_what_is_empty_in_stash() -> None:
    values = ("null", '""', '" \\t"', "[]", "0", '"x"', "[1]", "83", '"2020-05-06"')
    empty = {value: in_stash(value).is_empty(StashField.TITLE) for value in values}
    assert [value for value, is_empty in empty.items() if is_empty] == list(values[:5])


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_comes_before_an_alias_and_neither_case_nor_spacing_makes_a_difference() -> None:
    ann, bo, other = StashName(4, "Ann Lee", ("Annie",)), StashName(9, "Bo", ("ann lee", "B")), StashName(2, "ANN  LEE")
    names = Names([ann, bo, other])
    assert (names.last_id, Names().last_id) == (9, 0)
    assert names.find("ann lee") == names.with_name(" Ann Lee") == [ann, other]
    assert (names.find("b"), names.with_name("b"), names.find("annie"), names.find("Cyd")) == ([bo], [], [ann], [])


def test_each_missing_name_is_listed_once_per_kind_in_its_first_spelling() -> None:
    drama, lower = MissingName(NameKind.TAG, "Drama"), MissingName(NameKind.TAG, "drama ")
    person, noir = MissingName(NameKind.PERFORMER, "Drama"), MissingName(NameKind.TAG, "Noir")
    assert list(once([drama, lower, person, noir, drama])) == [drama, person, noir]


def test_every_field_has_a_word_and_a_place_in_plex() -> None:
    assert [field.word for field in StashField] == [
        *("title", "date", "details", "rating", "studio", "performers", "tags"),
    ]
    assert {field.in_plex for field in StashField} <= {*FIELDS}
    assert [field for field in StashField if field.kind] == [StashField.STUDIO, StashField.PERFORMERS, StashField.TAGS]


# --- the plan --------------------------------------------------------------------------------------------------------

IN_PLEX_NOW = Item(
    "1",
    "1",
    scalars={
        "title": "The film",
        "originallyAvailableAt": "2020-05-06",
        "summary": "What happens.",
        "userRating": "8.3",
        "studio": "Big Studio",
    },
    lists={"actor": ("Ann", "Bo"), "genre": ("Drama", "Noir")},
)
ALL_NAMES = {
    NameKind.STUDIO: Names([StashName(1, "Big Studio")]),
    NameKind.PERFORMER: Names([StashName(2, "Ann"), StashName(3, "Bo")]),
    NameKind.TAG: Names([StashName(4, "Drama"), StashName(5, "Noir")]),
}
NO_NAMES = {kind: Names() for kind in NameKind}
PLAIN = Profile(frozenset(FIELDS), collections=frozenset())
FULL = Scene(
    7,
    title="Mine",
    date="2001-01-01",
    details="Mine.",
    rating100=5,
    studio="Mine",
    performers=("Cyd",),
    tags=("Mine",),
)


def side(item: Item = IN_PLEX_NOW, **more: object) -> ImportItem:
    return ImportItem(**{"item": item, "memory": {}, "profile": PLAIN, "policy": Policy(), **more})


def planned(scene: Scene, *sides: ImportItem, names: Mapping[NameKind, Names] = ALL_NAMES, create: bool = False):
    return plan_import(scene, sides or [side()], names, create=create)


def shown(result: ImportPlan) -> dict[str, tuple[str, ...]]:
    return {fill.field.word: fill.shown for fill in result.fills}


def reasons(result: ImportPlan) -> dict[tuple[str, str], str]:
    return {(left_out.field.word, left_out.text): left_out.reason for left_out in result.left_out}


EVERYTHING = {
    "title": ("The film",),
    "date": ("2020-05-06",),
    "details": ("What happens.",),
    "rating": ("83",),
    "studio": ("Big Studio",),
    "performers": ("Ann", "Bo"),
    "tags": ("Drama", "Noir"),
}
EMPTY = {
    "title": {"title": " "},
    "date": {"date": ""},
    "details": {"details": "\n"},
    "rating": {"rating100": None},
    "studio": {"studio": ""},
    "performers": {"performers": ()},
    "tags": {"tags": ()},
}


def test_an_empty_scene_gets_everything_and_a_full_one_nothing() -> None:
    assert planned(Scene(7)) == replace(planned(Scene(7)), left_out=(), missing=())
    assert shown(planned(Scene(7))) == EVERYTHING
    assert planned(FULL) == ImportPlan()


@pytest.mark.parametrize("field", EMPTY)
def test_of_a_scene_that_lacks_one_field_only_that_is_filled_and_then_it_is_full(field: str) -> None:
    scene = replace(FULL, **EMPTY[field])
    assert [name.word for name in StashField if not is_filled(scene, name)] == [field]
    result = planned(scene)
    assert shown(result) == {field: EVERYTHING[field]}
    (fill,) = result.fills
    after = fill_scene(scene, fill)
    assert all(is_filled(after, name) for name in StashField)
    assert replace(after, **EMPTY[field], people=(), parents=(), tags_above=()) == replace(scene, **EMPTY[field])
    assert planned(after) == ImportPlan()


def test_an_object_comes_with_all_that_a_sync_may_show_of_it() -> None:
    studio = Fill(StashField.STUDIO, objects=(StashName(1, "Big", above=("Network", "World")),))
    assert fill_scene(Scene(7), studio) == Scene(7, studio="Big", parents=("Network", "World"))
    ann = StashName(2, "Ann", ("Annie",), disambiguation="the first", gender="FEMALE")
    people = Fill(StashField.PERFORMERS, objects=(ann,))
    scene = fill_scene(Scene(7, performers=("Cyd",), people=(Performer(1, "Cyd"),)), people)
    assert scene.performers == ("Cyd", "Ann")
    assert scene.people == (Performer(1, "Cyd"), Performer(2, "Ann", "the first", ("Annie",), "FEMALE"))
    noir = Fill(StashField.TAGS, objects=(StashName(5, "Noir", above=("Crime",)), StashName(6, "Old")))
    assert fill_scene(Scene(7), noir) == Scene(7, tags=("Noir", "Old"), tags_above=(("Crime",), ()))
    for above in ((), (("Up",),)):
        scene = fill_scene(Scene(7, tags=("Mine",), tags_above=above), noir)
        assert (scene.tags, scene.tags_above) == (("Mine", "Noir", "Old"), (*(above or ((),)), ("Crime",), ()))


def test_after_an_import_a_sync_writes_nothing_but_locks() -> None:
    scene, result = Scene(7), planned(Scene(7))
    for fill in result.fills:
        scene = fill_scene(scene, fill)
    edit = plan(desired_values(scene, PLAIN).values, IN_PLEX_NOW, {}, (), Policy()).edit
    assert set(edit) == {field.in_plex for field in StashField} - {"userRating"}, "a rating has no lock"
    assert written_values(edit) == frozenset()


def test_names_that_stash_lacks_are_missing_or_created() -> None:
    expected = [
        MissingName(NameKind.STUDIO, "Big Studio"),
        *(MissingName(NameKind.PERFORMER, name) for name in ("Ann", "Bo")),
        *(MissingName(NameKind.TAG, name) for name in ("Drama", "Noir")),
    ]
    without, created = planned(Scene(7), names=NO_NAMES), planned(Scene(7), names=NO_NAMES, create=True)
    assert (list(without.missing), without.to_create) == (expected, ())
    assert shown(without).keys() == EVERYTHING.keys() - {"studio", "performers", "tags"}
    assert (list(created.to_create), created.missing, shown(created)) == (expected, (), EVERYTHING)
    assert planned(Scene(7), create=True).to_create == ()


def test_of_several_items_the_first_that_has_a_value_gives_it_and_ratings_must_agree() -> None:
    silent = Item("2", "1", scalars={"title": "The film"})
    assert shown(planned(Scene(7), side(silent), side())) == {"title": ("The film",)}
    without_fields = replace(PLAIN, fields=frozenset())
    sides = [side(silent, profile=without_fields), side(profile=without_fields)]
    result = planned(Scene(7), *sides)
    assert shown(result) == {name: value for name, value in EVERYTHING.items() if name != "rating"}
    assert reasons(result) == {("rating", "8.3"): DIFFERENT_RATINGS}
    rated = replace(IN_PLEX_NOW, key="2", scalars={**IN_PLEX_NOW.scalars, "userRating": "8.30"})
    assert "rating" in shown(planned(Scene(7), side(), side(rated)))


@pytest.mark.parametrize(
    ("rating", "stash"),
    [("0.1", "1"), ("10", "100"), ("8.3", "83"), ("0.04", ""), ("10.1", ""), ("8.35", ""), ("x", ""), ("inf", "")],
)
def test_a_rating_that_stash_can_have_comes_and_another_is_left_out(rating: str, stash: str) -> None:
    rated = replace(IN_PLEX_NOW, scalars={**IN_PLEX_NOW.scalars, "userRating": rating})
    result = planned(replace(FULL, rating100=None), side(rated))
    assert shown(result) == ({"rating": (stash,)} if stash else {})
    assert reasons(result) == ({} if stash else {("rating", rating): NO_RATING})


def test_what_plexsync_wrote_is_no_news_unless_it_was_there_before() -> None:
    memory = {
        "title": remembered("The film", found="file"),
        "summary": remembered("What happens.", found="What happens."),
        "studio": remembered("Big Studio", found=""),
        "userRating": remembered("5", found=""),
        "genre": remembered(("Drama",), found=("Noir",), Drama="Drama"),
        "actor": replace(remembered(("Ann",), found=("Ann",), Ann="Ann"), adopted=("ann",)),
    }
    result = planned(Scene(7), side(memory=memory))
    assert reasons(result) == {
        ("title", "The film"): OWN_VALUE,
        ("studio", "Big Studio"): OWN_VALUE,
        ("tags", "Drama"): OWN_VALUE,
    }
    own = {"title": (), "studio": (), "tags": ("Noir",)}
    assert shown(result) == {name: value for name, value in {**EVERYTHING, **own}.items() if value}


def test_a_name_that_two_have_that_is_blank_or_that_comes_twice_is_not_filled() -> None:
    item = replace(IN_PLEX_NOW, lists={"genre": ("Drama", " ", "drama", "Krimi", "Noir")})
    names = {
        **ALL_NAMES,
        NameKind.TAG: Names([StashName(4, "Drama", ("Noir",)), StashName(5, "Krimi"), StashName(6, "krimi")]),
    }
    result = planned(replace(FULL, tags=()), side(item), names=names)
    assert (shown(result), result.missing) == ({"tags": ("Drama",)}, ())
    assert reasons(result) == {("tags", "Krimi"): "Stash has 2 that it could be"}


def test_a_text_that_a_sync_would_cut_and_an_alias_are_left_out() -> None:
    long = replace(IN_PLEX_NOW, lists={}, scalars={"summary": "x" * 10_001})
    (reason,) = reasons(planned(replace(FULL, details=""), side(long))).values()
    assert reason == CUT or reason.startswith("a sync would show it as ")
    named = {**ALL_NAMES, NameKind.TAG: Names([StashName(4, "Krimi", ("Drama",)), StashName(5, "Noir")])}
    result = planned(replace(FULL, tags=()), names=named)
    assert (shown(result), reasons(result)) == (
        {"tags": ("Noir",)},
        {("tags", "Krimi"): "Stash calls it 'Krimi', and a sync would add that name in Plex"},
    )


def test_values_that_an_edit_writes_do_not_depend_on_order_and_a_lock_alone_is_none() -> None:
    def edit(**changes: Change) -> frozenset[tuple[str, object]]:
        return written_values(changes)

    assert edit(title=Change(None, lock=True)) == frozenset()
    assert edit(genre=Change(("B", "a"), adds=("B",))) == edit(genre=Change(("a", "b"), removes=("c",)))
    assert edit(genre=Change(None, adds=("B",))) == {("genre", "")}
    assert edit(title=Change("x")) == {("title", "x")}
