"""The one table of words for scenes, jobs and servers: JSON names, display words, their tones.

Terminal, dashboard, page in Stash, API and metrics all take their words from here; `docs/states.md` explains them. It
imports little of the standard library, because `plexsync status` loads it and has to start fast.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from plexsync.rules.merge.taken_back import TakenBack


class Row:
    """A row of the table; `SceneStatus` explains its fields."""

    def __init__(
        self,
        name: str,
        word: str,
        tone: str,
        meaning: str,
        *,
        states: tuple[str, ...] = (),
        finding: str = "",
        outcome: str = "",
        ended: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.words = {"word": word, "tone": tone, "meaning": meaning}
        self.names = {"states": states, "finding": finding, "outcome": outcome or name, "ended": ended}


class SceneStatus(StrEnum):
    """How a scene stands. The value is its name in JSON; `word` is the display word.

    `tone` is the CSS class of its colour: amber (`wait`) if it needs you, none (`plain`) for what goes on by itself.
    `meaning` explains the word, with the command that shows more. `states` are the job states with this status, `finding`
    is the value that a comparison stores for it, `outcome` is its name among the results of a command, and `ended` are
    the outcomes of attempts that lead to it. Screens count statuses with the same word together: they are causes of one
    word.
    """

    word: str
    tone: str
    meaning: str
    states: tuple[str, ...]
    finding: str
    outcome: str
    ended: tuple[str, ...]

    def __new__(cls, row: Row) -> "SceneStatus":
        """The member for a row of the table."""
        status = str.__new__(cls, row.name)
        status._value_ = row.name
        vars(status).update(row.words)
        vars(status).update(row.names)
        return status

    IN_SYNC = Row(
        *("in_step", "in sync", "well", "Plex shows what Stash says"),
        states=("idle",),
        finding="in step",
        ended=("done",),
    )
    QUEUED = Row(
        *("waiting", "queued", "plain", "the worker syncs it"),
        states=("ready", "running"),
        finding="differs",
        ended=("later", "waiting"),
    )
    NOT_IN_PLEX = Row(
        *("absent", "not in Plex yet", "plain", "no item in Plex has its file; PlexSync looks again"),
        states=("absent",),
        finding="absent",
        ended=("absent",),
    )
    AMBIGUOUS = Row("ambiguous", "needs you", "wait", "several items in Plex fit", finding="ambiguous")
    FAILED = Row(
        *("failed", "needs you", "wait", "dead letters (plexsync dlq list)"),
        states=("dead",),
        finding="failed",
        outcome="dead",
        ended=("dead",),
    )
    IGNORED = Row("ignored", "ignored", "plain", "you excluded it (plexsync ignore)", states=("ignored",))
    OUT_OF_SCOPE = Row(
        *("outside", "out of scope", "plain", "the setting scope excludes it (plexsync explain)"),
        states=("outside",),
        finding="outside",
        ended=("outofscope",),
    )
    UNDONE = Row(
        *("undone", "undone", "plain", "you took back what was pushed (plexsync redo syncs it again)"),
        finding="undone",
        ended=("undone",),
    )
    RELEASED = Row(
        *("released", "released", "plain", "its values were left in Plex (plexsync redo syncs it again)"),
        finding="released",
        ended=("released",),
    )
    NOT_SHOWN = Row(
        *("not_shown", "ignored", "plain", "you chose another scene for its item (plexsync unbind takes that back)"),
        finding="elsewhere",
        ended=("notshown",),
    )
    DROPPED = Row("dropped", "ignored", "plain", "you removed it from the queue", states=("dropped",))
    GONE = Row("gone", "gone", "plain", "Stash has no such scene any more", states=("gone",), ended=("gone",))
    UNKNOWN = Row("unknown", "unknown", "plain", "no comparison has seen it")

    @property
    def bucket(self) -> str:
        """The name in URLs of all statuses that share this word."""
        return self.word.replace(" ", "_")


# The word for a job while the worker holds it; otherwise its word is that of its scene.
SYNCING, SYNCING_MEANING = "syncing", "the worker holds it"
# In display order. No scene is counted as unknown.
STATUSES = tuple(status for status in SceneStatus if status is not SceneStatus.UNKNOWN)
# The statuses that screens always show, also without any scene.
MAIN = (SceneStatus.IN_SYNC, SceneStatus.QUEUED, SceneStatus.NOT_IN_PLEX, SceneStatus.AMBIGUOUS, SceneStatus.FAILED)
BY_STATE = {state: status for status in SceneStatus for state in status.states}
BY_ENDING = {ending: status for status in SceneStatus for ending in status.ended}
# By how a scene was undone. A scene that was undone because it was gone in Stash is synced as soon as it is back.
BY_MARK: Mapping[str, SceneStatus] = {TakenBack.UNDO: SceneStatus.UNDONE, TakenBack.RELEASE: SceneStatus.RELEASED}
_BY_CAUSE = {
    ("dead", "ambiguous"): SceneStatus.AMBIGUOUS,
    ("dropped", "elsewhere"): SceneStatus.NOT_SHOWN,
}
_BY_FINDING = {status.finding: status for status in SceneStatus if status.finding}
# The value that a comparison stores for a scene that is in sync but for fields that Plex keeps, before their number.
KEPT = "person"
# The command that lists the fields that Plex keeps, and decides about them.
DECIDE = "plexsync drift"


def kept_word(fields: int) -> str:
    """The value that is stored for a scene in sync of which Plex keeps so many fields that you have not decided about."""
    return f"{KEPT} {fields}" if fields else SceneStatus.IN_SYNC.finding


def kept_in(last_seen: str) -> int:
    """The number of fields in such a stored value. One without a number is of an earlier version: at least one."""
    name, _, number = last_seen.partition(" ")
    return 0 if name != KEPT else int(number) if number.isdecimal() else 1


def in_sync_words(kept_fields: int, *, stopped: bool = False) -> str:
    """The words for scenes in sync, of which Plex keeps so many fields that you have not decided about.

    While the work is `stopped`, nothing is compared: they were in sync, and what has changed since is not known.
    """
    word = f"were {SceneStatus.IN_SYNC.word}" if stopped else SceneStatus.IN_SYNC.word
    if not kept_fields:
        return word
    fields = "1 field" if kept_fields == 1 else f"{kept_fields:,} fields"
    return f"{word} but for {fields} kept in Plex"


def in_sync_line(kept_fields: int, *, stopped: bool = False) -> str:
    """The same, with the way to decide about the fields."""
    return in_sync_words(kept_fields, stopped=stopped) + (f" ({DECIDE})" if kept_fields else "")


def status_of(state: str | None, error_class: str, last_seen: str, mark: str = "") -> SceneStatus:
    """The status by the job's state and cause (None: no job), or by the value that a comparison stored ('' for none).

    `mark`: how the scene was undone, which decides for an idle job (`plexsync.rules.merge.taken_back.TakenBack`).
    """
    if state == "idle" and mark in BY_MARK:
        return BY_MARK[mark]
    if state is None and kept_in(last_seen):
        return SceneStatus.IN_SYNC
    if state is None:
        return _BY_FINDING.get(last_seen, SceneStatus.FAILED) if last_seen else SceneStatus.UNKNOWN
    return _BY_CAUSE.get((state, error_class)) or BY_STATE[state]


def job_word(state: str) -> str:
    """The display word for a job's state."""
    return SYNCING if state == "running" else BY_STATE[state].word


