"""The review of a changed library: all planned changes in a file, your decisions, and the writing of what you approved."""

import json
from collections.abc import Callable
from dataclasses import asdict

from plexsync.app.parts import Parts
from plexsync.app.plan_file import PlanHead, head_now, why_untrue
from plexsync.flows.scenes.inspection import BATCH
from plexsync.flows.scenes.preview import Approved, ItemChange, Preview, approve, preview_scenes
from plexsync.rules.merge.approval import ApprovedScene, FieldChange, change_document, scene_in
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.review_file import (
    APPROVED,
    QUEUED,
    REFUSED,
    ChangeFilter,
    ReviewedScene,
    ReviewFile,
    ReviewWriter,
)

# From so many scenes on, they go behind all edits.
CROWD = 100
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
    head = head_now(parts)
    with parts.store.reading() as db:
        libraries = {row.key: row.title for row in db.sections.all()}
    writer, complete = ReviewWriter(parts.folder), False
    try:
        for preview in preview_scenes(parts.inspector, progress=progress, stopping=stopping):
            count(preview)
            if preview.items:
                document = json.dumps({"id": preview.id, "items": [_item(item) for item in preview.items]})
                changes = [
                    {
                        "item": item.key,
                        "field": change.field,
                        "kind": kind_of_change(change),
                        "library": libraries.get(item.section, ""),
                        "studio": preview.studio,
                    }
                    for item in preview.items
                    for change in item.fields
                ]
                writer.add(preview.id, preview.title, document, changes)
        complete = not stopping()
    finally:
        facts = {**asdict(head), "take_over": "", "at": str(parts.clock.now())}
        writer.close({name: str(value) for name, value in facts.items()} if complete else None)
    return complete


def write_approved(parts: Parts, progress: Progress, stopping: Callable[[], bool]) -> Approved:
    """Queue the scenes with approved changes for these. Raises Unusable if the review is no longer true as a whole."""
    review, result = ReviewFile(parts.folder), Approved()
    head = review.head()
    reason = why_untrue(
        PlanHead(head.get("plex", ""), head.get("stash", ""), head.get("settings", "")), head_now(parts)
    )
    if reason:
        raise Unusable(f"the review is no longer true: {reason}. Start a new one")
    total, done, last = review.count_scenes(APPROVED), 0, 0
    while not stopping() and (page := review.page(APPROVED, ChangeFilter(), after=last, limit=BATCH)):
        batch = Approved()
        scenes = [approved_scene(scene) for scene in page]
        approve(parts.inspector, scenes, batch, behind=total > CROWD)
        settled = [*batch.queued, *batch.done]
        review.end(
            [(id, QUEUED, "") for id in settled] + [(id, REFUSED, reason) for id, reason in batch.refused.items()]
        )
        result.queued += batch.queued
        result.done += batch.done
        result.changes += batch.changes
        result.refused |= batch.refused
        last, done = page[-1].id, done + len(page)
        progress(done, max(done, total))
    return result


def planned_changes(scene: ReviewedScene) -> dict[tuple[str, str], FieldChange]:
    """The changes of a scene by (rating key, field), with their values."""
    items = scene_in(json.loads(scene.document)).items
    return {(key, name): change for key, fields in items.items() for name, change in fields.items()}


def approved_scene(scene: ReviewedScene) -> ApprovedScene:
    """The scene with the changes that you approved."""
    items: dict[str, dict[str, FieldChange]] = {}
    changes = planned_changes(scene)
    for decided in scene.changes:
        if decided.decision == APPROVED:
            items.setdefault(decided.item, {})[decided.field] = changes[decided.item, decided.field]
    return ApprovedScene(scene.id, items)


def _item(item: ItemChange) -> dict[str, object]:
    return {"key": item.key, "fields": [change_document(change) for change in item.fields]}
