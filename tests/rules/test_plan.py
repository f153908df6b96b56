from dataclasses import replace

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.memory import learn
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Change, Note, Policy, Pushing, Remembered, Sending
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import undo
from plexsync.rules.merge.values import LEAST_CUT, Held


def item(*locks, **fields):
    scalars = {name: value for name, value in fields.items() if isinstance(value, str)}
    lists = {name: value for name, value in fields.items() if isinstance(value, tuple)}
    return Item("7", "1", scalars, lists, frozenset(locks))


def remembered(said, left=None, *, locked=True, found="", found_locked=False, **ours):
    empty = () if isinstance(said, tuple) and found == "" else found
    return Remembered(said, Held(said if left is None else left, locked), Held(empty, found_locked), ours)


def decide(field, value, now, known=None, pushing=(), **policy):
    memory = {field: known} if known else {}
    return plan({field: value}, now, memory, pushing, Policy(**policy))


def sole_change(made):
    (change,) = made.edit.values()
    return change


WRITE = Change("new", True)
LOCK = Change(None, True)
OLD = remembered("old", found="before us")


# --- the table of single values, row by row --------------------------------------------------------------------------


def test_empty_and_never_written_is_nothing_to_do_and_nothing_to_remember():
    made = decide("studio", "", item("studio", studio="theirs"))
    assert (made.edit, made.memory) == ({}, {})


def test_a_picture_that_plex_shows_late_is_ours_and_can_be_taken_back():
    late = remembered("upload://posters/ours", "media://frame", found="media://frame")
    made = decide("thumb", "upload://posters/ours", item("thumb", thumb="upload://posters/ours"), late)
    assert (made.edit, made.notes) == ({}, ())
    assert made.memory["thumb"].left == Held("upload://posters/ours", True)
    chosen = decide("thumb", "upload://posters/ours", item("thumb", thumb="media://other"), late)
    assert [note.reason for note in chosen.notes] == ["person"]


@pytest.mark.parametrize("locks", [("studio",), ()])
def test_emptied_by_stash_gives_back_what_was_found(locks):
    made = decide("studio", "", item(*locks, studio="old"), OLD)
    assert made.edit == {"studio": Change("before us", False if locks else None)}
    assert made.sending["studio"].said is None
    assert learn(made.memory, made.sending, item(studio="before us")).memory == {}


def test_emptied_by_stash_after_a_person_edited_is_left_and_forgotten():
    made = decide("studio", "", item("studio", studio="theirs"), OLD)
    assert (made.edit, made.memory) == ({}, {})


def test_emptied_by_stash_where_plex_took_it_back_already_is_forgotten():
    made = decide("studio", "", item(studio="before us"), OLD)
    assert (made.edit, made.memory) == ({}, {})


def test_emptied_by_stash_with_the_same_value_found_gives_back_the_lock_alone():
    made = decide("studio", "", item("studio", studio="old"), remembered("old", found="old"))
    assert made.edit == {"studio": Change(None, False)}


def test_the_first_push_of_an_equal_value_locks_it():
    made = decide("studio", "new", item(studio="new"))
    assert made.edit == {"studio": LOCK}
    assert learn(made.memory, made.sending, item("studio", studio="new")).memory == {
        "studio": Remembered("new", Held("new", True), Held("new", False))
    }


def test_the_first_push_of_an_equal_and_locked_value_is_remembered_only():
    made = decide("studio", "new", item("studio", studio="new"))
    assert made.edit == {}
    assert made.memory == {"studio": Remembered("new", Held("new", True), Held("new", True))}


@pytest.mark.parametrize("field", ["title", "studio"])
def test_the_first_push_of_a_line_that_plex_has_with_single_blanks_is_remembered_only(field):
    made = decide(field, "one  two", item(field, **{field: "one two"}))
    assert (made.edit, made.notes) == ({}, ())
    assert made.memory == {field: remembered("one  two", "one two", found="one two", found_locked=True)}


@pytest.mark.parametrize(
    ("field", "stash", "theirs"), [("title", "one two", "one  two"), ("summary", "one  two", "one two")]
)
def test_the_first_push_keeps_blanks_that_only_a_person_can_have_set(field, stash, theirs):
    made = decide(field, stash, item(field, **{field: theirs}))
    assert [note.reason for note in made.notes] == ["kept"]


