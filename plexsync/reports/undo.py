"""What undoing or releasing a scene would do, and the runs of pushes that it can take back, as facts."""

from typing import NotRequired, TypedDict

from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.undo import Redone
from plexsync.reports.rows import in_order
from plexsync.reports.shapes.values import FieldValue, Moment
from plexsync.rules.merge.plan_records import Change, Note
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import held_field
from plexsync.rules.words.status_words import BY_MARK, SceneStatus


class UndoField(TypedDict):
    """What undo would do to a field."""

    field: str
    action: str
    """`restore`, `remove`, `unlock`, `lock` or `leave`."""
    now: FieldValue
    locked: bool
    then: FieldValue
    then_locked: bool
    removes: list[str]
    """The names that it would remove from a list."""
    why: str
    """Why the field is left as it is, or empty."""


class UndoItem(TypedDict):
    """What undo would do to an item."""

    key: str
    """The rating key."""
    fields: list[UndoField]


class UndoFacts(TypedDict):
    """What undo would do to a scene."""

    id: int
    title: str | None
    items: list[UndoItem]
    error: str
    """Why it can't be shown now, or empty."""


class RedoFacts(TypedDict):
    """What a redo did: `plexsync redo 7`, `/api/scenes/7/redo`."""

    not_undone: NotRequired[list[int]]
    ignored: NotRequired[list[int]]
    gone: NotRequired[list[int]]
    """Scenes that Stash no longer has."""
    redone: int
    """Scenes whose undo has ended, and which are queued."""


class RunFacts(TypedDict("RunFacts", {"from": Moment | None})):
    """A run of pushes."""

    run: int
    until: Moment | None
    scenes: int


class UndoPreview(TypedDict):
    """What undo would do: `plexsync undo --all --dry-run`."""

    counts: dict[str, int]
    """`scenes`, `items`, and the number of fields by `action`."""
    scenes: list[UndoFacts]


class RunList(TypedDict):
    """All runs of pushes that are kept: `plexsync undo --runs`."""

    runs: list[RunFacts]


# Each action on a field, in the words of the summary.
DEEDS = {
    "restore": "values put back",
    "remove": "lists without the names that PlexSync added",
    "unlock": "locks taken off",
    "lock": "locks put back",
    "leave": "left as they are",
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


def undo_facts(inspection: Inspection) -> UndoFacts:
    """Every field of a scene's items that undo would change or leave to you; `error` says why it can't be shown now."""
    items: list[UndoItem] = []
    for target in inspection.targets:
        notes = {note.field: note for note in target.plan.notes}
        names = in_order((*target.plan.edit, *notes))
        if names:
            fields = [_field(target, name, notes.get(name)) for name in names]
            items.append({"key": target.item.key, "fields": fields})
    return {
        "id": inspection.id,
        "title": inspection.scene.title if inspection.scene else None,
        "items": items,
        "error": str(inspection.error) if inspection.error else str(getattr(inspection.outcome, "error", "")),
    }


def _field(target: Target, name: str, note: Note | None) -> UndoField:
    change, now = target.plan.edit.get(name), held_field(target.item, name)
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
