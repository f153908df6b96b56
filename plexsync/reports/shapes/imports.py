"""Imports: what one would fill in Stash, and what was done."""

from typing import TypedDict


class ImportField(TypedDict):
    """A field to fill."""

    field: str
    """`title`, `date`, `details`, `rating`, `studio`, `performers` or `tags`."""
    values: list[str]
    """The text, or the names as Stash has them."""
    creates: list[str]
    """Those of the names that are created first."""


class ImportLeftOut(TypedDict):
    """A value that is not imported."""

    field: str
    value: str
    reason: str


class ImportName(TypedDict):
    """A performer, studio or tag."""

    kind: str
    name: str


class ImportScene(TypedDict):
    """What an import would do with a scene."""

    id: int
    title: str | None
    fields: list[ImportField]
    left_out: list[ImportLeftOut]
    missing: list[ImportName]
    """The names that Stash does not have, and that are left out."""
    reason: str
    """Why the scene is not looked at, or empty."""


class ImportCounts(TypedDict):
    """The counts of a preview."""

    scenes: int
    """All scenes that were looked at."""
    filled: int
    """Scenes with a field to fill."""
    skipped: int
    """Scenes that are not looked at: not in Plex, ignored, and the like."""
    left_out: int
    """Values that are not imported."""
    fields: dict[str, int]
    """The number of scenes by field to fill."""


class ImportOutcome(TypedDict):
    """What an import, or the undo of one, has done."""

    run: int
    """The number of the import; 0 if nothing was written."""
    scenes: list[int]
    """The scenes that were written."""
    fields: int
    created: list[ImportName]
    destroyed: list[ImportName]
    changed: list[int]
    """Scenes of which a field was left alone, since it has changed meanwhile."""
    kept: list[ImportName]
    """Created objects that something else uses, or that were edited."""
    failed: dict[str, str]
    """What Stash said, by what failed."""
    open: int
    """Changes of which it is not known yet whether they were made."""
    complete: bool


class ImportUndoFacts(TypedDict):
    """The undo of an import: `plexsync import --undo 1`."""

    outcome: ImportOutcome | None
    """None if you did not agree."""


class ImportFacts(TypedDict):
    """A preview of an import, and what was done: `plexsync import`."""

    dry_run: bool
    counts: ImportCounts
    create: list[ImportName]
    """The names that are created first."""
    missing: list[ImportName]
    """The names that Stash does not have, and that are left out without `--create`."""
    scenes: list[ImportScene]
    """Scenes with something to fill or to leave out, and those that were named."""
    outcome: ImportOutcome | None
    """None if nothing was to be done, or nothing was agreed to."""