@pytest.mark.parametrize("now", [item(), item("studio"), item(studio="theirs")])
def test_the_first_push_over_an_empty_or_unlocked_value_writes(now):
    assert decide("studio", "new", now).edit == {"studio": WRITE}


def test_the_first_push_keeps_a_persons_value_and_says_so():
    made = decide("studio", "new", item("studio", studio="theirs"))
    assert (made.edit, made.memory) == ({}, {})
    assert [note.reason for note in made.notes] == ["kept"]
    assert decide("studio", "new", item("studio", studio="theirs"), first_push="stash").edit == {"studio": WRITE}


def test_said_and_left_as_they_are_is_nothing_to_do():
    made = decide("studio", "old", item("studio", studio="old"), OLD)
    assert (made.edit, made.memory, made.notes) == ({}, {"studio": OLD}, ())


@pytest.mark.parametrize("conflict", ["stash", "plex"])
@pytest.mark.parametrize("said", ["old", "new"])
def test_what_plex_took_back_is_written_under_either_policy(said, conflict):
    made = decide("studio", said, item(studio="from a refresh"), OLD, conflict=conflict)
    assert made.edit == {"studio": Change(said, True)}
    assert made.sending["studio"].found == OLD.found
    assert [note.reason for note in made.notes] == ["reverted"]


def test_a_lost_lock_alone_is_locked_again():
    assert decide("studio", "old", item(studio="old"), OLD).edit == {"studio": LOCK}


def test_a_lock_that_plex_does_not_take_is_not_asked_for_again():
    assert decide("studio", "old", item(studio="old"), replace(OLD, left=Held("old", False))).edit == {}


def test_a_persons_edit_is_left_while_stash_says_the_same():
    made = decide("studio", "old", item("studio", studio="theirs"), OLD)
    assert (made.edit, made.memory) == ({}, {"studio": OLD})
    assert [note.reason for note in made.notes] == ["person"]


def test_another_value_without_a_lock_in_the_moment_before_it_is_read_back_is_not_what_we_left():
    made = decide("studio", "new", item(studio="old"))
    learnt = learn(made.memory, made.sending, item(studio="somebody else's"))
    again = decide("studio", "new", item(studio="somebody else's"), learnt.memory["studio"])
    assert again.edit["studio"].value == "new"
    locked = learn(made.memory, made.sending, item("studio", studio="by hand"))
    assert locked.memory["studio"].left == Held("by hand", True)
    ignored = learn(made.memory, made.sending, item(studio="old"))
    assert ignored.memory["studio"].left == Held("old", False)


@pytest.mark.parametrize("conflict", ["stash", "plex"])
def test_a_new_value_over_what_we_left_is_written(conflict):
    made = decide("studio", "new", item("studio", studio="old"), OLD, conflict=conflict)
    assert made.edit == {"studio": WRITE}
    assert learn(made.memory, made.sending, item("studio", studio="new")).memory == {
        "studio": Remembered("new", Held("new", True), OLD.found)
    }


def test_where_both_changed_stash_wins_by_default():
    assert decide("studio", "new", item("studio", studio="theirs"), OLD).edit == {"studio": WRITE}


def test_where_both_changed_plex_can_be_kept():
    made = decide("studio", "new", item("studio", studio="theirs"), OLD, conflict="plex")
    assert (made.edit, made.memory) == ({}, {"studio": OLD})
    assert [note.reason for note in made.notes] == ["kept"]


def test_where_both_changed_to_the_same_it_is_remembered_only():
    made = decide("studio", "new", item("studio", studio="new"), OLD)
    assert (made.edit, made.memory["studio"].said) == ({}, "new")


def test_what_plex_made_of_a_value_is_not_an_edit():
    known = remembered("Two  Words", "Two Words")
    assert decide("studio", "Two  Words", item("studio", studio="Two Words"), known).edit == {}


def test_a_title_is_never_emptied():
    known = remembered("old", found="")
    made = decide("title", "", item("title", title="old"), known)
    assert (made.edit, made.memory) == ({}, {"title": known})


def test_a_rating_is_written_without_a_lock_and_cleared_by_an_empty_value():
    assert decide("userRating", "8.5", item()).edit == {"userRating": Change("8.5")}
    known = remembered("8.5")
    assert decide("userRating", "8.5", item(userRating="8.50"), known).edit == {}
    assert decide("userRating", "", item(userRating="8.5"), known).edit == {"userRating": Change("")}


