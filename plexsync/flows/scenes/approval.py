"""Carries out what you approved: each change is compared with what would be changed now, and its scene is queued.

Nothing is written here. The worker syncs the scene like any other, with its plan narrowed to what you approved
(`plexsync.flows.scenes.approved_plans`), and compares it once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.approval import Approval, ApprovedScene, FieldChange, NoLongerTrue, document_of, remaining
from plexsync.rules.job import Gone, Kind, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.records import JobRow
from plexsync.store.database import Database, Writer

BATCH = 50
QUEUED = "it is queued already"
IGNORED = "it is ignored"
GONE = "Stash has no such scene"


@dataclass
class Approved:
    """The scenes that were queued with their number of changes, those with nothing left to do, and the refused ones.

    `refused` has the end of a sentence about each.
    """

    queued: list[int] = field(default_factory=list)
    changes: int = 0
    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def approve(
    store: Database,
    looker: Looker,
    gates: Gates,
    clock: Clock,
    scenes: Sequence[ApprovedScene],
    result: Approved,
    *,
    take_over: bool = False,
    behind: bool = False,
) -> None:
    """Queue these scenes for the approved changes, and add them to `result`. Raises NeighbourError.

    A scene of which one change is no longer true is refused as a whole. `behind`: they go behind all edits.
    """
    for start in range(0, len(scenes), BATCH):
        batch = {scene.id: scene for scene in scenes[start : start + BATCH]}
        gates.enter(*READS)
        sights = {sight.id: sight for sight in looker.look(list(batch), taking_over=take_over)}
        with store.writing() as tx:
            rows = tx.jobs.of(Kind.SCENE, list(batch))
            for id, scene in batch.items():
                if reason := _obstacle(sights[id], rows.get(id)):
                    result.refused[id] = reason
                    continue
                try:
                    count = _remaining(sights[id], scene.items)
                except NoLongerTrue as error:
                    result.refused[id] = str(error)
                    continue
                if count:
                    _queue(tx, replace(scene, title=""), clock.now(), take_over=take_over, behind=behind)
                    result.queued.append(id)
                    result.changes += count
                else:
                    result.done.append(id)


def _obstacle(sight: Inspection, row: JobRow | None) -> str:
    """Why nothing of a scene can be approved now; '' if it can."""
    if row is not None and row.state in (State.READY, State.RUNNING):
        return QUEUED
    if row is not None and row.state is State.IGNORED:
        return IGNORED
    if sight.undone:
        return "it is undone or released"
    if isinstance(sight.outcome, Gone):
        return GONE
    return str(getattr(sight.outcome, "error", "") or sight.error or "")


def _remaining(sight: Inspection, items: Mapping[str, Mapping[str, FieldChange]]) -> int:
    """How many changes are still to be made. Raises NoLongerTrue."""
    targets = {target.item.key: target for target in sight.targets}
    if items.keys() - targets.keys():
        raise NoLongerTrue("it has another item in Plex now")
    return sum(remaining(targets[key].plan, targets[key].item, fields) for key, fields in items.items())


def _queue(tx: Writer, scene: ApprovedScene, now: int, *, take_over: bool, behind: bool) -> None:
    tx.jobs.want(Kind.SCENE, scene.id, Why.USER, now, behind=behind)
    row = tx.jobs.find(Kind.SCENE, scene.id)
    if row is not None:
        tx.notes.approve(scene.id, document_of(Approval(row.wanted_rev, scene, take_over)))
