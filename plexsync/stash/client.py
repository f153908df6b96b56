"""Stash over GraphQL: implements `plexsync.rules.servers.neighbours.Stash`, and the queries of `doctor`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Unpack

import msgspec

from plexsync.http.client import MEGABYTE
from plexsync.rules.match.paths import name_key
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import Newest, News, Picture, Plugin
from plexsync.rules.scene import Image, Scene
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.stash import answers, queries
from plexsync.stash.collecting import StashCollecting
from plexsync.stash.requests import EVERYTHING, StashOptions, StashRequests, by_id, walking
from plexsync.stash.watching import StashWatching

SHOWING_PAGE = 5000
# Settings are the one answer with values of any type; as objects they take many times their size.
SETTINGS_CAP = MEGABYTE
PICTURE_CAP = 64 * MEGABYTE
# Types that a proxy in front of Stash sends; Stash itself never sends them for a picture.
NO_PICTURES = ("text/html", "application/json")

SCENES = msgspec.json.Decoder(dict[str, answers.SceneAnswer | None])
EXISTING = msgspec.json.Decoder(dict[str, answers.ExistingAnswer | None])
WALKED = msgspec.json.Decoder(dict[str, answers.Scenes[answers.SceneAnswer]])
WALKED_IDS = msgspec.json.Decoder(dict[str, answers.Scenes[answers.Stamped]])
RIVALS = msgspec.json.Decoder(dict[str, answers.Scenes[answers.FilesAnswer]])
RECENT = msgspec.json.Decoder(dict[str, answers.FoundThings])
COUNTED = msgspec.json.Decoder(dict[str, answers.Count])
PICTURED = msgspec.json.Decoder(dict[str, answers.PicturePath | None])
NEWEST = msgspec.json.Decoder(answers.NewestOfAll)
QUESTIONS = msgspec.json.Decoder(dict[str, answers.Questions])
RECENT_FILES = msgspec.json.Decoder(dict[str, answers.FoundRecentFiles])
PROBED = msgspec.json.Decoder(dict[str, answers.Status])
VERSION = msgspec.json.Decoder(dict[str, answers.VersionText])
CONFIG_PATH = msgspec.json.Decoder(dict[str, answers.ConfigFile])
PLUGINS = msgspec.json.Decoder(dict[str, list[answers.InstalledPlugin] | None])
PLUGIN_SETTINGS = msgspec.json.Decoder(dict[str, answers.Plugins])
ANYTHING = msgspec.json.Decoder()
CONFIGURED = msgspec.json.Decoder(dict[str, dict[str, object]])


class StashClient:
    """One Stash server: its scenes and their changes. See `StashRequests` for the options.

    `watching` and `collections` share its connections.
    """

    def __init__(self, url: str, api_key: str = "", **options: Unpack[StashOptions]) -> None:
        self.requests = StashRequests(url, api_key, **options)
        self.watching = StashWatching(self.requests)
        self.collections = StashCollecting(self.requests)
        self._knows_files: bool | None = None

    def close(self) -> None:
        """Close every connection."""
        self.requests.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self.requests.date

    def probe(self) -> None:
        """One cheap authenticated request; raises unless Stash answers and is ready."""
        status = self.requests.ask_one(PROBED, "systemStatus", queries.PROBE).status
        if status != "OK":
            reasons = {"SETUP": "is not set up yet", "NEEDS_MIGRATION": "waits for the migration of its database"}
            raise Unavailable(
                Neighbour.STASH, f"{self.requests.server_name} {reasons.get(status, 'is in a state that is not known')}"
            )

    def version(self) -> str:
        """The version as Stash writes it ("v0.30.1"); '' for a build without one."""
        return self.requests.ask_one(VERSION, "version", queries.VERSION).version or ""

    def config_path(self) -> str:
        """The path of Stash's configuration file on its own machine, '' if there is none."""
        return self.requests.ask_one(CONFIG_PATH, "systemStatus", queries.CONFIG_PATH).configPath or ""

    def plugin(self, plugin_id: str) -> Plugin | None:
        """An installed plugin; None if it is not installed."""
        plugins = self.requests.ask_one(PLUGINS, "plugins", queries.PLUGINS) or []
        return next(
            (Plugin(plugin.version or "", plugin.enabled) for plugin in plugins if plugin.id == plugin_id), None
        )

    def plugin_settings(self, plugin_id: str) -> dict[str, object]:
        """The settings that Stash stores for a plugin; empty if there are none."""
        data = self.requests.ask_one(
            PLUGIN_SETTINGS, "configuration", queries.PLUGIN_SETTINGS, {"ids": [plugin_id]}, cap=SETTINGS_CAP
        )
        return data.plugins.get(plugin_id) or {}

    def configure_plugin(self, plugin_id: str, settings: Mapping[str, object]) -> None:
        """Replace all settings that Stash stores for a plugin."""
        variables = {"id": plugin_id, "settings": dict(settings)}
        self.requests.ask(CONFIGURED, queries.CONFIGURE_PLUGIN, variables, cap=SETTINGS_CAP)

    def run_operation(self, plugin_id: str, mode: str) -> None:
        """Run an operation of a plugin to its end."""
        self.requests.ask(ANYTHING, queries.RUN_OPERATION, {"id": plugin_id, "args": {"mode": mode}}, cap=SETTINGS_CAP)

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        """The scenes with these ids, in one request; missing ones are left out."""
        query = partial(queries.scenes, **self.requests.more)
        return self.requests.scenes(ids, SCENES, query, self._scene)

    def _scene(self, row: answers.SceneAnswer) -> Scene:
        return answers.scene_of(row, timed=self.requests.more.get("file_times", False))

    def existing(self, ids: Sequence[int]) -> tuple[frozenset[int], int]:
        """Those of these scenes that exist, and the number of all scenes, in one request."""
        asked = list(dict.fromkeys(ids))
        data = self.requests.ask(EXISTING, queries.existing(asked))
        total = data.pop("all", None)
        if total is None or total.count < 0:
            raise self.requests.foreign("without the number of its scenes")
        return frozenset(self.requests.checked(partial(by_id, data, asked))), total.count

    def walk(self, *, after: int = 0, page: int = 500) -> Iterator[list[Scene]]:
        """Every scene with an id above `after`, in full, in pages by id."""

        def ask(last: int) -> tuple[int, list[Scene]]:
            query = queries.walk(**self.requests.more)
            data = self.requests.ask_one(WALKED, "findScenes", query, walking(queries.above(last), page))
            return data.count, self.requests.checked(list, map(self._scene, data.scenes))

        return self.requests.walk(after, ask, lambda scene: scene.id)

    def walk_ids(self, *, after: int = 0, page: int = 5000) -> Iterator[list[tuple[int, str]]]:
        """Every scene's (id, updated_at), in pages by id."""
        return self._walk_ids(after, page, {})

    def rivals(self, names: Sequence[str]) -> list[Scene]:
        """The scenes that have a file with one of these base names (only `id` and `files` are filled), in one request.

        Names are compared without case and in any Unicode form.
        """
        wanted = {name_key(name) for name in names if name}
        if not wanted:
            return []
        scenes = queries.path_filter(name for name in names if name)
        data = self.requests.ask_one(RIVALS, "findScenes", queries.RIVALS, walking(scenes, EVERYTHING))
        if data.count != len(data.scenes):
            raise self.requests.foreign("with a part of its scenes")
        rivals = self.requests.checked(
            lambda: [Scene(id=answers.number(one.id), files=answers.files_of(one.files)) for one in data.scenes]
        )
        return [scene for scene in rivals if any(name_key(file.path) in wanted for file in scene.files)]

    def picture(self, path: str, *, etag: str = "") -> Picture | None:
        """The picture at a path from a scene's `images`; None if it still has this `etag`.

        Raises Missing if there is nothing. For a picture that was never set, Stash sends a default one.
        """
        headers = {"Accept": "image/*", **({"If-None-Match": etag} if etag else {})}
        answer = self.requests.get(path, headers, PICTURE_CAP)
        if etag and answer.status == 304:
            return None
        if answer.headers.get("content-type", "").startswith(NO_PICTURES):
            raise self.requests.foreign("with something else than a picture")
        return Picture(bytes(answer.body), answer.headers.get("etag", ""))

    def lacks(self, image: Image) -> bool:
        """Whether Stash has no such picture, by its database and not by the image that it sends."""
        if image.source == "gallery":
            # It was in the answer about its gallery.
            return False
        _, kind, id, leaf = image.path.split("/")
        if kind == "scene":
            return self.requests.ask_one(COUNTED, "found", queries.LACKS_COVER, {"id": int(id)}).count > 0
        owner = self.requests.ask_one(PICTURED, "found", queries.PICTURE[kind, leaf], {"id": id})
        return owner is None or not answers.is_own_picture(owner.path)

    def showing(self, kind: Kind, id: int) -> list[int]:
        """The ids of the scenes that have a performer, studio, tag or group, or a child of it."""
        if kind is Kind.SCENE:
            return [id]
        pages = self._walk_ids(0, SHOWING_PAGE, queries.showing(kind, id))
        return [scene for page in pages for scene, _ in page]

    def news(self) -> News:
        """The counts and newest changes of every kind and, if Stash supports it, of files, in one request.

        Once per client, another request asks whether Stash can list files (from 0.29 on).
        """
        if self._knows_files is None:
            asked = self.requests.ask_one(QUESTIONS, "__type", queries.QUESTIONS).fields
            self._knows_files = any(field.name == "findFiles" for field in asked)
        query = queries.NEWEST_AND_FILES if self._knows_files else queries.NEWEST
        try:
            data = self._newest(query)
        except Unavailable:
            # Another Stash version may answer at this address from now on.
            self._knows_files = None
            raise
        files = data.files
        return News(self._kinds(data), self.requests.checked(answers.newest_of, files) if files else None)

    def newest(self) -> dict[Kind, Newest]:
        """The count and newest change of every kind, in one request."""
        return self._kinds(self._newest(queries.NEWEST))

    def recent_files(self, *, page: int, size: int) -> list[tuple[str, str]]:
        """(path, updated_at) of files, newest first; page 1 is the first. The path is '' unless the file is a video.

        Only for a Stash whose `news` include files.
        """
        data = self.requests.ask_one(RECENT_FILES, "found", queries.RECENT_FILES, {"page": _newest_first(page, size)})
        return [(file.path if file.type == "VideoFile" else "", file.updated_at) for file in data.files]

    def _newest(self, query: str) -> answers.NewestOfAll:
        last = queries.page(1, sort="id", descending=True)
        return self.requests.ask(NEWEST, query, {"page": _newest_first(1, 1), "last": last})

    def _kinds(self, data: answers.NewestOfAll) -> dict[Kind, Newest]:
        newest = {
            Kind.SCENE: data.scenes,
            Kind.PERFORMER: data.performers,
            Kind.STUDIO: data.studios,
            Kind.TAG: data.tags,
            Kind.GROUP: data.groups,
        }
        kinds = {kind: self.requests.checked(answers.newest_of, things) for kind, things in newest.items()}
        last = self.requests.checked(answers.number, data.last.things[0].id) if data.last.things else 0
        return {**kinds, Kind.SCENE: replace(kinds[Kind.SCENE], last=last)}

    def recent(self, kind: Kind, *, page: int, size: int) -> list[tuple[int, str]]:
        """(id, updated_at), newest first; page 1 is the first."""
        data = self.requests.ask_one(RECENT, "found", queries.RECENT[kind], {"page": _newest_first(page, size)})
        return self.requests.checked(answers.stamps_of, data.things)

    def _walk_ids(self, after: int, page: int, more: Mapping[str, object]) -> Iterator[list[tuple[int, str]]]:
        def ask(last: int) -> tuple[int, list[tuple[int, str]]]:
            scenes = queries.above(last, **more)
            data = self.requests.ask_one(WALKED_IDS, "findScenes", queries.WALK_IDS, walking(scenes, page))
            return data.count, self.requests.checked(answers.stamps_of, data.scenes)

        return self.requests.walk(after, ask, lambda stamp: stamp[0])


def _newest_first(number: int, size: int) -> dict[str, object]:
    return queries.page(size, sort="updated_at", number=number, descending=True)
