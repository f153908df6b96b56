"""The values that Plex should show for a collection: its texts and settings, from its object in Stash and the dressing.

`objects_of` in `plexsync.rules.collections.collections` makes the names that scenes carry; this is all that the
collection itself shows.
"""

from dataclasses import replace

from plexsync.rules.collections.collection_order import ORDER
from plexsync.rules.collections.collection_servers import CollectionSource
from plexsync.rules.collections.collections import (
    ORGANIZED,
    PLACES,
    CollectionObject,
    Dressing,
    Mode,
    NamedObject,
    ObjectText,
    Place,
)
from plexsync.rules.merge.desired import Profile, Wanted, within
from plexsync.rules.merge.plan_records import Note
from plexsync.rules.merge.values import Value
from plexsync.rules.words.text import SUMMARY_LIMIT, clean_block

# The value of `collectionMode` in Plex for each mode; '' is that of the library.
MODES: dict[Mode, str] = {"library": "", "hidden": "0", "items_hidden": "1", "shown": "2"}
# Under which words of the setting `collections` each source is on. Tags have a setting of their own.
_WORDS = {
    "studio": {"studio", "parents"},
    "group": {"groups"},
    "performer": {"performers"},
    "rating": {"rating"},
    "organized": {"organized"},
}


def texts_of(object: CollectionObject, source: CollectionSource) -> ObjectText:
    """The texts that the templates of an object can use."""
    if object.source == "rating":
        return ObjectText(f"Rated {object.id}")
    if object == CollectionObject("organized", ORGANIZED):
        return ObjectText("Organized")
    return ObjectText(source.name, source.parent, source.disambiguation)


def name_object(object: CollectionObject, source: CollectionSource, dressing: Dressing) -> NamedObject:
    """The object with the name that its template makes."""
    return dressing.name_of(object, texts_of(object, source))


def scenes_of(source: CollectionSource, profile: Profile) -> int:
    """How many scenes in Stash are in the object's collection."""
    with_those_below = {"studio": "parents" in profile.collections, "tag": profile.tag_parents}
    return source.scenes_below if with_those_below.get(source.source) else source.scenes


def has_collection(object: CollectionObject, source: CollectionSource, profile: Profile) -> bool:
    """Whether the object is to have a collection: its source is on, and it has scenes enough."""
    if object.source == "tag":
        is_on = bool(profile.tag_collections) and not profile.tag_collections.leave_out(source.name)
    else:
        is_on = bool(profile.collections & _WORDS[object.source])
    return is_on and scenes_of(source, profile) >= profile.dressing.minimum


def collection_values(object: CollectionObject, source: CollectionSource, dressing: Dressing) -> Wanted:
    """The texts and settings that the collection should have; without order and pictures, which need more to be read."""
    values: dict[str, Value] = {}
    notes: list[Note] = []
    name = name_object(object, source, dressing).name
    if "name" in dressing.parts and name:
        values["title"] = name
    if object.source in dressing.sorts:
        values["titleSort"] = dressing.sort_title_of(object, texts_of(object, source))
    if "summary" in dressing.parts:
        values["summary"] = within("summary", clean_block(source.summary), SUMMARY_LIMIT, notes)
    if dressing.mode:
        values["collectionMode"] = MODES[dressing.mode]
    if dressing.home:
        values["home"] = home_text(dressing.places if dressing.home.choose(name) else frozenset())
    return Wanted(values, tuple(notes))


def with_order(wanted: Wanted, order: str) -> Wanted:
    """The desired values with the order of the members."""
    return replace(wanted, values={**wanted.values, ORDER: order})


def home_text(places: "frozenset[Place] | frozenset[str]") -> str:
    """Places of Plex's home as the value of the field `home`."""
    return ",".join(place for place in PLACES if place in places)
