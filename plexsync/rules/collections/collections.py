"""Collections: the objects in Stash that have one in Plex, their names, and what is remembered about each.

A collection appears in Plex when the first item carries its name, so scenes carry the names and Plex makes the
collections. An object has one collection in each library. Its name is made by the template of its source until the
collection is known; from then on scenes carry the title that the collection has in Plex.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from plexsync.rules.merge import template
from plexsync.rules.merge.choice import Patterns
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.plan_records import Memory, Pushing
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.template import Template
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.words.text import NAME_LIMIT, clean_line, cut

# What a collection can be of, in the order in which a scene carries the names. Parent studios are studios.
Source = Literal["studio", "group", "tag", "performer", "rating", "organized", "playlist"]
SOURCES: tuple[Source, ...] = ("studio", "group", "tag", "performer", "rating", "organized", "playlist")
# The words of the setting `collections`. Tags are chosen by a setting of their own.
COLLECTIONS = ("studio", "parents", "groups", "performers", "rating", "organized")
# The sources by the words of the settings that give each source a template.
TEMPLATE_SOURCES: Mapping[str, Source] = {
    "studio": "studio",
    "groups": "group",
    "tags": "tag",
    "performers": "performer",
    "rating": "rating",
    "organized": "organized",
}
# The names that a template can use. One that a source has no value for is empty.
TEMPLATE_NAMES = frozenset({"name", "parent", "disambiguation", "rating", "stars"})
PLAIN = template.parse_template("{name}", TEMPLATE_NAMES)
# What PlexSync can dress. Without any, collections are left as Plex makes them.
Part = Literal["name", "summary", "poster", "background", "order"]
PARTS: tuple[Part, ...] = ("name", "summary", "poster", "background", "order")
# How a library shows a collection and its items; '' leaves it alone.
Mode = Literal["", "library", "hidden", "items_hidden", "shown"]
Place = Literal["recommended", "home", "shared"]
PLACES: tuple[Place, ...] = ("recommended", "home", "shared")
DEFAULT_PLACES: frozenset[Place] = frozenset({"recommended", "home"})
NO_NAMES = Patterns()
ORGANIZED = 1
MOST_TENTHS = 10

# Whose a collection is: not known yet, made by PlexSync's names, someone else's, or handed over to PlexSync by you.
Owner = Literal["", "ours", "foreign", "handed"]
OWNERS: tuple[Owner, ...] = ("", "ours", "foreign", "handed")


@record
class CollectionObject:
    """An object in Stash that can have a collection: a studio, group, tag or performer by its id.

    The id of a rating is its tenths, 1 to 10; the id of `organized` is 1.
    """

    source: Source
    id: int


@record
class ObjectText:
    """The texts of an object that its templates can use, as Stash has them."""

    name: str = ""
    parent: str = ""
    disambiguation: str = ""


@record
class NamedObject:
    """An object with the name that its template makes, in full."""

    object: CollectionObject
    full_name: str

    @property
    def name(self) -> str:
        """The name as Plex can have it."""
        return cut(self.full_name, NAME_LIMIT)


@record
class Dressing:
    """How the collections of a library are named and dressed.

    `names` and `sorts` hold the templates of names and sort titles by source; a source without one has its plain name,
    and no sort title. An object with fewer than `minimum` scenes has no collection. `home` chooses, by name, the
    collections that are shown in `places`. `carried` are the names that scenes carry instead of those of the templates, by
    object: '' for none.
    """

    parts: frozenset[Part] = frozenset()
    names: Mapping[Source, Template] = field(default_factory=dict)
    sorts: Mapping[Source, Template] = field(default_factory=dict)
    minimum: int = 1
    mode: Mode = ""
    home: Patterns = NO_NAMES
    places: frozenset[Place] = DEFAULT_PLACES
    carried: Mapping[CollectionObject, str] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether PlexSync changes anything about collections besides their members."""
        return bool(self.parts or self.sorts or self.mode or self.home)

    @property
    def asks_names(self) -> bool:
        """Whether the names of a scene's collections depend on more than the scene."""
        return "name" in self.parts or self.minimum > 1

    def name_of(self, object: CollectionObject, text: ObjectText) -> NamedObject:
        """The object with the name that it carries, or else that its template makes: none if the object has no name."""
        if object in self.carried:
            return NamedObject(object, self.carried[object])
        return NamedObject(object, _fill_template(self.names.get(object.source, PLAIN), object, text))

    def sort_title_of(self, object: CollectionObject, text: ObjectText) -> str:
        """The sort title of the object's collection; '' leaves it to Plex."""
        sort = self.sorts.get(object.source)
        return cut(_fill_template(sort, object, text), NAME_LIMIT) if sort else ""


@dataclass(frozen=True, kw_only=True)
class CollectionChoice:
    """The rules of a library that choose the collections of a scene.

    `collections` has words of `COLLECTIONS`. `tag_collections` chooses among the tags, and `tag_parents` adds the parents of
    each chosen one. `dressing` says how the collections are named and dressed.
    """

    collections: frozenset[str] = frozenset({"studio", "groups"})
    tag_collections: Patterns = NO_NAMES
    tag_parents: bool = False
    dressing: Dressing = field(default_factory=Dressing)


# --- what is remembered ----------------------------------------------------------------------------------------------


