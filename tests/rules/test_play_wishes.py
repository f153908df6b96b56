"""Which plays and resume points a wish concerns, in every state, and what is remembered of them then."""

from dataclasses import replace

import pytest

from plexsync.rules.item import Viewing
from plexsync.rules.play_wishes import AGAIN, REDO, UNDO, is_wanted_back
from plexsync.rules.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.resume import RememberedResume, ResumeUndo, Watched

SOURCE = PlaySource("71", "/history/1")
ADDING, SENT, PRESENT, DELETED, REMOVING, UNDONE = PlayState
FORGOTTEN = "forgotten"


def play(state: PlayState, *, undo: bool = False) -> RememberedPlay:
    return RememberedPlay(SOURCE, state, tries=1, rows_before=2, until=3, undo=undo)


@pytest.mark.parametrize(
    ("wish", "undo", "expected"),
    [
        (UNDO, False, {ADDING: True, SENT: True, REMOVING: True}),
        (UNDO, True, {ADDING: True, SENT: True, REMOVING: True}),
        (REDO, False, {UNDONE: FORGOTTEN}),
        (REDO, True, {ADDING: False, SENT: False, REMOVING: False, UNDONE: FORGOTTEN}),
    ],
)
def test_an_undo_and_a_redo_mark_the_plays_that_are_ours(wish, undo, expected):
    memory = {number: play(state, undo=undo) for number, state in enumerate(PlayState)}
    chosen = {memory[number].state: after for number, after in wish.chosen(memory).items()}
    assert {state: FORGOTTEN if after is None else after.undo for state, after in chosen.items()} == expected
    assert all(after is None or replace(after, undo=undo) == play(state, undo=undo) for state, after in chosen.items())


@pytest.mark.parametrize("undo", [False, True])
def test_what_is_to_be_taken_back_is_ours_and_marked(undo):
    states = {state for state in PlayState if is_wanted_back(play(state, undo=undo))}
    assert states == ({ADDING, SENT, REMOVING} if undo else set())


@pytest.mark.parametrize("undo", [False, True])
def test_again_checks_what_may_be_missing_and_nothing_that_is_to_be_taken_back(undo):
    memory = {number: play(state, undo=undo) for number, state in enumerate(PlayState)}
    chosen = {memory[number].state: after for number, after in AGAIN.chosen(memory).items()}
    anew = RememberedPlay(SOURCE, ADDING)
    assert chosen == {PRESENT: None, DELETED: anew} | ({} if undo else {SENT: anew})


WRITTEN = RememberedResume(Watched("71", Viewing(1, 5, 30_000)), 30_000, 0)


def test_a_resume_point_is_taken_back_where_ours_is_or_may_be():
    assert UNDO.resume(WRITTEN) == replace(WRITTEN, undo=ResumeUndo.ASKED)
    on_its_way = replace(WRITTEN, position=0, sending=30_000, until=9)
    assert UNDO.resume(on_its_way) == replace(on_its_way, undo=ResumeUndo.ASKED)
    assert UNDO.resume(replace(WRITTEN, before=30_999)) is None
    assert UNDO.resume(replace(WRITTEN, before=31_000)) is not None
    assert AGAIN.resume(WRITTEN) is None


@pytest.mark.parametrize("undo", [ResumeUndo.ASKED, ResumeUndo.DONE])
def test_a_redo_deals_with_the_newest_viewing_again(undo):
    assert REDO.resume(WRITTEN) is None
    assert REDO.resume(replace(WRITTEN, undo=undo)) == replace(WRITTEN, last=Watched("", Viewing()))
