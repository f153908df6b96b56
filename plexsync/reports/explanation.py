"""Why a scene has its status, as facts: from a fresh inspection, or from the database while a server is down."""

from collections.abc import Mapping, Sequence

from plexsync.app.rules import rating_rules, watch_rules
from plexsync.app.stored import Stored
from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.verbs import Explanation, status_in
from plexsync.reports.collections import collections_of_scene
from plexsync.reports.item_places import ItemPlaces, item_places
from plexsync.reports.rows import action, attempt_facts, in_order, note_facts, reason, row_facts
from plexsync.reports.scene_plays import scene_plays
from plexsync.reports.scene_ratings import with_rating
from plexsync.reports.shapes.scenes import (
    ExplainFacts,
    FieldFacts,
    FindingFacts,
    JobReport,
    KnownFacts,
    PlaysOfScene,
    RememberedFacts,
)
from plexsync.rules.item import PICTURES, is_provided
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.pictures import left_out_text
from plexsync.rules.merge.plan_records import Note
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import held_field
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import NOT_SHOWN, Absent, Dead, Gone, Kind, NotShown, OutOfScope, State
from plexsync.rules.records import AttemptRow, JobRow
from plexsync.rules.words.status_words import SceneStatus, in_sync_line, status_of
from plexsync.store.database import Reader


def job_facts(
    status: SceneStatus, row: JobRow | None, attempts: Sequence[AttemptRow], plays: PlaysOfScene | None
) -> JobReport:
    """A scene's status, its row in the queue, its failed attempts, and its plays."""
    return {"stands": status.value, "job": row_facts(row), "attempts": attempt_facts(attempts), "plays": plays}


def explain_facts(parts: Stored, explanation: Explanation) -> ExplainFacts:
    """A scene as the worker sees it now, its job, its plays, and its rating if that goes both ways."""
    inspection = explanation.inspection
    with parts.store.reading() as db:
        facts = inspection_facts(inspection, explanation.job, item_places(db))
        targets = with_rating(db, facts["targets"], inspection, rating_rules(parts.config), parts.clock.now())
        plays = scene_plays(
            db,
            watch_rules(parts.config),
            inspection.id,
            created_at=inspection.scene.created_at if inspection.scene else "",
            items=[target.item.key for target in inspection.targets],
        )
        collections = collections_of_scene(db, inspection)
    job = job_facts(explanation.status, explanation.job, explanation.attempts, plays)
    return {**facts, "targets": targets, "collections": collections, **job}


def inspection_facts(inspection: Inspection, row: JobRow | None, places: ItemPlaces) -> FindingFacts:
    """The result of an inspection, and what a sync would do to the scene's items. `row`: its job, which may rest."""
    notes = dict.fromkeys((*(inspection.wanted.notes if inspection.wanted else ()), *_picture_notes(inspection)))
    return {
        "id": inspection.id,
        "title": inspection.scene.title if inspection.scene else None,
        "files": [file.path for file in inspection.scene.files] if inspection.scene else [],
        "verdict": _rest(inspection, row) or verdict(inspection),
        "undone": inspection.undone or None,
        "steps": [{"rung": step.rung, "text": step.text} for step in inspection.steps],
        "candidates": [
            {
                "key": candidate.key,
                "section": candidate.section,
                "library": places.library(candidate.section),
                "link": places.link(candidate.key),
                "path": candidate.path,
                "why": candidate.reason,
                "bind": f"plexsync bind {inspection.id} {candidate.key}",
                "bound_to": candidate.rival if candidate.is_taken else None,
            }
            for candidate in inspection.candidates
        ],
        "notes": note_facts(notes),
        "targets": [
            {
                "key": target.item.key,
                "section": target.item.section,
                "library": places.library(target.item.section),
                "link": places.link(target.item.key),
                "files": [part.path for part in target.item.parts],
                "fields": _fields_facts(target, _edited_fields(inspection, target, row)),
            }
            for target in inspection.targets
        ],
    }


# What keeps a scene from being synced, whatever an inspection finds.
RESTS = {
    State.IGNORED: f"{SceneStatus.IGNORED.word}: nothing is synced until plexsync unignore {{0}}",
    State.DROPPED: (
        f"{SceneStatus.DROPPED.word}: {SceneStatus.DROPPED.meaning}; nothing is synced until you edit it in Stash, or"
        " plexsync sync {0}"
    ),
}


