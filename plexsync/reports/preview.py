"""What a sync would change, as facts."""

from plexsync.flows.scenes.preview import Preview
from plexsync.reports.shapes.comparisons import ChangeFacts, ItemFacts, PreviewFacts, PreviewReason
from plexsync.reports.shapes.scenes import NoteFacts
from plexsync.rules.approval import FieldChange


def scene_facts(preview: Preview) -> PreviewFacts:
    """A scene for JSON."""
    items: list[ItemFacts] = [
        {"key": item.key, "section": item.section, "fields": [change_facts(change) for change in item.fields]}
        for item in preview.items
    ]
    notes: list[NoteFacts] = [{"field": note.field, "reason": note.reason, "text": note.text} for note in preview.notes]
    reason: PreviewReason = {"why": preview.reason} if preview.reason else {}
    return {
        "id": preview.id,
        "title": preview.title,
        "standing": preview.standing,
        **reason,
        "items": items,
        "notes": notes,
    }


def change_facts(change: FieldChange) -> ChangeFacts:
    """A change for JSON."""
    return {
        "field": change.field,
        "old": change.old.value,
        "new": change.new.value,
        "adds": list(change.adds),
        "removes": list(change.removes),
        "was_locked": change.old.locked,
        "locked": change.new.locked,
    }
