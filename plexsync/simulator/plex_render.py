"""The answers of the simulated Plex: one tree, as XML and as JSON.

A `Node` is an element with attributes and children. XML writes it as it is, booleans as 1 and 0. JSON gathers the
children of one name into an array named like the element, except that movies, collections and pictures are all called
`Metadata`; booleans are booleans, and the Python type of an id decides whether it is a string or a number.
Names and types are those that real servers were recorded to send.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from plexsync.simulator.plex_model import PICTURE_LOCKS, TAG_ELEMENTS, File, Item, Section, Tagging, base_name
from plexsync.simulator.plex_traits import Traits

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
# The tags of a listing, in order, and how many of each kind.
LISTED_TAGS = {"genre": 2, "country": 2, "collection": None, "director": 3, "writer": 2, "actor": 3}
# Half a character is kept as lone surrogates and sent as its original bytes.
HALVES = "surrogateescape"
TAG_VERSION = 1_700_000_000

Value = str | int | float | bool | None
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass
class Node:
    """One element. `name` is its JSON name if that differs; a `single` one is no array in JSON."""

    tag: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    children: list["Node | Ready"] = field(default_factory=list)
    name: str = ""
    single: bool = False


@dataclass(frozen=True)
class Ready:
    """A node already rendered in the requested format."""

    name: str
    text: str


@dataclass(frozen=True)
class Left:
    """The parts that a listing leaves out, and its format: together the cache key of a rendered item."""

    as_json: bool
    elements: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()


def document(container: Node, *, as_json: bool) -> bytes:
    """The whole answer as bytes."""
    if as_json:
        return b'{"' + container.tag.encode() + b'":' + to_json(container).encode(errors=HALVES) + b"}"
    return (XML_HEAD + to_xml(container)).encode(errors=HALVES)


def to_xml(node: Node) -> str:
    """Render the element and all below it."""
    attributes = "".join(
        f" {name}={quoteattr(_xml_value(value))}" for name, value in node.attributes.items() if value is not None
    )
    if not node.children:
        return f"<{node.tag}{attributes}/>"
    inner = "".join(child.text if isinstance(child, Ready) else to_xml(child) for child in node.children)
    return f"<{node.tag}{attributes}>{inner}</{node.tag}>"


def to_json(node: Node) -> str:
    """Render the object and all below it."""
    attributes = {name: value for name, value in node.attributes.items() if value is not None}
    members = [COMPACT.encode(attributes)[1:-1]] if attributes else []
    groups: dict[str, list[str]] = {}
    singles: set[str] = set()
    for child in node.children:
        if isinstance(child, Ready):
            groups.setdefault(child.name, []).append(child.text)
            continue
        name = child.name or child.tag
        groups.setdefault(name, []).append(to_json(child))
        if child.single:
            singles.add(name)
    for name, texts in groups.items():
        members.append(f'"{name}":{texts[0]}' if name in singles else f'"{name}":[{",".join(texts)}]')
    return "{" + ",".join(members) + "}"


def _xml_value(value: Value) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def listed(item: Item, left: Left) -> Ready:
    """The abridged item, rendered: a few tags of each kind, no locks and no labels. Cached until the item changes."""
    text = item.listed.get(left)
    if text is None:
        node = collection_node(item) if item.type == "collection" else listed_node(item, left)
        text = to_json(node) if left.as_json else to_xml(node)
        if item.type == "movie":
            item.listed[left] = text
    return Ready("Metadata", text)


def listed_node(item: Item, left: Left) -> Node:
    """The abridged movie as a tree."""
    children: list[Node | Ready] = []
    if "Media" not in left.elements:
        children += [_media_node(parts, left, {}) for parts in item.media()]
    if "Image" not in left.elements:
        children += _image_nodes(item)
    for kind, most in LISTED_TAGS.items():
        element = TAG_ELEMENTS[kind]
        if element not in left.elements:
            children += [Node(element, {"tag": one.tag.tag}) for one in item.lists.get(kind, [])[:most]]
    attributes = {name: value for name, value in _attributes(item).items() if name not in left.fields}
    return Node("Video", attributes, children, name="Metadata")


def detailed_node(item: Item, *, check_files: bool) -> Node:
    """The whole movie: every tag with its id, every lock."""
    children: list[Node | Ready] = []
    there = not item.trashed
    seen: dict[str, Value] = {"accessible": there, "exists": there} if check_files else {}
    children += [_media_node(parts, Left(as_json=True), seen) for parts in item.media()]
    children += _image_nodes(item)
    for kind, element in TAG_ELEMENTS.items():
        children += [_tag_node(item.section, kind, element, one) for one in item.lists.get(kind, ())]
    children += lock_nodes(item)
    return Node("Video", {**_section_attributes(item.section), **_attributes(item)}, children, name="Metadata")


def collection_node(item: Item, *, with_locks: bool = False) -> Node:
    """A collection, in a listing or on its own."""
    key = str(item.key)
    members = [item.section.items[one] for one in item.section.members[item.tag_id] if one in item.section.items]
    count = len(members)
    years = [str(one.scalars["year"]) for one in members if "year" in one.scalars]
    composite = f"/library/collections/{key}/composite/{item.updated_at}?width=400&height=600"
    attributes: dict[str, Value] = {
        "ratingKey": key,
        "key": f"/library/collections/{key}/children",
        "guid": _collection_guid(item.section, item.tag_id),
        "type": "collection",
        "title": item.scalars.get("title"),
        "titleSort": item.scalars.get("titleSort"),
        "subtype": "movie",
        "contentRating": item.scalars.get("contentRating"),
        "summary": item.scalars.get("summary", ""),
        "smart": True if item.smart else None,
        "userRating": item.user_rating,
        "index": 1,
        "ratingCount": count,
        "thumb": picture_path(item, "posters") or composite,
        "art": picture_path(item, "arts") or None,
        "addedAt": item.scalars.get("addedAt"),
        "updatedAt": item.updated_at,
        "childCount": str(count),
        "collectionMode": item.prefs.get("collectionMode"),
        "collectionSort": item.prefs.get("collectionSort"),
        "content": item.smart or None,
        "maxYear": max(years, default=None),
        "minYear": min(years, default=None),
    }
    children: list[Node | Ready] = []
    if with_locks:
        attributes = {**_section_attributes(item.section), **attributes}
        children += [_tag_node(item.section, "label", "Label", one) for one in item.lists.get("label", ())]
        children += lock_nodes(item)
    return Node("Directory", attributes, children, name="Metadata")


def section_node(section: Section, *, owner: bool = True) -> Node:
    """A library as in `/library/sections`, for the owner of the server or for another user."""
    attributes: dict[str, Value] = {
        "allowSync": owner,
        "art": "/:/resources/movie-fanart.jpg",
        "composite": f"/library/sections/{section.id}/composite/{section.updated_at}",
        "filters": True,
        "refreshing": section.scan_ends is not None,
        "thumb": _resource(section),
        "key": str(section.id),
        "type": section.type,
        "title": section.title,
        "agent": section.agent,
        "scanner": section.scanner,
        "language": "xn" if section.agent.endswith(".none") else "en-US",
        "metadataAgentProviderGroupId": None if section.group is None else id_value(section.group, section.traits),
        "uuid": section.uuid,
        "updatedAt": section.updated_at,
        "createdAt": section.created_at,
        "scannedAt": section.scanned_at,
        "content": True,
        "directory": True,
        "contentChangedAt": section.content_changed_at,
        "hidden": 0,
    }
    places: list[Node | Ready] = [
        Node("Location", {"id": section.id * 100 + number, "path": path})
        for number, path in enumerate(section.locations)
    ]
    return Node("Directory", attributes, places)


def id_value(number: int, traits: Traits) -> Value:
    """The id of a metadata provider or agent: the schema says that it is an integer, the examples show texts."""
    return number if traits.agent_ids == "numbers" else str(number)


def listing_attributes(section: Section) -> dict[str, Value]:
    """The attributes of a listing's container."""
    return {
        "allowSync": True,
        "art": "/:/resources/movie-fanart.jpg",
        "identifier": "com.plexapp.plugins.library",
        "librarySectionID": section.id,
        "librarySectionTitle": section.title,
        "librarySectionUUID": section.uuid,
        "mediaTagPrefix": "/system/bundle/media/flags/",
        "mediaTagVersion": TAG_VERSION,
        "thumb": _resource(section),
        "title1": section.title,
        "viewGroup": "movie",
    }


