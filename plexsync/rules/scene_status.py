"""How a scene stands, in one word and since when: what its row says, and what was seen when it was last looked at.

The queue knows of scenes that were ever wanted, and what it knows is newer; what a comparison found in sync at once has no
row. Pure, so that a list and a single scene tell the same.
"""

from dataclasses import dataclass

from plexsync.rules.records import JobRow, Stood
from plexsync.rules.status_words import SceneStatus, status_of


@dataclass(frozen=True)
class Standing:
    """How a scene stands, since when (UTC ms; None: not known), and why, where there is more to say."""

    status: SceneStatus
    since: int | None = None
    why: str = ""


def standing(row: JobRow | None, last_seen: Stood | None, *, pushed: int | None = None) -> Standing:
    """How a scene stands. `pushed`: when something was last changed in Plex for it, since when it is as it is."""
    status = status_of(row.state if row else None, row.cls if row else "", last_seen.word if last_seen else "")
    # A row that is looked at again and again has begun anew each time; what was seen tells how long that lasts.
    lasts = last_seen is not None and status_of(None, "", last_seen.word) is status
    since = last_seen.since if last_seen is not None and (lasts or row is None) else row.since if row else None
    if status is SceneStatus.IN_SYNC and since is not None and pushed is not None:
        since = max(since, pushed)
    return Standing(status, since, row.error if row and status is not SceneStatus.IN_SYNC else "")
