"""The change that a plan would make to one field: its value and lock before and after."""

from plexsync.rules.merge.plan_records import Change
from plexsync.rules.merge.values import Held
from plexsync.rules.record_class import record


@record
class FieldChange:
    """The change of one field. `adds` and `removes` are the names that a list would gain and lose."""

    field: str
    old: Held
    new: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


def field_change(name: str, now: Held, change: Change) -> FieldChange:
    """A planned change of a field that has this value now."""
    value = now.value if change.value is None else change.value
    locked = now.locked if change.lock is None else change.lock
    return FieldChange(name, now, Held(value, locked), change.adds, change.removes)


def change_document(change: FieldChange) -> dict[str, object]:
    """A change as it is written as JSON."""
    return {
        "field": change.field,
        "old": change.old.value,
        "new": change.new.value,
        "adds": list(change.adds),
        "removes": list(change.removes),
        "was_locked": change.old.locked,
        "locked": change.new.locked,
    }
