"""How collections stand: JSON names, display words and tones, as `plexsync.rules.words.status_words` has them for scenes.

`stored` is what the flow of collections saves of its last inspection. The status of a dead letter is that of its job, so
it has no stored word; nor has a collection that was not inspected yet.
"""

from collections.abc import Iterable
from enum import StrEnum


class CollectionStatus(StrEnum):
    """How a collection stands. The value is its name in JSON; `word` is the display word, `meaning` explains it.

    `tone` is the CSS class of its colour.
    """

    stored: str
    word: str
    tone: str
    meaning: str

    def __new__(cls, name: str, stored: str, word: str, tone: str, meaning: str) -> "CollectionStatus":
        """The member with these words."""
        status = str.__new__(cls, name)
        status._value_ = name
        status.stored, status.word, status.tone, status.meaning = stored, word, tone, meaning
        return status

    IN_SYNC = ("in_step", "in step", "in sync", "well", "Plex shows what Stash says")
    QUEUED = ("waiting", "", "queued", "plain", "the worker inspects it")
    MOVING = ("moving", "moving", "being put in order", "plain", "its members are moved, one after the other")
    NO_SCENES = (
        *("no_scenes", "waits for its first scene", "waits for its first scene", "plain"),
        "no item in Plex carries its name yet",
    )
    EDITED = (
        *("edited", "edited in Plex", "edited in Plex", "plain"),
        "you edited a part in Plex, so that part is left alone (plexsync collections keep, use-stash)",
    )
    SHARED = (
        *("shared", "shared", "shared", "plain"),
        "another object has the same name, and dresses the collection",
    )
    NOT_OURS = (
        *("not_ours", "not ours", "not ours", "plain"),
        "PlexSync did not make it, so nothing is written to it (plexsync collections take)",
    )
    UNDONE = (
        *("undone", "undone", "undone", "plain"),
        "you took back what was written (plexsync collections redo)",
    )
    RELEASED = ("released", "released", "released", "plain", "its values were left in Plex")
    NO_LIBRARY = (
        *("no_library", "library not synced", "library not synced", "plain"),
        "its library is not synced, or not known yet",
    )
    NO_TAG = (
        *("no_tag", "the tag of playlists is unclear", "tag unclear", "wait"),
        "Stash has no tag, or several, with the name in the setting playlists, or it lost many children: nothing is written",
    )
    DROPPED = ("dropped", "", "dropped", "plain", "you removed it from the queue")
    FAILED = ("failed", "", "needs you", "wait", "a dead letter (plexsync dlq list)")


_BY_STORED = {status.stored: status for status in CollectionStatus if status.stored}


def collection_status(standing: str, job_state: str | None) -> CollectionStatus:
    """The status by the stored word and the state of the job (None: no job)."""
    if job_state == "dead":
        return CollectionStatus.FAILED
    if status := _BY_STORED.get(standing if standing in _BY_STORED else standing.partition(" ")[0]):
        return status
    return CollectionStatus.DROPPED if job_state == "dropped" else CollectionStatus.QUEUED


def moving_standing(remaining: int, members: int) -> str:
    """The stored word of a collection of which so many members still have to be moved."""
    return f"{CollectionStatus.MOVING.stored} {remaining} {members}"


def members_to_move(counts: Iterable[tuple[str, str, int]]) -> tuple[int, int]:
    """How many members of how many still have to be moved, by stored words, states of jobs and numbers."""
    totals = [0, 0]
    for standing, state, count in counts:
        numbers = [int(number) for number in standing.split()[1:] if number.isdecimal()]
        if collection_status(standing, state) is CollectionStatus.MOVING and len(numbers) == 2:
            totals = [total + number * count for total, number in zip(totals, numbers, strict=True)]
    return totals[0], totals[1]


def count_statuses(counts: Iterable[tuple[str, str, int]]) -> dict[CollectionStatus, int]:
    """Add up these numbers of stored words and states of jobs by status; those without one are left out."""
    totals = dict.fromkeys(CollectionStatus, 0)
    for standing, state, count in counts:
        totals[collection_status(standing, state)] += count
    return {status: total for status, total in totals.items() if total}


def named_status(text: str) -> CollectionStatus | None:
    """The status with this JSON name or display word."""
    name = text.strip().casefold()
    return next((status for status in CollectionStatus if name in (status.value, status.word)), None)
