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
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.import_records import AllNames
from plexsync.rules.imports import ImportItem, ImportPlan, LeftOut, filled, plan_import, written_values
from plexsync.rules.job import Absent, Dead, Dropped, Gone, Kind, OutOfScope, State, Waiting
from plexsync.rules.neighbours import Stash
from plexsync.rules.plan_records import Policy
from plexsync.rules.ratings import RatingRules
from plexsync.rules.values import Value

BATCH = 50
IGNORED = "it is ignored"
GONE = "Stash has no such scene"
UNDONE = "it is undone or released: an edit in Stash would end that"
UNFINISHED = "an earlier import may still be writing to it: try again in a few minutes"
SYNC_WRITES = "a sync would then write to Plex"


@dataclass(frozen=True)
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
    _looker: Looker
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
            batches = (self._looker.look(ids[start : start + BATCH]) for start in range(0, total, BATCH))
        done = 0
        while not stopping():
            gates.enter(*READS)
            sights = next(batches, None)
            if sights is None:
                return
            yield from self._planned(sights, names, create=create)
            done += len(sights)
            progress(done, max(done, total))

    def _all(self) -> Iterator[list[Inspection]]:
        for page in asked_pages(self.changes.gates, READ_STASH, self._stash.walk(), of_all=True):
            for start in range(0, len(page), BATCH):
                yield self._looker.look_at(page[start : start + BATCH])

    def _planned(self, sights: Sequence[Inspection], names: AllNames, *, create: bool) -> list[SceneImport]:
        with self.changes.store.reading() as db:
            rows = db.jobs.of(Kind.SCENE, [sight.id for sight in sights])
            unfinished = {change.scene for change in db.imports.open()}
            rated = self.ratings.sections(db.sections.all()) if self.ratings else frozenset()
        ignored = {id for id, row in rows.items() if row.state is State.IGNORED}
        plans: dict[int, SceneImport] = {}
        for sight in sights:
            title = sight.scene.title if sight.scene else ""
            reason = IGNORED if sight.id in ignored else UNFINISHED if sight.id in unfinished else _obstacle(sight)
            plan = ImportPlan()
            if sight.scene and not reason:
                items = [
                    ImportItem(
                        target.item,
                        {**target.memory, **target.plan.recovery.recalled},
                        target.profile,
                        self._policy,
                        target.traits,
                        is_rated_both_ways=target.item.section in rated,
                    )
                    for target in sight.targets
                ]
                plan = plan_import(sight.scene, items, names, create=create)
            plans[sight.id] = SceneImport(sight.id, title, plan, reason)
        self._try_out([sight for sight in sights if plans[sight.id].plan.fills], plans)
        return [plans[sight.id] for sight in sights]

    def _try_out(self, sights: Sequence[Inspection], plans: dict[int, SceneImport]) -> None:
        """Inspect the scenes as they will be, and leave out what a sync would not leave alone."""
        futures = [reduce(filled, plans[sight.id].plan.fills, sight.scene) for sight in sights if sight.scene]
        after = {sight.id: sight for sight in self._looker.look_at(futures)} if futures else {}
        for sight in sights:
            if _written(after[sight.id]) - _written(sight) or _obstacle(after[sight.id]):
                plan = plans[sight.id].plan
                left_out = (LeftOut(fill.field, ", ".join(fill.shown), SYNC_WRITES) for fill in plan.fills)
                changed = replace(plan, fills=(), left_out=(*plan.left_out, *left_out))
                plans[sight.id] = replace(plans[sight.id], plan=changed)


def _obstacle(sight: Inspection) -> str:
    """Why a scene can't be imported; '' if it can."""
    match sight.outcome:
        case Gone():
            return GONE
        case (
            Absent(error=error)
            | Dead(error=error)
            | OutOfScope(error=error)
            | Waiting(error=error)
            | Dropped(error=error)
        ):
            return error
    if sight.error is not None:
        return str(sight.error)
    if sight.undone:
        return UNDONE
    return ""


def _written(sight: Inspection) -> set[tuple[str, str, Value]]:
    """The values that a sync would write, by item and field, without locks."""
    return {
        (target.item.key, name, value) for target in sight.targets for name, value in written_values(target.plan.edit)
    }