def test_a_rating_that_somebody_gave_counts_as_locked():
    assert decide("userRating", "8.5", item(userRating="3")).edit == {}
    assert decide("userRating", "8.5", item(userRating="3"), remembered("8.5")).edit == {}
    assert decide("userRating", "8.5", item(), remembered("8.5")).edit == {"userRating": Change("8.5")}


def test_a_field_switched_off_keeps_value_lock_and_memory():
    made = plan({}, item("studio", studio="theirs"), {"studio": OLD}, ())
    assert (made.edit, made.memory) == ({}, {"studio": OLD})


# --- the table of lists ----------------------------------------------------------------------------------------------


def genres(*names, locked=True):
    return item(*(("genre",) if locked else ()), genre=names)


def known_genres(*said, left=None, found=(), found_locked=False, ours=None):
    mine = {name: name for name in said if name not in found} if ours is None else ours
    return Remembered(said, Held(said if left is None else left, True), Held(found, found_locked), mine)


def test_the_first_push_adds_what_is_missing_and_locks():
    made = decide("genre", ("a", "b"), genres("B", "x", locked=False))
    assert made.edit == {"genre": Change(("B", "x", "a"), True, adds=("a",))}
    learnt = learn(made.memory, made.sending, genres("B", "x", "a"))
    assert learnt.memory == {
        "genre": Remembered(("a", "b"), Held(("B", "x", "a"), True), Held(("B", "x"), False), {"a": "a"})
    }
    assert learnt.again == {}


def test_a_list_that_has_everything_is_only_locked_or_only_remembered():
    assert decide("genre", ("a",), genres("a", locked=False)).edit == {"genre": LOCK}
    made = decide("genre", ("a",), genres("a", "x"))
    assert (made.edit, made.memory["genre"].ours) == ({}, {})


def test_members_stay_that_a_person_added():
    assert decide("genre", ("a", "b"), genres("a", "x"), known_genres("a")).edit == {
        "genre": Change(("a", "x", "b"), True, adds=("b",))
    }


def test_members_stay_away_that_a_person_removed():
    made = decide("genre", ("a", "b"), genres("b"), known_genres("a", "b"))
    assert made.edit == {}
    assert made.memory["genre"].ours == {"b": "b"}
    assert made.notes == (Note("genre", "person", "taken away in Plex since they were written; they stay away: a"),)


def test_members_that_plex_never_took_are_not_called_taken_away_by_a_person():
    made = decide("genre", ("a", "b"), genres("x", locked=False))
    learnt = learn(made.memory, made.sending, genres("x"))
    again = decide("genre", ("a", "b"), genres("x"), learnt.memory["genre"])
    assert again.edit == {}
    assert again.notes == (Note("genre", "kept", "Plex did not take them, and has the list as it was: a, b"),)


def test_members_go_that_we_added_and_stash_dropped():
    made = decide("genre", ("b",), genres("a", "b", "x"), known_genres("a", "b"))
    assert made.edit == {"genre": Change(("b", "x"), True, removes=("a",))}


def test_members_that_were_there_before_us_are_never_removed():
    made = decide("genre", ("b",), genres("a", "b"), known_genres("a", "b", found=("a",)))
    assert (made.edit, made.memory["genre"].said) == ({}, ("b",))


def test_a_member_that_a_wanted_one_reads_back_as_is_not_removed():
    known = known_genres("Long", "Lon", left=("Lo",), ours={"Long": "Lo", "Lon": "Lo"})
    assert decide("genre", ("Lon",), genres("Lo"), known).edit == {}


def test_a_member_that_reads_back_in_another_way_is_removed_under_its_name_in_plex():
    long = "n" * 80
    made = decide("genre", (long,), genres())
    learnt = learn(made.memory, made.sending, genres(long[:70]))
    assert learnt.memory["genre"].ours == {long: long[:70]}
    assert decide("genre", (long,), genres(long[:70]), learnt.memory["genre"]).edit == {}
    assert sole_change(decide("genre", ("b",), genres(long[:70]), learnt.memory["genre"])).removes == (long[:70],)


