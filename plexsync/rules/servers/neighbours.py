"""What the engine needs besides its store: Stash, Plex, a messenger, a clock and random numbers.

Times are UTC milliseconds unless a name says seconds. The methods of `Stash` and `Plex` raise only
`plexsync.rules.servers.errors.NeighbourError`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from plexsync.rules.clock import Clock as Clock
from plexsync.rules.clock import RandomSource as RandomSource
from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.merge.import_records import NameKind, StashField, StashFields, StashName, StashObject
from plexsync.rules.merge.pictures import Logo, Treatment
from plexsync.rules.merge.plan_records import Edit
from plexsync.rules.plays.plays import Moments
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.notices import Notice
from plexsync.rules.records import (
    Newest,
    News,
    Picture,
    PlayerRules,
    PlexPlay,
    PlexSession,
    Rated,
    Section,
    ServerInfo,
    ViewingPage,
)
from plexsync.rules.scene import Image, Scene, ScenePlays, WatchedScene


class Messenger(Protocol):
    """A way to notify you."""

    name: str
    """Its name in the log."""

    def send(self, notice: Notice) -> None:
        """Send a notice, within a minute or so. Raises `plexsync.rules.queue.notices.NotSent` if that fails."""


class Stash(Protocol):
    """The server with the source data."""

    @property
    def date(self) -> str:
        """The server's time of the last answer to this thread, as an HTTP date; '' if the answer had none."""

    def probe(self) -> None:
        """One cheap authenticated request. Raises unless Stash answers and is ready."""

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        """The scenes with these ids, in one request. Ids that do not exist are left out."""

    def existing(self, ids: Sequence[int]) -> tuple[frozenset[int], int]:
        """Those of these scenes that exist, and the number of all scenes, in one request."""

    def walk(self, *, after: int = 0, page: int = 500) -> Iterator[list[Scene]]:
        """Every scene with an id above `after`, complete, in pages by id."""

    def walk_ids(self, *, after: int = 0, page: int = 5000) -> Iterator[list[tuple[int, str]]]:
        """Every scene's (id, updated_at), in pages by id."""

    def rivals(self, names: Sequence[str]) -> list[Scene]:
        """The scenes that have a file with one of these base names, in one request. Only `id` and `files` are filled."""

    def showing(self, kind: Kind, id: int) -> list[int]:
        """The ids of the scenes that show a performer, studio, tag or group, or one below it."""

    def picture(self, path: str, *, etag: str = "") -> Picture | None:
        """The picture at a path of `Scene.images`; None if it still has this `etag`."""

    def lacks(self, image: Image) -> bool:
        """Whether Stash has no such picture. It sends the same stand-in for a missing and for an unreadable picture."""

    def news(self) -> News:
        """The counts and newest changes of every kind and of files, in one request."""

    def recent_files(self, *, page: int, size: int) -> list[tuple[str, str]]:
        """(path, updated_at) of files, newest first; page 1 is the first. The path is '' unless the file is a video.

        Only for a Stash whose `news` include files.
        """

    def newest(self) -> dict[Kind, Newest]:
        """The counts and newest changes of every kind, in one request."""

    def recent(self, kind: Kind, *, page: int, size: int) -> list[tuple[int, str]]:
        """(id, updated_at), newest first; page 1 is the first."""


class Imaging(Protocol):
    """The picture converter."""

    def make(self, content: bytes, treatment: Treatment, *, largest: int, logo: Logo | None = None) -> bytes:
        """The picture in at most `largest` bytes, in the shape of the treatment, with the `logo` drawn in its corner.

        Raises Unusable if one of them is no picture.
        """

    def reads(self, content: bytes) -> bool:
        """Whether the content is a picture that can be drawn."""


class Plex(Protocol):
    """The server that PlexSync writes to."""

    @property
    def libraries(self) -> Sequence[str]:
        """The names of the libraries to use; empty for all."""

    def server(self) -> ServerInfo:
        """The server's identifier, version and name, in one authenticated request."""

    def sections(self) -> list[Section]:
        """The configured movie libraries, in one authenticated request; also the probe.

        Raises Barred (setting plex_libraries) if a configured name does not exist.
        """

    def entries(self, section: str, *, page: int = 1000) -> Iterator[list[Entry]]:
        """Every item of a library with its files, in pages."""

    def changed_since(self, section: str, *, since: int, page: int = 1000) -> Iterator[list[Entry]]:
        """The items of a library with a stamp greater than `since`, in pages."""

    def count(self, section: str) -> int:
        """The number of items in a library, in one small request."""

    def find(self, section: str, name: str) -> list[Entry]:
        """The items of a library that have a file with exactly this base name, in one request."""

    def scan(self, section: str, folder: str) -> None:
        """Request a scan of one folder of a library, as Plex sees it. The scan is not finished when this returns."""

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Full items by rating key, in one request. Keys that do not exist are left out."""

    def pictures(self, key: str, name: str) -> dict[str, bool]:
        """The pictures that an item can show (`thumb` or `art`): by key, whether it shows this one now."""

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Upload a picture to an item. Raises Refused if Plex rejects it."""

    def show(self, key: str, name: str, picture: str) -> None:
        """Select one of an item's pictures, by its key."""

    def hide(self, key: str, name: str) -> None:
        """Deselect an item's picture of this kind. Raises Refused or Missing on an old Plex, which can't do this."""

    def rate(self, key: str, rating: float | None) -> None:
        """Set the rating that the account gives an item, on a scale of 10; None clears it."""

    def edit(self, section: str, key: str, edit: Edit, *, cast: Cast | None = None) -> None:
        """Apply all of `edit` to one item with one PUT, split only if it is too long.

        `cast` is the item's present cast (`Item.cast`): its role texts are sent along so that they stay.
        """


