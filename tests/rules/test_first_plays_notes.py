"""The notes of the first write of plays: what it would do, and for which plays your approval is."""

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.plays.first_plays import (
    FirstPlays,
    approval_text,
    approved_minimum,
    approved_since,
    counted_text,
    read_counted,
    rule_words,
)

NUMBER = st.integers(0, 2**53)
SINCE, APPROVED = 1_700_000_000, 1_700_000_500


RULE = st.sampled_from(["stash", "plex", "30s", "10%"])


@given(st.builds(FirstPlays, st.text(), *[NUMBER] * 12, minimum=RULE, in_force=st.one_of(RULE, st.just(""))))
def test_what_was_counted_is_read_again_as_it_was_whatever_the_account_is_called(first):
    assert read_counted(counted_text(first)) == first


COUNTED = counted_text(FirstPlays("an owner", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, minimum="stash", in_force="plex"))


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("damage", ["x", "-1", "1.5", "\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}", ""])
def test_a_note_with_a_number_that_is_none_says_nothing(number, damage):
    words = COUNTED.split(" ")
    words[number] = damage
    assert read_counted(" ".join(words)) is None


def test_a_note_that_is_cut_off_says_nothing():
    assert read_counted(COUNTED) is not None
    cut = [" ".join(COUNTED.split(" ")[:words]) for words in range(15)]
    assert [read_counted(text) for text in cut] == [None] * 15
    assert read_counted(" ".join(map(str, range(12))) + " stash - ") is not None, "an account without a name"
    assert read_counted(" ".join(map(str, range(12))) + "  - someone") is None, "no rule"


@pytest.mark.parametrize(
    ("minimum", "percent", "words"),
    [
        ("stash", None, "Stash's rule"),
        ("stash", 0, "Stash's rule"),
        ("stash", 10.0, "Stash's rule (10 %)"),
        ("stash", 2.5, "Stash's rule (2.5 %)"),
        ("plex", 10, "Plex's rule"),
        ("30s", None, "the rule 30 s"),
        ("10%", 5, "the rule 10 %"),
    ],
)
def test_a_rule_has_words(minimum, percent, words):
    assert rule_words(minimum, percent) == words


def approval(machine: str = "m", account: int = 7) -> str:
    return approval_text(machine, account, watch_since=SINCE, since=APPROVED, at=1, minimum="10%")


@pytest.mark.parametrize(
    ("machine", "account", "watch_since", "expected"),
    [
        pytest.param("m", 7, SINCE, APPROVED, id="as it was given"),
        pytest.param("m", 7, SINCE + 1, APPROVED, id="a later day that is before what was approved"),
        pytest.param("m", 7, APPROVED + 9, APPROVED + 9, id="a later day after what was approved"),
        pytest.param("m", 7, SINCE - 1, None, id="an earlier day"),
        pytest.param("n", 7, SINCE, None, id="another server"),
        pytest.param("m", 8, SINCE, None, id="another account"),
    ],
)
def test_an_approval_is_for_one_server_one_account_and_the_day_of_its_time(machine, account, watch_since, expected):
    assert approved_since(approval(), machine, account, watch_since=watch_since) == expected


@pytest.mark.parametrize(
    ("then", "now", "holds"),
    [("ann = a", "ann = a", True), ("ann = a", "bob", False), ("ann = a", "", True), ("", "bob", True)],
)
def test_an_approval_is_for_the_person_who_had_the_account(then, now, holds):
    text = approval_text("m", 7, watch_since=SINCE, since=APPROVED, at=1, minimum="stash", person=then)
    assert approved_since(text, "m", 7, watch_since=SINCE, person=now) == (APPROVED if holds else None)


@pytest.mark.parametrize("word", range(1, 5))
@pytest.mark.parametrize("damage", ["x", "-1", "\N{ARABIC-INDIC DIGIT SEVEN}", "\N{SUPERSCRIPT TWO}", "", "7 7"])
def test_a_damaged_approval_approves_nothing(word, damage):
    words = approval().split(" ")
    words[word] = damage
    assert approved_since(" ".join(words), "m", 7, watch_since=SINCE) is None


@pytest.mark.parametrize("person", ["", "ann = a", "30s"])
@pytest.mark.parametrize("minimum", ["stash", "plex", "30s", "10%"])
def test_an_approval_holds_the_rule_by_which_a_viewing_is_a_play(minimum, person):
    text = approval_text("m", 7, watch_since=SINCE, since=APPROVED, at=1, minimum=minimum, person=person)
    assert approved_minimum(text) == minimum
    assert approved_since(text, "m", 7, watch_since=SINCE, person=person) == APPROVED


@pytest.mark.parametrize("person", ["", " =ann 10%"])
def test_an_approval_of_an_earlier_version_is_for_what_plex_counts(person):
    text = f"m 7 {SINCE} {APPROVED} 1{person}"
    assert (approved_minimum(text), approved_since(text, "m", 7, watch_since=SINCE)) == ("plex", APPROVED)


@pytest.mark.parametrize("rule", ["both", "s", "%", "-1s", "1.5%", "\N{ARABIC-INDIC DIGIT SEVEN}s", "10"])
def test_a_damaged_rule_is_what_plex_counts(rule):
    assert approved_minimum(approval().replace("10%", rule)) == "plex"


def test_no_approval_approves_nothing():
    assert approved_since("", "", 0, watch_since=0) is None
