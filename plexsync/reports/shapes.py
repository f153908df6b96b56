"""The shapes of every report: the keys of `--json`, the API and the pages. docs/commands.md lists the same keys.

Moments are RFC 3339 in UTC, lengths are seconds. A report is a plain dict of its shape, so it is written as JSON
without conversion, and the type check knows every key. Types only: at run time nothing but tests imports this, to keep
`status` fast.
"""

from typing import NotRequired, TypedDict

FieldValue = str | tuple[str, ...]


# --- status ----------------------------------------------------------------------------------------------------------


class UndoneFacts(TypedDict):
    """How many scenes were undone, and how many released."""

    undone: int
    released: int


class StandingFacts(TypedDict):
    """How many scenes have a status, and since when the oldest of them."""

    count: int
    since: str | None


class ForgottenFacts(TypedDict):
    """What was deleted because of its age."""

    attempts: int
    pushes: int


class QueueFacts(TypedDict):
    """The dead-letter queue: its size, whether that is too many, and the counts of letters added and removed."""

    count: int
    max: int
    over: bool
    died: int
    retried: int
    cured: int
    dropped: int
    ignored: int
    pruned: int
    renewed: int
    forgotten: ForgottenFacts


class BreakerFacts(TypedDict):
    """A breaker at the time of reading."""

    state: str
    failures: int
    failures_allowed: int
    opened_at: str | None
    next_probe_at: str | None
    cause: str
    error: str


class HoldFacts(TypedDict):
    """A hold, with the setting to correct."""

    setting: str
    message: str
    since: str | None
    retest_at: str | None


class OutageFacts(TypedDict):
    """An outage; `until` is null while it is under way."""

    server: str
    kind: str
    since: str | None
    until: str | None
    seconds: float
    cause: str
    error: str
    waiting_at_start: int
    waiting: int


class OutagesNow(TypedDict):
    """The outages under way, and the last one that ended."""

    current: list[OutageFacts]
    last: OutageFacts | None


class PaceFacts(TypedDict):
    """A server's throttle and ramp."""

    not_before: str | None
    jobs_per_claim: int


class WorkerFacts(TypedDict):
    """The worker."""

    running: bool
    heartbeat: str | None
    enabled: bool


class EventFacts(TypedDict):
    """Events that hooks stored as files: waiting for a worker, or unreadable."""

    waiting: int
    unread: int


class LibraryFacts(TypedDict):
    """A library in the index."""

    key: str
    title: str
    walked_at: str | None


class IndexFacts(TypedDict):
    """The index of Plex."""

    items: int
    libraries: list[LibraryFacts]


class BookFacts(TypedDict):
    """The books: accepted = coalesced + done + pruned + open."""

    accepted: int
    coalesced: int
    done: int
    pruned: int
    open: int
    balanced: bool


class StatusFacts(TypedDict):
    """`status`."""

    at: str | None
    jobs: dict[str, int]
    undone: UndoneFacts
    scenes: dict[str, StandingFacts]
    due: int
    oldest_due: str | None
    dead: dict[str, int]
    dlq: QueueFacts
    breakers: dict[str, BreakerFacts]
    holds: dict[str, HoldFacts]
    outages: OutagesNow
    paces: dict[str, PaceFacts]
    worker: WorkerFacts
    events: EventFacts
    index: IndexFacts
    last_poll: str | None
    last_reconcile: str | None
    comparison_due: bool
    bulk_approved: bool
    books: BookFacts


class FigureFacts(TypedDict):
    """The figures of a period with outages."""

    since: str | None
    interruptions: int
    down_seconds: float
    mttr_seconds: float | None
    mtbf_seconds: float | None
    availability: float


class OutageReport(TypedDict):
    """`outages`."""

    at: str | None
    days: int
    outages: list[OutageFacts]
    summary: FigureFacts


class NeedFacts(TypedDict):
    """What needs you, or resolves itself."""

    key: str
    kind: str
    title: str
    text: str
    since: str | None


# --- one scene -------------------------------------------------------------------------------------------------------


class SceneFacts(TypedDict):
    """A scene of a list."""

    id: int
    title: str
    path: str
    named: bool
    stands: str
    since: str | None
    why: str


class RevisionFacts(TypedDict):
    """The revisions of a job."""

    wanted: int
    claimed: int
    settled: int


class JobFacts(TypedDict):
    """A job."""

    kind: str
    id: int
    state: str
    lane: str
    cause: str
    error: str
    attempts: int
    failures_in_a_row: int
    crashes: int
    next_try_at: str | None
    since: str | None
    lease_until: str | None
    revisions: RevisionFacts


