"""The result of a full comparison, as facts."""

from collections import Counter

from plexsync.flows.scenes.comparison_report import ComparisonReport
from plexsync.reports.format import many
from plexsync.reports.shapes.comparisons import ComparisonFacts, FindingCounts, StrictCount
from plexsync.rules.status_words import COMPARED, Finding

_NAMES = {finding.stored: finding.value for finding in COMPARED}


def counted(report: ComparisonReport) -> Counter[str]:
    """Count the scenes by status; the keys are the JSON names."""
    return Counter({_NAMES.get(name, name): count for name, count in report.standing.items()})


def report_facts(report: ComparisonReport) -> ComparisonFacts:
    """The report for JSON."""
    standing = counted(report)
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
        " you decide. After the first sync plexsync drift lists them, and plexsync accept asks about lists, if there are any"
    )
