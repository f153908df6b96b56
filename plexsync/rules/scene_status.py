"""How a scene stands, in one word and since when: what its row says, and what was seen when it was last looked at.

The queue knows of scenes that were ever wanted, and what it knows is newer; what a comparison found in step at once has no
row. Pure, so that a list and a single scene tell the same.
"""

from dataclasses import dataclass

from plexsync.rules.job import State
from plexsync.rules.records import JobRow, Stood

IN_STEP, WAITING, ABSENT, AMBIGUOUS, FAILED, IGNORED = "in step", "waiting", "absent", "ambiguous", "failed", "ignored"
DROPPED, GONE, OUTSIDE, UNDONE, UNKNOWN = "dropped", "gone", "outside", "undone", "unknown"
# In the order in which a person is told of them.
WORDS = (IN_STEP, WAITING, ABSENT, AMBIGUOUS, FAILED, IGNORED, OUTSIDE, UNDONE, DROPPED, GONE, UNKNOWN)

# The words of a comparison that are not of these: what it could not compare, and whatever forbids to write.
SEEN = {
    "in step": IN_STEP,
    "person": IN_STEP,
    "differs": WAITING,
    "absent": ABSENT,
    "ambiguous": AMBIGUOUS,
    "outside": OUTSIDE,
    "undone": UNDONE,
}
STATES = {
    State.READY: WAITING,
    State.RUNNING: WAITING,
    State.IDLE: IN_STEP,
    State.ABSENT: ABSENT,
    State.GONE: GONE,
    State.DROPPED: DROPPED,
    State.IGNORED: IGNORED,
    State.OUTSIDE: OUTSIDE,
}


@dataclass(frozen=True)
class Standing:
    """How a scene stands, since when (UTC ms; None: not known), and why, where there is more to say."""

    word: str
    since: int | None = None
    why: str = ""


def word_of(state: State | None, error_class: str, last_seen: str) -> str:
    """One of `WORDS`: by the row's state and class (None: there is no row), else by what was seen ('' for nothing)."""
    if state is None:
        return (SEEN.get(last_seen) or FAILED) if last_seen else UNKNOWN
    if state is State.DEAD:
        return AMBIGUOUS if error_class == AMBIGUOUS else FAILED
    return STATES[state]


def standing(row: JobRow | None, last_seen: Stood | None, *, pushed: int | None = None) -> Standing:
    """How a scene stands. `pushed`: when something was last changed in Plex for it, since when it is as it is."""
    word = word_of(row.state if row else None, row.cls if row else "", last_seen.word if last_seen else "")
    # A row that is looked at again and again has begun anew each time; what was seen tells how long that lasts.
    lasts = last_seen is not None and word_of(None, "", last_seen.word) == word
    since = last_seen.since if last_seen is not None and (lasts or row is None) else row.since if row else None
    if word == IN_STEP and since is not None and pushed is not None:
        since = max(since, pushed)
    return Standing(word, since, row.error if row and word != IN_STEP else "")
