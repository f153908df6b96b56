"""Whether a bound item is still the one that you bound to its scene.

An item keeps its key when its file is moved. But after a restore of Plex's database the same key may be another item's,
and that can have a file of the same name. So an item whose file is at another place than when it was bound, and not at
the scene's, is another one if a different item has the file of then, or if its file is at the place of another scene.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from plexsync.rules.grades import Grade, claimant_of, grade_of, places
from plexsync.rules.item import Entry, Item, Part
from plexsync.rules.match_records import Binding, Offer
from plexsync.rules.origin import SceneOrigin, scene_origin
from plexsync.rules.paths import name_key, path_key
from plexsync.rules.scene import Scene


def is_where_bound(binding: Binding, parts: Iterable[Part]) -> bool:
    """Whether one of these files is where the bound item had one. True if that is unknown."""
    then = {path_key(path) for path in binding.files}
    return not then or any(path_key(part.path) in then for part in parts)


def moved_items(offer: Offer) -> list[Entry]:
    """The bound items of which no file is where it was, and none at a place of the scene."""
    bound, own = {binding.key: binding for binding in offer.bound}, places(offer.scene, offer.rules)
    return [
        entry
        for entry in offer.entries
        if entry.key in bound
        and not is_where_bound(bound[entry.key], entry.parts)
        and not any(path_key(part.path) in own for part in entry.parts)
    ]


def is_lost(binding: Binding, moved: Collection[Entry], offer: Offer) -> bool:
    """Whether one of the moved items is the one of this binding, and another one than when it was bound."""
    now = next((entry for entry in moved if entry.key == binding.key), None)
    if now is None:
        return False
    if any(is_where_bound(binding, entry.parts) for entry in offer.entries if entry.key != binding.key):
        return True
    rivals = [claimant_of(scene, offer.rules) for scene in offer.rivals or () if scene.id != offer.scene.id]
    return any(grade_of(rival, part, offer.rules, "size") is Grade.EXACT for rival in rivals for part in now.parts)


def renewed(binding: Binding, origin: SceneOrigin, items: Mapping[str, Item]) -> Binding:
    """The binding after it was applied: it remembers the scene as it is now, and where a moved item is now."""
    item = items.get(binding.key)
    if item is None or is_where_bound(binding, item.parts):
        return replace(binding, origin=origin)
    return replace(binding, origin=origin, files=tuple(part.path for part in item.parts))


def untenable(binding: Binding, scene: Scene, item: Item | None, sections: Iterable[str]) -> str:
    """Why a bound item can't be written to for the scene, as the end of "item 7 ..."; '' if it can.

    After a restore of Plex's database, or with another Plex, the same keys name other items. So one of the item's files
    must be among those at the time of the binding, or have the name of a file of the scene. After a rebuild of Stash the
    same ids mean other scenes.
    """
    if not binding.origin.agrees(scene_origin(scene)):
        return f"was bound to another scene, which had the id {scene.id} then"
    if item is None:
        return "is not in Plex (any more)"
    if item.section not in sections:
        return "is in none of the synced libraries"
    file_names = {name_key(path) for path in (*binding.files, *(file.path for file in scene.files))}
    if binding.is_lost or not file_names & {name_key(part.path) for part in item.parts}:
        return "has quite other files than when it was bound"
    return ""
