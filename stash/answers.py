"""What Stash sends, and what of it is ours: every field that was asked for has to be there, in its own type.

Null is an answer where the schema allows it and an error anywhere else, so a partial answer never reads as "empty". All
functions are pure and raise ValueError for what is well formed and still can't be right.
"""

from collections.abc import Sequence

import msgspec

from sync.ports import Newest
from sync.scene import Scene, SceneFile

Id = str | int


class Named(msgspec.Struct):
    """A performer, studio or tag."""

    name: str


class FileAnswer(msgspec.Struct):
    """A file. Sizes beyond 32 bits may come as texts."""

    path: str
    size: int | str
    duration: float


class SceneAnswer(msgspec.Struct):
    """A scene in full."""

    id: Id
    title: str | None
    details: str | None
    date: str | None
    rating100: int | None
    organized: bool
    updated_at: str
    studio: Named | None
    performers: list[Named]
    tags: list[Named]
    files: list[FileAnswer]


class Stamped(msgspec.Struct):
    """Anything with the time of its last change."""

    id: Id
    updated_at: str


class FilesAnswer(msgspec.Struct):
    """A scene as far as its files."""

    id: Id
    files: list[FileAnswer]


class FoundScenes(msgspec.Struct):
    """A page of scenes in full; `count` is how many there are on all pages."""

    count: int
    scenes: list[SceneAnswer]


class FoundIds(msgspec.Struct):
    """A page of stamped scenes."""

    count: int
    scenes: list[Stamped]


class FoundFiles(msgspec.Struct):
    """Scenes with their files."""

    count: int
    scenes: list[FilesAnswer]


class FoundThings(msgspec.Struct):
    """A page of stamped things of any kind."""

    count: int
    things: list[Stamped]


class Walked(msgspec.Struct):
    """Data of the question WALK."""

    findScenes: FoundScenes


class WalkedIds(msgspec.Struct):
    """Data of the question WALK_IDS."""

    findScenes: FoundIds


class Rivals(msgspec.Struct):
    """Data of the question RIVALS."""

    findScenes: FoundFiles


class Recent(msgspec.Struct):
    """Data of the questions RECENT."""

    found: FoundThings


class NewestOfAll(msgspec.Struct):
    """Data of the question NEWEST."""

    scenes: FoundThings
    performers: FoundThings
    studios: FoundThings
    tags: FoundThings


class Status(msgspec.Struct):
    """The state of Stash itself."""

    status: str


class Probed(msgspec.Struct):
    """Data of the question PROBE."""

    systemStatus: Status


class ConfigFile(msgspec.Struct):
    """Where Stash keeps its configuration."""

    configPath: str | None


class ConfigPath(msgspec.Struct):
    """Data of the question CONFIG_PATH."""

    systemStatus: ConfigFile


class VersionText(msgspec.Struct):
    """The version, which a build of one's own may not have."""

    version: str | None


class Version(msgspec.Struct):
    """Data of the question VERSION."""

    version: VersionText


class Plugins(msgspec.Struct):
    """Settings of plugins, by plugin."""

    plugins: dict[str, dict[str, object] | None]


class PluginSettings(msgspec.Struct):
    """Data of the question PLUGIN_SETTINGS."""

    configuration: Plugins


def scene_of(answer: SceneAnswer) -> Scene:
    """The scene; null texts are empty ones."""
    return Scene(
        id=number(answer.id),
        title=answer.title or "",
        details=answer.details or "",
        date=answer.date or "",
        rating100=answer.rating100,
        studio=answer.studio.name if answer.studio else "",
        performers=tuple(one.name for one in answer.performers),
        tags=tuple(one.name for one in answer.tags),
        organized=answer.organized,
        files=files_of(answer.files),
        updated_at=answer.updated_at,
    )


def files_of(answers: Sequence[FileAnswer]) -> tuple[SceneFile, ...]:
    """The files, the primary one first."""
    return tuple(SceneFile(one.path, number(one.size), one.duration) for one in answers)


def stamps_of(answers: Sequence[Stamped]) -> list[tuple[int, str]]:
    """(id, updated_at) of each."""
    return [(number(one.id), one.updated_at) for one in answers]


def newest_of(answer: FoundThings) -> Newest:
    """The count, and the time of the newest ('' when there is none)."""
    if bool(answer.count) != bool(answer.things):
        raise ValueError("a count that does not fit")
    return Newest(answer.count, answer.things[0].updated_at if answer.things else "")


def check_rising(ids: Sequence[int], *, after: int) -> None:
    """Raises ValueError unless each id is greater than the one before: else a walk could miss some, or never end."""
    for id in ids:
        if id <= after:
            raise ValueError("ids out of order")
        after = id


def number(text: Id) -> int:
    """An id or size as a number."""
    if isinstance(text, int):
        if text < 0:
            raise ValueError("a negative number")
        return text
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise ValueError("a number was expected")
    return int(text)
