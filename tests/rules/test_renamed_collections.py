"""What is remembered of an item's collections follows a collection that got another name."""

from dataclasses import replace

import pytest

from plexsync.rules.collections.renamed_collections import added_names, mentioning, renamed_memory, renamed_pushing
from plexsync.rules.merge.plan_records import DriftChoice, Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held
from plexsync.rules.words.text import fold
from plexsync.store.documents import encode

NAMES = {"blue": "Best of Blue"}
OLD, NEW = Held(("Mine", "BLUE"), locked=True), Held(("Mine", "Best of Blue"), locked=True)
BEFORE = Remembered(
    ("Blue",),
    OLD,
    OLD,
    {"Blue": "BLUE"},
    adopted=("blue",),
    before=("Blue", "Red"),
    drift=DriftChoice(7, OLD),
)
AFTER = Remembered(
    ("Best of Blue",),
    NEW,
    NEW,
    {"Best of Blue": "Best of Blue"},
    adopted=("Best of Blue",),
    before=("Best of Blue", "Red"),
    drift=DriftChoice(7, NEW),
)
TITLE = Remembered("Blue", Held("Blue", locked=True), Held("", locked=False))


def sending(remembered: Remembered, held: Held, name: str) -> Sending:
    return Sending((name,), held, held, held, adds=(name,), removes=(name,), was=remembered, adopts=(name,))


def test_every_mention_in_a_memory_is_renamed_and_no_other_field():
    assert renamed_memory({"collection": BEFORE, "title": TITLE}, NAMES) == {"collection": AFTER, "title": TITLE}
    assert renamed_memory({"title": TITLE}, NAMES) == {"title": TITLE}


def test_what_stash_said_when_an_item_was_undone_stays():
    undone = renamed_memory({"collection": replace(BEFORE, undone="undo")}, NAMES)["collection"]
    assert undone == replace(AFTER, undone="undo", said=("Blue",), before=("Blue", "Red"))


def test_every_mention_in_a_push_is_renamed_and_no_other_field():
    title = Sending("Blue", TITLE.left, TITLE.found, TITLE.found)
    before = Pushing({"collection": sending(BEFORE, OLD, "Blue"), "title": title}, until=9)
    after = Pushing({"collection": sending(AFTER, NEW, "Best of Blue"), "title": title}, until=9)
    assert renamed_pushing(before, NAMES) == after
    given_up = replace(before.fields["collection"], said=None)
    assert renamed_pushing(Pushing({"collection": given_up}, 9), NAMES).fields["collection"].said is None
    assert renamed_pushing(Pushing({"title": title}, 9), NAMES) == Pushing({"title": title}, 9)


def test_swapped_names_are_swapped_and_a_name_that_is_there_already_stays_once():
    both = Held(("Blue", "Red"), locked=True)
    memory = {"collection": Remembered(("Blue", "Red"), both, both, {"Blue": "Blue", "Red": "Red"})}
    swapped = renamed_memory(memory, {"blue": "Red", "red": "Blue"})["collection"]
    assert (swapped.said, dict(swapped.ours)) == (("Red", "Blue"), {"Red": "Red", "Blue": "Blue"})
    assert renamed_memory(memory, {"blue": "Red"})["collection"].left.value == ("Red",)


def test_the_names_that_were_added_are_those_of_memory_and_of_pushes():
    push = Pushing({"collection": Sending(("Red",), OLD, OLD, OLD, adds=("Red",))}, until=9)
    assert added_names({"collection": BEFORE}, [push, Pushing({}, 9)]) == {"BLUE", "Red"}
    assert added_names({"title": TITLE}, []) == set()


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("Blue Label", "BLUE   label"),
        ("Straße", "STRASSE"),
        ("strasse", "Straße"),
        ("Ünï", "ÜNÏ"),
        ('Say "yes"', 'say "YES"'),
        ("-- !", "-- !"),
        ("Kelvin", "\N{KELVIN SIGN}elvin"),
    ],
)
def test_a_document_with_a_name_in_any_spelling_is_never_passed_over(name, spelling):
    assert fold(name) == fold(spelling)
    held = Held((spelling,), locked=True)
    memory = {"collection": Remembered((spelling,), held, held, {spelling: spelling})}
    assert mentioning([fold(name)])(encode(memory, (1, "1")))


def test_a_document_without_the_names_is_passed_over():
    assert not mentioning(["green label", "grey"])(encode({"collection": BEFORE}, (1, "1")))
    assert not mentioning(["ünï"])(encode({"collection": BEFORE}, (1, "1")))
    assert not mentioning(["blue"])(encode({"title": TITLE}, (1, "1")))
