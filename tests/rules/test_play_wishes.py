"""Which plays and resume points a wish concerns, in every state, and what is remembered of them then."""

from dataclasses import replace

import pytest

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import AGAIN, REDO, UNDO, is_wanted_back
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.plays.resume import RememberedResume, Watched
from plexsync.rules.plays.viewings import VIEWED

SOURCE = PlaySource("71", "/history/1")
ADDING, SENT, PRESENT, DELETED, REMOVING = PlayState
NO, BACK = TakenBack.NO, TakenBack.UNDO
FORGOTTEN = "forgotten"


def play(state: PlayState, *, undone: TakenBack = NO) -> RememberedPlay:
    return RememberedPlay(SOURCE, state, tries=1, rows_before=2, until=3, undone=undone)


@pytest.mark.parametrize(
    ("wish", "undone", "expected"),
    [
        (UNDO, NO, {ADDING: BACK, SENT: BACK, REMOVING: BACK}),
        (UNDO, BACK, {ADDING: BACK, SENT: BACK, REMOVING: BACK}),
        (REDO, NO, {}),
        (REDO, BACK, {ADDING: NO, SENT: NO, REMOVING: NO, DELETED: FORGOTTEN, PRESENT: FORGOTTEN}),
    ],
)
def test_an_undo_and_a_redo_mark_the_plays_that_are_ours(wish, undone, expected):
    memory = {number: play(state, undone=undone) for number, state in enumerate(PlayState)}
    chosen = {memory[number].state: after for number, after in wish.choose(memory).items()}
    assert {state: FORGOTTEN if after is None else after.undone for state, after in chosen.items()} == expected
    assert all(
        after is None or replace(after, undone=undone) == play(state, undone=undone) for state, after in chosen.items()
    )


def test_a_redo_looks_anew_at_rows_that_were_the_same_plays_as_what_it_brings_back():
    at, row = 1_700_000_000, RememberedPlay(SOURCE, PRESENT)
    near = {at - 120: row, at + 600 + 900: row}
    others = {at - 121: row, at + 600 + 901: row, at + 1: replace(row, rows_before=1), at + 2: row}
    viewed = {at + 3: replace(row, source=PlaySource("71", VIEWED))}
    memory = {at: play(DELETED, undone=BACK), **near, **others, **viewed}
    assert REDO.twins(memory, [at + 2], seconds=600) == dict.fromkeys(near)
    assert UNDO.twins(memory, [], seconds=600) == {}


@pytest.mark.parametrize("undone", [NO, BACK])
def test_what_is_to_be_taken_back_is_ours_and_marked(undone):
    states = {state for state in PlayState if is_wanted_back(play(state, undone=undone))}
    assert states == ({ADDING, SENT, REMOVING} if undone else set())


@pytest.mark.parametrize("undone", [NO, BACK])
def test_again_checks_what_may_be_missing_and_nothing_that_is_to_be_taken_back(undone):
    memory = {number: play(state, undone=undone) for number, state in enumerate(PlayState)}
    chosen = {memory[number].state: after for number, after in AGAIN.choose(memory).items()}
    anew = RememberedPlay(SOURCE, ADDING)
    assert chosen == ({} if undone else {PRESENT: None, DELETED: anew, SENT: anew})


WRITTEN = RememberedResume(Watched("71", ViewState(1, 5, 30_000)), 30_000, 0)


def test_a_resume_point_is_taken_back_where_ours_is_or_may_be():
    assert UNDO.resume(WRITTEN) == replace(WRITTEN, undone=BACK)
    on_its_way = replace(WRITTEN, position=0, sending=30_000, until=9)
    assert UNDO.resume(on_its_way) == replace(on_its_way, undone=BACK)
    assert UNDO.resume(replace(WRITTEN, before=30_999)) is None
    assert UNDO.resume(replace(WRITTEN, before=31_000)) is not None
    assert AGAIN.resume(WRITTEN) is None


def test_a_redo_deals_with_the_newest_viewing_again():
    assert REDO.resume(WRITTEN) is None
    assert REDO.resume(replace(WRITTEN, undone=BACK)) == replace(WRITTEN, last=Watched("", ViewState()))
