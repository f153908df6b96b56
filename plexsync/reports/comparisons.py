"""Full comparisons, and what a sync would change, as facts; items in Plex without a scene, and scenes without an item."""

from collections import Counter
from collections.abc import Iterator
from typing import TypedDict, cast

from plexsync.app.stored import Stored
from plexsync.engine.watching import pages_of
from plexsync.flows.scenes.comparison_report import ComparisonReport
from plexsync.flows.scenes.preview import Preview
from plexsync.reports.format import many
from plexsync.reports.rows import note_facts
from plexsync.reports.shapes.scenes import NoteFacts
from plexsync.reports.shapes.values import FieldValue, Moment
from plexsync.rules.item import Entry
from plexsync.rules.merge.field_change import FieldChange, change_document
from plexsync.rules.queue.note_keys import LAST_RUN
from plexsync.rules.words.status_words import COMPARED, Finding
from plexsync.store.database import Reader

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
    """`compare`, `compare anew`, `look` (a poll), `preview`, `sync all` or `review`."""
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


_NAMES = {finding.stored: finding.value for finding in COMPARED}


def count_statuses(report: ComparisonReport) -> Counter[str]:
    """Count the scenes by status; the keys are the JSON names."""
    return Counter({_NAMES.get(name, name): count for name, count in report.standing.items()})


def report_facts(report: ComparisonReport) -> ComparisonFacts:
    """The report for JSON."""
    standing = count_statuses(report)
    counts = FindingCounts(
        in_step=standing[Finding.IN_SYNC],
        differ=standing[Finding.DIFFERS],
        absent=standing[Finding.NOT_IN_PLEX],
        ambiguous=standing[Finding.AMBIGUOUS],
        out_of_scope=standing[Finding.OUT_OF_SCOPE],
        kept_for_a_person=standing[Finding.KEPT],
        undone=standing[Finding.UNDONE],
        released=standing[Finding.RELEASED],
        not_shown=standing[Finding.NOT_SHOWN],
        failed=standing[Finding.FAILED],
    )
    strict: StrictCount = {"strict": standing[Finding.STRICT]} if standing[Finding.STRICT] else {}
    return {
        "scenes": report.scenes,
        **counts,
        **strict,
        "gone": report.gone,
        "wanted": report.wanted,
        "items": report.items,
        "recovered": report.recovered,
        "kept_after_restore": report.kept,
        "undecidable": report.undecidable,
        "kept_fields": report.kept_fields,
        "without_scene": report.without_scene,
        "went_on_after": report.after or None,
        "complete": report.complete,
    }


def evidence_lines(report: ComparisonReport) -> list[str]:
    """What a comparison decided after a restore of Plex or of the database; empty if there was nothing to decide."""
    lines = []
    if report.recovered:
        lines.append(
            f"{many(report.recovered, 'scene')} with values that PlexSync wrote before a restore; they are its own"
        )
    if report.kept:
        lines.append(
            f"{many(report.kept, 'scene')} with values that PlexSync did not write before a restore; they are kept"
        )
    if report.undecidable:
        lines.append(undecidable_line(report.undecidable))
    return lines


def undecidable_line(count: int) -> str:
    """The scenes with values that count as yours, because no record says who wrote them."""
    return (
        f"{many(count, 'scene')} with locked values that an earlier PlexSync may have written: these values are yours until"
        " you decide. After the first sync plexsync drift lists them, and plexsync sync --take-over takes lists, too"
    )


def scene_facts(preview: Preview) -> PreviewFacts:
    """A scene for JSON."""
    items: list[ItemFacts] = [
        {"key": item.key, "section": item.section, "fields": [change_facts(change) for change in item.fields]}
        for item in preview.items
    ]
    reason: PreviewReason = {"why": preview.reason} if preview.reason else {}
    return {
        "id": preview.id,
        "title": preview.title,
        "standing": preview.standing,
        **reason,
        "items": items,
        "notes": note_facts(preview.notes),
    }


def change_facts(change: FieldChange) -> ChangeFacts:
    """A change for JSON."""
    return cast(ChangeFacts, change_document(change))


PAGE = 500


def lone_items(parts: Stored) -> Iterator[UnpairedFacts]:
    """Yield the items without a scene in the last full comparison, page by page; none before the first."""
    with parts.store.reading() as db:
        titles = {row.key: row.title for row in db.sections.all()}
        run = db.notes.number(LAST_RUN) or 0

    def read(db: Reader, last: Entry | None) -> list[Entry]:
        return db.index.list_unpaired(run, limit=PAGE, after=last.key if last else "") if run else []

    for page in pages_of(parts.store, read, None):
        for entry in page:
            library = titles.get(entry.section, entry.section)
            yield {"item": entry.key, "library": library, "files": [part.path for part in entry.parts]}


def lone_scenes(parts: Stored) -> Iterator[int]:
    """Yield the scenes without an item in Plex when last compared."""
    for page in pages_of(parts.store, lambda db, last: db.standings.list_compared("absent", limit=PAGE, after=last), 0):
        yield from page
