"""The settings of the simulated Plex: of the server, of a library, of a collection, and which collections its home shows.

Only those that a sync or an import may ask about. An unknown name is ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_model import Item, Library, Section, Unacceptable
from plexsync.simulator.plex_render import Node, Ready, Value

PROMOTIONS = ("promotedToRecommended", "promotedToOwnHome", "promotedToSharedHome")


@dataclass(frozen=True)
class Pref:
    """One setting. `default` is written as in an answer; of a collection every value is a text."""

    id: str
    label: str
    type: Literal["bool", "int", "text"]
    default: Value
    group: str = ""
    choices: str = ""

    def value(self, text: str) -> Value:
        """A written value as this setting answers it. Raises `Unacceptable` (400) for one that it does not take."""
        if self.choices and text not in [choice.partition(":")[0] for choice in self.choices.split("|")]:
            raise Unacceptable(400)
        if isinstance(self.default, bool):
            return text not in ("", "0", "false")
        if isinstance(self.default, int):
            if not text.lstrip("-").isdecimal():
                raise Unacceptable(400)
            return int(text)
        return text


SCAN_TIMES = "900:every 15 minutes|3600:hourly|86400:daily"
SERVER = (
    Pref("FriendlyName", "Friendly name", "text", "", "general"),
    Pref("ScheduledLibraryUpdateInterval", "Library scan interval", "int", 3600, "library", SCAN_TIMES),
    Pref("LibraryVideoPlayedThreshold", "Video played threshold", "int", 90, "library"),
)
SECTION = (
    Pref("hidden", "Visibility", "int", 0, choices="0:Include in home and global search|1:Exclude from home|2:Exclude"),
    Pref("respectTags", "Prefer local metadata", "bool", default=False),
    Pref("collectionMode", "Collections", "int", 2, choices="0:Disabled|1:Hide items|2:Show items"),
)
# The setting by which a library's questions to a metadata provider say `includeAdult`. How its id is spelt is not known.
ADULT = Pref("includeAdultContent", "Allow matching to explicit content", "bool", default=False)
MODES = "-1:Library default|0:Hide collection|1:Hide items in this collection|2:Show this collection and its items"
ORDERS = "0:Release date|1:Alphabetical|2:Custom"
COLLECTION = (
    Pref("collectionMode", "Collection mode", "text", "-1", choices=MODES),
    Pref("collectionSort", "Collection order", "text", "0", choices=ORDERS),
)


def pref_nodes(known: Iterable[Pref], values: Mapping[str, str]) -> list[Node | Ready]:
    """The settings as elements."""
    return [
        Node(
            "Setting",
            {
                "id": pref.id,
                "label": pref.label,
                "summary": "",
                "type": pref.type,
                "default": pref.default,
                "value": pref.value(values[pref.id]) if pref.id in values else pref.default,
                "hidden": False,
                "advanced": False,
                "group": pref.group,
                "enumValues": pref.choices or None,
            },
        )
        for pref in known
    ]


def prefs_answer(asked: Asked, known: Iterable[Pref], values: Mapping[str, str]) -> Answer:
    """The settings as a document."""
    nodes = pref_nodes(known, values)
    return asked.answer(Node("MediaContainer", {"size": len(nodes)}, nodes))


def write_prefs(asked: Asked, known: Iterable[Pref], values: dict[str, str]) -> Answer:
    """Store the settings that a request names."""
    prefs = {pref.id: pref for pref in known}
    written = {name: text for name, text in asked.pairs if name in prefs}
    for name, text in written.items():
        prefs[name].value(text)
    values.update(written)
    return Answer()


# what the home shows of a library


def hubs_answer(asked: Asked, section: Section) -> Answer:
    """The hubs of a library that its collections are; of one collection if the request names it."""
    wanted = asked.params.get("metadataItemId")
    chosen = {key: shown for key, shown in section.hubs.items() if wanted in (None, str(key))}
    items = {item.key: item for item in section.collections.values()}
    nodes: list[Node | Ready] = [_hub_node(section, items[key], shown) for key, shown in chosen.items() if key in items]
    return asked.answer(Node("MediaContainer", {"size": len(nodes)}, nodes))


def make_hub(asked: Asked, library: Library, section: Section) -> Answer:
    """Make a hub of a collection."""
    key = asked.params.get("metadataItemId", "")
    item = library.items.get(int(key)) if key.isdecimal() else None
    if item is None or item.type != "collection" or item.section is not section:
        raise Unacceptable(404)
    section.hubs[item.key] = _promotions(asked, {})
    return Answer()


def change_hub(asked: Asked, section: Section) -> Answer:
    """Change where a hub is shown, or delete it."""
    key = int(asked.groups[1].rpartition(".")[2])
    if key not in section.hubs or asked.groups[1] != _hub_name(section, key):
        raise Unacceptable(404)
    if asked.request.method == "DELETE":
        del section.hubs[key]
    else:
        section.hubs[key] = _promotions(asked, section.hubs[key])
    return Answer()


def _hub_name(section: Section, key: int) -> str:
    return f"custom.collection.{section.id}.{key}"


def _promotions(asked: Asked, before: Mapping[str, bool]) -> dict[str, bool]:
    return {name: asked.params.get(name, str(int(before.get(name, False)))) == "1" for name in PROMOTIONS}


def _hub_node(section: Section, item: Item, shown: Mapping[str, bool]) -> Node:
    home = {(True, True): "all", (True, False): "admin", (False, True): "shared", (False, False): "none"}
    attributes: dict[str, Value] = {
        "identifier": _hub_name(section, item.key),
        "title": item.scalars.get("title"),
        "recommendationsVisibility": "all" if shown["promotedToRecommended"] else "none",
        "homeVisibility": home[shown["promotedToOwnHome"], shown["promotedToSharedHome"]],
    }
    return Node("Hub", {**attributes, **shown})
