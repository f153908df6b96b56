"""The one table of words for how a scene, its job or a server stands: JSON names, words for people, colours.

Terminal, dashboard, page in Stash, API and metrics all take their words from here; `docs/glossary.md` explains them. Little
of the standard library, since a shell waits for `plexsync status`.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Row:
    """A line of the table, as `SceneStatus` explains it."""

    def __init__(
        self,
        name: str,
        word: str,
        tone: str,
        colour: str,
        meaning: str,
        *,
        states: tuple[str, ...] = (),
        finding: str = "",
        outcome: str = "",
        ended: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.word = word
        self.tone = tone
        self.colour = colour
        self.meaning = meaning
        self.states = states
        self.finding = finding
        self.outcome = outcome or name
        self.ended = ended


# The colours of scenes that the worker leaves alone.
REST = ("plain", "bright_black")


class SceneStatus(StrEnum):
    """How a scene stands. The value is its name in JSON; `word` is what a person reads.

    `tone` is the class of its colour in the style sheet, `colour` that of the terminal. `meaning` explains the word, with
    the command that says more. `states` are the states of a job that stand for it, `finding` is what a comparison stores
    for it, `outcome` its name among the results of a command, and `ended` are the outcomes of attempts that lead to it.
    Statuses with the same word are counted together wherever a person reads them.
    """

    word: str
    tone: str
    colour: str
    meaning: str
    states: tuple[str, ...]
    finding: str
    outcome: str
    ended: tuple[str, ...]

    def __new__(cls, row: Row) -> "SceneStatus":
        """A member from its row."""
        status = str.__new__(cls, row.name)
        status._value_ = row.name
        status.word, status.tone, status.colour, status.meaning = row.word, row.tone, row.colour, row.meaning
        status.states, status.finding, status.outcome, status.ended = row.states, row.finding, row.outcome, row.ended
        return status

    IN_SYNC = Row(
        *("in_step", "in sync", "well", "green", "Plex shows what Stash says"),
        states=("idle",),
        finding="in step",
        ended=("done",),
    )
    QUEUED = Row(
        *("waiting", "queued", "wait", "yellow", "the worker syncs it"),
        states=("ready", "running"),
        finding="differs",
        ended=("later", "waiting"),
    )
    NOT_IN_PLEX = Row(
        *("absent", "not in Plex yet", "plain", "blue", "no item in Plex has its file; PlexSync looks again"),
        states=("absent",),
        finding="absent",
        ended=("absent",),
    )
    AMBIGUOUS = Row("ambiguous", "needs you", "bad", "red", "several items in Plex fit", finding="ambiguous")
    FAILED = Row(
        *("failed", "needs you", "bad", "red", "dead letters (plexsync dlq list)"),
        states=("dead",),
        finding="failed",
        outcome="dead",
        ended=("dead",),
    )
    IGNORED = Row("ignored", "ignored", *REST, "you excluded it (plexsync ignore)", states=("ignored",))
    OUT_OF_SCOPE = Row(
        *("outside", "out of scope", *REST, "the setting scope excludes it (plexsync explain)"),
        states=("outside",),
        finding="outside",
        ended=("outofscope",),
    )
    UNDONE = Row("undone", "undone", *REST, "it rests until you edit it in Stash", finding="undone")
    DROPPED = Row("dropped", "dropped", *REST, "you removed it from the queue", states=("dropped",))
    GONE = Row("gone", "gone", *REST, "Stash has no such scene any more", states=("gone",), ended=("gone",))
    UNKNOWN = Row("unknown", "unknown", *REST, "no comparison has seen it")

    @property
    def bucket(self) -> str:
        """The name in addresses of all statuses that share this word."""
        return self.word.replace(" ", "_")


# What a job is called while the worker holds it; else it is called as its scene stands.
SYNCING, SYNCING_MEANING, SYNCING_COLOUR = "syncing", "the worker holds it", "cyan"
# In the order in which a person reads of them; nobody is counted as unknown.
STATUSES = tuple(status for status in SceneStatus if status is not SceneStatus.UNKNOWN)
# Those that a screen shows also when no scene stands so.
MAIN = (SceneStatus.IN_SYNC, SceneStatus.QUEUED, SceneStatus.NOT_IN_PLEX, SceneStatus.AMBIGUOUS, SceneStatus.FAILED)
BY_STATE = {state: status for status in SceneStatus for state in status.states}
BY_ENDING = {ending: status for status in SceneStatus for ending in status.ended}
_BY_FINDING = {status.finding: status for status in SceneStatus if status.finding}
# What a comparison stores for a scene that is in sync but for fields that you edited in Plex.
KEPT = "person"


def status_of(state: str | None, error_class: str, last_seen: str) -> SceneStatus:
    """By the job's state and cause (None: there is no job), else by what a comparison stored ('' for nothing)."""
    if state is None and last_seen == KEPT:
        return SceneStatus.IN_SYNC
    if state is None:
        return _BY_FINDING.get(last_seen, SceneStatus.FAILED) if last_seen else SceneStatus.UNKNOWN
    return SceneStatus.AMBIGUOUS if state == "dead" and error_class == SceneStatus.AMBIGUOUS else BY_STATE[state]


