"""What a complete comparison has found, as facts and in words."""

from collections import Counter
from typing import Any

from plexsync.flows.scenes.reconcile import Report

STANDINGS = {
    "in step": "in_step",
    "differs": "differ",
    "absent": "absent",
    "ambiguous": "ambiguous",
    "outside": "out_of_scope",
    "person": "kept_for_a_person",
    "undone": "undone",
    "failed": "failed",
}
WORDS = {
    "in_step": "in step",
    "differ": "differ",
    "absent": "not in Plex (yet)",
    "ambiguous": "ambiguous",
    "out_of_scope": "out of scope",
    "kept_for_a_person": "in step but for values that a person keeps in Plex",
    "undone": "undone, and left alone until they change in Stash",
    "failed": "could not be compared",
}


def counted(report: Report) -> Counter[str]:
    """How many scenes stand how, by the names of `WORDS`."""
    return Counter({STANDINGS.get(name, name): count for name, count in report.standing.items()})


def report_facts(report: Report) -> dict[str, Any]:
    """The report for JSON."""
    standing = counted(report)
    return {
        "scenes": report.scenes,
        **{name: standing[name] for name in WORDS},
        **{name: count for name, count in standing.items() if name not in WORDS},
        "gone": report.gone,
        "wanted": report.wanted,
        "items": report.items,
        "without_scene": report.without_scene,
        "went_on_after": report.after or None,
        "complete": report.complete,
    }
