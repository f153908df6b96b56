"""A Plex item as it is now, and the part of it that the path index keeps."""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import lru_cache

from plexsync.rules.record_class import record
from plexsync.rules.words.text import fold

SCALARS = (
    "title",
    "titleSort",
    "originalTitle",
    "tagline",
    "studio",
    "summary",
    "originallyAvailableAt",
    "addedAt",
    "contentRating",
    "userRating",
)
LISTS = ("actor", "director", "genre", "collection", "label")
FIELDS = SCALARS + LISTS
LIST_FIELDS = frozenset({*LISTS, "members"})  # also of playlists
# Of pictures, an edit contains only the locks. Their value is the key of the selected picture.
PICTURES = ("thumb", "art")

# What is set of a collection besides its texts and pictures. `order` is '' for that of release, ALPHABETICAL, or the keys
# of the members with commas between; `home` the places at which Plex shows it, likewise; `members` are of a playlist.
COLLECTION_SETTINGS = ("collectionMode", "home", "order", "members")
ALPHABETICAL = "alphabetical"

# What Plex asks PlexSync for in a library that does so (`plexsync.provider`). All else is written to its items.
PROVIDED = frozenset(
    {
        *("title", "titleSort", "originalTitle", "tagline", "studio", "summary", "originallyAvailableAt"),
        *("contentRating", "actor", "director", "genre", "collection"),
    }
)

# Plex has no lock for these. Any rating counts as locked, and so does every setting of a collection.
LOCKLESS = frozenset({"userRating", *COLLECTION_SETTINGS})
# Plex always shows them, so an edit never empties them.
NEVER_EMPTY = frozenset({"title", "addedAt"})
# Values shown beside one cast member: the role text and the address of a picture. Each is a single value like a rating,
# named after both (`role:Jane Doe`), and is sent with the list.
ROLE, FACE = "role", "face"
RECENT_FIELDS = 4_096
BESIDE = (ROLE, FACE)


def beside(role: str, member: str) -> str:
    """The name of a field shown beside a cast member."""
    return f"{role}:{member}"


@lru_cache(maxsize=RECENT_FIELDS)
def beside_whom(name: str) -> tuple[str, str] | None:
    """(kind, member) of a name that `beside` made; None for any other field."""
    role, separator, member = name.partition(":")
    return (role, member) if separator and role in BESIDE else None


def beside_member(shown: Mapping[str, str], member: str) -> str:
    """What is shown beside a member, in whatever spelling of its name; '' for nothing."""
    return shown.get(member) or next((text for person, text in shown.items() if fold(person) == fold(member)), "")


def field_key(name: str) -> str:
    """The key of a field: the same for every spelling of its cast member; for any other field its name."""
    about = beside_whom(name)
    return name if about is None else beside(about[0], fold(about[1]))


def is_of_person(name: str) -> bool:
    """Whether the field is a cast member's picture, which Plex shows on every item with that member."""
    about = beside_whom(name)
    return about is not None and about[0] == FACE


def is_provided(name: str) -> bool:
    """Whether Plex asks PlexSync for the field, in a library that asks."""
    about = beside_whom(name)
    return name in PROVIDED if about is None else about[0] == ROLE


@lru_cache(maxsize=RECENT_FIELDS)
def is_lockless(name: str) -> bool:
    """Whether Plex has no lock for the field."""
    return name in LOCKLESS or beside_whom(name) is not None


def moment_text(seconds: int) -> str:
    """A moment in UTC seconds as a text; '' for 0 or a moment that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}Z" if seconds else ""
    except (OverflowError, OSError, ValueError):
        return ""


@record
class Part:
    """One file of an item: absolute `path` as Plex sees it, `size` in bytes, `duration` in milliseconds (0 when unknown)."""

    path: str
    size: int = 0
    duration: int = 0


@record
class ViewState:
    """How far the account of the token has watched an item: to its end `count` times, the last time at `moment`.

    `moment`: UTC seconds, 0 if it was never watched. `offset`: where it was left, in milliseconds; 0 for at no place.
    """

    count: int = 0
    moment: int = 0
    offset: int = 0


@record
class Item:
    """A Plex item in full. Scalars are texts ('' = empty), lists are names in Plex's order, `locks` holds field names.

    `stamp` changes in Plex whenever anything about the item changes (0: unknown). `actor` is what Plex returns as Role.
    `roles` keeps the role text of each actor that has one, so that sending the cast again does not lose it; `faces`
    keeps the address of the picture. A date added is a text of `plexsync.rules.merge.added_dates`. `pictures` has, by name
    (of `PICTURES`), the address at which Plex shows a picture now; the address changes with the picture. The key of that
    picture is a scalar of the same name, once it was requested. `library` is the uuid of its library ('' if Plex did not
    say). `clip`: it is in a library of Other Videos. `rated_at`: when the account last rated it (UTC seconds, 0 if
    unknown). `unmatched`: no agent has matched the item, so it has no pictures of one.
    """

    key: str
    section: str
    scalars: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    faces: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    stamp: int = field(default=0, compare=False)
    clip: bool = False
    library: str = field(default="", compare=False)
    viewing: ViewState = field(default=ViewState(), compare=False)
    rated_at: int = field(default=0, compare=False)
    unmatched: bool = field(default=False, compare=False)

    def is_locked(self, name: str) -> bool:
        """Whether the field is locked, by you or by PlexSync."""
        if is_lockless(name):
            return name in COLLECTION_SETTINGS or bool(self.value(name))
        return name in self.locks

    def value(self, name: str) -> str:
        """A single value; '' if it has none."""
        if name in self.scalars:
            return self.scalars[name]
        about = beside_whom(name)
        if about is None:
            return ""
        role, member = about
        return beside_member(self.roles if role == ROLE else self.faces, member)

    @property
    def cast(self) -> "Cast":
        """The cast, as it has to be sent along with a value beside a member."""
        return Cast(self.lists.get("actor", ()), self.roles, "actor" in self.locks)


@record
class Cast:
    """The members of an item's cast, the role text of each that has one, and whether the list is locked.

    `faces`: the addresses of pictures of members that get a new name, and whose picture moves along.
    """

    names: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    faces: Mapping[str, str] = field(default_factory=dict)


@record
class Entry:
    """An item in the path index: enough to match by, with its parts in Plex's order; `stamp` is that of `Item`.

    `scene`: the one that the last comparison led to it (0: none), negative if it may be another one's too.
    """

    key: str
    section: str
    parts: tuple[Part, ...]
    stamp: int = field(default=0, compare=False)
    scene: int = field(default=0, compare=False)
