"""Fields that you edited in Plex, and your decisions about them."""

from typing import TypedDict

from plexsync.reports.shapes.values import FieldValue, Moment


class DriftFieldFacts(TypedDict):
    """A field that you edited in Plex."""

    field: str
    plex: FieldValue | None
    """The value in Plex; null if it is not known now."""
    stash: FieldValue | None
    """The value that Stash's would be in Plex; null if nothing is written there."""
    adds: list[str]
    """The names that taking Stash's list would add."""
    removes: list[str]
    """The names that taking Stash's list would remove."""
    kept_since: Moment | None
    """Since when you keep it; null while you have not decided."""
    locked_before: bool
    """Whether it was locked in Plex before PlexSync's first sync: it then stays until you decide, whatever Stash says."""


class DriftSceneFacts(TypedDict):
    """An item of a scene with fields that you edited in Plex."""

    id: int
    title: str
    item: str
    """The rating key."""
    library: str
    since: Moment | None
    """When PlexSync first found the scene so; null if you have decided about all fields."""
    fields: list[DriftFieldFacts]


class DriftReport(TypedDict):
    """What you edited in Plex: `plexsync drift`, `/api/drift`."""

    scenes: list[DriftSceneFacts]
    """One page of them, by number."""
    edited: int
    """The number of scenes of which Plex keeps fields, by the last look, without those that you decided about; on all
    pages."""
    kept: int
    """The number of scenes with a field that you keep, on all pages."""
    after: int | None
    """Pass this as `after` to get the next page; null on the last page."""
    away: str
    """Why the servers could not be asked; else empty. Then only what you keep is listed, without the values."""


class DriftLeftAlone(TypedDict, total=False):
    """The scenes about which nothing was decided; a key that would be empty is left out."""

    untouched: list[int]
    """Scenes without such a field."""
    busy: list[int]
    """Scenes that were being worked on: try again."""
    remaining: int
    """The number of scenes that were not looked at, because it was stopped."""


class DriftDecision(DriftLeftAlone):
    """What came of a decision: `plexsync drift --keep 7`, `/api/drift`."""

    decision: str
    """`keep`, `take` or `unkeep`."""
    fields: int
    """The number of fields decided about."""
    scenes: list[int]
    """Their scenes."""
