"""What you edited in Plex, and your decisions about it, as facts and in words."""

from dataclasses import replace
from typing import NotRequired, TypedDict

from plexsync.flows.scenes.drift import (
    Decided,
    DriftAnswer,
    DriftEntry,
    DriftFilter,
    DriftPage,
    drift_known,
    drifted_scenes,
)
from plexsync.reports.format import many, stamp
from plexsync.reports.rows import on_screen
from plexsync.reports.shapes.values import FieldValue, Moment
from plexsync.rules.item import FIELDS, PICTURES, beside_whom
from plexsync.rules.merge.drift import DriftField
from plexsync.store.database import Reader


class DriftFieldFacts(TypedDict):
    """A field that you edited in Plex."""

    field: str
    plex: FieldValue | None
    """The value in Plex; null if it is not known now."""
    stash: FieldValue | None
    """The value that Stash's would be in Plex; null if nothing is written there."""
    adds: list[str]
    """The names that taking Stash's list would add."""
    removes: list[str]
    """The names that taking Stash's list would remove."""
    kept_since: Moment | None
    """Since when you keep it; null while you have not decided."""
    locked_before: bool
    """Whether it was locked in Plex before PlexSync's first sync: it then stays until you decide, whatever Stash says."""


class DriftSceneFacts(TypedDict):
    """An item of a scene with fields that you edited in Plex."""

    id: int
    title: str
    item: str
    """The rating key."""
    library: str
    since: Moment | None
    """When PlexSync first found the scene so; null if you have decided about all fields."""
    fields: list[DriftFieldFacts]


class DriftReport(TypedDict):
    """What you edited in Plex: `plexsync drift`, `/api/drift`."""

    scenes: list[DriftSceneFacts]
    """One page of them, by number."""
    edited: int
    """The number of scenes of which Plex keeps fields, by the last look, without those that you decided about; on all
    pages."""
    kept: int
    """The number of scenes with a field that you keep, on all pages."""
    after: int | None
    """Pass this as `after` to get the next page; null on the last page."""
    away: str
    """Why the servers could not be asked; else empty. Then only what you keep is listed, without the values."""


class DriftDecision(TypedDict):
    """What came of a decision: `plexsync drift --keep 7`, `/api/drift`."""

    untouched: NotRequired[list[int]]
    """Scenes without such a field."""
    busy: NotRequired[list[int]]
    """Scenes that were being worked on: try again."""
    remaining: NotRequired[int]
    """The number of scenes that were not looked at, because it was stopped."""
    decision: str
    """`keep`, `take` or `unkeep`."""
    fields: int
    """The number of fields decided about."""
    scenes: list[int]
    """Their scenes."""


# The names by which fields are chosen; those beside a cast member have the member in their name.
NAMES = (*FIELDS, *PICTURES)
DONE = {
    DriftAnswer.KEEP: "kept as it is in Plex",
    DriftAnswer.TAKE: "to be replaced by what Stash says",
    DriftAnswer.UNKEEP: "no longer kept",
}


def is_field(name: str) -> bool:
    """Whether this is the name of a field."""
    return name in NAMES or beside_whom(name) is not None


def drift_facts(page: DriftPage) -> DriftReport:
    """A page for JSON."""
    return {
        "scenes": [entry_facts(entry) for entry in page.entries],
        "edited": page.edited,
        "kept": page.kept,
        "after": page.after,
        "away": "",
    }


def known_drift(db: Reader, wanted: DriftFilter, away: str, *, after: int, limit: int) -> DriftReport:
    """A page of what you keep, from the database, while a server can't be asked."""
    ids = drifted_scenes(db, after=after, limit=limit + 1, kept_only=True)
    titles = {id: name.title for id, name in db.scene_names.of(ids[:limit]).items()}
    entries = [replace(entry, title=titles.get(entry.id, "")) for entry in drift_known(db, ids[:limit])]
    return {
        "scenes": [entry_facts(entry) for entry in map(wanted.narrow, entries) if entry.fields],
        "edited": db.standings.count_kept(),
        "kept": db.notes.count_kept(),
        "after": ids[limit - 1] if len(ids) > limit else None,
        "away": away,
    }


def entry_facts(entry: DriftEntry) -> DriftSceneFacts:
    return {
        "id": entry.id,
        "title": entry.title,
        "item": entry.key,
        "library": entry.library,
        "since": stamp(entry.since),
        "fields": [_field_facts(drifted) for drifted in entry.fields],
    }


def _field_facts(drifted: DriftField) -> DriftFieldFacts:
    return {
        "field": drifted.name,
        "plex": drifted.in_plex.value if drifted.in_plex else None,
        "stash": drifted.in_stash,
        "adds": list(drifted.adds),
        "removes": list(drifted.removes),
        "kept_since": stamp(drifted.since),
        "locked_before": drifted.before,
    }


def decision_facts(answer: DriftAnswer, decided: Decided) -> DriftDecision:
    """A decision for JSON."""
    facts: DriftDecision = {"decision": answer.value, "fields": decided.fields, "scenes": decided.scenes}
    if decided.untouched:
        facts["untouched"] = decided.untouched
    if decided.busy:
        facts["busy"] = decided.busy
    if decided.remaining:
        facts["remaining"] = decided.remaining
    return facts


def decision_words(answer: DriftAnswer, decided: Decided) -> str:
    """What came of a decision, in a sentence."""
    if decided.busy and not decided.fields:
        return f"{many(len(decided.busy), 'scene')} could not be decided about now, being worked on: try again"
    if not decided.fields:
        return "nothing to decide: no such field is listed"
    line = f"{many(decided.fields, 'field')} of {many(len(decided.scenes), 'scene')} {DONE[answer]}"
    if decided.busy:
        line += f"; {many(len(decided.busy), 'scene')} could not be decided about now: try again"
    if decided.remaining:
        line += f"; {many(decided.remaining, 'scene')} left: do it again"
    return line


def stays_words(facts: DriftFieldFacts) -> str:
    """How long a field stays that you have not decided about."""
    if facts["locked_before"]:
        return "locked before PlexSync: stays until you decide"
    return "edited in Plex: stays until Stash changes it (conflict_policy)"


def value_words(field: str, value: FieldValue | None, *, in_plex: bool = False) -> FieldValue:
    """A value as it is shown: a picture has no text of its own, and a date added is in local time."""
    if field in PICTURES and value:
        return "another picture" if in_plex else "the picture from Stash"
    return on_screen(value, field) or ""
