"""The report of a full comparison, and the reports of the last ones."""

import json
from collections import Counter
from dataclasses import dataclass, field

from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.queue.note_keys import VERIFIED
from plexsync.rules.words import verified
from plexsync.rules.words.status_words import KEPT
from plexsync.store.database import Reader, Writer

# The reports of the last full comparisons, newest first, as a list of `ComparisonReport`s in JSON.
REPORTS = "reconcile:reports"
REPORTS_KEPT = 10
# What a report counts by evidence of a restore, and the fields that Plex keeps.
COUNTS = ("recovered", "kept", "undecidable", "kept_fields")


@dataclass
class ComparisonReport:
    """The result of a comparison.

    `scenes` is the number of compared scenes, and `standing` counts them by status: `in step`, `differs`, `absent`,
    `ambiguous`, `outside`, `person` (in sync but for values that Plex keeps, of which `kept_fields` is the number),
    `undone` and `released` (left alone until they are redone or edited), `failed`. `wanted` scenes were queued. `gone`
    counts rows whose scene is gone from Stash. `after`: it continued after this scene, where the comparison that started
    at `began` was interrupted. `ended` is 0 until all are compared. After a restore, `recovered` scenes have values that
    count as PlexSync's own by evidence, and `kept` scenes values that are left as yours. In a database without a full
    comparison since it began or was restored, `undecidable` scenes have locked values that may be from an earlier
    database; they count as yours. `without_scene` counts the items in Plex that no scene shows; None unless all were
    compared.
    """

    scenes: int = 0
    standing: Counter[str] = field(default_factory=Counter)
    wanted: int = 0
    gone: int = 0
    items: int = 0
    began: int = 0
    after: int = 0
    without_scene: int | None = None
    complete: bool = False
    ended: int = 0
    recovered: int = 0
    kept: int = 0
    undecidable: int = 0
    kept_fields: int = 0

    def count(self, inspection: Inspection, standing: str) -> None:
        """Count a scene that stands so."""
        self.scenes += 1
        self.standing[standing] += 1
        self.kept_fields += inspection.kept_fields if standing == KEPT else 0

    def position(self, settings: str, after: int) -> str:
        """The text from which a comparison that is interrupted after this scene goes on, with the same settings."""
        names = ("began", "scenes", "standing", "wanted", "gone", *COUNTS)
        return json.dumps({"settings": settings, "after": after, **{name: getattr(self, name) for name in names}})


def reports(db: Reader) -> list[ComparisonReport]:
    """The reports of the last full comparisons, newest first."""
    # An earlier version has noted more of a comparison.
    names = ComparisonReport.__dataclass_fields__.keys()
    try:
        entries = json.loads(db.notes.text(REPORTS) or "[]")
        entries = [{name: entry[name] for name in names & entry.keys()} for entry in entries]
        return [ComparisonReport(**{**entry, "standing": Counter(entry["standing"])}) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def save_report(tx: Writer, report: ComparisonReport) -> None:
    """Save a report as the newest one; it verifies the scenes that have an item."""
    in_sync = report.standing["in step"] + report.standing[KEPT]
    differ, held_count = report.standing["differs"], report.kept_fields
    text = verified.format_note(report.ended, in_sync=in_sync, differ=differ, sample=False, kept_fields=held_count)
    tx.notes.save(VERIFIED, text)
    tx.notes.save(REPORTS, json.dumps([vars(entry) for entry in (report, *reports(tx))][:REPORTS_KEPT]))
