"""The answers of the simulated Plex: one tree, as XML and as JSON.

A `Node` is an element with attributes and children. XML writes it as it is, booleans as 1 and 0. JSON gathers the
children of one name into an array named like the element, except that movies, collections and pictures are all called
`Metadata`; booleans are booleans, and the Python type of an id decides whether it is a string or a number.
As on the real server, that differs from place to place: a part's id is a number in a listing and a string in the
details.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from plexsync.simulator.plex_model import PICTURE_LOCKS, TAG_ELEMENTS, File, Item, Section, Tagging, base_name

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
LISTED_ROLES = 3
# Half a character is kept as lone surrogates and sent as its original bytes.
HALVES = "surrogateescape"
LISTED_TAGS = ("genre", "country", "director", "writer", "actor")

Value = str | int | float | bool | None


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
    members = [
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}"
        for name, value in node.attributes.items()
        if value is not None
    ]
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
    """The abridged item, rendered: three roles, no locks, no labels or collections. Cached until the item changes."""
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
        children += [_media_node(parts, left, {}, number=int) for parts in item.media()]
    if "Image" not in left.elements:
        children += _image_nodes(item)
    for kind in LISTED_TAGS:
        element = TAG_ELEMENTS[kind]
        if element not in left.elements:
            taggings = item.lists.get(kind, [])
            children += [
                Node(element, {"tag": one.tag.tag}) for one in taggings[: LISTED_ROLES if kind == "actor" else None]
            ]
    attributes = {name: value for name, value in _attributes(item).items() if name not in left.fields}
    return Node("Video", attributes, children, name="Metadata")


def detailed_node(item: Item, *, check_files: bool) -> Node:
    """The whole movie: every tag with its id, every lock."""
    children: list[Node | Ready] = []
    seen: dict[str, Value] = {"accessible": True, "exists": True} if check_files else {}
    children += [_media_node(parts, Left(as_json=True), seen, number=str) for parts in item.media()]
    children += _image_nodes(item)
    for kind, element in TAG_ELEMENTS.items():
        children += [_tag_node(kind, element, one) for one in item.lists.get(kind, ())]
    children += _lock_nodes(item)
    return Node("Video", {**_section_attributes(item.section), **_attributes(item)}, children, name="Metadata")


def collection_node(item: Item, *, with_locks: bool = False) -> Node:
    """A collection, in a listing or on its own."""
    key = str(item.key)
    count = len(item.section.members[item.tag_id])
    attributes: dict[str, Value] = {
        "ratingKey": key,
        "key": f"/library/collections/{key}/children",
        "guid": f"collection://{key}",
        "type": "collection",
        "title": item.scalars.get("title"),
        "titleSort": item.scalars.get("titleSort"),
        "subtype": "movie",
        "contentRating": item.scalars.get("contentRating"),
        "summary": item.scalars.get("summary", ""),
        "userRating": item.scalars.get("userRating"),
        "index": 1,
        "ratingCount": count,
        "thumb": f"/library/collections/{key}/composite/{item.updated_at}",
        "addedAt": item.scalars.get("addedAt"),
        "updatedAt": item.updated_at,
        "childCount": str(count),
    }
    children: list[Node | Ready] = []
    if with_locks:
        attributes = {**_section_attributes(item.section), **attributes}
        children += [_tag_node("label", "Label", one) for one in item.lists.get("label", ())]
        children += _lock_nodes(item)
    return Node("Directory", attributes, children, name="Metadata")


def section_node(section: Section, *, owner: bool = True) -> Node:
    """A library as in `/library/sections`, for the owner of the server or for another user."""
    attributes: dict[str, Value] = {
        "allowSync": owner,
        "art": "/:/resources/movie-fanart.jpg",
        "composite": f"/library/sections/{section.id}/composite/{section.updated_at}",
        "filters": True,
        "refreshing": section.scan_ends is not None,
        "thumb": "/:/resources/movie.png",
        "key": str(section.id),
        "type": section.type,
        "title": section.title,
        "agent": section.agent,
        "scanner": section.scanner,
        "language": "en-US",
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
        "mediaTagVersion": 1_700_000_000,
        "thumb": "/:/resources/movie.png",
        "title1": section.title,
        "viewGroup": "movie",
    }


def picture_nodes(item: Item, shelf: str) -> Iterable[Node]:
    """The available pictures, the selected one marked."""
    for key in item.pictures[shelf]:
        path = f"/library/metadata/{item.key}/file?url={quote(key, safe='')}"
        provider = "com.plexapp.agents.localmedia" if key.startswith("media://") else None
        attributes = {"key": path, "ratingKey": key, "thumb": path, "provider": provider}
        yield Node("Photo", {**attributes, "selected": item.selected[shelf] == key}, name="Metadata")


def _attributes(item: Item) -> dict[str, Value]:
    scalars = item.scalars
    key = str(item.key)
    return {
        "ratingKey": key,
        "key": f"/library/metadata/{key}",
        "guid": f"{'local' if item.section.agent.endswith('.none') else item.section.agent}://{key}",
        "studio": scalars.get("studio"),
        "type": "movie",
        "title": scalars.get("title", ""),
        # A sort title equal to the title is left out.
        "titleSort": sort_title if (sort_title := scalars.get("titleSort")) != scalars.get("title") else None,
        "originalTitle": scalars.get("originalTitle"),
        "contentRating": scalars.get("contentRating"),
        "summary": scalars.get("summary", ""),
        "rating": scalars.get("rating"),
        "audienceRating": scalars.get("audienceRating"),
        "userRating": scalars.get("userRating"),
        "lastRatedAt": item.last_rated_at,
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
    }


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
    return f"/library/metadata/{item.key}/{PICTURE_LOCKS[shelf]}/{item.stamps[shelf]}"


def _media_node(
    parts: Sequence[File], left: Left, seen: dict[str, Value], *, number: Callable[[int], int | str]
) -> Node:
    """A media with its parts. `seen` are further attributes of each part, `number` the type of its id."""
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
                "id": number(one.part_id),
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


def _tag_node(kind: str, element: str, one: Tagging) -> Node:
    tag = one.tag
    return Node(
        element,
        {
            "id": tag.id,
            "filter": f"{kind}={tag.id}",
            "tag": tag.tag,
            "role": one.text or None,
            "thumb": tag.thumb or None,
        },
    )


def _lock_nodes(item: Item) -> list[Node]:
    return [Node("Field", {"locked": True, "name": name}) for name in sorted(item.locks)]
