"""What needs you: each problem with its candidates, and the steps that mend it."""

from typing import TypedDict

from plexsync.reports.shapes.values import Moment


class FixFile(TypedDict):
    """A file, in Stash or in Plex."""

    path: str
    size: int
    """In bytes; 0 if it is unknown."""
    seconds: float
    """The length of the video; 0 if it is unknown."""


class FixStep(TypedDict):
    """A step that mends a problem: a button of the dashboard, a choice of `plexsync fix`."""

    action: str
    """`bind`, `unbind`, `unignore`, `ignore`, `retry`, `retry-all`, `drop`, `accept`, `test`, `sign-in`, `setting`,
    or `open` for a page."""
    label: str
    target: str
    """The key of the scene, such as `7`; else the cause, choice, server or setting."""
    item: str
    """The rating key to bind; empty for any other action."""
    page: str
    """The page of the dashboard on which you take the step; empty if a button takes it, or if only a terminal can."""
    command: str
    """The command that does the same; empty if there is none."""


class FixCandidate(TypedDict):
    """An item in Plex that may be the scene's, and the step that binds it, or that unbinds it from another scene first."""

    key: str
    """The rating key."""
    title: str
    """Empty while Plex can't be asked."""
    library: str
    file: FixFile
    reason: str
    """Why PlexSync did not choose it; empty while a server can't be asked."""
    step: FixStep


class FixEntry(TypedDict):
    """One problem."""

    key: str
    """The key of the scene, such as `7` or `tag:12`; else a stable name, such as `hold:plex`."""
    kind: str
    """`scene`, `performer`, `studio`, `tag` or `group`; `system` if it is not about one of them."""
    id: int
    """The number in Stash; 0 for `system`."""
    title: str
    """The title of the scene, which may be unknown; else the problem in a few words."""
    since: Moment | None
    problem: str
    next: str
    """What mends it, in words."""
    files: list[FixFile]
    """The files of the scene in Stash."""
    candidates: list[FixCandidate]
    steps: list[FixStep]


class FixGroup(TypedDict):
    """The problems with one cause."""

    cause: str
    """A cause of dead letters; `system` for servers, settings and the worker; `comparison` for scenes without a job."""
    meaning: str
    count: int
    entries: list[FixEntry]
    """One page of them."""
    after: str | None
    """Pass this as `after`, with the cause, to get the next page; null on the last page."""
    steps: list[FixStep]
    """The steps for all of them."""


class FixReport(TypedDict):
    """Everything that needs you, by cause: `plexsync fix`, `/api/fix`."""

    count: int
    """The number of problems, on all pages."""
    groups: list[FixGroup]
    away: str
    """Why the servers could not be asked for the candidates; else empty. What the database knows is shown then."""
