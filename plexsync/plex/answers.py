"""Decodes Plex's answers: strict about their shape, lenient where Plex itself mixes its types.

Ids and numbers come as numbers (also with a fraction) or texts, flags as true or 1, empty texts and lists are left out. A
part that says nothing (a folder without a path, a lock without a field) is left out, and the rest is read. But a
container must be present and state its size: nothing else counts as "no items". All functions are pure and raise
ValueError for well-formed answers that contradict themselves.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Generic, TypeVar

import msgspec

from plexsync.rules.item import Entry, Item, Part, ViewState, moment_text
from plexsync.rules.records import Section

# Digits of a number in 64 bits.
LONGEST_NUMBER = 19
# The largest number that both databases can hold.
LARGEST = 2**63 - 1
# Digits of a moment in seconds: three thousand years.
LONGEST_MOMENT = 11

Number = int | float | str
Flag = bool | int | float | str
C = TypeVar("C")
R = TypeVar("R")


class Body(msgspec.Struct, Generic[C]):
    """A body: all of it is in a container."""

    MediaContainer: C


class Page(msgspec.Struct, Generic[R]):
    """A page of a listing, or all of it."""

    size: Number
    totalSize: Number | None = None
    Metadata: list[R] = []


class FullPage(Page[R], Generic[R]):
    """Objects in full; the library of all of them, for those that don't name theirs."""

    librarySectionID: Number | None = None
    librarySectionUUID: str | None = None


# Any body with a container, such as that of a write, in the rare case that it has one.
NOTHING = msgspec.json.Decoder(Body[dict[str, object]])


def rows_of(page: Page[R]) -> list[R]:
    """The rows of a page; raises ValueError if it does not hold as many as it says."""
    check_size(page.size, page.Metadata)
    return page.Metadata


def check_size(size: Number, listed: Sequence[object]) -> None:
    """Raise ValueError if a container does not hold as much as it says: nothing else tells that the answer is whole."""
    if whole_number(size) != len(listed) or (isinstance(size, float) and not size.is_integer()):
        raise ValueError("a container that does not hold what it says")


def total_of(total_size: Number | None, header: str) -> int:
    """The size of the whole listing, from the body or else from the header with the same value."""
    total = whole_number(header if total_size is None else total_size)
    if total < 0:
        raise ValueError("a negative total")
    return total


def key_of(number: Number) -> str:
    """A key as text. Keys go into URLs, so they must be plain numbers."""
    text = digits(number)
    if not text:
        raise ValueError("a key that is no number")
    return text


def digits(number: Number | None) -> str:
    """The digits of a number without its fraction; '' for none, a negative one, or a text that is no number."""
    text = "" if number is None else _whole(number)
    return text if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and int(text) <= LARGEST else ""


def short_number(number: Number | None, length: int) -> int:
    """A number of at most so many digits, without its fraction; 0 for any other."""
    text = digits(number) if number else ""
    return int(text) if text and len(text) <= length else 0


def whole_number(number: Number) -> int:
    """A number without its fraction; raises ValueError for a text that is none, or one that no database holds."""
    text = _whole(number)
    whole = int(text) if len(text) <= LONGEST_NUMBER else LARGEST + 1
    if abs(whole) > LARGEST:
        raise ValueError("a number out of bounds")
    return whole


def moment(number: Number | None) -> int:
    """A moment in UTC seconds; 0 for none, or for a number that is no moment."""
    return short_number(number, LONGEST_MOMENT)


def _whole(number: Number) -> str:
    """The number as text, without its fraction."""
    if isinstance(number, int):
        return str(number)
    text = f"{number:f}" if isinstance(number, float) else number
    whole, point, fraction = text.partition(".")
    return whole if point and fraction.isascii() and fraction.isdigit() else text


def is_set(flag: Flag) -> bool:
    """Whether a flag is true."""
    return flag in (True, "1", "true")


def rating_text(rating: float | str | None) -> str:
    """A rating as the shortest decimal ("8.5", "8"), '' for none."""
    if rating is None or rating == "":
        return ""
    value = float(rating)
    if not math.isfinite(value):
        raise ValueError("a rating that is no number")
    return f"{value:g}" if value >= 0 else ""