def test_a_member_cut_to_one_that_was_there_before_is_not_ours():
    long = "n" * 80
    made = decide("genre", (long,), genres(long[:70]))
    learnt = learn(made.memory, made.sending, genres(long[:70]))
    assert (learnt.memory["genre"].ours, learnt.untaken) == ({}, ())


def test_everything_is_added_again_when_our_lock_is_gone():
    made = decide("genre", ("a", "b"), genres("x", "b", locked=False), known_genres("a", "b"))
    assert made.edit == {"genre": Change(("x", "b", "a"), True, adds=("a",))}
    assert learn(made.memory, made.sending, genres("x", "b", "a")).memory["genre"].ours == {"a": "a", "b": "b"}


def test_a_lock_that_plex_does_not_take_for_a_list_is_not_asked_for_again():
    known = replace(known_genres("a"), left=Held(("a",), False))
    assert decide("genre", ("a",), genres("a", locked=False), known).edit == {}


@pytest.mark.parametrize("found_locked", [False, True])
def test_an_emptied_list_loses_ours_and_gets_its_lock_back(found_locked):
    known = known_genres("a", "b", found=("a",), found_locked=found_locked)
    made = decide("genre", (), genres("a", "b", "x"), known)
    assert made.edit == {"genre": Change(("a", "x"), found_locked, removes=("b",))}
    assert learn(made.memory, made.sending, item("genre", genre=("a", "x"))).memory == {}


def test_an_emptied_list_without_anything_of_ours_is_forgotten():
    known = known_genres("a", found=("a",), found_locked=True)
    made = decide("genre", (), genres("a"), known)
    assert (made.edit, made.memory) == ({}, {})
    assert decide("genre", (), genres("a")).memory == {}


def test_a_removal_that_did_not_take_is_sent_again_alone():
    made = decide("genre", ("b",), genres("a", "b"), known_genres("a", "b"))
    learnt = learn(made.memory, made.sending, genres("a", "b"))
    assert learnt.again == {"genre": Change(None, True, removes=("a",))}
    assert learnt.memory["genre"].ours == {"a": "a", "b": "b"}
    after = learn(learnt.memory, made.sending, genres("b"))
    assert (after.again, after.memory["genre"].ours) == ({}, {"b": "b"})


def test_an_emptied_list_is_remembered_until_its_removals_took():
    made = decide("genre", (), genres("a"), known_genres("a"))
    learnt = learn(made.memory, made.sending, genres("a", locked=False))
    assert learnt.memory["genre"].said == ()
    again = plan({"genre": ()}, genres("a", locked=False), learnt.memory, ())
    assert sole_change(again).removes == ("a",)


def test_an_edit_that_plex_did_not_take_is_a_push_of_unknown_end_and_is_sent_again():
    before = item(studio="old")
    made, entries = unfinished("studio", "new", before)
    assert learn(made.memory, made.sending, before).untaken == ("studio",)
    assert plan({"studio": "new"}, before, made.memory, entries).edit == made.edit
    landed = plan({"studio": "new"}, item("studio", studio="new"), made.memory, entries)
    assert (landed.edit, landed.memory["studio"].found) == ({}, Held("old", False))


LONG = "a text that this Plex cuts somewhere, and that goes on for long enough to be known again, "


@pytest.mark.parametrize(
    ("name", "said", "before", "sent", "untaken"),
    [
        pytest.param("summary", "old", "old", "new", True, id="the old text"),
        pytest.param("summary", LONG, LONG, f"{LONG} and more", True, id="a text that was made longer"),
        pytest.param("summary", "one\ntwo", "one\ntwo", "one\n\ntwo", True, id="a summary with another line end"),
        pytest.param("title", "The end", "The end", "The End", True, id="another case"),
        pytest.param("summary", f"{LONG} one", LONG, f"{LONG} two", False, id="a text that is cut again"),
        pytest.param("title", "A B", "A B", "A  B", False, id="blanks that Plex writes as one"),
        pytest.param("order", "1,2,3", "1,2,3", "3,1,2", True, id="another order"),
        pytest.param("order", "1,2,3", "1,2,3", "", True, id="an order of Plex's own"),
        pytest.param("order", "1,2,3", "1,2,3", "4,1,5,2", False, id="an order of members that are not all there"),
        pytest.param("userRating", "8", "8", "6.5", True, id="another half star"),
        pytest.param("userRating", "8", "8", "7.8", False, id="a rating that is rounded to the one before"),
    ],
)
def test_a_value_that_is_still_the_one_before_was_not_taken_unless_plex_writes_the_new_one_so(
    name, said, before, sent, untaken
):
    known = Remembered(said, Held(before, True), Held("", False))
    made = decide(name, sent, item(name, **{name: before}), known)
    learnt = learn(made.memory, made.sending, item(name, **{name: before}))
    assert learnt.untaken == ((name,) if untaken else ())


