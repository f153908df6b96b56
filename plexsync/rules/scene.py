"""A scene as Stash returns it, with everything that Plex can show of it."""

from plexsync.rules.record_class import record


@record
class SceneFile:
    """One file of a scene. `path` as Stash sees it, `size` in bytes (0 when unknown), `duration` in seconds.

    `modified`: when the file itself was last changed, as Stash writes it; '' if it was not requested.
    """

    path: str
    size: int = 0
    duration: float = 0.0
    modified: str = ""


@record
class Image:
    """A picture that Stash may have: its source, its path there, and a text that changes whenever the picture does.

    `width` and `height` are 0 unless Stash tells them.
    """

    source: str
    path: str
    version: str
    width: int = 0
    height: int = 0


@record
class Performer:
    """A performer of a scene, with the values that can be shown beside the name, if they were requested."""

    id: int
    name: str
    disambiguation: str = ""
    aliases: tuple[str, ...] = ()
    gender: str = ""


@record
class Scene:
    """A scene in Stash at one moment. Texts are as stored there, uncleaned; the primary file comes first.

    `parents`: the studios above its studio, nearest first. `tags_above`: for each of `tags`, the names above it,
    nearest first; () if they were not requested. `references`: (kind, id) of everything that it shows; a change to one
    of them is a change of the scene. `images`: at most one of each source (`cover`, `studio`, `group`), and if they were
    requested, one of `gallery` for each gallery. `people`: the performers again, in the same order, with more than
    their names if that was requested. `stash_ids`: the endpoints of its stash IDs; these and `urls` are () if they were
    not requested. Ids are in the order of the names (`tag_ids_above` in that of `tags_above`). `group_indexes`: the place
    of the scene in each of `groups`, or None.
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
    created_at: str = ""
    stash_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    studio_id: int = 0
    parent_ids: tuple[int, ...] = ()
    performer_ids: tuple[int, ...] = ()
    tag_ids: tuple[int, ...] = ()
    tag_ids_above: tuple[tuple[int, ...], ...] = ()
    group_ids: tuple[int, ...] = ()
    group_indexes: tuple[int | None, ...] = ()


@record
class ScenePlays:
    """The plays of a scene as `WatchedScene` has them, with nothing else but what tells the scene from another one."""

    id: int
    created_at: str
    updated_at: str
    plays: tuple[int, ...]


@record
class WatchedScene:
    """A scene, its plays, its play time and its resume point in Stash at one moment.

    `plays`: whole seconds UTC, newest first; a second may occur twice. `position`: where it is resumed, in milliseconds.
    `play_time` and `resume_seconds`: how long it was played, and where it is resumed, in seconds exactly as Stash says them.
    """

    scene: Scene
    plays: tuple[int, ...]
    position: int = 0
    play_time: float = 0.0
    resume_seconds: float = 0.0

    @property
    def brief(self) -> ScenePlays:
        """Only its plays."""
        return ScenePlays(self.scene.id, self.scene.created_at, self.scene.updated_at, self.plays)
