"""The journal of plays: every kind of memory is read as it was written, and what is damaged is skipped."""

import os

import pytest

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.store.ledger.plays_file import PlaysEntry, PlaysFile

CREATED = "2026-01-01T00:00:00Z"


def play(state, **more):
    return RememberedPlay(PlaySource("71", "900"), state, **more)


def entry(number, plays, *, kind="known", scene=7, created=CREATED):
    return PlaysEntry(kind, number, 1000, scene, created, "2026-02-02T00:00:00Z", plays)


def appended(journal, *entries):
    journal.salt()
    journal.append(entries, sync=True)
    return list(entries)


@pytest.mark.parametrize("state", PlayState)
def test_each_state_is_read_as_it_was_written(tmp_path, state):
    entries = appended(
        PlaysFile(tmp_path),
        entry(1, {5: play(state, tries=2, rows_before=3, undone=TakenBack.UNDO), 6: None, 7: play(state)}),
    )
    assert list(PlaysFile(tmp_path).entries(after=0)) == entries
    assert PlaysFile(tmp_path).last() == 1


def test_entries_above_a_number_are_read_also_from_the_file_before(tmp_path):
    journal = PlaysFile(tmp_path, limit=300)
    for number in range(1, 7):
        appended(journal, entry(number, {5: play(PlayState.SENT)}))
    assert (tmp_path / "plays.1").exists()
    numbers = [read.number for read in journal.entries(after=0)]
    assert numbers == list(range(numbers[0], 7))
    assert [read.number for read in journal.entries(after=numbers[0])] == numbers[1:]
    assert journal.last() == 6


@pytest.mark.parametrize("cut", [1, 20])
def test_a_torn_line_is_skipped(tmp_path, cut):
    journal = PlaysFile(tmp_path)
    [first, _] = appended(journal, entry(1, {5: play(PlayState.SENT)}), entry(2, {5: play(PlayState.DELETED)}))
    file = tmp_path / "plays"
    os.truncate(file, file.stat().st_size - cut - 1)
    [third] = appended(journal, entry(3, {6: play(PlayState.SENT)}))
    assert list(journal.entries(after=0)) == [first, third]
