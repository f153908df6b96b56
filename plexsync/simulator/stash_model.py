"""The data of the simulated Stash: scenes, files, performers, studios, tags and groups, and all their changes.

Records change only with `StashData.lock` held; their lists are tuples, replaced as a whole. `updated_at` changes
exactly when it does in Stash: an edit of a scene changes the scene's, an edit of a performer, studio, tag or group
only its own, a renamed file only the file's, and a moved folder changes nothing at all. Nothing here starts hooks.
"""

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from plexsync.simulator.stash_galleries import Gallery, GalleryImage, file_of
from plexsync.simulator.stash_graphql import StashError

FileSpec = tuple[str, int, float]
"""Path, size in bytes, duration in seconds."""

Name = str | tuple[str, str]
"""A name, or a performer's name and disambiguation."""

DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
TEXTS = ("title", "code", "details", "director")
VALUES = (*TEXTS, "date", "rating100", "organized")


@dataclass(slots=True, eq=False)
class Studio:
    """A studio."""

    id: int
    name: str
    created_at: str
    updated_at: str
    parent_studio: "Studio | None" = None
    aliases: tuple[str, ...] = ()
    details: str = ""
    image: bytes | None = None


@dataclass(slots=True, eq=False)
class Performer:
    """A performer; name and disambiguation together are unique."""

    id: int
    name: str
    created_at: str
    updated_at: str
    disambiguation: str = ""
    gender: str | None = None
    alias_list: tuple[str, ...] = ()
    details: str = ""
    image: bytes | None = None


@dataclass(slots=True, eq=False)
class Tag:
    """A tag."""

    id: int
    name: str
    created_at: str
    updated_at: str
    sort_name: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    ignore_auto_tag: bool = False
    parents: tuple["Tag", ...] = ()
    image: bytes | None = None


@dataclass(slots=True, eq=False)
class Group:
    """A group; older versions call it a movie. `image` is its front."""

    id: int
    name: str
    created_at: str
    updated_at: str
    aliases: str = ""
    date: str | None = None
    synopsis: str = ""
    studio: Studio | None = None
    image: bytes | None = None
    back_image: bytes | None = None


@dataclass(frozen=True, slots=True)
class SceneGroup:
    """A scene's place in a group."""

    group: Group
    scene_index: int | None = None