def job_word(state: str) -> str:
    """What a person reads for the state of a job."""
    return SYNCING if state == "running" else BY_STATE[state].word


def job_tone(state: str) -> str:
    """The class in the style sheet of the colour of the state of a job."""
    return BY_STATE[state].tone


def job_colour(state: str) -> str:
    """The colour in the terminal of the state of a job."""
    return SYNCING_COLOUR if state == "running" else BY_STATE[state].colour


def job_meaning(state: str) -> str:
    """What the state of a job says."""
    return SYNCING_MEANING if state == "running" else BY_STATE[state].meaning


# The states of a job in the order in which a person reads of them; a screen always shows the first five.
JOB_STATES = tuple(
    state for status in STATUSES for state in (reversed(status.states) if len(status.states) > 1 else status.states)
)
MAIN_STATES = JOB_STATES[:5]


def in_bucket(name: str) -> tuple[SceneStatus, ...]:
    """The statuses that an address names, by their JSON name or by their word; empty when there is none."""
    name = name.replace(" ", "_")
    return tuple(status for status in STATUSES if name in (status.value, status.bucket))


def buckets() -> tuple[tuple[SceneStatus, ...], ...]:
    """All statuses, those with the same word together."""
    words = dict.fromkeys(status.word for status in STATUSES)
    return tuple(tuple(status for status in STATUSES if status.word == word) for word in words)


class Finding(StrEnum):
    """What a comparison or a dry run says of a scene. The value is its name in JSON, `stored` what the database holds.

    It is counted as `word`, for a person; `status` is how the scene stands.
    """

    stored: str
    status: SceneStatus
    word: str

    def __new__(cls, name: str, stored: str, status: SceneStatus, word: str = "") -> "Finding":
        finding = str.__new__(cls, name)
        finding._value_ = name
        finding.stored, finding.status, finding.word = stored, status, word or status.word
        return finding

    IN_SYNC = ("in_step", "in step", SceneStatus.IN_SYNC)
    DIFFERS = ("differ", "differs", SceneStatus.QUEUED, "differ")
    WOULD_CHANGE = ("would_change", "differs", SceneStatus.QUEUED, "would change")
    NOT_IN_PLEX = ("absent", "absent", SceneStatus.NOT_IN_PLEX)
    AMBIGUOUS = ("ambiguous", "ambiguous", SceneStatus.AMBIGUOUS)
    OUT_OF_SCOPE = ("out_of_scope", "outside", SceneStatus.OUT_OF_SCOPE)
    FAILED = ("failed", "failed", SceneStatus.FAILED)
    KEPT = ("kept_for_a_person", KEPT, SceneStatus.IN_SYNC, "in sync but for fields that you edited in Plex")
    UNDONE = ("undone", "undone", SceneStatus.UNDONE)
    STRICT = ("strict", "strict", SceneStatus.FAILED)
    GIVEN_UP = ("given_up", "", SceneStatus.FAILED)
    DROPPED = ("dropped", "", SceneStatus.DROPPED)
    IGNORED = ("ignored", "", SceneStatus.IGNORED)
    GONE = ("gone", "", SceneStatus.GONE)


COMPARED = (
    *(Finding.IN_SYNC, Finding.DIFFERS, Finding.NOT_IN_PLEX, Finding.AMBIGUOUS, Finding.OUT_OF_SCOPE),
    *(Finding.KEPT, Finding.UNDONE, Finding.FAILED),
)
"""Those of a comparison, in the order of its report; a dry run has the others too."""
PREVIEWED = tuple(finding for finding in Finding if finding is not Finding.DIFFERS)
"""Those of a dry run, in the order of its summary, which always shows the first six."""


_FINDINGS = {finding.value: finding for finding in Finding}


def finding_word(name: str) -> str:
    """What a person reads for what a comparison or a dry run calls `name`; whatever it could not compare needs you."""
    return _FINDINGS.get(name, Finding.FAILED).word


def finding_counts(counts: Mapping[str, int], always: Iterable[Finding] = ()) -> list[tuple[str, int]]:
    """How many scenes stand how, by the words that a person reads; a word that fits none is listed only for `always`."""
    sums = dict.fromkeys((finding.word for finding in always), 0)
    for name in dict.fromkeys((*Finding, *counts)):
        if count := counts.get(name, 0):
            sums[finding_word(name)] = sums.get(finding_word(name), 0) + count
    return list(sums.items())


def counted(word: str, number: int) -> str:
    """So many of a word: `12 in sync`, `1 needs you`, `2 need you`."""
    return f"{number:,} {word if number == 1 else word.replace('needs', 'need')}"


UP, DOWN, PROBING = "up", "down", "down, a probe is due"
ON_HOLD, FAILING, THROTTLED = "on hold", "failing", "throttled"


def server_word(
    state: str, *, failures: int, failures_allowed: int, error: str, held: bool = False, throttled: bool = False
) -> str:
    """How a server stands, by its breaker and hold."""
    if held:
        return ON_HOLD
    if state != "closed":
        return DOWN if state == "open" else PROBING
    if error:
        return f"{FAILING} ({failures} of {failures_allowed})"
    return THROTTLED if throttled else UP