def test_a_lock_that_was_not_taken_counts_if_nothing_else_was_either():
    values = {"studio": "same", "summary": "new"}
    made = plan(values, item(studio="same", summary="old"), {}, ())
    assert learn(made.memory, made.sending, item(studio="same", summary="old")).untaken == ("studio", "summary")
    assert learn(made.memory, made.sending, item("summary", studio="same", summary="new")).untaken == ()


def test_a_first_text_that_plex_cuts_to_the_one_that_is_there_was_taken_with_its_lock():
    made = decide("summary", f"{LONG} one", item(summary=LONG))
    assert learn(made.memory, made.sending, item("summary", summary=LONG)).untaken == ()


def test_an_undo_that_plex_did_not_take_is_not_over():
    before = item("studio", studio="new")
    known = {"studio": remembered("new", found="old")}
    undone = undo(known, (), {"studio": "new"}, ("studio",), "undo")
    made = plan({"studio": "new"}, before, undone, ())
    assert learn(made.memory, made.sending, before).untaken == ("studio",)
    assert made.memory["studio"].found.value == "old"


def test_a_list_of_which_a_server_takes_nothing_is_told_from_one_that_was_not_taken_this_time():
    values = {"studio": "new", "genre": ("a",)}
    made = plan(values, item(studio="old"), {}, ())
    assert learn(made.memory, made.sending, item(studio="old")).untaken == ("studio", "genre")
    assert learn(made.memory, made.sending, item("studio", studio="new")).untaken == ()
    known = {"genre": known_genres("a"), "studio": OLD}
    made = plan({**values, "genre": ("a", "b")}, item("studio", "genre", studio="old", genre=("a",)), known, ())
    after = item("studio", "genre", studio="new", genre=("a",))
    assert learn(made.memory, made.sending, after).untaken == ("genre",)


# --- pushes whose end is unknown -------------------------------------------------------------------------------------


def pushing(name, sending):
    return Pushing({name: sending}, until=1_000)


def unfinished(field, value, now, known=None):
    """A plan and the entry that was saved before it was sent."""
    made = decide(field, value, now, known)
    return made, (pushing(field, made.sending[field]),)


BEFORE = item(studio="before us")


@pytest.mark.parametrize("plex_made", ["New Name", "new  name", " New Name "])
def test_a_push_that_landed_is_ours(plex_made):
    _, entries = unfinished("studio", "New Name", BEFORE)
    made = decide("studio", "New Name", item("studio", studio=plex_made), None, entries)
    assert made.edit == {}
    assert made.memory["studio"] == Remembered("New Name", Held(plex_made, True), Held("before us", False))


def test_a_push_that_landed_cut_short_is_ours():
    long = "word " * 50
    _, entries = unfinished("summary", long, item())
    made = decide("summary", long, item("summary", summary=long[:99]), None, entries)
    assert (made.edit, made.memory["summary"].left.value) == ({}, long[:99])


@pytest.mark.parametrize(("length", "reasons"), [(LEAST_CUT, []), (LEAST_CUT - 1, ["person"])])
def test_from_the_least_length_on_a_shorter_text_is_ours_and_below_it_is_a_persons(length, reasons):
    long = "word" * 50
    _, entries = unfinished("summary", long, item())
    made = decide("summary", long, item("summary", summary=long[:length]), None, entries)
    assert made.edit == {}
    assert [note.reason for note in made.notes] == reasons


def test_a_push_that_landed_cut_inside_a_character_is_ours():
    long = "日" * 100
    _, entries = unfinished("title", long, item())
    made = decide("title", long, item("title", title="日" * 84 + "\ufffd"), None, entries)
    assert (made.edit, made.memory["title"].said) == ({}, long)


