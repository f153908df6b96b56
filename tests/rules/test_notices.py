"""What needs a person is told once, at most once a day again, and once more when it is over."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.queue.notices import (
    CALM,
    DAY,
    EMPTY,
    HOUR,
    MINUTE,
    Condition,
    NoticeRecord,
    NoticeRules,
    Situation,
    Told,
    conditions,
    format_record,
    look,
    read,
)
from tests.tables import table

T = 1_768_471_200_000
RULES = NoticeRules()


def away(since=0, who="plex"):
    return Condition(f"away:{who}", T + since, f"{who.title()} is down.", f"{who.title()} answers again.")


def held(since=0):
    return Condition("hold:plex", T + since, "Plex does not let PlexSync in.", "Plex lets PlexSync in again.")


FULL = Condition("storage", T, "The disk is full.", "The data folder can be written again.")
REPAIRED = Condition(f"repaired:{T}", T, "The database was rebuilt.")


def inspection(*open_now, dead=0, **more):
    return Situation(open_now, dead, **more)


class Diary:
    """A record that is looked at again and again."""

    def __init__(self, rules=RULES):
        self.record, self.rules = EMPTY, rules

    def look(self, seen, at):
        notices, record = look(self.record, seen, self.rules, T + at)
        self.record = read(format_record(record))
        assert self.record == record
        return [(notice.key, notice.over) for notice in notices]


# --- what needs a person ---------------------------------------------------------------------------------------------


def only(seen, now, base=0, rules=RULES):
    (found,) = conditions(seen, rules, base, T + now)
    return found


def test_the_given_up_count_only_when_they_have_grown():
    assert conditions(inspection(dead=15), RULES, 5, T) == []
    found = only(inspection(dead=16), 0, base=5)
    assert (found.key, found.size) == ("dead", 16)
    assert "11 more" in found.text
    assert "16 in all" in found.text


# --- what of it is news ----------------------------------------------------------------------------------------------


def test_an_outage_is_told_once_and_its_end_once():
    diary = Diary()
    assert diary.look(inspection(away()), 10 * MINUTE) == [("away:plex", False)]
    assert diary.look(inspection(away()), HOUR) == []
    assert diary.look(inspection(), 2 * HOUR) == []
    assert diary.look(inspection(), 2 * HOUR + CALM) == [("away:plex", True)]
    assert diary.look(inspection(), 2 * HOUR + 2 * CALM) == []


def test_the_all_clear_says_how_long_it_lasted():
    record = NoticeRecord({"away:plex": Told(T, T + 10 * MINUTE, "Plex answers again.", gone=T + 3 * HOUR)})
    (notice,), _ = look(record, inspection(), RULES, T + 3 * HOUR + CALM)
    assert notice.text == "Plex answers again. It lasted 3 h."


def test_an_end_that_did_not_last_is_not_told():
    diary = Diary()
    diary.look(inspection(held()), 0)
    assert diary.look(inspection(), MINUTE) == []
    assert diary.look(inspection(held()), MINUTE + CALM - 1) == []
    assert diary.look(inspection(), 2 * MINUTE + CALM) == []


def test_what_lasts_is_told_once_a_day():
    diary = Diary()
    told = [hour for hour in range(100) if diary.look(inspection(held()), hour * HOUR)]
    assert told == [0, 24, 48, 72, 96]


def test_what_comes_and_goes_is_told_once_a_day_with_one_all_clear():
    diary = Diary()
    told = [
        (minute, over)
        for minute in range(36 * 60)
        for _, over in diary.look(inspection(*([held()] if minute // 30 % 2 == 0 else [])), minute * MINUTE)
    ]
    assert told == [(0, False), (31, True), (24 * 60, False), (24 * 60 + 31, True)]


def test_the_given_up_are_told_again_only_if_there_are_more_of_them():
    diary = Diary()
    diary.look(inspection(dead=0), 0)
    assert diary.look(inspection(dead=20), HOUR) == [("dead", False)]
    assert diary.look(inspection(dead=20), 30 * HOUR) == []
    assert diary.look(inspection(dead=21), 31 * HOUR) == [("dead", False)]
    assert diary.look(inspection(dead=3), 60 * HOUR) == []
    assert diary.look(inspection(dead=3), 61 * HOUR) == [("dead", True)]


def test_those_given_up_before_the_first_look_are_no_growth():
    diary = Diary()
    assert diary.look(inspection(dead=500), 0) == []
    assert diary.look(inspection(dead=510), HOUR) == []
    assert diary.look(inspection(dead=511), HOUR) == [("dead", False)]


def test_growth_is_counted_from_the_fewest():
    diary = Diary()
    diary.look(inspection(dead=500), 0)
    diary.look(inspection(dead=0), HOUR)
    assert diary.look(inspection(dead=11), 2 * HOUR) == [("dead", False)]


def test_what_grew_too_old_and_is_found_again_is_no_growth_and_what_is_new_is():
    diary = Diary()
    diary.look(inspection(dead=12, died=12), 0)
    assert diary.look(inspection(dead=0, died=12, pruned=12), HOUR) == []
    assert diary.look(inspection(dead=0, died=12, pruned=12), 2 * HOUR) == []
    assert diary.look(inspection(dead=12, died=24, pruned=12), 3 * HOUR) == []
    assert diary.look(inspection(dead=23, died=35, pruned=12), 4 * HOUR) == [("dead", False)]


def test_what_was_found_again_and_then_looked_after_hides_nothing_that_dies_later():
    diary = Diary()
    diary.look(inspection(dead=12, died=12), 0)
    diary.look(inspection(dead=12, died=24, pruned=12), HOUR)
    diary.look(inspection(dead=0, died=24, pruned=12), 2 * HOUR)
    assert diary.look(inspection(dead=11, died=35, pruned=12), 3 * HOUR) == [("dead", False)]


def test_a_record_of_before_that_was_counted_goes_on_from_its_base():
    before = read('{"base":3,"told":{}}')
    assert before == NoticeRecord({}, 3)
    (notice,), after = look(before, inspection(dead=14, died=99, pruned=50), RULES, T)
    assert notice.text.startswith("11 more")
    assert after.base == 3


def test_a_repair_is_told_once_and_has_no_end():
    diary = Diary()
    seen = inspection(REPAIRED)
    assert diary.look(seen, 0) == [(f"repaired:{T}", False)]
    assert [diary.look(seen, hour * HOUR) for hour in range(24)] == [[]] * 24
    assert [diary.look(inspection(), hour * HOUR) for hour in range(24, 72)] == [[]] * 48
    assert diary.record.announced == {}


def test_while_the_database_can_not_be_read_nothing_counts_as_over():
    diary = Diary()
    diary.look(inspection(held()), 0)
    blind = Situation((FULL,), dead=None)
    assert diary.look(blind, HOUR) == [("storage", False)]
    assert diary.look(blind, 2 * HOUR) == []
    assert diary.look(inspection(held()), 3 * HOUR) == []
    assert diary.look(inspection(held()), 3 * HOUR + CALM) == [("storage", True)]


@pytest.mark.parametrize("step", [-DAY, -400 * DAY])
def test_a_clock_set_back_silences_nobody_for_more_than_a_day(step):
    diary = Diary()
    diary.look(inspection(held()), 0)
    assert diary.look(inspection(held()), step) == []
    assert diary.look(inspection(held()), step + DAY) == [("hold:plex", False)]


def test_two_conditions_do_not_silence_each_other():
    diary = Diary()
    assert diary.look(inspection(held(), dead=0), 0) == [("hold:plex", False)]
    assert diary.look(inspection(held(), away(who="stash"), dead=99), HOUR) == [
        ("away:stash", False),
        ("dead", False),
    ]


STEP = st.tuples(
    st.integers(-2 * DAY, 2 * DAY) | st.integers(0, HOUR),
    st.sampled_from([(), (away(),), (held(),), (away(), held())]),
    st.integers(0, 50) | st.none(),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_whatever_happens_nothing_is_told_twice_a_day_and_no_end_is_told_twice(steps):
    record, now, last, open_ones = EMPTY, T, {}, set()
    for step, found, dead, full in steps:
        now += step
        # What a whole day has passed since may be told again, also by a clock that goes back then.
        last = {key: min(at, now) for key, at in last.items() if now - at < DAY}
        open_now = (*(found if dead is not None else ()), *((FULL,) if full else ()))
        notices, record = look(record, Situation(open_now, dead), RULES, now)
        assert len({notice.key for notice in notices}) == len(notices)
        for notice in notices:
            if notice.over:
                assert notice.key in open_ones
                open_ones.discard(notice.key)
            else:
                assert now - last.get(notice.key, now - DAY) >= DAY
                last[notice.key] = now
                open_ones.add(notice.key)
        assert read(format_record(record)) == record


@table(
    "text",
    [
        *("", "{}", "[]", "null", "x", "[" * 9999, '{"told":[],"base":0}', '{"told":{"a":{}},"base":0}'),
        *('{"base":"1","told":{}}', '{"told":{"a":{"since":1,"at":"2"}},"base":0}'),
        '{"told":{"a":{"since":1,"at":2,"new":3}},"base":0}',
        *('{"told":{},"base":0,"died":"1"}', '{"told":{},"base":0,"away":null}', '{"told":{},"base":0,"pruned":1.5}'),
    ],
)
def test_a_record_that_can_not_be_read_is_an_empty_one(text):
    assert read(text) == EMPTY


SOUND = {"since": 1, "at": 2, "over": "x", "size": 3, "gone": 4, "cleared": True}


@pytest.mark.parametrize("name", SOUND)
def test_a_record_of_which_one_value_makes_no_sense_is_an_empty_one(name):
    assert read(json.dumps({"base": 0, "told": {"a": SOUND}})) != EMPTY
    assert read(json.dumps({"base": 0, "told": {"a": {**SOUND, name: 1.5}}})) == EMPTY
