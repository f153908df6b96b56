"""The collections of a scene, as facts."""

from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.reports.collections import collection_rows
from plexsync.reports.shapes.scenes import SceneCollection
from plexsync.rules.collections import CollectionObject, objects_of
from plexsync.store.database import Reader


def collections_of_scene(db: Reader, sight: Inspection) -> list[SceneCollection]:
    """The collections that PlexSync knows of the objects of an inspected scene, in the libraries of its items."""
    sections = {row.key: row.uuid for row in db.sections.all()}
    wanted: dict[tuple[CollectionObject, str], None] = {}
    if sight.scene is None:
        return []
    for target in sight.targets:
        library = target.item.library or sections.get(target.item.section, "")
        wanted |= {(named.object, library): None for named in objects_of(sight.scene, target.profile)}
    by_object = db.collections.of_objects(object for object, _ in wanted)
    ids = [row.id for object, library in wanted for row in by_object.get(object, ()) if row.library == library]
    rows = db.collections.of(ids)
    return [
        {
            "id": facts["id"],
            "name": facts["name"],
            "source": facts["source"],
            "library": facts["library"],
            "stands": facts["stands"],
        }
        for facts in collection_rows(db, [rows[id] for id in ids])
    ]
