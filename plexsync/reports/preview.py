"""What a sync would change, as facts."""

from typing import Any

from plexsync.flows.scenes.preview import FieldChange, Preview


def scene_facts(one: Preview) -> dict[str, Any]:
    """A scene for JSON."""
    return {
        "id": one.id,
        "title": one.title,
        "standing": one.standing,
        **({"why": one.reason} if one.reason else {}),
        "items": [
            {"key": item.key, "section": item.section, "fields": [_field_facts(change) for change in item.fields]}
            for item in one.items
        ],
        "notes": [{"field": note.field, "reason": note.reason, "text": note.text} for note in one.notes],
    }


def _field_facts(change: FieldChange) -> dict[str, Any]:
    return {
        "field": change.field,
        "old": change.old.value,
        "new": change.new.value,
        "adds": list(change.adds),
        "removes": list(change.removes),
        "was_locked": change.old.locked,
        "locked": change.new.locked,
    }
