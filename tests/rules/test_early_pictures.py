"""Whether a picture was read within the moment in which its source last changed."""

from plexsync.rules.merge.pictures import may_be_early
from tests.tables import table


@table(
    ("changed", "date", "early"),
    [
        ("2026-01-15T10:00:00Z", "Thu, 15 Jan 2026 10:00:00 GMT", True),
        ("2026-01-15T10:00:00Z", "Thu, 15 Jan 2026 10:00:02 GMT", True),
        ("2026-01-15T10:00:00Z", "Thu, 15 Jan 2026 10:00:03 GMT", False),
        ("2026-01-15T12:00:00+02:00", "Thu, 15 Jan 2026 10:00:01 GMT", True),
        ("2026-01-15T10:00:00+02:00", "Thu, 15 Jan 2026 10:00:01 GMT", False),
        ("2026-01-15T10:00:00", "Thu, 15 Jan 2026 10:00:01 GMT", True),
        ("2026-01-15T10:00:00Z", "Thu, 15 Jan 2026 09:00:00 GMT", False),
        ("2026-01-15T10:00:00Z", "", False),
        ("2026-01-15T10:00:00Z", "some time ago", False),
        ("", "Thu, 15 Jan 2026 10:00:00 GMT", False),
    ],
)
def test_only_what_was_read_within_that_moment_is_early(changed, date, early):
    assert may_be_early(changed, date) is early
