"""The records with which Plex and Stash answer about collections and playlists."""

from collections.abc import Mapping
from typing import Literal

from plexsync.rules.item import Item
from plexsync.rules.record_class import record
from plexsync.rules.scene import Image

# The settings of a collection that Plex shows beside its fields, each with the value that stands for Plex's default. They
# have no lock. In an `Item` the default is ''.
PREFS = {"collectionMode": "-1", "collectionSort": "0"}
# The kinds of objects in Stash that have a name of their own.
# The source of playlists, which are no collections: their objects are tags.
PLAYLIST: Literal["playlist"] = "playlist"
PlaylistOrder = Literal["date", "newest", "title", "added"]
# Nobody but PlexSync and you edits a playlist, so every part counts as locked.
LOCKS = frozenset({"title", "summary", "thumb"})
# The most items of one request, whose keys are in its address.
MOST_AT_ONCE = 50
OBJECT_SOURCES = ("studio", "group", "tag", "performer")


@record
class ListedCollection:
    """A collection in the list of its library. `smart`: a query makes its members, and no tag. `stamp` is that of `Item`."""

    key: str
    title: str
    smart: bool = False
    stamp: int = 0


@record
class PlexCollection:
    """A collection or a playlist in full, without its members.

    `item` has its title, sort title and summary, both settings of `PREFS` ('' = Plex's default), its locks and stamp, and
    the addresses of its own pictures: the one that Plex composes of its members' posters is left out.
    """

    item: Item
    smart: bool = False

    @property
    def key(self) -> str:
        """Its rating key."""
        return self.item.key


@record
class PlaylistRules:
    """The name of the tag whose children are playlists, and the order of their items."""

    parent: str
    order: PlaylistOrder = "date"


@record
class PlaylistEntry:
    """An item of a playlist, by its rating key; `key` is that of its place there."""

    key: str
    item: str


def playlist_item(key: str, scalars: Mapping[str, str], pictures: Mapping[str, str], stamp: int) -> Item:
    """A playlist as an item, without its members."""
    return Item(key, "", scalars=scalars, pictures=pictures, locks=LOCKS, stamp=stamp)


@record
class CollectionSource:
    """What Stash knows of the source of a collection. Texts are as stored there, uncleaned.

    `parent` is the name of the studio above a studio. `picture` and `background` (of a group: its back) are None where
    Stash has none of its own. `scenes` counts the scenes that have the object itself, `scenes_below` also those of the
    studios or tags below it. Of a rating and of `organized`, only the number of scenes is known.
    """

    source: str
    id: int
    name: str = ""
    summary: str = ""
    disambiguation: str = ""
    parent: str = ""
    picture: Image | None = None
    background: Image | None = None
    updated_at: str = ""
    scenes: int = 0
    scenes_below: int = 0


@record
class FoundTag:
    """A tag of Stash with its aliases and its direct children."""

    name: str
    aliases: tuple[str, ...] = ()
    children: tuple[CollectionSource, ...] = ()


@record
class TaggedScene:
    """What the order of a playlist needs of a scene: `title` is that of its file if it has none."""

    id: int
    title: str = ""
    date: str = ""
    added: str = ""
