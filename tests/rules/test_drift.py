"""Drift: what you edited in Plex is kept until you take that back, or given up once."""

from dataclasses import replace

import pytest

from plexsync.rules.merge.drift import drift_of, is_bare, keep, kept_fields, take, unkeep
from plexsync.rules.merge.memory import learn
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Policy, Pushing
from plexsync.rules.merge.undo import begun_anew, undo
from plexsync.rules.merge.values import Held, held_field
from tests.rules.test_plan import item, remembered
from tests.tables import table

OURS = {"studio": remembered("old", found="before us")}
EDITED = item("studio", studio="theirs")
LISTED = {"genre": remembered(("A", "B"), A="A", B="B")}


def planned(values, now, memory, **policy):
    return plan(values, now, memory, (), Policy(**policy))


def kept(value="old", memory=OURS, name="studio"):
    return keep(memory, name, value, now=5)


def given_up(value="old", now=EDITED, memory=OURS, name="studio"):
    return take(memory, name, value, held_field(now, name), now=5)


# --- what drifted ----------------------------------------------------------------------------------------------------


def test_an_edit_in_plex_is_listed_with_both_values():
    (field,) = drift_of({"studio": "old"}, EDITED, planned({"studio": "old"}, EDITED, OURS))
    assert (field.name, field.in_plex, field.in_stash, field.is_kept) == ("studio", Held("theirs", True), "old", False)


@pytest.mark.parametrize("conflict", ["stash", "plex"])
def test_an_edit_on_both_sides_is_listed_only_if_plex_wins(conflict):
    made = planned({"studio": "new"}, EDITED, OURS, conflict=conflict)
    assert len(drift_of({"studio": "new"}, EDITED, made)) == (conflict == "plex")


def test_a_locked_value_from_before_is_listed():
    (field,) = drift_of({"studio": "new"}, EDITED, planned({"studio": "new"}, EDITED, {}))
    assert field.in_stash == "new"


def test_a_removed_member_is_listed_with_what_taking_stashs_list_would_do():
    now = item("genre", genre=("B", "Mine"))
    (field,) = drift_of({"genre": ("A", "B")}, now, planned({"genre": ("A", "B")}, now, LISTED))
    assert (field.adds, field.removes) == (("A",), ("Mine",))


def test_what_plex_itself_refused_is_not_listed():
    now = item("actor")
    made = planned({"actor": ("A",)}, now, {"actor": remembered(("A",), left=())})
    assert [note.reason for note in made.notes] == ["kept"]
    assert drift_of({"actor": ("A",)}, now, made) == ()


# --- keep ------------------------------------------------------------------------------------------------------------


@table("value", ["old", "new", ""])
@table("now", [EDITED, item(studio="unlocked"), item(), item("studio", studio="old")])
@table("memory", [OURS, {}])
def test_a_kept_field_is_never_written_and_stays_kept(value, now, memory):
    made = planned({"studio": value}, now, kept(memory=memory))
    assert (made.edit, kept_fields(made.memory)) == ({}, {"studio"})
    assert [note.reason for note in made.notes] == ["decided"]
    (field,) = drift_of({"studio": value}, now, made)
    assert (field.is_kept, field.since, field.in_stash) == (True, 5, value or None)


def test_a_take_over_leaves_a_kept_field():
    assert planned({"studio": "new"}, EDITED, kept(memory={}), take_over=True).edit == {}


def test_a_kept_list_is_not_written_whatever_stash_has():
    memory = kept(("A", "B"), LISTED, "genre")
    assert planned({"genre": ("C",)}, item(genre=("B",)), memory).edit == {}
    assert planned({"genre": ()}, item("genre", genre=("B",)), memory).edit == {}


def test_the_role_of_a_cast_member_can_be_kept_on_its_own():
    cast = replace(item("actor", actor=("Jane",)), roles={"Jane": "mine"})
    memory = {"actor": remembered(("Jane",), Jane="Jane"), "role:Jane": remembered("old")}
    memory = keep(memory, "role:Jane", "old", now=5)
    assert planned({"actor": ("Jane",), "role:Jane": "new"}, cast, memory).edit == {}
    assert planned({"actor": ("Jane",), "role:jane": "new"}, cast, memory).edit == {}


def test_a_push_of_unknown_result_does_not_end_a_keep():
    sent = planned({"studio": "new"}, item("studio", studio="old"), OURS)
    pushing = [Pushing(sent.sending, until=9)]
    for now in (item("studio", studio="new"), EDITED):
        made = plan({"studio": "other"}, now, kept(), pushing)
        assert (made.edit, kept_fields(made.memory)) == ({}, {"studio"})


def test_other_fields_are_written_and_the_keep_stays_when_they_are_read_back():
    values, now = {"studio": "new", "title": "T"}, item("studio", studio="theirs", title="file")
    made = planned(values, now, kept())
    assert set(made.edit) == {"title"}
    after = learn(made.memory, made.sending, item("studio", "title", studio="theirs", title="T"))
    assert kept_fields(after.memory) == {"studio"}


# --- taking the keep back --------------------------------------------------------------------------------------------


def test_unkeep_writes_nothing_until_the_next_edit_in_stash():
    memory = unkeep(kept(), "studio", "edited while kept")
    made = planned({"studio": "edited while kept"}, EDITED, memory)
    assert made.edit == {}
    assert [note.reason for note in made.notes] == ["person"]
    assert planned({"studio": "later"}, EDITED, made.memory).edit["studio"].value == "later"


