"""What the engine needs from the outside besides its store: Stash, Plex, a way to notify, a clock and dice.

Times are UTC milliseconds unless a name says seconds. The methods of `Stash` and `Plex` raise
`plexsync.rules.errors.NeighbourError` only.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.job import Kind
from plexsync.rules.notices import Notice
from plexsync.rules.plan_records import Edit
from plexsync.rules.records import Newest, News, Picture, Section
from plexsync.rules.scene import Image, Scene


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> int:
        """UTC milliseconds on the wall."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; may return early."""
        ...


class Messenger(Protocol):
    """A way to tell a person something."""

    name: str
    """What it is called in the log."""

    def send(self, notice: Notice) -> None:
        """Tell it, within a minute or so; raises `plexsync.rules.notices.NotSent`."""
        ...


class Dice(Protocol):
    """Where chance comes from."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Stash(Protocol):
    """The neighbour that says what is true."""

    @property
    def date(self) -> str:
        """What time it was at the last answer by the clock there, as HTTP writes it; '' where none was told."""
        ...

    def probe(self) -> None:
        """One cheap authenticated request; raises unless Stash answers and is ready."""
        ...

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        """The scenes of these ids, in one request; those that do not exist are left out."""
        ...

    def walk(self, *, after: int = 0, page: int = 500) -> Iterator[list[Scene]]:
        """Every scene with an id above `after`, complete, in pages by id."""
        ...

    def walk_ids(self, *, after: int = 0, page: int = 5000) -> Iterator[list[tuple[int, str]]]:
        """Every scene's (id, updated_at), in pages by id."""
        ...

    def rivals(self, names: Sequence[str]) -> list[Scene]:
        """The scenes that have a file with one of these base names (only `id` and `files` are filled), in one request."""
        ...

    def showing(self, kind: Kind, id: int) -> list[int]:
        """The ids of the scenes a performer, studio, tag or group shows on, or one below it."""
        ...

    def picture(self, path: str, *, etag: str = "") -> Picture | None:
        """The picture at a path of `Scene.images`; None when it is still the one with this `etag`."""
        ...

    def lacks(self, image: Image) -> bool:
        """Whether Stash has no such picture. Of one that it has and can't read it shows a stand-in, as of one it lacks."""
        ...

    def news(self) -> News:
        """For every kind and for files, in one request: has anything changed?"""
        ...

    def recent_files(self, *, page: int, size: int) -> list[tuple[str, str]]:
        """(path, updated_at) of files, newest first; page 1 is the first. The path is '' unless it is a video's.

        For a Stash whose `news` tell of files.
        """
        ...

    def newest(self) -> dict[Kind, Newest]:
        """For every kind, in one request: has anything changed?"""
        ...

    def recent(self, kind: Kind, *, page: int, size: int) -> list[tuple[int, str]]:
        """(id, updated_at), newest first; page 1 is the first."""
        ...


class Imaging(Protocol):
    """What changes pictures."""

    def made(self, content: bytes, *, padded: bool, largest: int) -> bytes:
        """The picture in at most `largest` bytes; `padded`: in the shape of a poster. Raises Unusable for what is none."""
        ...


class Plex(Protocol):
    """The neighbour that shows it."""

    def sections(self) -> list[Section]:
        """The movie libraries we were told to use, in one authenticated request; also the probe.

        Raises Barred (setting plex_libraries) when one of the names given does not exist.
        """
        ...

    def entries(self, section: str, *, page: int = 1000) -> Iterator[list[Entry]]:
        """Every item of a library with its files, in pages."""
        ...

    def changed(self, section: str, *, since: int, page: int = 1000) -> Iterator[list[Entry]]:
        """The items of a library whose stamp is greater than `since`, in pages."""
        ...

    def count(self, section: str) -> int:
        """How many items a library has, in one small request."""
        ...

    def find(self, section: str, name: str) -> list[Entry]:
        """The items of a library that have a file of exactly this base name, in one request."""
        ...

    def scan(self, section: str, folder: str) -> None:
        """Ask for a scan of one folder of a library, as Plex sees it; it has not ended when this returns."""
        ...

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Full items by rating key, in one request; those that do not exist are left out."""
        ...

    def pictures(self, key: str, name: str) -> dict[str, bool]:
        """By the key of each picture that an item can show (`thumb` or `art`), whether it does."""
        ...

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Give an item a picture. Raises Refused when Plex does not take it."""
        ...

    def show(self, key: str, name: str, picture: str) -> None:
        """Let an item show one of its pictures, by its key."""
        ...

    def hide(self, key: str, name: str) -> None:
        """Let an item show none of its pictures of a kind; an old Plex can't and raises Refused or Missing."""
        ...

    def edit(self, section: str, key: str, edit: Edit, *, cast: Cast | None = None) -> None:
        """One PUT (split only when it is too long) that applies all of `edit` to one item.

        `cast` is what it has now (`Item.cast`): the role texts are sent along so that they stay.
        """
        ...
