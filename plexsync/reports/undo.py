"""What undoing or releasing a scene would do, as facts."""

from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.undo import Redone
from plexsync.reports.rows import in_order
from plexsync.reports.shapes.undo import RedoFacts, UndoFacts, UndoField, UndoItem
from plexsync.rules.plan_records import Change, Note
from plexsync.rules.status_words import BY_MARK, SceneStatus
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.values import held

# Each action on a field, in the words of the summary.
DEEDS = {
    "restore": "values put back",
    "remove": "lists without the names that PlexSync added",
    "unlock": "locks taken off",
    "lock": "locks put back",
    "leave": "left as a person has changed them",
}


def rests(scene: int, mode: TakenBack) -> str:
    """The sentence for an undone scene to which nothing is written now, with what ends that."""
    return f"Scene {scene} is {_word(mode)}: nothing is written until you edit it in Stash, or plexsync redo {scene}"


def not_queued(scene: int, mode: TakenBack) -> str:
    """The sentence for an undone scene that is not queued because of that."""
    ends = f"an edit in Stash ends that by itself, plexsync redo {scene} at once"
    return f"Scene {scene} is {_word(mode)}, so it was not queued: {ends}"


def _word(mode: TakenBack) -> str:
    return BY_MARK.get(mode, SceneStatus.UNDONE).word


def redo_facts(redone: Redone) -> RedoFacts:
    """The scenes whose undo has ended, and those that were left alone, for JSON."""
    facts: RedoFacts = {"redone": len(redone.scenes)}
    if redone.not_undone:
        facts["not_undone"] = redone.not_undone
    if redone.ignored:
        facts["ignored"] = redone.ignored
    if redone.gone:
        facts["gone"] = redone.gone
    return facts


def undo_facts(sight: Inspection) -> UndoFacts:
    """Every field of a scene's items that undo would change or leave to you; `error` says why it can't be shown now."""
    return {
        "id": sight.id,
        "title": sight.scene.title if sight.scene else None,
        "items": [facts for target in sight.targets if (facts := _item(target))["fields"]],
        "error": _error(sight),
    }


def _error(sight: Inspection) -> str:
    """Why the scene can't be inspected now, or ''."""
    if sight.error is not None:
        return str(sight.error)
    return "" if sight.outcome is None else str(getattr(sight.outcome, "error", ""))


def _item(target: Target) -> UndoItem:
    """What undo would do to one item."""
    notes = {note.field: note for note in target.plan.notes}
    fields = [
        _field(target, name, target.plan.edit.get(name), notes.get(name))
        for name in in_order((*target.plan.edit, *notes))
    ]
    return {"key": target.item.key, "fields": fields}


def _field(target: Target, name: str, change: Change | None, note: Note | None) -> UndoField:
    now = held(target.item, name)
    after = target.plan.sending[name].sent if change else now
    return {
        "field": name,
        "action": _action(change),
        "now": now.value,
        "locked": now.locked,
        "then": after.value,
        "then_locked": after.locked,
        "removes": list(change.removes) if change else [],
        "why": note.text if note else "",
    }


def _action(change: Change | None) -> str:
    """The key in `DEEDS`."""
    if change is None:
        return "leave"
    if change.removes:
        return "remove"
    if change.value is not None:
        return "restore"
    return "lock" if change.lock else "unlock"
