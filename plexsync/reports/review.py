"""The review of all planned changes, as facts."""

from plexsync.app.review import planned_changes
from plexsync.reports.format import stamp
from plexsync.reports.preview import change_facts
from plexsync.reports.shapes.review import ReviewChange, ReviewReport, ReviewScene
from plexsync.store.review_file import ChangeFilter, ReviewedScene, ReviewFile


def review_facts(file: ReviewFile, decision: str, wanted: ChangeFilter, *, after: int, limit: int) -> ReviewReport:
    """A page of the scenes above `after` that have a change with this decision and filter."""
    scenes, head = file.page(decision, wanted, after=after, limit=limit + 1), file.head()
    return {
        "at": stamp(int(head["at"])) if head else None,
        "changes": file.counts(),
        "kinds": [
            {"field": field, "kind": kind, "changes": count}
            for field, kind, count in sorted(file.groups(decision, wanted))
        ],
        "libraries": file.names("library"),
        "studios": file.names("studio"),
        "scenes": [_scene_facts(scene) for scene in scenes[:limit]],
        "after": scenes[limit - 1].id if len(scenes) > limit else None,
    }


def _scene_facts(scene: ReviewedScene) -> ReviewScene:
    planned = planned_changes(scene)
    changes: list[ReviewChange] = [
        {
            **change_facts(planned[row.item, row.field]),
            "kind": row.kind,
            "item": row.item,
            "library": row.library,
            "decision": row.decision,
        }
        for row in scene.changes
        if (row.item, row.field) in planned
    ]
    return {"id": scene.id, "title": scene.title, "reason": scene.reason, "changes": changes}
