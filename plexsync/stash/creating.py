"""What an import reads and writes in Stash. Values are JSON, see `plexsync.rules.merge.import_records`.

A write returns what Stash has after it. An answer that is broken, partial or an error raises Unavailable with `sent`:
Stash may have carried out the write, or do so later.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from plexsync.rules.merge.import_records import NameKind, StashField, StashFields, StashName, StashObject
from plexsync.stash import import_queries, queries
from plexsync.stash.answers import Id, Objects, OnlyId, StudioAnswer, TagAnswer, number
from plexsync.stash.requests import EVERYTHING, StashRequests, scenes_cap


class Created(msgspec.Struct):
    """An object that a scene names, and when it was created."""

    id: Id
    created_at: str


class ImportAnswer(msgspec.Struct):
    """The fields of a scene that an import can fill."""

    id: Id
    created_at: str
    title: str | None
    details: str | None
    date: str | None
    rating100: int | None
    studio: Created | None
    performers: list[Created]
    tags: list[Created]


class NameAnswer(msgspec.Struct):
    """A performer, studio or tag with its other names."""

    id: Id
    name: str
    aliases: list[str]
    disambiguation: str | None = None
    gender: str | None = None
    parent_studio: StudioAnswer | None = None
    parents: list[TagAnswer] = []


class ObjectAnswer(msgspec.Struct):
    """An object, with the counts of what uses it if they were requested."""

    id: Id
    name: str
    updated_at: str
    scene_count: int = 0
    image_count: int = 0
    gallery_count: int = 0
    group_count: int = 0
    performer_count: int = 0
    scene_marker_count: int = 0
    studio_count: int = 0
    child_count: int = 0
    child_studios: list[OnlyId] = []


FIELDS = msgspec.json.Decoder(dict[str, ImportAnswer | None])
FILLED = msgspec.json.Decoder(dict[str, ImportAnswer])
NAMES = msgspec.json.Decoder(dict[str, Objects[NameAnswer]])
CREATED = msgspec.json.Decoder(dict[str, ObjectAnswer])
USED = msgspec.json.Decoder(dict[str, ObjectAnswer | None])
DESTROYED = msgspec.json.Decoder(dict[str, bool])
# The fields of Stash's update that take ids.
IDS = (StashField.STUDIO, StashField.PERFORMERS, StashField.TAGS)


class StashCreating:
    """Fills fields of scenes in a Stash, and creates and destroys what they name."""

    def __init__(self, requests: StashRequests) -> None:
        self._requests = requests

    def names(self, kind: NameKind) -> list[StashName]:
        """All objects of a kind with their names, in one request."""
        tags = import_queries.TAG_NAMES_ABOVE if self._requests.more.get("tags_above") else import_queries.TAG_NAMES
        query = {
            NameKind.PERFORMER: import_queries.PERFORMER_NAMES,
            NameKind.STUDIO: import_queries.STUDIO_NAMES,
            NameKind.TAG: tags,
        }[kind]
        answer = self._requests.ask_one(NAMES, "listed", query, {"page": queries.page(EVERYTHING, sort="name")})
        if answer.count != len(answer.objects):
            raise self._requests.foreign("with a part of its names")
        return self._requests.checked(list, map(_name, answer.objects))

    def import_fields(self, ids: Sequence[int]) -> dict[int, StashFields]:
        """The fields of these scenes, in one request; missing scenes are left out."""
        return self._requests.scenes(ids, FIELDS, import_queries.import_fields, _fields)

    def fill(self, id: int, values: Mapping[StashField, str]) -> StashFields:
        """Set these fields of a scene (JSON by field) in one request; returns its fields after it."""
        values_by_name = {name.value: _input(name, value) for name, value in values.items()}
        answer = self._requests.ask_one(
            FILLED, "scene", import_queries.FILL, {"input": {"id": str(id), **values_by_name}}, cap=scenes_cap([id])
        )
        return self._requests.checked(_fields, answer)

    def create(self, kind: NameKind, name: str) -> StashObject:
        """Create an object with this name. Stash answers with an error if the name is taken."""
        answer = self._requests.ask_one(CREATED, "object", import_queries.CREATE[kind], {"name": name})
        return self._requests.checked(_object, answer)

    def find_object(self, kind: NameKind, id: int) -> StashObject | None:
        """An object and the number of things that use it; None if it is gone."""
        answer = self._requests.ask_one(USED, "object", import_queries.USES[kind], {"id": str(id)})
        return None if answer is None else self._requests.checked(_object, answer)

    def destroy(self, kind: NameKind, id: int) -> None:
        """Delete an object."""
        self._requests.ask_one(DESTROYED, "gone", import_queries.DESTROY[kind], {"id": str(id)})


def _name(answer: NameAnswer) -> StashName:
    above: list[str] = []
    studio, level = answer.parent_studio, answer.parents
    while studio:
        above.append(studio.name)
        studio = studio.parent_studio
    while level:
        above += [tag.name for tag in level]
        level = [parent for tag in level for parent in tag.parents]
    return StashName(
        number(answer.id),
        answer.name,
        tuple(answer.aliases),
        tuple(dict.fromkeys(above)),
        answer.disambiguation or "",
        (answer.gender or "").replace("_", " ").lower(),
    )


def _fields(answer: ImportAnswer) -> StashFields:
    named = {
        StashField.STUDIO: _by_id([answer.studio] if answer.studio else []),
        StashField.PERFORMERS: _by_id(answer.performers),
        StashField.TAGS: _by_id(answer.tags),
    }
    values: dict[StashField, object] = {
        StashField.TITLE: answer.title,
        StashField.DATE: answer.date,
        StashField.DETAILS: answer.details,
        StashField.RATING: answer.rating100,
        StashField.STUDIO: next(iter(named[StashField.STUDIO]), None),
        StashField.PERFORMERS: list(named[StashField.PERFORMERS]),
        StashField.TAGS: list(named[StashField.TAGS]),
    }
    return StashFields(
        number(answer.id),
        answer.created_at,
        {name: json.dumps(value) for name, value in values.items()},
        {name: tuple(objects.values()) for name, objects in named.items()},
    )


def _by_id(objects: Iterable[Created]) -> dict[int, str]:
    """When these objects were created, by id and in its order."""
    return dict(sorted((number(created.id), created.created_at) for created in objects))


def _input(name: StashField, text: str) -> object:
    value = json.loads(text)
    if name not in IDS or value is None:
        return value
    return [str(id) for id in value] if isinstance(value, list) else str(value)


def _object(answer: ObjectAnswer) -> StashObject:
    counts = (
        answer.scene_count,
        answer.image_count,
        answer.gallery_count,
        answer.group_count,
        answer.performer_count,
        answer.scene_marker_count,
        answer.studio_count,
        answer.child_count,
        len(answer.child_studios),
    )
    return StashObject(number(answer.id), answer.name, answer.updated_at, sum(counts))
