"""Decodes Stash's answers: every requested field must be present, in its own type.

Null is valid where the schema allows it and an error anywhere else, so a partial answer never reads as "empty". All
functions are pure and raise ValueError for well-formed answers that contradict themselves.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

import msgspec

from plexsync.rules.queue.job import Kind
from plexsync.rules.records import Newest
from plexsync.rules.scene import Image, Performer, Scene, SceneFile

# Stash's words for the formats that Plex can show: a JPEG is an `mjpeg`, but a `jpeg` inside a zip file. A cover can also be
# a video or an animation.
FORMATS = ("jpeg", "mjpeg", "png", "webp")

# An id or a size, which may come as a text.
Id = str | int
T = TypeVar("T")

# An id is read several times for one scene, that of a performer or a tag for many of them.
RECENT_IDS = 1000


class OnlyId(msgspec.Struct):
    """An object of which only the id matters."""

    id: Id


class Scenes(msgspec.Struct, Generic[T]):
    """A page of scenes; `count` is the total on all pages."""

    count: int
    scenes: list[T]


class Objects(msgspec.Struct, Generic[T]):
    """A page of objects of another kind."""

    count: int
    objects: list[T]


class ImageFileAnswer(msgspec.Struct):
    """The file of an image; nothing is requested of a video."""

    format: str = ""
    width: int = 0
    height: int = 0


class GalleryImageAnswer(msgspec.Struct):
    """An image with its files, the one that Stash shows first."""

    id: Id
    updated_at: str
    visual_files: list[ImageFileAnswer]


class GalleryAnswer(msgspec.Struct):
    """A gallery with its cover: the image that a person has chosen, else the one that Stash chooses; null if it is empty."""

    id: Id
    cover: GalleryImageAnswer | None


def gallery_images(galleries: Sequence[GalleryAnswer]) -> Iterator[Image]:
    """The covers of the galleries, that of the oldest gallery first: the order in Stash's answer is not fixed."""
    for gallery in sorted(galleries, key=lambda gallery: number(gallery.id)):
        cover = gallery.cover
        file = cover.visual_files[0] if cover and cover.visual_files else ImageFileAnswer()
        if cover and file.format in FORMATS:
            yield Image("gallery", f"/image/{number(cover.id)}/image", cover.updated_at, file.width, file.height)


@lru_cache(maxsize=RECENT_IDS)
def number(text: Id) -> int:
    """An id or size as a number."""
    if isinstance(text, int):
        if text < 0:
            raise ValueError("a negative number")
        return text
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise ValueError("a number was expected")
    return int(text)


class Named(msgspec.Struct):
    """An object with a name."""

    id: Id
    name: str


class PerformerAnswer(Named):
    """A performer, with more fields than the name if they were requested."""

    disambiguation: str | None = None
    alias_list: list[str] = []
    gender: str | None = None


class StudioAnswer(Named):
    """A studio with its parents; their times are not requested."""

    updated_at: str = ""
    parent_studio: "StudioAnswer | None" = None


class TagAnswer(Named):
    """A tag, with its parents if they were requested."""

    parents: "list[TagAnswer]" = []


class StampedName(Named):
    """A group with the time of its last change."""

    updated_at: str


class GroupAnswer(msgspec.Struct):
    """A group that a scene is in, and the scene's place in it."""

    group: StampedName
    scene_index: int | None = None


class FileAnswer(msgspec.Struct):
    """A file. Sizes beyond 32 bits may come as texts."""

    path: str
    size: int | str
    duration: float
    mod_time: str = ""


class StashIdAnswer(msgspec.Struct):
    """A stash ID: where else the scene is known."""

    endpoint: str


class SceneAnswer(msgspec.Struct, kw_only=True):
    """A scene in full, with its stash IDs and URLs if they were requested."""

    id: Id
    title: str | None
    code: str | None
    details: str | None
    director: str | None
    date: str | None
    rating100: int | None
    organized: bool
    created_at: str
    updated_at: str
    studio: StudioAnswer | None
    performers: list[PerformerAnswer]
    tags: list[TagAnswer]
    groups: list[GroupAnswer]
    files: list[FileAnswer]
    stash_ids: list[StashIdAnswer] = []
    urls: list[str] = []
    galleries: list[GalleryAnswer] = []


class Stamped(msgspec.Struct):
    """Any object with the time of its last change."""

    id: Id
    updated_at: str


class FilesAnswer(msgspec.Struct):
    """A scene with its files only."""

    id: Id
    files: list[FileAnswer]


class FoundThings(msgspec.Struct):
    """A page of stamped objects of any kind."""

    count: int
    things: list[Stamped]


class Count(msgspec.Struct):
    """The total count."""

    count: int


class PicturePath(msgspec.Struct):
    """The path of a picture."""

    path: str | None = None


class NewestOfAll(msgspec.Struct):
    """The data of the queries NEWEST and NEWEST_AND_FILES."""

    scenes: FoundThings
    last: FoundThings
    performers: FoundThings
    studios: FoundThings
    tags: FoundThings
    groups: FoundThings
    files: FoundThings | None = None


class RecentFile(msgspec.Struct, rename={"type": "__typename"}):
    """A file of any kind."""

    type: str
    path: str
    updated_at: str


class FoundRecentFiles(msgspec.Struct):
    """A page of files."""

    count: int
    files: list[RecentFile]


class Question(msgspec.Struct):
    """A query in the schema."""

    name: str


class Questions(msgspec.Struct):
    """All queries in the schema."""

    fields: list[Question]


