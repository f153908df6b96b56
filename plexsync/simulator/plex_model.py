"""The data of the simulated Plex: sections, items, tags, collections, pictures, and all their changes.

Nothing here speaks HTTP. Rating keys are integers that are never reused, tags are shared by all items that carry
them, a collection is an item of its own that lives as long as it has members. The caller holds the lock. Times are
whole epoch seconds of a clock that is passed in.
"""

import hashlib
import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Literal
from urllib.parse import urlsplit

from plexsync.simulator.plex_agents import AgentTable
from plexsync.simulator.plex_traits import MatchFilename, Traits

Scalar = str | int | float
SectionType = Literal["movie", "show", "artist", "photo"]
FileSpec = tuple[str, int, int]

TEXTS = ("titleSort", "originalTitle", "summary", "tagline", "studio", "contentRating", "editionTitle")
RATINGS = ("rating", "audienceRating", "userRating")
SCALARS = ("title", *TEXTS, *RATINGS, "originallyAvailableAt", "addedAt")
NAMES = ("title", "titleSort", "originalTitle")
NOT_THE_AGENTS = ("userRating", "addedAt")
TAG_ELEMENTS = {
    "genre": "Genre",
    "country": "Country",
    "director": "Director",
    "writer": "Writer",
    "producer": "Producer",
    "actor": "Role",
    "collection": "Collection",
    "label": "Label",
}
# States of an item on the timeline. Where no agent works, it ends with PROGRESS.
CREATED, PROGRESS, DONE, DELETED = 0, 1, 5, 9
PICTURE_LOCKS = {"posters": "thumb", "arts": "art"}
# The key prefix of uploads, by kind of picture.
KEPT = {"posters": "upload://posters/", "arts": "upload://art/"}
LOCKABLE = frozenset((*SCALARS, *TAG_ELEMENTS, *PICTURE_LOCKS.values()))
MAX_PICTURE_BYTES = 10 * 1024 * 1024
SLASHES = "/\\"
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# The orders of a collection by its setting; any other one is by title.
BY_RELEASE, CUSTOM = "0", "2"
# The attributes of a `Library` that its database holds.
STORED = (
    "era",
    "agents",
    "sections",
    "items",
    "playlists",
    "_arriving",
    "_tags",
    "_last_section",
    "_last_key",
    "_last_tag",
    "_last_file",
    "_last_entry",
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


class Unacceptable(Exception):
    """A request that can't be fulfilled; `status` is the server's answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered with {status}")
        self.status = status


@dataclass
class Tag:
    """A genre, a label, a person in one role: one object for all items that carry it."""

    id: int
    kind: str
    tag: str
    thumb: str = ""


@dataclass
class Tagging:
    """A tag on one item; `text` is the role played, for actors."""

    tag: Tag
    text: str = ""


@dataclass(frozen=True)
class File:
    """One part of a media, which may have several."""

    media_id: int
    part_id: int
    path: str
    size: int
    duration: int

    @property
    def name(self) -> str:
        """The last component of the path, whichever slash it uses."""
        return base_name(self.path)


@dataclass
class Item:
    """A movie, a collection or a playlist.

    `agent_*` are the values that a metadata refresh restores to unlocked fields, `framed` says whether Plex has made
    pictures from a frame, `matched` whether an agent has found the movie, `arrivals` has the time of uploads that are not
    listed yet, by kind and key, `listed` is the item as it was last written for a listing. `account_rating` hides the
    item's own. `guid` is that of a match, `matched_by` the metadata provider that named it, `extras` the titles of what it
    has beside the item, `is_asked` whether it is still to be asked. Of a collection: `tag_id` is the tag that makes movies
    its members, `smart` the query that does so instead, `order` the members that were moved, `prefs` its settings. Of a
    playlist: `entries` are its places with the keys of their movies, `account` says whose it is.
    """

    key: int
    section: "Section"
    type: Literal["movie", "collection", "playlist"]
    files: list[File] = field(default_factory=list)
    scalars: dict[str, Scalar] = field(default_factory=dict)
    lists: dict[str, list[Tagging]] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    framed: bool = True
    matched: bool = False
    agent_scalars: dict[str, Scalar] = field(default_factory=dict)
    agent_lists: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    pictures: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"posters": {}, "arts": {}})
    selected: dict[str, str | None] = field(default_factory=lambda: {"posters": None, "arts": None})
    stamps: dict[str, int] = field(default_factory=lambda: {"posters": 0, "arts": 0})
    updated_at: int = 0
    view_count: int = 0
    last_viewed_at: int | None = None
    last_rated_at: int | None = None
    view_offset: int = 0
    tag_id: int = 0
    smart: str = ""
    order: list[int] = field(default_factory=list)
    prefs: dict[str, str] = field(default_factory=dict)
    entries: list[tuple[int, int]] = field(default_factory=list)
    account: int = 0
    trashed: bool = False
    account_rating: float | None = None
    arrivals: dict[tuple[str, str], float] = field(default_factory=dict)
    listed: dict[object, str] = field(default_factory=dict)
    guid: str = ""
    matched_by: str = ""
    extras: list[str] = field(default_factory=list)
    is_asked: bool = False

    @property
    def user_rating(self) -> Scalar | None:
        """The rating that the account sees."""
        return self.scalars.get("userRating") if self.account_rating is None else self.account_rating

    @property
    def sort_title(self) -> str:
        """The title to sort by."""
        return str(self.scalars.get("titleSort") or self.scalars.get("title") or "").casefold()

    def media(self) -> list[list[File]]:
        """The files, those of one media together."""
        return [list(parts) for _, parts in groupby(self.files, key=lambda one: one.media_id)]

    def names(self, kind: str) -> list[str]:
        """The names of one tag list, in order."""
        return [tagging.tag.tag for tagging in self.lists.get(kind, ())]


@dataclass
class Section:
    """One library. `away`: movies whose files are on a drive that is not there. `group`: the number of its agent."""

    id: int
    title: str
    type: SectionType
    locations: tuple[str, ...]
    agent: str
    scanner: str
    uuid: str
    created_at: int
    updated_at: int
    scanned_at: int
    traits: Traits
    content_changed_at: int = 1
    scan_ends: float | None = None
    scan_paths: list[str] = field(default_factory=list)
    items: dict[int, Item] = field(default_factory=dict)
    collections: dict[int, Item] = field(default_factory=dict)
    members: dict[int, set[int]] = field(default_factory=dict)
    by_name: dict[str, set[int]] = field(default_factory=dict)
    by_folder: dict[str, set[int]] = field(default_factory=dict)
    by_guid: dict[str, int] = field(default_factory=dict)
    staged: list[Item] = field(default_factory=list)
    away: list[Item] = field(default_factory=list)
    orders: dict[tuple[str, str], tuple[int, list[Item]]] = field(default_factory=dict)
    prefs: dict[str, str] = field(default_factory=dict)
    hubs: dict[int, dict[str, bool]] = field(default_factory=dict)
    group: int | None = None

    @property
    def is_other(self) -> bool:
        """Whether it is a library of Other Videos: movies without an agent."""
        return self.type == "movie" and self.agent.endswith(".none")


def base_name(path: str) -> str:
    """The last component of a path with slashes of either kind."""
    return posixpath.basename(path.replace("\\", "/"))


def file_title(item: "Item") -> str:
    """The title that the name of its file gives an item."""
    return _stem(item.files[0].name) if item.files else ""


def relative_name(section: "Section", path: str, form: "MatchFilename") -> str:
    """A path below the library's folder, as it stands in a question to a provider."""
    holders = (one for one in section.locations if _below(path, one))
    folder = max(holders, key=len, default=folder_name(path)).rstrip(SLASHES)
    inner = path[len(folder) :].lstrip(SLASHES)
    named = f"{base_name(folder)}/{inner}"
    return {"relative": inner, "folder": named, "rooted": f"/{named}"}[form]


def folder_name(path: str) -> str:
    """All but the last component, with forward slashes."""
    return posixpath.dirname(path.replace("\\", "/"))


class Library:
    """All state of the server, and all changes to it."""

    def __init__(
        self,
        now: Callable[[], int],
        *,
        traits: Traits | None = None,
        normalise: bool = True,
        max_summary: int | None = None,
    ) -> None:
        self.now = now
        # The same time with fractions.
        self.moment: Callable[[], float] = now
        self.traits = traits or Traits()
        self.normalise = normalise
        self.max_summary = max_summary
        self.max_bytes: int | None = None
        self.sections: dict[int, Section] = {}
        self.items: dict[int, Item] = {}
        self.playlists: dict[int, Item] = {}
        # Called for every event that listeners receive: ("item", item, state) or ("scan", section, event).
        self.told: Callable[[str, Item | Section, int | str], None] = lambda *_: None
        # Called for an item of a library with a metadata provider, once it is shown.
        self.arrived: Callable[[Item], None] = lambda _: None
        # Called after each scan.
        self.scanned: Callable[[Section], None] = lambda _: None
        self.agents = AgentTable()
        # What no two servers or libraries of one name share, although they may share all their numbers.
        self.era = ""
        self._arriving: list[Item] = []
        self._tags: dict[tuple[str, int, str], Tag] = {}
        self._last_section = 0
        self._last_key = 0
        self._last_tag = 0
        self._last_file = 800
        self._last_entry = 0

    # the whole database

    def rows(self) -> dict[str, object]:
        """A copy of everything in the database: no later change reaches it."""
        return deepcopy({name: getattr(self, name) for name in STORED}, {id(self.traits): self.traits})

    def replace_rows(self, rows: dict[str, object]) -> None:
        """Put a copy of such a copy in the place of everything. No scan runs afterwards."""
        for name, value in deepcopy(rows, {id(self.traits): self.traits}).items():
            setattr(self, name, value)
        self.restart()

    def restart(self) -> None:
        """End what was under way: scans, and questions about items."""
        for section in self.sections.values():
            section.scan_ends, section.scan_paths = None, []
        for item in self.items.values():
            item.is_asked = False

    def clear(self) -> None:
        """Forget everything; sections, keys and tags are numbered from the beginning again."""
        self.replace_rows(Library(self.now, traits=self.traits).rows())

    # sections

    def add_section(
        self, title: str, locations: Iterable[str], agent: str, type: SectionType, *, number: int | None = None
    ) -> Section:
        """Add a section; an agent that ends in `.none` makes it one for other videos."""
        if number is None:
            number = self._last_section = self._last_section + 1
        now = self.now()
        scanner = "Plex Video Files Scanner" if agent.endswith(".none") else "Plex Movie"
        uuid = str(hashlib.sha1(f"{number}{title}{self.era}".encode(), usedforsecurity=False).hexdigest())
        section = Section(
            id=number,
            title=title,
            type=type,
            locations=tuple(locations),
            agent=agent,
            scanner=scanner,
            uuid=f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:32]}",
            created_at=now,
            updated_at=now,
            scanned_at=now,
            traits=self.traits,
            group=self.agents.group_of(agent),
        )
        self.sections[number] = section
        return section

    def set_agent(self, section: Section, agent: str, group: int | None) -> None:
        """Give a section another agent. Its items change when they are refreshed."""
        section.agent, section.group = agent, group
        section.updated_at = self.now()

    def has_provider(self, section: Section) -> bool:
        """Whether a metadata provider is the section's agent, also one that does not answer."""
        return self.agents.is_custom(section.agent)

    # items

    def new_movie(
        self,
        section: Section,
        files: Iterable[FileSpec | Sequence[FileSpec]],
        scalars: dict[str, Scalar],
        lists: dict[str, list[tuple[str, str]]],
        *,
        framed: bool = True,
    ) -> Item:
        """A movie with a new rating key, hidden until `reveal`. One of Other Videos has the date of its file."""
        known = [part for one in files for part in self._media([one] if isinstance(one, tuple) else one)]
        own = {"title": _stem(known[0].name) if known else "", "addedAt": self.now(), **scalars}
        if section.is_other and "originallyAvailableAt" not in own:
            day = datetime.fromtimestamp(int(own["addedAt"]), UTC).date()
            own = {"year": day.year, **own, "originallyAvailableAt": day.isoformat()}
        item = Item(
            key=self.next_key(), section=section, type="movie", files=known, agent_scalars=own, agent_lists=lists
        )
        item.framed = framed
        return item

    def reveal(self, item: Item) -> None:
        """Show the movie, with its agent's values."""
        section = item.section
        self.items[item.key] = section.items[item.key] = item
        asks = self.has_provider(section)
        item.scalars = self._unmatched(item) if asks else dict(item.agent_scalars)
        # Where no agent brings a background, the frame is that too.
        for shelf in ("posters", "arts") if section.is_other else ("posters",):
            if item.framed:
                frame = f"media://{item.key:x}/{shelf}/frame"
                item.pictures[shelf][frame] = b""
                item.selected[shelf] = frame
                item.stamps[shelf] = self.now()
        for kind, names in () if asks else item.agent_lists.items():
            self.set_list(item, kind, [self.tagging(section, kind, name, text) for name, text in names])
        self._note_places(item)
        self.told("item", item, CREATED)
        if asks:
            self.arrived(item)
        self.touch(item)

    def _unmatched(self, item: Item) -> dict[str, Scalar]:
        """The values of a movie that nobody knows."""
        return {
            "title": file_title(item),
            **{name: item.agent_scalars[name] for name in NOT_THE_AGENTS if name in item.agent_scalars},
        }

    def note_match(self, item: Item, guid: str, by: str, title: str) -> None:
        """Make the movie the one with this guid, whose title a match gives; `by` is the provider, if one named it. Another
        movie of the section that has the guid gets the files instead, and this one is gone, if the server does that.
        """
        other = self.items.get(item.section.by_guid.get(guid, item.key))
        if other and other is not item and self.traits.same_guid == "merged":
            self._merge(item, other)
            return
        self._set_guid(item, guid)
        item.matched_by, item.matched = by, item.matched or not by
        if by and self.traits.match_clears:
            self._empty(item)
        if title and "title" not in item.locks:
            self._put(item, "title", self._text("title", title))
        self.touch(item)

    def unmatch(self, item: Item) -> None:
        """Forget who knew the movie, and what was said of it, except where it is locked."""
        self._set_guid(item, "")
        item.matched_by, item.matched, item.extras = "", False, []
        self._empty(item)
        self.touch(item)

    def _merge(self, item: Item, other: Item) -> None:
        """Give the files of a movie to another one, which is then seen as often as the one that was seen more."""
        self.remove(item)
        other.files += item.files
        other.view_count = max(other.view_count, item.view_count)
        self._note_places(other)
        self.touch(other)

    def _set_guid(self, item: Item, guid: str) -> None:
        known = item.section.by_guid
        if known.get(item.guid) == item.key:
            del known[item.guid]
        item.guid = guid
        if guid:
            known.setdefault(guid, item.key)

    def _empty(self, item: Item) -> None:
        for name in SCALARS:
            if name not in item.locks and name not in NOT_THE_AGENTS:
                self._put(item, name, file_title(item) if name == "title" else None)
        for kind in TAG_ELEMENTS:
            if kind not in item.locks and kind != "label":
                self.set_list(item, kind, [])

    def remove(self, item: Item) -> None:
        """Remove the movie; its key answers 404 from now on."""
        section = item.section
        self.set_list(item, "collection", [])
        for keys in section.members.values():
            keys.discard(item.key)
        del self.items[item.key], section.items[item.key]
        for playlist in self.playlists.values():
            playlist.entries = [pair for pair in playlist.entries if pair[1] != item.key]
        self._forget_places(item)
        self._set_guid(item, "")
        section.content_changed_at += 1
        self.told("item", item, DELETED)

    def rename(self, item: Item, old: str, new: str) -> None:
        """Change the path of one of the movie's files."""
        self._forget_places(item)
        item.files = [replace(one, path=new) if one.path == old else one for one in item.files]
        self._note_places(item)
        self.touch(item)

    def swap_files(self, one: Item, other: Item) -> None:
        """Exchange the files of two movies."""
        for item in (one, other):
            self._forget_places(item)
        one.files, other.files = other.files, one.files
        for item in (one, other):
            self._note_places(item)
            item.listed.clear()

    def _forget_places(self, item: Item) -> None:
        for one in item.files:
            item.section.by_name.get(one.name, set()).discard(item.key)
            item.section.by_folder.get(folder_name(one.path), set()).discard(item.key)

    def _note_places(self, item: Item) -> None:
        for one in item.files:
            item.section.by_name.setdefault(one.name, set()).add(item.key)
            item.section.by_folder.setdefault(folder_name(one.path), set()).add(item.key)

    def anew(self, item: Item, section: Section) -> Item:
        """The same files as a new item of a section, with the agent's values, hidden until `reveal`."""
        files = [[(one.path, one.size, one.duration) for one in parts] for parts in item.media()]
        scalars = {**item.agent_scalars, "addedAt": self.now()}
        return self.new_movie(section, files, scalars, item.agent_lists, framed=item.framed)

    def renewed(self, item: Item) -> Item:
        """The same files as a new item, as after a re-add: new key, edits and locks lost."""
        fresh = self.anew(item, item.section)
        self.remove(item)
        self.reveal(fresh)
        return fresh

    def find(self, item: Item) -> None:
        """An agent of the server's own has found the movie."""
        self._set_guid(item, "")
        item.matched, item.matched_by = True, ""
        self.touch(item)

    def refresh(self, item: Item) -> None:
        """Restore the agent's values in all unlocked fields. An item that a provider knew is again the agent's."""
        item.matched_by, item.extras = "", []
        if not item.guid.startswith("plex://"):
            self._set_guid(item, "")
        for name in SCALARS:
            if name not in item.locks and name not in NOT_THE_AGENTS:
                self._put(item, name, item.agent_scalars.get(name))
        for kind in TAG_ELEMENTS:
            if kind not in item.locks:
                names = item.agent_lists.get(kind, [])
                self.set_list(item, kind, [self.tagging(item.section, kind, name, text) for name, text in names])
        if "year" in item.agent_scalars and "originallyAvailableAt" not in item.locks:
            item.scalars["year"] = item.agent_scalars["year"]
        self.touch(item)

    def touch(self, item: Item) -> None:
        """Record a change of the item: updates its stamp and its section's counter."""
        item.updated_at = self.now()
        item.listed.clear()
        item.section.content_changed_at += 1
        self.told("item", item, PROGRESS if item.section.is_other or item.is_asked else DONE)

    # fields

    def readable(self, name: str, text: str) -> Scalar | None:
        """The value to store when `text` is written to a field; None clears it. Raises `Unacceptable` (400)."""
        if not text:
            return None
        if name in RATINGS:
            return self._rating(text)
        if name == "addedAt":
            if not text.lstrip("-").isdecimal():
                raise Unacceptable(400)
            return int(text)
        if name == "originallyAvailableAt":
            return _iso_date(text)
        return self._text(name, text)

    def set_scalar(self, item: Item, name: str, value: Scalar | None) -> None:
        """Write one field. A collection can't take another's name (409)."""
        if item.type == "collection" and name == "title":
            self._rename(item, str(value or ""))
        if name == "userRating":
            item.last_rated_at = self.now()
        self._put(item, name, value)

    def _put(self, item: Item, name: str, value: Scalar | None) -> None:
        if value is None or value == "":
            item.scalars.pop(name, None)
        else:
            item.scalars[name] = value
        if name == "originallyAvailableAt":
            item.scalars.pop("year", None)
            if value:
                item.scalars["year"] = int(str(value)[:4])

    def _rating(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError as wrong:
            raise Unacceptable(400) from wrong
        if not 0 <= value <= 10:
            raise Unacceptable(400)
        return round(value, 1) if self.normalise else value

    def _text(self, name: str, text: str) -> str:
        text = self._cut(CONTROL.sub("", text))
        if not self.normalise:
            return text
        text = " ".join(text.split()) if name in NAMES else text.strip()
        return text[: self.max_summary] if name == "summary" else text

    def _cut(self, text: str) -> str:
        """The text within `max_bytes`, cut inside a character if need be: its bytes are kept as lone surrogates."""
        return text.encode()[: self.max_bytes].decode(errors="surrogateescape")

    # tags

    def tagging(self, section: Section, kind: str, name: str, text: str = "") -> Tagging:
        """A tag of that name for an item of this section; created if unknown, else in its first spelling."""
        name = self._cut(CONTROL.sub("", name))
        if self.normalise:
            name = " ".join(name.split())
        place = _place(section, kind, name)
        tag = self._tags.get(place)
        if tag is None:
            self._last_tag += 1
            tag = self._tags[place] = Tag(self._last_tag, kind, name)
        return Tagging(tag, text)

    def tagging_key(self, name: str) -> str:
        """The common key of all spellings of a tag."""
        return " ".join(name.split()).casefold() if self.normalise else name.casefold()

    def tags(self, section: Section, kind: str) -> list[Tag]:
        """The tags of one kind that movies of this section carry, by name."""
        found = {one.tag.id: one.tag for item in section.items.values() for one in item.lists.get(kind, ())}
        return sorted(found.values(), key=lambda tag: tag.tag.casefold())

    def set_list(self, item: Item, kind: str, taggings: list[Tagging]) -> None:
        """Make this the item's list, each tag once; collections appear and vanish with their members."""
        unique: dict[int, Tagging] = {}
        for one in taggings:
            if one.tag.tag:
                unique.setdefault(one.tag.id, one)
        before = {one.tag.id: one.tag for one in item.lists.get(kind, ())}
        item.lists[kind] = list(unique.values())
        if kind == "collection" and item.type == "movie":
            for tag_id, one in unique.items():
                if tag_id not in before:
                    self._join(item, one.tag)
            for tag_id, tag in before.items():
                if tag_id not in unique:
                    self._leave(item, tag)

    def _join(self, item: Item, tag: Tag) -> None:
        section = item.section
        if tag.id not in section.collections:
            now = self.now()
            made = Item(key=self.next_key(), section=section, type="collection", updated_at=now, tag_id=tag.id)
            made.scalars = {"title": tag.tag, "addedAt": now}
            section.collections[tag.id] = self.items[made.key] = made
        section.members.setdefault(tag.id, set()).add(item.key)
        self._note_members(section.collections[tag.id])

    def _note_members(self, collection: Item) -> None:
        if self.traits.members_stamp:
            collection.updated_at = self.now()

    def _leave(self, item: Item, tag: Tag) -> None:
        section = item.section
        section.members[tag.id].discard(item.key)
        self._note_members(section.collections[tag.id])
        if not section.members[tag.id]:
            del section.members[tag.id]
            gone = section.collections.pop(tag.id)
            section.hubs.pop(gone.key, None)
            del self.items[gone.key]
            del self._tags[_place(section, "collection", tag.tag)]

    def _rename(self, collection: Item, title: str) -> None:
        if collection.smart:
            return
        section = collection.section
        old, new = (_place(section, "collection", name) for name in (str(collection.scalars["title"]), title))
        if not title or (new in self._tags and self._tags[new].id != collection.tag_id):
            raise Unacceptable(409)
        tag = self._tags.pop(old)
        tag.tag = title
        for item in self.members(collection):
            item.listed.clear()
        self._tags[new] = tag

    def members(self, collection: Item) -> list[Item]:
        """The movies in a collection by its setting: by release or by title, or those that were moved in their order, and
        the others by key.
        """
        keys = collection.section.members[collection.tag_id]
        moved = [key for key in collection.order if key in keys]
        items = [self.items[key] for key in (*moved, *sorted(keys.difference(moved)))]
        order = collection.prefs.get("collectionSort", BY_RELEASE)
        if order == CUSTOM:
            return items
        items.sort(key=lambda item: item.key)
        return sorted(items, key=_released if order == BY_RELEASE else lambda item: item.sort_title)

    def move(self, collection: Item, key: int, after: int | None) -> None:
        """Put a member behind another one, or first. Raises `Unacceptable` (404) for one that is no member."""
        order = [item.key for item in self.members(collection)]
        if key not in order or (after is not None and after not in order):
            raise Unacceptable(404)
        order.remove(key)
        order.insert(0 if after is None else order.index(after) + 1, key)
        collection.order = order
        self.touch(collection)

    def add_smart(self, section: Section, title: str, query: str, keys: Iterable[int]) -> Item:
        """A smart collection with these members; no tag carries it."""
        self._last_tag += 1
        now = self.now()
        made = Item(key=self.next_key(), section=section, type="collection", updated_at=now, tag_id=self._last_tag)
        made.scalars = {"title": title, "addedAt": now}
        made.smart = query
        section.collections[made.tag_id] = self.items[made.key] = made
        section.members[made.tag_id] = set(keys)
        return made

    # pictures

    def upload(self, item: Item, shelf: str, data: bytes) -> str:
        """Store a picture under the SHA-1 of its bytes, select and lock it unless the traits differ; returns its key.
        Raises `Unacceptable` (400, 500).
        """
        if not data:
            raise Unacceptable(400)
        if len(data) > MAX_PICTURE_BYTES:
            raise Unacceptable(500)
        key = f"{KEPT[shelf]}{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
        is_new = key not in item.pictures[shelf]
        item.pictures[shelf][key] = data
        if is_new and self.traits.picture_lag:
            item.arrivals[shelf, key] = self.moment() + self.traits.picture_lag
            if item not in self._arriving:
                self._arriving.append(item)
        elif self.traits.upload_selects:
            self.select(item, shelf, key)
        return key

    def settle_pictures(self) -> None:
        """List the uploads that have arrived, and select them if uploads do that."""
        for item in list(self._arriving):
            for (shelf, key), moment in list(item.arrivals.items()):
                if moment <= self.moment():
                    del item.arrivals[shelf, key]
                    if self.traits.upload_selects:
                        self.select(item, shelf, key)
            if not item.arrivals:
                self._arriving.remove(item)

    def select(self, item: Item, shelf: str, key: str | None) -> None:
        """Select this picture (None: none) and lock the field. Raises `Unacceptable` (404) for an unknown one."""
        if key is not None and (key not in item.pictures[shelf] or (shelf, key) in item.arrivals):
            raise Unacceptable(404)
        item.selected[shelf] = key
        item.stamps[shelf] = max(item.stamps[shelf] + 1, self.now())
        item.locks.add(PICTURE_LOCKS[shelf])
        self.touch(item)

    # scans

    def start_scan(self, section: Section, path: str | None, ends: float) -> None:
        """Start to look for staged movies, below `path` only if one is given."""
        section.scan_paths.append(path or "")
        self.told("scan", section, "started")
        section.scan_ends = ends

    def finish_scan(self, section: Section) -> None:
        """Reveal the movies in the scan. A section without a scan stays as it is."""
        if section.scan_ends is None:
            return
        paths, section.scan_paths, section.scan_ends = section.scan_paths, [], None
        for item in list(section.staged):
            if any(_below(one.path, path) for one in item.files for path in paths):
                section.staged.remove(item)
                self.reveal(item)
        section.scanned_at = max(section.scanned_at + 1, self.now())
        self.told("scan", section, "ended")
        self.scanned(section)

    # numbers

    def next_key(self) -> int:
        """A rating key that nothing had before."""
        self._last_key += 1
        return self._last_key

    def next_entry(self) -> int:
        """An id of a place in a playlist that no place had before."""
        self._last_entry += 1
        return self._last_entry

    def _media(self, parts: Iterable[FileSpec]) -> Iterator[File]:
        """The parts of a new media."""
        media_id = self._last_file + 1
        for path, size, duration in parts:
            self._last_file += 1
            part_id = self._last_file + 100_000
            yield File(media_id=media_id, part_id=part_id, path=path, size=size, duration=duration)


def is_private(url: str) -> bool:
    """Whether an address lies in a private network."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home", ".internal"))


def _place(section: Section, kind: str, name: str) -> tuple[str, int, str]:
    """The key of a tag: collections belong to a section, all others to the server; case does not matter."""
    return (kind, section.id if kind == "collection" else 0, name.casefold())


def _released(item: Item) -> str:
    return str(item.scalars.get("originallyAvailableAt") or item.scalars.get("year") or "")


def _below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder.rstrip("/\\") + ("\\" if "\\" in folder else "/"))


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _iso_date(text: str) -> str:
    if not ISO_DATE.fullmatch(text):
        raise Unacceptable(400)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as wrong:
        raise Unacceptable(400) from wrong