# The job states in display order; a screen always shows the first five.
JOB_STATES = tuple(
    state for status in STATUSES for state in (reversed(status.states) if len(status.states) > 1 else status.states)
)
MAIN_STATES = JOB_STATES[:5]
_RESTING = {"idle": tuple(BY_MARK.values()), "dropped": (SceneStatus.NOT_SHOWN,)}


class JobCount:
    """The number of jobs with a display word, and its meaning and CSS class. `state` is theirs."""

    def __init__(self, state: str, word: str, count: int, meaning: str, tone: str) -> None:
        self.state = state
        self.word = word
        self.count = count
        self.meaning = meaning
        self.tone = tone


def job_counts(
    jobs: Mapping[str, int], resting: Mapping[str, int], *, kept_fields: int = 0, stopped: bool = False
) -> list[JobCount]:
    """The numbers of jobs by display word, in display order; a word without jobs is listed only if it is a main one.

    A word with several causes has the meaning of each that there is. `resting`: the number of jobs of scenes that rest by a
    cause of their own, by status. `kept_fields`: the number of fields of those in sync that Plex keeps. `stopped`: as
    for `in_sync_words`.
    """
    counts = []
    for state in JOB_STATES:
        count = jobs.get(state, 0) - sum(resting.get(status, 0) for status in _RESTING.get(state, ()))
        if count or state in MAIN_STATES:
            status = BY_STATE[state]
            word, meaning = status.word, status.meaning
            if state == "running":
                word, meaning = SYNCING, SYNCING_MEANING
            if state == "idle":
                word = in_sync_words(kept_fields, stopped=stopped)
                meaning = f"{meaning}, but for these fields ({DECIDE})" if kept_fields else meaning
                meaning = f"when last compared: {meaning}" if stopped else meaning
            counts.append(JobCount(state, word, count, meaning, status.tone))
    counts += [
        JobCount(state, status.word, count, status.meaning, status.tone)
        for state, statuses in _RESTING.items()
        for status in statuses
        if (count := resting.get(status, 0))
    ]
    by_word: dict[str, JobCount] = {}
    for row in counts:
        if same := by_word.get(row.word):
            same.count += row.count
            same.meaning += f"; {row.meaning}"
        else:
            by_word[row.word] = row
    return [*by_word.values()]


