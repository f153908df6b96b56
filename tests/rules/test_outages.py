"""Outages are read off a log that may be cut, doubled, or written under a clock that was set back."""

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.queue.outages import (
    SAME_WITHIN,
    Outage,
    OutageKind,
    OutageTotals,
    Transition,
    last_ended,
    lasting,
    outages,
    summary,
    within,
)
from plexsync.rules.servers.errors import Neighbour

PLEX, STASH = Neighbour.PLEX, Neighbour.STASH
T = 1_768_471_200_000
MINUTE = 60_000
HOUR = 60 * MINUTE


def line(at, old, new, who=PLEX, **more):
    return Transition(who, T + at, old, new, **more)


def outage(start, end, who=PLEX, gate=OutageKind.BREAKER):
    return Outage(who, gate, T + start, None if end is None else T + end, "read", "", 0, 0)


def test_an_empty_log_tells_of_nothing():
    assert outages([]) == []
    assert last_ended([]) is None


def test_an_outage_lasts_from_the_first_opening_to_the_closing_through_all_failed_probes():
    log = [
        line(0, "closed", "open", cause="read", error="refused", waiting=7),
        line(MINUTE, "open", "half_open", waiting=9),
        line(MINUTE + 1, "half_open", "open", cause="read", error="reset", waiting=9),
        line(3 * MINUTE, "open", "half_open", waiting=12),
        line(3 * MINUTE + 5, "half_open", "closed", cause="read", waiting=11),
    ]
    assert outages(log) == [Outage(PLEX, OutageKind.BREAKER, T, T + 3 * MINUTE + 5, "read", "reset", 7, 12)]


def test_a_hold_lasts_until_we_are_let_in():
    log = [
        line(0, "free", "hold", cause="plex_token", error="does not accept plex_token (401)", waiting=3),
        line(HOUR, "hold", "free", waiting=4),
    ]
    (found,) = outages(log)
    assert (found.gate, found.cause, found.duration(T + 9 * HOUR)) == (OutageKind.HOLD, "plex_token", HOUR)
    assert (found.waiting, found.most) == (3, 4)


def test_breaker_hold_and_the_two_neighbours_are_told_apart():
    log = [
        line(0, "closed", "open"),
        line(1, "closed", "open", who=STASH),
        line(2, "free", "hold", cause="plex_token"),
        line(3, "half_open", "closed", who=STASH),
        line(4, "hold", "free"),
    ]
    found = outages(log)
    assert [(one.server, one.gate, one.end) for one in found] == [
        (PLEX, OutageKind.BREAKER, None),
        (STASH, OutageKind.BREAKER, T + 3),
        (PLEX, OutageKind.HOLD, T + 4),
    ]
    assert lasting(found) == [found[0]]
    assert last_ended(found) == found[2]


def test_an_outage_of_writes_goes_on_while_the_breaker_is_closed_on_trial():
    log = [
        line(0, "closed", "open", cause="write", error="failed inside (500)"),
        line(MINUTE, "half_open", "closed", cause="write", error="failed inside (500)"),
        line(HOUR, "closed", "open", cause="write", error="failed inside (500)"),
        line(2 * HOUR, "half_open", "closed", cause="write", error="failed inside (500)"),
    ]
    (found,) = outages(log)
    assert found.end is None
    (found,) = outages([*log, line(3 * HOUR, "closed", "closed", cause="write")])
    assert (found.start, found.end) == (T, T + 3 * HOUR)


def test_an_outage_without_an_end_goes_on():
    (found,) = outages([line(0, "closed", "open"), line(HOUR, "half_open", "open")])
    assert found.end is None
    assert found.duration(T + 2 * HOUR) == 2 * HOUR


def test_a_doubled_start_is_one_outage_from_the_first_on():
    (found,) = outages([line(0, "closed", "open"), line(HOUR, "closed", "open"), line(2 * HOUR, "half_open", "closed")])
    assert (found.start, found.end) == (T, T + 2 * HOUR)


def test_a_log_whose_beginning_is_forgotten_begins_with_what_is_left():
    assert outages([line(0, "half_open", "closed"), line(0, "hold", "free")]) == []
    (found,) = outages([line(0, "half_open", "open"), line(MINUTE, "half_open", "closed")])
    assert (found.start, found.end) == (T, T + MINUTE)


def test_a_doubled_end_changes_nothing():
    log = [line(0, "closed", "open"), line(1, "half_open", "closed"), line(HOUR, "half_open", "closed")]
    assert [one.end for one in outages(log)] == [T + 1]


def test_a_recovery_that_did_not_last_a_minute_was_none():
    log = [line(0, "closed", "open"), line(HOUR, "half_open", "closed"), line(HOUR + 5, "closed", "open")]
    (found,) = outages(log)
    assert (found.start, found.end) == (T, None)
    log[2] = line(HOUR + SAME_WITHIN + 1, "closed", "open")
    assert len(outages(log)) == 2


def test_a_clock_set_back_during_an_outage_makes_it_short_and_never_negative():
    (found,) = outages([line(HOUR, "closed", "open"), line(0, "half_open", "closed")])
    assert (found.start, found.end) == (T + HOUR, T + HOUR)
    (found,) = outages([line(HOUR, "closed", "open")])
    assert found.duration(T) == 0


# --- figures ---------------------------------------------------------------------------------------------------------


