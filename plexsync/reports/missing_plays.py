"""The plays that are missing in Stash without evidence why, for what needs attention."""

from plexsync.rules.job import DAY
from plexsync.rules.note_keys import PLAYS_MISSING
from plexsync.rules.restored_stash import MissingPlays, missing_plays
from plexsync.store.database import Reader

# Who has restored a backup notices within that time.
SHOWN = 14 * DAY

TITLE = "Plays are missing in Stash"


def find_missing_plays(db: Reader, now: int) -> MissingPlays | None:
    """The plays that were found missing lately, and still count as deleted; None if there are none."""
    missing = missing_plays(db.notes.text(PLAYS_MISSING))
    if missing is None or not 0 <= now - missing.at < SHOWN:
        return None
    count = min(missing.count, db.plays.count_deleted(since=missing.since))
    return MissingPlays(count, missing.since, missing.at) if count else None


def missing_words(missing: MissingPlays) -> str:
    """What to do about them."""
    return (
        f"{missing.count:,} plays that PlexSync added are missing in Stash, and count as deleted by you. If you restored a "
        f"backup of Stash, add them again: {missing.command}"
    )
