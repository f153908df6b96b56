"""The simulated Stash's resolvers for each field of its schema, and the hooks of each mutation.

Mutations change the data with its lock held, then start hooks without it (a hook may query or change data itself), and
only then read the answer. Hooks receive the input in the same shape as from Stash.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import GraphQLInputObjectType

from plexsync.simulator.stash_creates import Creates, used_by
from plexsync.simulator.stash_graphql import Resolver, StashError
from plexsync.simulator.stash_hooks import Event, Visited
from plexsync.simulator.stash_jobs import Jobs
from plexsync.simulator.stash_model import (
    Group,
    Performer,
    Scene,
    StashData,
    Studio,
    Tag,
    decoded_image,
    found,
    one_of,
    seconds,
)
from plexsync.simulator.stash_plays import ScenePlays, scene_fields
from plexsync.simulator.stash_schema import schema
from plexsync.simulator.stash_search import (
    FILE_SORT_KEYS,
    NAMED_SORT_KEYS,
    SCENE_SORT_KEYS,
    Predicate,
    file_filter,
    group_filter,
    lineage,
    name_words,
    page_of,
    path_words,
    performer_filter,
    scene_filter,
    scene_studios,
    scene_tags,
    scene_words,
    studio_filter,
    studio_parents,
    tag_filter,
    tag_parents,
)

SCHEMA_VERSION = 75


@dataclass(frozen=True)
class Asking:
    """The context of a request: the address it used, the hooks that led to it, and the key for stream addresses.

    `inside`: a script in Stash asks; plugins that it runs get the session of nobody.
    """

    base: str
    visited: Visited = ()
    api_key: str = ""
    inside: bool = False


@dataclass(frozen=True)
class Page:
    """One page of a search: the number of all matches, and the page's records under the name of their kind."""

    count: int
    all: Sequence[Any]
    page: Sequence[Any]


