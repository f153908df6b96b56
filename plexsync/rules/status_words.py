"""The words for how a scene stands, by plain texts: the standard library is not needed, since a shell waits for `status`."""

from collections.abc import Mapping

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
# By the values of `plexsync.rules.job.State`; a dead row is told by its cause.
STATES: Mapping[str, str] = {
    "ready": WAITING,
    "running": WAITING,
    "idle": IN_STEP,
    "absent": ABSENT,
    "gone": GONE,
    "dropped": DROPPED,
    "ignored": IGNORED,
    "outside": OUTSIDE,
}


def word_of(state: str | None, error_class: str, last_seen: str) -> str:
    """One of `WORDS`: by the row's state and class (None: there is no row), else by what was seen ('' for nothing)."""
    if state is None:
        return (SEEN.get(last_seen) or FAILED) if last_seen else UNKNOWN
    if state == "dead":
        return AMBIGUOUS if error_class == AMBIGUOUS else FAILED
    return STATES[state]
