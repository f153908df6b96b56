"""The sources of collections in Stash."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

import msgspec

from plexsync.http.client import LISTING_CAP
from plexsync.rules.collections.collection_servers import CollectionSource, FoundTag, TaggedScene
from plexsync.rules.match.paths import base_name
from plexsync.rules.scene import Image
from plexsync.stash import answers, collection_queries, queries
from plexsync.stash.requests import StashRequests, scenes_cap, walking

ORDER_PAGE = 5000
# The end of the paths of pictures. A group has one on its back, too.
FRONT = {"studio": "image", "group": "frontimage", "tag": "image", "performer": "image"}
BACK = "backimage"


class ParentAnswer(msgspec.Struct):
    """The studio above a studio."""

    name: str


class NamedSource(msgspec.Struct):
    """An object with a name. What its kind lacks is not requested."""

    id: answers.Id
    name: str
    summary: str | None
    picture: str | None
    updated_at: str
    scenes: int
    disambiguation: str | None = None
    parent_studio: ParentAnswer | None = None
    background: str | None = None
    scenes_below: int | None = None


class CountedSource(msgspec.Struct):
    """A rating, or `organized`: the number of its scenes."""

    scenes: int


class CountedStamp(answers.Stamped):
    """An object with the time of its last change, and its scenes if they were requested."""

    scenes: int = -1
    scenes_below: int | None = None


class GroupPlace(msgspec.Struct):
    """The place of a scene in a group."""

    group: answers.OnlyId
    scene_index: int | None


class GroupedScene(msgspec.Struct):
    """A scene with its places in groups."""

    id: answers.Id
    groups: list[GroupPlace]


class NamedTag(msgspec.Struct):
    """A tag with its aliases and its direct children."""

    id: answers.Id
    name: str
    aliases: list[str]
    children: list[NamedSource]


class FoundTags(msgspec.Struct):
    """Tags that were found."""

    tags: list[NamedTag]


class NamedTags(msgspec.Struct):
    """The tags with a name, and those with it as an alias."""

    named: FoundTags
    aliased: FoundTags


class PathAnswer(msgspec.Struct):
    """A file."""

    path: str


class TaggedAnswer(msgspec.Struct):
    """A scene with its tags, and what orders it."""

    id: answers.Id
    title: str | None
    date: str | None
    created_at: str
    files: list[PathAnswer]
    tags: list[answers.OnlyId]


SOURCES = msgspec.json.Decoder(dict[str, msgspec.Raw])
NAMED = msgspec.json.Decoder(NamedSource | None)
COUNTED = msgspec.json.Decoder(CountedSource)
STAMPS = msgspec.json.Decoder(dict[str, answers.Objects[CountedStamp]])
TAGS = msgspec.json.Decoder(NamedTags)
TAG_SCENES = msgspec.json.Decoder(dict[str, answers.Scenes[TaggedAnswer]])
GROUP_SCENES = msgspec.json.Decoder(dict[str, answers.Scenes[GroupedScene]])


class StashCollecting:
    """Reads the sources of collections of a Stash."""

    def __init__(self, requests: StashRequests) -> None:
        self._requests = requests

    def objects(self, wanted: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], CollectionSource]:
        """The objects of these sources by (source, id), in one request; missing ones are left out."""
        pairs = list(dict.fromkeys((source, id) for source, ids in wanted.items() for id in ids))
        if not pairs:
            return {}
        once = {source: [id for of, id in pairs if of == source] for source in wanted}
        data = self._requests.ask(SOURCES, collection_queries.objects(once), cap=scenes_cap([id for _, id in pairs]))
        if data.keys() != {f"{source}{id}" for source, id in pairs}:
            raise self._requests.foreign("not with what was asked for")
        objects = ((source, id, self._source(source, id, data[f"{source}{id}"])) for source, id in pairs)
        return {(source, id): object for source, id, object in objects if object}

    def object_stamps(self, source: str, *, page: int = 500, counted: bool = False) -> Iterator[list[CollectionSource]]:
        """All objects of a source with a name, in pages by id; `counted`: with their numbers of scenes.

        Objects can only be listed by page number, so a page that tells of deletions is read from where they moved the rest.
        An object is left out only if as many are created as are deleted before it, between two pages.
        """
        query = (collection_queries.COUNTED_STAMPS if counted else collection_queries.STAMPS)[source]
        number = last = total = 0
        while True:
            number += 1
            data = self._requests.ask_one(
                STAMPS, "listed", query, {"page": queries.page(page, sort="id", number=number)}
            )
            stamps = [self._requests.checked(_stamp_of, source, answer, counted=counted) for answer in data.objects]
            deleted, total = max(total - data.count, 0), data.count
            if deleted:
                number = max(number - 1 - ceil(deleted / page), 0)
                continue
            fresh = [stamp for stamp in stamps if stamp.id > last]
            if fresh:
                last = fresh[-1].id
                yield fresh
            if number * page >= data.count or not stamps:
                return

    def group_order(self, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """The scenes of each of these groups in its order, in one request for 5,000 scenes.

        A scene without an index comes after those with one; scenes of one index come by id.
        """
        groups = list(dict.fromkeys(ids))
        places: dict[int, list[tuple[bool, int, int]]] = {id: [] for id in groups}

        def ask(last: int) -> tuple[int, list[GroupedScene]]:
            scenes = queries.above(last, **collection_queries.in_groups(groups))
            data = self._requests.ask_one(
                GROUP_SCENES,
                "findScenes",
                collection_queries.GROUP_SCENES,
                walking(scenes, ORDER_PAGE),
                cap=LISTING_CAP,
            )
            return data.count, data.scenes

        for page in self._requests.walk(0, ask, lambda scene: answers.number(scene.id)) if groups else ():
            for scene in page:
                for place in scene.groups:
                    index, id = place.scene_index, answers.number(place.group.id)
                    if id in places:
                        places[id].append((index is None, index or 0, answers.number(scene.id)))
        return {id: tuple(scene for _, _, scene in sorted(listed)) for id, listed in places.items()}

    def tags_named(self, name: str) -> list[FoundTag]:
        """The tags with this name, or alias, in any case, each with its direct children, in one request."""
        alike = {"value": name, "modifier": "EQUALS"}
        asked = {"named": {"name": alike}, "aliased": {"aliases": alike}, "page": {"per_page": -1}}
        data = self._requests.ask(TAGS, collection_queries.PLAYLIST_TAGS, asked, cap=LISTING_CAP)
        tags = {tag.id: tag for tag in (*data.named.tags, *data.aliased.tags)}
        return [self._requests.checked(_found_tag, tag) for tag in tags.values()]

    def tagged_scenes(self, ids: Sequence[int]) -> dict[int, list[TaggedScene]]:
        """The scenes that have each of these tags itself, in one request for 5,000 scenes."""
        tags: dict[int, list[TaggedScene]] = {id: [] for id in ids}

        def ask(last: int) -> tuple[int, list[TaggedAnswer]]:
            scenes = walking(queries.above(last, **collection_queries.with_tags(list(tags))), ORDER_PAGE)
            data = self._requests.ask_one(
                TAG_SCENES, "findScenes", collection_queries.TAG_SCENES, scenes, cap=LISTING_CAP
            )
            return data.count, data.scenes

        for page in self._requests.walk(0, ask, lambda scene: answers.number(scene.id)) if tags else ():
            for answer in page:
                title = answer.title or next((base_name(file.path) for file in answer.files), "")
                scene = TaggedScene(answers.number(answer.id), title, answer.date or "", answer.created_at)
                for tag in {answers.number(tag.id) for tag in answer.tags} & tags.keys():
                    tags[tag].append(scene)
        return tags

    def _source(self, source: str, id: int, answer: msgspec.Raw) -> CollectionSource | None:
        if source not in FRONT:
            return CollectionSource(source, id, scenes=self._read_count(answer), scenes_below=self._read_count(answer))
        named = self._requests.decoded(NAMED, answer)
        return self._requests.checked(_source_of, source, id, named) if named else None

    def _read_count(self, answer: msgspec.Raw) -> int:
        return self._requests.decoded(COUNTED, answer).scenes


def _source_of(source: str, id: int, answer: NamedSource) -> CollectionSource:
    if answers.number(answer.id) != id:
        raise ValueError("another object than was asked for")
    return CollectionSource(
        source,
        id,
        name=answer.name,
        summary=answer.summary or "",
        disambiguation=answer.disambiguation or "",
        parent=answer.parent_studio.name if answer.parent_studio else "",
        picture=_image(source, id, FRONT[source], answer.picture, answer.updated_at),
        background=_image(source, id, BACK, answer.background, answer.updated_at),
        updated_at=answer.updated_at,
        scenes=answer.scenes,
        scenes_below=answer.scenes if answer.scenes_below is None else answer.scenes_below,
    )


def _found_tag(answer: NamedTag) -> FoundTag:
    children = (_source_of("tag", answers.number(child.id), child) for child in answer.children)
    return FoundTag(answer.name, tuple(answer.aliases), tuple(children))


def _image(source: str, id: int, leaf: str, address: str | None, updated_at: str) -> Image | None:
    """The picture at this address, unless it is the default one."""
    return Image(source, f"/{source}/{id}/{leaf}", updated_at) if answers.is_own_picture(address) else None


def _stamp_of(source: str, answer: CountedStamp, *, counted: bool) -> CollectionSource:
    if counted and answer.scenes < 0:
        raise ValueError("an object without the number of its scenes")
    below = answer.scenes if answer.scenes_below is None else answer.scenes_below
    id, changed_at = answers.number(answer.id), answer.updated_at
    return CollectionSource(source, id, updated_at=changed_at, scenes=answer.scenes, scenes_below=below)
