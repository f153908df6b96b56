"""What counts of a viewing, when it is a play, and which plays are the same."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.plays.viewings import (
    VIEWED,
    Viewing,
    after_report,
    asks_less,
    goes_on,
    judge_viewing,
    least_played,
    twins,
)
from plexsync.rules.queue.events import SessionChanged, SessionState

AT = 1_700_000_000
HALF_HOUR = 1_860_000
PLAYING, PAUSED, BUFFERING, STOPPED = SessionState
BEGUN = Viewing(1, "71", AT, "5", "abc", "living room", HALF_HOUR, AT, 0, PLAYING)


def heard(*reports: tuple[SessionState, float, float], start: Viewing = BEGUN) -> Viewing:
    """The viewing after these reports: a state, the seconds since the one before, and the place in seconds."""
    viewing, at = start, AT * 1000
    for state, step, place in reports:
        at += round(step * 1000)
        report = SessionChanged("71", state, round(place * 1000), "5")
        viewing = after_report(viewing, report, at=at, step=round(step * 1000))
    return viewing


@pytest.mark.parametrize(
    ("reports", "seconds"),
    [
        ([(PLAYING, 10, 10), (PLAYING, 10, 20)], 20),
        ([(PLAYING, 10, 10), (PAUSED, 3, 13), (PAUSED, 50, 13), (PLAYING, 9, 13), (STOPPED, 4, 17)], 17),
        ([(PLAYING, 10, 500), (PLAYING, 10, 510)], 20),
        ([(PLAYING, 10, 10), (PLAYING, 10, 2), (PLAYING, 10, 12)], 20),
        ([(BUFFERING, 10, 10), (PLAYING, 10, 20), (PLAYING, 10, 30)], 10),
        ([(PLAYING, 61, 61), (PLAYING, 10, 71)], 10),
        ([(PLAYING, 10, 4)], 4),
        ([(PLAYING, -5, 10)], 0),
    ],
    ids=["plays", "pauses", "skips", "goes back", "buffers", "silent", "slow", "clock"],
)
def test_what_counts_is_the_smaller_step_of_place_and_clock_while_it_plays(reports, seconds):
    assert heard(*reports).played == seconds * 1000


def test_a_clock_that_is_set_in_the_middle_leaves_a_viewing_on_that_of_its_beginning():
    viewing = heard((PLAYING, 10, 10))
    later = after_report(viewing, SessionChanged("71", PLAYING, 20_000, "5"), at=AT * 2000, step=10_000)
    assert later.ended == AT + 20
    assert later.pieces == ((AT, 20_000),)


@pytest.mark.parametrize(
    ("minimum", "length", "percent", "least"),
    [
        ("stash", HALF_HOUR, 0.0, 30_000),
        ("stash", HALF_HOUR, 10.0, 186_000),
        ("stash", 40_000, 0.0, 20_000),
        ("stash", HALF_HOUR, None, None),
        ("stash", 0, 0.0, 30_000),
        ("stash", 0, 10.0, None),
        ("plex", HALF_HOUR, 0.0, None),
        ("45s", HALF_HOUR, None, 45_000),
        ("12.5%", 800_000, None, 100_000),
        ("10%", 0, None, None),
    ],
)
def test_each_rule_asks_for_so_much(minimum, length, percent, least):
    assert least_played(minimum, length, percent) == least


def test_a_rule_that_makes_more_plays_is_known():
    rules = ["stash", "30s", "10%", "90%", "plex"]
    assert [rule for rule in rules if asks_less(rule, "plex")] == ["stash", "30s", "10%", "90%"]
    assert [rule for rule in rules if asks_less("plex", rule)] == []
    assert asks_less("stash", "30s"), "for a scene of less than a minute"
    assert asks_less("30s", "10%")


def test_the_moment_of_a_play_is_when_so_much_was_played():
    viewing = heard((PLAYING, 20, 20), (PAUSED, 5, 25), (PAUSED, 40, 25), (PLAYING, 1, 25), (PLAYING, 20, 45))
    assert judge_viewing(viewing, "stash", 0.0).moment == AT + 71
    assert judge_viewing(viewing, "10%", 0.0).moment == 0
    assert judge_viewing(replace(viewing, moment=7), "stash", 0.0).moment == 7, "what is a play stays one"


@pytest.mark.parametrize(
    ("state", "silence", "session", "place", "is_same"),
    [
        (PLAYING, 40, "9", 40, True),
        (PAUSED, 901, "9", 0, False),
        (PAUSED, 20_000, "5", 0, True),
        (PAUSED, 20_000, "5", 500, False),
        (PAUSED, 90_000, "5", 0, False),
        (STOPPED, 1, "5", 0, False),
        (PLAYING, -300, "5", 0, True),
    ],
)
def test_a_player_that_did_not_say_that_it_stopped_may_go_on(state, silence, session, place, is_same):
    assert goes_on(replace(BEGUN, state=state), session, silence=silence, place=place * 1000) is is_same


# --- which plays are the same ----------------------------------------------------------------------------------------

ROW, OWN = PlaySource("71", "900"), PlaySource("71", VIEWED)
PLAY = AT + 30
WHOLE = replace(BEGUN, ended=AT + 1_800, state=STOPPED, moment=PLAY)


def same(listed, *viewings, stash=None, memory=None, minimum="stash", length=HALF_HOUR):
    given = {moment: RememberedPlay(source, state) for moment, (source, state) in (memory or {}).items()}
    return twins(stash or {}, listed, given, viewings, length=length, minimum=minimum)


def test_the_row_of_a_viewing_is_the_same_play():
    for row in (AT + 1, AT + 1_800, AT + 1_919):
        assert same({PLAY: OWN, row: ROW}, WHOLE) == {row}
    for row in (AT - 1, AT + 1_921):
        assert same({PLAY: OWN, row: ROW}, WHOLE) == set()


def test_a_row_that_is_in_stash_already_keeps_its_viewing_out():
    row = AT + 1_800
    assert same({PLAY: OWN, row: ROW}, WHOLE, memory={row: (ROW, PlayState.SENT)}) == {PLAY}
    assert same({PLAY: OWN, row: ROW}, WHOLE, stash={row: 1}) == {PLAY}


def test_a_viewing_explains_one_row():
    assert same({PLAY: OWN, AT + 900: ROW, AT + 1_800: ROW}, WHOLE) == {AT + 900}


def test_of_two_viewings_at_once_each_explains_its_row_also_if_the_first_ends_last():
    inner = replace(WHOLE, machine="def", began=AT + 48, ended=AT + 153)
    outer = replace(WHOLE, ended=AT + 650)
    assert same({PLAY: OWN, AT + 153: ROW, AT + 650: ROW}, outer, inner) == {AT + 153, AT + 650}


@given(
    st.sets(st.tuples(st.integers(0, 900), st.integers(1, 600)), max_size=4),
    st.sets(st.integers(0, 1700).map(lambda at: AT + at), max_size=4),
)
@settings(max_examples=200, derandomize=True, database=None, deadline=None)
def test_viewings_explain_as_many_rows_as_they_can(spans, rows):
    viewings = [
        replace(WHOLE, item=str(number), began=AT + start, ended=AT + start + length, moment=AT + start)
        for number, (start, length) in enumerate(sorted(spans))
    ]
    rows -= {viewing.moment for viewing in viewings}
    listed = {viewing.moment: OWN for viewing in viewings} | dict.fromkeys(rows, ROW)

    def most(left: tuple[Viewing, ...], rows: frozenset[int]) -> int:
        if not left:
            return 0
        first, *others = left
        fits = [row for row in rows if first.began <= row <= first.ended + 120]
        return max([most(tuple(others), rows), *(1 + most(tuple(others), rows - {row}) for row in fits)])

    assert len(same(listed, *viewings)) == most(tuple(viewings), frozenset(rows))


def test_two_viewings_explain_two_rows():
    later = replace(WHOLE, began=AT + 1_830, ended=AT + 3_700, moment=AT + 1_860)
    listed = {PLAY: OWN, later.moment: OWN, AT + 1_800: ROW, AT + 3_690: ROW}
    assert same(listed, WHOLE, later) == {AT + 1_800, AT + 3_690}


def test_without_a_memory_a_play_in_stash_explains_the_row_that_follows():
    for play in (AT - 1_860 - 900, AT, AT + 120):
        assert same({AT: ROW}, stash={play: 1}) == (set() if play == AT else {AT})
    for play in (AT - 1_860 - 901, AT + 121):
        assert same({AT: ROW}, stash={play: 1}) == set()
    assert same({AT: ROW}, stash={AT - 60: 1}, minimum="plex") == set()


def test_a_play_in_stash_explains_as_many_rows_as_it_has():
    assert same({AT: ROW, AT + 60: ROW}, stash={AT - 60: 1}) == {AT}
    assert same({AT: ROW, AT + 60: ROW}, stash={AT - 60: 2}) == {AT, AT + 60}
    assert same({AT - 60: ROW, AT: ROW}, stash={AT - 60: 1}) == set(), "it is the play of the earlier row"


def test_the_row_of_a_viewing_that_began_unseen_is_the_play_that_stash_had_before():
    joined = replace(WHOLE, joined=True)
    known = {PLAY: (OWN, PlayState.PRESENT)}
    assert same({PLAY: OWN}, joined, stash={AT - 600: 1}) == {PLAY}
    assert same({PLAY: OWN, AT + 1_800: ROW}, joined, stash={AT - 600: 1}, memory=known) == {AT + 1_800}
    for viewing in (WHOLE, joined):
        assert same({PLAY: OWN, AT + 1_800: ROW}, viewing, memory=known) == {PLAY}, "the row is sent again"


def test_a_viewing_that_broke_off_explains_what_follows_and_one_that_ended_does_not():
    short = replace(BEGUN, ended=AT + 300, moment=PLAY)
    assert same({PLAY: OWN, AT + 1_800: ROW}, short) == {AT + 1_800}
    assert same({PLAY: OWN, AT + 1_800: ROW}, replace(short, state=STOPPED)) == set()


def test_of_two_viewings_that_are_one_play_the_one_that_broke_off_explains_what_follows():
    short = replace(BEGUN, ended=AT + 50, moment=PLAY)
    beside = replace(BEGUN, machine="def", began=AT + 345, ended=AT + 685, moment=PLAY, state=STOPPED)
    assert same({PLAY: OWN, AT + 200: ROW, AT + 685: ROW}, short, beside) == {AT + 200, AT + 685}


def test_two_viewings_that_are_one_play_and_broke_off_explain_a_row_each():
    short = replace(BEGUN, ended=AT + 300, moment=PLAY)
    beside = replace(short, machine="def", began=AT + 10)
    listed = {PLAY: OWN, AT + 1_800: ROW, AT + 1_850: ROW, AT + 1_900: ROW}
    assert same(listed, short, beside) == {AT + 1_800, AT + 1_850}


def test_a_viewing_that_may_have_begun_unseen_is_the_play_that_stash_has():
    joined = replace(WHOLE, joined=True)
    assert same({PLAY: OWN}, joined, stash={AT - 600: 1}) == {PLAY}
    assert same({PLAY: OWN}, WHOLE, stash={AT - 600: 1}) == set()


def test_a_row_of_the_second_of_its_viewing_is_no_other_play():
    assert same({PLAY: ROW}, WHOLE) == set()


def test_a_play_explains_one_row_also_if_the_rows_come_one_after_the_other():
    earlier = {AT: (ROW, PlayState.PRESENT)}
    assert same({AT: ROW, AT + 600: ROW}, stash={AT - 60: 1}, length=600_000) == {AT}
    assert AT + 600 not in same({AT: ROW, AT + 600: ROW}, stash={AT - 60: 1}, memory=earlier, length=600_000)
