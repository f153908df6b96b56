"""Comparisons, dry runs, and the tasks of the dashboard and the API."""

from typing import TypedDict

from plexsync.reports.shapes.scenes import NoteFacts
from plexsync.reports.shapes.values import FieldValue, Moment

# --- comparisons -----------------------------------------------------------------------------------------------------


class FindingCounts(TypedDict):
    """The number of scenes by status, in a comparison."""

    in_step: int
    differ: int
    absent: int
    ambiguous: int
    out_of_scope: int
    kept_for_a_person: int
    """In sync, but for fields that Plex keeps: locked there before PlexSync, or edited since."""
    undone: int
    released: int
    not_shown: int
    failed: int
    """Scenes that could not be compared."""


class StrictCount(TypedDict, total=False):
    """The count of a comparison that is there only if it is not 0."""

    strict: int
    """Scenes that `strict_mode` rejects."""


class ComparisonFacts(FindingCounts, StrictCount):
    """The result of a comparison."""

    scenes: int
    """Scenes compared."""
    gone: int
    """Jobs whose scene is gone from Stash."""
    wanted: int
    """Scenes queued."""
    items: int
    """Items in Plex."""
    recovered: int
    """Scenes with values that count as PlexSync's own, by evidence that Plex or the database was restored."""
    kept_after_restore: int
    """Scenes with values that are left as yours although there is such evidence."""
    undecidable: int
    """Scenes with locked values that may be from an earlier database of PlexSync, and count as yours."""
    kept_fields: int
    """The fields of scenes in sync that Plex keeps, and that you have not decided about (`plexsync drift`)."""
    without_scene: int | None
    """Items that no scene shows; null unless all scenes were compared."""
    went_on_after: int | None
    """The scene after which it resumed; null if it was not interrupted."""
    complete: bool


class UnpairedFacts(TypedDict):
    """An item in Plex without a scene."""

    item: str
    """The rating key."""
    library: str
    files: list[str]


class UnpairedLists(TypedDict, total=False):
    """What a full comparison found without a counterpart."""

    scenes_without_item: list[int]
    """After a full comparison."""
    items_without_scene: list[UnpairedFacts]
    """After a full comparison."""


class WaitResult(TypedDict, total=False):
    """What was done about it, if the command waited."""

    outcomes: dict[str, int]
    """With `--wait`: the number of scenes by outcome."""
    causes: dict[str, int]
    """With `--wait`: the number of new dead letters by cause."""
    why: str
    """With `--wait`: why it ended early, or empty."""


class ReconcileFacts(ComparisonFacts, WaitResult, UnpairedLists):
    """The result of a comparison: `plexsync reconcile`."""


class PastComparison(ComparisonFacts):
    """A full comparison of the past."""

    began: Moment | None
    ended: Moment | None


class PollFacts(TypedDict):
    """The result of a poll: `plexsync reconcile --quick`."""

    wanted: dict[str, int]
    """What was queued, by kind."""
    complete: bool
    why: str
    """Why it is not complete, or empty."""


class QueuedFacts(TypedDict):
    """The result of a call that queues scenes."""

    wanted: int


# --- dry runs --------------------------------------------------------------------------------------------------------


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
    """The rating key."""
    section: str
    """The key of the library."""
    fields: list[ChangeFacts]


class PreviewReason(TypedDict, total=False):
    """The reason of a result, if there is one."""

    why: str


class PreviewFacts(PreviewReason):
    """A scene of a dry run."""

    id: int
    title: str
    standing: str
    """The result, such as `would_change`."""
    items: list[ItemFacts]
    notes: list[NoteFacts]


class VerifyFacts(TypedDict):
    """How Plex compares with Stash: `plexsync verify --json`."""

    at: Moment | None
    scenes: int
    """The scenes that were looked at."""
    in_sync: int
    """Those whose items show what Stash says."""
    differ: int
    left_out: dict[str, int]
    """The number of scenes that could not be compared, by result."""
    kept_fields: int
    """The fields of scenes in sync that Plex keeps, and that you have not decided about (`plexsync drift`)."""
    sample: bool
    complete: bool
    """False if it was stopped before its end."""
    scenes_that_differ: list[PreviewFacts]
    """The first 20 of them."""


class PreviewError(TypedDict, total=False):
    """The error that ended a dry run, if one did."""

    error: str


class PreviewCounts(PreviewError):
    """The totals of a dry run."""

    total: int
    counts: dict[str, int]
    """The number of scenes by result."""
    posters: int
    """Posters that would change."""
    undecidable: int
    """Scenes with locked values that may be from an earlier database of PlexSync, and count as yours."""
    kept_fields: int
    """The fields of scenes in sync that Plex keeps, and that you have not decided about (`plexsync drift`)."""
    complete: bool


class PreviewReport(PreviewCounts):
    """A dry run: `plexsync sync --all --dry-run`."""

    dry_run: bool
    """True."""
    scenes: list[PreviewFacts]
    """The named scenes; with `--all` only those that would change."""


class PreviewResult(TypedDict):
    """The result of a dry run that was started from the dashboard or the API."""

    dry_run: bool
    total: int
    counts: dict[str, int]
    """The number of scenes by result."""
    kept_fields: int
    """The fields of scenes in sync that Plex keeps, and that you have not decided about (`plexsync drift`)."""
    complete: bool
    scenes: list[PreviewFacts]
    """The first scenes that would change."""


# --- tasks of the dashboard and the API ------------------------------------------------------------------------------


class NoResult(TypedDict):
    """An empty object."""


TaskResult = ComparisonFacts | PollFacts | PreviewResult | QueuedFacts | NoResult


class TaskFacts(TypedDict):
    """A task that was started from the dashboard or the API."""

    name: str
    """`compare`, `compare anew`, `look` (a poll), `preview`, `sync all`, `review` or `write approved`."""
    state: str
    """`running`, `stopping`, `done`, `failed` or `stopped`."""
    began: Moment | None
    ended: Moment | None
    done: int
    """Scenes so far."""
    total: int
    """Scenes in all; 0 if not known yet."""
    error: str
    found: TaskResult
    """The result; empty until there is one."""


class TaskReport(TypedDict):
    """The latest full comparisons, and the tasks that were started from the dashboard or the API: `/api/reconcile`."""

    reports: list[PastComparison]
    """Newest first."""
    current: TaskFacts | None
    past: list[TaskFacts]
    """Newest first."""