class StashWatch(Protocol):
    """What was watched and rated, in Stash. Plays are in whole seconds UTC.

    A write that raises Unavailable with `sent` may have taken effect, or may still do so: only `watched` tells.
    """

    def watched_scenes(self, ids: Sequence[int]) -> dict[int, WatchedScene]:
        """These scenes with their plays, play times and resume points, in one request; missing ones are left out."""

    def only_plays(self, ids: Sequence[int]) -> dict[int, ScenePlays]:
        """The plays of the scenes with these ids, in one small request. Ids that do not exist are left out."""

    def add_plays(self, id: int, moments: Moments) -> tuple[int, ...]:
        """Add one play for each moment, also where there is one; returns all plays of the scene after it, newest first."""

    def take_plays(self, id: int, moments: Moments) -> tuple[int, ...]:
        """Remove one play of each moment that has one; returns all plays of the scene after it, newest first."""

    def save_activity(self, id: int, *, at: float | None = None, seconds: float | None = None) -> None:
        """Set where a scene is resumed, and add to its play time, both in seconds; None changes nothing."""

    def restore_activity(self, id: int, *, seconds: float, at: float | None = None) -> None:
        """Set the play time of a scene, and where it is resumed, both in seconds; None leaves the latter alone.

        Stash first sets the play time to 0 and then adds to it: one of the two may arrive without the other.
        """

    def player_rules(self) -> PlayerRules:
        """How Stash's own player notes what is watched, by the settings of Stash's interface, in one request."""

    def rate(self, id: int, rating: int | None) -> int | None:
        """Set the rating of a scene from 1 to 100, None clears it; returns the rating after it."""


class PlexWatch(Protocol):
    """Who watched and rated what in Plex. It may refuse plays and accounts to a token that can do all else: Refused."""

    def plays(self, account: int, *, since: int, page: int = 1000, with_gone: bool = False) -> Iterator[list[PlexPlay]]:
        """The plays of movies by one account from `since` on (UTC seconds), oldest first, in pages without repeats.

        `with_gone`: also those of items that Plex has no longer.
        """

    def viewings(self, section: str, *, since: int, page: int = 500) -> Iterator[ViewingPage]:
        """What the account of the token has watched of a library from `since` on (UTC seconds), newest first, in pages."""

    def accounts(self) -> dict[int, str]:
        """The names of the server's accounts by id, in one request. The owner's id is 1; names may be '' or double."""

    def list_rated(self, section: str, *, since: int, limit: int) -> list[Rated]:
        """Up to `limit` items of a library that were rated after `since` (UTC seconds), oldest rating first, in one request.

        A Plex that can't list them returns none, or a part.
        """

    def played_threshold(self) -> int | None:
        """The percentage of a movie from which on Plex counts a play, in one request; None if Plex does not tell."""

    def sessions(self) -> list[PlexSession]:
        """What is played now by any account, movies alone, in one request."""


class StashImport(Protocol):
    """What an import reads and writes in Stash. Values are JSON, see `plexsync.rules.merge.import_records`.

    A write that raises Unavailable with `sent` may have taken effect, or may still do so.
    """

    def names(self, kind: NameKind) -> list[StashName]:
        """All objects of a kind with their names, in one request."""

    def import_fields(self, ids: Sequence[int]) -> dict[int, StashFields]:
        """The fields of these scenes, in one request. Ids that do not exist are left out."""

    def fill(self, id: int, values: Mapping[StashField, str]) -> StashFields:
        """Set these fields of a scene in one request; returns its fields after it."""

    def create(self, kind: NameKind, name: str) -> StashObject:
        """Create an object with this name. Stash answers with an error if the name is taken."""

    def find_object(self, kind: NameKind, id: int) -> StashObject | None:
        """An object and the number of things that use it; None if it is gone."""

    def destroy(self, kind: NameKind, id: int) -> None:
        """Delete an object."""
