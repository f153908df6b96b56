"""What Plex should show for a scene: the values of the fields that are switched on, cleaned and within limits."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from urllib.parse import quote

from sync.item import FIELDS
from sync.paths import base_name
from sync.plan import Note, Value
from sync.scene import Scene
from sync.text import NAME_LIMIT, SUMMARY_LIMIT, clean_block, clean_line, cut, fold

MEMBER_LIMIT = 500
# Bytes of a field as it travels in an address, where all but plain letters take three bytes each: about 64 kB is the most
# that servers and proxies without a narrower limit take for one request.
SENT_LIMIT = 60_000
# What is sent beside a name of a list.
MEMBER_FRAME = 30

_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", re.ASCII)


@dataclass(frozen=True)
class Profile:
    """Which Plex fields (of `sync.item.FIELDS`) are switched on."""

    fields: frozenset[str]


@dataclass(frozen=True)
class Wanted:
    """The value of every field that is switched on ('' or () = Stash has nothing), and what was changed on the way.

    The title is left out when the scene has neither a title nor a file to name it after: it is never ''.
    """

    values: Mapping[str, Value]
    notes: tuple[Note, ...] = ()


def wanted(scene: Scene, profile: Profile) -> Wanted:
    """What Plex should show for the scene; see docs/fields.md for the rule of each field."""
    notes: list[Note] = []
    values = {name: _RULES[name](scene, notes) for name in FIELDS if name in profile.fields}
    if not values.get("title", "something"):
        del values["title"]
    return Wanted(values, tuple(notes))


def digest(what: Wanted) -> str:
    """16 hex digits that stay the same as long as the same values are wanted; the order inside a list does not count."""
    values = {name: value if isinstance(value, str) else sorted(value) for name, value in what.values.items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _title(scene: Scene, notes: list[Note]) -> Value:
    """The title, else the name of the primary file without its extension, as Plex itself would call it."""
    title = clean_line(scene.title)
    if not title and scene.files:
        name = base_name(scene.files[0].path)
        title = clean_line(PurePosixPath(name).stem) or clean_line(name)
    return _within("title", title, NAME_LIMIT, notes)


def _studio(scene: Scene, notes: list[Note]) -> Value:
    return _within("studio", clean_line(scene.studio), NAME_LIMIT, notes)


def _summary(scene: Scene, notes: list[Note]) -> Value:
    return _within("summary", clean_block(scene.details), SUMMARY_LIMIT, notes)


def _day(scene: Scene, notes: list[Note]) -> Value:
    """YYYY-MM-DD; a year or month alone means its first day, since Plex knows whole days only."""
    text = clean_line(scene.date)
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    try:
        day = date(*(int(part or 1) for part in found.groups())).isoformat() if found else ""
    except ValueError:
        day = ""
    if not day:
        notes.append(Note("originallyAvailableAt", "dropped", "the date is not one that Plex can show"))
    elif day != text:
        notes.append(Note("originallyAvailableAt", "cut", f"the date {text} is shown as its first day, {day}"))
    return day


def _rating(scene: Scene, _notes: list[Note]) -> Value:
    """A tenth of Stash's 1-100 as the shortest decimal, '' without a rating."""
    if not scene.rating100 or scene.rating100 < 0:
        return ""
    return f"{min(scene.rating100, 100) / 10:g}"


def _actors(scene: Scene, notes: list[Note]) -> Value:
    return _names("actor", scene.performers, notes)


def _genres(scene: Scene, notes: list[Note]) -> Value:
    return _names("genre", scene.tags, notes)


def _collections(scene: Scene, notes: list[Note]) -> Value:
    return _names("collection", (scene.studio,), notes)


def _names(field: str, names: Iterable[str], notes: list[Note]) -> tuple[str, ...]:
    """The names cleaned, each once in its first spelling, in their order, without empty ones."""
    members: dict[str, str] = {}
    for name in names:
        member = _within(field, clean_line(name), NAME_LIMIT, notes)
        if member:
            members.setdefault(fold(member), member)
    shown: list[str] = []
    left = SENT_LIMIT
    for member in list(members.values())[:MEMBER_LIMIT]:
        left -= sent_size(member) + MEMBER_FRAME
        if left < 0:
            break
        shown.append(member)
    if len(shown) < len(members):
        notes.append(Note(field, "dropped", f"only the first {len(shown)} of {len(members)} names are shown"))
    return tuple(shown)


def sent_size(text: str) -> int:
    """How many bytes a text takes in an address."""
    return len(quote(text, safe="", errors="replace"))


def _within(field: str, text: str, limit: int, notes: list[Note]) -> str:
    shown = cut(text, limit)
    while (size := sent_size(shown)) > SENT_LIMIT:
        shown = cut(shown, max(1, len(shown) * SENT_LIMIT // size))
    if shown != text:
        notes.append(Note(field, "cut", f"a text of {len(text)} characters was cut to {len(shown)}"))
    return shown


_RULES: Mapping[str, Callable[[Scene, list[Note]], Value]] = {
    "title": _title,
    "studio": _studio,
    "summary": _summary,
    "originallyAvailableAt": _day,
    "userRating": _rating,
    "actor": _actors,
    "genre": _genres,
    "collection": _collections,
}
