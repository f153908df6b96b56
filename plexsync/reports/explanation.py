"""Why a scene has its status, as facts: from a fresh inspection, or from the database while a server is down."""

from collections.abc import Sequence

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
    JobReport,
    KnownFacts,
    PlaysOfScene,
    RememberedFacts,
    SightFacts,
)
from plexsync.rules.item import PICTURES
from plexsync.rules.job import NOT_SHOWN, SKIPPED, Absent, Dead, Gone, Kind, NotShown, OutOfScope, State
from plexsync.rules.memory import undone
from plexsync.rules.pictures import left_out_text
from plexsync.rules.plan_records import Note
from plexsync.rules.plays import WatchRules
from plexsync.rules.records import AttemptRow, JobRow
from plexsync.rules.status_words import SceneStatus, in_sync_line, status_of
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.values import held
from plexsync.store.database import Reader


def job_facts(
    status: SceneStatus, row: JobRow | None, attempts: Sequence[AttemptRow], plays: PlaysOfScene | None
) -> JobReport:
    """A scene's status, its row in the queue, its failed attempts, and its plays."""
    return {"stands": status.value, "job": row_facts(row), "attempts": attempt_facts(attempts), "plays": plays}


def explain_facts(parts: Stored, explanation: Explanation) -> ExplainFacts:
    """A scene as the worker sees it now, its job, its plays, and its rating if that goes both ways."""
    sight = explanation.sight
    with parts.store.reading() as db:
        facts = sight_facts(sight, explanation.job, item_places(db))
        targets = with_rating(db, facts["targets"], sight, rating_rules(parts.config), parts.clock.now())
        plays = scene_plays(
            db,
            watch_rules(parts.config),
            sight.id,
            created_at=sight.scene.created_at if sight.scene else "",
            items=[target.item.key for target in sight.targets],
        )
        collections = collections_of_scene(db, sight)
    job = job_facts(explanation.status, explanation.job, explanation.attempts, plays)
    return {**facts, "targets": targets, "collections": collections, **job}


def sight_facts(sight: Inspection, row: JobRow | None, places: ItemPlaces) -> SightFacts:
    """The result of an inspection, and what a sync would do to the scene's items. `row`: its job, which may rest."""
    notes = dict.fromkeys((*(sight.wanted.notes if sight.wanted else ()), *_picture_notes(sight)))
    return {
        "id": sight.id,
        "title": sight.scene.title if sight.scene else None,
        "files": [file.path for file in sight.scene.files] if sight.scene else [],
        "verdict": _rest(sight, row) or verdict(sight),
        "undone": sight.undone or None,
        "steps": [{"rung": step.rung, "text": step.text} for step in sight.steps],
        "candidates": [
            {
                "key": candidate.key,
                "section": candidate.section,
                "library": places.library(candidate.section),
                "link": places.link(candidate.key),
                "path": candidate.path,
                "why": candidate.reason,
                "bind": f"plexsync bind {sight.id} {candidate.key}",
                "bound_to": candidate.rival if candidate.is_taken else None,
            }
            for candidate in sight.candidates
        ],
        "notes": note_facts(notes),
        "targets": [
            {
                "key": target.item.key,
                "section": target.item.section,
                "library": places.library(target.item.section),
                "link": places.link(target.item.key),
                "files": [part.path for part in target.item.parts],
                "fields": [_field_facts(target, name) for name in in_order((*target.wanted.values, *target.memory))],
            }
            for target in sight.targets
        ],
    }


# What keeps a scene from being synced, whatever an inspection finds.
RESTS = {
    State.IGNORED: f"{SceneStatus.IGNORED.word}: nothing is synced until plexsync unignore {{0}}",
    State.DROPPED: f"{SceneStatus.DROPPED.word}: nothing is synced until you edit it in Stash, or plexsync sync {{0}}",
}


def _picture_notes(sight: Inspection) -> list[Note]:
    """The notes on pictures, which depend on the library of the item."""
    return [note for target in sight.targets for note in target.wanted.notes if note.field in PICTURES]


def _field_facts(target: Target, name: str) -> FieldFacts:
    wants, now, change = target.wanted.values, held(target.item, name), target.plan.edit.get(name)
    why = "undone" if undone(target.plan.memory) else reason(target.memory.get(name), wants.get(name))
    return {
        "field": name,
        "stash": wants.get(name),
        "plex": now.value,
        "locked": now.locked,
        "action": action(name, change, wants),
        "reason": why if change else "",
        "why": note_facts(note for note in target.plan.notes if note.field == name),
    }


def _rest(sight: Inspection, row: JobRow | None) -> str:
    """What keeps a scene that Stash has from being synced; '' if nothing does."""
    gone = isinstance(sight.outcome or sight.ends, Gone)
    if row and row.cls in (SKIPPED, NOT_SHOWN) and not gone:
        return f"{status_of(row.state, row.cls, '').word}: {row.error}"
    return RESTS.get(row.state, "").format(sight.id) if row and not gone else ""


def verdict(sight: Inspection) -> str:
    """One sentence on the scene's status."""
    match sight.outcome:
        case Gone():
            return f"Stash has no scene {sight.id}"
        case Absent(error=error) | Dead(error=error) | OutOfScope(error=error) | NotShown(error=error):
            return error
    if isinstance(sight.ends, Gone):
        return f"Stash has no scene {sight.id}; {_undone_words(sight)}"
    if sight.error is not None:
        what = f"its item {sight.key} can't be read" if sight.key else "it can't be looked at"
        return f"{what}: {sight.error}"
    changes = sum(len(target.plan.edit) for target in sight.targets)
    if sight.undone:
        return _undone_words(sight)
    if not changes:
        missing = dict.fromkeys(left_out_text(note.field, note.text) for note in _picture_notes(sight))
        words = in_sync_line(sight.kept_fields)
        return ", but ".join([words, "; ".join(missing)] if missing else [words])
    return f"{changes} {'field' if changes == 1 else 'fields'} would be changed"


def _undone_words(sight: Inspection) -> str:
    released = "released: its values were left in Plex"
    what = released if sight.undone == TakenBack.RELEASE else "undone: what was pushed is taken back"
    changes = sum(len(target.plan.edit) for target in sight.targets)
    if changes:
        return f"{what}; {changes} {'field is' if changes == 1 else 'fields are'} still to be changed"
    return f"{what}; it is left alone until you edit it in Stash, or plexsync redo {sight.id}"


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
