"""How the answers of a metadata provider come into an item of the simulated Plex.

Locked fields stay. What is sent is set or added; what becomes of the rest, the traits say. The shape of an answer is that
of "Metadata Response" in Plex's description of its API; an answer that breaks it changes nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import date

from plexsync.simulator.plex_model import (
    PICTURE_LOCKS,
    TAG_ELEMENTS,
    Item,
    Library,
    Tagging,
    is_private,
)

RATING_KEY = re.compile(r"[A-Za-z0-9_-]+")
GUID = re.compile(r"([a-z][a-z0-9.]*)://(?:([a-z]+)/)?([^/]+)", re.IGNORECASE)
CLOUD_SCHEME = "plex"
FIELDS = (
    "title",
    "titleSort",
    "originalTitle",
    "summary",
    "tagline",
    "studio",
    "contentRating",
    "originallyAvailableAt",
)
KINDS = {kind: element for kind, element in TAG_ELEMENTS.items() if kind != "label"}
PICTURES = (("posters", "thumb", "coverPoster"), ("arts", "art", "background"))

Entry = Mapping[str, object]


def entries(document: object, name: str = "Metadata") -> list[Entry]:
    """The elements of a container with this name; none if it is no container."""
    container = document.get("MediaContainer") if isinstance(document, dict) else None
    found = container.get(name) if isinstance(container, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def rating_key(guid: str, identifier: str) -> str | None:
    """The key under which a provider is asked for the item of a guid; None if it never is.

    A guid without the type of the item is taken as a match, and then nobody asks for its values. One of Plex's cloud is
    asked for under the key that it has there.
    """
    found = GUID.fullmatch(guid)
    if (
        not found
        or found[1] not in (identifier, CLOUD_SCHEME)
        or found[2] != "movie"
        or not RATING_KEY.fullmatch(found[3])
    ):
        return None
    return found[3]


def fault_of(entry: Entry, key: str, guid: str) -> str:
    """What an answer for this key lacks or has wrong; '' for nothing."""
    if entry.get("ratingKey") != key and not guid.startswith(f"{CLOUD_SCHEME}://"):
        return "ratingKey is not the one that was asked for"
    if entry.get("guid") != guid:
        return "guid is not that of the match"
    if entry.get("type") != "movie":
        return "type is not movie"
    if not _is_text(entry.get("key")) or not _is_text(entry.get("title")):
        return "key or title is missing"
    day = entry.get("originallyAvailableAt")
    if not isinstance(day, str) or (day and not _is_day(day)):
        return "originallyAvailableAt is no date"
    if any(not isinstance(entry.get(name, ""), str) for name in FIELDS):
        return "a text is none"
    for element in (*KINDS.values(), "Image"):
        tags = entry.get(element, [])
        needed = "url" if element == "Image" else "tag"
        if not isinstance(tags, list) or any(
            not isinstance(tag, dict) or not _is_text(tag.get(needed)) for tag in tags
        ):
            return f"{element} is no list of {needed}s"
    return ""


def merge(library: Library, item: Item, entry: Entry, identifier: str) -> None:
    """Take over the values of a sound answer."""
    _merge_fields(library, item, entry)
    for kind, element in KINDS.items():
        if kind not in item.locks:
            _merge_tags(library, item, kind, _tags(entry, element))
    for shelf, name, image in PICTURES:
        _offer(library, item, shelf, [entry.get(name), *_images(entry, image)], identifier)


def _merge_fields(library: Library, item: Item, entry: Entry) -> None:
    for name in FIELDS:
        text = str(entry.get(name) or "")
        if name not in item.locks and (text or library.traits.absent_fields == "cleared"):
            library.set_scalar(item, name, library.readable(name, text))
    year = entry.get("year")
    if isinstance(year, int) and not entry.get("originallyAvailableAt") and "originallyAvailableAt" not in item.locks:
        item.scalars["year"] = year


def _merge_tags(library: Library, item: Item, kind: str, tags: list[Entry]) -> None:
    """What is sent comes first, in its order."""
    made: dict[int, Tagging] = {}
    for entry in tags:
        one = library.tagging(item.section, kind, str(entry["tag"]), str(entry.get("role") or ""))
        if (face := str(entry.get("thumb") or "")) and _is_taken(library, face):
            one.tag.thumb = face
        made.setdefault(one.tag.id, one)
    if library.traits.omitted_tags == "kept":
        for one in item.lists.get(kind, ()):
            made.setdefault(one.tag.id, one)
    library.set_list(item, kind, list(made.values()))


def _offer(library: Library, item: Item, shelf: str, urls: list[object], identifier: str) -> None:
    taken = [url for url in urls if isinstance(url, str) and url and _is_taken(library, url)]
    keys = [f"metadata://{shelf}/{identifier}_{_digest(url)}" for url in taken]
    for key, url in zip(keys, taken, strict=True):
        item.pictures[shelf][key] = f"picture of {url}".encode()
    if keys and PICTURE_LOCKS[shelf] not in item.locks and item.selected[shelf] != keys[0]:
        item.selected[shelf] = keys[0]
        item.stamps[shelf] = max(item.stamps[shelf] + 1, library.now())


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _images(entry: Entry, kind: str) -> list[object]:
    images = entry.get("Image")
    return [one["url"] for one in images if one.get("type") == kind] if isinstance(images, list) else []


def _tags(entry: Entry, element: str) -> list[Entry]:
    tags = entry.get(element)
    return tags if isinstance(tags, list) else []


def _is_taken(library: Library, url: str) -> bool:
    """Since 1.43.5 a server loads no picture from a private address, and images.plex.tv never did."""
    return library.traits.provider_pictures == "any" or not is_private(url)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
