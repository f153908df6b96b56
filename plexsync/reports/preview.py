"""What a sync would change, as facts and in words."""

from typing import Any

from plexsync.flows.scenes.preview import WOULD_CHANGE, FieldChange, Preview

# The words for each standing, in the order in which they are told; the first six always.
STANDINGS = {
    "in_step": "in step",
    WOULD_CHANGE: "would change",
    "absent": "not in Plex (yet)",
    "ambiguous": "ambiguous",
    "out_of_scope": "out of scope",
    "failed": "could not be compared",
    "kept_for_a_person": "in step but for values that a person keeps in Plex",
    "undone": "undone, and left alone until they change in Stash",
    "strict": "refused by strict_mode",
    "given_up": "given up before (plexsync dlq list)",
    "dropped": "dropped before",
    "ignored": "ignored",
    "gone": "not in Stash",
}


def scene_facts(one: Preview) -> dict[str, Any]:
    """A scene for JSON."""
    return {
        "id": one.id,
        "title": one.title,
        "standing": one.standing,
        **({"why": one.why} if one.why else {}),
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
