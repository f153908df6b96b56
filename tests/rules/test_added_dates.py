"""The date added: its sources in Stash, its form, and its bounds."""

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.item import moment_text
from plexsync.rules.merge.added_dates import FIRST, LAST, moment_seconds
from plexsync.rules.merge.desired import Profile, desired_values
from plexsync.rules.scene import Scene, SceneFile
from tests.tables import table

CREATED = "2024-05-17T10:00:00+02:00"
CHANGED = "2020-02-03T04:05:06.789123456-05:00"


def added(source, **fields):
    scene = Scene(id=1, title="t", **{"created_at": CREATED, **fields})
    made = desired_values(scene, Profile(frozenset({"addedAt"}), date_added=source))
    return made.values["addedAt"], [(note.reason, note.text) for note in made.notes]


FILES = (SceneFile("/a.mp4", modified=CHANGED), SceneFile("/b.mp4", modified=CREATED))


@table(
    ("source", "fields", "shown"),
    [
        ("created", {"files": FILES, "date": "2001-02-03"}, "2024-05-17T08:00:00Z"),
        ("created", {"created_at": ""}, ""),
        ("file", {"files": FILES}, "2020-02-03T09:05:06Z"),
        ("file", {"files": FILES[1:]}, "2024-05-17T08:00:00Z"),
        ("file", {}, ""),
        ("date", {"date": "2001-02-03"}, "2001-02-03T12:00:00Z"),
        ("date", {"date": "2001"}, "2001-01-01T12:00:00Z"),
        ("date", {"date": "some day"}, "2024-05-17T08:00:00Z"),
        ("date", {}, "2024-05-17T08:00:00Z"),
        ("", {"files": FILES, "date": "2001-02-03"}, ""),
    ],
)
def test_the_date_added_is_that_of_its_source(source, fields, shown):
    assert added(source, **fields) == (shown, [])


def test_a_date_out_of_bounds_is_moved_into_them_and_said():
    shown, notes = added("date", date="1950-06-07")
    assert (shown, moment_seconds(shown)) == ("1970-01-02T00:00:00Z", FIRST)
    assert notes == [("cut", "Plex has no date added of 1950-06-07; 1970-01-02 is shown")]
    shown, notes = added("date", date="9999-12-31")
    assert (moment_seconds(shown), [reason for reason, _ in notes]) == (LAST, ["cut"])


def test_a_time_that_is_none_is_dropped_and_said():
    assert added("created", created_at="yesterday") == ("", [("dropped", "the time is not one that Plex can show")])


@given(st.integers(1, 99_999_999_999))
def test_a_moment_reads_back_as_it_was_written(seconds):
    assert moment_seconds(moment_text(seconds)) == seconds


@pytest.mark.parametrize("seconds", [0, 10**15, -(10**15)])
def test_what_no_calendar_has_is_empty(seconds):
    assert moment_text(seconds) == ""
