"""What the flow of collections needs of Plex and Stash, and the records that they answer with.

The methods raise only `plexsync.rules.servers.errors.NeighbourError`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Edit
from plexsync.rules.merge.traits import CollectionForm
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


class PlexPlaylists(Protocol):
    """The playlists of Plex that the account of the token has: see `plexsync.plex.collections.PlaylistClient`."""

    def list_playlists(self, *, page: int = 500) -> Iterator[list[PlexCollection]]:
        """Every playlist of videos, in pages without repeats: one request for each."""

    def entries(self, key: str, *, page: int = 1000) -> list[PlaylistEntry]:
        """The items of a playlist in its order. Raises Missing if it is gone."""

    def create(self, machine: str, title: str, items: Sequence[str]) -> str:
        """Make a playlist of at most 50 items; returns its rating key."""

    def add(self, machine: str, key: str, items: Sequence[str]) -> None:
        """Put at most 50 items at the end."""

    def remove(self, key: str, entry: str) -> None:
        """Take out what has this place."""

    def move(self, key: str, entry: str, *, after: str = "") -> None:
        """Put what has this place behind another place, or first."""

    def edit(self, key: str, edit: Edit) -> None:
        """Apply an edit of title and summary."""

    def delete(self, key: str) -> None:
        """Delete a playlist."""


class PlexCollections(Protocol):
    """The collections of Plex. Pictures are uploaded and selected as those of items."""

    def list_collections(self, section: str, *, page: int = 500) -> Iterator[list[ListedCollection]]:
        """Every collection of a library by key, in pages without repeats: one request for each."""

    def read(self, keys: Sequence[str]) -> dict[str, PlexCollection]:
        """Collections in full by key, in one request. Keys that do not exist, or are of something else, are left out."""

    def members(self, key: str, *, page: int = 1000) -> list[str]:
        """The keys of a collection's items in the order of the collection. Raises Missing if it is gone."""

    def edit_collection(self, section: str, key: str, edit: Edit, form: CollectionForm) -> None:
        """Apply all of `edit` (title, titleSort, summary, locks of pictures) with one PUT of this form, as `Plex.edit`.

        Raises Missing if the collection is gone or the server does not take this form, Conflict if another collection of
        the library has the title.
        """

    def set_prefs(self, key: str, prefs: Mapping[str, str]) -> None:
        """Set settings of `PREFS`; '' sets Plex's default."""

    def move(self, key: str, item: str, *, after: str = "") -> None:
        """Put a member behind another one, or first. Raises Missing if one of them is no member."""

    def homes(self, section: str) -> dict[str, tuple[str, ...]]:
        """The collections of a library that its home manages: where it shows each (of `PLACES`), in one request."""

    def show_home(self, section: str, key: str, places: Collection[str], *, managed: bool) -> None:
        """Show a collection at exactly these places; at none: take it out of the home. `managed`: `homes` has it."""


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


class StashCollections(Protocol):
    """The sources of collections in Stash."""

    def objects(self, wanted: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], CollectionSource]:
        """The objects of these sources by (source, id), in one request. Ids that do not exist are left out.

        Sources are those of `OBJECT_SOURCES`, `rating` (an id from 1 to 10: the rating in tenths, rounded half up) and
        `organized` (1).
        """

    def object_stamps(self, source: str, *, page: int = 500, counted: bool = False) -> Iterator[list[CollectionSource]]:
        """All objects of one of `OBJECT_SOURCES`, in pages by id: when each was changed, and its scenes if `counted`.

        Only `objects` proves that one is gone: an object can be left out while others are created and deleted.
        """

    def tags_named(self, name: str) -> list[FoundTag]:
        """The tags with this name, or alias, in any case, each with its direct children, in one request."""

    def tagged_scenes(self, ids: Sequence[int]) -> dict[int, list[TaggedScene]]:
        """The scenes that have each of these tags itself, in one request for 5,000 scenes. A tag without scenes has none."""

    def group_order(self, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """The scenes of each of these groups in its order, in one request for 5,000 scenes: by `scene_index`, those without
        one last, by id. A group without scenes has none.
        """
