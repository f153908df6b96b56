"""What a plan keeps of what you approved, and how an approval is written down."""

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.approval import (
    Approval,
    ApprovedScene,
    FieldChange,
    NoLongerTrue,
    approval_in,
    change_document,
    document_of,
    field_change,
    narrow_plan,
    remaining,
    scene_in,
)
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.values import Held, held_field
from plexsync.rules.servers.errors import Unusable
from tests.tables import table

ITEM = Item("5", "1", {"title": "Old", "studio": "S"}, {"genre": ("A",), "actor": ("Ann",)})
WANTED = {"title": "New", "studio": "T", "genre": ("A", "B")}


def planned(item=ITEM, values=None):
    return plan(values or WANTED, item, {}, ())


def changes_of(made, item=ITEM):
    return {name: field_change(name, held_field(item, name), change) for name, change in made.edit.items()}


def test_only_approved_changes_are_kept_and_what_is_remembered_at_once_stays():
    made = planned()
    kept = narrow_plan(made, ITEM, {"title": changes_of(made)["title"]})
    assert (set(kept.edit), set(kept.sending), kept.memory) == ({"title"}, {"title"}, made.memory)
    assert narrow_plan(made, ITEM, {}).edit == {}
    assert narrow_plan(made, ITEM, changes_of(made)) == made


@pytest.mark.parametrize(
    ("item", "values", "words"),
    [
        (Item("5", "1", {"title": "By hand"}, {}), WANTED, "its title has changed in Plex"),
        (Item("5", "1", {"title": "Old"}, {}, frozenset({"title"})), WANTED, "kept"),
        (ITEM, {**WANTED, "title": "Newer"}, "its title would become something else now"),
    ],
)
def test_a_change_that_would_be_another_one_now_is_not_made(item, values, words):
    approved = {"title": changes_of(planned())["title"]}
    made = planned(item, values)
    if words == "kept":
        assert narrow_plan(made, item, approved).edit == {}
        return
    with pytest.raises(NoLongerTrue, match=words):
        narrow_plan(made, item, approved)
    with pytest.raises(NoLongerTrue, match=words):
        remaining(made, item, approved)


def test_a_change_that_is_there_already_is_no_longer_to_be_made_and_one_that_vanished_is_told():
    approved = {"title": changes_of(planned())["title"]}
    there = Item("5", "1", {"title": "New"}, {}, frozenset({"title"}))
    assert remaining(planned(there, {"title": "New"}), there, approved) == 0
    by_hand = Item("5", "1", {"title": "Hand"}, {}, frozenset({"title"}))
    with pytest.raises(NoLongerTrue, match="its title would not be changed any more"):
        remaining(planned(by_hand, {"title": "New"}), by_hand, approved)


def test_a_role_is_left_out_while_its_actor_is():
    made = planned(values={"actor": ("Ann", "Bob"), "role:Bob": "Boss", "role:Ann": "Aide"})
    changes = changes_of(made)
    assert set(narrow_plan(made, ITEM, {name: changes[name] for name in ("role:Bob", "role:Ann")}).edit) == {"role:Ann"}
    assert set(narrow_plan(made, ITEM, changes).edit) == {"actor", "role:Bob", "role:Ann"}


def test_an_approval_survives_the_database_whatever_its_texts_are():
    change = FieldChange("genre", Held(("é\udc80",), False), Held(("x", "y"), True), ("x", "y"), ("é",))
    approval = Approval(4, ApprovedScene(7, {"5": {"genre": change}}), take_over=True)
    assert approval_in(document_of(approval)) == approval
    for text in ("", "{}", "[1]", '{"rev": 1}', "nonsense"):
        assert approval_in(text) is None


GOOD = change_document(FieldChange("title", Held("a", locked=False), Held("b", locked=True)))


def scene(**more):
    return {"id": 7, "items": [{"key": "5", "fields": [{**GOOD, **more}]}]}


@table(
    ("document", "words"),
    [
        (5, "a scene must be an object"),
        ({"id": 0, "items": []}, "a scene has no number"),
        ({"id": True, "items": []}, "a scene has no number"),
        ({"id": "7", "items": []}, "a scene has no number"),
        ({"id": 2**63, "items": []}, "a scene has no number"),
        ({"items": []}, "a scene has no number"),
        ({"id": 7}, "scene 7: items must be a list of objects"),
        ({"id": 7, "items": [{"key": "", "fields": []}]}, "scene 7: an item has no rating key"),
        ({"id": 7, "items": [{"key": "5", "fields": [3]}]}, "scene 7: fields must be a list of objects"),
        ({"id": 7, "items": [3]}, "scene 7: items must be a list of objects"),
        ({"id": 7, "items": [{"key": 5, "fields": []}]}, "scene 7: an item has no rating key"),
        ({"id": 7, "items": [{"key": "5", "fields": []}] * 2}, "scene 7: an item has no rating key .* of its own"),
        (scene(field="no such"), "scene 7: there is no field 'no such'"),
        (scene(field=5), "scene 7: there is no field 5"),
        (scene(field=["title"]), r"scene 7: there is no field \['title'\]"),
        (scene(new=5), "scene 7: title: new must be a text"),
        (scene(field="genre"), "scene 7: genre: old must be a list of texts"),
        (scene(adds=[1]), "scene 7: title: adds must be a list of texts"),
        (scene(adds="x"), "scene 7: title: adds must be a list of texts"),
        (scene(removes=None), "scene 7: title: removes must be a list of texts"),
        (scene(was_locked=1), "scene 7: title: was_locked and locked must be true or false"),
        (scene(locked="yes"), "scene 7: title: was_locked and locked must be true or false"),
    ],
)
def test_a_document_with_a_fault_is_refused_in_one_line(document, words):
    with pytest.raises(Unusable, match=words):
        scene_in(document)


def test_a_document_is_read_as_it_was_written_with_its_largest_number_and_with_or_without_a_title():
    change = FieldChange("title", Held("a", locked=False), Held("b", locked=True))
    items = {"5": {"title": change}}
    assert scene_in(scene()) == ApprovedScene(7, items)
    assert scene_in({**scene(), "title": "The film"}) == ApprovedScene(7, items, "The film")
    assert scene_in({**scene(), "title": 5, "id": 2**63 - 1}) == ApprovedScene(2**63 - 1, items)
    bare = {name: value for name, value in GOOD.items() if name not in ("adds", "removes")}
    assert scene_in({"id": 7, "items": [{"key": "5", "fields": [bare]}]}) == ApprovedScene(7, items)
    picture, role = ({**GOOD, "field": name} for name in ("thumb", "role:Ann"))
    (fields,) = scene_in({"id": 7, "items": [{"key": "5", "fields": [picture, role]}]}).items.values()
    assert set(fields) == {"thumb", "role:Ann"}
