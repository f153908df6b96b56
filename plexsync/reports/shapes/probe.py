"""What `plexsync probe` has learnt. Holds no names, paths or tokens, so that it can be shared."""

from typing import TypedDict

from plexsync.reports.shapes.values import Moment


class TraitFacts(TypedDict):
    """A question, and the answer of this server."""

    name: str
    answer: str | bool | int | float | None
    """Null if there is none. For `removals_at_once`, 0 means that no limit was found."""
    reason: str
    """Why there is no answer, or empty."""
    used: bool
    """Whether PlexSync uses the answer."""


class ProbeFacts(TypedDict):
    """The answers of a server: `plexsync probe`."""

    plexsync: str
    """The version of PlexSync."""
    plex: str | None
    """The version of the Plex server; null if nothing was learnt yet."""
    learnt_at: Moment | None
    complete: bool
    """Whether the probe of this call asked all questions. True if the call asked none."""
    restored: bool
    """Whether the item is as it was before."""
    traits: list[TraitFacts]
