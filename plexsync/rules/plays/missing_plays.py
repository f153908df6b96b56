"""Plays that PlexSync added and that a restored Stash lacks (`plexsync.rules.match.restored_stash`).

Imports little, because `plexsync status` has to start fast.
"""

from datetime import UTC, datetime

from plexsync.rules.record_class import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plexsync.rules.plays.plays import SentPlay

# Milliseconds.
HALF_A_DAY = 43_200_000
# Who has restored a backup notices within that time.
MISSING_FOR = 28 * HALF_A_DAY


@record
class MissingPlays:
    """Plays that PlexSync added and that are missing: how many, and since when they were added (UTC milliseconds).

    `at` is when that was found.
    """

    count: int
    since: int
    at: int

    @property
    def command(self) -> str:
        """What adds them again. The day has begun by then in every time zone."""
        day = datetime.fromtimestamp((self.since - HALF_A_DAY) / 1000, UTC)
        return f"plexsync plays again --since {day:%Y-%m-%d}"


def with_missing(missing: "Sequence[SentPlay]", earlier: MissingPlays | None, *, now: int) -> MissingPlays:
    """These missing plays, together with those that were missing before."""
    count = len(missing) + (earlier.count if earlier else 0)
    since = min([play.sent_at for play in missing] + ([earlier.since] if earlier else []))
    return MissingPlays(count, since, now)


def missing_text(plays: MissingPlays) -> str:
    """The note of missing plays."""
    return f"{plays.count} {plays.since} {plays.at}"


def missing_plays(text: str) -> MissingPlays | None:
    """The missing plays of that note; None if there are none."""
    numbers = text.split(" ")
    return MissingPlays(*map(int, numbers)) if len(numbers) == 3 and all(map(str.isdecimal, numbers)) else None
