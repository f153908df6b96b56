"""What the engine needs besides its store: Stash, Plex, a messenger, a clock and random numbers.

Times are UTC milliseconds unless a name says seconds. The methods of `Stash` and `Plex` raise only
`plexsync.rules.servers.errors.NeighbourError`.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from plexsync.rules.clock import Clock as Clock, RandomSource as RandomSource
from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.merge.pictures import Logo, Treatment
from plexsync.rules.merge.plan_records import Edit
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.notices import Notice
from plexsync.rules.records import (
    Newest,
    News,
    Picture,
    Section,
    ServerInfo,
)
from plexsync.rules.scene import Image, Scene


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