def test_unkeep_of_a_value_from_before_leaves_it_as_it_was():
    assert unkeep(kept(memory={}), "studio", "new") == {}
    assert unkeep(OURS, "studio", "new") == OURS


def test_unkeep_of_a_list_does_not_bring_removed_members_back():
    memory = unkeep(kept(("A", "B"), LISTED, "genre"), "genre", ("A", "B", "C"))
    made = planned({"genre": ("A", "B", "C")}, item("genre", genre=("B",)), memory)
    assert made.edit == {}
    assert [note.reason for note in made.notes] == ["person"]


# --- take Stash's ----------------------------------------------------------------------------------------------------


def test_taking_stashs_value_writes_it_once_and_an_undo_gives_back_what_was_found():
    made = planned({"studio": "old"}, EDITED, given_up())
    assert made.edit["studio"].value == "old"
    shown = item("studio", studio="old")
    memory = learn(made.memory, made.sending, shown).memory
    assert (memory["studio"].drift, memory["studio"].found) == (None, Held("before us", False))
    again = planned({"studio": "old"}, EDITED, memory)
    assert (again.edit, [note.reason for note in again.notes]) == ({}, ["person"])


def test_taking_stashs_value_of_a_field_from_before_makes_the_old_value_the_found_one():
    made = planned({"studio": "new"}, EDITED, given_up("new", memory={}))
    memory = learn(made.memory, made.sending, item("studio", studio="new")).memory
    assert memory["studio"].found == Held("theirs", True)


@pytest.mark.parametrize("memory", [OURS, {}])
def test_a_value_that_was_set_after_the_decision_is_not_given_up(memory):
    newer = item("studio", studio="newer edit")
    made = planned({"studio": "old"}, newer, given_up(memory=memory))
    assert made.edit == {}
    assert all(entry.drift is None for entry in made.memory.values())
    assert planned({"studio": "old"}, EDITED, made.memory).edit == {}


def test_the_request_stays_until_the_push_arrived():
    made = planned({"studio": "old"}, EDITED, given_up())
    failed = plan({"studio": "old"}, EDITED, made.memory, [Pushing(made.sending, until=9)])
    assert failed.edit["studio"].value == "old"
    arrived = plan({"studio": "old"}, item("studio", studio="old"), made.memory, [Pushing(made.sending, until=9)])
    assert (arrived.edit, arrived.memory["studio"].drift) == ({}, None)


def test_a_plex_that_ignores_the_value_is_not_asked_again():
    made = planned({"studio": "old"}, EDITED, given_up())
    memory = learn(made.memory, made.sending, EDITED).memory
    assert planned({"studio": "old"}, EDITED, memory).edit == {}


def test_removed_members_come_back_and_added_ones_count_as_ours():
    now = item("genre", genre=("B", "Mine"))
    memory = given_up(("A", "B"), now, LISTED, "genre")
    made = planned({"genre": ("A", "B")}, now, memory)
    assert (made.edit["genre"].adds, made.edit["genre"].removes) == (("A",), ("Mine",))
    after = item("genre", genre=("B", "A"))
    learnt = learn(made.memory, made.sending, after).memory
    assert planned({"genre": ("A", "B")}, after, learnt).edit == {}
    back = undo(learnt, (), {"genre": ("A", "B")}, {"genre"}, "undo")
    restored = planned({"genre": ("A", "B")}, after, back)
    assert restored.edit["genre"].value == ("Mine",)


def test_a_kept_field_can_be_given_up():
    made = planned({"studio": "new"}, EDITED, given_up("new", memory=kept()))
    assert made.edit["studio"].value == "new"


# --- undo and redo ---------------------------------------------------------------------------------------------------


def test_an_undo_leaves_a_kept_value_and_a_redo_still_keeps_it():
    for memory in (kept(), kept(memory={})):
        undone = undo(memory, (), {"studio": "old"}, {"studio"}, "undo")
        made = planned({"studio": "old"}, EDITED, undone)
        assert made.edit == {}
        anew = planned({"studio": "new"}, EDITED, begun_anew(made.memory))
        assert (anew.edit, kept_fields(anew.memory)) == ({}, {"studio"})


def test_an_undo_takes_back_what_is_still_ours_in_a_kept_field():
    now = item("studio", studio="old")
    made = planned({"studio": "old"}, now, undo(kept(), (), {"studio": "old"}, {"studio"}, "undo"))
    assert made.edit["studio"].value == "before us"
    after = learn(made.memory, made.sending, item(studio="before us")).memory
    assert kept_fields(begun_anew(after)) == {"studio"}


def test_an_edit_of_a_kept_field_in_stash_ends_an_undo_as_any_edit_does():
    undone = undo(kept(), (), {"studio": "old", "title": "T"}, {"studio", "title"}, "undo")
    made = planned({"studio": "new", "title": "T"}, item("studio", studio="theirs", title="file"), undone)
    assert set(made.edit) == {"title"}
    assert not any(entry.undone for entry in made.memory.values())


def test_an_undo_cancels_the_taking_of_stashs_value():
    undone = undo(given_up(), (), {"studio": "old"}, {"studio"}, "undo")
    assert planned({"studio": "old"}, EDITED, undone).edit == {}
    assert undone["studio"].drift is None


def test_a_memory_that_holds_only_a_decision_is_told_apart():
    assert is_bare("studio", kept(memory={})["studio"])
    assert not is_bare("studio", kept()["studio"])
