"""A Stash on loopback: the GraphQL API, pictures, sign-in, hooks and jobs, with data in memory.

`StashSim` is started and stopped like any `HttpServer`; its methods are the actions of a user in Stash's
pages. The base class has the network faults; `graphql_fault` alters well-formed answers instead. The clock is `now`:
it starts at a fixed moment and advances by itself, unless a test replaces it.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from plexsync.simulator.feed import Feed
from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.stash_api import SCHEMA_VERSION, Asking, StashApi
from plexsync.simulator.stash_graphql import Executor, Resolver, StashError
from plexsync.simulator.stash_hooks import Event, HookRunner, Sessions, Visited
from plexsync.simulator.stash_images import DEFAULT_IMAGE, media_type
from plexsync.simulator.stash_jobs import Job, Jobs
from plexsync.simulator.stash_log import STATEMENTS, LogFeed, StashLog
from plexsync.simulator.stash_model import FileSpec, Name, SceneSnapshot, StashBackup, StashData
from plexsync.simulator.stash_player import StashPlayer
from plexsync.simulator.stash_plays import ScenePlays
from plexsync.simulator.stash_schema import schema

BEGINNING = datetime(2026, 1, 15, 10, 0, tzinfo=UTC).timestamp()
PICTURES = {
    ("performer", "image"): "image",
    ("studio", "image"): "image",
    ("tag", "image"): "image",
    ("image", "image"): "image",
    ("group", "frontimage"): "image",
    ("group", "backimage"): "back_image",
}
UNAUTHORIZED = Answer(401, b"", "text/plain; charset=utf-8")
NOT_FOUND = Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")


# A session cookie that Stash does not accept.
NOBODY = "session-of-nobody"


def _asset(plugin: HookRunner, name: str) -> Answer:
    """A file in the folder that the manifest names for all assets; as in Stash, nothing outside of the plugin's folder."""
    root = Path(plugin.plugin_dir) / plugin.assets.get("/", "")
    file = root / name
    if "/" not in plugin.assets or ".." in file.parts or not file.is_file():
        return NOT_FOUND
    return Answer(200, file.read_bytes(), "application/json" if file.suffix == ".json" else "application/octet-stream")