# The replacement for bytes that are not UTF-8.
UNREADABLE = "\ufffd"
# Digits of a duration in milliseconds: thirty years.
LONGEST_DURATION = 12
# Digits of the times that somebody can watch a movie.
LONGEST_COUNT = 9
# The end of the name of the agent of a library of Other Videos.
NO_AGENT = ".none"
# How the guid of an item begins that no agent has matched: it has no pictures from the internet.
UNMATCHED = ("local://", "com.plexapp.agents.none://", "tv.plex.agents.none://")


class PlexTag(msgspec.Struct):
    """A member of a list, possibly without a name; `role` and `thumb` for the cast only."""

    tag: str | None = None
    role: str | None = None
    thumb: str | None = None


class FieldAnswer(msgspec.Struct):
    """The state of a field's lock."""

    name: str | None = None
    locked: Flag = True


class PartAnswer(msgspec.Struct):
    """A file."""

    file: str | None = None
    size: Number | None = None
    duration: Number | None = None


class MediaAnswer(msgspec.Struct):
    """A version of an item. Its duration is that of all its files together."""

    duration: Number | None = None
    Part: list[PartAnswer] = []


class EntryAnswer(msgspec.Struct):
    """An item of a listing, with the fields that the index needs."""

    ratingKey: Number
    updatedAt: Number | None = None
    Media: list[MediaAnswer] = []


class FullAnswer(msgspec.Struct):
    """What an item or a collection in full has."""

    ratingKey: Number
    librarySectionID: Number | None = None
    librarySectionUUID: str | None = None
    updatedAt: Number | None = None
    title: str | None = None
    titleSort: str | None = None
    summary: str | None = None
    thumb: str | None = None
    art: str | None = None
    Field: list[FieldAnswer] = []


class ItemAnswer(FullAnswer):
    """An item in full."""

    originalTitle: str | None = None
    tagline: str | None = None
    studio: str | None = None
    originallyAvailableAt: str | None = None
    addedAt: Number | None = None
    contentRating: str | None = None
    userRating: float | str | None = None
    viewCount: Number | None = None
    lastViewedAt: Number | None = None
    viewOffset: Number | None = None
    lastRatedAt: Number | None = None
    Role: list[PlexTag] = []
    Director: list[PlexTag] = []
    Genre: list[PlexTag] = []
    Collection: list[PlexTag] = []
    Label: list[PlexTag] = []
    Media: list[MediaAnswer] = []
    subtype: str | None = None
    guid: str | None = None


class LocationAnswer(msgspec.Struct):
    """A folder of a library."""

    path: str | None = None


class SectionAnswer(msgspec.Struct):
    """A library."""

    key: Number
    type: str
    title: str
    agent: str | None = None
    uuid: str | None = None
    Location: list[LocationAnswer] = []
    scannedAt: Number | None = None
    contentChangedAt: Number | None = None
    refreshing: Flag = False
    allowSync: Flag = True


class LibraryList(msgspec.Struct):
    """The libraries."""

    size: Number
    Directory: list[SectionAnswer] = []


class Identity(msgspec.Struct):
    """The server itself."""

    version: str
    machineIdentifier: str
    friendlyName: str = ""


class OfferedPicture(msgspec.Struct):
    """A picture that an item can show. Its `key` is an address, in case it has no `ratingKey`."""

    ratingKey: str | None = None
    key: str | None = None
    selected: Flag = False


class OfferedPictures(msgspec.Struct):
    """The pictures that an item can show; in XML, and from some servers in JSON too, each is called a photo."""

    size: Number
    Metadata: list[OfferedPicture] = []
    Photo: list[OfferedPicture] = []


def entries_of(page: Page[EntryAnswer], section: str) -> list[Entry]:
    """The entries of a page."""
    return [
        Entry(key_of(entry.ratingKey), section, _parts(entry.Media), whole_number(entry.updatedAt or 0))
        for entry in rows_of(page)
    ]


def items_of(container: FullPage[ItemAnswer]) -> dict[str, Item]:
    """The items by rating key, without those that belong to no library (-1)."""
    items = {}
    for metadata in rows_of(container):
        numbers = [number for number in (metadata.librarySectionID, container.librarySectionID) if number is not None]
        if not numbers:
            raise ValueError("an item that does not name its library")
        if section := next((text for text in map(digits, numbers) if text), ""):
            item = _item(metadata, section, metadata.librarySectionUUID or container.librarySectionUUID or "")
            items[item.key] = item
    return items


