"""Plays: how the way back stands, and what was asked for, and what the first write would do."""

from typing import TypedDict

from plexsync.reports.shapes.status import FirstPlaysFacts, QueuedPlays
from plexsync.reports.shapes.values import Moment


class PlayCounts(TypedDict):
    """The number of plays in Plex's saved history, and of remembered ones by what became of them."""

    in_plex: int | None
    """The account's plays in Plex, from `watch_since` on: those that Plex lists, and viewings that are plays; each once.
    Null while the number of the account is unknown."""
    unsent: int | None
    """Those of `in_plex` that are neither sent nor found in Stash: they wait, or their item has no scene. Null before
    you have approved the first plays: `first` has the number then."""
    viewings: int | None
    """Viewings of the account that ended since `watch_since`. Null while the number of the account is unknown."""
    viewed: int | None
    """Those of `viewings` that are plays."""
    adding: int
    """On their way to Stash."""
    sent: int
    """Added to Stash by PlexSync."""
    present: int
    """Found in Stash, so not PlexSync's."""
    deleted: int
    """Added by PlexSync, and deleted in Stash since."""
    undoing: int
    """To be taken back, and not taken back yet."""
    undone: int
    """Taken back."""
    play_time: float
    """How much PlexSync has added to the play times of scenes, in seconds."""


class PlaysReport(QueuedPlays):
    """How the way back stands: `plexsync plays status`."""

    watch_back: str
    """The setting."""
    watch_account: str
    """The setting; empty for the owner."""
    account: int | None
    """The number of the account. Null if only its name is known, and its history was not read yet."""
    watch_since: Moment | None
    """The setting; null if all plays count."""
    watch_minimum: str
    """The setting: the rule by which what was watched is a play."""
    minimum_in_force: str
    """The rule that is in force: the one that you have approved, if `watch_minimum` makes more plays."""
    stash_percent: float | None
    """The percentage of Stash's own player, as it was read last. Null if it was never read."""
    heard_at: Moment | None
    """When PlexSync last heard what a player of the account plays. Null if it never did."""
    read_to_end: bool
    """Whether the history of the account on this server was read once to its end."""
    first: FirstPlaysFacts | None
    """What the first write of plays would do; null if nothing waits for your approval."""
    plays: PlayCounts


class PlaysAsked(TypedDict, total=False):
    """Parts that are there only if they are not empty."""

    resume_points: int
    """Resume points that are put back, or written again."""
    play_times: int
    """Scenes of which the play time is taken back, or added again."""
    nothing: list[int]
    """Named scenes without such a play, resume point or play time."""
    failed: dict[str, str]
    """Why a scene can't be read, by its number."""


class PlaysWished(PlaysAsked):
    """What was asked for: `plexsync plays undo --all`."""

    plays: int
    scenes: int


class PlaysToChange(TypedDict):
    """The plays of a scene; none if only its resume point or its play time is concerned."""

    id: int
    title: str
    plays: list[Moment]
    resume_point: bool
    """Whether its resume point is concerned."""
    play_time: bool
    """Whether the play time that PlexSync added is concerned."""


class PlaysPreview(TypedDict):
    """What would be asked for: `plexsync plays undo --all --dry-run`."""

    plays: int
    resume_points: int
    play_times: int
    scenes: list[PlaysToChange]


class ScenePlaysFacts(TypedDict):
    """The plays of one scene."""

    id: int
    title: str
    missing: list[Moment | None]
    """The plays that would be added, oldest first."""
    viewed: int
    """How many of these are viewings."""
    viewed_time: float
    """How long these viewings are, in seconds."""
    play_time: float
    """The play time that would be added, in seconds."""
    present: int
    """How many Stash has already."""
    error: str
    """Why the scene could not be read; '' if it was."""


class FirstPlaysPreview(TypedDict):
    """The answer of `plexsync plays sync`."""

    dry_run: bool
    approved: bool
    """Whether plays may be written: you have approved them now or before."""
    first: FirstPlaysFacts
    scenes: list[ScenePlaysFacts]
    """The first scenes that would get plays."""
