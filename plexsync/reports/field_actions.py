"""What a sync would do to a field of an item or a part of a collection, and why, in words."""

from collections.abc import Mapping

from plexsync.rules.plan_records import Change, Remembered
from plexsync.rules.values import Value


def action(name: str, change: Change | None, wants: Mapping[str, Value]) -> str:
    """What a sync would do to a field."""
    if change is None:
        if name not in wants:
            return "nothing (switched off)"
        return "nothing" if wants[name] else "nothing (empty in Stash)"
    lock = {True: "lock", False: "unlock", None: ""}[change.lock]
    added = [f"add {', '.join(change.adds)}"] if change.adds else []
    removed = [f"remove {', '.join(change.removes)}"] if change.removes else []
    if added or removed:
        return "; ".join([*added, *removed])
    if change.value is None or (isinstance(change.value, tuple) and lock):
        return lock or "nothing"
    return "write" if change.value else "empty"


def reason(remembered: Remembered | None, wants: Value | None) -> str:
    """Why a sync would change a field, judged by its remembered values."""
    if remembered is None:
        return "first push"
    return "changed in Stash" if remembered.said != wants else "not as it was left in Plex"