def test_a_push_that_never_landed_is_sent_again():
    _, entries = unfinished("studio", "new", BEFORE)
    assert decide("studio", "new", BEFORE, None, entries).edit == {"studio": WRITE}


def test_a_push_that_landed_late_gives_way_to_what_is_wanted_now():
    _, entries = unfinished("studio", "new", item("studio", studio="old"), OLD)
    newer = remembered("newer", found="before us")
    made = decide("studio", "newer", item("studio", studio="new"), newer, entries, conflict="plex")
    assert made.edit == {"studio": Change("newer", True)}
    assert made.sending["studio"].found == OLD.found


def test_an_edit_after_a_push_of_unknown_end_is_a_persons():
    _, entries = unfinished("studio", "new", item("studio", studio="old"), OLD)
    made = decide("studio", "new", item("studio", studio="theirs"), OLD, entries)
    assert (made.edit, made.memory["studio"].said) == ({}, "new")
    assert decide("studio", "newest", item("studio", studio="theirs"), OLD, entries).edit


def test_a_push_of_unknown_end_is_resolved_for_a_field_switched_off():
    _, entries = unfinished("studio", "new", BEFORE)
    made = plan({}, item("studio", studio="new"), {}, entries)
    assert (made.edit, made.memory["studio"].found) == ({}, Held("before us", False))


def test_a_restoring_push_that_landed_is_forgotten():
    _, entries = unfinished("studio", "", item("studio", studio="old"), OLD)
    assert decide("studio", "", item(studio="before us"), OLD, entries).memory == {}


def test_what_a_late_push_brings_back_is_taken_away_again():
    _, entries = unfinished("studio", "new", BEFORE)
    made = decide("studio", "", item("studio", studio="new"), None, entries)
    assert made.edit == {"studio": Change("before us", False)}


def test_a_lock_push_that_never_landed_is_sent_again():
    _, entries = unfinished("studio", "new", item(studio="new"))
    assert decide("studio", "new", item(studio="new"), None, entries).edit == {"studio": LOCK}


def test_members_of_a_push_that_landed_are_ours_whatever_else_was_added():
    _, entries = unfinished("genre", ("a", "b"), genres("x", locked=False))
    made = decide("genre", ("a", "b"), genres("x", "a", "b", "theirs"), None, entries)
    assert made.edit == {}
    assert made.memory["genre"].ours == {"a": "a", "b": "b"}
    assert made.memory["genre"].found == Held(("x",), False)


def test_members_of_a_push_that_landed_in_part_are_completed():
    _, entries = unfinished("genre", ("a", "b"), genres("x", locked=False))
    made = decide("genre", ("a", "b"), genres("x", "a", "theirs"), None, entries)
    assert sole_change(made).adds == ("b",)
    assert made.memory["genre"].ours == {"a": "a"}


def test_a_list_push_that_never_landed_is_sent_again():
    _, entries = unfinished("genre", ("a", "b"), genres("a"), known_genres("a"))
    made = decide("genre", ("a", "b"), genres("a", "theirs"), known_genres("a"), entries)
    assert made.edit == {"genre": Change(("a", "theirs", "b"), True, adds=("b",))}


def test_a_removal_that_landed_can_be_wanted_again():
    _, entries = unfinished("genre", ("b",), genres("a", "b"), known_genres("a", "b"))
    made = decide("genre", ("a", "b"), genres("b", "theirs"), known_genres("a", "b"), entries)
    assert sole_change(made).adds == ("a",)


def test_a_late_list_that_replaced_a_newer_one_is_put_right():
    _, entries = unfinished("genre", ("a",), genres())
    made = decide("genre", ("b",), genres("a"), known_genres("b"), entries)
    assert made.edit == {"genre": Change(("b",), True, adds=("b",), removes=("a",))}


def test_a_push_that_was_settled_since_is_no_news():
    sent = Sending("new", Held("new", True), Held("before us", False), Held("before us", False))
    settled = Remembered("new", Held("new", True), Held("before us", False))
    made = decide("studio", "newer", item("studio", studio="new"), settled, (pushing("studio", sent),))
    assert made.edit == {"studio": Change("newer", True)}


