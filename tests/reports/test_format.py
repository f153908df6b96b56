"""Times on screens: relative within a day, else local; and what a table must not fold."""

import time

import pytest

from plexsync.reports.format import DAY, HOUR, format_moment, is_moment, local, stamp

NOW = 1_772_604_367_000  # 2026-03-04T06:06:07Z


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch):
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process can't be changed here")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_on_a_screen_is_relative_within_a_day_and_local_before(berlin: None) -> None:
    assert format_moment(NOW - 5_000, NOW) == "5 s ago"
    assert format_moment(stamp(NOW + 2 * HOUR), NOW) == "in 2 h"
    assert format_moment(NOW - DAY, NOW) == "2026-03-03 07:06+01:00"
    assert format_moment(stamp(NOW + DAY), NOW) == "2026-03-05 07:06+01:00"
    assert format_moment(None, NOW) == "never"


def test_a_moment_that_no_calendar_has_is_empty(berlin: None) -> None:
    assert (local(None), local(10**20), local(-(10**20))) == ("", "", "")


@pytest.mark.parametrize("text", ["12 min ago", "in 3 s", "2026-03-03 07:06+01:00"])
def test_a_moment_is_known_by_its_form(text: str) -> None:
    assert is_moment(text)


@pytest.mark.parametrize("text", ["", "never", "needs you", "by a poll", "out of scope", "2026 films", "2026-03 x"])
def test_other_words_are_no_moment(text: str) -> None:
    assert not is_moment(text)
