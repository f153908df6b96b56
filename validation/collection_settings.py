"""The settings that name and dress the collections of Plex, and their format.

The functions raise ValueError with a message that follows the setting's name, as in `validation.values`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from plexsync.rules.collections.collections import PARTS, PLACES, TEMPLATE_NAMES, TEMPLATE_SOURCES, Source
from plexsync.rules.merge import template
from plexsync.rules.merge.template import Template
from validation import values
from validation.checked import CheckedModel
from validation.path_rules import entries
from validation.redact import is_safe

_ARROW = " => "
PLAYLISTS = "children of: NAME, with the name of a tag in Stash, or empty"


def templates(value: object) -> tuple[str, ...]:
    """Templates of sources, each as the text `source => template` or as a template for all other sources."""
    shape = "a template, or a list of templates of the form source => template"
    pairs = [_template(number, entry) for number, entry in enumerate(entries(value, shape), start=1)]
    sources = [source for source, _ in pairs]
    if len(set(sources)) < len(sources):
        raise ValueError("must hold at most one template for each source, and one for all others")
    return tuple(f"{source}{_ARROW}{text}" if source else text for source, text in pairs)


def _template(number: int, entry: object) -> tuple[str, str]:
    """The word of a source ('' for all others) and its template."""
    if not isinstance(entry, str) or not entry.strip() or not is_safe(entry.strip()):
        raise ValueError(f"must hold texts without control characters that are not blank; template {number} is none")
    source, arrow, text = (side.strip() for side in entry.partition("=>"))
    if not arrow:
        source, text = "", entry.strip()
    elif source.lower() not in TEMPLATE_SOURCES:
        raise ValueError(
            f"must name a source before each =>: {', '.join(TEMPLATE_SOURCES)}; template {number} does not"
        )
    if not text:
        raise ValueError(f"must have a template behind each =>; template {number} has none")
    template.parse_template(text, TEMPLATE_NAMES)
    return source.lower(), text


def by_source(checked: tuple[str, ...]) -> dict[Source, Template]:
    """The templates by source, from a value that was checked. Sources without one are left out."""
    texts = {source: text for source, arrow, text in (entry.partition(_ARROW) for entry in checked) if arrow}
    others = next((entry for entry in checked if _ARROW not in entry), "")
    return {
        source: template.parse_template(text, TEMPLATE_NAMES)
        for word, source in TEMPLATE_SOURCES.items()
        if (text := texts.get(word, others))
    }


def parts(value: object) -> tuple[str, ...]:
    """The parts of a collection to dress."""
    return _words(value, PARTS, "or none")


def places(value: object) -> tuple[str, ...]:
    """The places that show a collection; never none."""
    words = _words(value, PLACES, "at least one")
    if not words:
        raise ValueError(f"must be some of {', '.join(PLACES)}, with commas between them, at least one")
    return words


def _words(value: object, choices: tuple[str, ...], rest: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.lower() for word in values.texts(value, "words")))
    if not set(words) <= set(choices):
        raise ValueError(f"must be some of {', '.join(choices)}, with commas between them, {rest}")
    return words


def children_of(value: object) -> str:
    """The tag whose children are playlists, as `children of: NAME`; '' for none."""
    if value == "":
        return ""
    head, _, name = value.partition(":") if isinstance(value, str) and is_safe(value) else ("", "", "")
    if head.strip().lower() != "children of" or not (name := name.strip()):
        raise ValueError(f"must be {PLAYLISTS}")
    return f"children of: {name}"


class CollectionSettings(CheckedModel):
    """The settings that name and dress collections. `PlexSyncConfig` has them with all others."""

    collection_name: Annotated[tuple[str, ...], BeforeValidator(templates)] = Field(default=())
    """Template of the names of collections, with names of values in braces (see docs/fields.md), or a list of the form
    source => template. Default none: the name in Stash; Rated 9 for a rating of 9, and Organized."""

    collection_sort: Annotated[tuple[str, ...], BeforeValidator(templates)] = Field(default=())
    """Template of the sort titles of collections, as for collection_name. Default none: left to Plex."""

    collection_minimum: int = Field(default=1, ge=1, le=1000)
    """Scenes that an object has to have in Stash before it gets a collection: 1 to 1000, default 1."""

    collection_parts: Annotated[tuple[str, ...], BeforeValidator(parts)] = Field(default=())
    """What PlexSync keeps in sync of each collection: any of name, summary, poster, background and order (of a group's
    scenes), separated by commas, or a list. Default none: collections are left as Plex makes them."""

    collection_mode: Literal["leave", "library", "hidden", "items_hidden", "shown"] = Field(default="leave")
    """How libraries show collections: library (as the library says), hidden, items_hidden (the collection without its
    items) or shown (both), default leave, which leaves that to Plex."""

    collection_home: Annotated[tuple[str, ...], BeforeValidator(values.tags)] = Field(default=())
    """Collections to show on the home page: names or patterns, as for genre_tags. Default none."""

    collection_home_places: Annotated[tuple[str, ...], BeforeValidator(places)] = Field(default=("recommended", "home"))
    """Where these collections are shown: any of recommended (in the library), home (yours) and shared (of your friends),
    separated by commas, or a list. Default recommended and home."""

    playlists: Annotated[str, BeforeValidator(children_of)] = Field(default="")
    """Playlists: children of: NAME makes one of each direct child of the Stash tag with exactly this name, of the scenes
    that have the child itself. They are those of the token's account. Default none."""

    playlist_order: Literal["date", "newest", "title", "added"] = Field(default="date")
    """Order of the items of playlists: date (the oldest first), newest (the latest date first), title or added (to Stash),
    default date. An order that you make in Plex stays."""


NAMES = tuple(CollectionSettings.model_fields)
# No library has its own.
OF_ALL_LIBRARIES = ("collection_minimum", "playlists", "playlist_order")
SHAPES = {
    "playlists": PLAYLISTS,
    "collection_name": "a text with names of values in braces, or a list of the form source => text",
    "collection_sort": "a text with names of values in braces, or a list of the form source => text",
    "collection_parts": f"some of {', '.join(PARTS)}, with commas between them, or a list of them",
    "collection_home": "names of collections with commas between them, or a list of them",
    "collection_home_places": f"some of {', '.join(PLACES)}, with commas between them, or a list of them",
}