def test_a_push_that_differs_in_case_alone_from_what_was_there_is_not_taken_for_landed():
    theirs = item("studio", studio="new name")
    _, entries = unfinished("studio", "New Name", theirs, OLD)
    assert decide("studio", "New Name", theirs, OLD, entries).edit == {"studio": Change("New Name", True)}


def test_an_old_push_of_what_stash_says_again_does_not_hide_that_stash_has_changed():
    _, entries = unfinished("studio", "new", BEFORE)
    settled_since = remembered("newer", found="before us")
    made = decide("studio", "new", item("studio", studio="theirs"), settled_since, entries)
    assert made.edit == {"studio": WRITE}


def test_an_old_push_does_not_claim_again_what_a_person_has_added_since():
    _, entries = unfinished("genre", ("a",), genres())
    known = known_genres("a", "b", ours={"b": "b"})
    made = decide("genre", ("a", "b"), genres("b", "a", "theirs"), known, entries)
    assert made.memory["genre"].ours == {"b": "b"}


def test_a_member_that_a_push_of_unknown_end_has_brought_back_is_ours():
    known = known_genres("a", "b", left=("b", "a"), found=("b",), ours={"a": "a"})
    _, entries = unfinished("genre", ("a", "b"), genres("a", locked=False), known)
    made = decide("genre", ("a", "b"), genres("a", "b"), known, entries)
    assert (made.edit, made.memory["genre"].ours) == ({}, {"a": "a", "b": "b"})


def test_an_old_removal_does_not_bring_a_forgotten_list_back_to_mind():
    _, entries = unfinished("genre", (), genres("x", "a"), known_genres("a", found=("x",)))
    made = decide("genre", (), genres("theirs"), None, entries)
    assert (made.edit, made.memory) == ({}, {})


def test_two_pushes_that_landed_between_two_looks_are_both_ours():
    _, first = unfinished("genre", ("a",), genres("x"))
    _, second = unfinished("genre", ("b",), genres("x"))
    made = decide("genre", ("b",), genres("x", "a", "b"), None, (*first, *second))
    assert sole_change(made).removes == ("a",)
    assert made.memory["genre"].ours == {"a": "a", "b": "b"}


def test_a_member_that_a_late_list_brings_back_is_ours_again():
    _, entries = unfinished("genre", ("a", "b"), genres("a"), known_genres("a"))
    made = decide("genre", ("c",), genres("c", "a", "b"), known_genres("c"), entries)
    assert set(sole_change(made).removes) == {"a", "b"}


def test_what_stash_had_said_and_nobody_had_written_when_it_was_undone_is_written_once_it_begins_anew():
    """The undo is over before anybody has done it, since something else changed in Stash."""
    left = Held("Old", True)
    memory = {
        "studio": Remembered("Old", left, Held("", False)),
        "title": Remembered("T", Held("T", True), Held("", False)),
    }
    item = Item("7", "1", {"studio": "Old", "title": "T"}, {}, frozenset({"studio", "title"}))
    marked = undo(memory, (), {"studio": "New", "title": "T"}, {"studio", "title"}, "undo")
    marked = undo(marked, (), {"studio": "New", "title": "T"}, {"studio", "title"}, "undo")
    made = plan({"studio": "New", "title": "Another"}, item, marked, ())
    assert {name: change.value for name, change in made.edit.items()} == {"studio": "New", "title": "Another"}
    again = plan({"studio": "Old", "title": "Another"}, item, marked, ())
    assert set(again.edit) == {"title"}, "what stands there is what Stash says"
    by_hand = replace(item, scalars={"studio": "By hand", "title": "T"})
    assert set(plan({"studio": "New", "title": "Another"}, by_hand, marked, ()).edit) == {"title"}


def test_a_released_value_that_stash_empties_stays_while_an_older_push_of_it_may_arrive():
    sent = Sending("old", Held("old", True), Held("theirs", False), Held("theirs", False))
    released = replace(remembered("old", locked=False, found="old"), undone=TakenBack.RELEASE)
    first = decide("studio", "", item(studio="old"), released, [Pushing({"studio": sent}, until=9)])
    assert first.edit == {}
    second = decide("studio", "", item(studio="old"), first.memory["studio"], [Pushing({"studio": sent}, until=9)])
    assert second.edit == {}
    last = decide("studio", "", item(studio="old"), second.memory["studio"])
    assert (last.edit, last.memory) == ({}, {})
