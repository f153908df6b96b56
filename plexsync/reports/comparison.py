"""The result of a full comparison, as facts."""

from collections import Counter

from plexsync.flows.scenes.reconcile import ComparisonReport
from plexsync.rules.status_words import COMPARED

_NAMES = {finding.stored: finding.value for finding in COMPARED}


def counted(report: ComparisonReport) -> Counter[str]:
    """Count the scenes by status; the keys are the JSON names."""
    return Counter({_NAMES.get(name, name): count for name, count in report.standing.items()})


def report_facts(report: ComparisonReport) -> dict[str, int | bool | str | None]:
    """The report for JSON."""
    standing = counted(report)
    return {
        "scenes": report.scenes,
        **{finding.value: standing[finding] for finding in COMPARED},
        **{name: count for name, count in standing.items() if name not in tuple(COMPARED)},
        "gone": report.gone,
        "wanted": report.wanted,
        "items": report.items,
        "without_scene": report.without_scene,
        "went_on_after": report.after or None,
        "complete": report.complete,
    }
