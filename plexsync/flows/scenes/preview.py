"""Previews a sync field by field. Writes nothing to Plex, to Stash or to the queue.

Scenes are inspected by the engine's code, a batch at a time, and yielded as they come, so a library of any size needs
little memory. New files in Plex are added to the index, and stay new for the worker.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.inspection import BATCH, REDOING, TAKING_OVER, AsIf, Inspector
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.reconcile import stands
from plexsync.flows.scenes.verbs import changed_since
from plexsync.rules.merge.field_change import FieldChange, field_change
from plexsync.rules.merge.plan_records import Note
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import held_field
from plexsync.rules.queue.job import Absent, Dead, Gone, Kind, NotShown, OutOfScope, State
from plexsync.rules.record_class import record
from plexsync.rules.records import JobRow
from plexsync.rules.words.status_words import PREVIEWED, Finding, SceneStatus, finding_word, in_sync_line

WOULD_CHANGE = Finding.WOULD_CHANGE.value
# The names of findings, by the words of `stands`.
NAMES = {finding.stored: finding.value for finding in PREVIEWED if finding.stored}
# The word for rows that a sweep would leave alone.
LEFT_ALONE = {State.DROPPED: Finding.DROPPED.value, State.DEAD: Finding.GIVEN_UP.value}


@record
class ItemChange:
    """The changes of one item."""

    key: str
    section: str
    fields: tuple[FieldChange, ...]


@record
class Preview:
    """The status of one scene in one word, with the reason if nothing would change, else the changes of its items.

    `undecidable`: it has locked values that an earlier database may have written. They count as yours. `kept_fields`: of a
    scene in sync, the number of fields that Plex keeps.
    """

    id: int
    standing: str
    title: str = ""
    reason: str = ""
    items: tuple[ItemChange, ...] = ()
    notes: tuple[Note, ...] = ()
    studio: str = ""
    undecidable: bool = False
    kept_fields: int = 0

    @property
    def word(self) -> str:
        """The display word for its status."""
        return in_sync_line(self.kept_fields) if self.kept_fields else finding_word(self.standing)


def preview_scenes(
    inspector: Inspector,
    ids: Sequence[int] | None = None,
    *,
    since: datetime | None = None,
    take_over: bool = False,
    redo: bool = False,
    sweep: bool = False,
    progress: Progress = quiet,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Preview]:
    """Yield a preview of these scenes, those changed since `since`, or all. Raises NeighbourError if a server is down.

    `take_over`: preview a sync that takes over what was in Plex before PlexSync. `redo`: preview a sync of these
    scenes that ends their undo. `sweep`: preview what a full comparison would do with these scenes.
    """
    as_if = TAKING_OVER if take_over else REDOING if redo else TakenBack.NO
    inspector.gates.enter(*READS)
    if since is not None:
        ids = changed_since(inspector.stash, inspector.gates, since)
    if ids is None:
        total = inspector.gates.ask(READ_STASH, inspector.stash.newest, of_all=True)[Kind.SCENE].count
        batches = look_at_all(inspector, as_if)
    else:
        total, batches = len(ids), inspector.look_at_each(ids, as_if)
    done = 0
    while not stopping():
        inspections = next(batches, None)
        if inspections is None:
            return
        with inspector.store.reading() as db:
            rows = {inspection.id: db.jobs.find(Kind.SCENE, inspection.id) for inspection in inspections}
            is_first = inspector.recovery.is_unproven(db)
        for inspection in inspections:
            preview = preview_of(inspection, rows[inspection.id], sweep=sweep or ids is None)
            yield replace(preview, undecidable=is_first and not take_over and inspection.is_undecidable)
        done += len(inspections)
        progress(done, max(done, total))


def look_at_all(inspector: Inspector, as_if: AsIf = TakenBack.NO, *, batch: int = 0) -> Iterator[list[Inspection]]:
    """Inspect every scene of Stash, a batch (0: of the usual size) at a time."""
    for page in asked_pages(inspector.gates, READ_STASH, inspector.stash.walk(), of_all=True):
        for start in range(0, len(page), batch or BATCH):
            inspector.gates.enter(*READS)
            yield inspector.look_at(page[start : start + (batch or BATCH)], as_if)


def preview_of(inspection: Inspection, row: JobRow | None, *, sweep: bool) -> Preview:
    """The preview of one scene. A sweep, such as a sync of the whole library, would leave dead and dropped rows alone."""
    standing = _standing(inspection, row, is_left=sweep and row is not None and row.state in LEFT_ALONE)
    title = inspection.scene.title if inspection.scene else ""
    if standing != WOULD_CHANGE:
        held_count = inspection.kept_fields if standing == Finding.KEPT else 0
        reason = SceneStatus.DROPPED.meaning if standing == Finding.DROPPED else _why(inspection)
        return Preview(inspection.id, standing, title, reason, kept_fields=held_count)
    notes = (note for target in inspection.targets for note in (*target.wanted.notes, *target.plan.notes))
    items = tuple(
        ItemChange(
            target.item.key,
            target.item.section,
            tuple(
                field_change(name, held_field(target.item, name), change) for name, change in target.plan.edit.items()
            ),
        )
        for target in inspection.targets
        if target.plan.edit
    )
    studio = inspection.scene.studio if inspection.scene else ""
    return Preview(inspection.id, standing, title, items=items, notes=tuple(dict.fromkeys(notes)), studio=studio)


def _standing(inspection: Inspection, row: JobRow | None, *, is_left: bool) -> str:
    if isinstance(inspection.outcome, Gone):
        return Finding.GONE.value
    if row is not None and row.state is State.IGNORED:
        return Finding.IGNORED.value
    standing = stands(inspection)
    if standing == "differs" and is_left and row is not None:
        return LEFT_ALONE[row.state]
    return NAMES.get(standing, standing)


def _why(inspection: Inspection) -> str:
    match inspection.outcome:
        case Absent(error=error) | Dead(error=error) | OutOfScope(error=error) | NotShown(error=error):
            return error
    return str(inspection.error) if inspection.error is not None else ""