def test_a_window_without_outages_is_perfect():
    assert summary([], start=T, end=T + HOUR) == OutageTotals(T, T + HOUR, 0, 0, None, None, 1.0)


def test_the_figures_of_a_day_with_two_outages():
    found = [outage(HOUR, 2 * HOUR), outage(10 * HOUR, 13 * HOUR)]
    seen = summary(found, start=T, end=T + 24 * HOUR)
    assert (seen.interruptions, seen.down, seen.mttr, seen.mtbf) == (2, 4 * HOUR, 2 * HOUR, 10 * HOUR)
    assert seen.availability == pytest.approx(20 / 24)


def test_time_in_which_both_are_away_counts_once():
    found = [outage(0, 2 * HOUR), outage(HOUR, 3 * HOUR, who=STASH), outage(HOUR, HOUR, gate=OutageKind.HOLD)]
    seen = summary(found, start=T, end=T + 4 * HOUR)
    assert (seen.interruptions, seen.down, seen.mttr) == (1, 3 * HOUR, 3 * HOUR)


def test_what_goes_on_counts_as_time_away_and_is_not_repaired():
    seen = summary([outage(0, HOUR), outage(3 * HOUR, None)], start=T, end=T + 4 * HOUR)
    assert (seen.down, seen.mttr, seen.mtbf) == (2 * HOUR, HOUR, HOUR)
    assert seen.availability == 0.5


def test_an_outage_across_the_edge_counts_in_the_window_for_the_part_inside():
    found = [outage(0, 2 * HOUR)]
    seen = summary(found, start=T + HOUR, end=T + 3 * HOUR)
    assert (seen.down, seen.mttr) == (HOUR, 2 * HOUR)
    assert within(found, T + HOUR, T + 3 * HOUR) == found
    assert within(found, T + 3 * HOUR, T + 4 * HOUR) == []


def test_a_window_that_ends_before_it_begins_is_empty():
    assert summary([], start=T, end=T - 1).availability == 1.0


# --- whatever the log holds ------------------------------------------------------------------------------------------

STATES = {OutageKind.BREAKER: ["closed", "open", "half_open"], OutageKind.HOLD: ["free", "hold"]}


@st.composite
def lines(draw):
    states = st.sampled_from(STATES[draw(st.sampled_from(list(OutageKind)))])
    at = draw(st.integers(-2 * HOUR, 2 * HOUR) | st.integers(-10, 10))
    return line(at, draw(states), draw(states), who=draw(st.sampled_from(Neighbour)), waiting=draw(st.integers(0, 9)))


@settings(max_examples=300, deadline=None)
@given(st.lists(lines(), max_size=30), st.integers(-3 * HOUR, 3 * HOUR), st.integers(0, 3 * HOUR))
def test_no_log_makes_a_negative_time_or_an_impossible_figure(log, now, window):
    found, now = outages(log), T + now
    for one in found:
        assert one.end is None or one.end >= one.start
        assert one.duration(now) >= 0
        assert one.most >= one.waiting >= 0
    for gates in {(one.server, one.gate) for one in found}:
        assert len([one for one in lasting(found) if (one.server, one.gate) == gates]) <= 1
    seen = summary(found, start=now - window, end=now)
    assert 0 <= seen.down <= window
    assert 0 <= seen.availability <= 1
    assert (seen.mtbf is None) == (seen.interruptions == 0)
    assert seen.mttr is None or seen.mttr >= 0
    assert seen.mtbf is None or 0 <= seen.mtbf <= window
    assert seen.interruptions <= len(found)


@settings(max_examples=200, deadline=None)
@given(st.lists(lines(), max_size=30))
def test_what_is_shut_at_the_end_of_the_log_lasts_and_nothing_else_does(log):
    last = {(one.server, one.gate): one.shut for one in log}
    assert {(one.server, one.gate) for one in lasting(outages(log))} == {key for key, shut in last.items() if shut}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, HOUR), st.integers(SAME_WITHIN + 1, HOUR)), min_size=1, max_size=20))
def test_a_clean_log_gives_back_the_outages_it_was_written_for(spans):
    log, at, made = [], 0, []
    for down, up in spans:
        made.append((T + at, T + at + down))
        log += [line(at, "closed", "open"), line(at, "open", "half_open"), line(at + down, "half_open", "closed")]
        at += down + up
    assert [(one.start, one.end) for one in outages(log)] == made
    seen = summary(outages(log), start=T, end=T + at)
    assert seen.down == sum(down for down, _ in spans)
    assert seen.mttr == pytest.approx(sum(down for down, _ in spans) / len(spans))
    assert seen.mtbf == pytest.approx(sum(up for _, up in spans) / len(spans))


@settings(max_examples=200, deadline=None)
@given(st.lists(lines(), max_size=30), st.integers(0, 29))
def test_a_log_that_was_cut_tells_no_more_than_the_whole_one_at_its_end(log, cut):
    whole, rest = lasting(outages(log)), lasting(outages(log[cut:]))
    assert {(one.server, one.gate) for one in rest} <= {(one.server, one.gate) for one in whole}


def test_a_stash_that_refuses_writes_counts_in_no_figure():
    refused = outage(0, HOUR, who=GateName.STASH_WRITES)
    assert summary([refused], start=T, end=T + 2 * HOUR) == summary([], start=T, end=T + 2 * HOUR)