def pictures_of(container: OfferedPictures) -> dict[str, bool]:
    """For each picture, by key: whether it is the one shown."""
    offered = container.Metadata or container.Photo
    check_size(container.size, offered)
    keys = [(picture.ratingKey or picture.key or "", picture) for picture in offered]
    return {key: is_set(picture.selected) for key, picture in keys if key}


def sections_of(container: LibraryList) -> list[Section]:
    """The movie libraries."""
    check_size(container.size, container.Directory)
    return [
        Section(
            key=key_of(directory.key),
            title=directory.title,
            locations=tuple(place.path for place in directory.Location if place.path),
            scanned_at=whole_number(directory.scannedAt or 0),
            changed_at=whole_number(directory.contentChangedAt or 0),
            scanning=is_set(directory.refreshing),
            owned=is_set(directory.allowSync),
            uuid=directory.uuid or "",
            other_videos=(directory.agent or "").endswith(NO_AGENT),
        )
        for directory in container.Directory
        if directory.type == "movie"
    ]


def _item(metadata: ItemAnswer, section: str, library: str) -> Item:
    locks = locks_of(metadata.Field)
    return Item(
        key=key_of(metadata.ratingKey),
        section=section,
        scalars={
            "title": metadata.title or "",
            "titleSort": sort_title(metadata.title, metadata.titleSort, locks),
            "originalTitle": metadata.originalTitle or "",
            "tagline": metadata.tagline or "",
            "studio": metadata.studio or "",
            "summary": metadata.summary or "",
            "originallyAvailableAt": (metadata.originallyAvailableAt or "")[:10],
            "addedAt": moment_text(moment(metadata.addedAt)),
            "contentRating": metadata.contentRating or "",
            "userRating": rating_text(metadata.userRating),
        },
        lists={
            "actor": _names(metadata.Role),
            "director": _names(metadata.Director),
            "genre": _names(metadata.Genre),
            "collection": _names(metadata.Collection),
            "label": _names(metadata.Label),
        },
        locks=locks,
        parts=_parts(metadata.Media),
        roles={role.tag: role.role for role in metadata.Role if role.tag and role.role},
        faces={role.tag: role.thumb for role in metadata.Role if role.tag and role.thumb},
        pictures={name: path for name, path in (("thumb", metadata.thumb), ("art", metadata.art)) if path},
        stamp=whole_number(metadata.updatedAt or 0),
        clip=metadata.subtype == "clip",
        library=library,
        viewing=viewing_of(metadata.viewCount, metadata.lastViewedAt, metadata.viewOffset),
        rated_at=moment(metadata.lastRatedAt),
        unmatched=(metadata.guid or "").startswith(UNMATCHED),
    )


def locks_of(fields: Iterable[FieldAnswer]) -> frozenset[str]:
    """The names of the locked fields."""
    return frozenset(field.name for field in fields if field.name and is_set(field.locked))


def sort_title(title: str | None, sort_title: str | None, locks: Collection[str]) -> str:
    """The sort title. One equal to the title is left out; an unlocked one was not chosen by the user."""
    return sort_title or (title if "titleSort" in locks else "") or ""


def viewing_of(count: Number | None, moment: Number | None, offset: Number | None) -> ViewState:
    """How far an item was watched. An invalid number counts as none: it does not make the answer invalid."""
    return ViewState(
        short_number(count, LONGEST_COUNT),
        short_number(moment, LONGEST_MOMENT),
        short_number(offset, LONGEST_DURATION),
    )


def _names(tags: Iterable[PlexTag]) -> tuple[str, ...]:
    return tuple([tag.tag for tag in tags if tag.tag])


def _parts(media: Iterable[MediaAnswer]) -> tuple[Part, ...]:
    """The files, without those whose name is not UTF-8: its readable rest could match another name."""
    files = ((part, medium) for medium in media for part in medium.Part)
    return tuple(
        Part(part.file, whole_number(part.size or 0), _duration(part, medium))
        for part, medium in files
        if part.file and UNREADABLE not in part.file
    )


def _duration(part: PartAnswer, media: MediaAnswer) -> int:
    """The duration of a file in ms: its own, else its version's if it is the only file; 0 if invalid.

    It is only a hint for matching, so an invalid one does not make the answer invalid.
    """
    return short_number(part.duration or (media.duration if len(media.Part) == 1 else None), LONGEST_DURATION)
