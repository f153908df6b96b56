"""Queues the collections of inspected scenes: those that are new, not found yet, or may stand in another order."""

from collections.abc import Sequence

from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.rules.collections import CollectionObject, NewCollection, objects_of
from plexsync.rules.desired import Profile
from plexsync.rules.job import COLLECTION, Why
from plexsync.rules.records import SectionRow
from plexsync.rules.renamed_collections import FIELD
from plexsync.rules.scene import Scene
from plexsync.rules.text import fold
from plexsync.store.database import Writer


def observe_worked(tx: Writer, sights: Sequence[Inspection], now: int) -> None:
    """Queue the collections of scenes that the worker inspected: their place in a group may be another one."""
    _observe(tx, sights, now, are_edited=True)


def observe_compared(tx: Writer, sights: Sequence[Inspection], now: int) -> None:
    """Queue the collections of scenes that were compared: new ones, and those whose members change.

    Those that wait for their first scene are found by the comparison of collections.
    """
    _observe(tx, sights, now, are_edited=False)


def _observe(tx: Writer, sights: Sequence[Inspection], now: int, *, are_edited: bool) -> None:
    dressed = [
        (sight.scene, target)
        for sight in sights
        if sight.scene and not sight.undone
        for target in sight.targets
        if FIELD in target.profile.fields and target.profile.dressing.is_on
    ]
    if not dressed:
        return
    sections = {section.key: section for section in tx.sections.all()}
    wanted: dict[tuple[CollectionObject, str], NewCollection] = {}
    named: set[tuple[CollectionObject, str]] = set()
    sorted_groups: set[tuple[CollectionObject, str]] = set()
    for scene, target in dressed:
        library = _library(sections, target)
        for entry in _new(scene, target.profile, library, target.item.section):
            wanted.setdefault((entry.object, library), entry)
            if are_edited or FIELD in target.plan.edit:
                named.add((entry.object, library))
            if _may_move(entry.object, target, is_edited=are_edited):
                sorted_groups.add((entry.object, library))
    rows = {
        (row.object, row.library): row
        for some in tx.collections.of_objects(entry.object for entry in wanted.values()).values()
        for row in some
    }
    if missing := [entry for pair, entry in wanted.items() if pair not in rows]:
        inserted = tx.collections.ensure(missing)
        rows |= {(row.object, row.library): row for some in inserted.values() for row in some}
        named |= {(entry.object, entry.library) for entry in missing}
    for pair, entry in wanted.items():
        row = rows[pair]
        is_elsewhere = row.owner == "foreign" and fold(row.name) != fold(entry.name)
        if (pair in named and (not row.item or is_elsewhere)) or pair in sorted_groups:
            tx.jobs.want(COLLECTION, row.id, Why.SWEEP, now)


def _new(scene: Scene, profile: Profile, library: str, section: str) -> list[NewCollection]:
    """The collections of a scene, without those of objects that an import is about to create."""
    objects = [named for named in objects_of(scene, profile) if named.object.id]
    return [NewCollection(named.object, library, section, named.name) for named in objects]


def _library(sections: dict[str, SectionRow], target: Target) -> str:
    section = sections.get(target.item.section)
    return target.item.library or (section.uuid if section else "")


def _may_move(object: CollectionObject, target: Target, *, is_edited: bool) -> bool:
    """Whether the members of a group that is kept in order may stand otherwise than before."""
    is_ordered = object.source == "group" and "order" in target.profile.dressing.parts
    return is_ordered and (is_edited or FIELD in target.plan.edit)
