"""The review of a changed library: all planned changes in a file, without the scenes that you ignore."""

import json
from collections.abc import Callable

from plexsync.app.parts import Parts
from plexsync.engine.watching import pages_of
from plexsync.flows.scenes.preview import Preview, preview_scenes
from plexsync.rules.merge.field_change import FieldChange, change_document
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.files.review_file import ReviewFile, ReviewWriter

PAGE = 500
Count = Callable[[Preview], None]
Progress = Callable[[int, int], None]


def kind_of_change(change: FieldChange) -> str:
    """What a change does: `added`, `replaced`, `removed`, or `locked` if only the lock changes."""
    if change.adds or change.removes:
        return "replaced" if change.adds and change.removes else "added" if change.adds else "removed"
    if change.old.value == change.new.value:
        return "locked"
    return "added" if not change.old.value else "replaced" if change.new.value else "removed"


def make_review(parts: Parts, count: Count, progress: Progress, stopping: Callable[[], bool]) -> bool:
    """Preview all scenes into a new review, which replaces the one before; False if it was stopped.

    Raises NeighbourError.
    """
    with parts.store.reading() as db:
        libraries = {row.key: row.title for row in db.sections.all()}
    writer, settings, complete = ReviewWriter(parts.folder), parts.settings.wishes, False
    try:
        for preview in preview_scenes(parts.inspector, progress=progress, stopping=stopping):
            count(preview)
            if preview.items:
                changes = [
                    {
                        "item": item.key,
                        "field": change.field,
                        "kind": kind_of_change(change),
                        "library": libraries.get(item.section, ""),
                        "studio": preview.studio,
                        "document": json.dumps(change_document(change)),
                    }
                    for item in preview.items
                    for change in item.fields
                ]
                writer.add(preview.id, preview.title, changes)
        complete = not stopping()
    finally:
        writer.close({"settings": settings, "at": str(parts.clock.now())} if complete else None)
    return complete


def present_review(parts: Parts) -> ReviewFile:
    """The review without the scenes that you ignore by now."""
    review = ReviewFile(parts.folder)
    pages = pages_of(parts.store, lambda db, last: db.standings.scenes(SceneStatus.IGNORED, limit=PAGE, after=last), 0)
    review.leave_out([id for page in pages for id in page])
    return review


def is_outdated(parts: Parts) -> bool:
    """Whether the settings that decide what Plex shows have changed since the review was made."""
    return ReviewFile(parts.folder).head().get("settings", parts.settings.wishes) != parts.settings.wishes