def details_attributes(sections: Iterable[Section]) -> dict[str, Value]:
    """The attributes of a container of items in full: those of their library if it is the same one."""
    own: dict[str, Value] = {"allowSync": True, "identifier": "com.plexapp.plugins.library"}
    shared: dict[str, Value] = {"mediaTagPrefix": "/system/bundle/media/flags/", "mediaTagVersion": TAG_VERSION}
    first, *others = {section.id: section for section in sections}.values()
    place: dict[str, Value] = {
        "librarySectionID": first.id,
        "librarySectionTitle": first.title,
        "librarySectionUUID": first.uuid,
    }
    return {**own, **({} if others else place), **shared}


def _resource(section: Section) -> str:
    return "/:/resources/video.png" if section.is_other else "/:/resources/movie.png"


def picture_nodes(item: Item, shelf: str) -> Iterable[Node]:
    """The available pictures, the selected one marked."""
    for key in item.pictures[shelf]:
        if (shelf, key) in item.arrivals:
            continue
        path = f"/library/metadata/{item.key}/file?url={quote(key, safe='')}"
        provider = "com.plexapp.agents.localmedia" if key.startswith("media://") else None
        attributes = {"key": path, "ratingKey": key, "thumb": path, "provider": provider}
        yield Node("Photo", {**attributes, "selected": item.selected[shelf] == key}, name="Metadata")


