"""The simulated Plex's description of its filters and sorts, in listings and in the details of a section."""

from plexsync.simulator.plex_model import Section
from plexsync.simulator.plex_render import Node, Ready

FILTERS = (
    ("genre", "string", "Genre"),
    ("year", "integer", "Year"),
    ("contentRating", "string", "Content Rating"),
    ("collection", "string", "Collection"),
    ("director", "string", "Director"),
    ("actor", "string", "Actor"),
    ("writer", "string", "Writer"),
    ("producer", "string", "Producer"),
    ("country", "string", "Country"),
    ("studio", "string", "Studio"),
    ("label", "string", "Labels"),
    ("unwatched", "boolean", "Unplayed"),
)
SORTS = (
    ("titleSort", "asc", "Title"),
    ("year", "desc", "Year"),
    ("originallyAvailableAt", "desc", "Release Date"),
    ("rating", "desc", "Critic Rating"),
    ("userRating", "desc", "Rating"),
    ("duration", "desc", "Duration"),
    ("lastViewedAt", "desc", "Date Viewed"),
    ("addedAt", "desc", "Date Added"),
)
FIELDS = (
    ("title", "string", "Title"),
    ("studio", "string", "Studio"),
    ("userRating", "integer", "Rating"),
    ("contentRating", "tag", "Content Rating"),
    ("year", "integer", "Year"),
    ("originallyAvailableAt", "date", "Release Date"),
    ("addedAt", "date", "Date Added"),
    ("lastViewedAt", "date", "Last Played"),
    ("genre", "tag", "Genre"),
    ("collection", "tag", "Collection"),
    ("director", "tag", "Director"),
    ("writer", "tag", "Writer"),
    ("producer", "tag", "Producer"),
    ("actor", "tag", "Actor"),
    ("country", "tag", "Country"),
    ("label", "tag", "Label"),
    ("unwatched", "boolean", "Unplayed"),
    ("duplicate", "boolean", "Duplicate"),
)
OPERATORS = {
    "integer": (("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")),
    "boolean": (("=0", "is false"), ("=1", "is true")),
    "tag": (("=", "is"), ("!=", "is not")),
    "string": (
        ("=", "contains"),
        ("!=", "does not contain"),
        ("==", "is"),
        ("!==", "is not"),
        ("<=", "begins with"),
        (">=", "ends with"),
    ),
    "date": (("<<=", "is before"), (">>=", "is after")),
}
SHORTCUTS = (
    ("all", "All Movies"),
    ("unwatched", "Unwatched"),
    ("newest", "Recently Released"),
    ("recentlyAdded", "Recently Added"),
    ("recentlyViewed", "Recently Viewed"),
    ("folder", "By Folder"),
)
SECONDARY = (
    ("collection", "By Collection"),
    ("genre", "By Genre"),
    ("year", "By Year"),
    ("actor", "By Starring Actor"),
)


def meta_node(section: Section, kind: str) -> Node:
    """The filters and sorts for a type of item (`movie` or `collection`), as in a listing with `includeMeta=1`."""
    types: list[Node | Ready] = [_type_node(section, kind)]
    operators: list[Node | Ready] = [
        Node("FieldType", {"type": name}, [Node("Operator", {"key": key, "title": title}) for key, title in known])
        for name, known in OPERATORS.items()
    ]
    return Node("Meta", {}, types + operators, single=True)


def _type_node(section: Section, kind: str) -> Node:
    number = 18 if kind == "collection" else 1
    prefix = "collection." if kind == "collection" else ""
    children: list[Node | Ready] = [*_filter_nodes(section), *_sort_nodes()]
    children += [Node("Field", {"key": prefix + key, "title": title, "type": type_}) for key, type_, title in FIELDS]
    attributes = {
        "key": f"/library/sections/{section.id}/all?type={number}",
        "type": kind,
        "subtype": "clip" if section.is_other and kind == "movie" else None,
        "title": "Collections" if kind == "collection" else "Movies",
        "active": True,
    }
    return Node("Type", attributes, children)


def _filter_nodes(section: Section) -> list[Node]:
    return [
        Node(
            "Filter",
            {
                "filter": name,
                "filterType": type_,
                "key": f"/library/sections/{section.id}/{name}",
                "title": title,
                "type": "filter",
            },
        )
        for name, type_, title in FILTERS
    ]


def _sort_nodes() -> list[Node]:
    return [
        Node(
            "Sort",
            {
                "default": "asc" if name == "titleSort" else None,
                "defaultDirection": direction,
                "descKey": f"{name}:desc",
                "key": name,
                "title": title,
            },
        )
        for name, direction, title in SORTS
    ]


def detail_nodes(section: Section) -> list[Node]:
    """The directories of a section; the last one holds filters and sorts."""
    shortcuts = [Node("Directory", {"key": key, "title": title}) for key, title in SHORTCUTS]
    secondary = [Node("Directory", {"secondary": True, "key": key, "title": title}) for key, title in SECONDARY]
    movies = Node(
        "Directory",
        {"key": f"/library/sections/{section.id}/all?type=1", "title": "Movies", "type": "1"},
        [*_filter_nodes(section), *_sort_nodes()],
    )
    return [*shortcuts, *secondary, movies]
