"""Collections: how they stand, and one of them with its parts."""

from typing import TypedDict

from plexsync.reports.shapes.scenes import AttemptFacts, JobFacts, NoteFacts, PushFacts
from plexsync.reports.shapes.values import Moment


class CollectionRowFacts(TypedDict):
    """A collection of a list."""

    id: int
    """The number in the database of PlexSync, which is that of its job, too."""
    name: str
    """The title in Plex when last read; until the collection was found, the name that scenes are given."""
    source: str
    """`studio`, `group`, `tag`, `performer`, `rating` or `organized`."""
    object: int
    """The number of the object in Stash. That of a rating is its tenths, 1 to 10."""
    library: str
    """The title of the library in Plex; empty if it is not known."""
    section: str
    """The key of the library."""
    key: str
    """The rating key of the collection; empty while it was not found in Plex."""
    owner: str
    """`ours` (made by PlexSync's names), `foreign`, `handed` (handed over by you); empty while not known."""
    stands: str
    """The status word, such as `in_step`: see [collections](collections.md#how-a-collection-stands)."""
    since: Moment | None
    """Since when it stands so; null if it was not inspected yet."""
    why: str
    """The error of a dead letter, or of the last failed attempt of a queued one; else empty."""
    cause: str
    """The cause of that error; else empty."""
    queued: bool
    """Whether the worker is about to inspect it."""
    undone: str | None
    """`undo`, `release` or `gone` if what was written is taken back or released; else null."""
    kept: list[str]
    """The names in Plex of the parts that you keep."""
    scenes: int | None
    """The number of the object's scenes in Stash; null while not known."""


class CollectionList(TypedDict):
    """A page of collections, sorted by name: `plexsync collections list`, `/api/collections`."""

    counts: dict[str, int]
    """The number of all collections by `stands`. Words without one are left out."""
    total: int
    """The number of collections that the list has on all pages."""
    collections: list[CollectionRowFacts]
    offset: int | None
    """Pass this as `offset` to get the next page; null on the last page."""


class CollectionPartFacts(TypedDict):
    """A part of a collection: its value on both servers, what PlexSync left and found, and what a sync would do."""

    part: str
    """The name in Plex: `title`, `titleSort`, `summary`, `thumb` (the poster), `art` (the background), `collectionMode`,
    `home` or `order` (rating keys with commas between; empty: by release)."""
    stash: str | None
    """What Plex should show; null if the part is not synced, or not known now."""
    plex: str | None
    """What Plex has; null if it is not known now."""
    locked: bool
    left: str | None
    """What PlexSync left in Plex; null if it never wrote the part."""
    before: str | None
    """What Plex had before PlexSync; null if it never wrote the part."""
    action: str
    """What a sync would do, in words, such as `write` or `nothing`; empty if it is not known now."""
    reason: str
    """Why a sync would change the part; empty if it would not."""
    edited: bool
    """Whether you edited it in Plex and have not decided about it."""
    kept_since: Moment | None
    """Since when you keep what Plex has; null if you don't."""
    notes: list[NoteFacts]


class SourceFacts(TypedDict):
    """The object in Stash of a collection."""

    name: str
    """As its template names the collection."""
    updated_at: str
    """When it was last changed, as Stash says; empty for ratings and `organized`."""
    scenes: int


class CollectionFacts(CollectionRowFacts):
    """A collection with its parts: `plexsync collections explain`, `/api/collections/7`."""

    verdict: str
    """The status in one sentence."""
    in_stash: SourceFacts | None
    """The object as Stash has it now; null if it is gone, or Stash can't be asked."""
    members: list[str] | None
    """The rating keys of its items in their order; null if they were not read, which is only needed for the order."""
    parts: list[CollectionPartFacts]
    job: JobFacts | None
    attempts: list[AttemptFacts]
    """Newest first."""
    pushes: list[PushFacts]
    """What was changed, newest first."""
    away: str
    """Why a server could not be asked; else empty. Then the parts are those that PlexSync remembers."""


class CollectionChangeFacts(CollectionRowFacts):
    """What a sync would do to a collection."""

    verdict: str
    parts: list[CollectionPartFacts]
    """The parts that it would change."""
    error: str
    """Why it can't be inspected now, or empty."""


class CollectionPreview(TypedDict):
    """What a sync of all collections would do: `plexsync collections sync --dry-run`."""

    counts: dict[str, int]
    """`inspected`, `would_change`, `parts` (that would be changed), `failed` (could not be inspected)."""
    collections: list[CollectionChangeFacts]
    """Those that would be changed or could not be inspected."""


class CollectionsLeftAlone(TypedDict, total=False):
    """The collections that a command left alone; a key that would be empty is left out."""

    untouched: list[int]
    """Collections that it does not concern."""
    busy: list[int]
    """Collections that were being worked on: try again."""
    failed: dict[str, str]
    """Why Stash could not tell of a collection, by its number."""


class CollectionsAnswer(CollectionsLeftAlone):
    """What came of a command: `plexsync collections sync`, `take`, `undo`, `redo`."""

    collections: list[int]
    """The collections that are queued, by number. With `--wait` also `outcomes` (how they stand then: counts by status word)
    and `why` (why the work ended early, or empty)."""


class CollectionDecision(CollectionsLeftAlone):
    """What came of a decision about parts: `plexsync collections keep`, `use-stash`, `unkeep`."""

    decision: str
    """`keep`, `take` (use-stash) or `unkeep`."""
    parts: dict[str, list[str]]
    """The parts decided about, by the number of the collection."""
