"""Ambiguous scenes as dead letters: the error begins with the case, by which its cure is chosen."""

from collections.abc import Mapping

from plexsync.rules.match.match_records import Binding, Reason, Unclear
from plexsync.rules.queue.job import Dead, NotShown

# Prefixes of the errors of ambiguous scenes: its item belongs to another scene, by the order of its files or because you
# bound it; two scenes have its file; one item fits in part. Dead rows of other causes begin differently.
SHARED_ITEM = "its item is another scene's"
BOUND_ELSEWHERE = "its item is bound to another scene"
TWO_SCENES = "two scenes in Stash have this file"
ONE_ITEM = "one item could be it"
SEVERAL_ITEMS = "several files could be it"
# Prefix of the error of a scene whose only candidate fits by name and duration.
DURATION_ONLY = "one item fits by name and duration only"
# Prefix of the error of a scene whose bound item can't be written to.
BOUND_ITEM = "bound by hand, but item"


def unclear(verdict: Unclear) -> Dead | NotShown:
    """The dead letter of an ambiguous match: nothing is written. Inspected again when the candidates change.

    What you bound to another scene asks for nothing: the scene rests.
    """
    keys = sorted(candidate.key for candidate in verdict.candidates)
    if verdict.reason == "duration only":
        remedy = "plexsync explain shows it, plexsync bind --by-duration binds it"
        return Dead("ambiguous", f"{DURATION_ONLY}: nothing is written ({remedy})", ",".join(keys))
    rivals = ", ".join(map(str, sorted({candidate.rival for candidate in verdict.candidates if candidate.rival})))
    if verdict.reason == "bound elsewhere":
        remedy = f"plexsync unbind {rivals.split(',')[0]} {keys[0]}"
        summary = f"{BOUND_ELSEWHERE}, {rivals}: this one is not shown ({remedy} takes that back)"
        return NotShown(summary, "elsewhere:" + ",".join(keys))
    summaries: Mapping[Reason, str] = {
        "shared item": SHARED_ITEM,
        "two scenes": f"{TWO_SCENES}, this one and scene {rivals}",
    }
    summary = summaries.get(verdict.reason) or (SEVERAL_ITEMS if len(keys) > 1 else ONE_ITEM)
    return Dead("ambiguous", f"{summary}: nothing is written (plexsync explain lists the candidates)", ",".join(keys))


def dead_binding(binding: Binding, obstacle: str) -> Dead:
    """The dead letter of a bound item that can't be written to. Inspected again when Plex or the bindings change."""
    scene, key = binding.scene, binding.key
    remedy = f"plexsync unbind {scene} {key}, or plexsync bind {scene} ITEM"
    summary = f"{BOUND_ITEM} {key} {obstacle}: nothing is written ({remedy})"
    return Dead("ambiguous", summary, f"bound:{key} {obstacle}")