@record
class KnownCollection:
    """The collection of an object in a library, given by its uuid and its key. `id` is that of its job, too; 0 if it is new.

    `name`: the title in Plex when last read; until the collection was found, the name that scenes are given. `item`: its
    rating key, '' while it was not found. `scenes`: the number of the object's scenes in Stash, -1 if unknown.
    """

    id: int
    object: CollectionObject
    library: str
    section: str
    name: str
    item: str = ""
    owner: Owner = ""
    scenes: int = -1


@record
class CollectionRow(KnownCollection):
    """Everything that is remembered about a collection.

    `standing` is how it stood when last inspected, since `standing_at` (UTC ms). `memory` and `pushing` are as for items,
    by part. `desired`, `object_at` and `stamp`: the digest of the desired values, Stash's time of the object's last change,
    and the collection's stamp, when it was last in sync.
    """

    standing: str = ""
    standing_at: int = 0
    memory: Memory = field(default_factory=dict)
    pushing: tuple[Pushing, ...] = ()
    desired: str = ""
    object_at: str = ""
    stamp: int = 0

    @property
    def undone(self) -> TakenBack:
        """How it was taken back, by its memory."""
        return undo_mode(self.memory)


def first_of(rows: Iterable[CollectionRow], item: str) -> CollectionRow:
    """The one of these rows that dresses the collection that they share: one that has begun there, then by source and id."""

    def place(row: CollectionRow) -> tuple[bool, int, int]:
        has_begun = row.item == item and bool(row.memory or row.pushing)
        return not has_begun, SOURCES.index(row.object.source), row.object.id

    return min(rows, key=place)


# --- the collections of a scene --------------------------------------------------------------------------------------


def objects_of(scene: Scene, choice: CollectionChoice) -> list[NamedObject]:
    """The objects whose collections a scene is in, in the order of the names; an object may occur twice.

    Objects without a name are left out.
    """
    named = (choice.dressing.name_of(object, text) for object, text in _choose_objects(scene, choice))
    return [entry for entry in named if entry.full_name]


def _choose_objects(scene: Scene, choice: CollectionChoice) -> Iterator[tuple[CollectionObject, ObjectText]]:
    if "studio" in choice.collections and scene.studio:
        yield CollectionObject("studio", scene.studio_id), ObjectText(scene.studio, next(iter(scene.parents), ""))
    if "parents" in choice.collections:
        above = (*scene.parents[1:], "")
        for (id, name), parent in zip(_with_ids(scene.parent_ids, scene.parents), above, strict=False):
            yield CollectionObject("studio", id), ObjectText(name, parent)
    if "groups" in choice.collections and scene.groups:
        for id, name in _with_ids(scene.group_ids, scene.groups):
            yield CollectionObject("group", id), ObjectText(name)
    if choice.tag_collections.chosen or choice.tag_collections.left_out:
        for id, name in chosen_tags(scene, choice.tag_collections, parents=choice.tag_parents):
            yield CollectionObject("tag", id), ObjectText(name)
    if "performers" in choice.collections:
        people = {performer.id: performer.disambiguation for performer in scene.people}
        for id, name in _with_ids(scene.performer_ids, scene.performers):
            yield CollectionObject("performer", id), ObjectText(name, disambiguation=people.get(id, ""))
    if "rating" in choice.collections and (tenths := rating_tenths(scene.rating100)):
        yield CollectionObject("rating", tenths), ObjectText(f"Rated {tenths}")
    if "organized" in choice.collections and scene.organized:
        yield CollectionObject("organized", ORGANIZED), ObjectText("Organized")


def chosen_tags(scene: Scene, chosen: Patterns, *, parents: bool) -> list[tuple[int, str]]:
    """The chosen tags by id and name, and after each, with `parents`, its parents that are not excluded by name."""
    if not chosen:
        return []
    tags: list[tuple[int, str]] = []
    ids_above, names_above = iter(scene.tag_ids_above), iter(scene.tags_above)
    for id, name in _with_ids(scene.tag_ids, scene.tags):
        above = next(names_above, ())
        over = _with_ids(next(ids_above, ()), above)
        if chosen.choose(name, above):
            tags.append((id, name))
            if parents:
                tags += [tag for tag in over if not chosen.leave_out(tag[1])]
    return tags


def _with_ids(ids: Sequence[int], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The names, each with its id; 0 for those that have none, since an import is about to create them."""
    return zip((*ids, *(0,) * (len(names) - len(ids))), names, strict=False)


def rating_tenths(rating100: int | None) -> int:
    """A rating of Stash (1 to 100) in tenths, 1 to 10; 0 without a rating."""
    if not rating100 or rating100 < 0:
        return 0
    return min(max((rating100 + 5) // 10, 1), MOST_TENTHS)


def _fill_template(made_of: Template, object: CollectionObject, text: ObjectText) -> str:
    name = clean_line(text.name)
    if not name or made_of == PLAIN:
        return name
    rated = object.id if object.source == "rating" else 0
    return clean_line(
        made_of.fill(
            {
                "name": name,
                "parent": clean_line(text.parent),
                "disambiguation": clean_line(text.disambiguation),
                "rating": str(rated) if rated else "",
                "stars": f"{rated / 2:g}" if rated else "",
            }
        )
    )
