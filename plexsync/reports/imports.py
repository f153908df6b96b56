"""What an import would fill in Stash, and what it has done, as facts and as lines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from plexsync.flows.imports.importer import ImportResult
from plexsync.flows.imports.planner import SceneImport
from plexsync.reports.format import many, safe
from plexsync.rules.merge.import_records import MissingName, once


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


# What no import brings, and why.
NOT_PART = (
    "Covers are not part of it: Stash lets no request take a cover away, so it could not be undone. "
    "Nor are plays: watch_back brings them."
)


def to_create(scenes: Iterable[SceneImport]) -> list[MissingName]:
    """The names that are created first, each once."""
    return list(once(name for scene in scenes for name in scene.plan.to_create))


def missing_names(scenes: Iterable[SceneImport]) -> list[MissingName]:
    """The names that are left out because Stash does not have them, each once."""
    return list(once(name for scene in scenes for name in scene.plan.missing))


def import_facts(
    scenes: Sequence[SceneImport], counts: ImportCounts, *, dry: bool, outcome: ImportResult | None
) -> ImportFacts:
    """All of it, for JSON."""
    return {
        "dry_run": dry,
        "counts": counts,
        "create": [_name(name) for name in to_create(scenes)],
        "missing": [_name(name) for name in missing_names(scenes)],
        "scenes": [_scene(scene) for scene in scenes],
        "outcome": outcome_facts(outcome) if outcome else None,
    }


def count_scene(counts: ImportCounts, scene: SceneImport) -> None:
    """Count a scene of a preview."""
    counts["scenes"] += 1
    counts["filled"] += bool(scene.plan.fills)
    counts["skipped"] += bool(scene.reason)
    counts["left_out"] += len(scene.plan.left_out)
    for fill in scene.plan.fills:
        counts["fields"][fill.field.word] = counts["fields"].get(fill.field.word, 0) + 1


def count_lines(counts: ImportCounts) -> Iterator[str]:
    """The counts as lines of text."""
    skipped = f"; {counts['skipped']:,} not looked at (not in Plex, ignored or undone)" if counts["skipped"] else ""
    yield f"{many(counts['scenes'], 'scene')}: {counts['filled']:,} to fill{skipped}"
    for word, count in counts["fields"].items():
        yield f"  {word}: {many(count, 'scene')}"
    if counts["left_out"]:
        yield f"  left out: {many(counts['left_out'], 'value')}"


def scene_lines(scene: SceneImport) -> Iterator[str]:
    """A scene as text: one line for each field."""
    name = f"Scene {scene.id}{f': {safe(scene.title, 120)}' if scene.title else ''}"
    if scene.reason:
        yield f"{name}: {safe(scene.reason)}"
        return
    yield name
    for fill in scene.plan.fills:
        created = {entry.name for entry in fill.to_create}
        values = (f"{text} (new)" if text in created else text for text in fill.shown)
        yield f"  {fill.field.word}: {safe(', '.join(values), 120)}"
    for left_out in scene.plan.left_out:
        yield f"  {left_out.field.word} left out: {safe(left_out.text, 60)}: {safe(left_out.reason)}"
    for missing in scene.plan.missing:
        yield f"  {missing.kind} left out: {safe(missing.name, 60)}: Stash does not have it (--create)"


def names_lines(title: str, names: Sequence[MissingName]) -> Iterator[str]:
    """Names by kind, under a title."""
    if names:
        yield title
    for kind in dict.fromkeys(name.kind for name in names):
        yield f"  {kind}: {safe(', '.join(name.name for name in names if name.kind is kind), 2_000)}"


def outcome_facts(outcome: ImportResult) -> ImportOutcome:
    """What was done, for JSON."""
    return {
        "run": outcome.run,
        "scenes": outcome.scenes,
        "fields": outcome.fields,
        "created": [_name(name) for name in outcome.created],
        "destroyed": [_name(name) for name in outcome.destroyed],
        "changed": outcome.changed,
        "kept": [_name(name) for name in outcome.kept],
        "failed": dict(outcome.failed),
        "open": outcome.still_open,
        "complete": outcome.is_complete,
    }


def outcome_lines(outcome: ImportResult, *, undo: bool) -> Iterator[str]:
    """What was done, as lines of text."""
    fields, scenes = many(outcome.fields, "field"), many(len(outcome.scenes), "scene")
    yield f"{fields} of {scenes} {'taken back' if undo else 'filled'}"
    yield from names_lines("Created:", outcome.created)
    yield from names_lines("Deleted:", outcome.destroyed)
    yield from names_lines("Kept, since something else uses them or they were edited:", outcome.kept)
    if outcome.changed:
        ids = ", ".join(map(str, outcome.changed[:20]))
        yield f"Changed meanwhile, so left alone: {many(len(outcome.changed), 'scene')} ({ids})"
    if outcome.run and not undo:
        yield f"This was import {outcome.run}: plexsync import --undo {outcome.run} takes it back"


def problem_lines(outcome: ImportResult) -> Iterator[str]:
    """What went wrong, one line for each."""
    for subject, problem in outcome.failed.items():
        yield f"{safe(subject)}: {safe(problem)}"
    if outcome.still_open:
        yield (
            f"{many(outcome.still_open, 'change')} may still be on the way to Stash: call it again in a few minutes, and it"
            " goes on from there"
        )
    if outcome.error:
        yield f"it ended early: {safe(outcome.error)}"


def _name(name: MissingName) -> ImportName:
    return {"kind": name.kind.value, "name": name.name}


def _scene(scene: SceneImport) -> ImportScene:
    return {
        "id": scene.id,
        "title": scene.title or None,
        "fields": [
            {
                "field": fill.field.word,
                "values": list(fill.shown),
                "creates": [entry.name for entry in fill.to_create],
            }
            for fill in scene.plan.fills
        ],
        "left_out": [
            {"field": left_out.field.word, "value": left_out.text, "reason": left_out.reason}
            for left_out in scene.plan.left_out
        ],
        "missing": [_name(name) for name in scene.plan.missing],
        "reason": scene.reason,
    }