def in_bucket(name: str) -> tuple[SceneStatus, ...]:
    """The statuses for a name in a URL, by JSON name or by word; empty if there is none."""
    name = name.replace(" ", "_")
    return tuple(status for status in STATUSES if name in (status.value, status.bucket))


def buckets() -> tuple[tuple[SceneStatus, ...], ...]:
    """All statuses, grouped by word."""
    words = dict.fromkeys(status.word for status in STATUSES)
    return tuple(tuple(status for status in STATUSES if status.word == word) for word in words)


class Finding(StrEnum):
    """The result of a comparison or a dry run for a scene. The value is its name in JSON, `stored` is kept in the database.

    `word` is the display word under which it is counted; `status` is how the scene stands.
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
    KEPT = ("kept_for_a_person", KEPT, SceneStatus.IN_SYNC)
    UNDONE = ("undone", "undone", SceneStatus.UNDONE)
    RELEASED = ("released", "released", SceneStatus.RELEASED)
    NOT_SHOWN = ("not_shown", "elsewhere", SceneStatus.NOT_SHOWN)
    STRICT = ("strict", "strict", SceneStatus.FAILED)
    GIVEN_UP = ("given_up", "", SceneStatus.FAILED)
    DROPPED = ("dropped", "", SceneStatus.DROPPED)
    IGNORED = ("ignored", "", SceneStatus.IGNORED)
    GONE = ("gone", "", SceneStatus.GONE)


COMPARED = (
    *(Finding.IN_SYNC, Finding.DIFFERS, Finding.NOT_IN_PLEX, Finding.AMBIGUOUS, Finding.OUT_OF_SCOPE),
    *(Finding.KEPT, Finding.UNDONE, Finding.RELEASED, Finding.NOT_SHOWN, Finding.FAILED),
)
"""The findings of a comparison, in the order of its report; a dry run has the others too."""
PREVIEWED = tuple(finding for finding in Finding if finding is not Finding.DIFFERS)
"""The findings of a dry run, in the order of its summary, which always shows the first six."""


_FINDINGS = {finding.value: finding for finding in Finding}


def finding_word(name: str) -> str:
    """The display word for a finding of a comparison or dry run; a scene that could not be compared needs you."""
    return _FINDINGS.get(name, Finding.FAILED).word


def finding_counts(
    counts: Mapping[str, int], always: Iterable[Finding] = (), *, kept_fields: int = 0
) -> list[tuple[str, int]]:
    """The numbers of scenes by display word; a word without scenes is listed only if it is in `always`.

    `kept_fields`: the number of fields of those in sync that Plex keeps.
    """
    sums = dict.fromkeys((finding.word for finding in always), 0)
    for name in dict.fromkeys((*Finding, *counts)):
        if count := counts.get(name, 0):
            sums[finding_word(name)] = sums.get(finding_word(name), 0) + count
    in_sync = SceneStatus.IN_SYNC.word
    return [(in_sync_line(kept_fields) if word == in_sync else word, count) for word, count in sums.items()]


def count_words(word: str, number: int) -> str:
    """A number with its word: `12 in sync`, `1 needs you`, `2 need you`."""
    return f"{number:,} {word if number == 1 else word.replace('needs', 'need')}"


# The words for the worker, and for a server.
RUNNING, STARTING, HANGS = "running", "starting", "hangs"
RESTS, NOT_RUNNING, SWITCHED_OFF = "rests", "not running", "switched off"
UP, DOWN, PROBING = "up", "down", "down, a probe is due"
ON_HOLD, FAILING, THROTTLED = "on hold", "failing", "throttled"
