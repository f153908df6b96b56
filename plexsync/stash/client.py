"""Stash over GraphQL: implements `plexsync.rules.neighbours.Stash`, and the queries of `doctor`.

An answer that carries an error, lacks a requested field or has null for a required value raises
Unavailable, and nothing of it is used: a partial answer would blank fields in Plex.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar, Unpack

import httpx2
import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE, Answer, Timeouts, Wire, unheard
from plexsync.http.error_bodies import json_words, messages
from plexsync.rules.clock import Clock
from plexsync.rules.errors import Barred, Neighbour, Unavailable
from plexsync.rules.http_answers import PLEX_MARK, Server
from plexsync.rules.job import Kind
from plexsync.rules.paths import name_key
from plexsync.rules.records import Newest, News, Picture, Plugin
from plexsync.rules.scene import Image, Scene
from plexsync.stash import answers, existing, pictures, queries, server_answers
from plexsync.stash.gallery_choices import with_choices
from plexsync.stash.names import pattern

STASH = Server(Neighbour.STASH, "Stash", "stash_url", "stash_api_key")
EVERYTHING = -1
SHOWING_PAGE = 5000
# Settings are the one answer with values of any type; as objects they take many times their size.
SETTINGS_CAP = MEGABYTE
PICTURE_CAP = 64 * MEGABYTE
# Space for one scene with a very long text, and for the usual size of each of the others.
SCENES_CAP, SCENE_CAP = 8 * MEGABYTE, MEGABYTE // 4
# A GraphQL server's statuses for a query that does not fit its schema: the body tells it from a rejection.
SCHEMA_STATUSES = (400, 422)
# Types that a proxy in front of Stash sends; Stash itself never sends them for a picture.
NO_PICTURES = ("text/html", "application/json")

D = TypeVar("D")
A = TypeVar("A")
S = TypeVar("S", bound="Identified")
T = TypeVar("T")


class Identified(Protocol):
    """An answer with an id."""

    id: answers.Id


class Envelope(msgspec.Struct):
    """The frame of every GraphQL answer; `data` is decoded once it is known that there are no errors."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[msgspec.Raw] | None = None


ENVELOPE = msgspec.json.Decoder(Envelope)
SCENES = msgspec.json.Decoder(dict[str, answers.SceneAnswer | None])
EXISTING = msgspec.json.Decoder(dict[str, existing.ExistingAnswer | None])
WALKED = msgspec.json.Decoder(answers.Walked)
WALKED_IDS = msgspec.json.Decoder(answers.WalkedIds)
RIVALS = msgspec.json.Decoder(answers.Rivals)
RECENT = msgspec.json.Decoder(answers.Recent)
COUNTED = msgspec.json.Decoder(answers.Counted)
PICTURED = msgspec.json.Decoder(answers.Pictured)
NEWEST = msgspec.json.Decoder(answers.NewestOfAll)
QUESTIONS = msgspec.json.Decoder(answers.AskedQuestions)
RECENT_FILES = msgspec.json.Decoder(answers.RecentFiles)
PROBED = msgspec.json.Decoder(server_answers.Probed)
VERSION = msgspec.json.Decoder(server_answers.Version)
CONFIG_PATH = msgspec.json.Decoder(server_answers.ConfigPath)
PLUGINS = msgspec.json.Decoder(server_answers.InstalledPlugins)
PLUGIN_SETTINGS = msgspec.json.Decoder(server_answers.PluginSettings)
ANYTHING = msgspec.json.Decoder()
CONFIGURED = msgspec.json.Decoder(dict[str, dict[str, object]])


def key_header(api_key: str) -> dict[str, str]:
    """The header with the key. An empty key is not sent, since Stash rejects any key if none is configured."""
    return {"ApiKey": api_key} if api_key else {}