class AttemptFacts(TypedDict):
    """A failed attempt."""

    at: str | None
    cause: str
    error: str
    attempts: int
    then: str


class MoveFacts(TypedDict):
    """What a push did to a field."""

    field: str
    old: FieldValue
    new: FieldValue
    was_locked: bool
    locked: bool


class PushFacts(TypedDict):
    """A push: one edit of one item."""

    at: str | None
    item: str
    fields: list[MoveFacts]


class PastAttempt(AttemptFacts):
    """A failed attempt in a history; `what` is `attempt`."""

    what: str


class PastPush(PushFacts):
    """A push in a history; `what` is `push`, `undo` or `release`."""

    what: str


class JobReport(TypedDict):
    """A scene's job, and its failed attempts."""

    job: JobFacts | None
    attempts: list[AttemptFacts]


class NoteFacts(TypedDict):
    """A value that was changed to fit Plex, or kept, and why."""

    field: str
    reason: str
    text: str


class StepFacts(TypedDict):
    """A step of the match."""

    rung: str
    text: str


class CandidateFacts(TypedDict):
    """An item that fits, with the command that binds it."""

    key: str
    section: str
    path: str
    why: str
    bind: str


class FieldFacts(TypedDict):
    """A field of an item: its value on both servers, and what a sync would do."""

    field: str
    stash: FieldValue | None
    plex: FieldValue
    locked: bool
    action: str
    reason: str
    why: list[NoteFacts]


class TargetFacts(TypedDict):
    """An item of a scene."""

    key: str
    section: str
    files: list[str]
    fields: list[FieldFacts]


class SightFacts(TypedDict):
    """`explain`, without the job."""

    id: int
    title: str | None
    files: list[str]
    verdict: str
    undone: str | None
    steps: list[StepFacts]
    candidates: list[CandidateFacts]
    notes: list[NoteFacts]
    targets: list[TargetFacts]


class RememberedFacts(TypedDict):
    """The remembered values of a field."""

    key: str
    field: str
    said: FieldValue
    left: FieldValue
    left_locked: bool


class KnownFacts(JobReport):
    """What the database knows of a scene while a server can't be asked."""

    id: int
    remembered: list[RememberedFacts]


class UndoField(TypedDict):
    """What undo would do to a field."""

    field: str
    action: str
    now: FieldValue
    locked: bool
    then: FieldValue
    then_locked: bool
    removes: list[str]
    why: str


class UndoItem(TypedDict):
    """What undo would do to an item."""

    key: str
    fields: list[UndoField]


class UndoFacts(TypedDict):
    """What undo would do to a scene; `error` says why it can't be shown now."""

    id: int
    title: str | None
    items: list[UndoItem]
    error: str


class RunFacts(TypedDict("RunFacts", {"from": str | None})):
    """A run of pushes."""

    run: int
    until: str | None
    scenes: int


# --- comparisons, dry runs, dead letters -------------------------------------------------------------------------------


class ChangeFacts(TypedDict):
    """What a sync would do to a field."""

    field: str
    old: FieldValue
    new: FieldValue
    adds: list[str]
    removes: list[str]
    was_locked: bool
    locked: bool


class ItemFacts(TypedDict):
    """What a sync would do to an item."""

    key: str
    section: str
    fields: list[ChangeFacts]


class PreviewFacts(TypedDict):
    """A scene of a dry run."""

    id: int
    title: str
    standing: str
    why: NotRequired[str]
    items: list[ItemFacts]
    notes: list[NoteFacts]


class ExampleFacts(TypedDict):
    """A dead letter of a cause."""

    kind: str
    id: int
    error: str


class GroupFacts(TypedDict):
    """The dead letters of a cause."""

    cause: str
    meaning: str
    advice: str
    count: int
    example: ExampleFacts


class LetterFacts(JobFacts):
    """A dead letter with all known facts."""

    meaning: str
    advice: str
    failed_attempts: list[AttemptFacts]
    pushes: list[PushFacts]


class UnpairedFacts(TypedDict):
    """An item in Plex without a scene."""

    item: str
    library: str
    files: list[str]


# --- top ---------------------------------------------------------------------------------------------------------------


class ServerFacts(BreakerFacts):
    """A server in `top`: its breaker, its status word, its hold, its throttle and its ramp."""

    stands: str
    hold: HoldFacts | None
    asked_for_patience_until: str | None
    jobs_per_claim: int