def _attributes(item: Item) -> dict[str, Value]:
    scalars = item.scalars
    key = str(item.key)
    other = item.section.is_other
    return {
        "ratingKey": key,
        "key": f"/library/metadata/{key}",
        "guid": movie_guid(item),
        "studio": scalars.get("studio"),
        "type": "movie",
        "title": scalars.get("title", ""),
        "subtype": "clip" if other else None,
        # A sort title equal to the title is left out.
        "titleSort": sort_title if (sort_title := scalars.get("titleSort")) != scalars.get("title") else None,
        "originalTitle": scalars.get("originalTitle"),
        "contentRating": scalars.get("contentRating"),
        "summary": scalars.get("summary", ""),
        "rating": scalars.get("rating"),
        "audienceRating": scalars.get("audienceRating"),
        "userRating": item.user_rating,
        "lastRatedAt": item.last_rated_at,
        "viewOffset": item.view_offset or None,
        "viewCount": item.view_count or None,
        "lastViewedAt": item.last_viewed_at,
        "year": scalars.get("year"),
        "tagline": scalars.get("tagline"),
        "editionTitle": scalars.get("editionTitle"),
        "thumb": picture_path(item, "posters") or None,
        "art": picture_path(item, "arts") or None,
        "duration": sum(one.duration for one in item.media()[0]) or None if item.files else None,
        "originallyAvailableAt": scalars.get("originallyAvailableAt"),
        "addedAt": scalars.get("addedAt"),
        "updatedAt": item.updated_at,
        "createdAtAccuracy": "epoch,local" if other else None,
        "createdAtTZOffset": "0" if other else None,
    }


def movie_guid(item: Item) -> str:
    """A movie that an agent has matched or none has; the file of one of Other Videos."""
    if item.guid:
        return item.guid
    if item.matched:
        return f"plex://movie/{item.key:024x}"
    if not item.section.is_other:
        return f"local://{item.key}"
    if item.section.agent != "com.plexapp.agents.none":
        return f"{item.section.agent}://{item.key}"
    path = item.files[0].path if item.files else ""
    return f"{item.section.agent}://{hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()}?lang=xn"


def _collection_guid(section: Section, tag_id: int) -> str:
    digest = hashlib.sha1(f"{section.uuid} {tag_id}".encode(), usedforsecurity=False).hexdigest()
    return f"collection://{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def _section_attributes(section: Section) -> dict[str, Value]:
    return {
        "librarySectionTitle": section.title,
        "librarySectionID": section.id,
        "librarySectionKey": f"/library/sections/{section.id}",
    }


def picture_path(item: Item, shelf: str) -> str:
    """The path of the selected picture; '' for none."""
    if item.selected[shelf] is None:
        return ""
    return f"/library/metadata/{item.key}/{PICTURE_LOCKS[shelf]}/{picture_stamp(item, shelf)}"


def picture_stamp(item: Item, shelf: str) -> int:
    """The number in the path of the selected picture."""
    return item.updated_at if item.section.traits.one_stamp else item.stamps[shelf]


def _media_node(parts: Sequence[File], left: Left, seen: dict[str, Value]) -> Node:
    """A media with its parts. `seen` are further attributes of each part."""
    container = base_name(parts[0].path).rpartition(".")[2].lower() or None
    attributes: dict[str, Value] = {
        "id": parts[0].media_id,
        "duration": sum(one.duration for one in parts) or None,
        "bitrate": 5000,
        "width": 1920,
        "height": 1080,
        "aspectRatio": 1.78,
        "audioChannels": 2,
        "audioCodec": "aac",
        "videoCodec": "h264",
        "videoResolution": "1080",
        "container": container,
        "videoFrameRate": "24p",
    }
    nodes: list[Node | Ready] = [
        Node(
            "Part",
            {
                "id": one.part_id,
                **seen,
                "key": f"/library/parts/{one.part_id}/0/file.{container}",
                "duration": one.duration or None,
                "file": None if "file" in left.fields else one.path,
                "size": one.size,
                "container": container,
            },
        )
        for one in parts
    ]
    return Node("Media", attributes, [] if "Part" in left.elements else nodes)


def _image_nodes(item: Item) -> list[Node]:
    kinds = (("coverPoster", "posters"), ("background", "arts"))
    title = item.scalars.get("title", "")
    return [
        Node("Image", {"alt": title, "type": kind, "url": path})
        for kind, shelf in kinds
        if (path := picture_path(item, shelf))
    ]


def _tag_node(section: Section, kind: str, element: str, one: Tagging) -> Node:
    tag = one.tag
    return Node(
        element,
        {
            "id": tag.id,
            "filter": f"{kind}={tag.id}",
            "tag": tag.tag,
            "guid": _collection_guid(section, tag.id) if kind == "collection" else None,
            "role": one.text or None,
            "thumb": tag.thumb or None,
        },
    )


def lock_nodes(item: Item) -> list[Node]:
    """The locks of an item, in full."""
    return [Node("Field", {"locked": True, "name": name}) for name in sorted(item.locks)]
