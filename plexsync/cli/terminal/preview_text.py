"""A previewed scene as lines of text."""

from collections.abc import Iterator

from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview
from plexsync.reports.format import safe
from plexsync.reports.rows import on_screen, short
from plexsync.rules.approval import FieldChange
from plexsync.rules.item import PICTURES
from plexsync.rules.values import Held


def scene_lines(preview: Preview) -> Iterator[str]:
    """A scene as text: one line for each field that would change, and for each note."""
    name = f"Scene {preview.id}: {safe(preview.title, 120)}" if preview.title else f"Scene {preview.id}"
    if preview.standing != WOULD_CHANGE:
        yield f"{name}: {preview.word}{f' ({safe(preview.reason)})' if preview.reason else ''}"
        return
    for item in preview.items:
        yield f"{name} (item {item.key})"
        for change in item.fields:
            yield f"  {short(change.field)}: {'; '.join(_change_words(change))}"
    for note in preview.notes:
        yield f"  {short(note.field)} ({note.reason}): {safe(note.text)}"


def _change_words(change: FieldChange) -> Iterator[str]:
    if isinstance(change.new.value, tuple):
        if change.adds:
            yield f"add {safe(', '.join(change.adds))}"
        if change.removes:
            yield f"remove {safe(', '.join(change.removes))}"
    elif change.new.value != change.old.value:
        old, new = single_values(change)
        yield f"{safe(old, 120) or '(empty)'} -> {safe(new, 120) or '(empty)'}"
    if lock := lock_change(change.old, change.new):
        yield lock


def single_values(change: FieldChange) -> tuple[str, str]:
    """A single value before and after; for a picture its source, since its key is not readable."""
    old, new = str(change.old.value), str(change.new.value)
    if change.field not in PICTURES:
        return on_screen(old, change.field), on_screen(new, change.field)
    return (
        old and "the picture in Plex",
        "" if not new else "the picture in Stash" if new != old else "the picture in Plex",
    )


def lock_change(old: Held, new: Held) -> str:
    """`lock`, `unlock`, or '' if the lock does not change."""
    return "" if old.locked == new.locked else "lock" if new.locked else "unlock"