@dataclass
class StashApi:
    """The resolvers over one set of data.

    `fire` starts the hooks of a request's events; `run_task` queues a plugin's task, `run_operation` runs a plugin
    while the request waits.
    """

    data: StashData
    jobs: Jobs
    fire: Callable[[list[Event], Visited], None]
    run_task: Callable[[str, str | None, Mapping[str, Any]], int]
    run_operation: Callable[[str, Mapping[str, Any], bool], Any]
    facts: Callable[[], Mapping[str, Any]]
    plugin_settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def resolvers(self) -> dict[str, dict[str, Resolver]]:
        """The table for the executor; fields without an entry are attributes."""
        used = used_by(self.data)
        return {
            "Query": self.queries(),
            "Mutation": self.mutations(),
            "ConfigResult": {"general": whole, "plugins": self.settings_of, "ui": item("ui")},
            "FindScenesResultType": {
                "duration": lambda found, _: sum(f.duration for scene in found.all for f in scene.files),
                "filesize": lambda found, _: float(sum(f.size for scene in found.all for f in scene.files)),
                "scenes": page,
            },
            "FindPerformersResultType": {"performers": page},
            "FindStudiosResultType": {"studios": page},
            "FindTagsResultType": {"tags": page},
            "FindGroupsResultType": {"groups": page},
            "FindFilesResultType": {"files": page},
            "Scene": {"id": id_text, "paths": whole, **scene_fields()},
            "ScenePathsType": {"screenshot": screenshot, "stream": stream},
            "VideoFile": {"id": id_text, "fingerprint": fingerprint},
            "Gallery": {"id": id_text},
            "Image": {"id": id_text},
            "Performer": {
                "id": id_text,
                **used["Performer"],
                "image_path": image_path("performer"),
                "scene_count": self.scene_count,
                "scenes": lambda record, _: self.data.scenes_with(record),
            },
            "Studio": {
                "id": id_text,
                **used["Studio"],
                "image_path": image_path("studio"),
                "scene_count": self.scene_count,
                "child_studios": lambda studio, _: [s for s in self.data.studios.values() if s.parent_studio is studio],
            },
            "Tag": {
                "id": id_text,
                **used["Tag"],
                "image_path": image_path("tag"),
                "scene_count": self.scene_count,
                "children": lambda tag, _: [t for t in self.data.tags.values() if tag in t.parents],
            },
            "Group": {
                "id": id_text,
                "front_image_path": image_path("group", "frontimage"),
                "back_image_path": back_image_path,
                "scene_count": self.scene_count,
                "scenes": lambda record, _: self.data.scenes_with(record),
            },
            "Directory": {key: item(key) for key in ("path", "parent", "directories")},
            "Job": {"id": id_text, "subTasks": lambda job, _: None},
            **{name: {key: item(key) for key in keys} for name, keys in FACTS.items()},
        }

    def queries(self) -> dict[str, Resolver]:
        """The fields of Query."""
        data = self.data
        return {
            "version": lambda *_: self.facts(),
            "systemStatus": lambda *_: self.facts(),
            "configuration": lambda *_: self.facts(),
            "plugins": lambda *_: self.facts()["plugins"],
            "directory": lambda _, __, path=None, locale="en": directory(path or self.facts()["homeDir"]),
            "findScene": self.find_scene,
            "findScenes": lambda _, __, **asked: self.find(
                data.scenes, scene_filter, scene_words, SCENE_SORT_KEYS, asked
            ),
            "findPerformer": lambda _, __, id: one_of(data.performers, id),
            "findPerformers": lambda _, __, **asked: self.find_named(data.performers, performer_filter, asked),
            "findStudio": lambda _, __, id: one_of(data.studios, id),
            "findStudios": lambda _, __, **asked: self.find_named(data.studios, studio_filter, asked),
            "findTag": lambda _, __, id: one_of(data.tags, id),
            "findTags": lambda _, __, **asked: self.find_named(data.tags, tag_filter, asked),
            "findGroup": lambda _, __, id: one_of(data.groups, id),
            "findGroups": lambda _, __, **asked: self.find_named(data.groups, group_filter, asked),
            "findFiles": lambda _, __, **asked: self.find(data.files, file_filter, path_words, FILE_SORT_KEYS, asked),
            "jobQueue": lambda *_: self.jobs.queue() or None,
            "findJob": lambda _, __, input: self.jobs.find(input["id"]),
        }

    def mutations(self) -> dict[str, Resolver]:
        """The fields of Mutation."""
        return {
            "sceneCreate": lambda _, asking, input: self.create_scene(input, asking.visited),
            "sceneUpdate": lambda _, asking, input: self.update_scene(input, asking.visited),
            "scenesUpdate": lambda _, asking, input: self.update_scenes(input, asking.visited),
            "bulkSceneUpdate": lambda _, asking, input: self.bulk_update(input, asking.visited),
            "sceneMerge": lambda _, asking, input: self.merge_scenes(input),
            "sceneDestroy": lambda _, asking, input: self.destroy_scenes([input["id"]], input, asking.visited),
            "scenesDestroy": lambda _, asking, input: self.destroy_scenes(input["ids"], input, asking.visited),
            **ScenePlays(self.data).mutations(),
            **Creates(self.data, self.fire).mutations(),
            "performerUpdate": lambda _, asking, input: self.update_performer(input, asking.visited),
            "studioUpdate": lambda _, asking, input: self.update_studio(input, asking.visited),
            "tagUpdate": lambda _, asking, input: self.update_tag(input, asking.visited),
            "groupUpdate": lambda _, asking, input: self.update_group(input, asking.visited),
            "performerDestroy": lambda _, asking, input: self.destroy("performer", input, asking.visited),
            "studioDestroy": lambda _, asking, input: self.destroy("studio", input, asking.visited),
            "tagDestroy": lambda _, asking, input: self.destroy("tag", input, asking.visited),
            "groupDestroy": lambda _, asking, input: self.destroy("group", input, asking.visited),
            "tagsMerge": lambda _, asking, input: self.merge_tags(input, asking.visited),
            "configurePlugin": lambda _, __, plugin_id, input: self.configure(plugin_id, input),
            "runPluginTask": self.queue_task,
            "runPluginOperation": lambda _, asking, plugin_id, args=None: self.run_operation(
                plugin_id, args or {}, asking.inside
            ),
            "stopJob": self.stop_job,
        }

    def find_scene(self, _: Any, __: Asking, id: str | None = None, checksum: str | None = None) -> Scene | None:
        """The scene with this id, or with a file with this checksum; None if there is none."""
        if id is not None:
            scene: Scene | None = one_of(self.data.scenes, id)
            return scene
        with_it = (
            scene
            for scene in self.data.scenes.values()
            if any(mark.type == "md5" and mark.value == checksum for file in scene.files for mark in file.fingerprints)
        )
        return next(with_it, None)

    def find(
        self,
        records: Mapping[int, Any],
        make_filter: Callable[[Mapping[str, Any]], Predicate],
        make_words: Callable[[str], Predicate],
        sort_keys: Mapping[str, Callable[[Any], Any]],
        asked: Mapping[str, Any],
    ) -> Page:
        """Records by their ids (all of them, or the whole query fails), or else a page of the matching ones."""
        ids = asked.get("ids") or next((asked[name] for name in asked if name.endswith("_ids")), None)
        if ids:
            listed = [found(records, id_, "record") for id_ in ids]
            return Page(len(listed), listed, listed)
        page_wanted = asked.get("filter") or {}
        tests = [make_filter(wanted) for name, wanted in asked.items() if name.endswith("_filter") and wanted]
        if page_wanted.get("q"):
            tests.append(make_words(page_wanted["q"]))
        fitting = [record for record in records.values() if all(test(record) for test in tests)]
        return Page(len(fitting), fitting, page_of(fitting, page_wanted, sort_keys))

    def find_named(
        self,
        records: Mapping[int, Any],
        make_filter: Callable[[Mapping[str, Any]], Predicate],
        asked: Mapping[str, Any],
    ) -> Page:
        """`find` for records with a name."""
        return self.find(records, make_filter, name_words, NAMED_SORT_KEYS, asked)

    def scene_count(self, record: Any, _: Asking, depth: int | None = None) -> int:
        """The number of scenes that show this record, or one below it at most so many levels (-1: any number)."""
        if not depth or not isinstance(record, Studio | Tag):
            return len(self.data.scenes_with(record))
        above = studio_parents if isinstance(record, Studio) else tag_parents
        shown = scene_studios if isinstance(record, Studio) else scene_tags
        scenes = self.data.scenes.values()
        return sum(any(record.id in lineage(one, depth, above) for one in shown(scene)) for scene in scenes)

    def settings_of(self, _: Any, __: Asking, include: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """The stored settings of each plugin; one without any is missing."""
        return {name: kept for name, kept in self.plugin_settings.items() if include is None or name in include}

    def create_scene(self, values: Mapping[str, Any], visited: Visited) -> Scene:
        """sceneCreate: its hook gets no input."""
        with self.data.lock:
            files = [found(self.data.files, id_, "file") for id_ in values.get("file_ids") or ()]
            if not files and not values.get("title"):
                raise StashError("title must be set if scene has no files")
            scene = self.data.new_scene(())
            scene.files = tuple(files)
            self.data.edit_scene(scene, {name: value for name, value in values.items() if name != "file_ids"})
        self.fire([Event("Scene.Create.Post", scene.id)], visited)
        return scene

    def update_scene(self, values: Mapping[str, Any], visited: Visited) -> Scene:
        """sceneUpdate: its hook gets the input as one object."""
        with self.data.lock:
            scene = self.data.scene(values["id"])
            self.data.edit_scene(scene, values)
        told = shaped("SceneUpdateInput", values)
        self.fire([Event("Scene.Update.Post", scene.id, told, tuple(values))], visited)
        return scene

    def update_scenes(self, inputs: Sequence[Mapping[str, Any]], visited: Visited) -> list[Scene]:
        """scenesUpdate: every hook gets the whole list."""
        with self.data.lock:
            scenes = [self.data.scene(values["id"]) for values in inputs]
            for scene, values in zip(scenes, inputs, strict=True):
                self.data.edit_scene(scene, values)
        told = [shaped("SceneUpdateInput", values) for values in inputs]
        pairs = zip(scenes, inputs, strict=True)
        self.fire([Event("Scene.Update.Post", scene.id, told, tuple(values)) for scene, values in pairs], visited)
        return scenes

    def bulk_update(self, values: Mapping[str, Any], visited: Visited) -> list[Scene]:
        """bulkSceneUpdate: every hook gets the bulk input with all ids."""
        with self.data.lock:
            scenes = [self.data.scene(id_) for id_ in values.get("ids") or ()]
            for scene in scenes:
                self.data.edit_scene(scene, bulk_changes(scene, values))
        told = shaped("BulkSceneUpdateInput", values)
        self.fire([Event("Scene.Update.Post", scene.id, told, tuple(values)) for scene in scenes], visited)
        return scenes

    def merge_scenes(self, values: Mapping[str, Any]) -> Scene:
        """sceneMerge: no hook runs, neither for the destination nor for the sources. Plays go along if that is asked for."""
        with self.data.lock:
            destination = self.data.scene(values["destination"])
            sources = [self.data.scene(id_) for id_ in values["source"]]
            self.data.merge_scenes(
                sources, destination, values.get("values") or {}, plays=bool(values.get("play_history"))
            )
        return destination

    def destroy_scenes(self, ids: Iterable[object], told: Mapping[str, Any], visited: Visited) -> bool:
        """sceneDestroy, scenesDestroy and clean: each hook gets the input and the deleted file."""
        with self.data.lock:
            scenes = [self.data.scene(id_) for id_ in ids]
            for scene in scenes:
                self.data.remove_scene(scene)
        self.fire([Event("Scene.Destroy.Post", s.id, {**destroy_shape(told), **remains(s)}) for s in scenes], visited)
        return True

    def update_performer(self, values: Mapping[str, Any], visited: Visited) -> Performer:
        """performerUpdate: its scenes keep their `updated_at`."""
        with self.data.lock:
            performer = found(self.data.performers, values["id"], "performer")
            assign(
                performer,
                values,
                {"name": kept, "disambiguation": text, "gender": kept, "alias_list": tuple, "details": text},
            )
            performer.updated_at = self.data.stamp()
        self._fire_update("Performer.Update.Post", performer.id, "PerformerUpdateInput", values, visited)
        return performer

    def update_studio(self, values: Mapping[str, Any], visited: Visited) -> Studio:
        """studioUpdate: its scenes keep their `updated_at`."""
        with self.data.lock:
            studio = found(self.data.studios, values["id"], "studio")
            if "parent_id" in values:
                parent = values["parent_id"]
                studio.parent_studio = None if parent is None else found(self.data.studios, parent, "studio")
            assign(studio, values, {"name": kept, "aliases": tuple, "details": text})
            studio.updated_at = self.data.stamp()
        self._fire_update("Studio.Update.Post", studio.id, "StudioUpdateInput", values, visited)
        return studio

    def update_group(self, values: Mapping[str, Any], visited: Visited) -> Group:
        """groupUpdate: its scenes keep their `updated_at`."""
        with self.data.lock:
            group = found(self.data.groups, values["id"], "group")
            assign(group, values, {"name": kept, "aliases": text, "date": kept, "synopsis": text}, GROUP_PICTURES)
            group.updated_at = self.data.stamp()
        self._fire_update("Group.Update.Post", group.id, "GroupUpdateInput", values, visited)
        return group

    def destroy(self, kind: str, values: Mapping[str, Any], visited: Visited) -> bool:
        """performerDestroy and the like: the scenes that showed it keep their `updated_at`."""
        with self.data.lock:
            id_ = self.data.remove(kind, values["id"])
        self.fire([Event(f"{kind.capitalize()}.Destroy.Post", id_, dict(values))], visited)
        return True

    def update_tag(self, values: Mapping[str, Any], visited: Visited) -> Tag:
        """tagUpdate: its scenes keep their `updated_at`."""
        with self.data.lock:
            tag = found(self.data.tags, values["id"], "tag")
            if "parent_ids" in values:
                tag.parents = tuple(found(self.data.tags, id_, "tag") for id_ in values["parent_ids"] or ())
            assign(
                tag,
                values,
                {"name": kept, "sort_name": text, "description": text, "aliases": tuple, "ignore_auto_tag": bool},
            )
            tag.updated_at = self.data.stamp()
        self._fire_update("Tag.Update.Post", tag.id, "TagUpdateInput", values, visited)
        return tag

    def merge_tags(self, values: Mapping[str, Any], visited: Visited) -> Tag:
        """tagsMerge: one Tag.Merge hook for the destination."""
        with self.data.lock:
            destination = found(self.data.tags, values["destination"], "tag")
            self.data.merge_tags([found(self.data.tags, id_, "tag") for id_ in values["source"]], destination)
        self.fire([Event("Tag.Merge.Post", destination.id, dict(values))], visited)
        return destination

    def configure(self, plugin_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """configurePlugin: replaces everything stored for the plugin."""
        self.plugin_settings[plugin_id] = dict(values)
        return self.plugin_settings[plugin_id]

    def queue_task(
        self,
        _: Any,
        __: Asking,
        plugin_id: str,
        task_name: str | None = None,
        description: str | None = None,
        args_map: Mapping[str, Any] | None = None,
    ) -> str:
        """runPluginTask: returns the id of the queued job at once."""
        return str(self.run_task(plugin_id, task_name, args_map or {}))

    def stop_job(self, _: Any, __: Asking, job_id: str) -> bool:
        """stopJob: true whatever happened to the job."""
        self.jobs.stop(job_id)
        return True

    def _fire_update(self, event: str, id_: int, kind: str, values: Mapping[str, Any], visited: Visited) -> None:
        self.fire([Event(event, id_, shaped(kind, values), tuple(values))], visited)


FACTS = {
    "Version": ("version", "hash", "build_time"),
    "SystemStatus": (
        "databaseSchema",
        "databasePath",
        "configPath",
        "appSchema",
        "status",
        "os",
        "workingDir",
        "homeDir",
    ),
    "ConfigGeneralResult": (
        "stashes",
        "apiKey",
        "username",
        "databasePath",
        "configFilePath",
        "pluginsPath",
        "parallelTasks",
        "maxSessionAge",
    ),
    "Plugin": ("id", "name", "version", "enabled"),
    "StashConfig": ("path", "excludeVideo", "excludeImage"),
}


def item(key: str) -> Resolver:
    """Read a key of a mapping."""
    return lambda owner, _: owner[key]


def whole(owner: Any, _: Asking) -> Any:
    """The owner itself, for a field that only groups others."""
    return owner


def page(found_: Page, _: Asking) -> Sequence[Any]:
    """The records of a page."""
    return found_.page


def directory(path: str) -> dict[str, Any]:
    """The directories in a folder; for a path that is none, those beside it whose names begin like it."""
    where = Path(path)
    begins = ""
    if not where.is_dir():
        where, begins = where.parent, where.name.lower()
    if not where.is_dir():
        raise StashError(f"open {where}: no such file or directory")
    names = sorted(entry.name for entry in where.iterdir() if entry.is_dir() and not entry.is_symlink())
    found_here = [str(where / name) for name in names if name.lower().startswith(begins)]
    return {"path": path, "parent": str(Path(path).parent), "directories": found_here}


def id_text(record: Any, _: Asking) -> str:
    """An id as GraphQL sends it."""
    return str(record.id)


def fingerprint(file: Any, _: Asking, type: str) -> str | None:
    """One of the file's hashes."""
    return next((mark.value for mark in file.fingerprints if mark.type == type), None)


def screenshot(scene: Scene, asking: Asking) -> str:
    """The address of the cover; changes with the scene's `updated_at`."""
    return f"{asking.base}/scene/{scene.id}/screenshot?t={seconds(scene.updated_at)}"


def stream(scene: Scene, asking: Asking) -> str:
    """The address of the video; the only one that holds the API key."""
    key = f"?apikey={asking.api_key}" if asking.api_key else ""
    return f"{asking.base}/scene/{scene.id}/stream{key}"


def image_path(kind: str, leaf: str = "image") -> Resolver:
    """The address of a performer's, studio's, tag's or group's picture; `default=true` if it has none of its own."""

    def address(record: Any, asking: Asking) -> str:
        default = "" if record.image else "&default=true"
        return f"{asking.base}/{kind}/{record.id}/{leaf}?t={seconds(record.updated_at)}{default}"

    return address


def back_image_path(group: Group, asking: Asking) -> str | None:
    """The address of the picture on a group's back; null if it has none."""
    if group.back_image is None:
        return None
    return f"{asking.base}/group/{group.id}/backimage?t={seconds(group.updated_at)}"


def shaped(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """An input as Go writes it for hooks: every field of the type, null for missing values."""
    type_ = schema().type_map[kind]
    names = type_.fields if isinstance(type_, GraphQLInputObjectType) else ()
    return {**dict.fromkeys(names), **values}


def destroy_shape(told: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a destroying mutation with its two switches written out."""
    return {"delete_file": None, "delete_generated": None, **told}


def remains(scene: Scene) -> dict[str, str]:
    """The destroy hook's data on the deleted scene: hashes and path of its primary file."""
    file = scene.files[0] if scene.files else None
    marks = {mark.type: mark.value for mark in file.fingerprints} if file else {}
    return {"checksum": marks.get("md5", ""), "oshash": marks.get("oshash", ""), "path": file.path if file else ""}


def bulk_changes(scene: Scene, values: Mapping[str, Any]) -> dict[str, Any]:
    """A bulk input for one scene, as a SceneUpdateInput: lists are set, extended or reduced."""
    changes = {name: value for name, value in values.items() if name not in BULK_LISTS and name != "ids"}
    for name, (target, read) in BULK_LISTS.items():
        if values.get(name) is not None:
            given = values[name].get("ids") or values[name].get("values") or []
            changes[target] = joined(read(scene), given, values[name]["mode"])
    if "group_ids" in changes:
        index = {str(place.group.id): place.scene_index for place in scene.groups}
        changes["groups"] = [{"group_id": id_, "scene_index": index.get(id_)} for id_ in changes.pop("group_ids")]
    return changes


def joined(has: list[str], given: list[str], mode: str) -> list[str]:
    """Set, add or remove members."""
    match mode:
        case "ADD":
            return has + [one for one in given if one not in has]
        case "REMOVE":
            return [one for one in has if one not in given]
        case _:
            return list(given)


BULK_LISTS: dict[str, tuple[str, Callable[[Scene], list[str]]]] = {
    "performer_ids": ("performer_ids", lambda scene: [str(performer.id) for performer in scene.performers]),
    "tag_ids": ("tag_ids", lambda scene: [str(tag.id) for tag in scene.tags]),
    "group_ids": ("group_ids", lambda scene: [str(place.group.id) for place in scene.groups]),
    "urls": ("urls", lambda scene: list(scene.urls)),
}


# The attributes of pictures by their names in an update.
PICTURE = {"image": "image"}
GROUP_PICTURES = {"front_image": "image", "back_image": "back_image"}


def assign(
    record: Any,
    values: Mapping[str, Any],
    fields: Mapping[str, Callable[[Any], Any]],
    pictures: Mapping[str, str] = PICTURE,
) -> None:
    """Set the given fields of a performer, studio, tag or group, and its pictures; null removes one."""
    for name, convert in fields.items():
        if name in values:
            setattr(record, name, convert(values[name]))
    for name, attribute in pictures.items():
        if name in values:
            setattr(record, attribute, decoded_image(values[name]) if values[name] else None)


def kept(value: Any) -> Any:
    """The value unchanged."""
    return value


def text(value: str | None) -> str:
    """A text; null becomes empty."""
    return value or ""
