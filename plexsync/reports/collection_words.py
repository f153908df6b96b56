"""How collections stand, in words: the first line of the dashboard's page, and what came of a button."""

from collections.abc import Mapping

from plexsync.flows.scenes.drift import Decided, DriftAnswer
from plexsync.reports.drift import DONE
from plexsync.reports.format import many
from plexsync.reports.shapes.collections import CollectionDecision
from plexsync.rules.collection_status import CollectionStatus

NONE_KNOWN = "No collection is known yet"
# What the first line always says, and in which words.
FIRST: Mapping[CollectionStatus, str] = {
    CollectionStatus.IN_SYNC: "in sync",
    CollectionStatus.EDITED: "edited in Plex",
    CollectionStatus.NOT_OURS: "not PlexSync’s",
}
WAITING: Mapping[CollectionStatus, str] = {
    CollectionStatus.QUEUED: "queued",
    CollectionStatus.NO_SCENES: "without a scene in Plex",
}


def collections_line(counts: Mapping[CollectionStatus, int]) -> str:
    """How all collections stand: in sync, edited in Plex, not PlexSync's, waiting; and the rest, as far as there is one."""
    total = sum(counts.values())
    if not total:
        return NONE_KNOWN
    waiting = {status: counts[status] for status in WAITING if counts.get(status)}
    parts = ", ".join(f"{count:,} {WAITING[status]}" for status, count in waiting.items())
    words = [f"{counts.get(status, 0):,} {word}" for status, word in FIRST.items()]
    words.append(f"{sum(waiting.values()):,} waiting" + (f" ({parts})" if parts else ""))
    rest = [status for status in CollectionStatus if status not in FIRST and status not in WAITING]
    words += [f"{counts[status]:,} {status.word}" for status in rest if counts.get(status)]
    return f"{many(total, 'collection')}: {', '.join(words)}"


def decision_words(answer: DriftAnswer, decided: Decided) -> str:
    """What came of a decision about parts, in a sentence."""
    if not decided.parts and decided.busy:
        return f"{many(len(decided.busy), 'collection')} could not be decided about now, being worked on: try again"
    if not decided.parts:
        return "nothing to decide: no such part was edited in Plex"
    return f"{many(decided.fields, 'part')} of {many(len(decided.parts), 'collection')} {DONE[answer]}"


def decision_facts(answer: DriftAnswer, decided: Decided) -> CollectionDecision:
    """A decision about parts, for JSON."""
    facts: CollectionDecision = {
        "decision": answer.value,
        "parts": {str(id): list(names) for id, names in decided.parts.items()},
    }
    if decided.untouched:
        facts["untouched"] = decided.untouched
    if decided.busy:
        facts["busy"] = decided.busy
    return facts
