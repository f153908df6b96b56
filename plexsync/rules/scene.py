"""A scene as Stash tells it, and what of it Plex can show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneFile:
    """One file of a scene. `path` as Stash sees it, `size` in bytes (0 when unknown), `duration` in seconds."""

    path: str
    size: int = 0
    duration: float = 0.0


@dataclass(frozen=True)
class Image:
    """A picture that Stash may have: of what it is one, its path there, and a text that changes at least when it does."""

    source: str
    path: str
    version: str


@dataclass(frozen=True)
class Performer:
    """Somebody in a scene, with what can be shown beside the name where it was asked for."""

    id: int
    name: str
    disambiguation: str = ""
    aliases: tuple[str, ...] = ()
    gender: str = ""


@dataclass(frozen=True)
class Scene:
    """What Stash says about a scene at one moment. Texts are as stored there, uncleaned; the primary file comes first.

    `parents`: the studios above its studio, nearest first. `tags_above`: for each of `tags` the names above it, nearest
    first; () when they were not asked for. `references`: (kind, id) of all that it shows, whose change is one of the scene.
    `images`: at most one of each source (`cover`, `studio`, `group`). `people`: the performers once more, in
    their order, with more than their names where that was asked for.
    """

    id: int
    title: str = ""
    details: str = ""
    date: str = ""
    rating100: int | None = None
    studio: str = ""
    performers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    organized: bool = False
    files: tuple[SceneFile, ...] = ()
    updated_at: str = ""
    code: str = ""
    director: str = ""
    parents: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags_above: tuple[tuple[str, ...], ...] = ()
    references: tuple[tuple[str, int], ...] = ()
    images: tuple["Image", ...] = ()
    people: tuple["Performer", ...] = ()