class StashSim(HttpServer):
    """A simulated Stash that is complete enough to sync from.

    `hooks` is the installed plugin (None: none), `others` are further ones, `plugin_settings` the stored settings of
    plugins, `system_status` the answer to systemStatus. `graphql_fault` gets each 200 body of the API as a dict and
    returns the one to send. While `blobs_away`, pictures can't be read, and default ones are sent instead. With
    `api_key` empty there is no sign-in, and a request with a key is rejected. `log_lines` is the log; its subscribers
    are refused unless `sends_log`. `plays` adds and removes plays as a user does; `open_player` watches a scene. `ui` are
    the settings of Stash's interface. `is_locked` tells for which mutations, by name, the database is locked.
    """

    def __init__(self, api_key: str = "", port: int = 0, utc_offset_minutes: int = 0, version: str = "v0.30.1") -> None:
        super().__init__(port=port)
        self.api_key = api_key
        self.username = "someone" if api_key else ""
        self.utc_offset_minutes = utc_offset_minutes
        self.version = version
        self.system_status = "OK"
        self.config_dir = "/config"
        self.hooks: HookRunner | None = None
        self.others: list[HookRunner] = []
        self.graphql_fault: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.blobs_away = False
        self.now: Callable[[], float] = running_clock()
        self.sessions = Sessions()
        self.data = StashData(self.stamp)
        self.plays = ScenePlays(self.data)
        self.jobs = Jobs(self.stamp)
        self.log_lines = StashLog(self.stamp)
        self.sends_log = True
        self.ui: dict[str, Any] = {}
        self.is_locked: Callable[[str], bool] = lambda name: False
        self._api = StashApi(self.data, self.jobs, self._fire, self._run_task, self._run_operation, self._facts)
        knows_files = tuple(int(part) for part in version.lstrip("v").split(".")[:2]) >= (0, 29)
        resolvers = self._api.resolvers()
        resolvers["Mutation"] = {name: self._unless_locked(name, one) for name, one in resolvers["Mutation"].items()}
        self.executor = Executor(schema(files=knows_files), resolvers, self.data.lock)

    @property
    def plugin_settings(self) -> dict[str, dict[str, Any]]:
        """The stored settings by plugin id; may be changed in place."""
        return self._api.plugin_settings

    def stamp(self) -> str:
        """The current time as Stash writes it: RFC 3339 with the server's offset, whole seconds."""
        zone = timezone(timedelta(minutes=self.utc_offset_minutes))
        return datetime.fromtimestamp(int(self.now()), zone).isoformat().replace("+00:00", "Z")

    def stop(self) -> None:
        """Close everything; a running hook or task is killed."""
        for plugin in self.plugins():
            plugin.stop()
        self.jobs.close()
        super().stop()

    def plugins(self) -> list[HookRunner]:
        """The installed plugins."""
        found = [*([] if self.hooks is None else [self.hooks]), *self.others]
        for plugin in found:
            plugin.host = self
        return found

    def write_log(self, level: str, message: str) -> None:
        """Add a line to the log."""
        self.log_lines.write(level, message)

    def ask_inside(self, query: str, variables: dict[str, Any], session: str) -> dict[str, Any]:
        """Answer a GraphQL request of a script that runs inside, with its session."""
        asking = Asking(self.url, self.sessions.visited.get(session, ()), self.api_key, inside=True)
        return self.executor.answer(query, variables, None, asking).body

    # events in Stash

    def add_scene(
        self,
        title: str = "",
        details: str = "",
        date: str | None = None,
        rating100: int | None = None,
        studio: str | None = None,
        performers: Iterable[Name] = (),
        tags: Iterable[str] = (),
        organized: bool = False,
        files: Sequence[FileSpec] = (("/data/a.mp4", 123456, 60.0),),
        **more: Any,
    ) -> int:
        """Add a scene as a scan does; returns its id. Names create performers, studios and tags; `more` as in
        `edit_scene`.

        Starts the hook for a created scene (with no input, as a scan does) if `hooks` has one.
        """
        values = {
            "title": title,
            "details": details,
            "date": date,
            "rating100": rating100,
            "studio": studio,
            "performers": performers,
            "tags": tags,
            "organized": organized,
            **more,
        }
        with self.data.lock:
            scene = self.data.new_scene(files)
            try:
                self.data.edit_scene(scene, self._input(values))
            except StashError:
                self.data.remove_scene(scene)
                raise
        self._fire([Event("Scene.Create.Post", scene.id)])
        return scene.id

    def edit_scene(self, scene_id: int, **changes: Any) -> None:
        """Edit the scene as a user does: `updated_at` changes, and the hook runs before this returns.

        Changes: title, code, details, director, date, rating100, organized, urls, stash_ids ((endpoint, id) pairs),
        studio (a name or None), performers and tags (names; a performer may be a pair with the disambiguation), groups
        (names or (name, index) pairs), cover (bytes).
        """
        with self.data.lock:
            self.data.scene(scene_id)
            values = {"id": str(scene_id), **self._input(changes)}
        self._api.update_scene(values, ())

    def quiet_edit(self, scene_id: int, **changes: Any) -> None:
        """Edit as auto tag does: changes as in `edit_scene`, `updated_at` changes, no hook runs."""
        with self.data.lock:
            self.data.edit_scene(self.data.scene(scene_id), self._input(changes))

    def destroy_scene(self, scene_id: int) -> None:
        """Delete the scene as a user does."""
        self._api.destroy_scenes([scene_id], {"id": str(scene_id)}, ())

    def clean_scene(self, scene_id: int) -> None:
        """Remove the scene as a clean job does; the id in the hook's input is empty then."""
        self._api.destroy_scenes([scene_id], {"id": ""}, ())

    def merge_scenes(self, sources: Iterable[int], destination: int, *, plays: bool = True) -> None:
        """Merge scenes as a user does, who is offered their plays as well; no hook runs."""
        self._api.merge_scenes({"source": list(sources), "destination": destination, "play_history": plays})
        self.log_lines.take_file(destination)

    def assign_file(self, path: str, scene_id: int) -> None:
        """Assign a file to a scene as a user does: no hook runs and no time changes."""
        with self.data.lock:
            file = next(file for file in self.data.files.values() if file.path == path)
            for scene in self.data.scenes.values():
                scene.files = tuple(other for other in scene.files if other is not file)
            self.data.scene(scene_id).files += (file,)
        self.log_lines.take_file(scene_id)

    def rename_performer(self, old: Name, new: str) -> None:
        """Rename a performer; its hook runs, scenes keep their `updated_at`."""
        self._api.update_performer({"id": str(self._known(self.data.performers, old)), "name": new}, ())

    def rename_studio(self, old: str, new: str) -> None:
        """Rename a studio; its hook runs, scenes keep their `updated_at`."""
        self._api.update_studio({"id": str(self._known(self.data.studios, old)), "name": new}, ())

    def rename_tag(self, old: str, new: str) -> None:
        """Rename a tag; its hook runs, scenes keep their `updated_at`."""
        self._api.update_tag({"id": str(self._known(self.data.tags, old)), "name": new}, ())

    def rename_group(self, old: str, new: str) -> None:
        """Rename a group; its hook runs, scenes keep their `updated_at`."""
        self._api.update_group({"id": str(self._known(self.data.groups, old)), "name": new}, ())

    def edit_object(self, kind: str, name: Name, **changes: Any) -> None:
        """Edit a performer, studio, tag or group by its name as a user does, in the words of its update; pictures are bytes.

        Its hook runs, scenes keep their `updated_at`.
        """
        updates: dict[str, Callable[[Mapping[str, Any], Visited], object]] = {
            "performer": self._api.update_performer,
            "studio": self._api.update_studio,
            "tag": self._api.update_tag,
            "group": self._api.update_group,
        }
        values = {name: sent_image(value) if isinstance(value, bytes) else value for name, value in changes.items()}
        id_ = self._known(getattr(self.data, f"{kind}s"), name)
        updates[kind]({"id": str(id_), **values}, ())

    def destroy(self, kind: str, name: str) -> None:
        """Delete a performer, studio, tag or group; its hook runs, scenes keep their `updated_at`."""
        records: dict[str, Any] = {
            "performer": self.data.performers,
            "studio": self.data.studios,
            "tag": self.data.tags,
            "group": self.data.groups,
        }
        self._api.destroy(kind, {"id": str(self._known(records[kind], name))}, ())

    def merge_tags(self, sources: Iterable[str], destination: str) -> None:
        """Merge tags into one; its hook runs, scenes keep their `updated_at`."""
        ids = [str(self._known(self.data.tags, name)) for name in sources]
        self._api.merge_tags({"source": ids, "destination": str(self._known(self.data.tags, destination))}, ())

    def set_parent_studio(self, name: str, parent: str | None) -> None:
        """Set a studio's parent (created if missing), or remove it."""
        with self.data.lock:
            studio = self.data.studio_named(name)
            studio.parent_studio = None if parent is None else self.data.studio_named(parent)
            studio.updated_at = self.stamp()

    def set_tag_parents(self, name: str, parents: Iterable[str]) -> None:
        """Set a tag's parents (created if missing)."""
        with self.data.lock:
            tag = self.data.tag_named(name)
            tag.parents = tuple(self.data.tag_named(parent) for parent in parents)
            tag.updated_at = self.stamp()

    def set_cover(self, scene_id: int, image: bytes | None) -> None:
        """Set or remove a generated cover: `updated_at` changes, no hook runs."""
        with self.data.lock:
            scene = self.data.scene(scene_id)
            scene.cover, scene.updated_at = image, self.stamp()

    def add_gallery(self, scene_id: int, *images: bytes) -> int:
        """Scan a gallery of these images and link the scene to it: `updated_at` changes, no hook runs. Returns its id."""
        with self.data.lock:
            scene = self.data.scene(scene_id)
            gallery = self.data.new_gallery(images)
            scene.galleries, scene.updated_at = (*scene.galleries, gallery), self.stamp()
            return gallery.id

    def set_gallery_cover(self, scene_id: int, gallery_id: int, number: int) -> None:
        """Choose the image of a gallery that is its cover, by its place; the scene keeps its `updated_at`."""
        with self.data.lock:
            gallery = next(one for one in self.data.scene(scene_id).galleries if one.id == gallery_id)
            gallery.cover_image = gallery.images[number]

    def open_player(self, scene_id: int) -> StashPlayer:
        """Open a scene in Stash's own player, by the settings of the interface of now."""
        with self.data.lock:
            length = self.data.scene(scene_id).files[0].duration
        return StashPlayer(self.plays, scene_id, length, self.ui)

    def attach_file(self, scene_id: int, file: FileSpec) -> None:
        """Add a file to the scene as a scan does: `updated_at` changes, the hook runs without input."""
        with self.data.lock:
            scene = self.data.scene(scene_id)
            scene.files += (self.data.new_file(file),)
            scene.updated_at = self.stamp()
        self._fire([Event("Scene.Update.Post", scene_id)])

    def rename_file(self, old: str, new: str) -> None:
        """Rename a file as a scan finds it: the hook runs without input, only the file's `updated_at` changes."""
        with self.data.lock:
            scenes = [scene for scene in self.data.scenes.values() if any(file.path == old for file in scene.files)]
            for file in self.data.files.values():
                if file.path == old:
                    file.path, file.updated_at = new, self.stamp()
        self._fire([Event("Scene.Update.Post", scene.id) for scene in scenes])

    def move_folder(self, old: str, new: str) -> None:
        """Move a folder as a scan finds it: paths change, but no hook runs and no time changes."""
        with self.data.lock:
            for file in self.data.files.values():
                if file.path.startswith(old):
                    file.path = new + file.path[len(old) :]

    # the whole database

    def backup(self) -> StashBackup:
        """A copy of the whole database."""
        with self.data.lock:
            return self.data.backup()

    def restore(self, backup: StashBackup) -> None:
        """Put a backup back: ids that were dealt since are dealt again. No hook runs."""
        with self.data.lock:
            self.data.restore(backup)

    def wipe(self) -> StashBackup:
        """Empty the database, as after another one was mounted; returns the copy that brings everything back."""
        with self.data.lock:
            backup = self.data.backup()
            self.data.restore(StashBackup())
            return backup

    def rebuild(self, rng: Random) -> dict[int, int]:
        """Replace the database by a new one of the same files and values: other ids, another `created_at`. Returns the new
        ids of the scenes by the old ones. No hook runs.
        """
        with self.data.lock:
            return self.data.rebuild(rng)

    # inspecting the state

    def scene(self, scene_id: int) -> SceneSnapshot:
        """The scene as it is now; raises StashError if there is none."""
        with self.data.lock:
            return self.data.snapshot(self.data.scene(scene_id))

    def scene_ids(self) -> list[int]:
        """The ids of all scenes."""
        with self.data.lock:
            return sorted(self.data.scenes)

    def wait_for_jobs(self, timeout: float = 10.0) -> bool:
        """Wait until the job queue is empty; False if that took too long."""
        return self.jobs.wait(timeout)

    def session_cookie(self) -> str:
        """The value of a `session` cookie of a signed-in user."""
        return self.sessions.open()

    # over HTTP

    def answer(self, request: Request) -> Answer:
        """Answer one request: /healthz for everyone, the rest for signed-in users."""
        if request.path == "/healthz":
            return Answer(200, b".", "text/plain; charset=utf-8")
        visited = self._admitted(request)
        if visited is None:
            return UNAUTHORIZED
        if request.path == "/graphql" and request.method == "POST":
            return self._graphql(request, visited)
        if request.method in ("GET", "HEAD") and request.path.startswith("/plugin/"):
            return self._plugin_file(request.path)
        if request.method in ("GET", "HEAD"):
            default = request.params.get("default") == "true"
            return self._picture(request.path, request.headers.get("if-none-match", ""), default=default)
        return NOT_FOUND

    def subscribe(self, request: Request) -> Feed | Answer | None:
        """Accept a subscription to the log; None for another path."""
        if request.path != "/graphql":
            return None
        if self._admitted(request) is None:
            return UNAUTHORIZED
        return LogFeed(self.log_lines, refuses=not self.sends_log)

    def _admitted(self, request: Request) -> Visited | None:
        """The hooks that led to the request; None if it is to be rejected."""
        key = request.headers.get("apikey") or request.params.get("apikey")
        visited = self.sessions.visited.get(session_of(request))
        if key:
            return (visited or ()) if self.api_key and key == self.api_key else None
        if self.api_key and visited is None:
            return None
        return visited or ()

    def _graphql(self, request: Request, visited: Visited) -> Answer:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return json_answer(400, {"errors": [{"message": "transport not supported"}], "data": None})
        asked = decoded(request.body)
        if asked is None:
            return json_answer(400, {"errors": [{"message": "json request body could not be decoded"}], "data": None})
        host = request.headers.get("host") or urlsplit(self.url).netloc
        asking = Asking(f"http://{host}", visited, self.api_key)
        self.log_lines.write("trace", "SQL [12.4µs]: SELECT `id` FROM `scenes` WHERE (`id` = ?), args: [1]")
        reply = self.executor.answer(
            asked["query"], asked.get("variables") or {}, asked.get("operationName") or None, asking
        )
        body = reply.body
        if self.graphql_fault is not None and reply.status == 200:
            body = self.graphql_fault(body)
        return json_answer(reply.status, body)

    def _picture(self, path: str, known: str, *, default: bool) -> Answer:
        """A picture, or the default one; its date comes from the clock of `updated_at`."""
        answer = picture(None, known) if default else self._any_picture(path, known)
        return replace(answer, headers={**answer.headers, "Date": formatdate(self.now(), usegmt=True)})

    def _any_picture(self, path: str, known: str) -> Answer:
        parts = path.strip("/").split("/")
        if len(parts) != 3 or not parts[1].isdigit():
            return NOT_FOUND
        kind, id_, leaf = parts[0], int(parts[1]), parts[2]
        with self.data.lock:
            if (kind, leaf) == ("scene", "screenshot"):
                scene = self.data.scenes.get(id_)
                return NOT_FOUND if scene is None else self._shown(scene.cover, known)
            attribute = PICTURES.get((kind, leaf))
            if attribute is None:
                return NOT_FOUND
            records: Mapping[int, Any] = getattr(self.data, f"{kind}s")
            record = records.get(id_)
            return NOT_FOUND if record is None else self._shown(getattr(record, attribute), known)

    def _shown(self, image: bytes | None, known: str) -> Answer:
        return picture(None if self.blobs_away else image, known)

    # internals

    def _fire(self, events: list[Event], visited: Visited = ()) -> None:
        self.log_lines.write_statements(STATEMENTS * len(events))
        plugins = self.plugins()
        for event in events if len(plugins) > 1 else ():
            for plugin in plugins:
                plugin.fire([event], self.port, self.sessions, visited)
        if len(plugins) == 1:
            plugins[0].fire(events, self.port, self.sessions, visited)

    def _run_task(self, plugin_id: str, task_name: str | None, args: Mapping[str, Any]) -> int:
        hooks = self._plugin(plugin_id)

        def work(job: Job) -> None:
            task = hooks.task_named(task_name) if hooks is not None else None
            if hooks is None or task is None:
                return  # Stash only logs this: the job is finished all the same

            def progressed(part: float) -> None:
                job.progress = part

            hooks.run_task(task, self.port, self.sessions.open(), args, job.kill, progressed)

        return self.jobs.add(f"Running plugin task: {task_name or plugin_id}", work).id

    def _plugin(self, plugin_id: str) -> HookRunner | None:
        return next((plugin for plugin in self.plugins() if plugin.plugin_id == plugin_id), None)

    def _run_operation(self, plugin_id: str, args: Mapping[str, Any], inside: bool) -> Any:
        """Run the plugin at once; its output is the answer, its error the request's error."""
        hooks = self._plugin(plugin_id)
        if hooks is None or not hooks.enabled:
            raise StashError(f"plugin {plugin_id} is not there, or disabled")
        outcome = hooks.run_operation(self.port, NOBODY if inside else self.sessions.open(), args).outcome
        if outcome is None or outcome.error is not None:
            raise StashError("the plugin can't be started" if outcome is None else outcome.error)
        return outcome.output

    def _plugin_file(self, path: str) -> Answer:
        """The plugin's scripts or styles, concatenated in the order of its manifest."""
        _, id_, what, *rest = [*path.strip("/").split("/"), "", ""]
        hooks = self._plugin(id_)
        if hooks is not None and hooks.enabled and what == "assets":
            return _asset(hooks, "/".join(rest).strip("/"))
        if hooks is None or what not in hooks.ui or any(rest):
            return NOT_FOUND
        kind = {"javascript": "text/javascript", "css": "text/css"}[what]
        content = b"\n".join((Path(hooks.plugin_dir) / name).read_bytes() for name in hooks.ui[what])
        return Answer(200, content, f"{kind}; charset=utf-8")

    def _unless_locked(self, name: str, mutate: Resolver) -> Resolver:
        def mutate_or_fail(*asked: Any, **arguments: Any) -> Any:
            if self.is_locked(name):
                raise StashError("database is locked (5) (SQLITE_BUSY)")
            return mutate(*asked, **arguments)

        return mutate_or_fail

    def _facts(self) -> dict[str, Any]:
        folder = self.hooks.dir if self.hooks is not None else self.config_dir
        return {
            "version": self.version,
            "hash": "0" * 8,
            "build_time": "2026-01-01 00:00:00",
            "databaseSchema": SCHEMA_VERSION,
            "appSchema": SCHEMA_VERSION,
            "databasePath": f"{folder}/stash-go.sqlite",
            "configPath": f"{folder}/config.yml",
            "configFilePath": f"{folder}/config.yml",
            "pluginsPath": f"{folder}/plugins",
            "status": self.system_status,
            "os": "linux",
            "workingDir": folder,
            "homeDir": folder,
            "stashes": [{"path": "/data", "excludeVideo": False, "excludeImage": False}],
            "apiKey": self.api_key,
            "username": self.username,
            "plugins": [self._installed(plugin) for plugin in self.plugins()],
            "parallelTasks": 1,
            "maxSessionAge": 3600,
            "ui": self.ui,
        }

    def _installed(self, hooks: HookRunner) -> dict[str, Any]:
        return {"id": hooks.plugin_id, "name": hooks.plugin_id, "version": "0.1.0", "enabled": hooks.enabled}

    def _known(self, records: Mapping[int, Any], name: Name) -> int:
        """The id of the record with this name; raises StashError if there is none."""
        plain, disambiguation = (name, None) if isinstance(name, str) else name
        with self.data.lock:
            for record in records.values():
                if record.name == plain and (disambiguation is None or record.disambiguation == disambiguation):
                    return int(record.id)
        raise StashError(f"nothing is named {plain!r}")

    def _input(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Convert changes by name to an update's input by id; raises TypeError for an unknown change."""
        values: dict[str, Any] = {}
        for name, value in changes.items():
            match name:
                case "studio":
                    values["studio_id"] = None if value is None else str(self.data.studio_named(value).id)
                case "performers":
                    values["performer_ids"] = [str(self.data.performer_named(one).id) for one in value]
                case "tags":
                    values["tag_ids"] = [str(self.data.tag_named(one).id) for one in value]
                case "groups":
                    values["groups"] = [self._place(one) for one in value]
                case "cover":
                    if value is not None:
                        values["cover_image"] = sent_image(value)
                case "stash_ids":
                    values[name] = [{"endpoint": endpoint, "stash_id": id} for endpoint, id in value]
                case "title" | "code" | "details" | "director" | "date" | "rating100" | "organized" | "urls":
                    values[name] = list(value) if name == "urls" else value
                case _:
                    raise TypeError(f"a scene has no {name!r} to change")
        return values

    def _place(self, group: str | tuple[str, int | None]) -> dict[str, Any]:
        name, index = (group, None) if isinstance(group, str) else group
        return {"group_id": str(self.data.group_named(name).id), "scene_index": index}


def running_clock() -> Callable[[], float]:
    """A clock in Unix seconds that starts at a fixed moment now and advances from there."""
    offset = BEGINNING - time.monotonic()
    return lambda: time.monotonic() + offset


def decoded(body: bytes) -> dict[str, Any] | None:
    """The body of a GraphQL request; None if it is not one."""
    try:
        asked = json.loads(body)
    except ValueError:
        return None
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        return None
    return asked if isinstance(asked.get("variables") or {}, dict) else None


def session_of(request: Request) -> str:
    """The value of the session cookie, '' if there is none."""
    try:
        cookie = SimpleCookie(request.headers.get("cookie", "")).get("session")
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def picture(image: bytes | None, known: str) -> Answer:
    """An image, or the default one for a missing image; 304 if the client has it already."""
    shown = image or DEFAULT_IMAGE
    tag = f'"{hashlib.md5(shown, usedforsecurity=False).hexdigest()}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    return Answer(304, b"", headers=headers) if known == tag else Answer(200, shown, media_type(shown), headers)


def sent_image(image: bytes) -> str:
    """A picture as an input of the API has it."""
    return f"data:{media_type(image)};base64,{base64.b64encode(image).decode()}"


def json_answer(status: int, body: dict[str, Any]) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(body, ensure_ascii=False).encode(), "application/json")
