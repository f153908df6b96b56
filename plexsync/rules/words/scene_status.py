"""How a scene stands, in one word and since when: by its job row, and by the last comparison.

The queue knows only scenes that were ever wanted, and its information is newer. A scene that a comparison found in sync
at once has no row. Pure, so that a list and a single scene show the same.
"""

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import State
from plexsync.rules.record_class import record
from plexsync.rules.records import JobRow, Stood
from plexsync.rules.words.status_words import SceneStatus, kept_in, status_of


@record
class Standing:
    """How a scene stands, since when (UTC ms; None: unknown), and the reason, if there is one.

    `kept_fields`: of a scene in sync, the number of fields that Plex keeps and that you have not decided about.
    """

    status: SceneStatus
    since: int | None = None
    why: str = ""
    kept_fields: int = 0


def standing(
    row: JobRow | None, last_seen: Stood | None, *, pushed: int | None = None, mark: TakenBack = TakenBack.NO
) -> Standing:
    """How a scene stands. `mark`: how it was undone.

    `pushed`: the last change in Plex for it, the earliest time since when it can be in sync.
    """
    status = status_of(row.state if row else None, row.cls if row else "", last_seen.word if last_seen else "", mark)
    # A row that is checked repeatedly starts anew each time; the last comparison knows how long the status has lasted.
    lasts = last_seen is not None and status_of(None, "", last_seen.word) is status
    since = last_seen.since if last_seen is not None and (lasts or row is None) else row.since if row else None
    if status is SceneStatus.IN_SYNC and since is not None and pushed is not None:
        since = max(since, pushed)
    kept_fields = kept_in(last_seen.word) if last_seen and status is SceneStatus.IN_SYNC else 0
    why = row.error if row and row.state is not State.IDLE else ""
    return Standing(status, since, why_ignored(status, why), kept_fields)


def why_ignored(status: SceneStatus, error: str) -> str:
    """The reason of a status, with the cause of one that is ignored because of another decision than `ignore`."""
    if status is SceneStatus.DROPPED:
        return f"{status.meaning}; before that: {error}" if error else status.meaning
    return error or (status.meaning if status is SceneStatus.NOT_SHOWN else "")