class ExistingAnswer(msgspec.Struct):
    """A part of the data of the query of `queries.existing`: a scene, or the number of all."""

    id: Id = 0
    count: int = -1


class Status(msgspec.Struct):
    """The state of Stash itself."""

    status: str


class ConfigFile(msgspec.Struct):
    """The path of Stash's configuration file."""

    configPath: str | None


class VersionText(msgspec.Struct):
    """The version; a custom build may have none."""

    version: str | None


class InstalledPlugin(msgspec.Struct):
    """An installed plugin."""

    id: str
    enabled: bool
    version: str | None = None


class Plugins(msgspec.Struct):
    """Plugin settings, by plugin."""

    plugins: dict[str, dict[str, object] | None]


def scene_of(answer: SceneAnswer, *, timed: bool = False) -> Scene:
    """The scene; null texts become empty ones. Raises ValueError if its files are to have times, and one has none."""
    if timed and not all(file.mod_time for file in answer.files):
        raise ValueError("a file without its time")
    studios: list[StudioAnswer] = []
    studio = answer.studio
    while studio:
        studios.append(studio)
        studio = studio.parent_studio
    above = [_above(tag) if tag.parents else [] for tag in answer.tags]
    names: dict[Kind, Sequence[Named]] = {
        Kind.PERFORMER: answer.performers,
        Kind.STUDIO: studios,
        Kind.TAG: [*answer.tags, *(tag for tags in above for tag in tags)],
        Kind.GROUP: [entry.group for entry in answer.groups],
    }
    return Scene(
        id=number(answer.id),
        title=answer.title or "",
        code=answer.code or "",
        details=answer.details or "",
        director=answer.director or "",
        date=answer.date or "",
        rating100=answer.rating100,
        studio=studios[0].name if studios else "",
        parents=tuple(entry.name for entry in studios[1:]),
        performers=tuple(entry.name for entry in answer.performers),
        tags=tuple(entry.name for entry in answer.tags),
        tags_above=tuple(tuple(tag.name for tag in tags) for tags in above),
        groups=tuple(entry.group.name for entry in answer.groups),
        organized=answer.organized,
        files=files_of(answer.files),
        created_at=answer.created_at,
        updated_at=answer.updated_at,
        images=tuple(_images(answer)),
        people=tuple(map(_performer, answer.performers)),
        stash_ids=tuple(entry.endpoint for entry in answer.stash_ids),
        urls=tuple(answer.urls),
        references=tuple(
            dict.fromkeys((str(kind), number(entry.id)) for kind, ones in names.items() for entry in ones)
        ),
        studio_id=number(studios[0].id) if studios else 0,
        parent_ids=tuple(number(entry.id) for entry in studios[1:]),
        performer_ids=tuple(number(entry.id) for entry in answer.performers),
        tag_ids=tuple(number(entry.id) for entry in answer.tags),
        tag_ids_above=tuple(tuple(number(tag.id) for tag in tags) for tags in above),
        group_ids=tuple(number(entry.group.id) for entry in answer.groups),
        group_indexes=tuple(entry.scene_index for entry in answer.groups),
    )


def _performer(answer: PerformerAnswer) -> Performer:
    return Performer(
        id=number(answer.id),
        name=answer.name,
        disambiguation=answer.disambiguation or "",
        aliases=tuple(answer.alias_list),
        # `TRANSGENDER_FEMALE` is written as "transgender female".
        gender=(answer.gender or "").replace("_", " ").lower(),
    )


def _images(answer: SceneAnswer) -> Iterator[Image]:
    """The paths of pictures; only a request shows whether a picture exists."""
    yield Image("cover", f"/scene/{number(answer.id)}/screenshot", answer.updated_at)
    if answer.galleries:
        yield from gallery_images(answer.galleries)
    if answer.studio:
        yield Image("studio", f"/studio/{number(answer.studio.id)}/image", answer.studio.updated_at)
    for group in (entry.group for entry in answer.groups[:1]):
        yield Image("group", f"/group/{number(group.id)}/frontimage", group.updated_at)


def _above(tag: TagAnswer) -> list[TagAnswer]:
    """The parents of a tag, nearest first, each once."""
    parents: dict[str, TagAnswer] = {}
    level = tag.parents
    while level:
        for parent in level:
            parents.setdefault(parent.name, parent)
        level = [grandparent for parent in level for grandparent in parent.parents]
    return list(parents.values())


def files_of(answers: Sequence[FileAnswer]) -> tuple[SceneFile, ...]:
    """The files, the primary one first."""
    return tuple(SceneFile(file.path, number(file.size), file.duration, file.mod_time) for file in answers)


def stamps_of(answers: Sequence[Stamped]) -> list[tuple[int, str]]:
    """(id, updated_at) of each."""
    return [(number(row.id), row.updated_at) for row in answers]


def newest_of(answer: FoundThings) -> Newest:
    """The count, and the time of the newest ('' if there is none)."""
    if bool(answer.count) != bool(answer.things):
        raise ValueError("a count that does not fit")
    return Newest(answer.count, answer.things[0].updated_at if answer.things else "")


def check_rising(ids: Sequence[int], after: int) -> None:
    """Raise ValueError unless each id is greater than the one before: else a walk could miss some, or never end."""
    for id in ids:
        if id <= after:
            raise ValueError("ids out of order")
        after = id


def is_own_picture(address: str | None) -> bool:
    """Whether an address is that of a picture that was set, and not of a default one."""
    return bool(address) and "default=true" not in str(address)
