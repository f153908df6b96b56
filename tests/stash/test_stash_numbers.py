"""Ids and sizes in Stash's answers."""

import pytest

from plexsync.stash.answers import number


@pytest.mark.parametrize(("text", "expected"), [(0, 0), (7, 7), ("0", 0), ("7", 7), ("9" * 19, 10**19 - 1)])
def test_a_number_may_come_as_a_text(text, expected):
    assert number(text) == expected


@pytest.mark.parametrize("text", [-1, "-1", "", "7.0", "\u0667", "9" * 20, " 7"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="number"):
        number(text)