def _picture_notes(inspection: Inspection) -> list[Note]:
    """The notes on pictures, which depend on the library of the item."""
    return [note for target in inspection.targets for note in target.wanted.notes if note.field in PICTURES]


def _edited_fields(inspection: Inspection, target: Target, row: JobRow | None) -> Mapping[str, str]:
    """The fields that you edited in Plex; of a scene that rests, only those that you keep."""
    rests = bool(inspection.undone) or (row is not None and row.state is State.IGNORED)
    edited = {drifted.name: drifted.is_kept for drifted in target.drift if drifted.is_kept or not rests}
    return {name: "kept" if is_kept else "undecided" for name, is_kept in edited.items()}


def _fields_facts(target: Target, edited: Mapping[str, str]) -> list[FieldFacts]:
    names = in_order((*target.wanted.values, *target.memory))
    return [_field_facts(target, name, edited.get(name, "")) for name in names]


def _field_facts(target: Target, name: str, yours: str) -> FieldFacts:
    wants, now, change = target.wanted.values, held_field(target.item, name), target.plan.edit.get(name)
    why = "undone" if undo_mode(target.plan.memory) else reason(target.memory.get(name), wants.get(name))
    return {
        "field": name,
        "stash": wants.get(name),
        "plex": now.value,
        "locked": now.locked,
        "action": _asked_action(target, name) or action(name, change, wants),
        "reason": why if change else "",
        "yours": yours,
        "why": note_facts(note for note in target.plan.notes if note.field == name),
    }


def _asked_action(target: Target, name: str) -> str:
    """What is done about a field of which Plex is told to ask for the value, or asks by itself; '' for all others."""
    if name in target.asked_fields:
        return "tell Plex to ask for it"
    is_told = target.asked and is_provided(name) and name not in target.plan.edit and target.wanted.values.get(name)
    return "nothing (Plex asks for it)" if is_told else ""


def _rest(inspection: Inspection, row: JobRow | None) -> str:
    """What keeps a scene that Stash has from being synced; '' if nothing does."""
    gone = isinstance(inspection.outcome or inspection.ends, Gone)
    if row and row.cls == NOT_SHOWN and not gone:
        return f"{status_of(row.state, row.cls, '').word}: {row.error}"
    return RESTS.get(row.state, "").format(inspection.id) if row and not gone else ""


def verdict(inspection: Inspection) -> str:
    """One sentence on the scene's status."""
    match inspection.outcome:
        case Gone():
            return f"Stash has no scene {inspection.id}"
        case Absent(error=error) | Dead(error=error) | OutOfScope(error=error) | NotShown(error=error):
            return error
    if isinstance(inspection.ends, Gone):
        return f"Stash has no scene {inspection.id}; {_undone_words(inspection)}"
    if inspection.error is not None:
        what = f"its item {inspection.key} can't be read" if inspection.key else "it can't be looked at"
        return f"{what}: {inspection.error}"
    changes = sum(len(target.plan.edit) for target in inspection.targets)
    if inspection.undone:
        return _undone_words(inspection)
    if not changes:
        missing = dict.fromkeys(left_out_text(note.field, note.text) for note in _picture_notes(inspection))
        words = in_sync_line(inspection.kept_fields)
        return ", but ".join([words, "; ".join(missing)] if missing else [words])
    return f"{changes} {'field' if changes == 1 else 'fields'} would be changed"


def _undone_words(inspection: Inspection) -> str:
    released = "released: its values were left in Plex"
    what = released if inspection.undone == TakenBack.RELEASE else "undone: what was pushed is taken back"
    changes = sum(len(target.plan.edit) for target in inspection.targets)
    if changes:
        return f"{what}; {changes} {'field is' if changes == 1 else 'fields are'} still to be changed"
    return f"{what}; it is left alone until you edit it in Stash, or plexsync redo {inspection.id}"


def known_facts(db: Reader, id: int, rules: WatchRules | None) -> KnownFacts:
    """What the database knows of a scene, for when a server can't be asked."""
    remembered: list[RememberedFacts] = [
        {"key": key, "field": name, "said": record.said, "left": record.left.value, "left_locked": record.left.locked}
        for (_, key), memory in sorted(db.memories.of([id]).items())
        for name, record in memory.items()
    ]
    return {
        "id": id,
        **job_facts(
            status_in(db, id), db.jobs.find(Kind.SCENE, id), db.attempts.of(Kind.SCENE, id), scene_plays(db, rules, id)
        ),
        "remembered": remembered,
    }
