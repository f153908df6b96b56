"""Whether plays are missing because Stash was restored: those that were added last, and what shows that Stash is older."""

from datetime import datetime

import pytest

from plexsync.rules.match.restored_stash import (
    is_asked_about,
    set_back_scenes,
    set_back_text,
    tail_of,
    was_set_back,
)
from plexsync.rules.plays.missing_plays import MissingPlays, missing_plays, missing_text, with_missing
from plexsync.rules.plays.plays import SentPlay
from plexsync.rules.scene import ScenePlays
from tests.tables import table

CREATED, LATER = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"


def sent(scene, moment=1, *, created=CREATED, updated=CREATED, at=100):
    return SentPlay(scene, moment, created, updated, at, order=scene)


def scene(id, *plays, created=CREATED, updated=CREATED):
    return id, ScenePlays(id, created, updated, plays)


def test_the_tail_ends_at_the_first_play_that_is_there():
    plays = [sent(4), sent(3), sent(2), sent(1)]
    tail = tail_of(plays, dict([scene(4), scene(3), scene(2, 1), scene(1)]))
    assert (tail.missing, tail.is_whole, tail.is_lost) == ((plays[0], plays[1]), True, False)


def test_without_one_that_is_there_all_are_missing():
    tail = tail_of([sent(2), sent(1)], dict([scene(2), scene(1)]))
    assert (len(tail.missing), tail.is_whole) == (2, False)


def test_plays_of_scenes_that_are_gone_or_others_neither_end_the_tail_nor_belong_to_it():
    plays = [sent(4), sent(3, created=LATER), sent(2), sent(1)]
    tail = tail_of(plays, dict([scene(3, 1), scene(2), scene(1, 1)]))
    assert tail.missing == (plays[2],)


@table(
    ("updated", "now", "lost"),
    [
        (LATER, CREATED, True),
        (CREATED, CREATED, False),
        (CREATED, LATER, False),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z", False),
        ("2026-01-01T00:00:01+00:00", "2026-01-01T02:00:00+02:00", True),
        ("", CREATED, False),
        (LATER, "", False),
        (LATER, "2026-01-01T00:00:00", False),
    ],
)
def test_a_scene_of_a_missing_play_that_was_changed_later_than_now_is_evidence(updated, now, lost):
    tail = tail_of([sent(2), sent(1, updated=updated)], dict([scene(2), scene(1, updated=now)]))
    assert tail.is_lost is lost
    assert was_set_back(dict([scene(1, updated=now)])[1], updated) is lost


def test_a_scene_whose_play_is_there_is_no_evidence():
    tail = tail_of([sent(2), sent(1, updated=LATER)], dict([scene(2), scene(1, 1)]))
    assert not tail.is_lost


def test_an_id_that_was_dealt_again_is_evidence_for_plays_that_were_added_before():
    scenes = dict([scene(3, created=LATER), scene(2), scene(1, 1)])
    assert tail_of([sent(3), sent(2), sent(1)], scenes).is_lost
    assert not tail_of([sent(2), sent(3), sent(1)], scenes).is_lost, "it can be what is left of an earlier Stash"


def test_several_plays_of_several_scenes_are_asked_about():
    assert is_asked_about([sent(1, 1), sent(1, 2), sent(2)])
    assert not is_asked_about([sent(1, 1), sent(1, 2), sent(1, 3)])
    assert not is_asked_about([sent(1), sent(2)])


def test_the_notes_are_read_as_they_were_written():
    scenes = {7: LATER, 3: CREATED}
    assert set_back_scenes(set_back_text(scenes)) == scenes
    first = with_missing([sent(1, at=500), sent(2, at=300)], None, now=900)
    assert missing_plays(missing_text(first)) == first == MissingPlays(2, 300, 900)
    assert with_missing([sent(1, at=700)], first, now=950) == MissingPlays(3, 300, 950)


@pytest.mark.parametrize(
    ("since", "day"), [("2026-03-02T11:59:59Z", "2026-03-01"), ("2026-03-02T12:00:00Z", "2026-03-02")]
)
def test_the_command_names_a_day_that_has_begun_everywhere(since, day):
    at = round(datetime.fromisoformat(since).timestamp() * 1000)
    assert MissingPlays(3, at, at).command == f"plexsync plays again --since {day}"


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["7", "a"]]', "7", "[[7, 7]]"])
def test_a_damaged_note_has_no_scenes(text):
    assert set_back_scenes(text) == {}


@pytest.mark.parametrize("text", ["", "1 2", "1 2 x", "1 2 3 4", "-1 2 3"])
def test_a_damaged_note_has_no_missing_plays(text):
    assert missing_plays(text) is None
