"""The one table of causes: why an attempt failed, how it is retried, and the cure of its dead letters.

It imports little of the standard library, because `plexsync status` loads it and has to start fast.
"""

from enum import StrEnum


class Pace:
    """A retry pace in seconds: the n-th wait in a row is drawn from [0, min(cap, base * 2**n)], never below `least`."""

    def __init__(self, base: float, cap: float, least: float = 0.5) -> None:
        self.base = base
        self.cap = cap
        self.least = least


SLOW, STUBBORN, QUICK, NEAR = Pace(5.0, 3600.0), Pace(30.0, 3600.0, least=5.0), Pace(1.0, 60.0), Pace(5.0, 60.0)


class Cure:
    """The meaning of a cause, and the advice for its cure."""

    def __init__(self, meaning: str, advice: str) -> None:
        self.meaning = meaning
        self.advice = advice


class Cause(StrEnum):
    """The cause of a failed attempt. The value is stored with the job and is its name in JSON.

    `pace` is how fast the job is retried. Only a cause with a `cure` makes dead letters.
    """

    pace: Pace
    cure: Cure | None

    def __new__(cls, name: str, pace: Pace = STUBBORN, cure: Cure | None = None) -> "Cause":
        """The member for a row of the table."""
        cause = str.__new__(cls, name)
        cause._value_ = name
        cause.pace, cause.cure = pace, cure
        return cause

    REFUSED = (
        "refused",
        STUBBORN,
        Cure(
            "Plex or Stash rejected the request",
            "its error names the field and the value: fix it in Stash (docs/fields.md says where each field comes from). "
            "Saving the scene retries it, and so does a new address or token of the server.",
        ),
    )
    AMBIGUOUS = (
        "ambiguous",
        STUBBORN,
        Cure(
            "it is not certain which item in Plex shows the scene: PlexSync does not guess",
            "explain shows why. Several items fit: bind the right one (plexsync bind), remove or split the duplicate in "
            "Plex, or set path_map so that the full path decides. Several scenes fit: merge them in Stash, or split the "
            "item in Plex. PlexSync then retries it by itself.",
        ),
    )
    STRICT = (
        "strict",
        STUBBORN,
        Cure(
            "a value would have to be cut or dropped, and strict_mode forbids it",
            "shorten or fix the value in Stash, or set strict_mode = false. PlexSync then retries it by itself.",
        ),
    )
    POISON = (
        "poison",
        STUBBORN,
        Cure(
            "the worker crashed three times while it worked on this scene alone",
            "find the crash in the log of the worker and in the log of the system (memory?); then dlq retry.",
        ),
    )
    BUG = (
        "bug",
        STUBBORN,
        Cure(
            "a fault of PlexSync",
            "run the worker with -v, dlq retry this scene, and report the fault with that log; it holds no secrets.",
        ),
    )
    UNAVAILABLE = (
        "unavailable",
        SLOW,
        Cure(
            "requests for this scene failed again and again while those for others succeeded",
            "check the item in Plex, and Plex's log: its entry may be damaged; then dlq retry.",
        ),
    )
    MISSING = (
        "missing",
        QUICK,
        Cure(
            "its item vanished from Plex every time it was edited",
            "let Plex finish scanning and empty its trash; then dlq retry.",
        ),
    )
    UNTAKEN = (
        "untaken",
        STUBBORN,
        Cure(
            "Plex or Stash answered well, and did not take the values",
            "explain names the fields: look in the log of the server why it does not write them (a full disk, a damaged "
            "database), or whether this Plex takes such values at all (plexsync probe); then dlq retry.",
        ),
    )
    THROTTLED = ("throttled", SLOW)
    BARRED = "barred"
    LOCAL = ("local", NEAR)
    RELEASED = "released"
    ABSENT = "absent"
    SCOPE = "scope"


# The causes that can make a scene a dead letter.
DEADLY = tuple(cause for cause in Cause if cause.cure)
GENERAL = Cure("another attempt would change nothing", "dlq show shows what happened; dlq retry tries it once more.")
_BY_NAME = {cause.value: cause for cause in Cause}


def cause_word(name: str) -> str:
    """A cause as screens show it."""
    return "no access" if name == Cause.BARRED else name


def pace_of(name: str) -> Pace:
    """The retry pace of a cause; an unknown cause has the pace of `BUG`."""
    return _BY_NAME.get(name, Cause.BUG).pace


def cure_of(name: str) -> Cure:
    """The cure for a dead letter of this cause, or general advice."""
    return (_BY_NAME[name].cure if name in _BY_NAME else None) or GENERAL