class StashClient:
    """One Stash server. Thread-safe; after construction it raises only `NeighbourError`.

    Raises Unusable for an address or key that can't be sent. See `plexsync.http.client.Wire` for `clock`, `transport`,
    `ca_file` and `alive`, and `plexsync.stash.queries.SceneExtras` for what is requested of scenes.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        clock: Clock | None = None,
        transport: httpx2.BaseTransport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
        **more: Unpack[queries.SceneExtras],
    ) -> None:
        self.more = more
        self._scene_of = partial(answers.scene_of, timed=more.get("file_times", False))
        self._wire = Wire(
            STASH,
            url,
            headers=key_header(api_key),
            timeouts=Timeouts(connect_timeout, read_timeout),
            clock=clock,
            transport=transport,
            ca_file=ca_file,
            alive=alive,
        )
        self._knows_files: bool | None = None

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self._wire.date

    def probe(self) -> None:
        """One cheap authenticated request; raises unless Stash answers and is ready."""
        status = self._ask(PROBED, queries.PROBE).systemStatus.status
        if status != "OK":
            name = self._wire.server.name
            reasons = {"SETUP": "is not set up yet", "NEEDS_MIGRATION": "waits for the migration of its database"}
            raise Unavailable(Neighbour.STASH, f"{name} {reasons.get(status, 'is in a state that is not known')}")

    def version(self) -> str:
        """The version as Stash writes it ("v0.30.1"); '' for a build without one."""
        return self._ask(VERSION, queries.VERSION).version.version or ""

    def config_path(self) -> str:
        """The path of Stash's configuration file on its own machine, '' if there is none."""
        return self._ask(CONFIG_PATH, queries.CONFIG_PATH).systemStatus.configPath or ""

    def plugin(self, plugin_id: str) -> Plugin | None:
        """An installed plugin; None if it is not installed."""
        plugins = self._ask(PLUGINS, queries.PLUGINS).plugins or []
        return next(
            (Plugin(plugin.version or "", plugin.enabled) for plugin in plugins if plugin.id == plugin_id), None
        )

    def plugin_settings(self, plugin_id: str) -> dict[str, object]:
        """The settings that Stash stores for a plugin; empty if there are none."""
        data = self._ask(PLUGIN_SETTINGS, queries.PLUGIN_SETTINGS, {"ids": [plugin_id]}, cap=SETTINGS_CAP)
        return data.configuration.plugins.get(plugin_id) or {}

    def configure_plugin(self, plugin_id: str, settings: Mapping[str, object]) -> None:
        """Replace all settings that Stash stores for a plugin."""
        variables = {"id": plugin_id, "settings": dict(settings)}
        self._ask(CONFIGURED, queries.CONFIGURE_PLUGIN, variables, cap=SETTINGS_CAP)

    def run_operation(self, plugin_id: str, mode: str) -> None:
        """Run an operation of a plugin to its end."""
        self._ask(ANYTHING, queries.RUN_OPERATION, {"id": plugin_id, "args": {"mode": mode}}, cap=SETTINGS_CAP)

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        """The scenes with these ids, in one request; missing ones are left out."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        query = queries.scenes(wanted, **self.more)
        data = self._ask(SCENES, query, cap=scenes_cap(wanted))
        rows = self._checked(partial(by_id, data, wanted))
        return dict(zip(rows, self._scenes_of(list(rows.values())), strict=True))

    def _scenes_of(self, rows: Sequence[answers.SceneAnswer]) -> list[Scene]:
        scenes: list[Scene] = self._checked(partial(list, map(self._scene_of, rows)))
        count = self.more.get("choices", 0)
        return with_choices(self._ask, rows, scenes, count) if count else scenes

    def existing(self, ids: Sequence[int]) -> tuple[frozenset[int], int]:
        """Those of these scenes that exist, and the number of all scenes, in one request."""
        asked = list(dict.fromkeys(ids))
        data = self._ask(EXISTING, queries.existing(asked))
        return self._checked(lambda: existing.existing_of(data, asked))

    def walk(self, *, after: int = 0, page: int = 500) -> Iterator[list[Scene]]:
        """Every scene with an id above `after`, in full, in pages by id."""

        def ask(last: int) -> tuple[int, list[Scene]]:
            query = queries.walk(**self.more)
            data = self._ask(WALKED, query, walking(queries.above(last), page)).findScenes
            return data.count, self._scenes_of(data.scenes)

        return self._walked(after, ask, lambda scene: scene.id)

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
        scenes = queries.named(pattern(name for name in names if name))
        data = self._ask(RIVALS, queries.RIVALS, walking(scenes, EVERYTHING)).findScenes
        if data.count != len(data.scenes):
            raise self._wire.foreign("with a part of its scenes")
        rivals = self._checked(
            lambda: [Scene(id=answers.number(one.id), files=answers.files_of(one.files)) for one in data.scenes]
        )
        return [scene for scene in rivals if any(name_key(file.path) in wanted for file in scene.files)]

    def picture(self, path: str, *, etag: str = "") -> Picture | None:
        """The picture at a path from a scene's `images`; None if it still has this `etag`.

        Raises Missing if there is nothing. For a picture that was never set, Stash sends a default one.
        """
        headers = {"Accept": "image/*", **({"If-None-Match": etag} if etag else {})}
        answer = self._wire.send("GET", path, headers=headers, cap=PICTURE_CAP)
        if etag and answer.status == 304:
            return None
        answer = self._wire.accepted(answer)
        if answer.headers.get("content-type", "").startswith(NO_PICTURES):
            raise self._wire.foreign("with something else than a picture")
        return Picture(bytes(answer.body), answer.headers.get("etag", ""))

    def lacks(self, image: Image) -> bool:
        """Whether Stash has no such picture, by its database and not by the image that it sends."""
        if image.source == "gallery":
            # It was in the answer about its gallery.
            return False
        _, kind, id, leaf = image.path.split("/")
        if kind == "scene":
            return self._ask(COUNTED, queries.LACKS_COVER, {"id": int(id)}).found.count > 0
        owner = self._ask(PICTURED, queries.PICTURE[kind, leaf], {"id": id}).found
        return owner is None or not pictures.is_own(owner.path)

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
            asked = self._ask(QUESTIONS, queries.QUESTIONS).type.fields
            self._knows_files = any(field.name == "findFiles" for field in asked)
        query = queries.NEWEST_AND_FILES if self._knows_files else queries.NEWEST
        try:
            data = self._newest(query)
        except Unavailable:
            # Another Stash version may answer at this address from now on.
            self._knows_files = None
            raise
        files = data.files
        return News(self._kinds(data), self._checked(lambda: answers.newest_of(files)) if files else None)

    def newest(self) -> dict[Kind, Newest]:
        """The count and newest change of every kind, in one request."""
        return self._kinds(self._newest(queries.NEWEST))

    def recent_files(self, *, page: int, size: int) -> list[tuple[str, str]]:
        """(path, updated_at) of files, newest first; page 1 is the first. The path is '' unless the file is a video.

        Only for a Stash whose `news` include files.
        """
        data = self._ask(RECENT_FILES, queries.RECENT_FILES, {"page": _newest_first(page, size)}).found
        return [(file.path if file.type == "VideoFile" else "", file.updated_at) for file in data.files]

    def _newest(self, query: str) -> answers.NewestOfAll:
        last = queries.page(1, sort="id", descending=True)
        return self._ask(NEWEST, query, {"page": _newest_first(1, 1), "last": last})

    def _kinds(self, data: answers.NewestOfAll) -> dict[Kind, Newest]:
        newest = {
            Kind.SCENE: data.scenes,
            Kind.PERFORMER: data.performers,
            Kind.STUDIO: data.studios,
            Kind.TAG: data.tags,
            Kind.GROUP: data.groups,
        }
        kinds = self._checked(lambda: {kind: answers.newest_of(things) for kind, things in newest.items()})
        last = self._checked(lambda: answers.last_of(data.last))
        return {**kinds, Kind.SCENE: replace(kinds[Kind.SCENE], last=last)}

    def recent(self, kind: Kind, *, page: int, size: int) -> list[tuple[int, str]]:
        """(id, updated_at), newest first; page 1 is the first."""
        data = self._ask(RECENT, queries.RECENT[kind], {"page": _newest_first(page, size)}).found
        return self._checked(lambda: answers.stamps_of(data.things))

    def _walk_ids(self, after: int, page: int, more: Mapping[str, object]) -> Iterator[list[tuple[int, str]]]:
        def ask(last: int) -> tuple[int, list[tuple[int, str]]]:
            scenes = queries.above(last, **more)
            data = self._ask(WALKED_IDS, queries.WALK_IDS, walking(scenes, page)).findScenes
            return data.count, self._checked(lambda: answers.stamps_of(data.scenes))

        return self._walked(after, ask, lambda stamp: stamp[0])

    def _walked(
        self, after: int, ask: Callable[[int], tuple[int, list[T]]], id_of: Callable[[T], int]
    ) -> Iterator[list[T]]:
        """Yield pages until nothing is left; `ask` returns the count and the first page of the objects above an id."""
        while True:
            total, rows = ask(after)
            ids = [id_of(row) for row in rows]
            self._checked(lambda: answers.check_rising(ids, after=after))  # noqa: B023 - called at once
            if rows:
                yield rows
                after = ids[-1]
            if len(rows) >= total:
                return
            if not rows:
                raise self._wire.foreign("with a part of its scenes")

    def _ask(
        self,
        decoder: "msgspec.json.Decoder[D]",
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        cap: int = LISTING_CAP,
    ) -> D:
        """The data of one GraphQL request; raises Unavailable unless the data is complete."""
        content = msgspec.json.encode({"query": query, "variables": dict(variables or {})})
        headers = {"Content-Type": "application/json"}
        answer = self._wire.send("POST", "/graphql", content=content, headers=headers, cap=cap)
        if answer.status == 404:
            raise self._wire.foreign("that it has no API: is something else at this address?")
        if answer.status == 401 and PLEX_MARK in answer.headers:
            raise Barred(Neighbour.STASH, f"{self._wire.server.name} answered as Plex does (401)", setting="stash_url")
        if answer.status in SCHEMA_STATUSES and self._has_errors(answer):
            asked = self._about(query, json_words(answer.body))
            raise self._wire.foreign(f"that it does not know the question: is it older than 0.28?{asked}")
        envelope = self._wire.decoded(ENVELOPE, self._wire.accepted(answer).body)
        if envelope.errors:
            raise self._wire.foreign(f"with an error of its own{self._about(query, messages(envelope.errors))}")
        return self._wire.decoded(decoder, memoryview(envelope.data))

    def _about(self, query: str, message: str) -> str:
        """The name of the query, and what Stash says about it."""
        words = self._wire.shown(message)
        return f" ({query_name(query)}{f': {words}' if words else ''})"

    def _has_errors(self, answer: Answer) -> bool:
        try:
            return self._wire.decoded(ENVELOPE, answer.body).errors is not None
        except Unavailable:
            # GraphQL errors can be longer than the part of the body that is read.
            return answer.body.lstrip().startswith(b"{")

    def _checked(self, read: Callable[[], A]) -> A:
        """The parsed data; raises Unavailable if it contradicts itself."""
        try:
            return read()
        except ValueError:
            failure = self._wire.foreign("with something that contradicts itself")
        raise failure


def query_name(query: str) -> str:
    """The name of a query or mutation."""
    matched = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
    return matched[1] if matched else "a query"


def scenes_cap(ids: Sequence[int]) -> int:
    """The largest answer about these scenes that is read, in bytes."""
    return min(LISTING_CAP, SCENES_CAP + SCENE_CAP * len(ids))


def by_id(data: Mapping[str, S | None], ids: Sequence[int]) -> dict[int, S]:
    """The answer about each of these scenes that exists. Raises ValueError for another answer than to this query."""
    if data.keys() != {f"s{id}" for id in ids}:
        raise ValueError("not what was asked for")
    scenes = {id: answer for id in ids if (answer := data[f"s{id}"]) is not None}
    if any(answers.number(answer.id) != id for id, answer in scenes.items()):
        raise ValueError("another scene than was asked for")
    return scenes


def walking(scenes: Mapping[str, object], size: int) -> dict[str, object]:
    """The variables for a page of scenes by id."""
    return {"scenes": scenes, "page": queries.page(size, sort="id")}


def _newest_first(number: int, size: int) -> dict[str, object]:
    return queries.page(size, sort="updated_at", number=number, descending=True)