@dataclass(frozen=True, slots=True)
class StashID:
    """The scene's id at a stash-box."""

    endpoint: str
    stash_id: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A hash of a file."""

    type: str
    value: str


@dataclass(slots=True, eq=False)
class VideoFile:
    """A scanned file; `size` in bytes, `duration` in seconds."""

    id: int
    path: str
    size: int
    duration: float
    mod_time: str
    created_at: str
    updated_at: str
    fingerprints: tuple[Fingerprint, ...]
    width: int = 1920
    height: int = 1080
    format: str = "mp4"
    video_codec: str = "h264"
    audio_codec: str = "aac"

    @property
    def basename(self) -> str:
        """The last part of the path, by the rules of its operating system."""
        return basename(self.path)


@dataclass(slots=True, eq=False)
class Scene:
    """A scene; its primary file comes first, and of its plays (in seconds UTC) the newest."""

    id: int
    created_at: str
    updated_at: str
    title: str = ""
    code: str = ""
    details: str = ""
    director: str = ""
    date: str | None = None
    rating100: int | None = None
    organized: bool = False
    urls: tuple[str, ...] = ()
    studio: Studio | None = None
    performers: tuple[Performer, ...] = ()
    tags: tuple[Tag, ...] = ()
    groups: tuple[SceneGroup, ...] = ()
    files: tuple[VideoFile, ...] = ()
    stash_ids: tuple[StashID, ...] = ()
    cover: bytes | None = None
    plays: tuple[int, ...] = ()
    resume_time: float = 0.0
    play_duration: float = 0.0
    galleries: tuple[Gallery, ...] = ()


@dataclass(frozen=True)
class SceneSnapshot:
    """A scene at one moment, in plain values. A performer with a disambiguation is a pair; plays are in seconds UTC."""

    id: int
    title: str
    code: str
    details: str
    director: str
    date: str | None
    rating100: int | None
    organized: bool
    urls: tuple[str, ...]
    studio: str | None
    performers: tuple[Name, ...]
    tags: tuple[str, ...]
    groups: tuple[tuple[str, int | None], ...]
    files: tuple[FileSpec, ...]
    cover: bytes | None
    created_at: str
    updated_at: str
    plays: tuple[int, ...]
    resume_time: float
    play_duration: float


R = TypeVar("R", Studio, Performer, Tag, Group)
KINDS = ("scenes", "files", "performers", "studios", "tags", "groups", "images")


@dataclass(frozen=True)
class StashBackup:
    """The records of each kind by id, and the last id of each kind. By default those of an empty database."""

    records: Mapping[str, dict[int, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    last_ids: Mapping[str, int] = field(default_factory=dict)


@dataclass
class StashData:
    """All records by id. `stamp` returns the current time as Stash writes it."""

    stamp: Callable[[], str]
    lock: threading.RLock = field(default_factory=threading.RLock)
    scenes: dict[int, Scene] = field(default_factory=dict)
    files: dict[int, VideoFile] = field(default_factory=dict)
    performers: dict[int, Performer] = field(default_factory=dict)
    studios: dict[int, Studio] = field(default_factory=dict)
    tags: dict[int, Tag] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    images: dict[int, GalleryImage] = field(default_factory=dict)
    last_ids: dict[str, int] = field(default_factory=dict)

    def new_id(self, kind: str) -> int:
        """The next id of a kind of record; ids are never reused."""
        self.last_ids[kind] = self.last_ids.get(kind, 0) + 1
        return self.last_ids[kind]

    def backup(self) -> StashBackup:
        """A copy of all records: no later change reaches it."""
        return StashBackup(deepcopy({kind: getattr(self, kind) for kind in KINDS}), dict(self.last_ids))

    def restore(self, backup: StashBackup) -> None:
        """Put a copy of these records in the place of all."""
        for kind, records in deepcopy(dict(backup.records)).items():
            setattr(self, kind, records)
        self.last_ids = dict(backup.last_ids)

    def rebuild(self, rng: Random) -> dict[int, int]:
        """Number all records anew, in another order, created now; returns the new ids of the scenes by the old ones."""
        ids: dict[str, dict[int, int]] = {}
        for kind in KINDS:
            records = list(getattr(self, kind).values())
            rng.shuffle(records)
            ids[kind] = {record.id: number for number, record in enumerate(records, start=1)}
            for record in records:
                record.id = ids[kind][record.id]
                record.created_at = record.updated_at = self.stamp()
            setattr(self, kind, {record.id: record for record in records})
            self.last_ids[kind.removesuffix("s")] = len(records)
        return ids["scenes"]

    def performer_named(self, name: Name) -> Performer:
        """The performer with this name (and disambiguation), created if missing."""
        plain, disambiguation = (name, "") if isinstance(name, str) else name
        for known in self.performers.values():
            if (known.name, known.disambiguation) == (plain, disambiguation):
                return known
        now = self.stamp()
        made = Performer(self.new_id("performer"), plain, now, now, disambiguation=disambiguation)
        self.performers[made.id] = made
        return made

    def studio_named(self, name: str) -> Studio:
        """The studio with this name, created if missing."""
        return self._named(self.studios, name, Studio)

    def tag_named(self, name: str) -> Tag:
        """The tag with exactly this name, created if missing."""
        return self._named(self.tags, name, Tag)

    def group_named(self, name: str) -> Group:
        """The group with this name, created if missing."""
        return self._named(self.groups, name, Group)

    def _named(self, records: dict[int, R], name: str, make: Callable[[int, str, str, str], R]) -> R:
        for known in records.values():
            if known.name == name:
                return known
        now = self.stamp()
        made = make(self.new_id(make.__name__.lower()), name, now, now)
        records[made.id] = made
        return made

    def new_gallery(self, images: Iterable[bytes]) -> Gallery:
        """A newly scanned gallery of these images."""
        now = self.stamp()
        files = [GalleryImage(self.new_id("image"), now, now, image, (file_of(image),)) for image in images]
        self.images.update({image.id: image for image in files})
        return Gallery(self.new_id("gallery"), tuple(files))

    def new_file(self, spec: FileSpec) -> VideoFile:
        """A newly scanned file; its hashes follow from size and duration, so copies have equal ones."""
        path, size, duration = spec
        now = self.stamp()
        made = VideoFile(self.new_id("file"), path, size, float(duration), now, now, now, fingerprints(size, duration))
        self.files[made.id] = made
        return made

    def new_scene(self, files: Iterable[FileSpec]) -> Scene:
        """A scene with these files and nothing else."""
        now = self.stamp()
        made = Scene(self.new_id("scene"), now, now, files=tuple(self.new_file(spec) for spec in files))
        self.scenes[made.id] = made
        return made

    def scene(self, id_: object) -> Scene:
        """The scene of this id; raises StashError if there is none."""
        return found(self.scenes, id_, "scene")

    def remove_scene(self, scene: Scene) -> None:
        """Delete the scene and its files."""
        del self.scenes[scene.id]
        for file in scene.files:
            self.files.pop(file.id, None)

    def edit_scene(self, scene: Scene, values: Mapping[str, Any]) -> None:
        """Apply the given fields of a SceneUpdateInput; changes `updated_at` even if nothing differs.

        As in Stash, `play_duration` sets the total, and `resume_time` has no effect.
        """
        changes = self._scene_changes(scene, values)
        title, files = changes.get("title", scene.title), scene.files
        if not title and not files:
            raise StashError("title must be set if scene has no files")
        for name, value in changes.items():
            setattr(scene, name, value)
        scene.updated_at = self.stamp()

    def _scene_changes(self, scene: Scene, values: Mapping[str, Any]) -> dict[str, Any]:
        """All new attribute values, computed before the first is set: an edit is applied whole or not at all."""
        changes: dict[str, Any] = {name: values[name] for name in VALUES if name in values}
        changes.update({name: changes[name] or "" for name in TEXTS if name in changes})
        if changes.get("date") is not None:
            changes["date"] = checked_date(changes["date"])
        if "organized" in changes:
            changes["organized"] = bool(changes["organized"])
        if values.get("play_duration") is not None:
            changes["play_duration"] = float(values["play_duration"])
        if "urls" in values:
            changes["urls"] = tuple(values["urls"] or ())
        if "studio_id" in values:
            wanted = values["studio_id"]
            changes["studio"] = None if wanted is None else found(self.studios, wanted, "studio")
        if "performer_ids" in values:
            changes["performers"] = self._members(self.performers, values["performer_ids"], "performer")
        if "tag_ids" in values:
            changes["tags"] = self._members(self.tags, values["tag_ids"], "tag")
        if "groups" in values:
            changes["groups"] = tuple(
                SceneGroup(found(self.groups, one["group_id"], "group"), one.get("scene_index"))
                for one in values["groups"] or ()
            )
        if "stash_ids" in values:
            changes["stash_ids"] = tuple(
                StashID(one["endpoint"], one["stash_id"], one.get("updated_at") or self.stamp())
                for one in values["stash_ids"] or ()
            )
        if values.get("cover_image"):
            changes["cover"] = decoded_image(values["cover_image"])
        if values.get("primary_file_id"):
            changes["files"] = primary_first(scene, values["primary_file_id"])
        return changes

    def _members(self, records: Mapping[int, R], ids: Iterable[object] | None, kind: str) -> tuple[R, ...]:
        """The records with these ids, each once, in name order as in Stash."""
        unique = {record.id: record for record in (found(records, id_, kind) for id_ in ids or ())}
        return tuple(sorted(unique.values(), key=lambda record: (record.name.casefold(), record.id)))

    def scenes_with(self, record: object) -> list[Scene]:
        """The scenes that show this performer, studio, tag or group."""
        return [
            scene
            for scene in self.scenes.values()
            if scene.studio is record
            or record in scene.performers
            or record in scene.tags
            or any(place.group is record for place in scene.groups)
        ]

    def remove(self, kind: str, id_: object) -> int:
        """Delete a performer, studio, tag or group, and remove it from all scenes; returns its id."""
        every: dict[str, dict[int, Any]] = {
            "performer": self.performers,
            "studio": self.studios,
            "tag": self.tags,
            "group": self.groups,
        }
        gone = found(every[kind], id_, kind)
        for scene in self.scenes_with(gone):
            scene.studio = None if scene.studio is gone else scene.studio
            scene.performers = tuple(one for one in scene.performers if one is not gone)
            scene.tags = tuple(one for one in scene.tags if one is not gone)
            scene.groups = tuple(place for place in scene.groups if place.group is not gone)
        for tag in self.tags.values():
            tag.parents = tuple(one for one in tag.parents if one is not gone)
        for studio in self.studios.values():
            studio.parent_studio = None if studio.parent_studio is gone else studio.parent_studio
        del every[kind][gone.id]
        return int(gone.id)

    def merge_tags(self, sources: Iterable[Tag], destination: Tag) -> None:
        """Replace the sources by `destination`; scenes and the destination keep their `updated_at`."""
        gone = {tag.id for tag in sources} - {destination.id}
        for scene in self.scenes.values():
            if any(tag.id in gone for tag in scene.tags):
                kept = [tag.id for tag in scene.tags if tag.id not in gone]
                scene.tags = self._members(self.tags, [*kept, destination.id], "tag")
        for id_ in gone:
            destination.aliases += (self.tags.pop(id_).name,)

    def merge_scenes(
        self, sources: Iterable[Scene], destination: Scene, values: Mapping[str, Any], *, plays: bool
    ) -> None:
        """Move the files of the sources, and their plays if `plays`, to the destination; apply the values; delete the
        sources.
        """
        merged = [scene for scene in sources if scene is not destination]
        changes = self._scene_changes(destination, values)
        for scene in merged:
            destination.files += scene.files
            destination.plays = newest_first((*destination.plays, *scene.plays)) if plays else destination.plays
            del self.scenes[scene.id]
        for name, value in changes.items():
            setattr(destination, name, value)
        destination.updated_at = self.stamp()

    def snapshot(self, scene: Scene) -> SceneSnapshot:
        """The scene in plain values."""
        return SceneSnapshot(
            id=scene.id,
            title=scene.title,
            code=scene.code,
            details=scene.details,
            director=scene.director,
            date=scene.date,
            rating100=scene.rating100,
            organized=scene.organized,
            urls=scene.urls,
            studio=scene.studio.name if scene.studio else None,
            performers=tuple((p.name, p.disambiguation) if p.disambiguation else p.name for p in scene.performers),
            tags=tuple(tag.name for tag in scene.tags),
            groups=tuple((place.group.name, place.scene_index) for place in scene.groups),
            files=tuple((file.path, file.size, file.duration) for file in scene.files),
            cover=scene.cover,
            created_at=scene.created_at,
            updated_at=scene.updated_at,
            plays=scene.plays,
            resume_time=scene.resume_time,
            play_duration=scene.play_duration,
        )


K = TypeVar("K")


def found(records: Mapping[int, K], id_: object, kind: str) -> K:
    """The record with this id; raises StashError for an invalid or unknown id."""
    try:
        return records[int(str(id_))]
    except ValueError:
        raise StashError(f"converting id: {id_!r} is not a number") from None
    except KeyError:
        raise StashError(f"{kind} with id {id_} not found") from None


def one_of(records: Mapping[int, K], id_: object) -> K | None:
    """The record with this id or None; raises StashError for an invalid id."""
    try:
        return records.get(int(str(id_)))
    except ValueError:
        raise StashError(f"converting id: {id_!r} is not a number") from None


def seconds(stamp: str) -> int:
    """A timestamp in Unix seconds."""
    return int(datetime.fromisoformat(stamp).timestamp())


def newest_first(plays: Iterable[int]) -> tuple[int, ...]:
    """Plays in the order of Stash."""
    return tuple(sorted(plays, reverse=True))


def basename(path: str) -> str:
    """The last part of a path: after the last backslash of a Windows path, else after the last slash."""
    windows = path.startswith("\\\\") or path[1:3] == ":\\"
    return path.rsplit("\\" if windows else "/", 1)[-1]


def fingerprints(size: int, duration: float) -> tuple[Fingerprint, ...]:
    """Generated hashes that copies of one file share."""
    digest = hashlib.sha256(f"{size} {duration}".encode()).hexdigest()
    return (Fingerprint("oshash", digest[:16]), Fingerprint("md5", digest[16:48]))


def checked_date(value: str) -> str:
    """The date, which may be only a year or a month; raises StashError for anything else."""
    if not DATE.fullmatch(value):
        raise StashError(f"parsing date {value!r}")
    return value


def decoded_image(text: str) -> bytes:
    """The bytes of a base64 data URL."""
    try:
        return base64.b64decode(text.partition(",")[2] or text, validate=True)
    except binascii.Error:
        raise StashError("cover image is not base64 data") from None


def primary_first(scene: Scene, file_id: object) -> tuple[VideoFile, ...]:
    """The scene's files with the given one first; raises StashError if it is not the scene's."""
    first = [file for file in scene.files if str(file.id) == str(file_id)]
    if not first:
        raise StashError(f"file {file_id} is not of scene {scene.id}")
    return (*first, *(file for file in scene.files if file is not first[0]))
