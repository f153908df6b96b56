"""The plan of a sync as a file: `plexsync sync --dry-run --out` writes it, `plexsync sync --apply` reads it.

It is one JSON object with a version, hashes of what it was made for, and a list of scenes. A library of any size is written
and read scene by scene. The file holds no secrets: servers and settings are salted hashes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from plexsync.app.fingerprints import salted_hash
from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.merge.approval import ApprovedScene, scene_in
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable

VERSION = 1
CHUNK = 64 * 1024
# No scene, and no other value in a plan, is longer.
LONGEST = 32 * 1024 * 1024
SPACE = " \t\r\n"


@record
class PlanHead:
    """What a plan was made for: hashes of both servers and of the settings that decide what Plex should show.

    `made_at` is when (RFC 3339). `take_over`: it is that of a sync with --take-over.
    """

    plex: str
    stash: str
    settings: str
    take_over: bool = False
    made_at: str = ""


def head_now(parts: Parts, *, take_over: bool = False, made_at: str = "") -> PlanHead:
    """The head of a plan that is made now. Raises NeighbourError if Plex can't be asked who it is."""
    server = parts.gates.ask(READ_PLEX, parts.plex.server, of_all=True)
    return PlanHead(
        salted_hash(parts.store, "plex", server.machine),
        salted_hash(parts.store, "stash", parts.config.stash_url),
        parts.settings.wishes,
        take_over,
        made_at,
    )


def why_untrue(head: PlanHead, now: PlanHead) -> str:
    """Why a plan as a whole is no longer true; '' if it may be."""
    if head.plex != now.plex:
        return "Plex is another server than the one that it was made for, or the database is another one"
    if head.stash != now.stash:
        return "Stash has another address than when it was made"
    if head.settings != now.settings:
        return "the settings that decide what Plex shows have changed since it was made"
    return ""


# --- reading ---------------------------------------------------------------------------------------------------------


def head_in(path: Path) -> tuple[PlanHead, int]:
    """The head of a plan and its number of scenes, after the whole file was checked.

    Raises Unusable, with one line that says what is wrong.
    """
    head: dict[str, object] = {}
    ids: set[int] = set()
    for name, value in _members(path):
        if name != "scenes":
            head[name] = value
        elif isinstance(value, ApprovedScene) and value.id in ids:
            raise Unusable(f"{path} is no plan: scene {value.id} is in it twice")
        elif isinstance(value, ApprovedScene):
            ids.add(value.id)
    version = head.get("plexsync_plan")
    if not isinstance(version, int) or isinstance(version, bool):
        raise Unusable(f"{path} is no plan: plexsync_plan is missing")
    if version != VERSION:
        raise Unusable(f"{path} is no plan: it has version {version}, and this PlexSync reads version {VERSION}")
    texts = {name: head.get(name) for name in ("plex", "stash", "settings", "made_at")}
    take_over = head.get("take_over")
    for name, text in texts.items():
        if not isinstance(text, str):
            raise Unusable(f"{path} is no plan: {name} must be a text")
    if not isinstance(take_over, bool):
        raise Unusable(f"{path} is no plan: take_over must be true or false")
    return PlanHead(take_over=take_over, **{name: str(text) for name, text in texts.items()}), len(ids)


def scenes_in(path: Path) -> Iterator[ApprovedScene]:
    """The scenes of a plan, one by one. Raises Unusable."""
    for _, value in _members(path):
        if isinstance(value, ApprovedScene):
            yield value


def _members(path: Path) -> Iterator[tuple[str, object]]:
    """The members of a plan; each of its scenes is one."""
    try:
        with path.open(encoding="utf-8") as file:
            text = _Text(file)
            for name in _names(text):
                if name != "scenes":
                    yield name, text.value()
                    continue
                for _ in _entries(text, "[", "]"):
                    yield name, scene_in(text.value())
            if text.peek():
                raise ValueError
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from error
    except Unusable as error:
        raise error if str(error).startswith(str(path)) else Unusable(f"{path} is no plan: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path} is no plan: it is not valid JSON") from error


def _names(text: "_Text") -> Iterator[str]:
    for _ in _entries(text, "{", "}"):
        name = text.value()
        if not isinstance(name, str):
            raise ValueError
        text.take(":")
        yield name


def _entries(text: "_Text", first: str, last: str) -> Iterator[None]:
    """One turn for each entry between these two signs; the caller reads it."""
    text.take(first)
    separator = ""
    while text.peek() != last:
        if separator:
            text.take(separator)
        separator = ","
        yield
    text.take(last)


class _Text:
    """JSON that is read piece by piece. Raises ValueError for anything else."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is no space; '' at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more(CHUNK):
                return ""

    def take(self, sign: str) -> None:
        """Read this sign."""
        if self.peek() != sign:
            raise ValueError
        self._at += 1

    def value(self) -> object:
        """Read a value."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > LONGEST or not self._more(size):
                    raise
            else:
                # A number at the end of what was read may go on.
                if end < len(self._text) or not self._more(size):
                    self._at = end
                    return cast(object, value)
            size *= 2

    def _more(self, size: int) -> bool:
        piece = self._file.read(size)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
