"""Plans an import scene by scene. Writes to neither server.

Scenes are paired and inspected by the code of the sync. A plan is tried by inspecting the scene as it will be: what a
sync would then write, it must write anyway.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.engine.watching import asked_pages
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.merge.import_records import AllNames
from plexsync.rules.merge.imports import ImportItem, ImportPlan, LeftOut, fill_scene, plan_import, written_values
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.values import Value
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.queue.job import Absent, Dead, Gone, Kind, NotShown, OutOfScope, State, Waiting
from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Stash

BATCH = 50
IGNORED = "it is ignored"
GONE = "Stash has no such scene"
UNDONE = "it is undone or released: an edit in Stash would end that"
UNFINISHED = "an earlier import may still be writing to it: try again in a few minutes"
SYNC_WRITES = "a sync would then write to Plex"


@record
class SceneImport:
    """The import of one scene. `reason`: why nothing of it is looked at, '' otherwise."""

    id: int
    title: str = ""
    plan: ImportPlan = field(default_factory=ImportPlan)
    reason: str = ""


@dataclass(eq=False)
class ImportPlanner:
    """Plans imports from one Plex to one Stash. `ratings`: the rules of ratings that go both ways, None if they don't."""

    changes: OpenChanges
    _stash: Stash
    _inspector: Inspector
    _policy: Policy
    ratings: RatingRules | None = None

    def plans(
        self,
        ids: Sequence[int] | None,
        names: AllNames,
        *,
        create: bool,
        progress: Progress = quiet,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[SceneImport]:
        """Yield the plans of these scenes, or of all (None), as they are made. Raises NeighbourError.

        What an earlier import has left open is resolved first.
        """
        gates = self.changes.gates
        self.changes.resolve()
        if ids is None:
            gates.enter(READ_STASH)
            total = gates.ask(READ_STASH, self._stash.newest, of_all=True)[Kind.SCENE].count
            batches = self._all()
        else:
            total = len(ids)
            batches = (self._inspector.look(ids[start : start + BATCH]) for start in range(0, total, BATCH))
        done = 0
        while not stopping():
            gates.enter(*READS)
            inspections = next(batches, None)
            if inspections is None:
                return
            yield from self._plan(inspections, names, create=create)
            done += len(inspections)
            progress(done, max(done, total))

    def _all(self) -> Iterator[list[Inspection]]:
        for page in asked_pages(self.changes.gates, READ_STASH, self._stash.walk(), of_all=True):
            for start in range(0, len(page), BATCH):
                yield self._inspector.look_at(page[start : start + BATCH])

    def _plan(self, inspections: Sequence[Inspection], names: AllNames, *, create: bool) -> list[SceneImport]:
        with self.changes.store.reading() as db:
            rows = db.jobs.of(Kind.SCENE, [inspection.id for inspection in inspections])
            unfinished = {change.scene for change in db.imports.open()}
            rated = self.ratings.sections(db.sections.all()) if self.ratings else frozenset()
        ignored = {id for id, row in rows.items() if row.state is State.IGNORED}
        plans: dict[int, SceneImport] = {}
        for inspection in inspections:
            title = inspection.scene.title if inspection.scene else ""
            reason = (
                IGNORED
                if inspection.id in ignored
                else UNFINISHED
                if inspection.id in unfinished
                else _obstacle(inspection)
            )
            plan = ImportPlan()
            if inspection.scene and not reason:
                items = [
                    ImportItem(
                        target.item,
                        {**target.memory, **target.plan.recovery.recalled},
                        target.profile,
                        self._policy,
                        target.traits,
                        is_rated_both_ways=target.item.section in rated,
                    )
                    for target in inspection.targets
                ]
                plan = plan_import(inspection.scene, items, names, create=create)
            plans[inspection.id] = SceneImport(inspection.id, title, plan, reason)
        self._try_out([inspection for inspection in inspections if plans[inspection.id].plan.fills], plans)
        return [plans[inspection.id] for inspection in inspections]

    def _try_out(self, inspections: Sequence[Inspection], plans: dict[int, SceneImport]) -> None:
        """Inspect the scenes as they will be, and leave out what a sync would not leave alone."""
        futures = [
            reduce(fill_scene, plans[inspection.id].plan.fills, inspection.scene)
            for inspection in inspections
            if inspection.scene
        ]
        after = {inspection.id: inspection for inspection in self._inspector.look_at(futures)} if futures else {}
        for inspection in inspections:
            if _values_to_write(after[inspection.id]) - _values_to_write(inspection) or _obstacle(after[inspection.id]):
                plan = plans[inspection.id].plan
                left_out = (LeftOut(fill.field, ", ".join(fill.shown), SYNC_WRITES) for fill in plan.fills)
                changed = replace(plan, fills=(), left_out=(*plan.left_out, *left_out))
                plans[inspection.id] = replace(plans[inspection.id], plan=changed)


def _obstacle(inspection: Inspection) -> str:
    """Why a scene can't be imported; '' if it can."""
    match inspection.outcome:
        case Gone():
            return GONE
        case (
            Absent(error=error)
            | Dead(error=error)
            | OutOfScope(error=error)
            | Waiting(error=error)
            | NotShown(error=error)
        ):
            return error
    if inspection.error is not None:
        return str(inspection.error)
    if inspection.undone:
        return UNDONE
    return ""


def _values_to_write(inspection: Inspection) -> set[tuple[str, str, Value]]:
    """The values that a sync would write, by item and field, without locks."""
    return {
        (target.item.key, name, value)
        for target in inspection.targets
        for name, value in written_values(target.plan.edit)
    }
