"""How much may vanish at once before PlexSync asks you: a wrong database or an unmounted drive looks like a deletion."""

import json
from dataclasses import asdict

from plexsync.rules.queue.job import DAY
from plexsync.rules.record_class import record

# This many are an everyday deletion, in a library of any size.
LEAST = 10
# Larger deletions are unusual if they are more than this share of the library.
SHARE = 0.05
# An acceptance ends after this time, even if some of its scenes have not been worked off.
LONG = 30 * DAY


def is_large(lost: int, size: int) -> bool:
    """Whether so many of `size` are too many to vanish at once without a question."""
    return lost > max(LEAST, SHARE * size)


@record
class AcceptedLoss:
    """A loss that you accepted: when, and how many scenes were missing then. Counts of 0 only end the one before.

    `gone`: so many of them had become gone when last looked at. They leave `count` once they are back, so that they are
    not lost a second time without a question.
    """

    at: int = 0
    count: int = 0
    gone: int = 0

    def follow(self, gone: int, missing: int | None = None) -> "AcceptedLoss":
        """This loss when `gone` scenes are gone since then, and `missing` more are to follow if that is known."""
        if not self.count:
            return self
        count = max(0, self.count - max(0, self.gone - gone))
        return AcceptedLoss(self.at, count if missing is None else min(count, gone + missing), gone)

    def begins(self, now: int) -> int:
        """The time since when scenes that are gone count as one event with those that are missing now."""
        return self.at if self.count else max(self.at, now - DAY)

    def is_over(self, now: int, gone: int) -> bool:
        """Whether the accepted scenes have been worked off for a day, since `gone` are gone since then, or long ago."""
        age = now - self.at
        return self.count > 0 and not 0 <= age < (DAY if gone >= self.count else LONG)

    def text(self) -> str:
        """As the text of a note."""
        return json.dumps(asdict(self))


def accepted_loss(text: str) -> AcceptedLoss:
    """The loss in a note; none if it is missing or unreadable."""
    try:
        loss = AcceptedLoss(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return AcceptedLoss()
    return (
        loss if all(type(value) is int and value >= 0 for value in (loss.at, loss.count, loss.gone)) else AcceptedLoss()
    )
